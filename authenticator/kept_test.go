package authenticator

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// kept is h as the doors of a server have it.
func kept(h http.Handler) *Kept {
	return &Kept{Handler: h, HeaderTimeout: 20 * time.Second, IdleTimeout: time.Minute, MaxHeader: 32 << 10}
}

// line is a connection to a door, as ClickHouse has one.
type line struct {
	net.Conn
	in *bufio.Reader
}

// gateway is a door in a server, which counts the connections that were taken out of it.
type gateway struct {
	*hall
	*httptest.Server
	taken atomic.Int64
}

func newGateway(t testing.TB, k *Kept) *gateway {
	t.Helper()
	g := &gateway{hall: newHall(t)}
	if k.Handler == nil {
		k.Handler = g.hall
	}
	g.Server = httptest.NewUnstartedServer(k)
	g.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateHijacked {
			g.taken.Add(1)
		}
	}
	return g
}

func (g *gateway) call(t testing.TB) *line {
	t.Helper()
	conn, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &line{conn, bufio.NewReader(conn)}
}

// knocks is a request with a secret, and further fields.
func knocks(user, secret string, fields ...string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, secret)
	text := "GET " + testPath + " HTTP/1.1\r\nHost: h\r\nAuthorization: " + r.Header.Get("Authorization") + "\r\n"
	for _, field := range fields {
		text += field + "\r\n"
	}
	return text + "\r\n"
}

func (l *line) say(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(l, text); err != nil {
		t.Fatal(err)
	}
}

// hears reads an answer, and wants this status.
func (l *line) hears(t testing.TB, status int) *http.Response {
	t.Helper()
	r, err := http.ReadResponse(l.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status || status == http.StatusOK && string(body) != "{}" {
		t.Fatalf("%d %q, %v; want %d", r.StatusCode, body, err, status)
	}
	return r
}

// ends wants nothing more to come, and the connection to be closed.
func (l *line) ends(t testing.TB) {
	t.Helper()
	if rest, err := io.ReadAll(l.in); len(rest) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("still there: %.80q, %v", rest, err)
	}
}

// Over one connection everybody is decided about for themselves, whoever came before; who
// is refused is the last there, and what was sent behind is not looked at.
func TestKept(t *testing.T) {
	g := newGateway(t, kept(nil))
	g.Start()
	defer g.Close()
	l := g.call(t)
	l.say(t, knocks("alice", "wrong"))
	if l.hears(t, 401); g.taken.Load() != 0 {
		t.Error("kept before anybody was let in")
	}
	refused := 0
	for _, step := range []struct {
		user, secret, query string
		want                int
	}{
		{"alice", tokenOf + "alice", "", 200},
		{"bob", g.mint(t, "bob", "q1"), "q1", 200},
		{"bob", g.mint(t, "bob", "q1"), "q2", 401},
		{"bob", tokenOf + "alice", "", 401},
		{"alice", "wrong", "", 401},
		{"bob", "", "", 401},
		{"bob", tokenOf + "bob", "", 200},
	} {
		l.say(t, knocks(step.user, step.secret, QueryIDHeader+": "+step.query))
		r := l.hears(t, step.want)
		if _, err := http.ParseTime(r.Header.Get("Date")); err != nil || r.Header.Get("Cache-Control") != "no-store" || r.Close != (step.want != 200) || r.ContentLength < 0 {
			t.Errorf("%s: %v %+v", step.secret, err, r)
		}
		if r.Close {
			l.ends(t)
			l = g.call(t)
			l.say(t, knocks("alice", tokenOf+"alice"))
			l.hears(t, 200)
			refused++
		}
	}
	before := g.Authenticator.Stats()
	l.say(t, knocks("alice", tokenOf+"alice")+knocks("alice", tokenOf+"bob")+knocks("alice", tokenOf+"alice")) // at once
	l.hears(t, 200)
	l.hears(t, 401)
	l.ends(t)
	if after := g.Authenticator.Stats(); after.Tokens != before.Tokens+1 || after.Refused != before.Refused+1 {
		t.Errorf("before %+v, and after %+v", before, after)
	}
	if n := g.taken.Load(); n != int64(refused+1) {
		t.Errorf("%d connections were kept, and %d ended with a refusal", n, refused)
	}
}

