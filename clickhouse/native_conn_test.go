package clickhouse_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// stranger is a server that says what it is told to, each answer when the client has
// sent a certain text.
type stranger struct {
	net.Listener
	mu    sync.Mutex
	told  []byte          // everything that it read
	stall <-chan struct{} // it does not hang up before this is closed; nil: at once
}

// step is an answer, and what is waited for before it.
type step struct {
	until string
	says  []byte
}

// openStranger serves the steps to each that connects, and hangs up.
func openStranger(t *testing.T, steps ...step) *stranger {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &stranger{Listener: listener}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() { h.serve(c, steps) })
		}
	})
	t.Cleanup(func() { listener.Close(); served.Wait() })
	return h
}

func (h *stranger) serve(c net.Conn, steps []step) {
	defer c.Close()
	var seen []byte
	piece := make([]byte, 4<<10)
	for _, s := range steps {
		for !bytes.Contains(seen, []byte(s.until)) {
			n, err := c.Read(piece)
			seen = append(seen, piece[:n]...)
			h.mu.Lock()
			h.told = append(h.told, piece[:n]...)
			h.mu.Unlock()
			if err != nil {
				return
			}
		}
		if _, err := c.Write(s.says); err != nil {
			return
		}
	}
	h.mu.Lock()
	stall := h.stall
	h.mu.Unlock()
	if stall != nil {
		<-stall
	}
}

// What a server says in good order.
var (
	greeting = of(0, "ClickHouse", 26, 7, 54488, "UTC", "here", 2)
	done     = of(5)
)

// aliceInApp is what alice's own connection says.
var aliceInApp = proof(3, 1, "String", "alice", "26.7.2.1", "app")

// proof is the answer to the question whose the connection is.
func proof(columns int, rows int, kind string, values ...any) []byte {
	b := block(1, columns, rows)
	for _, v := range values {
		b = append(b, of("x", kind, byte(0), v)...)
	}
	return append(b, done...)
}

// Whoever answers as somebody else, or in a way that nobody can be sure of, never gets
// to see the statement.
func TestNobodyElseGetsTheStatement(t *testing.T) {
	const person, who = "EXECUTE AS 'alice' ", "currentUser()"
	once := bytes.TrimSuffix(aliceInApp, done)
	for name, c := range map[string]struct {
		steps []step
		says  string
	}{
		"no ClickHouse":        {[]step{{"porterhouse", []byte("HTTP/1.1 400 Bad Request\r\n\r\n")}}, "cannot be reached"},
		"an old server":        {[]step{{"porterhouse", of(0, "ClickHouse", 20, 1, 54400, "UTC", "here", 2)}}, "cannot be reached"},
		"it hangs up":          {[]step{{"porterhouse", greeting}}, "cannot be reached"},
		"it does not know it":  {[]step{{"porterhouse", greeting}, {person, of(2, int32(62), "DB::Exception", "DB::Exception: Syntax error: failed at position 1 (EXECUTE) (line 1, col 1): EXECUTE AS", "", byte(0))}}, "does not know EXECUTE AS"},
		"it is the gateway":    {[]step{{"porterhouse", greeting}, {person, done}, {who, proof(3, 1, "String", gateway, "26.7.2.1", "app")}}, "did not act as the account"},
		"it is somebody else":  {[]step{{"porterhouse", greeting}, {person, done}, {who, proof(3, 1, "String", "alicea", "26.7.2.1", "app")}}, "did not act as the account"},
		"it is nobody":         {[]step{{"porterhouse", greeting}, {person, done}, {who, proof(3, 1, "String", "", "26.7.2.1", "app")}}, "did not act as the account"},
		"it says nothing":      {[]step{{"porterhouse", greeting}, {person, done}, {who, done}}, "did not act as the account"},
		"it says too little":   {[]step{{"porterhouse", greeting}, {person, done}, {who, proof(2, 1, "String", "alice", "app")}}, "did not act as the account"},
		"it says it twice":     {[]step{{"porterhouse", greeting}, {person, done}, {who, slices.Concat(once, proof(3, 1, "String", "bob", "x", "app"))}}, "did not act as the account"},
		"it says two":          {[]step{{"porterhouse", greeting}, {person, done}, {who, proof(2, 2, "String", "alice", "alice")}}, "cannot be reached"},
		"it says a number":     {[]step{{"porterhouse", greeting}, {person, done}, {who, proof(2, 1, "UInt8", byte(1), byte(1))}}, "cannot be reached"},
		"it does not say more": {[]step{{"porterhouse", greeting}, {person, done}, {who, block(1, 2, 1)}}, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			h := openStranger(t, c.steps...)
			l := &lane{Lane: laneTo(t, h.Addr().String())}
			_, err := l.as(t.Context(), t, "alice", change("INSERT", "INSERT INTO app.t SELECT 1, 'the secret'"))
			wantError(t, err, porterhouse.Unavailable, c.says)
			h.mu.Lock()
			defer h.mu.Unlock()
			if !bytes.Contains(h.told, []byte(gateway)) || bytes.Contains(h.told, []byte("the secret")) {
				t.Errorf("the server was told %q", h.told)
			}
		})
	}
}

