package porterhouse

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure an Error is. A door maps each Kind to its own
// protocol in one table; nothing else decides on the text of an error.
type Kind string

// The kinds of failure.
const (
	Invalid         Kind = "invalid"         // the request cannot be understood; change it
	Refused         Kind = "refused"         // understood, and not allowed by Porterhouse
	Denied          Kind = "denied"          // ClickHouse's own grants or policies say no
	Failed          Kind = "failed"          // ClickHouse could not run the statement; change it
	Unauthenticated Kind = "unauthenticated" // nobody was proved
	Limited         Kind = "limited"         // over a limit; less, or later
	Timeout         Kind = "timeout"         // it took longer than allowed
	Canceled        Kind = "canceled"        // the caller went away or changed its mind
	Unavailable     Kind = "unavailable"     // something we need is away; later
	Internal        Kind = "internal"        // our own fault
)

// Error has a public half, which the caller sees, and a private half, which
// only the log sees.
type Error struct {
	Kind   Kind
	Public string // what went wrong, where, and what to do; never a host, a password or a token
	At     int    // 1-based byte position in the caller's SQL; 0: no position
	Err    error  // the private cause; may be nil

	Code       int           // the number that ClickHouse itself has for it, for a door that speaks as ClickHouse does; 0: what fits the Kind
	RetryAfter time.Duration // of Limited: when it can go on; 0: nobody can tell
}

// Error implements error with both halves: it is for logs, not for callers.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Kind, e.Public)
	}
	return fmt.Sprintf("%s: %s: %v", e.Kind, e.Public, e.Err)
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error whose public half is the formatted text.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Public: fmt.Sprintf(format, args...)}
}

// Explain returns the kind and the public half of err. An error that nobody
// gave a public half is Internal, and its text stays private.
func Explain(err error) (Kind, string) {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind, e.Public
	case errors.Is(err, context.Canceled):
		return Canceled, "the request was canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout, "the request took longer than allowed"
	}
	return Internal, "something went wrong inside Porterhouse; the operator finds the cause in the log, under this request's id"
}

// Exception is an error that ClickHouse itself reported.
type Exception struct {
	Code    int    // such as 60
	Name    string // such as UNKNOWN_TABLE; "" when the server named none
	Message string // without hosts, the gateway's name, or the server's version
}

// Error implements error.
func (e *Exception) Error() string {
	return fmt.Sprintf("ClickHouse %d (%s): %s", e.Code, e.Name, e.Message)
}
