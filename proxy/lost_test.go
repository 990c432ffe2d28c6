package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// oneAnswer is a ClickHouse that reads the beginning of one request, sends text, and then
// waits until it is left, or leaves by itself. It tells of its end.
func oneAnswer(t *testing.T, text string, leaves bool) (h *house, ended <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		connection, err := listener.Accept()
		if err := errors.Join(err, listener.Close()); err != nil { // so that nobody waits for more
			t.Error(err)
			return
		}
		defer connection.Close()
		if _, err = connection.Read(make([]byte, 4096)); err == nil {
			_, err = io.WriteString(connection, text)
		}
		for err == nil && !leaves {
			_, err = connection.Read(make([]byte, 4096))
		}
	}()
	return newHouse(t, func(c *Config) {
		c.Gate = newGate(t, "http://"+listener.Addr().String(), filepath.Join(t.TempDir(), "audit.jsonl"))
	}), done
}

// ends waits for the end of oneAnswer.
func ends(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("ClickHouse was not told that nobody waits")
	}
}

// dial sends the beginning of a request.
func (h *house) dial(t *testing.T, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	check(t, err)
	t.Cleanup(func() { _ = connection.Close() }) // the test may have done it
	_, err = io.WriteString(connection, request)
	check(t, err)
	check(t, connection.SetReadDeadline(time.Now().Add(20*time.Second)))
	return connection, bufio.NewReader(connection)
}