// laneTo makes a session lane to an address.
func laneTo(t *testing.T, address string, changes ...func(*clickhouse.Config)) clickhouse.Lane {
	t.Helper()
	config := clickhouse.Config{
		URL: "http://127.0.0.1:1", User: gateway, Password: porterhouse.NewSecret(gatewayPassword),
		Access: clickhouse.Access{Native: address},
	}
	for _, change := range changes {
		change(&config)
	}
	l, err := clickhouse.NewLane(config)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// opening is how a server in good order begins.
var opening = []step{{"porterhouse", greeting}, {"EXECUTE AS 'alice' ", done}, {"currentUser()", aliceInApp}}

// A statement that was sent is never sent again, whatever becomes of it.
func TestStatementIsSentOnce(t *testing.T) {
	for name, c := range map[string]struct {
		says   []byte
		public string
		kind   porterhouse.Kind
	}{
		"it hangs up":       {nil, "nobody knows whether it was carried out", porterhouse.Unavailable},
		"half an exception": {of(2, int32(60), "DB::Exc"), "nobody knows whether it was carried out", porterhouse.Unavailable},
		"nonsense":          {of(99), "nobody knows whether it was carried out", porterhouse.Unavailable},
		"rows":              {of(block(1, 1, 1), "x", "UInt8", byte(0), byte(1)), "verify", porterhouse.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			h := openStranger(t, append(slices.Clone(opening), step{"the statement", c.says})...)
			l := &lane{Lane: laneTo(t, h.Addr().String())}
			_, err := l.as(t.Context(), t, "alice", change("INSERT", "INSERT INTO app.t SELECT 1, 'the statement'"))
			wantError(t, err, c.kind, c.public)
			h.mu.Lock()
			defer h.mu.Unlock()
			if n := bytes.Count(h.told, []byte("the statement")); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
		})
	}
}

// A server that says nothing is waited for as long as the statement may take.
func TestServerSaysNothing(t *testing.T) {
	h := openStranger(t, step{"never", nil})
	l := &lane{Lane: laneTo(t, h.Addr().String(), impatient)}
	q := change("INSERT", "INSERT INTO app.t SELECT 1, ''")
	q.Limits.Time = 50 * time.Millisecond
	_, err := l.as(t.Context(), t, "alice", q)
	wantError(t, err, porterhouse.Unavailable, "became free in time")
}

// A server that reads no further is waited for no longer, and has not got the statement.
func TestServerReadsNoFurther(t *testing.T) {
	stall := make(chan struct{})
	h := openStranger(t, opening...)
	h.mu.Lock()
	h.stall = stall
	h.mu.Unlock()
	defer close(stall)
	l := &lane{Lane: laneTo(t, h.Addr().String(), impatient)}
	q := insert("INSERT INTO app.t FORMAT CSV", strings.Repeat("1,word\n", 10_000_000))
	q.Limits.Time = 500 * time.Millisecond
	_, err := l.as(t.Context(), t, "alice", q)
	wantError(t, err, porterhouse.Timeout, "nothing of it was done")
}

