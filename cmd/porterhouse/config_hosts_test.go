package main

import (
	"slices"
	"strings"
	"testing"
)

// withHosts is the least with several servers, and with other words for its cluster.
func withHosts(hosts, others string) string {
	return "clusters:\n  main: {user: gw, password: 'env:CLICKHOUSE_PASSWORD', hosts: " + hosts + others + "}\n" + leastTokens + leastAudit + leastUsers
}

// What an operator may write of several servers, and what leads nowhere.
func TestMistakesAboutHosts(t *testing.T) {
	const both = "[{url: 'http://127.0.0.1:8123'}, {url: 'http://127.0.0.1:8124'}]"
	const natives = "[{url: 'http://127.0.0.1:8123', native: '127.0.0.1:9000'}, {url: 'http://127.0.0.1:8124', native: '127.0.0.1:9001'}]"
	const secret = ", access: {mode: interserver, cluster: c, secret: 'env:CLICKHOUSE_PASSWORD'}"
	for _, test := range []struct{ name, text, problem string }{
		{"two", withHosts(both, ""), ""},
		{"with native ports", withHosts(natives, ""), ""},
		{"one", withHosts("{url: 'http://127.0.0.1:8123'}", ""), ""},
		{"one drains", withHosts(strings.Replace(both, "8124'", "8124', drain: true", 1), ""), ""},
		{"interserver", withHosts(natives, secret), ""},
		{"none", withHosts("[]", ""), "clusters.main.hosts: the list is empty"},
		{"nothing", withHosts("", ""), "clusters.main.hosts: the list is empty"},
		{"and a url", withHosts(both, ", url: 'http://127.0.0.1:8125'"), "clusters.main.url: the servers are in clusters.main.hosts"},
		{"and a native port", withHosts(both, ", access: {native: '127.0.0.1:9000'}"), "clusters.main.access.native: the servers are in clusters.main.hosts"},
		{"all drain", withHosts("[{url: 'http://127.0.0.1:8123', drain: true}]", ""), "clusters.main.hosts: all of them drain"},
		{"one twice", withHosts(strings.ReplaceAll(both, "8124", "8123"), ""), "clusters.main.hosts[1].url: this is the address of clusters.main.hosts[0].url"},
		{"one twice, in other words", withHosts("[{url: 'http://localhost:80'}, {url: 'http://LOCALHOST/'}]", ""), "clusters.main.hosts[1].url: this is the address of"},
		{"a native port twice", withHosts(strings.ReplaceAll(natives, "9001", "9000"), ""), "clusters.main.hosts[1].native: this is the address of clusters.main.hosts[0].native"},
		{"a native port for one", withHosts(strings.Replace(natives, ", native: '127.0.0.1:9001'", "", 1), ""), "only some of them have native"},
		{"no url", withHosts("[{native: '127.0.0.1:9000'}]", ""), "clusters.main.hosts[0].url: say where"},
		{"plain, elsewhere", withHosts("[{url: 'http://ch.example.com:8123'}]", ""), "clusters.main.hosts[0].url: the gateway's password and everybody's rows"},
		{"a native port that is none", withHosts("[{url: 'http://127.0.0.1:8123', native: here}]", ""), "clusters.main.hosts[0].native: want an address"},
		{"a native port for nothing", withHosts(natives, ", access: {mode: static}"), "clusters.main.hosts[1].native: only execute_as and interserver"},
		{"interserver without", withHosts(both, secret), "clusters.main.hosts[0].native: with interserver"},
		{"too many", withHosts("["+strings.Repeat("{url: 'http://127.0.0.1:1'}, ", 64)+"{url: 'http://127.0.0.1:2'}]", ""), "there are 65, and a cluster can have 64"},
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

// What is said of the cluster holds for each server, and tokens may be for any of them.
func TestServersOfACluster(t *testing.T) {
	c, _ := mustLoad(t, withHosts("[{url: 'http://127.0.0.1:8123', native: '127.0.0.1:9000'}, {url: 'http://127.0.0.1:8124', native: '127.0.0.1:9001'}]",
		", max_connections: 7, authenticator: {listen: '127.0.0.1:9009', path: 'env:AUTHENTICATOR_PATH'}"))
	main := c.Clusters["main"]
	for i, server := range main.servers() {
		if len(server.Hosts) > 0 || server.URL != main.Hosts[i].URL || server.Access.Native != main.Hosts[i].Native || server.MaxConnections != 7 || server.User != "gw" {
			t.Errorf("server %d is %+v", i, server)
		}
	}
	if got := main.authenticatorAudiences(); !slices.Equal(got, []string{"http://127.0.0.1:8123", "http://127.0.0.1:8124"}) {
		t.Errorf("tokens are for %q", got)
	}
}
