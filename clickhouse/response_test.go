package clickhouse

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
)

// readResponse reads the header and the body of a response in pieces of one byte, and
// in pieces as large as they come.
func readResponse(t *testing.T, text string, progress func(string)) (*response, string, error) {
	t.Helper()
	in := bufio.NewReaderSize(strings.NewReader(text), 16)
	h := headerReader{in: in, left: maxHeader, progress: progress}
	r, err := h.read()
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(r.open(in))
	return r, string(body), err
}

func TestResponses(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, test := range []struct {
		name, text, body string
		bad              string // what the error says; "": there is none
	}{
		{"a length", ok + "Content-Length: 3\r\n\r\nyes", "yes", ""},
		{"no body", ok + "content-length:0 \r\n\r\n", "", ""},
		{"chunks", ok + "Transfer-Encoding: Chunked\r\n\r\n2\r\nye\r\n1;x=y\r\ns\r\n0\r\n\r\n", "yes", ""},
		{"chunks and fields behind them", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n", "yes", ""},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nyes", "yes", ""},
		{"204", "HTTP/1.1 204 No Content\r\n\r\nnot of it", "", ""},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nyes", "yes", ""},
		{"a value with spaces, tabs and UTF-8", ok + "X-A: \t a  b\tü \r\nContent-Length: 0\r\n\r\n", "", ""},
		{"behind another", "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 3\r\n\r\nyes", "yes", ""},

		{"nothing", "", "", "unexpected EOF"},
		{"half a line", "HTTP/1.1 200 OK", "", "unexpected EOF"},
		{"half a header", ok + "X-A: b\r\n", "", "unexpected EOF"},
		{"too short", ok + "Content-Length: 4\r\n\r\nyes", "", "unexpected EOF"},
		{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n", "", "unexpected EOF"},
		{"half a last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n", "", "unexpected EOF"},
		{"endless fields behind chunks", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X-A: b\r\n", maxHeader), "", "more than"},
		{"no chunk", ok + "Transfer-Encoding: chunked\r\n\r\nyes\r\n", "", "invalid"},

		{"length and chunks", ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n", "", "nobody asked for"},
		{"chunks and length", ok + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nyes\r\n0\r\n\r\n", "", "Content-Length"},
		{"two lengths", ok + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nyes", "", "Content-Length"},
		{"a list of lengths", ok + "Content-Length: 3, 3\r\n\r\nyes", "", "Content-Length"},
		{"a signed length", ok + "Content-Length: +3\r\n\r\nyes", "", "Content-Length"},
		{"a huge length", ok + "Content-Length: 9223372036854775807\r\n\r\nyes", "", "Content-Length"},
		{"no length", ok + "Content-Length:\r\n\r\nyes", "", "Content-Length"},
		{"another coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\nyes", "", "nobody asked for"},
		{"chunks twice", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\nyes", "", "nobody asked for"},
		{"chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "nobody asked for"},

		{"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "", "does not begin"},
		{"no version", "200 OK\r\n\r\n", "", "does not begin"},
		{"no status", "HTTP/1.1 OK\r\n\r\n", "", "does not begin"},
		{"a short status", "HTTP/1.1 20 OK\r\n\r\n", "", "does not begin"},
		{"a signed status", "HTTP/1.1 +20 OK\r\n\r\n", "", "does not begin"},
		{"a bare line feed", ok + "X-A: b\nContent-Length: 0\r\n\r\n", "", "CR LF"},
		{"a bare carriage return", ok + "X-A: b\rX-C: d\r\n\r\n", "", "no field"},
		{"NUL", ok + "X-A: b\x00\r\n\r\n", "", "no field"},
		{"a folded line", ok + "X-A: b\r\n c\r\n\r\n", "", "no field"},
		{"a space before the colon", ok + "Content-Length : 3\r\n\r\nyes", "", "no field"},
		{"no colon", ok + "X-A\r\n\r\n", "", "no field"},
		{"no name", ok + ": b\r\n\r\n", "", "no field"},
		{"a huge line", ok + "X-A: " + strings.Repeat("b", maxHeader) + "\r\n\r\n", "", "more than"},
		{"many lines", ok + strings.Repeat("X-A: b\r\n", maxHeader/8) + "\r\n", "", "more than"},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "", "another protocol"},
		{"endless announcements", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", maxHeader), "", "more than"},
	} {
		r, body, err := readResponse(t, test.text, nil)
		switch {
		case test.bad != "":
			if err == nil || !strings.Contains(err.Error(), test.bad) {
				t.Errorf("%s: the error is %v, want … %s", test.name, err, test.bad)
			}
		case err != nil || body != test.body:
			t.Errorf("%s: %q, %v", test.name, body, err)
		case r.endless != (test.name == "HTTP/1.0"):
			t.Errorf("%s: endless is %v", test.name, r.endless)
		}
	}
}

// A connection is used again only when the server says nothing against it.
func TestWhoClosesConnections(t *testing.T) {
	t.Parallel()
	for text, closes := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":                           false,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n": false,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n":      true,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, close\r\n\r\n":   true,
		"HTTP/1.1 200 OK\r\n\r\n":                                                             true,
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n":                                        true,
		"HTTP/1.1 304 Not Modified\r\nX-A: b\r\n\r\n":                                         false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n": true,
	} {
		if r, _, err := readResponse(t, text, nil); err != nil || r.closes != closes {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
}

// A line without end is not held in memory until it ends.
func TestEndlessLine(t *testing.T) {
	t.Parallel()
	in := bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\nX-A: "), zeros{}))
	h := headerReader{in: in, left: maxHeader, progress: func(string) {}}
	if _, err := h.read(); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("the error is %v", err)
	}
}

// Fields keep their spelling and order; progress is told as it comes, if somebody
// asks, and is no part of the header then.
func TestFieldsAndProgress(t *testing.T) {
	t.Parallel()
	text := "HTTP/1.1 200 OK\r\nX-ClickHouse-Progress: {1}\r\nx-b: 1\r\nX-clickhouse-progress: {2}\r\nX-A: 2\r\nX-B: 3\r\nContent-Length: 0\r\n\r\n"
	var told []string
	r, _, err := readResponse(t, text, func(line string) { told = append(told, line) })
	want := []porterhouse.Setting{{Name: "x-b", Value: "1"}, {Name: "X-A", Value: "2"}, {Name: "X-B", Value: "3"}, {Name: "Content-Length", Value: "0"}}
	if err != nil || !slices.Equal(r.fields, want) || !slices.Equal(told, []string{"{1}", "{2}"}) || r.field("X-B") != "1" {
		t.Errorf("%+v, told %q, %v", r, told, err)
	}
	r, _, err = readResponse(t, text, nil)
	if err != nil || len(r.fields) != len(want)+2 {
		t.Errorf("%+v, %v", r, err)
	}

	// However long a statement takes, its progress does not end it; what is not
	// progress does, and so does a line that nobody would call progress.
	line := progressField + `: {"read_rows":"22304469","read_bytes":"178435752","total_rows_to_read":"300000000"}` + "\r\n"
	count := 0
	long := "HTTP/1.1 200 OK\r\n" + strings.Repeat(line, 10*maxHeader/len(line)) + "Content-Length: 0\r\n\r\n"
	if _, _, err := readResponse(t, long, func(string) { count++ }); err != nil || count != 10*maxHeader/len(line) {
		t.Errorf("%d lines of progress, %v", count, err)
	}
	if _, _, err := readResponse(t, long, nil); err == nil {
		t.Error("a header without end is read")
	}
	for _, bad := range []string{
		strings.ReplaceAll(long, progressField, "X-Progress"),
		"HTTP/1.1 200 OK\r\n" + strings.Repeat(progressField+": "+strings.Repeat("x", maxProgress)+"\r\n", maxHeader/maxProgress) + "\r\n",
		"HTTP/1.1 200 OK\r\n" + progressField + ": " + strings.Repeat("x", maxHeader),
	} {
		if _, _, err := readResponse(t, bad, func(string) {}); err == nil {
			t.Errorf("%.60q… is read", bad)
		}
	}
}

// Progress is told before the rest of the header is there, and one without end ends
// with the question.
func TestProgressComesAtOnce(t *testing.T) {
	t.Parallel()
	heard := make(chan string)
	address := speaker(t, func(c net.Conn, in *bufio.Reader) error {
		if _, err := readRequest(in, nil); err != nil {
			return err
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: id\r\n")
		for i := range 3 {
			fmt.Fprintf(c, "%s: %d\r\n", progressField, i)
			if got := <-heard; got != fmt.Sprint(i) { // before the next is on its way
				t.Errorf("%q is told as progress %d", got, i)
			}
		}
		_, err := io.WriteString(c, "Content-Length: 3\r\n\r\nyes")
		return err
	})
	client := silentClient(t, address)
	k := newTestCall(t.Context(), client, "id", 0)
	r, err := client.questions.ask(k.ctx, outgoing{head: postHead, progress: func(line string) { heard <- line }}, new(atomic.Bool))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r.body); err != nil || string(text) != "yes" {
		t.Errorf("%q, %v", text, err)
	}
	k.finish()

	endless := silentClient(t, speaker(t, func(c net.Conn, in *bufio.Reader) error {
		if _, err := readRequest(in, nil); err != nil {
			return err
		}
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for err == nil {
			_, err = io.WriteString(c, progressField+": {}\r\n")
		}
		return err
	}))
	k = newTestCall(t.Context(), endless, "id", 0)
	defer k.finish()
	lines := 0
	_, err = endless.questions.ask(k.ctx, outgoing{head: postHead, progress: func(string) {
		if lines++; lines == 100_000 {
			k.cancel() // the time is up
		}
	}}, new(atomic.Bool))
	if err == nil || k.ctx.Err() == nil || errors.Is(err, io.EOF) || lines < 100_000 {
		t.Errorf("after %d lines: %v", lines, err)
	}
	eventuallyTrue(t, "its place is free", func() bool { return len(endless.questions.places) == 0 })
}

// eventuallyTrue waits until something has come to pass.
func eventuallyTrue(t *testing.T, what string, passed func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !passed(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in 20 s: %s", what)
		}
	}
}
