package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"porterhouse"
)

// What a client sees through the door is what it sees without it.
func TestAsDirect(t *testing.T) {
	h := newHouse(t)
	multipart := part("query", "-", "SELECT count(), sum(a) FROM x WHERE {p:Int8} = 7") + part("param_p", "-", "7") + part("x", "f", "1\n2\n") + formEnd
	form := []string{"Content-Type", "multipart/form-data; boundary=BB"}
	for _, c := range []struct {
		method, target, body string
		head                 []string
	}{
		{"GET", "/", "", nil},
		{"GET", "/ping", "", nil},
		{"GET", "/replicas_status", "", nil},
		{"HEAD", "/ping", "", nil},
		{"OPTIONS", "/", "", nil},
		{"PUT", "/?query=SELECT+1", "", nil},
		{"DELETE", "/?query=SELECT+1", "", nil},
		{"GET", "/?query=SELECT+1", "", nil},
		{"HEAD", "/?query=SELECT+1", "", nil},
		{"GET", "/query?query=SELECT+1", "", nil},
		{"POST", "/", "SELECT 1", nil},
		{"POST", "/?", "SELECT 1", nil},
		{"POST", "/?query=SELECT", " 2", nil},
		{"GET", "/?query=SELECT", " 5", nil},
		{"POST", "/", "SELECT 1", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"POST", "/?query=SELECT+1+FORMAT+JSON&output_format_write_statistics=0", "", nil},
		{"POST", "/?default_format=CSV", "SELECT 1, 'a'", nil},
		{"POST", "/?default_format=CSV", "SELECT 1, 'a'", []string{"X-ClickHouse-Format", "TSVWithNames"}},
		{"POST", "/?database=shop", "SELECT count() FROM orders", nil},
		{"POST", "/?database=system", "SELECT count() FROM orders", []string{"X-ClickHouse-Database", "shop"}},
		{"POST", "/?param_a=x%09y", "SELECT {a:String}", nil},
		{"POST", "/?max_threads=3&max_threads=5", "SELECT getSetting('max_threads')", nil},
		{"POST", "/?compress=1", "SELECT 1", nil},
		{"POST", "/?wait_end_of_query=1&buffer_size=10", "SELECT number FROM numbers(5)", nil},
		{"POST", "/?enable_http_compression=1", "SELECT number FROM numbers(1000)", []string{"Accept-Encoding", "gzip"}},
		{"POST", "/?x_structure=a+Int8&x_format=TSV", multipart, form},
		{"POST", "/", "SELECT nope", nil},
		{"POST", "/", "SELEC 1", nil},
		{"POST", "/?database=nope", "SELECT 1", nil},
		{"POST", "/?default_format=Nope", "SELECT 1", nil},
		{"POST", "/", "SELECT * FROM system.users", nil},
		{"POST", "/?nope=1", "SELECT 1", nil},
		{"POST", "/?QUERY=SELECT+1", "", nil},
		{"POST", "/?session_id=", "SELECT 1", nil},
		{"POST", "/?session_id=a&session_timeout=x", "SELECT 1", nil},
		{"POST", "/?session_id=nope&session_check=1", "SELECT 1", nil},
		{"POST", "/?quota_key=a", "SELECT 1", []string{"X-ClickHouse-Quota", "b"}},
		{"POST", "/", "SELECT 1", []string{"Content-Encoding", "foo"}},
		{"GET", "/?query=CREATE+TABLE+shop.x+(a+Int8)+ENGINE=Memory", "", nil},
	} {
		name := c.method + " " + c.target + " " + c.body
		door := h.send(t, c.method, c.target, strings.NewReader(c.body), append(c.head, "Authorization", "Bearer token-alice")...)
		direct := send(t, http.DefaultClient, c.method, h.db.HTTP+c.target, strings.NewReader(c.body), append(c.head, "Authorization", basic(everybody+":"+everybodysPassword))...)
		if door.status != direct.status {
			t.Errorf("%s: status %d, direct %d: %s", name, door.status, direct.status, door.body)
		}
		if got, want := plainly(door.body), plainly(direct.body); got != want && !errorOfOurs(door) {
			t.Errorf("%s:\n%q\ndirect:\n%q", name, got, want)
		}
		for _, field := range []string{"Content-Type", "Content-Encoding", "X-ClickHouse-Format", "X-ClickHouse-Timezone", "X-ClickHouse-Exception-Code", "X-ClickHouse-Server-Display-Name"} {
			if got, want := door.header.Get(field), direct.header.Get(field); got != want && !(errorOfOurs(door) && field != "X-ClickHouse-Exception-Code") && door.status/100 != 5 && c.target != "/replicas_status" {
				t.Errorf("%s: %s: %q, direct %q", name, field, got, want)
			}
		}
	}
}

