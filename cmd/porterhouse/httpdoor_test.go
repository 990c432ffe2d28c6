package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse/directory"
	"porterhouse/identity"
)

// serveDoor serves the door, plain and with TLS, in front of no ClickHouse at all.
func serveDoor(t *testing.T, change func(*Config)) (plain, secure string, trust *tls.Config) {
	t.Helper()
	dir := demoCertificate(t.TempDir())
	pair, err := dir.make()
	if err != nil {
		t.Fatal(err)
	}
	held := addresses{}
	t.Cleanup(func() { _ = held.close() })
	var at [2]string
	for i := range at {
		if at[i], err = held.take(0); err != nil {
			t.Fatal(err)
		}
	}
	if err := held.close(); err != nil {
		t.Fatal(err)
	}
	serveFor(t, func(c *Config) {
		c.ClickHouseHTTP.Listen = at[0]
		c.ClickHouseHTTP.TLS = &TLSListenerConfig{Listen: at[1], Cert: pair.Cert, Key: pair.Key}
		if change != nil {
			change(c)
		}
	})
	ca, err := os.ReadFile(dir.ca())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return "http://" + at[0], "https://" + at[1], &tls.Config{RootCAs: roots}
}

// The door has addresses of its own, with TLS and without, and is nowhere else. What
// leads to it says which resource it is and who gives tokens out.
func TestHTTPDoorListens(t *testing.T) {
	plain, secure, trust := serveDoor(t, nil)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for url, protocol := range map[string]string{plain: "HTTP/1.1", secure: "HTTP/2.0"} {
		response, err := client.Get(url + "/?query=SELECT+1")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		challenge := response.Header.Get("WWW-Authenticate")
		if response.StatusCode != 403 || response.Header.Get("X-ClickHouse-Exception-Code") != "516" || response.Proto != protocol ||
			!strings.Contains(challenge, `resource_metadata="`+secure+metadataPath+`"`) {
			t.Errorf("%s without a token: %s %s %q\n%s", url, response.Proto, response.Status, challenge, text)
		}
		response, err = client.Get(url + metadataPath)
		if err != nil {
			t.Fatal(err)
		}
		text, _ = io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != 200 || !strings.Contains(string(text), `"resource":"`+secure+`"`) {
			t.Errorf("%s%s: %s %s", url, metadataPath, response.Status, text)
		}
	}
}

// A door that is shut is nowhere.
func TestHTTPDoorIsShut(t *testing.T) {
	url, _ := serveFor(t, nil)
	if status, _, _ := fetch(t, url+"/?query=SELECT+1"); status != 404 {
		t.Errorf("at the server's own address: %d", status)
	}
}

// The demo's certificate is this machine's, is kept while it is good, and is one that
// nobody can make another from.
func TestDemoCertificate(t *testing.T) {
	dir := demoCertificate(t.TempDir())
	if _, err := dir.make(); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(dir.ca())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := dir.make()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(dir.ca()); err != nil || string(again) != string(first) {
		t.Error("the next start has another certificate")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(first)
	both, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := both.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if both.Leaf.IsCA || isGoodUntil(pair.Cert, time.Now().Add(certificateLife+oneDay)) {
		t.Error("the certificate can sign others, or has no end")
	}
	for _, file := range []string{pair.Key, pair.Cert, dir.ca()} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
	if err := os.WriteFile(pair.Cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.make(); err != nil || !isGoodUntil(pair.Cert, time.Now()) {
		t.Errorf("a broken certificate is not replaced: %v", err)
	}
}

// What an administrator runs, in each access mode.
func TestGrantsByMode(t *testing.T) {
	const asGateway = "GRANT IMPERSONATE ON `alice` TO `gw`"
	const byTicket = "ALTER USER `alice` ADD IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'"
	const kill, seeAll = "GRANT KILL QUERY ON *.* TO `gw`", "GRANT SELECT(query, query_id, user, Settings) ON system.processes TO `gw`"
	all := []string{asGateway, byTicket, kill, seeAll}
	for mode, want := range map[string][]string{
		"execute_as": {asGateway},
		"verify":     {byTicket, kill, seeAll},
		"forward":    {kill, seeAll},
		"static":     {seeAll},
	} {
		c, _ := mustLoad(t, aProcessor+oneCluster("access: {mode: "+mode+"}, "+aKnock))
		got := examination{Config: c, setup: setup{&process{}, &reach{provisioners: map[string]*directory.Provisioner{}}}}.grants("main")
		for _, statement := range all {
			if slices.Contains(got, statement) != slices.Contains(want, statement) {
				t.Errorf("%s: %q\nabout %s", mode, got, statement)
			}
		}
	}
}

// The doors are asked about by name.
func TestResourceOf(t *testing.T) {
	c, _ := mustLoad(t, "clickhouse_http: {listen: '127.0.0.1:8123'}\n"+least)
	shut, _ := mustLoad(t, least)
	for _, test := range []struct {
		name, door string
		c          Config
		audience   string
		err        string
	}{
		{"the MCP door", "mcp", c, "http://127.0.0.1:8080/mcp", ""},
		{"the HTTP door", "http", c, "http://127.0.0.1:8123", ""},
		{"one that is shut", "http", shut, "", "clickhouse_http"},
		{"one that is none", "stdio", c, "", "want mcp or http"},
	} {
		var r identity.Resource
		r, err := resourceOf(test.c, test.door, "")
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v, want an error with %q", test.name, err, test.err)
			}
			continue
		}
		if err != nil || r.Door != test.door || !slices.Equal(r.Audiences, []string{test.audience}) {
			t.Errorf("%s: %+v, %v", test.name, r, err)
		}
	}
}

// A process beside the server has no tickets that ClickHouse could ask about.
func TestStdioAloneNeedsTheServer(t *testing.T) {
	c, _ := mustLoad(t, oneCluster("access: {mode: verify}, "+aKnock))
	if err := canBeAlone(c); err == nil || !strings.Contains(err.Error(), "stdio --url") {
		t.Errorf("in the mode verify: %v", err)
	}
	c.KV.Redis.URL = "redis://127.0.0.1"
	if err := canBeAlone(c); err != nil {
		t.Errorf("with a store that both share: %v", err)
	}
	if c, _ = mustLoad(t, least); canBeAlone(c) != nil {
		t.Error("in the mode execute_as it is refused")
	}
}
