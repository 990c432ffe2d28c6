package authserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"porterhouse"
)

// problem is a refusal in the words of RFC 6749, 5.2 and its relatives.
type problem struct {
	code   string // such as invalid_grant
	text   string // error_description: what went wrong and what to do; safe to show
	status int    // 0: that of the code
	err    error  // the private cause; may be nil
}

// Error implements error with both halves, for the log.
func (p *problem) Error() string {
	if p.err == nil {
		return p.code + ": " + p.text
	}
	return fmt.Sprintf("%s: %s: %v", p.code, p.text, p.err)
}

// Unwrap returns the private cause.
func (p *problem) Unwrap() error { return p.err }

// refuse makes a problem; the format is of the text that the client sees.
func refuse(code, format string, args ...any) *problem {
	return &problem{code: code, text: fmt.Sprintf(format, args...)}
}

// because adds the private cause.
func (p *problem) because(err error) *problem {
	p.err = err
	return p
}

// as sets the HTTP status.
func (p *problem) as(status int) *problem {
	p.status = status
	return p
}

// statuses are the HTTP statuses of codes; of all others it is 400 (RFC 6749, 5.2).
var statuses = map[string]int{
	"invalid_client":          http.StatusUnauthorized,
	"temporarily_unavailable": http.StatusServiceUnavailable,
	"server_error":            http.StatusInternalServerError,
}

func (p *problem) httpStatus() int {
	if p.status != 0 {
		return p.status
	}
	if status, ok := statuses[p.code]; ok {
		return status
	}
	return http.StatusBadRequest
}

// pageStatus is the status of a page about it: 401 is for programs, which can answer
// it by proving who they are (RFC 9110, 15.5.2).
func (p *problem) pageStatus() int {
	if status := p.httpStatus(); status != http.StatusUnauthorized {
		return status
	}
	return http.StatusBadRequest
}

// codeOf is what clients are told of an error that is no problem: whether to try
// again, above all. What the sign-in itself says is for its grant to translate, so
// that nobody's outage is mistaken for a no.
var codeOf = map[porterhouse.Kind]string{
	porterhouse.Invalid:         "invalid_request",
	porterhouse.Refused:         "access_denied",
	porterhouse.Unauthenticated: "access_denied",
	porterhouse.Limited:         "temporarily_unavailable",
	porterhouse.Timeout:         "temporarily_unavailable",
	porterhouse.Canceled:        "temporarily_unavailable",
	porterhouse.Unavailable:     "temporarily_unavailable",
}

// problemOf is the problem that err is.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	kind, public := porterhouse.Explain(err)
	code, ok := codeOf[kind]
	if !ok {
		code = "server_error"
	}
	return &problem{code: code, text: public, err: err}
}

// deny answers a client with an error, and logs it.
func deny(s *Server, w http.ResponseWriter, r *http.Request, err error, about ...slog.Attr) {
	p := problemOf(err)
	s.stats.refused.Add(1)
	level := slog.LevelInfo
	if p.httpStatus() >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	about = append(about, slog.String("request", requestID(r)), slog.String("path", r.URL.Path), slog.String("remote", r.RemoteAddr), slog.Any("error", err))
	s.Log.LogAttrs(context.WithoutCancel(r.Context()), level, "request refused", about...)

	switch p.httpStatus() {
	case http.StatusUnauthorized: // RFC 6749, 5.2: in the scheme that the client used
		w.Header().Set("WWW-Authenticate", `Basic realm="porterhouse"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "5")
	}
	writeJSON(w, p.httpStatus(), struct {
		Code string `json:"error"`
		Text string `json:"error_description"`
	}{p.code, described(p.text)})
}

// described is text in the characters that an error_description may have (RFC 6749,
// 5.2): printable ASCII but for quote and backslash.
func described(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\\' || r < ' ' || r > '~':
			return '?'
		}
		return r
	}, text)
}

// writeJSON answers with JSON that nobody keeps (RFC 6749, 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has gone away, then
}
