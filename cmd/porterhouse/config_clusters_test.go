package main

import (
	"slices"
	"strings"
	"testing"

	"porterhouse"
)

// two is the least with a second cluster.
const two = `clusters:
  main: {url: 'http://127.0.0.1:8123', user: gw, password: 'env:CLICKHOUSE_PASSWORD'%s}
  archive: {url: 'http://127.0.0.1:8124', user: gw, password: 'env:CLICKHOUSE_PASSWORD'%s}
` + leastTokens + leastAudit + leastUsers

func twoClusters(main, archive string) string {
	return strings.Replace(strings.Replace(two, "%s", main, 1), "%s", archive, 1)
}

// What an operator may write of several clusters, and what leads nowhere.
func TestMistakesAboutSeveralClusters(t *testing.T) {
	const door = "clickhouse_http: {listen: '127.0.0.1:8125'}\n"
	asks := func(address string) string {
		return ", authenticator: {listen: '" + address + "', path: 'env:AUTHENTICATOR_PATH'}"
	}
	for _, test := range []struct{ name, text, problem string }{
		{"none", "clusters: {}\n" + leastTokens + leastAudit, "no cluster is named"},
		{"two", twoClusters("", ""), ""},
		{"with a default", "default_cluster: archive\n" + twoClusters("", ""), ""},
		{"a default that is none", "default_cluster: arkive\n" + twoClusters("", ""), "default_cluster: there is no such cluster; there are archive, main"},
		{"for people", twoClusters("", ", for: {groups: [a], users: [b]}"), ""},
		{"for nobody", twoClusters("", ", for: {groups: []}"), "clusters.archive.for: it names nobody"},
		{"for nothing", twoClusters("", ", for: {}"), "clusters.archive.for: it names nobody"},
		{"for somebody without a name", twoClusters("", ", for: {users: ['']}"), "clusters.archive.for"},
		{"hosts", door + twoClusters(", public_hosts: [a.example.com]", ", public_hosts: [b.example.com, c.example.com]"), ""},
		{"a host of both", door + twoClusters(", public_hosts: [a.example.com]", ", public_hosts: [a.example.com]"), "a.example.com leads to clusters."},
		{"a host in capitals", door + twoClusters(", public_hosts: [A.example.com]", ""), "clusters.main.public_hosts: want the names of hosts"},
		{"a host with a port", door + twoClusters(", public_hosts: ['a.example.com:80']", ""), "clusters.main.public_hosts: want the names of hosts"},
		{"hosts of a door that is shut", twoClusters(", public_hosts: [a.example.com]", ""), "their door is shut"},
		{"a name that is a path", strings.Replace(twoClusters("", ""), "archive:", "ping:", 1), "clusters.ping: clients name the cluster in the path"},
		{"one that begins like it", strings.Replace(twoClusters("", ""), "archive:", "replicas_status2:", 1), "means something else there"},
		{"authenticators", twoClusters(asks("127.0.0.1:9001"), asks("127.0.0.1:9002")), ""},
		{"at one address", twoClusters(asks("127.0.0.1:9001"), asks("127.0.0.1:9001")), "listens there: each has an address of its own"},
	} {
		_, _, err := load(t, test.text)
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: the error is %v, want %q", test.name, err, test.problem)
		}
	}
}

// The cluster that is meant without a word about it.
func TestUsualCluster(t *testing.T) {
	for text, want := range map[string]string{least: "main", twoClusters("", ""): "", "default_cluster: archive\n" + twoClusters("", ""): "archive"} {
		if c, _ := mustLoad(t, text); usualCluster(c) != want {
			t.Errorf("it is %q, want %q", usualCluster(c), want)
		}
	}
}

