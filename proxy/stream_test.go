package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// The client gets a row when ClickHouse has sent it, not when there are many.
func TestRowsComeAtOnce(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", h.url+"/?max_block_size=1", strings.NewReader("SELECT 'at-once', number, repeat('x', 999999), repeat('y', 999999), repeat('z', 999999) FROM shop.slow FORMAT TSV SETTINGS output_format_parallel_formatting = 0"))
	check(t, err)
	r.Header.Set("Authorization", "Bearer token-alice")
	response, err := http.DefaultClient.Do(r)
	check(t, err)
	defer response.Body.Close()
	if line, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "at-once\t0\t") {
		t.Errorf("%q, %v", line, err)
	}
	h.running(t, "at-once", true)
	cancel()
	h.running(t, "at-once", false)
}

// What was cut off looks so: there is no last chunk.
func TestCutAnswer(t *testing.T) {
	h := newHouse(t)
	got := h.ask(t, "SELECT * FROM shop.fuse")
	if got.status != 200 || got.err == nil || !strings.Contains(got.body, "the fuse blew") {
		t.Errorf("%d, %d bytes, %v", got.status, len(got.body), got.err)
	}
	if h.Stats().Broken != 1 {
		t.Errorf("%+v", h.Stats())
	}
}

// A query ends when its client leaves, before the first byte too.
func TestClientLeaves(t *testing.T) {
	h := newHouse(t)
	connection, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	check(t, err)
	_, err = io.WriteString(connection, "GET /?query=SELECT+'leaves',count()+FROM+shop.slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-alice\r\n\r\n")
	check(t, err)
	h.running(t, "leaves", true)
	check(t, connection.Close())
	h.running(t, "leaves", false)
}

// Progress comes while the query runs, as fields of a head that is not at its end.
func TestProgress(t *testing.T) {
	h := newHouse(t)
	connection, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	check(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET /?query=SELECT+'progress',count()+FROM+shop.slow&send_progress_in_http_headers=1&http_headers_progress_interval_ms=10 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-alice\r\n\r\n")
	check(t, err)
	in := bufio.NewReader(connection)
	check(t, connection.SetReadDeadline(time.Now().Add(30*time.Second)))
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 200 OK\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	for range 3 {
		if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, `X-ClickHouse-Progress: {"read_rows":"`) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	h.running(t, "progress", true)
	check(t, connection.Close())
	h.running(t, "progress", false)
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a\r\nX-Evil: 1\x00"); got != "a  X-Evil: 1 " {
		t.Errorf("%q", got)
	}
}

// Behind the lines of progress comes a whole answer, also when ClickHouse has changed its mind.
func TestProgressToTheEnd(t *testing.T) {
	h := newHouse(t)
	const url = "/?send_progress_in_http_headers=1&http_headers_progress_interval_ms=10&max_block_size=1"
	got := h.send(t, "POST", url, strings.NewReader("SELECT sum(sleepEachRow(0.05)) FROM numbers(5)"), "Authorization", "Bearer token-alice")
	if got.body != "0\n" || got.err != nil || len(got.header["X-Clickhouse-Progress"]) == 0 || got.header.Get("X-ClickHouse-Format") != "TSV" || got.header.Get("X-ClickHouse-Summary") == "" {
		t.Errorf("%d %v %q %v", got.status, got.header, got.body, got.err)
	}
	got = h.send(t, "POST", url, strings.NewReader("SELECT sum(sleepEachRow(0.05)), throwIf(max(number) = 4, 'no more') FROM numbers(5)"), "Authorization", "Bearer token-alice")
	if !strings.Contains(got.body, "no more") {
		t.Errorf("%d %v %q %v", got.status, got.header, got.body, got.err)
	}
}

func pack(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	check(t, err)
	check(t, w.Close())
	return b.Bytes()
}

// What is sent is inserted whole, or refused.
func TestInsert(t *testing.T) {
	h := newHouse(t)
	var rows strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&rows, "%d\trow %d\n", i, i)
	}
	const sql = "INSERT INTO shop.inbox FORMAT TSV"
	const inURL = "/?query=INSERT+INTO+shop.inbox+FORMAT+TSV"
	packed := pack(t, rows.String())
	for _, c := range []struct {
		name, target string
		body         io.Reader
		head         []string
		status, rows int
		says         string
	}{
		{"the query in the URL", inURL, strings.NewReader(rows.String()), nil, 200, 20_000, ""},
		{"all in the body", "/", strings.NewReader(sql + "\n" + rows.String()), nil, 200, 20_000, ""},
		{"nobody knows how long", inURL, io.MultiReader(strings.NewReader(rows.String())), nil, 200, 20_000, ""},
		{"packed", inURL, bytes.NewReader(packed), []string{"Content-Encoding", "gzip"}, 200, 20_000, ""},
		{"all of it packed", "/", bytes.NewReader(pack(t, sql+"\n"+rows.String())), []string{"Content-Encoding", "gzip"}, 200, 20_000, ""},
		{"packed and cut off", inURL, bytes.NewReader(packed[:len(packed)-100]), []string{"Content-Encoding", "gzip"}, 500, 0, "(CANNOT_DECOMPRESS)"},
		{"packed, with something behind it", inURL, bytes.NewReader(append(packed[:len(packed):len(packed)], "9\tx\n"...)), []string{"Content-Encoding", "gzip"}, 500, 0, "(CANNOT_DECOMPRESS)"},
		{"not packed at all", inURL, strings.NewReader("1\tx\n"), []string{"Content-Encoding", "gzip"}, 500, 0, "(CANNOT_DECOMPRESS)"},
		{"no block", inURL + "&decompress=1", strings.NewReader("1\tx\n"), nil, 500, 0, "(CANNOT_DECOMPRESS)"},
		{"a coding that nobody knows", inURL, strings.NewReader("1\tx\n"), []string{"Content-Encoding", "xz"}, 501, 0, "(NOT_IMPLEMENTED)"},
		{"no such table", "/?query=INSERT+INTO+shop.nope+FORMAT+TSV", strings.NewReader(rows.String()), nil, 404, 0, "(UNKNOWN_TABLE)"},
	} {
		h.exec(t, "TRUNCATE TABLE shop.inbox")
		got := h.send(t, "POST", c.target, c.body, append(c.head, "Authorization", "Bearer token-alice")...)
		if count := h.text(t, "SELECT count() FROM shop.inbox"); got.status != c.status || count != fmt.Sprint(c.rows) || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %d %s, %s rows", c.name, got.status, got.body, count)
		}
	}
}

// A client that leaves in the middle of its data leaves nothing behind.
func TestInsertBreaksOff(t *testing.T) {
	h := newHouse(t)
	h.exec(t, "TRUNCATE TABLE shop.inbox")
	// So much that ClickHouse looks at it before it has everything, and less than a block.
	for _, framing := range []string{"Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nF4240\r\n"} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		check(t, err)
		_, err = io.WriteString(connection, "POST /?query=INSERT+INTO+shop.inbox+FORMAT+TSV&query_id=breaks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-alice\r\n"+framing+strings.Repeat("1\ta\n", 100_000))
		check(t, err)
		h.running(t, "INSERT INTO shop.inbox", true)
		check(t, connection.Close())
		h.running(t, "INSERT INTO shop.inbox", false)
	}
	if count := h.text(t, "SELECT count() FROM shop.inbox"); count != "0" {
		t.Errorf("%s rows", count)
	}
}
