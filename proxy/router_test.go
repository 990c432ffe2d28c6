package proxy

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"porterhouse"
)

// newQuarter is a router to main, which is everybody's, and archive, which is Alice's and
// does not answer a ping.
func newQuarter(t *testing.T, usual string) *house {
	t.Helper()
	h := newBareHouse(t, func(c *Config) { c.Prefixes = true })
	c := h.config
	c.Cluster, c.Ping = "archive", func(context.Context) error { return errors.New("away") }
	c.Login = func(context.Context, porterhouse.UserName, porterhouse.Secret, string) (porterhouse.Principal, error) {
		return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "no")
	}
	archive, err := New(c)
	check(t, err)
	router, err := NewRouter(RouterConfig{
		Doors: map[string]*Server{"main": h.Server, "archive": archive},
		Hosts: map[string]string{"archive.example.com": "archive", "main.example.com": "main"}, Default: usual,
	})
	check(t, err)
	web := httptest.NewServer(router)
	t.Cleanup(web.Close)
	h.url = web.URL
	return h
}

// askedAt is the cluster where the record has the mark; "": none.
func (h *house) askedAt(t *testing.T, mark string) (cluster string) {
	t.Helper()
	all, err := os.ReadFile(h.audit)
	check(t, err)
	for line := range bytes.Lines(all) {
		if bytes.Contains(line, []byte(mark)) && bytes.Contains(line, []byte(`"kind":"open"`)) {
			_, rest, _ := bytes.Cut(line, []byte(`"cluster":"`))
			name, _, _ := bytes.Cut(rest, []byte(`"`))
			cluster += string(name)
		}
	}
	return cluster
}

// A request goes to the cluster that it names, in whichever way; of two it goes to none.
func TestARequestNamesItsCluster(t *testing.T) {
	h := newQuarter(t, "main")
	const field = "X-ClickHouse-Database"
	for i, c := range []struct {
		target string
		head   []string
		want   string // "": it is refused
	}{
		{"/?query=", nil, "main"},
		{"/main/?query=", nil, "main"},
		{"/archive/?query=", nil, "archive"},
		{"/archive?query=", nil, "archive"},
		{"/archive/query?query=", nil, "archive"},
		{"/?database=archive:shop&query=", nil, "archive"},
		{"/?database=archive%3Ashop&query=", nil, "archive"},
		{"/?d%61tabase=archive:shop&query=", nil, "archive"},
		{"/?query=", []string{field, "archive:shop"}, "archive"},
		{"/?database=main:x&query=", []string{field, "archive:shop"}, "archive"}, // the header counts, as in ClickHouse
		{"/?query=", []string{"Host", "archive.example.com"}, "archive"},
		{"/?query=", []string{"Host", "ARCHIVE.example.com:8123"}, "archive"},
		{"/?query=", []string{"Host", "other.example.com"}, "main"},
		{"/archive/?database=archive:shop&query=", []string{"Host", "archive.example.com"}, "archive"},
		{"/archive/?database=shop&query=", nil, "archive"},

		{"/archive/?database=main:shop&query=", nil, ""},
		{"/main/?query=", []string{"Host", "archive.example.com"}, ""},
		{"/?database=main:shop&query=", []string{"Host", "archive.example.com"}, ""},
		{"/archive/?query=", []string{field, "main:shop"}, ""},
		{"/archive/main/?query=", nil, ""},
		{"/Archive/?query=", nil, ""},
		{"/%61rchive/?query=", nil, ""},
		{"/none/?query=", nil, ""},
		{"//archive/?query=", nil, ""},
		{"/?database=archive:shop&database=main:shop&query=", nil, ""},
	} {
		mark := "mark_" + string(rune('a'+i))
		target := h.url + c.target + "SELECT+'" + mark + "'+FORMAT+TSV"
		r, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
		check(t, err)
		r.Header.Set("Authorization", "Bearer token-alice")
		for j := 0; j < len(c.head); j += 2 {
			if r.Header.Set(c.head[j], c.head[j+1]); c.head[j] == "Host" {
				r.Host = c.head[j+1]
			}
		}
		response, err := http.DefaultClient.Do(r)
		check(t, err)
		check(t, response.Body.Close())
		if got := h.askedAt(t, mark); got != c.want || (response.StatusCode == 200) != (c.want != "") {
			t.Errorf("%s %q: %s, asked at %q; want %q", c.target, c.head, response.Status, got, c.want)
		}
	}
}