// Each URL of the MCP door is a resource of its own, and documents itself.
func TestMCPDoorsOfSeveralClusters(t *testing.T) {
	url, _ := serveFor(t, func(c *Config) {
		c.Clusters["archive"] = c.Clusters["main"]
	})
	for _, path := range []string{"/mcp", "/mcp/main", "/mcp/archive"} {
		status, body, _ := fetch(t, url+metadataPath+path)
		if status != 200 || !strings.Contains(body, `"resource":"`+url+path+`"`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
		status, _, header := fetch(t, url+path)
		if challenge := header.Get("WWW-Authenticate"); status != 401 || !strings.Contains(challenge, `resource_metadata="`+url+metadataPath+path+`"`) {
			t.Errorf("%s without a token: %d %s", path, status, challenge)
		}
	}
	for _, path := range []string{"/mcp/none", "/mcp/", "/mcp/main/x", metadataPath + "/mcp/none"} {
		if status, _, _ := fetch(t, url+path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, body, _ := fetch(t, url+"/readyz"); status != 503 || body != "cluster archive: does not answer\ncluster main: does not answer\n" {
		t.Errorf("/readyz without any ClickHouse: %d %s", status, body)
	}
}

// A token for the URL of one cluster is worth nothing at another's, nor at the URL of
// all; one for all is good at each.
func TestTokensForOneCluster(t *testing.T) {
	c, _ := mustLoad(t, twoClusters("", ""))
	base := c.publicURL() + mcpPath
	for only, want := range map[string][]string{"": {base}, "main": {base, base + "/main"}, "archive": {base, base + "/archive"}} {
		if got := mcpResource(c, only); !slices.Equal(got.Audiences, want) || !slices.Equal(mcpURLs(c, only), want) {
			t.Errorf("at %q tokens are for %q, our own for %q", only, got.Audiences, mcpURLs(c, only))
		}
	}
	c.Resources.MCP.Audiences = texts{"corp"}
	for only, want := range map[string][]string{"": {"corp"}, "main": {"corp", base + "/main"}} {
		if got := mcpResource(c, only); !slices.Equal(got.Audiences, want) {
			t.Errorf("at %q tokens are for %q", only, got.Audiences)
		}
	}
	if len(c.Resources.MCP.Audiences) != 1 {
		t.Error("the configuration has changed")
	}
	var uris []string
	for _, r := range (entrance{Config: c}).resources() {
		uris = append(uris, r.URI)
	}
	if want := []string{base, base + "/archive", base + "/main"}; !slices.Equal(uris, want) {
		t.Errorf("our own tokens can be for %q, want %q", uris, want)
	}
}

// check clients and whoami look at the URL of one cluster, too.
func TestLookingAtOneCluster(t *testing.T) {
	c, _ := mustLoad(t, twoClusters("", ""))
	single, _ := mustLoad(t, least)
	for _, test := range []struct {
		c             Config
		cluster, path string // "": it is refused
	}{{c, "", "/mcp"}, {c, "archive", "/mcp/archive"}, {c, "none", ""}, {single, "", "/mcp"}, {single, "main", "/mcp"}, {single, "archive", ""}} {
		way, err := mcpWayTo(test.c, test.cluster)
		if way.path != test.path || (err == nil) != (test.path != "") {
			t.Errorf("%q of %q leads to %+v, %v", test.cluster, test.c.clusterNames(), way, err)
		}
		if r, err := resourceOf(test.c, "mcp", test.cluster); err == nil && r.Cluster != way.only {
			t.Errorf("%q: tokens are for %+v", test.cluster, r)
		}
	}
	if _, err := resourceOf(c, "http", "archive"); err == nil {
		t.Error("tokens for the door of ClickHouse's clients are for all clusters")
	}
	_, s := serveSignIn(t, func(c *Config) { c.Clusters["archive"] = c.Clusters["main"] })
	way, err := mcpWayTo(s.config, "archive")
	if err != nil {
		t.Fatal(err)
	}
	at := newDoorway(s.config, way).visit(t.Context())
	if err := at.verdict(); err != nil || len(at.Views) == 0 || !strings.HasSuffix(at.URL, "/mcp/archive") || at.old.level != fine {
		t.Errorf("%v, %+v", err, at)
	}
}

// Whom a cluster is not for has no account there either when ClickHouse itself asks.
func TestAccountsForThoseWhomAClusterIsFor(t *testing.T) {
	f := ForConfig{Groups: []string{"analysts"}, Users: []string{"alice"}}
	for _, c := range []struct {
		who porterhouse.Principal
		in  bool
	}{{porterhouse.Principal{User: "alice"}, true}, {porterhouse.Principal{User: "bob", Groups: []string{"analysts"}}, true}, {porterhouse.Principal{User: "bob"}, false}} {
		if err := notFor(f, c.who); (err == nil) != c.in {
			t.Errorf("%+v: %v", c.who, err)
		}
	}
	_, err := accountsFor(f, nil)(t.Context(), porterhouse.Principal{User: "bob"}, porterhouse.Entry{Cluster: "archive"})
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Denied {
		t.Errorf("Bob: %v", err)
	}
}