// What a request says of itself, and of its connection, is as net/http has it.
func TestKeptRequests(t *testing.T) {
	heard := make(chan string, 3)
	g := newGateway(t, kept(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- fmt.Sprint(r.Method, r.URL, r.Host, r.RemoteAddr, r.TLS != nil, r.Header, r.Proto, r.Context().Value(http.LocalAddrContextKey))
		_, _ = io.WriteString(w, "{}")
	})))
	g.StartTLS()
	defer g.Close()
	plain := g.call(t)
	secure := tls.Client(plain, &tls.Config{InsecureSkipVerify: true})
	l := &line{secure, bufio.NewReader(secure)}
	for range 3 {
		l.say(t, knocks("alice", "a", "X-A: 1", "x-a: 2"))
		l.hears(t, 200)
	}
	// The first is net/http's own.
	if first, second, third := <-heard, <-heard, <-heard; first != second || second != third || !strings.Contains(first, plain.LocalAddr().String()+"true") {
		t.Errorf("%q\n%q\n%q", first, second, third)
	}
}

// What is no plain knock ends the connection, and what follows it is not looked at.
func TestKeptEnds(t *testing.T) {
	good := knocks("alice", tokenOf+"alice")
	for name, test := range map[string]struct {
		text string
		want int // 0: no answer
	}{
		"another path":     {strings.Replace(good, testPath, "/", 1), 404},
		"a body":           {knocks("alice", tokenOf+"alice", fmt.Sprint("Content-Length: ", len(good))), 404},
		"chunks":           {knocks("alice", tokenOf+"alice", "Transfer-Encoding: chunked"), 404},
		"the last":         {knocks("alice", tokenOf+"alice", "Connection: close"), 200},
		"HTTP/1.0":         {strings.Replace(good, "/1.1\r\n", "/1.0\r\nConnection: keep-alive\r\n", 1), 200},
		"HTTP/3.0":         {strings.Replace(good, "/1.1", "/3.0", 1), 200},
		"HTTP/1.0, plain":  {strings.Replace(good, "/1.1", "/1.0", 1), 200},
		"no request":       {"hello\r\n\r\n", 0},
		"a header too big": {knocks("alice", tokenOf+"alice", "X: "+strings.Repeat("x", 33<<10)), 0},
		"somebody else":    {knocks("mallory", tokenOf+"alice"), 401},
		"chunks, a length": {knocks("alice", tokenOf+"alice", "Content-Length: 0", "Transfer-Encoding: chunked"), 404},
		"other chunks":     {knocks("alice", tokenOf+"alice", "Transfer-Encoding: xchunked"), 0},
		"a length of +0":   {knocks("alice", tokenOf+"alice", "Content-Length: +0"), 0},
		"folded":           {knocks("alice", tokenOf+"alice", "Content-Length : 9"), 0},
		"two lengths":      {knocks("alice", tokenOf+"alice", "Content-Length: 0", "Content-Length: 1"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, kept(nil))
			g.Start()
			defer g.Close()
			l := g.call(t)
			l.say(t, good)
			l.hears(t, 200)
			l.say(t, test.text)
			_, _ = io.WriteString(l, good) // it may be closed by now
			if test.want != 0 {
				l.hears(t, test.want)
			}
			l.ends(t)
			if n := g.Authenticator.Stats().Tokens; n > 2 {
				t.Errorf("%d were let in", n)
			}
		})
	}
}

// Nor is what follows a body that the handler did not mind.
func TestKeptBodies(t *testing.T) {
	var calls atomic.Int64
	g := newGateway(t, kept(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = io.WriteString(w, "{}")
	})))
	g.Start()
	defer g.Close()
	for i, field := range []string{"Content-Length: 9", "Transfer-Encoding: chunked"} {
		l := g.call(t)
		l.say(t, knocks("alice", "a"))
		l.hears(t, 200)
		l.say(t, knocks("alice", "a", field))
		l.hears(t, 200)
		_, _ = io.WriteString(l, knocks("mallory", "m"))
		l.ends(t)
		if n := calls.Load(); n != int64(2*i+2) {
			t.Errorf("%s: %d requests were answered", field, n)
		}
	}
}

// A connection that is idle, or slow, or whose server ends, ends.
func TestKeptTimes(t *testing.T) {
	for name, test := range map[string]struct {
		idle, header time.Duration
		text         string
	}{
		"idle":        {50 * time.Millisecond, time.Minute, ""},
		"slow":        {time.Minute, time.Second, "GET / HTT"}, // which the first answer has, too
		"server ends": {time.Minute, time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, &Kept{HeaderTimeout: test.header, IdleTimeout: test.idle, MaxHeader: 1 << 10})
			ctx, end := context.WithCancel(t.Context())
			defer end()
			g.Config.BaseContext = func(net.Listener) context.Context { return ctx }
			g.Start()
			defer g.Close()
			l := g.call(t)
			l.say(t, knocks("alice", tokenOf+"alice"))
			l.hears(t, 200)
			l.say(t, test.text)
			if name == "server ends" {
				end()
			}
			l.ends(t)
		})
	}
}

