package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMessage(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`:                             `{"a":1}`,
		"event: message\ndata: {\"a\":1}\n\n": `{"a":1}`,
		"data: \n\ndata: {\"progress\":1}\n\nid: 7\ndata: {\"b\":2}\r\n\r\n": `{"b":2}`,
		"": "",
	} {
		if got := string(message([]byte(in))); got != want {
			t.Errorf("message(%q) = %q, want %q", in, got, want)
		}
	}
}

// Both checks tell an answer from an error, and are not misled by what an
// answer's text says.
func TestErrorAnswers(t *testing.T) {
	for text, good := range map[string]bool{
		`{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"1"}]}}`:                       true,
		`{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"\"isError\":true"}]}}`:        true,
		`{"jsonrpc":"2.0","id":2,"result":{"content":[],"isError":false}}`:                                 true,
		`{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"no table"}],"isError":true}}`: false,
		`{"jsonrpc":"2.0","id":2,"error":{"code":-32600,"message":"\"result\": none"}}`:                    false,
		`{"jsonrpc":"2.0","id":2}`: false,
		``:                         false,
	} {
		_, err := parseResult([]byte(text))
		if quick := quickCheck([]byte(text)); (err == nil) != good || (quick == nil) != good {
			t.Errorf("%s: parseResult says %v, quickCheck says %v", text, err, quick)
		}
	}
}

// A call of the stateless era carries what the session era agreed on at its
// beginning; one of the session era does not.
func TestCall(t *testing.T) {
	for _, p := range []protocol{sessions, stateless} {
		body, err := (&target{protocol: p, tool: "query", argument: "sql", limits: object{"max_rows": 7}}).call("SELECT 'é\n'")
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Method string
			Params struct {
				Name      string
				Arguments struct {
					SQL     string
					MaxRows int `json:"max_rows"`
				}
				Meta map[string]any `json:"_meta"`
			}
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		a := m.Params.Arguments
		if m.Method != "tools/call" || m.Params.Name != "query" || a.SQL != "SELECT 'é\n'" || a.MaxRows != 7 {
			t.Errorf("%s: %s", p, body)
		}
		if version := m.Params.Meta[metaVersion]; (version == statelessEra) != (p == stateless) {
			t.Errorf("%s: the version in _meta is %v", p, version)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for _, s := range []string{"", "a|b", "a|grpc|http://127.0.0.1:1/", "a|clickhouse|http://127.0.0.1:1/", "a|mcp|https://127.0.0.1:1/",
		"a|mcp|http://127.0.0.1/mcp", "a|mcp|127.0.0.1:1", "a|mcp|http://127.0.0.1:1|t|u|v|w", "a|mcp"} {
		if _, err := parseTarget(s); err == nil {
			t.Errorf("%q: accepted", s)
		}
	}
	old, err := parseTarget(`old|mcp2026|http://127.0.0.1:1|t|||{"max_rows": 500}`)
	if err != nil || old.tool != "query" || old.argument != "sql" || old.limits["max_rows"] != 500.0 || old.auth[0] != "Bearer t" {
		t.Errorf("%+v, error %v", old, err)
	}
	got, err := parseTarget("rival|mcp|http://127.0.0.1:9000/mcp||run_query|query")
	if err != nil || got.name != "rival" || len(got.auth) != 0 || got.tool != "run_query" || got.argument != "query" || got.limits != nil || got.ours {
		t.Errorf("%+v, error %v", got, err)
	}
}

// The limit asks in the two forms: the prefix in the URL, the person's SQL in the body.
func TestExecuteAsRequest(t *testing.T) {
	db, err := newDatabase("http://default:pass@127.0.0.1:8123")
	if err != nil {
		t.Fatal(err)
	}
	as := straightTargets(db, `o'ne\`)[1]
	if got := as.url.Query().Get("query"); got != `EXECUTE AS 'o\'ne\\' ` {
		t.Errorf("prefix %q", got)
	}
	c := newClient(as, 3)
	if err := c.prepare(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	request := string(c.request)
	if !strings.HasPrefix(request, "POST /?default_format=TabSeparatedWithNamesAndTypes&query=EXECUTE+AS+") || !strings.HasSuffix(request, "\r\n\r\nSELECT 1") {
		t.Errorf("request %q", request)
	}
	if strings.Contains(request, "pass") || !strings.Contains(request, "Authorization: Basic ") {
		t.Errorf("the login is not where it belongs: %q", request)
	}
}

func TestWorkloadCheck(t *testing.T) {
	w := workload{rows: 2, columns: 2, want: []string{"1", "2026-01-01", "2", "x"}}
	for text, good := range map[string]bool{
		"a\tb\n1\t2026-01-01\n2\tx\n":    true,
		`[["1","2026-01-01"],["2","x"]]`: true,
		"1\t2026-01-01\n":                false,
		"2\tx\n1\t2026-01-01\n":          false,
		"":                               false,
	} {
		if err := w.check(text, false); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := w.check("1, 2026-01-01 00:00:00Z … 2, x", true); err != nil {
		t.Errorf("loose: %v", err)
	}
}
