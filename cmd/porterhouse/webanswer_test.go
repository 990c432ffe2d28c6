package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// What a client may cost us before anybody knows who it is.
func TestLimits(t *testing.T) {
	t.Run("large bodies", testLargeBodies)
	t.Run("headers", testHeaders)
	t.Run("slow bodies", testSlowBodies)
}

func testLargeBodies(t *testing.T) {
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			w.WriteHeader(http.StatusTeapot)
		}
	}, func(c *Config) { c.HTTP.MaxBody = 1000 })
	for _, test := range []struct {
		name string
		body io.Reader
		want int
	}{
		{"as much as allowed", bytes.NewReader(make([]byte, 1000)), 200},
		{"too much, and it says so", bytes.NewReader(make([]byte, 1001)), 413},
		{"as much as allowed, without a length", io.MultiReader(bytes.NewReader(make([]byte, 1000))), 200},
		{"too much, without a length", io.MultiReader(bytes.NewReader(make([]byte, 1001))), 418},
	} {
		response, err := client(t).Post(s.url, "text/plain", test.body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%s: %d, want %d", test.name, response.StatusCode, test.want)
		}
	}
}

// dial opens a bare connection and sends text.
func (s *site) dial(t testing.TB, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func testHeaders(t *testing.T) {
	door := func(w http.ResponseWriter, r *http.Request) {}
	s := serveSite(t, door, func(c *Config) { c.HTTP.MaxHeader = 8 << 10 })
	if response := get(t, s.url, func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", 16<<10)) }); response.StatusCode != 431 {
		t.Errorf("large headers: %d, want 431", response.StatusCode)
	}
	s = serveSite(t, door, func(c *Config) { c.HTTP.HeaderTimeout = 100 * time.Millisecond })
	slow := s.dial(t, "GET / HTTP/1.1\r\nHost: localhost\r\n") // and never an end
	if text, err := io.ReadAll(slow); err != nil {
		t.Errorf("slow headers: %q, %v; want the connection closed", text, err)
	}
}

// A body that does not come ends in an error, and one that came leaves no
// deadline behind: the door may work longer than the client may take to ask.
func testSlowBodies(t *testing.T) {
	const timeout = 100 * time.Millisecond
	result := make(chan error, 1)
	door := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			result <- err
			return
		}
		select {
		case <-r.Context().Done():
			result <- fmt.Errorf("ended while working: %w", context.Cause(r.Context()))
		case <-time.After(3 * timeout):
			result <- nil
		}
	}
	brief := func(c *Config) { c.HTTP.HeaderTimeout, c.HTTP.BodyTimeout = timeout/2, timeout/2 }
	s := serveSite(t, door, brief)
	ask := func(text string) error {
		for end := time.Now().Add(time.Minute); time.Now().Before(end); { // until the machine is quick enough to bring a header in so short a time
			conn, closed := s.dial(t, text), make(chan struct{})
			go func() { defer close(closed); _, _ = io.Copy(io.Discard, conn) }()
			select {
			case err := <-result:
				return err
			case <-closed:
			}
			select {
			case err := <-result:
				return err
			default:
			}
		}
		return errors.New("nothing came to the door")
	}
	if err := ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a body that does not come: %v", err)
	}
	for name, text := range map[string]string{
		"with a length":    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nwhole",
		"without a length": "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n",
		"none":             "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		if err := ask(text); err != nil {
			t.Errorf("a body %s: %v", name, err)
		}
	}

	secure := overHTTP2(t)
	s = serveSite(t, door, func(c *Config) { c.HTTP.BodyTimeout = timeout / 2; secure(c) })
	for name, body := range map[string]io.Reader{"whole": strings.NewReader("whole"), "that does not come": stuck{t.Context()}} {
		go func() {
			if response, err := client(t).Post(s.url, "text/plain", body); err == nil {
				response.Body.Close()
			}
		}()
		if err := <-result; (err == nil) != (name == "whole") {
			t.Errorf("over HTTP/2, a body %s: %v", name, err)
		}
	}
}

// stuck is a body of which nothing comes until the test ends.
type stuck struct{ context.Context }

func (s stuck) Read([]byte) (int, error) {
	<-s.Done()
	return 0, s.Err()
}

