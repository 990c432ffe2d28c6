package clickhouse

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"porterhouse"
)

// statement is what one call of Query sends.
type statement struct {
	porterhouse.Query
	way     way                  // nil: the gateway asks for itself
	account porterhouse.Account  // whose login way makes
	as      porterhouse.UserName // of account
	prefix  string               // read before SQL

	answered bool // an answer has begun, or its format is known: the account is in and the statement is understood
}

// check refuses a query that could not be followed or ended.
func check(q porterhouse.Query) error {
	switch {
	case strings.TrimSpace(q.SQL) == "":
		return porterhouse.Errorf(porterhouse.Invalid, "the statement is empty")
	case q.ID == "":
		return porterhouse.Errorf(porterhouse.Internal, "the question has no id, so it could not be stopped and was not asked")
	case len(q.ID) > maxID || strings.TrimSpace(q.ID) != q.ID || strings.ContainsFunc(q.ID, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }):
		return porterhouse.Errorf(porterhouse.Invalid, "the query_id has more than %d bytes, or characters that cannot be seen, or a space at an end", maxID)
	case q.Limits.Time <= 0:
		return porterhouse.Errorf(porterhouse.Internal, "the question has no time limit, so it might never end and was not asked")
	}
	if err := checkParams(q.Params); err != nil {
		return err
	}
	return checkPassage(q.Passage)
}

// maxID is the longest query_id, in bytes: hundreds of them fit into one KILL.
const maxID = 256

// How large parameters may be, in bytes, as they travel: most bytes that are not
// letters or digits take three. ClickHouse takes one of 128 KiB, and an address of
// 1 MiB.
const (
	maxParam  = 128 << 10
	maxParams = 512 << 10
)

func checkParams(params map[string]string) error {
	total := 0
	for name, value := range params {
		size := len(appendEscaped(nil, value))
		if size > maxParam {
			return porterhouse.Errorf(porterhouse.Invalid, "the parameter %q takes %d bytes, more than the %d that ClickHouse takes", name, size, maxParam)
		}
		total += size + len(url.QueryEscape(name))
	}
	if total > maxParams {
		return porterhouse.Errorf(porterhouse.Invalid, "the parameters take %d bytes together, more than the %d allowed", total, maxParams)
	}
	return nil
}

// Parameters that never vary. Everything sent overrides the profile of the
// account, so this is all there is, and a profile of the gateway's own account
// would do the same: it has to be empty.
const (
	// An exception must look like one (stream.go), not like a value of the format.
	everyFormat = "&http_write_exception_in_output_format=0"
	// An answer of ours is small, or is cut: threads that format it in turns take
	// ClickHouse longer to start and to stop than they save.
	oneFormatter = "&output_format_parallel_formatting=0"
	// JSON loses nothing: numbers beyond 2^53, NaN, inf and decimals as strings.
	jsonFormat = "&output_format_json_quote_64bit_integers=1" +
		"&output_format_json_quote_denormals=1" +
		"&output_format_json_quote_decimals=1"
)

// parameters returns the query part of the URL, without what the server lacks. The
// prefix travels here, and ClickHouse puts a line break between it and the body.
func (s *statement) parameters(lacks *lacking) string {
	p := make([]byte, 0, 512)
	if s.Passage != nil {
		return string(s.appendPassage(p)[1:])
	}
	p = append(p, lacks.from(everyFormat+oneFormatter)...)
	if s.Format == porterhouse.JSONRows {
		p = append(p, lacks.from(jsonFormat)...)
	}
	p = appendParameter(p, "query", s.prefix)
	p = appendParameter(p, "default_format", string(s.Format))
	p = appendParameter(p, "query_id", s.ID)
	p = appendParameter(p, "log_comment", s.Comment)
	p = appendParameter(p, "database", s.Database)
	p = append(p, "&max_execution_time="...)
	p = appendSeconds(p, s.Limits.Time)
	if s.Limits.Memory > 0 {
		p = append(p, "&max_memory_usage="...)
		p = strconv.AppendInt(p, s.Limits.Memory, 10)
	}
	if s.reads() {
		p = append(p, readOnly...)
	}
	return string(appendParams(p, s.Params)[1:])
}

// readOnly makes a statement one that cannot write, whatever it says, and that ends
// when its connection does. It is 2 and not 1, which an account refuses that is held
// to 2 itself.
const readOnly = "&readonly=2&cancel_http_readonly_queries_on_client_close=1"

// reads reports whether the statement is sent as one that may only read.
func (s *statement) reads() bool {
	return s.way != nil && s.way.readonly() && (s.Passage == nil || s.Passage.ReadOnly || s.Class.Read)
}

// appendParams appends the values of {name:Type} in the SQL.
func appendParams(p []byte, params map[string]string) []byte {
	for name, value := range params {
		p = append(p, "&param_"...)
		p = append(p, url.QueryEscape(name)...)
		p = append(p, '=')
		p = appendEscaped(p, value)
	}
	return p
}

// appendEscaped appends a value as it travels: ClickHouse counts these bytes, so only
// what no query of a URL may have (RFC 3986, 3.4) or what would end the value is
// escaped; the commas of a long array are not.
func appendEscaped(p []byte, value string) []byte {
	for _, b := range []byte(value) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', strings.IndexByte("-._~,:@!$'()*/?", b) >= 0:
			p = append(p, b)
		default:
			const digits = "0123456789ABCDEF"
			p = append(p, '%', digits[b>>4], digits[b&15])
		}
	}
	return p
}

func appendParameter(p []byte, name, value string) []byte {
	if value == "" {
		return p
	}
	p = append(p, '&')
	p = append(p, name...)
	p = append(p, '=')
	return append(p, url.QueryEscape(value)...)
}

// appendSeconds appends d in seconds, rounded up to a millisecond, because 0
// would mean for ever.
func appendSeconds(p []byte, d time.Duration) []byte {
	milliseconds := (d + time.Millisecond - 1) / time.Millisecond
	return strconv.AppendFloat(p, float64(milliseconds)/1000, 'f', -1, 64)
}

// head begins the request that asks ClickHouse to run a statement. accept is for
// Accept-Encoding, "": there is none; agent is the client's, "": we are it.
func (t *target) head(parameters, agent, accept string) []byte {
	b := make([]byte, 0, 512+len(parameters))
	b = append(b, "POST /?"...)
	b = append(b, parameters...)
	b = t.appendHead(b, agent)
	if accept != "" {
		b = append(b, "Accept-Encoding: "...)
		b = append(b, accept...)
		b = append(b, "\r\n"...)
	}
	return b
}

// get returns the request for what ClickHouse tells everybody.
func (t *target) get(path string) []byte {
	return t.appendHead([]byte("GET "+path), "")
}

// appendHead ends the first line of a request and begins its header.
func (t *target) appendHead(b []byte, agent string) []byte {
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, t.host...)
	b = append(b, "\r\nUser-Agent: "...)
	b = append(b, cmp.Or(agent, "porterhouse")...)
	return append(b, "\r\n"...)
}
