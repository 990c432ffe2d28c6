package main

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
)

// protocol is how a target is spoken to.
type protocol string

// The protocols.
const (
	straight  protocol = "clickhouse" // ClickHouse over HTTP, nothing in between
	sessions  protocol = "mcp"        // MCP 2025-11-25: initialize, then a session
	stateless protocol = "mcp2026"    // MCP 2026-07-28: every request alone
)

// target is one way to have a statement answered: one line of the table.
type target struct {
	name     string
	protocol protocol
	url      *url.URL
	auth     []string // Authorization, one for each person: callers take turns; empty: none
	tool     string   // the MCP tool, and the name of its argument for the SQL
	argument string
	limits   object // further arguments: the defaults of ours are for models, which read slowly
	ours     bool   // it is Porterhouse: held against its goals
	thin     bool   // it is the thin proxy: others are held against it
	pid      int    // of the server's process; 0: unknown, and then so is its CPU time

	shares map[int]float64 // of its reference at the HTTP door, by concurrency: the least that it has to reach
	cpu    float64         // microseconds for each answer there: the most that it may take; 0: any
}

// answerFormat is the one that Porterhouse asks ClickHouse for: the reference
// is asked for the same, so that ClickHouse does the same work.
const answerFormat = "TabSeparatedWithNamesAndTypes"

// straightTargets are the reference and the limit: the statement as it is, and
// as the account that Porterhouse would run it as.
func straightTargets(db *database, account string) []*target {
	plain, as := *db.url, *db.url
	plain.RawQuery = url.Values{"default_format": {answerFormat}}.Encode()
	as.RawQuery = url.Values{"default_format": {answerFormat}, "query": {"EXECUTE AS " + quote(account) + " "}}.Encode()
	auth := []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(db.user+":"+db.password))}
	return []*target{
		{name: "ClickHouse, plain", protocol: straight, url: &plain, auth: auth},
		{name: "ClickHouse, EXECUTE AS", protocol: straight, url: &as, auth: auth},
	}
}

func quote(name string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "'"
}

// maxBytes is the longest text that Porterhouse gives when asked for it.
const maxBytes = 1_000_000

// ourTargets are Porterhouse in both eras.
func ourTargets(endpoint *url.URL, tokens []string) []*target {
	return []*target{
		ourTarget("Porterhouse, MCP "+sessionEra, sessions, endpoint, tokens, fewRows),
		ourTarget("Porterhouse, MCP "+statelessEra, stateless, endpoint, tokens, fewRows),
	}
}

func ourTarget(name string, p protocol, endpoint *url.URL, tokens []string, maxRows int) *target {
	t := &target{name: name, protocol: p, url: endpoint, tool: "query", argument: "sql", ours: true}
	t.limits = object{"max_rows": maxRows, "max_bytes": maxBytes}
	for _, token := range tokens {
		t.auth = append(t.auth, "Bearer "+token)
	}
	return t
}

// targetForm is what parseTarget reads. What comes after the URL may be missing.
const targetForm = "name|mcp|URL|bearer|tool|argument|{further arguments}"

// parseTarget reads one line of targetForm, or with mcp2026 instead of mcp.
func parseTarget(s string) (*target, error) {
	const parts = 7
	part := strings.SplitN(s, "|", parts)
	wrong := func(what string) error {
		return fmt.Errorf("-target %q: %s; want %s, or mcp2026 for mcp", s, what, targetForm)
	}
	if len(part) < 3 {
		return nil, wrong(fmt.Sprintf("%d parts", len(part)))
	}
	part = append(part, make([]string, parts-len(part))...)
	t := &target{name: part[0], protocol: protocol(part[1]), tool: "query", argument: "sql"}
	if t.protocol != sessions && t.protocol != stateless {
		return nil, wrong(fmt.Sprintf("there is no protocol %q", part[1]))
	}
	var err error
	if t.url, err = parseURL(part[2]); err != nil {
		return nil, wrong(err.Error())
	}
	if part[3] != "" {
		t.auth = []string{"Bearer " + part[3]}
	}
	t.tool, t.argument = cmp.Or(part[4], t.tool), cmp.Or(part[5], t.argument)
	if part[6] != "" && json.Unmarshal([]byte(part[6]), &t.limits) != nil {
		return nil, wrong("the further arguments are no JSON object")
	}
	return t, nil
}

// parseURL accepts http://host:port/path: the generator has no TLS, which would
// only measure TLS.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("the URL cannot be read")
	case u.Scheme != "http" || u.Hostname() == "" || u.Port() == "":
		return nil, errors.New("the URL is not of the form http://host:port/path")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// request makes the whole request, to be sent as it is, any number of times.
// fields are name, value, name, value …
func (t *target) request(method string, body []byte, fields ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", method, t.url.RequestURI(), t.url.Host, len(body))
	for i := 0; i+1 < len(fields); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", fields[i], fields[i+1])
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// call is the tools/call message for one statement.
func (t *target) call(sql string) ([]byte, error) {
	arguments := object{t.argument: sql}
	maps.Copy(arguments, t.limits)
	params := object{"name": t.tool, "arguments": arguments}
	if t.protocol == stateless {
		params["_meta"] = statelessMeta()
	}
	return rpc(2, "tools/call", params)
}
