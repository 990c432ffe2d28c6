package main

import (
	"context"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse/identity"
)

// What all clusters print takes its memory from one room, before and after a reload, and
// what is compared from another one; what waits in files is counted together.
func TestClustersShareARoom(t *testing.T) {
	r := startRig(t)
	p, g := r.server.process, r.generation()
	c := g.config
	c.Clusters = map[string]ClusterConfig{"main": c.Clusters["main"], "other": c.Clusters["main"]}
	for name, server := range c.Clusters {
		config, err := connecting{p, c, g.reach, &reach{}}.clientConfig(name, server)
		if err != nil || config.Room == nil || config.Room != p.room || config.Shadow.Room == nil || config.Shadow.Room != p.compared || config.Spool == nil || config.Spool != p.spool {
			t.Errorf("%s: a room or a spool of its own: %v", name, err)
		}
	}
}

// A part goes on as long as its own settings are the same, and no other does.
func TestPartsGoOn(t *testing.T) {
	r := startRig(t)
	r.must(os.WriteFile(r.path("ca.crt"), []byte(demoAuthority(t)), 0o600))
	for _, test := range []struct {
		name      string
		config    string
		do        func()
		client    bool // another one is made
		providers bool
		tokens    bool
	}{
		{name: "limits and people", config: edit("[alice, bob]", "[alice]") + "limits: {rows: 5}\n"},
		{name: "a processor", config: edit("username_claim: sub", "username_claim: email")},
		{name: "connections", config: edit("user: gw", "max_connections: 7, user: gw"), client: true},
		{name: "what is compared", config: edit("user: gw", "access: {native: '127.0.0.1:9000', cluster: c, secret: 'file:gateway.password', shadow: interserver}, user: gw"), client: true},
		{name: "the gateway's password", config: edit("user: gw", "max_connections: 7, user: gw"), do: func() { r.write("gateway.password", "hunter3") }, client: true},
		{name: "the provider's CA", config: rigConfig + "identity: {ca: ca.crt}\n", client: true, providers: true},
		{name: "what is in it", config: rigConfig + "identity: {ca: ca.crt}\n", do: func() { r.write("ca.crt", demoAuthority(t)) }, providers: true},
		{name: "the tokens' file", config: edit("tokens.json", "others.json"), providers: true, tokens: true},
	} {
		before := r.generation().reach
		if test.do != nil {
			test.do()
		}
		r.write("porterhouse.yaml", test.config)
		if said := r.reload(); !strings.Contains(said, "the configuration was reloaded") {
			t.Fatalf("%s: %s", test.name, said)
		}
		now := r.generation().reach
		for what, is := range map[string][2]bool{
			"client":    {!maps.Equal(now.clients, before.clients), test.client},
			"providers": {now.providers != before.providers, test.providers},
			"tokens":    {now.tokens != before.tokens, test.tokens},
		} {
			if is[0] != is[1] {
				t.Errorf("%s: another %s: %t", test.name, what, is[0])
			}
		}
	}
	r.until("nothing is left of what was replaced", func() bool {
		p := r.server.process
		p.counts.mu.Lock()
		defer p.counts.mu.Unlock()
		return len(p.stock.all()) == len(r.generation().reach.parts) && len(p.counts.sources) == 2 // the generation, its client
	})
}

// demoAuthority is a new certificate authority.
func demoAuthority(t *testing.T) string {
	t.Helper()
	files := demoCertificate(t.TempDir())
	if _, err := files.make(); err != nil {
		t.Fatal(err)
	}
	return readText(t, files.ca())
}

// A generation that was replaced is let go of when its last request has ended, or when none
// of its statements can be under way any more; a request is of one generation to its end.
func TestGenerationsEndAfterTheirRequests(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := &process{now: time.Now}
			var ended atomic.Pointer[time.Time]
			of := func() *generation {
				g := &generation{reach: &reach{parts: map[string]*part{}}, mcp: map[string]mcpDoor{mcpPath: {verifier: &identity.Verifier{}}}}
				g.config.Limits.Time = time.Minute
				connecting{process: p, now: g.reach}.hold("one", &part{end: func(context.Context) error { now := time.Now(); ended.Store(&now); return nil }})
				return g
			}
			first, second := of(), of()
			p.replace(first)
			release, answered := make(chan struct{}), make(chan *generation)
			door := p.answering(func(g *generation) http.Handler {
				return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
					<-release
					answered <- g
				})
			})
			go door.ServeHTTP(nil, &http.Request{})
			synctest.Wait()
			since := time.Now()
			go p.finish(t.Context(), p.replace(second))
			time.Sleep(30 * time.Second)
			if ended.Load() != nil {
				t.Error("it was let go of while a request was under way")
			}
			if stuck {
				time.Sleep(time.Hour)
				if at := ended.Load(); at == nil || at.Sub(since) < time.Minute || at.Sub(since) > 10*time.Minute {
					t.Errorf("nothing can be under way any more, and it was let go of at %v", at)
				}
			}
			close(release)
			if g := <-answered; g != first {
				t.Error("the request has changed its generation")
			}
			synctest.Wait()
			if ended.Load() == nil || p.enter() != second {
				t.Error("it was not let go of, or is in force still")
			}
		})
	}
}
