package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"porterhouse/sandbox"
	"porterhouse/sandbox/idp"
	"porterhouse/sandbox/openid"
)

// At npm's oidc-provider, dex and GitHub, all offered on one page, the same happens: a
// program gets a token, ClickHouse sees the person with the roles of the groups, and
// the session is renewed. (dex is not asked again: see idp.StartDex.)
func TestSignInProviders(t *testing.T) {
	t.Parallel()
	address := quietAddress(t)
	oidc, _ := oidcPlace(t, address)
	github := idp.StartGitHub(t, idp.Options{Clients: []idp.Client{us(address, "github")}})
	internet := idp.StartInternet(t, github, app{})
	places := map[string]place{"oidc": oidc, "dex": dexPlace(t, address), "github": {
		processor: `{type: github, client_ids: porterhouse, client_secret: "file:client.secret"}`,
		client:    us(address, "github"), button: "GitHub", leads: "https://github.com/", visit: internet.Visit,
	}}
	processors := map[string]string{}
	for name, p := range places {
		processors[name] = p.processor
	}
	h, db := provisionedAt(t, address, processors, fmt.Sprintf("identity: {proxy: %q, ca: %q}\nremote_url_allow_hosts: {host: 127.0.0.1, host_regexp: ['.*']}\n", internet.Proxy, internet.CAFile)+signsIn(places, appRegistered))
	people := map[string]idp.Person{"oidc": idp.Alice, "dex": idp.Bob, "github": idp.Octo}
	want := map[string]string{
		"oidc":   "ph_oidc_alice@example.com analysts,staff",
		"dex":    "ph_dex_bob@example.com staff",
		"github": "ph_github_octo analysts,staff",
	}
	for name, at := range places {
		t.Run(name, func(t *testing.T) {
			h, who := h.in(t), people[name]
			a := h.newAsking(appDocument, nowhere)
			p := newHuman(t)
			p.open(a.url(), "")
			p.reads("The App", appHost, "127.0.0.1", "Company login", "Company dex", "GitHub")
			if made := direct(t, db, "SELECT count() FROM system.users WHERE name LIKE 'ph_"+name+"_%'"); made[0][0] != "0" {
				t.Errorf("%v of them are users before anybody has signed in", made)
			}
			p.signIn(at, who)
			p.reads("The App", appHost, "127.0.0.1")
			g := a.redeem(a.codeOf(p.press(allow, nowhere, nil)))
			if got, err := h.self(g.access); err != nil || got != want[name] {
				t.Errorf("%q, %v; want %q\n%s", got, err, want[name], h.lastLine())
			}
			if next := a.renew(g.refresh); next.status != http.StatusOK || next.refresh == "" {
				t.Errorf("renewed: %+v\n%s", next, h.lastLine())
			}
			signedOut(p, a)
		})
	}
}

// signedOut signs out, and sees that the browser is asked anew.
func signedOut(p *human, a *asking) {
	p.t.Helper()
	p.open(a.h.url+"/signin/out", "")
	p.press("Sign out", "", nil)
	p.open(a.url(), "")
	if p.at.Path != "/signin" {
		p.t.Errorf("after signing out a client's request leads to %s: %s", p.at, p.page.text)
	}
}

// The demo needs nothing from elsewhere: with its address and nothing else, clients that
// nobody here wrote get in as whom one chooses to be.
func TestSignInDemo(t *testing.T) {
	t.Parallel()
	_, d := startDemo(t)
	h := &house{t: t, dir: t.TempDir(), url: strings.TrimSuffix(d.MCP, "/mcp"), log: &lockedBuffer{}}
	for name, person := range map[string]sandbox.Person{"mcp-remote": sandbox.People()[0], "inspector": sandbox.People()[1], "TypeScript SDK v2": sandbox.People()[2]} {
		t.Run(name, func(t *testing.T) {
			h, desk := h.in(t), newDesk(t)
			client := programs[name].start(desk, h, byRegistration)
			p := newHuman(t)
			p.open(desk.next(client), "")
			p.press("emo", "", nil)
			p.press(person.Name, "", nil)
			p.reads(person.Email)
			p.press(allow, "", nil)
			if who := programs[name].who(client); !strings.Contains(who, "You are "+person.Email+" ") {
				t.Errorf("whoami says %q", who)
			}
		})
	}
}

// openid-client, which only accepts what OpenID Connect allows, is content with the
// demo's provider.
func TestDemoProviderJudged(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := openid.Client{ID: "judge", Secret: clientSecret, RedirectURIs: []string{nowhere}}
	provider, err := openid.New(openid.Config{
		Issuer:  "http://" + listener.Addr().String(),
		People:  []openid.Person{{Subject: "u-1", Name: "Alice", Email: "alice@example.com", Groups: []string{"analysts"}}},
		Clients: []openid.Client{client},
	})
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: provider}
	go func() { _ = web.Serve(listener) }() // until the test closes it
	t.Cleanup(func() { _ = web.Close() })   // nobody asks any more

	script, person := newDesk(t).start([]string{"SECRET=" + clientSecret}, "clients/judge_demo.mjs", provider.Issuer, client.ID, nowhere), newHuman(t)
	var asked, last wish
	script.line(&asked)
	person.open(asked.Open, "")
	script.tell(map[string]string{"back": person.press("Alice", nowhere, nil).String()})
	script.line(&last)
	script.wait()
	var seen struct {
		Claims, User map[string]any
		Marked       bool
		Again        string
	}
	if err := json.Unmarshal(last.Result, &seen); err != nil {
		t.Fatal(err)
	}
	groups := []any{"analysts"}
	if seen.Claims["sub"] != "u-1" || seen.User["email"] != "alice@example.com" || !reflect.DeepEqual(seen.User["groups"], groups) || !seen.Marked || seen.Again != "invalid_grant 400" {
		t.Errorf("%+v", seen)
	}
}