// The cluster before the name of a database is no part of it, and any other text is.
func TestDatabaseBehindACluster(t *testing.T) {
	h := newQuarter(t, "main")
	for target, want := range map[string]string{
		"/?database=archive:shop&query=SELECT+currentDatabase()": "shop\n", "/?database=main:shop&query=SELECT+currentDatabase()": "shop\n",
		"/?database=shop&query=SELECT+currentDatabase()": "shop\n", "/?database=other:shop&query=SELECT+1": "Code: 81.",
		"/?database=archive:archive:shop&query=SELECT+1": "Code: 81.", "/archive/?database=archive:&query=SELECT+currentDatabase()": "default\n",
	} {
		if got := h.send(t, "GET", target, nil, "Authorization", "Bearer token-alice"); !strings.HasPrefix(got.body, want) {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
}

// Who is not let in at a cluster is told which ones they reach, and never of others.
func TestAClusterThatIsNotTheirs(t *testing.T) {
	h := newQuarter(t, "main")
	for _, target := range []string{"/archive/?query=", "/?database=archive:shop&query=", "/archive/?user=bob&query="} {
		got := h.send(t, "GET", target+"SELECT+'mark_not_his'", nil, "Authorization", "Bearer token-bob")
		if got.status != http.StatusForbidden || h.askedAt(t, "mark_not_his") != "" {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
		if !strings.Contains(target, "user=") && !strings.Contains(got.body, "you reach main. (ACCESS_DENIED)") {
			t.Errorf("%s: %s", target, got.body)
		}
	}
	if got := h.send(t, "GET", "/?query=SELECT+1", nil, "Authorization", "Bearer token-bob"); got.body != "1\n" {
		t.Errorf("at his own: %s", got.body)
	}
}

// Health is that of the cluster that is named, and of the default; where there is none,
// nobody is asked.
func TestHealthOfSeveralClusters(t *testing.T) {
	h, without := newQuarter(t, "main"), newQuarter(t, "")
	for target, want := range map[string]int{"/ping": 200, "/main/ping": 200, "/archive/ping": 503, "/archive/": 200, "/archive": 200, "/none/ping": 404, "/archive/replicas_status": 200} {
		if got := h.send(t, "GET", target, nil); got.status != want {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	for target, want := range map[string]int{"/ping": 400, "/": 400, "/main/ping": 200, "/archive/ping": 503} {
		if got := without.send(t, "GET", target, nil); got.status != want || want == 400 && !strings.Contains(got.body, "say which cluster is asked") {
			t.Errorf("without a default, %s: %d %s", target, got.status, got.body)
		}
	}
	if got := without.send(t, "POST", "/", strings.NewReader(strings.Repeat("x", 1<<20)), "Authorization", "Bearer token-alice"); got.status != 400 {
		t.Errorf("a long body: %d %s", got.status, got.body)
	}
}

// What cannot lead anywhere is refused when it is made.
func TestRoutersThatLeadNowhere(t *testing.T) {
	door := newBareHouse(t).Server
	for _, c := range []RouterConfig{
		{}, {Doors: map[string]*Server{"ping": door}}, {Doors: map[string]*Server{"query": door}}, {Doors: map[string]*Server{"replicas_status_of": door}},
		{Doors: map[string]*Server{"": door}}, {Doors: map[string]*Server{"a/b": door}}, {Doors: map[string]*Server{"a:b": door}}, {Doors: map[string]*Server{"a": nil}},
		{Doors: map[string]*Server{"a": door}, Default: "b"}, {Doors: map[string]*Server{"a": door}, Hosts: map[string]string{"x": "b"}},
		{Doors: map[string]*Server{"a": door}, Hosts: map[string]string{"X": "a"}}, {Doors: map[string]*Server{"a": door}, Hosts: map[string]string{"x:80": "a"}},
	} {
		if _, err := NewRouter(c); err == nil || !strings.HasPrefix(err.Error(), "proxy: ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
