package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// serveStreams serves door behind the layer of ClickHouse's clients.
func serveStreams(t testing.TB, door http.HandlerFunc, change func(*Config)) *site {
	t.Helper()
	return serveAs(t, change, func(c Config, log *slog.Logger) *http.Server {
		return streaming(c.HTTP.server(outerStreams(door, c.outer(log)), log), c.ClickHouseHTTP.MaxHeader)
	})
}

// An upload may take as long as it likes, as long as something comes; and whoever works
// on what came may take their time as well.
func TestUploadsMayTakeTime(t *testing.T) {
	const pause = 200 * time.Millisecond
	for protocol, change := range map[string]func(*Config){"HTTP/1.1": func(*Config) {}, "HTTP/2.0": overHTTP2(t)} {
		t.Run(protocol, func(t *testing.T) {
			s := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(4 * pause) // as in a queue
				piece, got := make([]byte, 5), ""
				for range 4 {
					if _, err := io.ReadFull(r.Body, piece); err != nil {
						http.Error(w, err.Error(), http.StatusTeapot)
						return
					}
					got += string(piece)
					time.Sleep(2 * pause) // longer than the client may pause
				}
				_, err := r.Body.Read(piece)
				if err == io.EOF {
					select {
					case <-r.Context().Done():
						err = r.Context().Err() // a deadline that is left looks like a client that went away
					case <-time.After(2 * pause):
					}
				}
				fmt.Fprint(w, r.Proto, " ", got, " ", err)
			}, func(c *Config) { c.HTTP.HeaderTimeout, c.HTTP.BodyTimeout = 3*pause, pause; change(c) })
			body, feed := io.Pipe()
			go func() {
				time.Sleep(3 * pause) // nobody reads yet, so nobody has waited
				for range 4 {
					if _, err := io.WriteString(feed, "piece"); err != nil {
						return
					}
					time.Sleep(pause / 4)
				}
				feed.Close()
			}()
			response, err := client(t).Post(s.url, "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if want := protocol + " piecepiecepiecepiece EOF"; err != nil || string(text) != want {
				t.Errorf("%s, %v; want %s", text, err, want)
			}
		})
	}
}

// A client that stops in the middle of what it sends holds nothing forever.
func TestUploadsThatStop(t *testing.T) {
	for protocol, change := range map[string]func(*Config){"HTTP/1.1": func(*Config) {}, "HTTP/2.0": overHTTP2(t)} {
		t.Run(protocol, func(t *testing.T) {
			result := make(chan error, 1)
			s := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				result <- err
			}, func(c *Config) { c.HTTP.BodyTimeout = 100 * time.Millisecond; change(c) })
			body, feed := io.Pipe()
			defer feed.Close()
			go func() {
				if response, err := client(t).Post(s.url, "text/plain", body); err == nil {
					response.Body.Close()
				}
			}()
			if _, err := io.WriteString(feed, "some"); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-result:
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%v, want a timeout", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("the door still reads")
			}
		})
	}
}

// What the layer adds to a request and its answer, and that nothing else is in the way:
// any host, any size, a URL as long as a statement.
func TestStreamsPass(t *testing.T) {
	s := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %v %v %d %s", n, err, r.Header.Get(requestIDHeader) == w.Header().Get(requestIDHeader), len(r.URL.RawQuery), r.Host)
	}, func(c *Config) { c.HTTP.MaxBody = 10 })
	request, err := http.NewRequest(http.MethodPost, s.url+"?"+strings.Repeat("x", 500_000), strings.NewReader(strings.Repeat("x", 1000)))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "clickhouse.internal"
	request.Header.Set(requestIDHeader, "chosen by the client")
	response, err := client(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text := body(t, response); text != "1000 <nil> true 500000 clickhouse.internal" {
		t.Error(text)
	}
	for header, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "", "X-Accel-Buffering": ""} {
		if got := response.Header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	if id := response.Header.Get(requestIDHeader); len(id) != 36 {
		t.Errorf("the request's id is %q", id)
	}
	large := s.dial(t, "GET /?"+strings.Repeat("x", 2<<20)+" HTTP/1.1\r\nHost: a\r\n\r\n")
	if text, _ := io.ReadAll(large); !strings.HasPrefix(string(text), "HTTP/1.1 431 ") {
		t.Errorf("a URL of 2 MiB: %.100q", text)
	}
}

// A panic breaks the connection in the middle of an answer, and is an answer before it.
func TestStreamsPanic(t *testing.T) {
	s := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/middle" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		}
		panic("a mistake")
	}, nil)
	if response := get(t, s.url, nil); response.StatusCode != 500 || strings.Contains(body(t, response), "a mistake") {
		t.Errorf("status %d", response.StatusCode)
	}
	response := get(t, s.url+"/middle", nil)
	if _, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half an answer ends with %v", err)
	}
}

// What ClickHouse says with 500, and an answer that breaks off, are the door's to log: an
// operator is not warned of each mistake that somebody makes in a query. A panic is.
func TestStreamsDoNotWarn(t *testing.T) {
	s := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused":
			w.WriteHeader(http.StatusInternalServerError)
		case "/broken":
			panic(http.ErrAbortHandler)
		default:
			panic("a mistake")
		}
	}, nil)
	for _, path := range []string{"/refused", "/broken"} {
		if response, err := client(t).Get(s.url + path); err == nil {
			response.Body.Close()
		}
		if log := s.log.String(); strings.Contains(log, `"WARN"`) || strings.Contains(log, `"ERROR"`) {
			t.Errorf("%s: %s", path, log)
		}
	}
	get(t, s.url, nil)
	if log := s.log.String(); !strings.Contains(log, `"ERROR","msg":"a door panicked"`) {
		t.Errorf("a panic: %s", log)
	}
}
