package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// good answers a request well.
func good(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
	_, err := io.WriteString(c, head(r, "abcdefghijklmnop")+chunk("x\nUInt8\n1\n")+lastChunk)
	return err == nil
}

// Every phase has an end.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		speak  func(c net.Conn, r *http.Request, end <-chan struct{}) bool
		sql    string
		kind   porterhouse.Kind
		public string
	}{
		{"never answers", func(_ net.Conn, _ *http.Request, end <-chan struct{}) bool { <-end; return false },
			"SELECT 1", porterhouse.Timeout, "within the 300ms"},
		{"stops in the header", func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			<-end
			return false
		}, "SELECT 1", porterhouse.Timeout, "within the 300ms"},
		{"stops in the columns", func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
			io.WriteString(c, head(r, "")+chunk("x\n"))
			<-end
			return false
		}, "SELECT 1", porterhouse.Timeout, "within the 300ms"},
		{"stops in the rows", func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
			io.WriteString(c, head(r, "a")+chunk("x\nUInt8\n1\n"))
			<-end
			return false
		}, "SELECT 1", porterhouse.Timeout, "within the 300ms"},
		{"stops in an exception", func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
			io.WriteString(c, refusal("Code: 395. DB::")+strings.Repeat(" ", 10))
			io.WriteString(c, "HTTP/1.1 500 Oh\r\nX-ClickHouse-Exception-Code: 1\r\nContent-Length: 99\r\n\r\nCode:")
			<-end
			return false
		}, "SELECT 1", porterhouse.Failed, "own words could not be read"},
		{"drips for ever", func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
			for io.WriteString(c, head(r, "a")+chunk("x\nUInt8\n")); ; {
				if _, err := io.WriteString(c, chunk("1\n")); err != nil {
					return false
				}
				time.Sleep(time.Millisecond)
			}
		}, "SELECT 1", porterhouse.Timeout, "within the 300ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, test.speak)
			q := question(test.sql)
			if test.kind == porterhouse.Timeout {
				q = soon(test.sql)
			}
			_, err := read(t.Context(), w.Client, account(t, "alice"), q)
			wantError(t, err, test.kind, test.public)
		})
	}
	t.Run("reads nothing", func(t *testing.T) {
		// The kernel accepts connections and a little of what is sent; nobody reads.
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		client := dial(t, "http://"+listener.Addr().String(), impatient)
		_, err = read(t.Context(), client, account(t, "alice"), soon("SELECT '"+strings.Repeat("x", 64<<20)+"'"))
		wantError(t, err, porterhouse.Timeout, "within the 300ms")
		closeAtOnce(t, client)
	})
	t.Run("no free connection", func(t *testing.T) {
		w := serve(t, func(_ net.Conn, _ *http.Request, end <-chan struct{}) bool { <-end; return false },
			func(c *clickhouse.Config) { c.MaxConnections = 1 })
		ctx, cancel := context.WithCancel(t.Context())
		var first sync.WaitGroup
		first.Go(func() { read(ctx, w.Client, account(t, "alice"), question("SELECT 1")) })
		defer first.Wait()
		defer cancel()
		eventually(t, "the first question takes the connection", func() bool { return w.requests.Load() == 1 })
		_, err := read(t.Context(), w.Client, account(t, "alice"), soon("SELECT 1"))
		wantError(t, err, porterhouse.Unavailable, "became free")
	})
}

// closeAtOnce closes a client whose kills cannot work.
func closeAtOnce(t *testing.T, client *clickhouse.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Close(ctx); err == nil {
		t.Error("Close does not say that a statement may still be running")
	}
}

// A statement that may have arrived is not sent again, whatever becomes of it.
func TestAtMostOnce(t *testing.T) {
	t.Parallel()
	const kept = 3
	w := serve(t, nil)
	answered := 0
	w.speak = func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
		answered++
		return answered <= kept && good(c, r, end) // then it hangs up
	}
	for i := range kept + 1 {
		_, err := read(t.Context(), w.Client, account(t, "alice"), question("SELECT 1"))
		if i < kept && err != nil {
			t.Fatal(err)
		} else if i == kept {
			wantError(t, err, porterhouse.Unavailable, "before an answer came")
		}
	}
	if n, opened := w.requests.Load(), w.Stats().ConnectionsOpened; n != kept+1 {
		t.Errorf("%d statements were sent %d times, over %d connections", kept+1, n, opened)
	}
}

// A server that closes its idle connections is not noticed by anybody.
func TestIdleConnectionsAreClosedByTheServer(t *testing.T) {
	t.Parallel()
	w := serve(t, nil)
	w.speak = func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
		good(c, r, end)
		return false // without a word
	}
	for range 30 {
		if _, err := read(t.Context(), w.Client, account(t, "alice"), question("SELECT 1")); err != nil {
			t.Fatal(err)
		}
		// The connection is back in the pool; wait until its end has come through.
		eventually(t, "the connection is gone", func() bool { return w.open.Load() == 0 })
		time.Sleep(5 * time.Millisecond)
	}
	if n := w.requests.Load(); n != 30 {
		t.Errorf("30 statements were sent %d times", n)
	}
}

