package proxy

import (
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"

	"porterhouse"
)

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestCredential(t *testing.T) {
	type head = map[string]string
	for _, c := range []struct {
		name     string
		head     head
		url      string
		allowURL bool
		allowID  bool
		want     credential
		problem  string // what the error says; "": there is none
	}{
		{name: "bearer", head: head{"Authorization": "Bearer t1"}, want: credential{"", "t1"}},
		{name: "bearer, odd case and spaces", head: head{"Authorization": "bEARER   t1"}, want: credential{"", "t1"}},
		{name: "a bare token", head: head{"Authorization": "eyJ.a.b"}, want: credential{"", "eyJ.a.b"}},
		{name: "basic", head: head{"Authorization": basic("alice:t:1")}, want: credential{"alice", "t:1"}},
		{name: "basic without a user", head: head{"Authorization": basic(":t1")}, want: credential{"", "t1"}},
		{name: "headers", head: head{"X-ClickHouse-User": "alice", "X-ClickHouse-Key": "t1"}, want: credential{"alice", "t1"}},
		{name: "the driver's switch is off", head: head{"X-ClickHouse-User": "alice", "X-ClickHouse-Key": "t1", "X-ClickHouse-SSL-Certificate-Auth": "off"}, want: credential{"alice", "t1"}},
		{name: "a key alone", head: head{"X-ClickHouse-Key": "t1"}, want: credential{"", "t1"}},
		{name: "URL", url: "user=alice&password=t1", allowURL: true, want: credential{"alice", "t1"}},
		{name: "Grafana's own", head: head{"X-ID-Token": "t1"}, allowID: true, want: credential{"", "t1"}},
		{name: "Grafana's own, beside the forwarded one", head: head{"X-ID-Token": "t2", "Authorization": "Bearer t1"}, allowID: true, want: credential{"", "t1"}},

		{name: "nothing", problem: "send a token"},
		{name: "Grafana's own, not allowed", head: head{"X-ID-Token": "t1"}, problem: "send a token"},
		{name: "Grafana's own and a key", head: head{"X-ID-Token": "t1", "X-ClickHouse-Key": "t2"}, allowID: true, problem: "simultaneously"},
		{name: "URL, not allowed", url: "user=alice&password=t1", problem: "a token in the URL is refused"},
		{name: "only a user in the URL", url: "user=alice", problem: "a token in the URL is refused"},
		{name: "two places", head: head{"Authorization": "Bearer t1", "X-ClickHouse-Key": "t2"}, problem: "X-ClickHouse HTTP headers and Authorization HTTP header simultaneously"},
		{name: "the same in two places", head: head{"Authorization": basic("alice:t1"), "X-ClickHouse-User": "alice"}, problem: "simultaneously"},
		{name: "a user in the URL beside a token", head: head{"Authorization": "Bearer t1"}, url: "user=bob", allowURL: true, problem: "simultaneously"},
		{name: "a certificate", head: head{"X-ClickHouse-User": "alice", "X-ClickHouse-SSL-Certificate-Auth": "on"}, problem: "certificates are not asked for"},
		{name: "no token", head: head{"Authorization": basic("default:")}, problem: "default: Authentication failed: there is no token"},
		{name: "an empty bearer", head: head{"Authorization": "Bearer "}, problem: "there is no token"},
		{name: "an empty head", head: head{"Authorization": ""}, problem: "there is no token"},
		{name: "broken base64", head: head{"Authorization": "Basic a"}, problem: "in base64"},
		{name: "base64 that nobody writes", head: head{"Authorization": "Basic YTpiZh=="}, problem: "in base64"},
		{name: "no colon", head: head{"Authorization": "Basic YWI="}, problem: "in base64"},
		{name: "negotiate", head: head{"Authorization": "Negotiate abc"}, problem: "scheme is not supported"},
		{name: "too long", head: head{"Authorization": "Bearer " + strings.Repeat("x", maxSecret+1)}, problem: "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Server{config: Config{AllowURLCredentials: c.allowURL, AllowIDTokens: c.allowID}}
			r := httptest.NewRequest("GET", "/?"+c.url, nil)
			for name, value := range c.head {
				r.Header.Set(name, value)
			}
			p, err := readParameters(c.url, false)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.credential(r, p)
			switch {
			case c.problem == "" && (err != nil || got != c.want):
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Errorf("%+v, %v, want an error with %q", got, err, c.problem)
			}
			if kind, _ := porterhouse.Explain(err); err != nil && kind != porterhouse.Unauthenticated {
				t.Errorf("kind %s", kind)
			}
			if err != nil && strings.Contains(err.Error(), "t1") {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

// A head with two of what there can be one of is nobody's to choose from.
func TestCheckHead(t *testing.T) {
	for _, name := range onlyOnce {
		r := httptest.NewRequest("GET", "/?query=1", nil)
		r.Header.Add(name, "a")
		if err := checkHead(r); err != nil {
			t.Errorf("one %s: %v", name, err)
		}
		r.Header.Add(name, "a")
		if err := checkHead(r); err == nil {
			t.Errorf("two %s passed", name)
		}
	}
}
