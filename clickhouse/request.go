package clickhouse

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
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

// request returns the request that asks ClickHouse to run sql. sent becomes true
// when the first byte of sql is about to leave; before that nothing can have run.
func (t *target) request(ctx context.Context, parameters, sql string, sent *atomic.Bool) *http.Request {
	request := &http.Request{
		Method:        http.MethodPost,
		URL:           t.url("/", parameters),
		Header:        t.header,
		Body:          newText(sql, sent),
		GetBody:       func() (io.ReadCloser, error) { return newText(sql, sent), nil },
		ContentLength: int64(len(sql)),
	}
	return request.WithContext(ctx)
}

// text is the body of a request, which notices when it is read.
type text struct {
	strings.Reader
	sent *atomic.Bool
}

func newText(sql string, sent *atomic.Bool) *text {
	t := &text{sent: sent}
	t.Reset(sql)
	return t
}

// Read implements io.Reader.
func (t *text) Read(p []byte) (int, error) {
	t.sent.Store(true)
	return t.Reader.Read(p)
}

// WriteTo implements io.WriterTo.
func (t *text) WriteTo(w io.Writer) (int64, error) {
	t.sent.Store(true)
	return t.Reader.WriteTo(w)
}

// Close implements io.Closer.
func (*text) Close() error { return nil }
