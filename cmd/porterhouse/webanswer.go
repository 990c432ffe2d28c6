package main

import (
	"bytes"
	"context"
	stdlog "log"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// answer is a response that remembers its status and size, and does not wait
// forever for a client that takes nothing.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // of one Write or Flush; 0: none
	status  int           // 0: not sent
	bytes   int64
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) { // others only announce
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.status = a.statusOrDefault()
	defer a.deadline()()
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// FlushError is what an http.ResponseController calls.
func (a *answer) FlushError() error {
	a.status = a.statusOrDefault()
	defer a.deadline()()
	return a.control.Flush()
}

// Flush implements http.Flusher. Its error comes back at the next Write.
func (a *answer) Flush() { _ = a.FlushError() }

// Unwrap lets an http.ResponseController reach the rest.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) statusOrDefault() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// deadline bounds what is written until done is called. Between two writes
// there is no deadline, so that a stream may be silent for as long as it likes.
func (a *answer) deadline() (done func()) {
	if a.timeout <= 0 || a.control.SetWriteDeadline(time.Now().Add(a.timeout)) != nil {
		return func() {} // not a connection that has deadlines
	}
	return func() { _ = a.control.SetWriteDeadline(time.Time{}) } // it had one a moment ago
}

// last bounds what net/http still writes when the door has ended, and then resets.
func (a *answer) last() {
	if a.timeout > 0 {
		_ = a.control.SetWriteDeadline(time.Now().Add(a.timeout)) // or it has no deadlines
	}
}

// server makes the http.Server around h. There is no WriteTimeout, which would
// end long answers: outer bounds each of their writes instead. (The ReadTimeout
// ends with the body of a request, so it bounds no answer.)
func (c HTTPConfig) server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: c.HeaderTimeout,
		ReadTimeout:       c.HeaderTimeout + c.BodyTimeout,
		IdleTimeout:       c.IdleTimeout,
		MaxHeaderBytes:    int(c.MaxHeader),
		ErrorLog:          stdlog.New(serverErrors{log}, "", 0),
	}
}

// streaming makes s one for a door through which streams go both ways: nothing bounds a
// body as a whole (patientBody bounds its pauses), and a URL may be long, because
// statements stand there.
func streaming(s *http.Server, maxHeader size) *http.Server {
	s.ReadTimeout, s.MaxHeaderBytes = 0, int(maxHeader)
	return s
}

// serverErrors is where an http.Server tells its own troubles.
type serverErrors struct{ log *slog.Logger }

// Write implements io.Writer for one line of a log.Logger.
func (e serverErrors) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.Contains(line, []byte("TLS handshake error")) { // anybody can cause as many as they like
		level = slog.LevelDebug
	}
	e.log.Log(context.Background(), level, "HTTP server", "error", strings.TrimSpace(string(line)))
	return len(line), nil
}

// outer is the outer layer's part of the configuration.
func (c Config) outer(log *slog.Logger) outerOptions {
	return outerOptions{
		PublicURL:      c.publicURL(),
		Listen:         c.Listen,
		AnyHost:        []string{"/healthz", "/readyz"},
		TrustedProxies: c.TrustedProxies,
		MaxBody:        int64(c.HTTP.MaxBody),
		BodyTimeout:    c.HTTP.BodyTimeout,
		WriteTimeout:   c.HTTP.WriteTimeout,
		Log:            log,
	}
}
