package clickhouse

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A response that was dropped never looks like one that has ended, and its
// connection is not used again; one that has ended gives its connection back.
func TestDroppedIsNotEnded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", 100_000))
		if r.URL.Path == "/endless" {
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	opened := 0
	p := newPool(1, func(ctx context.Context) (net.Conn, error) {
		opened++
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	})
	defer p.close()
	for _, test := range []struct {
		name   string
		path   string
		leave  func(body io.ReadCloser, cancel func())
		read   error // what Read says afterwards
		opened int   // connections until then
	}{
		{"read to its end", "/", func(body io.ReadCloser, _ func()) { io.ReadAll(body) }, io.EOF, 1},
		{"closed", "/", func(body io.ReadCloser, _ func()) { body.Close() }, errDropped, 1},
		{"its caller went away", "/endless", func(body io.ReadCloser, cancel func()) { cancel(); io.ReadAll(body) }, errDropped, 2},
		{"closed after its end", "/", func(body io.ReadCloser, _ func()) { io.ReadAll(body); body.Close() }, io.EOF, 3},
		{"on the same connection", "/", func(body io.ReadCloser, _ func()) { io.ReadAll(body) }, io.EOF, 3},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		response, err := p.ask(ctx, outgoing{head: []byte("GET " + test.path + " HTTP/1.1\r\nHost: x\r\n")}, new(atomic.Bool))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		test.leave(response.body, cancel)
		for range 2 {
			if _, err := response.body.Read(make([]byte, 10)); err != test.read {
				t.Errorf("%s: Read says %v, want %v", test.name, err, test.read)
			}
		}
		if opened != test.opened {
			t.Errorf("%s: %d connections were opened, want %d", test.name, opened, test.opened)
		}
		cancel()
	}
}