// Whoever gives up a statement too late does not hit the one that follows it.
func TestStopTooLate(t *testing.T) {
	if clickhouse.StopTooLate() {
		t.Error("the next statement was stopped")
	}
}

// Over TLS, to a server with the right certificate only.
func TestLaneOverTLS(t *testing.T) {
	l := openLane(t)
	authority := newAuthority(t)
	certificate, key := authority.issue(t, "clickhouse.test")
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	address := frontWithTLS(t, l.Native, &tls.Config{Certificates: []tls.Certificate{pair}})
	roots := x509.NewCertPool()
	roots.AddCert(authority.certificate)
	secure := func(config *tls.Config) *lane {
		return &lane{l.Server, newLane(t, l.Server, func(c *clickhouse.Config) { c.Access.Native, c.Access.NativeTLS = address, config })}
	}
	s := secure(&tls.Config{RootCAs: roots, ServerName: "clickhouse.test"})
	s.does(t, change("INSERT", whose))
	s.does(t, in("s", change("SET", "SET max_threads = 3")))
	s.does(t, in("s", change("INSERT", isSet)))
	q := change("INSERT", slowly)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() {
		_, err := s.as(ctx, t, "alice", q)
		stopped <- err
	}()
	s.waitFor(t, q.ID, "1")
	cancel()
	wantError(t, <-stopped, porterhouse.Canceled, "canceled")
	s.waitFor(t, q.ID, "0")

	for want, config := range map[string]*tls.Config{
		"signed by nobody whom Porterhouse trusts": {ServerName: "clickhouse.test"},
		"made out to another host":                 {RootCAs: roots},
		"cannot be reached":                        nil,
	} {
		secure(config).refuses(t, change("INSERT", whose), porterhouse.Unavailable, want)
	}
}

// frontWithTLS stands before a server, and speaks TLS to whoever comes.
func frontWithTLS(t *testing.T, server string, config *tls.Config) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(func() { listener.Close(); served.Wait() })
	served.Go(func() {
		for {
			front, err := listener.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", server)
			if err != nil {
				front.Close()
				continue
			}
			pipe := func(to, from net.Conn) {
				_, _ = io.Copy(to, from) // either may hang up
				to.Close()
				from.Close()
			}
			served.Go(func() { pipe(back, front) })
			served.Go(func() { pipe(front, back) })
		}
	})
	return listener.Addr().String()
}

// What cannot be a native address, or would not be safe, is refused at once.
func TestNativeConfig(t *testing.T) {
	for address, says := range map[string]string{
		"clickhouse":              "want something like",
		":9000":                   "want something like",
		"clickhouse:":             "want something like",
		"clickhouse.example:9000": "unencrypted",
		"10.0.0.1:9000":           "unencrypted",
	} {
		_, err := clickhouse.NewLane(clickhouse.Config{URL: "http://127.0.0.1:1", User: gateway, Access: clickhouse.Access{Native: address}})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: the error is %v", address, err)
		}
	}
	for _, c := range []clickhouse.Config{
		{Access: clickhouse.Access{Native: "clickhouse.example:9440", NativeTLS: &tls.Config{}}},
		{Access: clickhouse.Access{Native: "clickhouse.example:9000"}, AllowPlainHTTP: true},
		{Access: clickhouse.Access{Native: "[::1]:9000"}},
		{Access: clickhouse.Access{Native: "localhost:9000"}},
	} {
		c.URL, c.User = "http://127.0.0.1:1", gateway
		if _, err := clickhouse.NewLane(c); err != nil {
			t.Errorf("%s: %v", c.Access.Native, err)
		}
	}
}