// A header has its time as a whole, however its bytes are spread over it; and no length,
// twice, is no length.
func TestKeptByteByByte(t *testing.T) {
	g := newGateway(t, &Kept{HeaderTimeout: time.Second, IdleTimeout: time.Minute, MaxHeader: 1 << 10})
	g.Start()
	defer g.Close()
	l := g.call(t)
	l.say(t, knocks("alice", tokenOf+"alice"))
	l.hears(t, 200)
	l.say(t, knocks("alice", tokenOf+"alice", "Content-Length: 0", "Content-Length: 0"))
	l.hears(t, 200)
	sent := 0
	for text := "GET " + testPath + " HTTP/1.1\r\nX: "; sent < 500; sent++ { // 10 s
		if _, err := io.WriteString(l, text[:1]); err != nil {
			break
		}
		text = text[1:] + "x"
		time.Sleep(20 * time.Millisecond)
	}
	if l.ends(t); sent == 500 {
		t.Error("a slow header had no end")
	}
}

// A server that ends lets go of what is idle, lets those have their answer who wait for
// one, as the last, and keeps no more.
func TestKeptShutdown(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	k := kept(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Slow") != "" {
			close(begun)
			<-goOn
		}
		_, _ = io.WriteString(w, "{}")
	}))
	g := newGateway(t, k)
	g.Start()
	defer g.Close()
	idle, slow := g.call(t), g.call(t)
	for _, l := range []*line{idle, slow} {
		l.say(t, knocks("alice", "a"))
		l.hears(t, 200)
	}
	slow.say(t, knocks("alice", "a", "X-Slow: 1"))
	<-begun
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Shutdown(late); err == nil {
		t.Error("an answer is due, and nobody says so")
	}
	idle.ends(t)
	ended := make(chan error, 1)
	go func() { ended <- k.Shutdown(t.Context()) }()
	close(goOn)
	if r := slow.hears(t, 200); !r.Close {
		t.Error("the answer does not say that it is the last")
	}
	slow.ends(t)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	before, after := g.taken.Load(), g.call(t)
	after.say(t, knocks("alice", "a"))
	if after.hears(t, 200); g.taken.Load() != before {
		t.Error("another connection is kept")
	}
}

// Nobody is kept who was not let in, or whose protocol shares its connection; a handler
// that panics ends its connection and no more.
func TestNotKept(t *testing.T) {
	g := newGateway(t, kept(nil))
	g.EnableHTTP2 = true
	g.StartTLS()
	defer g.Close()
	for _, secret := range []string{tokenOf + "alice", "wrong"} {
		r, err := http.NewRequest(http.MethodGet, g.URL+testPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("alice", secret)
		response, err := g.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if good := secret != "wrong"; err != nil || response.ProtoMajor != 2 || (response.StatusCode == 200) != good || (string(body) == "{}") != good {
			t.Errorf("%s: %+v %q, %v", secret, response, body, err)
		}
	}
	if g.taken.Load() != 0 {
		t.Error("a connection of HTTP/2 was kept")
	}
	var calls atomic.Int64
	p := newGateway(t, kept(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "{}")
	})))
	p.Start()
	defer p.Close()
	first := p.call(t)
	first.say(t, knocks("alice", "a"))
	first.hears(t, 200)
	first.say(t, knocks("alice", "a"))
	first.ends(t)
	second := p.call(t)
	second.say(t, knocks("alice", "a"))
	second.hears(t, 200)
}

// What one question of ClickHouse's costs with all that is around its decision.
func BenchmarkKept(b *testing.B) {
	g := newGateway(b, kept(nil))
	for name, h := range map[string]http.Handler{"kept": kept(g.hall), "net/http": g.hall} {
		b.Run(name, func(b *testing.B) {
			s := httptest.NewServer(h)
			defer s.Close()
			g.Server = s
			l := g.call(b)
			b.ReportAllocs()
			for b.Loop() {
				l.say(b, knocks("alice", tokenOf+"alice"))
				l.hears(b, 200)
			}
			l.Close()
		})
	}
}
