package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// bearing sends a token with each request.
type bearing string

// RoundTrip implements http.RoundTripper.
func (token bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(token))
	return http.DefaultTransport.RoundTrip(r)
}

// ClickHouse never sees the token that a client brought: it is asked as the person,
// with the gateway's own password.
func TestTokensAreNotPassedOn(t *testing.T) {
	var mu sync.Mutex
	var seen strings.Builder
	clickHouse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen.WriteString(r.URL.String() + "\n")
		if err := r.Header.Write(&seen); err != nil {
			t.Error(err)
		}
		if _, err := io.Copy(&seen, r.Body); err != nil {
			t.Error(err)
		}
		http.Error(w, "Code: 1. DB::Exception: nothing here", http.StatusInternalServerError)
	}))
	defer clickHouse.Close()
	url, _ := serveSignIn(t, func(c *Config) {
		with := c.Clusters["main"]
		with.URL = clickHouse.URL
		c.Clusters["main"] = with
	})
	token, _ := signInAs(t, url, "bob", "clickhouse:read", "")["access_token"].(string)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: url + mcpPath, HTTPClient: &http.Client{Transport: bearing(token)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "query", Arguments: map[string]any{"sql": "SELECT 'asked as bob'"}}); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"query=EXECUTE+AS+%27bob%27+", "SELECT 'asked as bob'"} {
		if !strings.Contains(seen.String(), want) {
			t.Fatalf("ClickHouse was not asked %s: %s", want, seen.String())
		}
	}
	for _, part := range append(strings.Split(token, "."), "Bearer") {
		if strings.Contains(seen.String(), part) {
			t.Errorf("ClickHouse has seen %q of the token", part)
		}
	}
}
