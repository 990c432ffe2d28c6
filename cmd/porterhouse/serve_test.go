package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// nowhere is a configuration in front of no ClickHouse at all.
func nowhere(t *testing.T) Config {
	dir := t.TempDir()
	c := defaultConfig()
	c.Listen = "127.0.0.1:0"
	c.Clusters = map[string]ClusterConfig{"main": {URL: "http://127.0.0.1:1", User: "porterhouse", Password: porterhouse.NewSecret("x")}}
	c.Tokens.File = filepath.Join(dir, "tokens.json")
	c.Users.LocalUsers.Allow = []string{"alice", "bob"}
	c.Audit.File, c.Audit.Key = filepath.Join(dir, "audit.jsonl"), porterhouse.NewSecret(strings.Repeat("k", 32))
	return c
}

// serveFor runs the server of a configuration for one test, and returns its URL and that of its metrics listener.
func serveFor(t *testing.T, change func(*Config)) (url, metrics string) {
	t.Helper()
	c := nowhere(t)
	if change != nil {
		change(&c)
	}
	p, err := openProcess(c, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s, err := listen(c, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return "http://" + s.address(), "http://" + s.listeners[len(s.listeners)-1].Addr().String()
}

// A server that cannot have its address says so, and lets go of everything.
func TestAddressInUse(t *testing.T) {
	url, _ := serveFor(t, nil)
	c := nowhere(t)
	c.Listen = strings.TrimPrefix(url, "http://")
	p, err := openProcess(c, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(c, p); err == nil || !strings.Contains(err.Error(), "cannot listen on "+c.Listen) {
		t.Errorf("a taken address: %v", err)
	}
	if err := p.close(t.Context()); err != nil {
		t.Error(err)
	}
}

// fetch answers a GET with these headers.
func fetch(t *testing.T, url string, headers ...string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

// What the server answers beside its door.
func TestRoutes(t *testing.T) {
	url, _ := serveFor(t, nil)
	if status, body, _ := fetch(t, url+"/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %s", status, body)
	}
	if status, body, _ := fetch(t, url+"/readyz"); status != 503 || body != "cluster main: does not answer\n" {
		t.Errorf("/readyz without ClickHouse: %d %s", status, body)
	}
	for _, path := range []string{metadataPath, metadataPath + mcpPath} {
		status, body, header := fetch(t, url+path, "Origin", "https://inspector.example.com")
		if status != 200 || !strings.Contains(body, `"resource":"`+url+`/mcp"`) || header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	status, _, header := fetch(t, url+"/mcp")
	if challenge := header.Get("WWW-Authenticate"); status != 401 || !strings.Contains(challenge, `resource_metadata="`+url+metadataPath+mcpPath+`"`) {
		t.Errorf("/mcp without a token: %d %s", status, challenge)
	}
	if status, _, _ := fetch(t, url+"/elsewhere"); status != 404 {
		t.Errorf("/elsewhere: %d", status)
	}
}

// What a client may know before it has a token: who gives tokens out, and which
// scopes to ask for.
func TestResourceMetadata(t *testing.T) {
	url, _ := serveFor(t, func(c *Config) {
		c.TokenProcessors = map[string]ProcessorConfig{
			"corp":   {Type: "OpenID", ConfigurationEndpoint: "https://idp.example.com/.well-known/openid-configuration", RequiredScopes: texts{"clickhouse"}},
			"github": {Type: "github", ClientIDs: texts{"x"}, ClientSecret: porterhouse.NewSecret("x")},
		}
	})
	for _, path := range []string{metadataPath, metadataPath + mcpPath} {
		status, body, _ := fetch(t, url+path)
		want := `{"resource":"` + url + `/mcp","authorization_servers":["https://idp.example.com"],"bearer_methods_supported":["header"],` +
			`"scopes_supported":["clickhouse"],"resource_name":"Porterhouse: ClickHouse as yourself"}`
		if status != 200 || body != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for method, want := range map[string]int{http.MethodOptions: 204, http.MethodPost: 405, http.MethodHead: 200} {
			request, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Origin", "https://inspector.example.com")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != want || response.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s %s: %d, %v", method, path, response.StatusCode, response.Header)
			}
			if allowed := response.Header.Get("Access-Control-Allow-Headers"); method == http.MethodOptions && allowed != "MCP-Protocol-Version" {
				t.Errorf("a browser may send %q", allowed)
			}
		}
	}
	if _, _, header := fetch(t, url+"/mcp"); !strings.Contains(header.Get("WWW-Authenticate"), `scope="clickhouse"`) {
		t.Errorf("the challenge is %q", header.Get("WWW-Authenticate"))
	}
}

// /metrics is for whoever operates this machine, or for its own listener.
func TestMetricsAreNotPublic(t *testing.T) {
	open, _ := serveFor(t, nil)
	if status, body, _ := fetch(t, open+"/metrics"); status != 200 || !strings.Contains(body, "\nporterhouse_audit_questions_total ") {
		t.Errorf("from this machine: %d\n%.500s", status, body)
	}
	if status, _, _ := fetch(t, open+"/metrics", "X-Forwarded-For", "192.0.2.1"); status != 404 {
		t.Errorf("through a proxy: %d", status)
	}
	// A proxy that tells nobody whom it speaks for looks like this machine.
	proxied, _ := serveFor(t, func(c *Config) { c.BehindTLSProxy, c.PublicURL = true, "https://127.0.0.1" })
	if status, _, _ := fetch(t, proxied+"/metrics"); status != 404 {
		t.Errorf("behind a proxy: %d", status)
	}
	apart, own := serveFor(t, func(c *Config) { c.Metrics.Listen = "127.0.0.1:0" })
	fetch(t, apart+"/mcp")
	if status, _, _ := fetch(t, apart+"/metrics"); status != 404 {
		t.Errorf("beside a listener of its own: %d", status)
	}
	status, body, _ := fetch(t, own+"/metrics")
	for _, want := range []string{`porterhouse_http_requests_total{code="401",door="mcp",method="get"} 1`, "porterhouse_mcp_denied_total 1", "porterhouse_audit_unauthenticated_total 1"} {
		if status != 200 || !strings.Contains(body, want+"\n") {
			t.Errorf("on its own listener: %d, no %s", status, want)
		}
	}
}

// A process beside the server never writes into the server's record.
func TestOwnRecord(t *testing.T) {
	if got := ownRecord("/var/log/audit.jsonl", "stdio-12"); got != "/var/log/audit-stdio-12.jsonl" {
		t.Error(got)
	}
}

// A server at which people would sign in at the demo's provider ends, and says so; one
// whose provider is away waits for it.
func TestServeLooksAtItsProviders(t *testing.T) {
	provider, err := openDemoProvider()
	if err != nil {
		t.Fatal(err)
	}
	c := nowhere(t)
	provider.configure(&c)
	c.SignIn.MasterKey = porterhouse.NewSecret(strings.Repeat("m", 32))
	start := func() (*server, *strings.Builder) {
		var log strings.Builder
		p, err := openProcess(c, slog.New(slog.NewTextHandler(&log, nil)), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		s, err := listen(c, p)
		if err != nil {
			t.Fatal(err)
		}
		return s, &log
	}
	s, log := start()
	if err := provider.join(s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.run(ctx); ctx.Err() != nil || err == nil || !strings.Contains(err.Error(), "signin.providers: demo: ") || !strings.Contains(log.String(), "level=ERROR msg=\"an identity provider is a demonstration") {
		t.Errorf("with the demo's provider it ended with %v, and said %s", err, log)
	}
	s, log = start() // the provider went with the other server
	if err := s.lookAtSignIn(ctx); err != nil || !strings.Contains(log.String(), "level=WARN msg=\"an identity provider does not answer") {
		t.Errorf("a provider that is away: %v, %s", err, log)
	}
	if err := errors.Join(s.stop(), s.process.close(ctx)); err != nil {
		t.Error(err)
	}
}
