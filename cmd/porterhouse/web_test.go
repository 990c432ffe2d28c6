package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// site is a door behind the outer layer, in a real server.
type site struct {
	url    string
	host   string
	log    *syncBuffer
	server *http.Server
}

// serveSite serves door by HTTP/1.1, or by HTTP/2 over TLS.
func serveSite(t testing.TB, door http.HandlerFunc, change func(*Config)) *site {
	t.Helper()
	return serveAs(t, change, func(c Config, log *slog.Logger) *http.Server { return c.HTTP.server(outer(door, c.outer(log)), log) })
}

// serveAs serves by the server that by makes of a configuration.
func serveAs(t testing.TB, change func(*Config), by func(Config, *slog.Logger) *http.Server) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{host: listener.Addr().String(), log: &syncBuffer{}}
	c := defaultConfig()
	c.Listen = s.host
	if change != nil {
		change(&c)
	}
	s.url = c.publicURL()
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.server = by(c, log)
	serve := s.server.Serve
	if c.TLS != nil {
		if s.server.TLSConfig, err = serverTLS(*c.TLS, log); err != nil {
			t.Fatal(err)
		}
		serve = func(l net.Listener) error { return s.server.ServeTLS(l, "", "") }
	}
	done := make(chan error)
	go func() { done <- serve(listener) }()
	t.Cleanup(func() { _ = s.server.Close(); <-done })
	return s
}

// overHTTP2 makes a site speak TLS, and with its client HTTP/2.
func overHTTP2(t testing.TB) func(*Config) {
	files := certificateFiles(t, 1)
	return func(c *Config) { c.TLS = &files }
}

// client is one that neither pools connections nor asks for compression.
func client(t testing.TB) *http.Client {
	transport := &http.Transport{DisableCompression: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(t testing.TB, url string, change func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	response, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lines ends the server, so that nothing is logged any more, and returns the
// lines of the log with that message.
func (s *site) lines(t testing.TB, message string) []map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	var found []map[string]any
	for line := range strings.Lines(s.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

func TestRequestID(t *testing.T) {
	seen := ""
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		seen = strings.Join(r.Header.Values("X-Request-Id"), ",")
	}, nil)
	response := get(t, s.url, func(r *http.Request) {
		r.Header["X-Request-Id"] = []string{"theirs", "and another"}
		r.Header["x-request-id"] = []string{"in another case"}
	})
	id := response.Header.Get("X-Request-Id")
	if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 {
		t.Errorf("the id %q is no UUIDv7: %v", id, err)
	}
	if seen != id {
		t.Errorf("the door has the id %q, the answer %q", seen, id)
	}
	if lines := s.lines(t, "request"); len(lines) != 1 || lines[0]["request"] != id {
		t.Errorf("logged %v, want the id %s", lines, id)
	}
}

func TestAccessLog(t *testing.T) {
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints) // announces, and is not the status
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "short and stout")
	}, nil)
	long := "/mcp/" + strings.Repeat("x", 1000)
	get(t, s.url+"/mcp?token=secret-in-the-query", nil)
	get(t, s.url+long, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer secret-in-the-header")
		r.Header.Set("Cookie", "secret-in-the-cookie")
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
	})
	lines := s.lines(t, "request")
	if len(lines) != 2 || lines[0]["path"] != "/mcp" {
		t.Fatalf("logged %d lines, want two:\n%s", len(lines), s.log)
	}
	line := lines[1]
	path, _ := line["path"].(string)
	remote, _ := line["remote"].(string)
	if line["method"] != "GET" || line["status"] != float64(418) || line["bytes"] != float64(15) || line["broken"] != false ||
		!strings.HasPrefix(long, strings.TrimSuffix(path, "…")) || len(path) > maxLogged+3 || !strings.HasPrefix(remote, "127.0.0.1:") {
		t.Errorf("logged %v", line)
	}
	if duration, ok := line["duration"].(float64); !ok || duration <= 0 {
		t.Errorf("the duration is %v", line["duration"])
	}
	if strings.Contains(s.log.String(), "secret-in-the") {
		t.Errorf("a secret was logged:\n%s", s.log)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Cache-Control", "max-age=60") }, nil)
	headers := get(t, s.url, nil).Header
	for name, want := range map[string]string{
		"X-Content-Type-Options":  "nosniff",
		"Referrer-Policy":         "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		"X-Accel-Buffering":       "no",
		"Cache-Control":           "max-age=60", // the door's word counts
	} {
		if got := headers.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := get(t, s.url, func(r *http.Request) { r.Host = "evil.example" }).Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("of our own answers Cache-Control is %q", got)
	}
}