// errorOfOurs reports whether an error was made here: then the number is ClickHouse's
// and the words may be ours.
func errorOfOurs(a answer) bool {
	return strings.HasPrefix(a.body, "Code: ") && !strings.Contains(a.body, "(version ")
}

// plainly is a body without what differs from one time to the next.
func plainly(body string) string {
	if at := strings.Index(body, "\n\nUse / or /ping"); at >= 0 {
		return body[:at]
	}
	return body
}

// The fields of the head are in ClickHouse's spelling.
func TestSpelling(t *testing.T) {
	h := newHouse(t)
	got := raw(t, h.url, "GET /?query=SELECT+1&query_id=q1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-alice\r\nConnection: close\r\n\r\n")
	for _, want := range []string{"\r\nX-ClickHouse-Query-Id: q1\r\n", "\r\nX-ClickHouse-Format: TSV", "\r\nX-ClickHouse-Summary: {"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestWhoComesIn(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		name, target string
		head         []string
		status       int
		says         string
	}{
		{"a token", "/", []string{"Authorization", "Bearer token-alice"}, 200, "1\n"},
		{"a bare token", "/", []string{"Authorization", "token-alice"}, 200, "1\n"},
		{"as the password of its account", "/", []string{"Authorization", basic("alice:token-alice")}, 200, "1\n"},
		{"as a key", "/", []string{"X-ClickHouse-Key", "token-alice", "X-ClickHouse-User", "alice"}, 200, "1\n"},
		{"nothing", "/", nil, 403, "Code: 516. DB::Exception: Authentication failed: send a token"},
		{"a bad token", "/", []string{"Authorization", "Bearer nonsense"}, 403, "Code: 516. DB::Exception: Authentication failed: the token is not known. (AUTHENTICATION_FAILED)\n"},
		{"somebody else's name", "/", []string{"Authorization", basic("bob:token-alice")}, 403, "Code: 516. DB::Exception: bob: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)\n"},
		{"the name in another case", "/", []string{"Authorization", basic("Alice:token-alice")}, 403, "Alice: Authentication failed"},
		{"the gateway's password", "/", []string{"Authorization", basic(everybody + ":" + everybodysPassword)}, 403, everybody + ": Authentication failed"},
		{"a token in the URL", "/?user=alice&password=token-alice", nil, 403, "a token in the URL is refused"},
	} {
		got := h.send(t, "POST", c.target, strings.NewReader("SELECT 1"), c.head...)
		if got.status != c.status || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
		}
		if c.status == 200 {
			continue
		}
		if got.header.Get("X-ClickHouse-Exception-Code") != "516" || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), `Bearer resource_metadata="https://`) {
			t.Errorf("%s: %v", c.name, got.header)
		}
	}
	if strings.Contains(h.logged.String(), "token-") {
		t.Errorf("a token is in the log:\n%s", h.logged)
	}
}

func TestURLCredentials(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.AllowURLCredentials = true })
	if got := h.send(t, "GET", "/?query=SELECT+1&user=alice&password=token-alice", nil); got.body != "1\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := h.send(t, "GET", "/no-such-path?user=alice&password=token-alice", nil); got.status != 404 || strings.Contains(got.body, "token") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if strings.Contains(strings.ReplaceAll(h.logged.String(), "tokens come in URLs", ""), "token-") {
		t.Errorf("a token is in the log:\n%s", h.logged)
	}
}

// A password goes to ClickHouse and to nobody else, and a token never does.
func TestPasswords(t *testing.T) {
	var shown []string
	h := newHouse(t, func(c *Config) {
		c.Verify = func(ctx context.Context, token string) (porterhouse.Principal, error) {
			shown = append(shown, token)
			return verify(ctx, token)
		}
		c.Login = func(_ context.Context, user porterhouse.UserName, password porterhouse.Secret, remote string) (porterhouse.Principal, error) {
			if user.String() != "paul" || !password.Equal("pw of paul") || remote == "" {
				return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "wrong")
			}
			return porterhouse.Principal{Issuer: "clickhouse:main", Subject: "paul", User: "paul", Proof: "password", Token: password}, nil
		}
	})
	if got := h.send(t, "POST", "/", strings.NewReader("SELECT currentUser()"), "Authorization", basic("paul:pw of paul")); got.body != "paul\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := h.send(t, "POST", "/", strings.NewReader("SELECT 1"), "Authorization", basic("paul:wrong")); got.status != 403 || !strings.Contains(got.body, "Code: 516") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if len(shown) > 0 {
		t.Errorf("passwords were shown as tokens: %q", shown)
	}
	if got := h.send(t, "POST", "/", strings.NewReader("SELECT 1"), "Authorization", "Bearer token-alice"); got.body != "1\n" || len(shown) != 1 {
		t.Errorf("%d %s, %q", got.status, got.body, shown)
	}
}