// The same with ClickHouse, which closes after some seconds and some requests.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	server := sandbox.ForTest(t, sandbox.Options{
		ExtraConfig: "<keep_alive_timeout>1</keep_alive_timeout><max_keep_alive_requests>7</max_keep_alive_requests>",
		Init:        []string{"CREATE USER alice", "CREATE USER " + gateway, "GRANT IMPERSONATE ON alice TO " + gateway},
	})
	client := dial(t, server.HTTP, withPassword(""))
	for i := range 60 {
		if _, err := read(t.Context(), client, account(t, "alice"), question("SELECT 1")); err != nil {
			t.Fatalf("question %d: %v", i, err)
		}
		if i%20 == 19 {
			time.Sleep(1100 * time.Millisecond)
		}
	}
	t.Logf("%+v", client.Stats())
}

// What the environment says about proxies is not for us.
func TestNoProxy(t *testing.T) {
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	asked := make(chan struct{}, 1)
	go func() {
		if connection, err := proxy.Accept(); err == nil {
			connection.Close()
			asked <- struct{}{}
		}
	}()
	t.Setenv("HTTP_PROXY", "http://"+proxy.Addr().String())
	// An address of documentation, where nobody is; loopback is never asked through a proxy.
	client := dial(t, "http://192.0.2.1:8123", func(c *clickhouse.Config) { c.AllowPlainHTTP, c.DialTimeout = true, 300*time.Millisecond })
	_, err = read(t.Context(), client, account(t, "alice"), question("SELECT 1"))
	wantError(t, err, porterhouse.Unavailable, "cannot be reached")
	select {
	case <-asked:
		t.Error("the proxy of the environment was asked")
	default:
	}
}

// Many people at once get their own answers, and leave nothing behind.
func TestConcurrent(t *testing.T) {
	before := runtime.NumGoroutine()
	func() {
		h := open(t, func(c *clickhouse.Config) { c.MaxConnections = 8 })
		var people sync.WaitGroup
		for i := range 100 {
			people.Go(func() {
				name := []string{"alice", "bob"}[i%2]
				for j := range 5 {
					h.askOne(t, name, i, j)
				}
			})
		}
		people.Wait()
		eventually(t, "no statement runs", func() bool { return h.Stats().Running == 0 })
		s := h.Stats()
		if s.Queries != 500 || s.KillFailures != 0 {
			t.Errorf("the statistics are %+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.Client.Close(ctx); err != nil {
			t.Error(err)
		}
		if n := h.processes(t, silent); n != "0" {
			t.Errorf("%s statements are left", n)
		}
		if err := h.Server.Close(); err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// askOne asks one of several sorts of questions and checks the answer.
func (h *house) askOne(t *testing.T, name string, i, j int) {
	q := question(fmt.Sprintf("SELECT currentUser(), %d, number FROM numbers(%d)", i, 50*(j+1)))
	switch j {
	case 1:
		q.Limits.Rows = 7
	case 2: // goes away in the middle
		answer, err := h.Query(t.Context(), account(t, name), question("SELECT currentUser() FROM system.numbers"))
		if err != nil {
			t.Error(err)
			return
		}
		io.CopyN(io.Discard, answer.Body, 1000)
		answer.Body.Close()
		return
	case 3: // an error
		q.SQL = "SELECT nope"
		_, err := h.Query(t.Context(), account(t, name), q)
		wantError(t, err, porterhouse.Failed, "nope")
		return
	}
	r, err := read(t.Context(), h.Client, account(t, name), q)
	for line := range strings.Lines(r.Text) {
		if !strings.HasPrefix(line, fmt.Sprintf("%s\t%d\t", name, i)) {
			t.Errorf("%s %d reads %q", name, i, line)
			return
		}
	}
	want := int64(50 * (j + 1))
	if j == 1 {
		want = 7
	}
	if err != nil || r.Summary.Rows != want {
		t.Errorf("%s %d %d: %+v, %v", name, i, j, r.Summary, err)
	}
}

// A server that says no before it has read the whole statement is still heard.
func TestRefusedBeforeItWasRead(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1000))
			io.WriteString(c, refusal("Code: 516. DB::Exception: no such login. (AUTHENTICATION_FAILED) (version 26.7.2.1)\n"))
			c.(*net.TCPConn).CloseWrite()
			time.Sleep(100 * time.Millisecond) // or the reset would overtake what was said
			c.Close()
		}
	}()
	client := dial(t, "http://"+listener.Addr().String(), impatient)
	_, err = read(t.Context(), client, account(t, "alice"), question("SELECT '"+strings.Repeat("x", 32<<20)+"'"))
	if exception, ok := errors.AsType[*porterhouse.Exception](err); !ok || exception.Code != 516 {
		t.Errorf("the caller hears %v", err)
	}
}

// Nobody holds a connection that nobody uses.
func TestUnusedConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	w := serve(t, good)
	if _, err := read(t.Context(), w.Client, account(t, "alice"), question("SELECT 1")); err != nil {
		t.Fatal(err)
	}
	if n := w.open.Load(); n != 1 {
		t.Fatalf("%d connections are open after a question", n)
	}
	eventually(t, "the connection is closed", func() bool { return w.open.Load() == 0 })
}
