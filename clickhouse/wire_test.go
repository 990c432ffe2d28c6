package clickhouse_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
)

// wire is a server that speaks as badly as a test wants it to.
type wire struct {
	*clickhouse.Client
	speak    func(c net.Conn, r *http.Request, end <-chan struct{}) (keep bool)
	kill     func(sql string) (answer string) // nil: no statement is known
	requests atomic.Int64                     // for people, not KILLs
	open     atomic.Int64                     // connections
}

// serve answers each request for a person by what speak writes, which may also
// wait for the end of the test, and returns whether to keep the connection.
func serve(t *testing.T, speak func(c net.Conn, r *http.Request, end <-chan struct{}) bool, changes ...func(*clickhouse.Config)) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := serveOn(t, listener, speak)
	w.Client = dial(t, "http://"+listener.Addr().String(), append([]func(*clickhouse.Config){impatient}, changes...)...)
	t.Cleanup(func() {
		// There is nothing to be killed: do not wait until that is known for sure.
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = w.Client.Close(ctx)
	})
	return w
}

// serveOn is serve without a client.
func serveOn(t *testing.T, listener net.Listener, speak func(c net.Conn, r *http.Request, end <-chan struct{}) bool) *wire {
	w := &wire{speak: speak}
	end := make(chan struct{})
	var serving sync.WaitGroup
	t.Cleanup(func() {
		close(end)
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				w.open.Add(1)
				for in := bufio.NewReader(connection); w.answer(in, connection, end); {
				}
				connection.Close()
				w.open.Add(-1)
			})
		}
	})
	return w
}

func (w *wire) answer(in *bufio.Reader, out net.Conn, end <-chan struct{}) bool {
	request, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	sql, err := io.ReadAll(request.Body)
	if err != nil {
		return false
	}
	if bytes.HasPrefix(sql, []byte("KILL ")) {
		answer := ""
		if w.kill != nil {
			answer = w.kill(string(sql))
		}
		fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
		return true
	}
	w.requests.Add(1)
	return w.speak(out, request, end)
}

// head is the header of a good response, with a tag unless tag is "".
func head(r *http.Request, tag string) string {
	query := r.URL.Query()
	h := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-ClickHouse-Query-Id: " + query.Get("query_id") +
		"\r\nX-ClickHouse-Format: " + query.Get("default_format") + "\r\n"
	if tag != "" {
		h += "X-ClickHouse-Exception-Tag: " + tag + "\r\n"
	}
	return h + "\r\n"
}

// chunk is text as one chunk.
func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

const lastChunk = "0\r\n\r\n"

