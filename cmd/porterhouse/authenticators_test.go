package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/authenticator"
	"porterhouse/ticket"
)

// A ticket of this process opens the authenticator of its cluster, once, for its
// user and query alone.
func TestAuthenticatorTakesTickets(t *testing.T) {
	c := nowhere(t)
	main := c.Clusters["main"]
	main.Authenticator = &AuthenticatorConfig{Listen: "127.0.0.1:0", Path: porterhouse.NewSecret("a-path-that-only-ClickHouse-knows")}
	c.Clusters["main"] = main
	p, err := openProcess(c, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	g, err := build(c, p)
	if err != nil {
		t.Fatal(err)
	}
	alice, err := porterhouse.ParseUserName("alice")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := p.desks["main"].Mint(t.Context(), ticket.Claim{User: alice, QueryID: "q-1", Authenticator: main.Authenticator.name()})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, user, query string
		want              int
	}{
		{"another's", "bob", "q-1", http.StatusUnauthorized},
		{"for another query", "alice", "q-2", http.StatusUnauthorized},
		{"for its own", "alice", "q-1", http.StatusOK},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = main.Authenticator.path().Reveal()
		r.SetBasicAuth(test.user, secret.Reveal())
		r.Header.Set(authenticator.QueryIDHeader, test.query)
		w := httptest.NewRecorder()
		g.authenticators["main"].ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", test.name, w.Code, test.want)
		}
	}
}

// A server that stops lets ClickHouse have the answer that it waits for, as long as it
// serves at all.
func TestStopWaitsForAuthenticators(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	kept := &authenticator.Kept{HeaderTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeader: 1 << 10}
	kept.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-goOn
		}
		if r.Context().Err() != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	s := &server{kept: []*authenticator.Kept{kept}}
	s.streams, s.endStreams = context.WithCancel(t.Context())
	door := httptest.NewUnstartedServer(kept)
	door.Config.BaseContext = func(net.Listener) context.Context { return s.streams }
	door.Start()
	defer door.Close()
	says := func(c net.Conn, path string) {
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Error(err)
		}
	}
	hears := func(c net.Conn) {
		t.Helper()
		if response, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%+v, %v", response, err)
		}
	}
	var lines [2]net.Conn
	for i := range lines {
		c, err := net.Dial("tcp", door.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		says(c, "/")
		hears(c)
		lines[i] = c
	}
	idle, slow := lines[0], lines[1]
	says(slow, "/slow")
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	_, _ = io.Copy(io.Discard, idle) // it ends
	close(goOn)
	hears(slow)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
