package clickhouse

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
)

// What a server says beyond its answer is not the answer to the next request:
// wherever the rest waits, in our buffer, in TLS's or at the socket's.
func TestNobodyReadsWhatIsLeftOver(t *testing.T) {
	t.Parallel()
	const left = "HTTP/1.1 500 Oh\r\nContent-Length: 8\r\n\r\nanother's"
	for _, secure := range []bool{false, true} {
		for _, size := range []int{100, readBuffer, 2 * readBuffer, 3*readBuffer + 1} {
			head := "HTTP/1.1 200 OK\r\nContent-Length: %05d\r\n\r\n"
			length := max(0, size-len(fmt.Sprintf(head, 0)))
			first := fmt.Sprintf(head, length) + strings.Repeat("x", length)
			p := hijacked(t, secure, first+left)
			response, err := p.ask(t.Context(), outgoing{head: []byte("GET /1 HTTP/1.1\r\nHost: x\r\n")}, new(atomic.Bool))
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(response.body); err != nil || len(text) != length {
				t.Fatalf("%d bytes, %v", len(text), err)
			}
			response, err = p.ask(t.Context(), outgoing{head: []byte("GET /2 HTTP/1.1\r\nHost: x\r\n")}, new(atomic.Bool))
			if err != nil {
				t.Fatal(err)
			}
			if response.status != http.StatusOK {
				t.Errorf("TLS %v, %d bytes: the next request is answered by what was left over, %d", secure, size, response.status)
			}
			response.body.Close()
		}
	}
}

// A response that announces another is none.
func TestInformationIsNoAnswer(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
	for _, before := range []string{"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"} {
		p := hijacked(t, false, before+answer)
		response, err := p.ask(t.Context(), outgoing{head: []byte("GET / HTTP/1.1\r\nHost: x\r\n")}, new(atomic.Bool))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(response.body); err != nil || string(text) != "yes" {
			t.Errorf("behind %q: %d %q, %v", before, response.status, text, err)
		}
	}
	for _, text := range []string{strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", maxHeader), "HTTP/1.1 101 Switching Protocols\r\n\r\n" + answer} {
		p := hijacked(t, false, text)
		if response, err := p.ask(t.Context(), outgoing{head: []byte("GET / HTTP/1.1\r\nHost: x\r\n")}, new(atomic.Bool)); err == nil {
			t.Errorf("%.30q… is taken for an answer, %d", text, response.status)
		}
	}
}

// A server that says that it will close a connection is believed.
func TestClosingIsBelieved(t *testing.T) {
	t.Parallel()
	client := silentClient(t, speaker(t, func(c net.Conn, in *bufio.Reader) error {
		if _, err := readRequest(in, nil); err != nil {
			return err
		}
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nyes")
		return err // and does not do it
	}))
	for range 3 {
		if text, err := exchangeAll(t.Context(), client, outgoing{head: postHead}); err != nil || text != "yes" {
			t.Errorf("%q, %v", text, err)
		}
	}
	if n := client.Stats().ConnectionsOpened; n != 3 {
		t.Errorf("3 requests were sent over %d connections", n)
	}
}

// A connection of TLS that says nothing is used again.
func TestSecureConnectionsAreKept(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 100_000)) }))
	defer server.Close()
	opened := 0
	p := newPool(1, func(ctx context.Context) (net.Conn, error) {
		opened++
		dialer := tls.Dialer{Config: server.Client().Transport.(*http.Transport).TLSClientConfig}
		return dialer.DialContext(ctx, "tcp", server.Listener.Addr().String())
	})
	defer p.close()
	for range 5 {
		response, err := p.ask(t.Context(), outgoing{head: []byte("GET / HTTP/1.1\r\nHost: x\r\n")}, new(atomic.Bool))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(response.body); err != nil || len(text) != 100_000 {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
	}
	if opened != 1 {
		t.Errorf("%d connections were opened", opened)
	}
}

// hijacked is a pool of one connection to a server that answers each connection
// with the same text, once, and keeps it open.
func hijacked(t *testing.T, secure bool, text string) *pool {
	end := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, text)
		<-end
	}))
	server.TLS = &tls.Config{DynamicRecordSizingDisabled: true}
	connect := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	if secure {
		server.StartTLS()
		config := server.Client().Transport.(*http.Transport).TLSClientConfig
		connect = func(ctx context.Context) (net.Conn, error) {
			return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", server.Listener.Addr().String())
		}
	} else {
		server.Start()
	}
	p := newPool(1, connect)
	t.Cleanup(func() { close(end); p.close(); server.Close() })
	return p
}
