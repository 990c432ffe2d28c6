package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
)

// Two servers run in processes of their own, so that their CPU time is not the
// generator's: a ClickHouse that takes no time, behind which only what stands before it
// shows; and the least that a proxy written in Go can be, as a measure of the machine.
//
//	bench stub            answers every request at once, as ClickHouse answers SELECT 1
//	bench thin http://…   httputil.ReverseProxy in front of that
//
// Each prints its address first.
const (
	stubWord = "stub"
	thinWord = "thin"
)

// serveHelper is the whole program when the arguments name one of them. It ends with ctx.
func serveHelper(ctx context.Context, args []string, out io.Writer) (is bool, err error) {
	switch {
	case len(args) == 1 && args[0] == stubWord:
		return true, listen(ctx, out, serveStub)
	case len(args) == 2 && args[0] == thinWord:
		return true, listen(ctx, out, func(l net.Listener) error { return serveThin(l, args[1]) })
	}
	return false, nil
}

// listen serves at an address of its own until ctx ends.
func listen(ctx context.Context, out io.Writer, serve func(net.Listener) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// startHelper starts one of them, and returns where it serves.
func startHelper(ctx context.Context, log io.Writer, args ...string) (*child, *url.URL, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	c, out, err := startChild(ctx, log, program, args...)
	if err != nil {
		return nil, nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: no address: %w", c.name, err), c.stop())
	}
	return c, &url.URL{Scheme: "http", Host: strings.TrimSpace(address), Path: "/"}, nil
}

// serveThin passes requests on as they are. Short bodies are read first: while one is
// passed on as it comes, httputil.ReverseProxy breaks an answer in some thousands.
func serveThin(l net.Listener, backend string) error {
	to, err := url.Parse(backend)
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: maxCallers, DisableCompression: true}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength >= 0 && r.ContentLength <= shortBody {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler) // the client is gone
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		proxy.ServeHTTP(w, r)
	}))
}

// shortBody is how long a body is at most that is read first, in bytes.
const shortBody = 64 << 10

// serveStub answers every request with 200 and the answer to SELECT 1.
func serveStub(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_ = answerStub(conn) // clients come and go
		}()
	}
}

// stubAnswer is what ClickHouse 26.7 sends; the id comes where %s stands.
const stubAnswer = "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jun 2026 12:00:00 GMT\r\nConnection: Keep-Alive\r\n" +
	"Content-Type: text/tab-separated-values; charset=UTF-8\r\nX-ClickHouse-Server-Display-Name: stub\r\n" +
	"Transfer-Encoding: chunked\r\nX-ClickHouse-Query-Id: %s\r\nX-ClickHouse-Format: TabSeparated\r\nX-ClickHouse-Timezone: UTC\r\n" +
	"X-ClickHouse-Exception-Tag: abcdefghijklmnop\r\nKeep-Alive: timeout=10, max=9999\r\n" +
	`X-ClickHouse-Summary: {"read_rows":"1","read_bytes":"1","written_rows":"0","written_bytes":"0","total_rows_to_read":"1",` +
	`"result_rows":"1","result_bytes":"128","elapsed_ns":"565130","memory_usage":"0"}` + "\r\n\r\n2\r\n1\n\r\n0\r\n\r\n"

const stubPong = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nOk.\n"

// answerStub answers the requests of one connection. They tell the length of their
// bodies: those that are measured here are short.
func answerStub(conn net.Conn) error {
	in := bufio.NewReader(conn)
	for {
		line, h, err := readStubRequest(in)
		if err != nil {
			return err
		}
		if _, err := in.Discard(max(h.length, 0)); err != nil {
			return err
		}
		if strings.HasPrefix(line, "GET /ping ") {
			_, err = io.WriteString(conn, stubPong)
		} else {
			_, err = fmt.Fprintf(conn, stubAnswer, stubID(line))
		}
		if err != nil {
			return err
		}
	}
}

// readStubRequest reads the head of a request, and its first line.
func readStubRequest(in *bufio.Reader) (line string, h head, err error) {
	first, err := readLine(in)
	if err != nil {
		return "", h, err
	}
	line = string(first)
	return line, h, h.fields(in)
}

// stubID is the query_id in the first line of a request.
func stubID(line string) string {
	_, id, _ := strings.Cut(line, "query_id=")
	if end := strings.IndexAny(id, "& "); end >= 0 {
		id = id[:end]
	}
	return id
}
