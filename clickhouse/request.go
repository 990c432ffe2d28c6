package clickhouse

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"porterhouse"
)

// statement is what one call of Query sends.
type statement struct {
	porterhouse.Query
	prefix string               // read before SQL
	as     porterhouse.UserName // whom prefix names
}

// check refuses a query that could not be followed or ended.
func check(q porterhouse.Query) error {
	switch {
	case strings.TrimSpace(q.SQL) == "":
		return porterhouse.Errorf(porterhouse.Invalid, "the statement is empty")
	case q.ID == "":
		return porterhouse.Errorf(porterhouse.Internal, "the question has no id, so it could not be stopped and was not asked")
	case q.Limits.Time <= 0:
		return porterhouse.Errorf(porterhouse.Internal, "the question has no time limit, so it might never end and was not asked")
	}
	return checkParams(q.Params)
}

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
		size := len(url.QueryEscape(value))
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
	everyFormat = "http_write_exception_in_output_format=0"
	// JSON loses nothing: numbers beyond 2^53, NaN, inf and decimals as strings.
	jsonFormat = "&output_format_json_quote_64bit_integers=1" +
		"&output_format_json_quote_denormals=1" +
		"&output_format_json_quote_decimals=1"
)

// parameters returns the query part of the URL. The prefix travels here, and
// ClickHouse puts a line break between it and the body.
func (s *statement) parameters() string {
	p := make([]byte, 0, 512)
	p = append(p, everyFormat...)
	if s.Format == porterhouse.JSONRows {
		p = append(p, jsonFormat...)
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
	for name, value := range s.Params {
		p = append(p, "&param_"...)
		p = append(p, url.QueryEscape(name)...)
		p = append(p, '=')
		p = append(p, url.QueryEscape(value)...)
	}
	return string(p)
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

// head begins the request that asks ClickHouse to run a statement.
func (t *target) head(parameters string) []byte {
	b := make([]byte, 0, 512+len(parameters))
	b = append(b, "POST /?"...)
	b = append(b, parameters...)
	b = t.appendHead(b)
	return append(b, t.login...)
}

// ping returns the request that asks whether the server is there.
func (t *target) ping() []byte {
	return t.appendHead([]byte("GET /ping"))
}

// appendHead ends the first line of a request and begins its header.
func (t *target) appendHead(b []byte) []byte {
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, t.host...)
	return append(b, "\r\nUser-Agent: porterhouse\r\n"...)
}