// Whoever sends many wrong tokens waits; whose token was good does not.
func TestManyWrongTokens(t *testing.T) {
	h := newHouse(t)
	if got := h.ask(t, "SELECT 1"); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	var last answer
	for range freeFailures + 10 {
		last = h.send(t, "GET", "/?query=SELECT+1", nil, "Authorization", "Bearer wrong")
	}
	if last.status != 429 || last.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", last.status, last.header, last.body)
	}
	if got := h.ask(t, "SELECT 1"); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// A page of somebody else gets nothing, whatever the browser sends along.
func TestOrigins(t *testing.T) {
	const ours = "https://dashboards.example.com"
	h := newHouse(t, func(c *Config) { c.Origins = []string{ours} })
	token := []string{"Authorization", "Bearer token-alice"}
	for _, head := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "https://dashboards.example.com.evil.example"},
	} {
		for _, method := range []string{"GET", "POST"} {
			got := h.send(t, method, "/?query=SELECT+1", nil, append(head, token...)...)
			if got.status != 403 || !strings.Contains(got.body, "(ACCESS_DENIED)") || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %v: %d %v %s", method, head, got.status, got.header, got.body)
			}
		}
	}
	got := h.send(t, "POST", "/?query=SELECT+1", nil, append(token, "Origin", ours, "Sec-Fetch-Site", "cross-site")...)
	if got.body != "1\n" || got.header.Get("Access-Control-Allow-Origin") != ours || !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "X-ClickHouse-Exception-Code") {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	asked := h.send(t, "OPTIONS", "/?query=SELECT+1", nil, "Origin", ours, "Access-Control-Request-Method", "POST")
	if asked.status != 204 || asked.header.Get("Access-Control-Allow-Origin") != ours || !strings.Contains(asked.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("%d %v", asked.status, asked.header)
	}
	if asked := h.send(t, "OPTIONS", "/", nil, "Origin", "https://evil.example"); asked.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", asked.status, asked.header)
	}
}

func TestHealth(t *testing.T) {
	asked, late := 0, false
	h := newHouse(t, func(c *Config) {
		c.Ping = func(context.Context) error { asked++; return errors.New("gone") }
		c.ReplicasStatus = func(context.Context) (int, string, error) {
			if late {
				return 503, "shop.orders: Absolute delay: 9", nil
			}
			return 200, "Ok.\n", nil
		}
	})
	for range 3 {
		if got := h.send(t, "GET", "/ping", nil); got.status != 503 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if asked > 2 {
		t.Errorf("ClickHouse was asked %d times", asked)
	}
	if got := h.send(t, "GET", "/", nil); got.body != "Ok.\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	late = true
	if got := h.send(t, "GET", "/replicas_status?verbose=1", nil); got.status != 503 || strings.Contains(got.body, "shop") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Over HTTP/2 the answers are the same, and what is cut off looks so.
func TestHTTP2(t *testing.T) {
	h := newBareHouse(t)
	web := httptest.NewUnstartedServer(h.Server)
	web.EnableHTTP2 = true
	web.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	web.StartTLS()
	t.Cleanup(web.Close)
	token := []string{"Authorization", "Bearer token-alice"}
	got := send(t, web.Client(), "POST", web.URL+"/?send_progress_in_http_headers=1&http_headers_progress_interval_ms=10&max_block_size=1",
		strings.NewReader("SELECT sum(sleepEachRow(0.05)) FROM numbers(5)"), token...)
	if got.body != "0\n" || got.header.Get("X-Clickhouse-Progress") == "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if got := send(t, web.Client(), "POST", web.URL, strings.NewReader("SELECT * FROM shop.fuse"), token...); got.err == nil {
		t.Errorf("a cut answer of %d bytes looks whole", len(got.body))
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", web.URL, io.MultiReader(strings.NewReader("SELECT count() FROM shop.orders")))
	check(t, err)
	r.Header.Set("Authorization", "Bearer token-alice")
	response, err := web.Client().Do(r)
	check(t, err)
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || string(text) != "1000\n" || response.ProtoMajor != 2 {
		t.Errorf("%s, %v, HTTP/%d", text, err, response.ProtoMajor)
	}
}