func TestAPanicBecomesAnAnswer(t *testing.T) {
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		panic("the secret of the door")
	}, nil)
	response := get(t, s.url, nil)
	text, id := body(t, response), response.Header.Get("X-Request-Id")
	if response.StatusCode != 500 || !strings.Contains(text, id) || strings.Contains(text, "secret") {
		t.Errorf("answered %d %q", response.StatusCode, text)
	}
	if response := get(t, s.url, nil); response.StatusCode != 500 {
		t.Errorf("the second time: %d", response.StatusCode)
	}
	lines := s.lines(t, "a door panicked")
	if len(lines) != 2 || lines[0]["request"] != id || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "TestAPanicBecomesAnAnswer") {
		t.Errorf("logged %v", lines)
	}
	if lines := s.lines(t, "request"); len(lines) != 2 || lines[0]["status"] != float64(500) {
		t.Errorf("logged %v", lines)
	}
}

// Half an answer must not look like a whole one.
func TestAPanicAmidAnAnswerBreaksIt(t *testing.T) {
	for name, thrown := range map[string]any{"a panic": "oops", "an abort": http.ErrAbortHandler} {
		for protocol, change := range map[string]func(*Config){"HTTP/1.1": nil, "HTTP/2.0": overHTTP2(t)} {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
					fmt.Fprint(w, "half")
					w.(http.Flusher).Flush()
					panic(thrown)
				}, change)
				response := get(t, s.url, nil)
				text, err := io.ReadAll(response.Body)
				if response.Proto != protocol || string(text) != "half" || err == nil {
					t.Errorf("over %s: %q, %v; want half of an answer and an error", response.Proto, text, err)
				}
				if lines := s.lines(t, "request"); len(lines) != 1 || lines[0]["broken"] != true || lines[0]["status"] != float64(200) {
					t.Errorf("logged %v", lines)
				}
				if panics := s.lines(t, "a door panicked"); (len(panics) == 1) != (name == "a panic") {
					t.Errorf("logged panics %v", panics)
				}
			})
		}
	}
}

// Only by our own names are we asked: a page of somebody else whose name was
// made to point at us asks by its own.
func TestHostCheck(t *testing.T) {
	const public = "https://ch.example.com:8443"
	loopback, everywhere := "127.0.0.1:8080", "0.0.0.0:8080"
	for _, test := range []struct {
		listen, public, host string
		want                 bool
	}{
		{loopback, public, "ch.example.com", true},
		{loopback, public, "ch.example.com:8443", true},
		{loopback, public, "CH.Example.com:443", true},
		{loopback, public, "127.0.0.1:8080", true},
		{loopback, public, "localhost:8080", true},
		{loopback, public, "LOCALHOST", true},
		{loopback, public, "[::1]:8080", true},
		{loopback, public, "[::1]", true},
		{loopback, "http://127.0.0.1:8080", "127.0.0.1:9", true}, // a forwarded port
		{"127.0.0.2:8080", "http://127.0.0.2:8080", "127.0.0.2:8080", true},
		{everywhere, public, "ch.example.com", true},
		{everywhere, public, "localhost:8080", false},
		{everywhere, public, "127.0.0.1:8080", false},
		{everywhere, public, "0.0.0.0:8080", false},
		{everywhere, public, "10.0.0.1:8080", false},
		{"10.0.0.1:80", public, "10.0.0.1", false},
		{loopback, public, "evil.example", false},
		{loopback, public, "evil.example:8080", false},
		{loopback, public, "ch.example.com.evil.example", false},
		{loopback, public, "evil-ch.example.com", false},
		{loopback, public, "localhost.evil.example:8080", false},
		{loopback, public, "localhost.", false},
		{loopback, public, "127.0.0.1.evil.example", false},
		{loopback, public, "127.0.0.2", false},
		{loopback, public, "2130706433", false}, // 127.0.0.1 as one number
		{loopback, public, "127.1", false},
		{loopback, public, "ch.example.com@evil.example", false},
		{loopback, public, "evil.example#ch.example.com", false},
		{loopback, public, "", false},
		{loopback, "", "", false},
		{loopback, public, ":8080", false},
	} {
		h := newHosts(outerOptions{Listen: test.listen, PublicURL: test.public, AnyHost: []string{"/healthz"}})
		r := httptest.NewRequest("GET", "/mcp", nil)
		r.Host = test.host
		if got := h.allow(r); got != test.want {
			t.Errorf("listening on %s as %s, asked for by %q: %v", test.listen, test.public, test.host, got)
		}
		r.URL.Path = "/healthz"
		if !h.allow(r) {
			t.Errorf("a health check by %q is refused", test.host)
		}
	}
}