// A client that leaves while no progress is told leaves a query that stops.
func TestProgressThenSilence(t *testing.T) {
	const progress = `X-ClickHouse-Progress: {"read_rows":"1"}` + "\r\n"
	h, ended := oneAnswer(t, "HTTP/1.1 200 OK\r\n"+progress, false)
	connection, in := h.dial(t, "GET /?query=SELECT+1&send_progress_in_http_headers=1 HTTP/1.1\r\nHost: x\r\n"+rawToken+"\r\n")
	for _, want := range []string{"HTTP/1.1 200 OK\r\n", progress} {
		if line, err := in.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	check(t, connection.Close())
	ends(t, ended)
}

// What there is goes out, although nobody knows when there will be more.
func TestLittleGoesOut(t *testing.T) {
	h, ended := oneAnswer(t, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nthe row\n\r\n", false)
	connection, in := h.dial(t, "GET /?query=SELECT+1&query_id=q HTTP/1.1\r\nHost: x\r\n"+rawToken+"\r\n")
	for line := ""; line != "the row\n"; {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	check(t, connection.Close())
	ends(t, ended)
}

// ClickHouse that is lost before its first byte is an error that can be told.
func TestLostBeforeTheFirstByte(t *testing.T) {
	h, ended := oneAnswer(t, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\nTransfer-Encoding: chunked\r\n\r\n", true)
	got := h.send(t, "POST", "/?query_id=q", strings.NewReader("SELECT 1"), "Authorization", "Bearer token-alice")
	if got.status != 503 || !strings.HasPrefix(got.body, "Code: 210. DB::Exception: ") || got.err != nil {
		t.Errorf("%d %s, %v", got.status, got.body, got.err)
	}
	ends(t, ended)
}

// An answer that comes before the data has come does not wait for it.
func TestAnswerBeforeTheData(t *testing.T) {
	rows := strings.Repeat("1\n", 200)
	const refusal = "Code: 60. DB::Exception: no such table. (UNKNOWN_TABLE)\n"
	for name, body := range map[string]string{
		"chunks":   "Transfer-Encoding: chunked\r\n\r\n190\r\n" + rows + "\r\n",
		"a length": "Content-Length: 100000\r\n\r\n" + rows,
	} {
		h, ended := oneAnswer(t, "HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 60\r\nConnection: close\r\nContent-Length: 56\r\n\r\n"+refusal, true)
		_, in := h.dial(t, "POST /?query=INSERT+INTO+t+FORMAT+TSV HTTP/1.1\r\nHost: x\r\n"+rawToken+body)
		if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 404 ") {
			t.Errorf("%s: %q, %v", name, line, err)
		}
		ends(t, ended)
	}
}

// What ClickHouse says of its connection to us is not said of ours to the client.
func TestFieldsOfTheConnection(t *testing.T) {
	w := httptest.NewRecorder()
	x := &exchange{w: w, r: httptest.NewRequest("GET", "/", nil)}
	x.begin(200, pairs("Connection", "close", "transfer-encoding", "chunked", "Content-Length", "5", "Set-Cookie", "a=b",
		"Vary", "Accept-Encoding", "X-ClickHouse-Format", "TSV"), unknown)
	if got := slices.Sorted(maps.Keys(w.Header())); !slices.Equal(got, []string{"Content-Type", "X-ClickHouse-Format"}) {
		t.Errorf("%v", w.Header())
	}
}

// A body that nobody needs is not waited for, even when whoever reads it asks again.
func TestStop(t *testing.T) {
	a := &arrival{source: strings.NewReader("data")}
	a.stop()
	if n, err := a.Read(make([]byte, 4)); n != 0 || !errors.Is(err, errStopped) {
		t.Errorf("%d, %v", n, err)
	}
	if kind, _ := porterhouse.Explain(errStopped); kind != porterhouse.Internal || a.whole() {
		t.Error("a body that was stopped is whole")
	}
}

// A client that sends everything before it reads still sees why it was refused.
func TestRefusalIsSeen(t *testing.T) {
	h := newHouse(t)
	const size = 64 << 20
	for name, c := range map[string]struct{ token, target, want string }{
		"nobody":          {"wrong", "INSERT+INTO+shop.inbox+FORMAT+TSV", "HTTP/1.1 403 "},
		"not allowed":     {"token-alice", "EXECUTE+AS+bob+SELECT+1", "HTTP/1.1 4"},
		"no such table":   {"token-alice", "INSERT+INTO+shop.nope+FORMAT+TSV", "HTTP/1.1 404 "},
		"what is no data": {"token-alice", "INSERT+INTO+shop.inbox+FORMAT+JSONEachRow", "HTTP/1.1 400 "},
	} {
		for framing, end := range map[string]string{
			fmt.Sprintf("Content-Length: %d\r\n\r\n", size):               "",
			fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", size): "\r\n0\r\n\r\n",
		} {
			t.Run(name+", "+framing[:6], func(t *testing.T) {
				t.Parallel()
				connection, in := h.dial(t, "POST /?query="+c.target+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+c.token+"\r\n"+framing)
				piece := bytes.Repeat([]byte("1\ta\n"), 256<<10)
				for range size / len(piece) {
					if _, err := connection.Write(piece); err != nil {
						t.Fatal("the connection was closed before the answer was read:", err)
					}
					time.Sleep(20 * time.Millisecond) // longer, all in all, than net/http waits for a reader
				}
				_, _ = io.WriteString(connection, end) // nobody may listen any more; the answer counts
				if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, c.want) {
					t.Errorf("%q, %v", line, err)
				}
			})
		}
	}
}

// Nobody waits for a client that was refused, once the server is to stop.
func TestStopEndsLingering(t *testing.T) {
	bare := newBareHouse(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	web := httptest.NewUnstartedServer(bare.Server)
	web.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	web.Start()
	t.Cleanup(web.Close)
	bare.url = web.URL
	connection, in := bare.dial(t, "POST /?query=SELECT+1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nContent-Length: 10000000\r\n\r\n")
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 403 ") {
		t.Fatalf("%q, %v", line, err)
	}
	sends := time.NewTicker(50 * time.Millisecond)
	defer sends.Stop()
	since, stopped := time.Now(), false
	for range sends.C {
		if _, err := connection.Write([]byte("data")); err != nil {
			break
		}
		switch took := time.Since(since); {
		case took > 2*time.Second && !stopped:
			stopped = true
			stop()
		case took > 12*time.Second:
			t.Fatal("it is still waited for")
		}
	}
	if !stopped {
		t.Error("it was not waited for at all")
	}
}
