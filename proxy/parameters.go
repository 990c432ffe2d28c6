package proxy

import (
	"slices"
	"strings"

	"porterhouse"
)

// place says where a parameter of the URL belongs.
type place int

const (
	inSettings  place = iota // everything that is not in places, and no file's
	single                   // has one value: two different ones are refused
	option                   // of the interface, and no setting
	role                     // one of several
	ofParams                 // the value of {name:Type}
	ofTable                  // describes an external table
	meaningless              // what the door decides itself
)

// places are the parameters that ClickHouse's interface knows. All others are settings,
// which the gate judges.
var places = map[string]place{
	"query":           single,
	"database":        single,
	"default_format":  single,
	"query_id":        single,
	"quota_key":       single,
	"user":            single,
	"password":        single,
	"session_id":      single,
	"session_timeout": single,
	"session_check":   single,
	"close_session":   single,
	"decompress":      single, // done here
	"log_comment":     single, // a setting, but ours: the client's goes inside

	"compress":                option,
	"buffer_size":             option,
	"wait_end_of_query":       option,
	"stacktrace":              option,
	"client_protocol_version": option,

	"role": role,

	"add_http_cors_header": meaningless, // the door itself says what web pages may do; Grafana's plugins may send it
	// Whoever leaves stops the query, always; clickhouse-connect asks for it each time.
	"cancel_http_readonly_queries_on_client_close": meaningless,
}

const paramPrefix = "param_"

// tableSuffixes end the names of fields that describe an external table.
var tableSuffixes = []string{"_format", "_structure", "_types"}

// parameters are the parameters of one URL, each in its place.
type parameters struct {
	single   []porterhouse.Setting // few, so looking through them is as fast as any map
	options  []porterhouse.Setting
	settings []porterhouse.Setting
	tables   []porterhouse.Setting
	roles    []string
	params   map[string]string
}

// maxParameters bounds what one URL may name; its length bounds the rest.
const maxParameters = 5_000

// readParameters reads the query string of a URL as ClickHouse does; form says that the
// body is a form, in which files can be.
func readParameters(raw string, form bool) (*parameters, error) {
	p := &parameters{}
	for count := 0; raw != ""; count++ {
		if count == maxParameters {
			return nil, refuse(codeBadArguments, "the URL has more than %d parameters", maxParameters)
		}
		var field string
		field, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(field, "=")
		name, nameOK := unescape(name)
		value, valueOK := unescape(value)
		if !nameOK || !valueOK {
			return nil, refuse(codeBadArguments, "the URL has a character that must be escaped, or a %% without two hex digits behind it")
		}
		if name == "" {
			continue // as in ?&a=b
		}
		if err := p.add(name, value, form); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add puts one parameter into its place.
func (p *parameters) add(name, value string, form bool) error {
	at, err := placeOf(name, form)
	if err != nil {
		return err
	}
	s := porterhouse.Setting{Name: name, Value: value}
	switch at {
	case single:
		if old, known := p.get(name); known && old != value {
			return twice(name)
		}
		p.single = append(p.single, s)
	case option:
		for _, o := range p.options {
			if o.Name == name && o.Value != value {
				return twice(name)
			}
		}
		p.options = append(p.options, s)
	case role:
		p.roles = append(p.roles, value)
	case ofParams:
		return p.addParam(name[len(paramPrefix):], value)
	case ofTable:
		p.tables = append(p.tables, s)
	case meaningless:
	default:
		p.settings = append(p.settings, s)
	}
	return nil
}

// addParam adds the value of {name:Type}.
func (p *parameters) addParam(name, value string) error {
	if old, known := p.params[name]; known && old != value {
		return twice(paramPrefix + name)
	}
	if p.params == nil {
		p.params = map[string]string{}
	}
	p.params[name] = value
	return nil
}

func twice(name string) error {
	return refuse(codeBadArguments, "%.100s has two different values: send one", name)
}

// placeOf finds the place of a parameter. Names are case-sensitive, but ClickHouse looks
// for its own in any case before it refuses them as settings; so they go no further.
func placeOf(name string, form bool) (place, error) {
	if at, known := places[name]; known {
		return at, nil
	}
	if strings.HasPrefix(name, paramPrefix) {
		return ofParams, nil
	}
	if form && describesTable(name) {
		return ofTable, nil
	}
	lower := strings.ToLower(name)
	if _, known := places[lower]; known && lower != name || strings.HasPrefix(lower, paramPrefix) {
		return 0, refuse(codeUnknownSetting, "Unknown setting '%s': write it as %s", name, lower)
	}
	return inSettings, nil
}

func describesTable(name string) bool {
	for _, suffix := range tableSuffixes {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// get returns the value of a parameter that has one.
func (p *parameters) get(name string) (value string, known bool) {
	for _, s := range p.single {
		if s.Name == name {
			return s.Value, true
		}
	}
	return "", false
}

// value is get for whom a missing one and an empty one are the same.
func (p *parameters) value(name string) string {
	value, _ := p.get(name)
	return value
}

// flag reads a parameter that is true or false.
func (p *parameters) flag(name string) (bool, error) {
	value, known := p.get(name)
	switch {
	case !known || value == "0" || value == "false":
		return false, nil
	case value == "1" || value == "true":
		return true, nil
	}
	return false, refuse(codeParse, "Cannot parse input: %s is %.100q: write 0 or 1", name, value)
}

// set reports whether a setting is given and true; of several values the last one counts.
func (p *parameters) set(name string) bool {
	on := false
	for _, s := range p.settings {
		if s.Name == name {
			on = s.Value == "1" || s.Value == "true"
		}
	}
	return on
}

// takeReadOnly reports whether the client asks for a read and nothing else, as tools for
// agents do (readonly=1 or 2), and takes the setting out: the gate sees to it. Another
// value stays, and is refused with the other settings that are not for clients.
func (p *parameters) takeReadOnly() (asked bool) {
	p.settings = slices.DeleteFunc(p.settings, func(s porterhouse.Setting) bool {
		reads := s.Name == "readonly" && (s.Value == "1" || s.Value == "2")
		asked = asked || reads
		return reads
	})
	return asked
}

// unescape decodes one name or value. ClickHouse takes no raw bytes beyond ASCII in a
// URL, and cuts it off at a #; neither is guessed at here.
func unescape(text string) (string, bool) {
	plain := true
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' || c == '#' {
			return "", false
		}
		plain = plain && c != '%' && c != '+'
	}
	if plain {
		return text, true
	}
	decoded := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '+':
			decoded = append(decoded, ' ')
		case '%':
			if i+2 >= len(text) {
				return "", false
			}
			high, low := hexDigit(text[i+1]), hexDigit(text[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			decoded = append(decoded, byte(high<<4|low))
			i += 2
		default:
			decoded = append(decoded, c)
		}
	}
	return string(decoded), true
}

// hexDigit returns the value of a digit, or -1.
func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
