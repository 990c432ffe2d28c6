package proxy

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const rawToken = "Authorization: Bearer token-alice\r\n"

// No request has a second one hidden in it: whatever its head says of its length, the
// second one is never answered, or the first one is not.
func TestSmuggling(t *testing.T) {
	h := newHouse(t)
	const hidden = "GET /?query=SELECT+'smuggled' HTTP/1.1\r\nHost: x\r\n" + rawToken + "\r\n"
	for name, request := range map[string]string{
		"two lengths":             "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Content-Length: 8\r\nContent-Length: 0\r\n\r\nSELECT 1" + hidden,
		"a list of lengths":       "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Content-Length: 8, 0\r\n\r\nSELECT 1" + hidden,
		"a signed length":         "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Content-Length: +0\r\n\r\n" + hidden,
		"two codings":             "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"a coding nobody knows":   "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"a list of codings":       "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a space before a colon":  "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Content-Length : 0\r\n\r\n" + hidden,
		"a line that is folded":   "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "X-A: b\r\n Content-Length: 0\r\n\r\n" + hidden,
		"a head before the first": "POST / HTTP/1.1\r\n Host: x\r\n" + rawToken + "Content-Length: 0\r\n\r\n" + hidden,
		"no host":                 "GET /?query=SELECT+1 HTTP/1.1\r\n" + rawToken + "\r\n" + hidden,
		"two hosts":               "GET /?query=SELECT+1 HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + rawToken + "\r\n" + hidden,
		"a NUL":                   "GET /?query=SELECT+1 HTTP/1.1\r\nHost: x\r\nX-A: \x00\r\n" + rawToken + "\r\n" + hidden,
		"a chunk of odd size":     "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Transfer-Encoding: chunked\r\n\r\n0x8\r\nSELECT 1\r\n0\r\n\r\n" + hidden,
		"a chunk that is longer":  "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Transfer-Encoding: chunked\r\n\r\n4\r\nSELECT 1\r\n0\r\n\r\n" + hidden,
		"bare line feeds":         "POST / HTTP/1.1\r\nHost: x\r\n" + rawToken + "Transfer-Encoding: chunked\r\n\r\n8;a\nSELECT 1\n0\n\n" + hidden,
	} {
		got := rawAll(t, h.url, request)
		status, _, _ := strings.Cut(got, "\r\n")
		if strings.Count(got, "HTTP/1.1 ") != 1 || !strings.HasPrefix(status, "HTTP/1.1 4") && !strings.HasPrefix(status, "HTTP/1.1 5") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// rawAll sends bytes and returns all that comes back.
func rawAll(t testing.TB, url, request string) string {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	check(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, request)
	check(t, err)
	check(t, connection.(*net.TCPConn).CloseWrite())
	check(t, connection.SetReadDeadline(time.Now().Add(20*time.Second)))
	all, _ := io.ReadAll(connection) // a broken connection is an answer, too
	return string(all)
}

// With both a length and chunks, the chunks count (RFC 9112, 6.3), as in ClickHouse.
func TestLengthAndChunks(t *testing.T) {
	h := newHouse(t)
	got := raw(t, h.url, "POST / HTTP/1.1\r\nHost: x\r\n"+rawToken+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n8\r\nSELECT 7\r\n0\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.HasSuffix(got, "7\n") && !strings.Contains(got, "7\n\r\n0\r\n") {
		t.Error(got)
	}
}

// What a client sends does not come back as a field of the head.
func TestHeadInjection(t *testing.T) {
	h := newHouse(t)
	const evil = "a%0d%0aX-Evil:%201%0d%0a%0d%0aSELECT"
	for _, target := range []string{
		"query_id=" + evil, "session_id=" + evil, "default_format=" + evil, "database=" + evil, "role=" + evil, "max_threads=" + evil, evil + "=1",
		"param_a=" + evil, "quota_key=" + evil, "log_comment=" + evil, "session_id=a&session_timeout=" + evil, "client_protocol_version=" + evil,
		"http_response_headers={'X-Evil':'1'}", "send_progress_in_http_headers=1&query_id=" + evil, "user=" + evil + "&password=x",
	} {
		got := h.send(t, "GET", "/?query=SELECT+1&"+target, nil, "Authorization", "Bearer token-alice")
		if len(got.header["X-Evil"]) > 0 || got.err != nil {
			t.Errorf("%s: %v", target, got.header)
		}
	}
	for _, user := range []string{"a\r\nX-Evil: 1", "<script>", strings.Repeat("u", 5000)} {
		got := h.send(t, "GET", "/?query=SELECT+1", nil, "Authorization", basic(user+":token-alice"))
		if got.status != 403 || len(got.header["X-Evil"]) > 0 || got.header.Get("Content-Type") != plainText || len(got.body) > 500 {
			t.Errorf("%q: %d %v %s", user, got.status, got.header, got.body)
		}
	}
}

// What is too large is refused, and nothing of it is kept.
func TestOversized(t *testing.T) {
	h := newHouse(t)
	token := []string{"Authorization", "Bearer token-alice"}
	for name, target := range map[string]string{
		"a URL":           "/?query=SELECT+1&param_a=" + strings.Repeat("x", 2<<20),
		"parameters":      "/?query=SELECT+1" + strings.Repeat("&a=1", maxParameters),
		"a query_id":      "/?query=SELECT+1&query_id=" + strings.Repeat("x", maxID+1),
		"a session_id":    "/?query=SELECT+1&session_id=" + strings.Repeat("x", maxID+1),
		"a statement":     "/?query=SELECT+'" + strings.Repeat("x", 300<<10) + "'",
		"a session's age": "/?query=SELECT+1&session_id=a&session_timeout=99999999999999999999",
	} {
		if got := h.send(t, "GET", target, nil, token...); got.status < 400 {
			t.Errorf("%s: %d %.200s", name, got.status, got.body)
		}
	}
	if got := h.send(t, "GET", "/?query=SELECT+1", nil, append(token, "X-A", strings.Repeat("x", 2<<20))...); got.status != 431 {
		t.Errorf("a head: %d %s", got.status, got.body)
	}
}

// Settings that our promises stand on are nobody's to choose, wherever they stand.
func TestReserved(t *testing.T) {
	h := newHouse(t)
	for _, setting := range []string{"readonly=0", "replace_running_query=1", "log_queries=0", "http_response_headers={'a':'b'}", "max_query_size=1", "profile=default", "allow_custom_error_code_in_throwif=1"} {
		if got := h.send(t, "POST", "/?"+setting, strings.NewReader("SELECT 1"), "Authorization", "Bearer token-alice"); got.status < 400 || strings.Contains(got.body, "(version") {
			t.Errorf("%s: %d %s", setting, got.status, got.body)
		}
	}
}

// A refusal comes at once, although the client has not sent all it wants to send, and
// the next request on a connection is answered as if nothing had been.
func TestUnreadBodies(t *testing.T) {
	h := newHouse(t)
	for name, head := range map[string]string{
		"not allowed":    "POST /?query=EXECUTE+AS+bob+SELECT HTTP/1.1\r\nHost: x\r\n" + rawToken + "Content-Length: 10000000\r\n\r\n",
		"no such coding": "POST /?query=SELECT HTTP/1.1\r\nHost: x\r\n" + rawToken + "Content-Encoding: xz\r\nTransfer-Encoding: chunked\r\n\r\nF4240\r\n",
		"few bytes":      "POST /?query=SELECT HTTP/1.1\r\nHost: x\r\n" + rawToken + "Content-Encoding: xz\r\nTransfer-Encoding: chunked\r\n\r\nF4240\r\n",
		"nobody":         "POST /?query=SELECT HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n",
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		check(t, err)
		rest := strings.Repeat("1\ta\n", 100_000)
		if strings.Contains(name, "few") {
			rest = rest[:8]
		}
		_, err = io.WriteString(connection, head+rest)
		check(t, err)
		check(t, connection.SetReadDeadline(time.Now().Add(30*time.Second)))
		answer := make([]byte, 12)
		if _, err := io.ReadFull(connection, answer); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 4") && !strings.HasPrefix(string(answer), "HTTP/1.1 5") {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		check(t, connection.Close())
	}
	for range 20 {
		for _, body := range []string{"SELECT 1", "SELEC 1"} {
			h.send(t, "POST", "/", io.MultiReader(strings.NewReader(body)), "Authorization", "Bearer token-alice", "Content-Encoding", "xz")
			if got := h.ask(t, "SELECT 1"); got.body != "1\n" {
				t.Errorf("%d %s", got.status, got.body)
			}
		}
	}
}

// What clients ask for each time, and what comes of it: clickhouse-connect sends the one
// with every query, mcp-clickhouse the other.
func TestReadOnlyByWish(t *testing.T) {
	h := newHouse(t)
	token := []string{"Authorization", "Bearer token-alice"}
	for _, target := range []string{"/?cancel_http_readonly_queries_on_client_close=1", "/?readonly=1", "/?readonly=2"} {
		if got := h.send(t, "POST", target, strings.NewReader("SELECT getSetting('readonly')"), token...); got.body != "2\n" {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	got := h.send(t, "POST", "/?readonly=1", strings.NewReader("CREATE TABLE default.by_wish (a Int8) ENGINE = Memory"), token...)
	if got.status != 500 || !strings.Contains(got.body, "(READONLY)") || strings.Contains(got.body, "(version") {
		t.Errorf("a write that was to be none: %d %s", got.status, got.body)
	}
}
