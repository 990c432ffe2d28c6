package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"porterhouse"
)

// ClickHouse's numbers for what is refused here.
const (
	codeParse            = 27
	codeBadArguments     = 36
	codeNotImplemented   = 48
	codeUnknownSetting   = 115
	codeTimeout          = 159
	codeTooManyQueries   = 202
	codeNetwork          = 210
	codeLengthRequired   = 381
	codeSessionTimeout   = 374
	codeCancelled        = 394
	codeAccessDenied     = 497
	codeAuthentication   = 516
	codeSessionIDEmpty   = 744
	codeUnknownException = 1002
	codeCannotDecompress = 271
	codeServerOverloaded = 745
)

// names are ClickHouse's names for its numbers: all that an error of ours can have.
var names = map[int]string{
	codeParse: "CANNOT_PARSE_INPUT_ASSERTION_FAILED", codeBadArguments: "BAD_ARGUMENTS", codeNotImplemented: "NOT_IMPLEMENTED",
	codeUnknownSetting: "UNKNOWN_SETTING", codeTimeout: "TIMEOUT_EXCEEDED", codeTooManyQueries: "TOO_MANY_SIMULTANEOUS_QUERIES",
	codeNetwork: "NETWORK_ERROR", codeLengthRequired: "HTTP_LENGTH_REQUIRED", codeSessionTimeout: "INVALID_SESSION_TIMEOUT",
	codeCancelled: "QUERY_WAS_CANCELLED", codeAccessDenied: "ACCESS_DENIED", codeAuthentication: "AUTHENTICATION_FAILED",
	codeSessionIDEmpty: "SESSION_ID_EMPTY", codeUnknownException: "UNKNOWN_EXCEPTION", codeCannotDecompress: "CANNOT_DECOMPRESS",
	codeServerOverloaded: "SERVER_OVERLOADED",
	62:                   "SYNTAX_ERROR", 81: "UNKNOWN_DATABASE", 164: "READONLY", 192: "UNKNOWN_USER", 201: "QUOTA_EXCEEDED",
	372: "SESSION_NOT_FOUND", 373: "SESSION_IS_LOCKED", 396: "TOO_MANY_ROWS_OR_BYTES", 452: "SETTING_CONSTRAINT_VIOLATION",
}

// kinds say what a kind of failure is to a client. ClickHouse's status follows from its
// number; where status is set we know better: a client that is to come back must see
// that it is to.
var kinds = map[porterhouse.Kind]struct{ code, status int }{
	porterhouse.Invalid:         {code: codeBadArguments},
	porterhouse.Refused:         {code: codeAccessDenied},
	porterhouse.Denied:          {code: codeAccessDenied},
	porterhouse.Failed:          {code: codeUnknownException},
	porterhouse.Unauthenticated: {code: codeAuthentication},
	porterhouse.Limited:         {code: codeTooManyQueries, status: http.StatusTooManyRequests},
	porterhouse.Timeout:         {code: codeTimeout},
	porterhouse.Canceled:        {code: codeCancelled},
	porterhouse.Unavailable:     {code: codeNetwork, status: http.StatusServiceUnavailable},
	porterhouse.Internal:        {code: codeUnknownException},
}

// statuses are ClickHouse's, by its numbers; every other one is a 500. But what may not
// be is 403 here and 500 there (ACCESS_DENIED): nobody is to try it again.
var statuses = map[int]int{
	codeParse: 400, codeBadArguments: 400, 62: 400,
	192: 403, codeAccessDenied: 403, codeAuthentication: 403,
	codeUnknownSetting: 404, 81: 404,
	codeTimeout: 408, codeLengthRequired: 411, codeNotImplemented: 501,
}

// problem is an error as a client of ClickHouse sees it.
type problem struct {
	kind       porterhouse.Kind
	code       int    // ClickHouse's
	name       string // of code
	text       string // safe to show
	status     int
	retryAfter time.Duration // 0: nobody can tell
}

// newProblem words err. request is the id by which the log knows it.
func newProblem(err error, request string) problem {
	kind, text := porterhouse.Explain(err)
	p := problem{kind: kind, text: text, code: kinds[kind].code}
	if known, ok := errors.AsType[*porterhouse.Error](err); ok {
		p.code, p.retryAfter = cmp.Or(known.Code, p.code), known.RetryAfter
	}
	p.name = names[p.code]
	if exception, ok := errors.AsType[*porterhouse.Exception](err); ok {
		p.code, p.name, p.text = exception.Code, exception.Name, exception.Message
	}
	if kind == porterhouse.Internal {
		p.text += ": " + request
	}
	p.status = cmp.Or(kinds[kind].status, statuses[p.code], http.StatusInternalServerError)
	return p
}

// String is the body of the answer, in ClickHouse's words.
func (p problem) String() string {
	return fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)\n", p.code, p.text, cmp.Or(p.name, names[codeUnknownException]))
}

// fields are the fields of the answer's head.
func (p problem) fields(challenge string) []porterhouse.Setting {
	fields := []porterhouse.Setting{
		{Name: "Content-Type", Value: plainText},
		{Name: "X-ClickHouse-Exception-Code", Value: strconv.Itoa(p.code)},
	}
	if p.kind == porterhouse.Unauthenticated {
		fields = append(fields, porterhouse.Setting{Name: "WWW-Authenticate", Value: challenge})
	}
	if p.kind == porterhouse.Limited || p.retryAfter > 0 {
		seconds := int(max(time.Second, p.retryAfter+time.Second-1) / time.Second)
		fields = append(fields, porterhouse.Setting{Name: "Retry-After", Value: strconv.Itoa(seconds)})
	}
	return fields
}

// refuse is an error of this door.
func refuse(code int, format string, args ...any) error {
	return &porterhouse.Error{Kind: porterhouse.Invalid, Code: code, Public: fmt.Sprintf(format, args...)}
}
