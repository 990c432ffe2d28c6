package gate

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"porterhouse"
)

// maxSQL is the longest statement that is passed on, in bytes: ClickHouse's own
// default of max_query_size, beyond which it would not read the text anyway. The data
// of an INSERT is not counted.
const maxSQL = 256 << 10

// What travels beside the statement is bounded too.
const (
	maxParams       = 100
	maxParamBytes   = 16 << 10 // of all parameters together
	maxDatabase     = 256      // bytes of any name: a database, a format, a role, a quota's key
	maxSettings     = 500
	maxSettingBytes = 256 << 10 // of all settings together
	maxRoles        = 100
	maxSessionID    = 1 << 10
	maxQueryID      = 256 // hundreds of them fit into one KILL

	// A client of ClickHouse's own interface binds whole lists.
	maxPassageParams     = 10_000
	maxPassageParamBytes = 1 << 20
)

func checkSizes(q *porterhouse.Query) error {
	if err := checkName("database", q.Database); err != nil {
		return err
	}
	if err := checkName("format", string(q.Format)); err != nil {
		return err
	}
	if q.Passage == nil {
		return checkParams(q.Params, maxParams, maxParamBytes)
	}
	if err := checkParams(q.Params, maxPassageParams, maxPassageParamBytes); err != nil {
		return err
	}
	return checkPassage(q)
}

// invalid is a refusal of what cannot be understood.
func invalid(format string, args ...any) error {
	e := porterhouse.Errorf(porterhouse.Invalid, format, args...).(*porterhouse.Error)
	e.Code = codeInvalidRequest
	return e
}

func checkParams(params map[string]string, most, mostBytes int) error {
	if len(params) > most {
		return invalid("the question has %d parameters, more than the %d allowed", len(params), most)
	}
	total := 0
	for name, value := range params {
		if !isParamName(name) {
			return invalid("%.40q is not the name of a parameter: use letters, digits and _", name)
		}
		total += len(name) + len(value)
	}
	if total > mostBytes {
		return invalid("the parameters have %d bytes together, more than the %d allowed", total, mostBytes)
	}
	return nil
}

func checkPassage(q *porterhouse.Query) error {
	p := q.Passage
	if q.ID != "" && !isQueryID(q.ID) {
		return invalid("the query_id has more than %d bytes, a space at an end, or characters that are none", maxQueryID)
	}
	if s := p.Session; s != nil && (s.ID == "" || len(s.ID) > maxSessionID) {
		return invalid("the session_id has %d bytes: it needs 1 to %d", len(s.ID), maxSessionID)
	}
	if err := checkName("quota_key", p.QuotaKey); err != nil {
		return err
	}
	if len(p.Roles) > maxRoles {
		return invalid("the request names %d roles, more than the %d allowed", len(p.Roles), maxRoles)
	}
	for _, role := range p.Roles {
		if err := checkName("role", role); err != nil {
			return err
		}
	}
	return checkSettings(p.Settings)
}

func checkSettings(settings []porterhouse.Setting) error {
	if len(settings) > maxSettings {
		return invalid("the request has %d settings, more than the %d allowed", len(settings), maxSettings)
	}
	total := 0
	for _, s := range settings {
		total += len(s.Name) + len(s.Value)
	}
	if total > maxSettingBytes {
		return invalid("the settings have %d bytes together, more than the %d allowed", total, maxSettingBytes)
	}
	return nil
}

func checkName(what, name string) error {
	if len(name) > maxDatabase {
		return invalid("the name of the %s has %d bytes, more than the %d allowed", what, len(name), maxDatabase)
	}
	return nil
}

func isParamName(s string) bool { return len(s) <= 64 && isWord(s, "") }

// isSettingName admits what ClickHouse can have for a setting: custom ones may have dots.
func isSettingName(s string) bool { return len(s) <= 128 && isWord(s, ".") }

// isWord reports whether s is letters, digits, underscores and some further signs,
// and does not begin with a digit or a sign.
func isWord(s, further string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && strings.IndexByte(further, c) < 0) {
			return false
		}
	}
	return s != ""
}

// isQueryID reports whether a client's query_id can be kept as it is, wherever it is
// written: in a header, a log line, ClickHouse's own text.
func isQueryID(id string) bool {
	return id != "" && len(id) <= maxQueryID && utf8.ValidString(id) && strings.TrimSpace(id) == id && !strings.ContainsFunc(id, unicode.IsControl)
}

// quoted is a client's own word in an error, short and with nothing that cannot be seen.
func quoted(word string) string { return strconv.QuoteToASCII(word[:min(len(word), 40)]) }
