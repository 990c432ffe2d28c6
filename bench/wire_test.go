package main

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// Answers in every framing that servers use, and in some that none should.
func TestReadAnswer(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name, text, body, fails string
		status                  int
	}{
		{"length", ok + "content-length: 5\r\n\r\nhelloREST", "hello", "", 200},
		{"empty", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\nREST", "", "", 202},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\nREST", "", "", 204},
		{"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nREST", "hel0123456789", "", 200},
		{"trailers", ok + "transfer-encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\nREST", "x", "", 200},
		{"no end", ok + "\r\nhello", "", "neither Content-Length", 200},
		{"cut short", ok + "Content-Length: 9\r\n\r\nhello", "", "EOF", 200},
		{"cut in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhello", "", "EOF", 200},
		{"chunk longer than it says", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", "", "longer than it says", 200},
		{"negative chunk", ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n", "", "chunk of size", 200},
		{"negative length", ok + "Content-Length: -5\r\n\r\n", "", "Content-Length", 200},
		{"old HTTP", "HTTP/1.0 200 OK\r\n\r\n", "", "status line", 0},
		{"not HTTP", "SSH-2.0-OpenSSH_9.6\r\n", "", "status line", 0},
		{"nothing", "", "", "EOF", 0},
	} {
		in := bufio.NewReader(strings.NewReader(c.text))
		h, err := readHead(in)
		var body []byte
		if err == nil {
			body, err = readBody(in, h, nil)
		}
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.fails)
			}
			continue
		}
		rest, _ := io.ReadAll(in)
		if err != nil || h.status != c.status || string(body) != c.body || string(rest) != "REST" {
			t.Errorf("%s: status %d, body %q, left %q, error %v", c.name, h.status, body, rest, err)
		}
	}
}

// A server may end the connection after any answer; the next question opens a new one.
func TestAskConnectsAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go answerOnce(l, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1")
	w := wire{address: l.Addr().String()}
	defer w.close()
	for range 3 {
		a, err := w.ask(t.Context(), []byte("POST / HTTP/1.1\r\n\r\n"))
		if err != nil || a.status != 200 || string(a.body) != "1" {
			t.Fatalf("answer %+v, error %v", a, err)
		}
	}
}

// answerOnce answers one request on each connection, until l is closed.
func answerOnce(l net.Listener, text string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			_, _ = io.WriteString(conn, text)
		}
		_ = conn.Close()
	}
}
