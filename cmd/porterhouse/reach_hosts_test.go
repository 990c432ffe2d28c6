package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// A server that stays the same keeps its client, whatever happens to the others and in
// whichever words it is named; one that goes out is let go of.
func TestServersGoOn(t *testing.T) {
	r := startRig(t)
	const one = "url: 'http://127.0.0.1:1'"
	first := r.generation().reach.clients[serverName{"main", "http://127.0.0.1:1"}]
	if first == nil {
		t.Fatalf("the clients are %v", slices.Collect(maps.Keys(r.generation().reach.clients)))
	}
	for _, test := range []struct {
		name, cluster string
		servers       []string // their ports
		others        bool     // the first has another client
	}{
		{"a list", "hosts: [{url: 'http://127.0.0.1:1'}]", []string{"1"}, false},
		{"one more", "hosts: [{url: 'http://127.0.0.1:1'}, {url: 'http://127.0.0.1:2'}]", []string{"1", "2"}, false},
		{"it drains", "hosts: [{url: 'http://127.0.0.1:1', drain: true}, {url: 'http://127.0.0.1:2'}]", []string{"1", "2"}, false},
		{"two others", "hosts: [{url: 'http://127.0.0.1:3'}, {url: 'http://127.0.0.1:1'}]", []string{"1", "3"}, false},
		{"alone again", one, []string{"1"}, false},
		{"other connections", one + ", max_connections: 7", []string{"1"}, true},
	} {
		r.write("porterhouse.yaml", edit(one, test.cluster))
		if said := r.reload(); !strings.Contains(said, "the configuration was reloaded") {
			t.Fatalf("%s: %s", test.name, said)
		}
		now := r.generation().reach
		var ports []string
		for server := range now.clients {
			ports = append(ports, server.url[strings.LastIndex(server.url, ":")+1:])
		}
		slices.Sort(ports)
		if !slices.Equal(ports, test.servers) {
			t.Errorf("%s: there are clients for %q", test.name, ports)
		}
		if is := now.clients[serverName{"main", "http://127.0.0.1:1"}] != first; is != test.others {
			t.Errorf("%s: another client: %t", test.name, is)
		}
	}
	r.until("nothing is left of what was replaced", func() bool {
		return len(r.server.process.stock.all()) == len(r.generation().reach.parts)
	})
	if first.Stats().Checked {
		t.Error("it is checked, and nobody goes by it")
	}
}

// What the client of a server logs says of which cluster and of which server it is, once
// each.
func TestClientsNameThemselves(t *testing.T) {
	r := startRig(t)
	r.write("porterhouse.yaml", edit("url: 'http://127.0.0.1:1'", "hosts: [{url: 'http://127.0.0.1:1'}, {url: 'http://127.0.0.1:2'}], access: {mode: auto}"))
	r.reload()
	name, _ := porterhouse.ParseUserName("alice")
	for server, client := range r.generation().reach.clients {
		const about = "no access mode was found to work"
		host := " host=" + strings.TrimPrefix(server.url, "http://") + " "
		if _, err := client.Query(t.Context(), porterhouse.Account{User: name}, porterhouse.Query{SQL: "SELECT 1", Limits: porterhouse.Limits{Time: time.Minute}}); err == nil {
			t.Fatal("somebody answered")
		}
		said := slices.Collect(strings.Lines(r.log.String()))
		if !slices.ContainsFunc(said, func(line string) bool {
			return strings.Contains(line, about) && strings.Count(line, " cluster=main ") == 1 && strings.Contains(line, host) && strings.Count(line, " host=") == 1
		}) {
			t.Errorf("nothing says %q of cluster main and%sonce:\n%s", about, host, r.log)
		}
	}
}