func TestWire(t *testing.T) {
	t.Parallel()
	const (
		tag       = "abcdefghijklmnop"
		columns   = "x\nUInt8\n"
		mark      = "\r\n__exception__\r\n"
		exception = "Code: 395. DB::Exception: Too bad. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO) (version 25.8.1.1 (official build))\n"
	)
	none, unavailable, failed, internal := porterhouse.Kind(""), porterhouse.Unavailable, porterhouse.Failed, porterhouse.Internal
	for _, test := range []struct {
		name   string
		say    func(r *http.Request) string
		text   string // that can be read
		kind   porterhouse.Kind
		public string
	}{
		{"all is well", func(r *http.Request) string { return head(r, tag) + chunk(columns+"1\n2\n") + lastChunk }, "1\n2\n", none, ""},
		{"all is well, untagged", func(r *http.Request) string { return head(r, "") + chunk(columns+"1\n2\n") + lastChunk }, "1\n2\n", none, ""},
		{"a length instead of chunks", func(r *http.Request) string {
			return strings.Replace(head(r, tag), "Transfer-Encoding: chunked", "Content-Length: 10", 1) + columns + "1\n"
		}, "1\n", none, ""},
		{"tagged exception", func(r *http.Request) string {
			return head(r, tag) + chunk(columns+"1\n2") + chunk(mark+tag+"\r\n"+exception+"108 "+tag+mark)
		}, "1\n", failed, "Too bad"},
		{"tagged exception, well ended", func(r *http.Request) string {
			return head(r, tag) + chunk(columns+"1\n") + chunk(mark+tag+"\r\n"+exception+"108 "+tag+mark) + lastChunk
		}, "1\n", failed, "Too bad"},
		{"untagged exception", func(r *http.Request) string { return head(r, "") + chunk(columns+"1\n"+mark+exception) }, "1\n", failed, "Too bad"},
		{"plain exception", func(r *http.Request) string { return head(r, "") + chunk(columns+"1\n2"+exception) + lastChunk }, "1\n", failed, "Too bad"},
		{"no last chunk", func(r *http.Request) string { return head(r, tag) + chunk(columns+"1\n2\n") }, "1\n2\n", unavailable, "not complete"},
		{"half a chunk", func(r *http.Request) string { return head(r, tag) + chunk(columns+"1\n") + "ff\r\n2\n" }, "1\n2\n", unavailable, "not complete"},
		{"half a row", func(r *http.Request) string { return head(r, tag) + chunk(columns+"1\n2") + lastChunk }, "1\n", unavailable, "broken"},
		{"no types", func(r *http.Request) string { return head(r, tag) + chunk("x\n") + lastChunk }, "", unavailable, "broken"},
		{"fewer types", func(r *http.Request) string { return head(r, tag) + chunk("x\ty\nUInt8\n1\t2\n") + lastChunk }, "", unavailable, "broken"},
		{"endless names", func(r *http.Request) string { return head(r, tag) + chunk(strings.Repeat("x", 3<<20)) }, "", porterhouse.Limited, "fewer columns"},
		{"no end to be seen", func(r *http.Request) string {
			return strings.Replace(head(r, tag), "Transfer-Encoding: chunked\r\n", "", 1) + columns + "1\n"
		}, "", unavailable, "whether it is complete"},
		{"HTTP/1.0", func(r *http.Request) string {
			return strings.NewReplacer("Transfer-Encoding: chunked\r\n", "", "1.1", "1.0").Replace(head(r, tag)) + columns + "1\n"
		}, "", unavailable, "whether it is complete"},
		{"somebody else's answer", func(r *http.Request) string {
			return strings.Replace(head(r, tag), "Query-Id: ", "Query-Id: other-", 1) + chunk(columns+"1\n") + lastChunk
		}, "", internal, "another question"},
		{"no query id", func(r *http.Request) string {
			return strings.Replace(head(r, tag), "Query-Id", "Id", 1) + chunk(columns+"1\n") + lastChunk
		}, "", unavailable, "not ClickHouse"},
		{"another format", func(r *http.Request) string {
			return strings.Replace(head(r, tag), "TabSeparatedWithNamesAndTypes", "JSON", 1) + chunk("{}") + lastChunk
		}, "", porterhouse.Refused, "FORMAT JSON"},
		{"a page", func(*http.Request) string { return "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>" }, "", unavailable, "not ClickHouse"},
		{"a redirect", func(*http.Request) string {
			return "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
		}, "", unavailable, "not ClickHouse"},
		{"an exception of another kind", func(*http.Request) string {
			return "HTTP/1.1 500 Oh\r\nX-ClickHouse-Exception-Code: 1000\r\nContent-Length: 30\r\n\r\nPoco::Exception. Code: 1000, e"
		}, "", unavailable, "does not tell more"},
		{"an exception with status 200", func(r *http.Request) string {
			return strings.Replace(head(r, tag), "\r\n\r\n", "\r\nX-ClickHouse-Exception-Code: 395\r\n\r\n", 1) + chunk(exception) + lastChunk
		}, "", failed, "Too bad"},
		{"no EXECUTE AS", func(r *http.Request) string {
			return refusal("Code: 62. DB::Exception: Syntax error: failed at position 1 (EXECUTE) (line 1, col 1): EXECUTE AS 'alice'. Expected one of: SELECT. (SYNTAX_ERROR) (version 24.8.1.1)")
		}, "", unavailable, "EXECUTE AS"},
		{"EXECUTE AS switched off", func(r *http.Request) string {
			return refusal("Code: 344. DB::Exception: IMPERSONATE feature is disabled, set access_control_improvements.allow_impersonate_user to 1 to enable. (SUPPORT_IS_DISABLED) (version 25.12.1.1)")
		}, "", unavailable, "EXECUTE AS"},
		{"another server speaks", func(r *http.Request) string {
			return refusal("Code: 60. DB::Exception: Received from shard-1.internal:9000. DB::Exception: Table a.b does not exist on 10.0.0.7:9000, [::1]:9000, http://u:p@s3/x as " + gateway + ". Stack trace:\n\n0. StackTrace(). (UNKNOWN_TABLE) (version 25.12.1.1)")
		}, "", failed, "ClickHouse 60 (UNKNOWN_TABLE): Table a.b does not exist on [host], [host], http[host]/x as [gateway]."},
		{"not HTTP", func(*http.Request) string { return "SSH-2.0-OpenSSH_9.6\r\n" }, "", unavailable, "broke"},
		{"a huge header", func(r *http.Request) string {
			return strings.Replace(head(r, tag), "\r\n\r\n", "\r\nX-Huge: "+strings.Repeat("x", 1<<20)+"\r\n\r\n", 1) + chunk(columns) + lastChunk
		}, "", unavailable, "broke"},
		{"nothing", func(*http.Request) string { return "" }, "", unavailable, "broke"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
				io.WriteString(c, test.say(r))
				return false
			})
			r, err := read(t.Context(), w.Client, account(t, "alice"), question("SELECT 1"))
			if test.kind == "" {
				if err != nil || r.Text != test.text || r.Summary.Cut != "" {
					t.Errorf("%+v, %v; want %q", r, err, test.text)
				}
			} else {
				wantError(t, err, test.kind, test.public)
				if r.Text != test.text || err == nil {
					t.Errorf("%q could be read, want %q", r.Text, test.text)
				}
			}
			if n := w.requests.Load(); n != 1 {
				t.Errorf("the statement was sent %d times", n)
			}
		})
	}
}

// A row without end is cut where the limit is, and not held in memory for ever.
func TestEndlessRow(t *testing.T) {
	t.Parallel()
	w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
		for _, err := io.WriteString(c, head(r, "a")+chunk("x\nString\nfirst\n")); err == nil; {
			_, err = io.WriteString(c, chunk(strings.Repeat("x", 10_000)))
		}
		return false
	})
	q := question("SELECT 1")
	q.Limits.Bytes = 1 << 20
	r, err := read(t.Context(), w.Client, account(t, "alice"), q)
	if err != nil || r.Text != "first\n" || r.Summary.Cut != porterhouse.CutBytes {
		t.Errorf("%.50q, %+v, %v", r.Text, r.Summary, err)
	}
}

// refusal is a response that is an exception, with its code where ClickHouse has it.
func refusal(exception string) string {
	code, _, _ := strings.Cut(strings.TrimPrefix(exception, "Code: "), ".")
	return fmt.Sprintf("HTTP/1.1 500 Oh\r\nX-ClickHouse-Exception-Code: %s\r\nContent-Length: %d\r\n\r\n%s", code, len(exception), exception)
}
