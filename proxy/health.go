package proxy

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// health is what ClickHouse answers whoever asks how it is. It is asked at most once in
// freshFor, by one for all who wait: nobody proves who they are for this.
type health struct {
	ask func(context.Context) (status int, text string, err error) // nil: it is well

	mu     sync.Mutex
	until  time.Time // when it is asked again
	status int       // what was answered; 0: nothing
}

const freshFor = time.Second

// pingOf is Config.Ping as health asks it.
func pingOf(c Config) func(context.Context) (int, string, error) {
	if c.Ping == nil {
		return nil
	}
	return func(ctx context.Context) (int, string, error) { return http.StatusOK, okText, c.Ping(ctx) }
}

// look returns the status that ClickHouse answers; 0: it does not.
func (h *health) look(ctx context.Context, now func() time.Time) (status int, err error) {
	if h.ask == nil {
		return http.StatusOK, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if now().Before(h.until) {
		return h.status, nil
	}
	// For all who wait: the one who happens to ask may leave.
	if status, _, err = h.ask(context.WithoutCancel(ctx)); err != nil {
		status = 0
	}
	h.status, h.until = status, now().Add(freshFor)
	return status, err
}

// serveHealth answers whether ClickHouse is there, and no more: which tables have fallen
// behind is not for everybody.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request, h *health) {
	status, err := h.look(r.Context(), s.config.Now)
	switch {
	case status == http.StatusOK:
		writeText(w, status, htmlText, okText)
		return
	case err != nil:
		s.config.Log.WarnContext(r.Context(), "ClickHouse does not answer", "request", requestID(r), "cause", err)
	}
	text := "ClickHouse does not answer.\n"
	if status != 0 {
		text = "ClickHouse's replicas have fallen behind.\n"
	}
	writeText(w, http.StatusServiceUnavailable, plainText, text)
}
