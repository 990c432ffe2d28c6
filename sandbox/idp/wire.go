package idp

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Wire is the HTTP server of a stand-in. Its methods may be called at any time.
type Wire struct {
	URL string // http://127.0.0.1:port

	mu     sync.Mutex
	paths  map[string]http.HandlerFunc // by "path" or "prefix/"
	asked  map[string]int
	broken http.HandlerFunc // nil: works
	held   chan struct{}    // open: requests wait until it is closed; nil: none do
}

func startWire(t testing.TB) *Wire {
	w := &Wire{paths: map[string]http.HandlerFunc{}, asked: map[string]int{}}
	server := httptest.NewServer(w)
	t.Cleanup(func() {
		w.Release()
		server.CloseClientConnections()
		server.Close()
	})
	w.URL = server.URL
	return w
}

// Answer gives the endpoint at path a handler, instead of any it had. A path that
// ends with "/" is a prefix.
func (w *Wire) Answer(path string, handler http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paths[path] = handler
}

// AnswerJSON gives the endpoint at path an answer that is always the same.
func (w *Wire) AnswerJSON(path string, status int, body any) {
	w.Answer(path, func(out http.ResponseWriter, _ *http.Request) { reply(out, status, body) })
}

// Down makes every request fail without an answer, until Up.
func (w *Wire) Down() {
	w.Break(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// Break lets handler answer every request, until Up.
func (w *Wire) Break(handler http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = handler
}

// Up ends what Down or Break began.
func (w *Wire) Up() { w.Break(nil) }

// Hold lets every request wait until Release, or until its caller goes away.
func (w *Wire) Hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == nil {
		w.held = make(chan struct{})
	}
}

// Release ends Hold.
func (w *Wire) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != nil {
		close(w.held)
		w.held = nil
	}
}

// Asked is how many requests came for path, also those that wait or failed; "" counts all.
func (w *Wire) Asked(path string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if path != "" {
		return w.asked[path]
	}
	for _, count := range w.asked {
		n += count
	}
	return n
}

// ServeHTTP implements http.Handler.
func (w *Wire) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	handler, held := w.take(r.URL.Path)
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	handler(out, r)
}

// take counts a request and says what is to be done with it.
func (w *Wire) take(path string) (handler http.HandlerFunc, held chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[path]++
	if w.broken != nil {
		return w.broken, w.held
	}
	if handler, ok := w.paths[path]; ok {
		return handler, w.held
	}
	for prefix, handler := range w.paths {
		if strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix) {
			return handler, w.held
		}
	}
	return http.NotFound, w.held
}

// reply answers with a JSON document.
func reply(out http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/json; charset=utf-8")
	out.Header().Set("Cache-Control", "no-store")
	out.WriteHeader(status)
	_, _ = out.Write(text) // the caller may be gone
}

// bearer is the token in a request's Authorization header; "" when there is none.
func bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return token
}