// A client that goes away is noticed, with all the layers in between.
func TestAClientThatGoesAwayIsNoticed(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(begun)
		<-r.Context().Done()
		close(ended)
	}, nil)
	conn := s.dial(t, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nwhole")
	<-begun
	conn.Close()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the door was not told")
	}
}

// A stream is flushed at once, and may be silent for longer than one write may take.
func TestStreams(t *testing.T) {
	const timeout = 100 * time.Millisecond
	for protocol, change := range map[string]func(*Config){"HTTP/1.1": func(*Config) {}, "HTTP/2.0": overHTTP2(t)} {
		t.Run(protocol, func(t *testing.T) {
			next := make(chan struct{})
			s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				for i := range 3 {
					fmt.Fprintf(w, "event %d\n", i)
					w.(http.Flusher).Flush()
					<-next // the client has it
					time.Sleep(2 * timeout)
				}
				fmt.Fprintln(w, "end")
			}, func(c *Config) { c.HTTP.WriteTimeout = timeout; change(c) })
			response := get(t, s.url, nil)
			if response.Proto != protocol {
				t.Errorf("spoke %s", response.Proto)
			}
			events := bufio.NewScanner(response.Body)
			for i := range 3 {
				if !events.Scan() || events.Text() != fmt.Sprint("event ", i) {
					t.Fatalf("event %d is %q, %v", i, events.Text(), events.Err())
				}
				next <- struct{}{}
			}
			if !events.Scan() || events.Text() != "end" || events.Scan() || events.Err() != nil {
				t.Errorf("the end is %q, %v", events.Text(), events.Err())
			}
		})
	}
}

// A client that takes nothing does not hold a door forever.
func TestAClientThatTakesNothing(t *testing.T) {
	result := make(chan error, 1)
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 1<<20)
		for range 1000 {
			if _, err := w.Write(chunk); err != nil {
				result <- err
				return
			}
		}
		result <- errors.New("a gigabyte was taken")
	}, func(c *Config) { c.HTTP.WriteTimeout = 100 * time.Millisecond })
	s.dial(t, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	select {
	case err := <-result:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want a timeout", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the door still writes")
	}
}

// Whatever an http.ResponseController can do, it can do through us.
func TestResponseController(t *testing.T) {
	s := serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		for name, err := range map[string]error{
			"EnableFullDuplex": c.EnableFullDuplex(),
			"SetReadDeadline":  c.SetReadDeadline(time.Now().Add(time.Minute)),
			"SetWriteDeadline": c.SetWriteDeadline(time.Now().Add(time.Minute)),
			"Flush":            c.Flush(),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		conn, _, err := c.Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		conn.Close()
	}, nil)
	_, _ = io.ReadAll(s.dial(t, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

// The server's own troubles reach the log, except those that strangers cause.
func TestServerErrors(t *testing.T) {
	log := &syncBuffer{}
	e := defaultConfig().HTTP.server(nil, slog.New(slog.NewTextHandler(log, nil))).ErrorLog
	e.Print("http: TLS handshake error from 203.0.113.1:5: EOF")
	e.Print("http: Accept error: too many open files; retrying in 5ms")
	if text := log.String(); strings.Contains(text, "handshake") || !strings.Contains(text, "level=WARN") || !strings.Contains(text, "too many open files; retrying in 5ms\"\n") {
		t.Errorf("logged:\n%s", text)
	}
}

// discard is a response that goes nowhere, on a connection that has deadlines.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header              { return d.header }
func (d *discard) Write(p []byte) (int, error)      { return len(p), nil }
func (d *discard) WriteHeader(int)                  {}
func (d *discard) SetWriteDeadline(time.Time) error { return nil }
func (d *discard) SetReadDeadline(time.Time) error  { return nil }

// What the outer layer costs a request: bare, and with its line in the access log.
func BenchmarkOuter(b *testing.B) {
	door := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") })
	c := defaultConfig()
	for name, h := range map[string]http.Handler{
		"bare":   door,
		"silent": outer(door, c.outer(slog.New(slog.DiscardHandler))),
		"text":   outer(door, c.outer(slog.New(slog.NewTextHandler(io.Discard, nil)))),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("POST", "http://127.0.0.1:8080/mcp", nil)
			for b.Loop() {
				r.Body = io.NopCloser(strings.NewReader("{}"))
				h.ServeHTTP(&discard{http.Header{}}, r)
			}
		})
	}
}
