package main

import (
	"log/slog"
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