func TestAnotherHostIsMisdirected(t *testing.T) {
	asked := 0
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) { asked++ }, nil)
	for host, want := range map[string]int{"evil.example": 421, s.host: 200, strings.Replace(s.host, "127.0.0.1", "localhost", 1): 200} {
		response := get(t, s.url+"/mcp", func(r *http.Request) { r.Host = host })
		if text := body(t, response); response.StatusCode != want || want == 421 && !strings.Contains(text, s.url) {
			t.Errorf("asked for by %s: %d %q", host, response.StatusCode, text)
		}
	}
	if asked != 2 {
		t.Errorf("the door was asked %d times, want twice", asked)
	}
}

func TestCaller(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("2001:db8::/32")}
	for _, test := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"nobody in between", "203.0.113.1:5000", nil, "203.0.113.1:5000"},
		{"a proxy that says nothing", "10.0.0.1:5000", nil, "10.0.0.1:5000"},
		{"a proxy", "10.0.0.1:5000", []string{"203.0.113.1"}, "203.0.113.1:0"},
		{"a client that claims to be another", "203.0.113.1:5000", []string{"198.51.100.1"}, "203.0.113.1:5000"},
		{"a client that claims to be another, behind a proxy", "10.0.0.1:5000", []string{"198.51.100.1, 203.0.113.1"}, "203.0.113.1:0"},
		{"a client that claims to be a proxy", "10.0.0.1:5000", []string{"198.51.100.1, 10.9.9.9, 203.0.113.1"}, "203.0.113.1:0"},
		{"two proxies", "10.0.0.1:5000", []string{"203.0.113.1, 10.0.0.2"}, "203.0.113.1:0"},
		{"two proxies, two lines", "10.0.0.1:5000", []string{"198.51.100.1", "203.0.113.1, 10.0.0.2"}, "203.0.113.1:0"},
		{"two proxies, three lines", "10.0.0.1:5000", []string{"198.51.100.1", "203.0.113.1", "10.0.0.2"}, "203.0.113.1:0"},
		{"a call from a proxy itself", "10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3:0"},
		{"a port", "10.0.0.1:5000", []string{"203.0.113.1:1234"}, "203.0.113.1:0"},
		{"IPv6", "[2001:db8::1]:5000", []string{"2001:500::1"}, "[2001:500::1]:0"},
		{"IPv6 in brackets", "10.0.0.1:5000", []string{"[2001:500::1]"}, "[2001:500::1]:0"},
		{"IPv6 with a port", "10.0.0.1:5000", []string{"[2001:500::1]:1234"}, "[2001:500::1]:0"},
		{"IPv4 in IPv6, a proxy", "[::ffff:10.0.0.1]:5000", []string{"::ffff:203.0.113.1"}, "203.0.113.1:0"},
		{"a zone does not make a proxy", "10.0.0.1:5000", []string{"203.0.113.1, fe80::1%eth0"}, "[fe80::1]:0"},
		{"unknown", "10.0.0.1:5000", []string{"203.0.113.1, unknown"}, "10.0.0.1:5000"},
		{"unknown before a proxy", "10.0.0.1:5000", []string{"203.0.113.1, unknown, 10.0.0.2"}, "10.0.0.2:0"},
		{"rubbish", "10.0.0.1:5000", []string{"203.0.113.1\", <script>"}, "10.0.0.1:5000"},
		{"nothing between commas", "10.0.0.1:5000", []string{"203.0.113.1,,"}, "10.0.0.1:5000"},
		{"an empty line", "10.0.0.1:5000", []string{""}, "10.0.0.1:5000"},
		{"a socket without an address", "@", []string{"203.0.113.1"}, "@"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.peer
		for _, line := range test.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		if got := caller(r, trusted); got != test.want {
			t.Errorf("%s: called by %s, want %s", test.name, got, test.want)
		}
		if got := caller(r, nil); got != test.peer {
			t.Errorf("%s: with no trusted proxy called by %s, want %s", test.name, got, test.peer)
		}
	}
}

func TestDoorsSeeTheCaller(t *testing.T) {
	seen := ""
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) { seen = r.RemoteAddr }, func(c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	get(t, s.url, func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.1") })
	if lines := s.lines(t, "request"); seen != "203.0.113.1:0" || len(lines) != 1 || lines[0]["remote"] != seen {
		t.Errorf("the door sees %s, logged %v", seen, lines)
	}
}
