package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A code that comes again opens nothing, and takes back what the first one gave.
func TestAttackCodeReplay(t *testing.T) {
	d, _ := openFlow(t, nil)
	code := d.code()
	first := d.tokens(redeem(code))
	d.wantOAuthError(d.grant(redeem(code)), "invalid_grant")
	d.wantOAuthError(d.grant(refreshing(first.field("refresh_token"))), "invalid_grant")
	if lines := d.recorded("reuse"); len(lines) != 1 {
		t.Errorf("the record of reuse: %q", lines)
	}
	if d.Stats().Reused != 1 {
		t.Errorf("%+v", d.Stats())
	}
}

// The same while the first request for tokens is still under way: what it would have
// begun cannot begin any more.
func TestAttackCodeReplayBeforeTheFirstAnswer(t *testing.T) {
	d, _ := openFlow(t, nil)
	a, err := d.codes.use(t.Context(), d.code())
	if err != nil {
		t.Fatal(err)
	}
	found := d.families.entitle(must(d.client(t.Context(), webClient, "")), a.Who.principal(), a.Scopes, a.Resource, a.Family)
	if err := d.families.end(t.Context(), a.Family); err != nil { // as the replay does
		t.Fatal(err)
	}
	if secret, err := found.refresh(t.Context()); err == nil || secret != "" {
		t.Errorf("a family that was taken back has begun: %v", err)
	}
}

// Each of these uses the code up: afterwards it is no good to its client either.
func TestAttackCodeOfAnother(t *testing.T) {
	wrong := strings.Repeat("w", 43)
	for name, change := range map[string][]string{
		"another client":                {"client_id", otherClient},
		"no verifier":                   {"code_verifier", "-"},
		"empty verifier":                {"code_verifier", ""},
		"wrong verifier":                {"code_verifier", wrong},
		"the challenge as verifier":     {"code_verifier", wish().Get("code_challenge")},
		"short verifier":                {"code_verifier", verifier[:42]},
		"another redirect":              {"redirect_uri", "https://evil.example.com/"},
		"redirect without its query":    {"redirect_uri", "https://app.example.com/callback"},
		"redirect with another letter":  {"redirect_uri", strings.Replace(webRedirect, "callback", "Callback", 1)},
		"an empty redirect":             {"redirect_uri", ""},
		"a resource that is not ours":   {"resource", "https://clickhouse.example.com/mcp"},
		"another of ours than was said": {"resource", "second"},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := openFlow(t, func(c *Config) {
				c.Resources = append(c.Resources, Resource{URI: c.Issuer + "/second", Name: "Second", Scopes: []string{ScopeRead}})
			})
			if change[1] == "second" {
				change[1] = d.url + "/second"
			}
			code := d.code()
			if a := d.grant(redeem(code, change...)); a.status != http.StatusBadRequest || a.field("access_token") != "" {
				t.Fatalf("the answer is %d %s", a.status, a.text)
			}
			d.wantOAuthError(d.grant(redeem(code)), "invalid_grant")
		})
	}
}

// PKCE cannot be left out, or made weaker, when a code is asked for.
func TestAttackWithoutPKCE(t *testing.T) {
	d, _ := openFlow(t, nil)
	for name, change := range map[string][]string{
		"no challenge":           {"code_challenge", "-"},
		"empty challenge":        {"code_challenge", ""},
		"plain":                  {"code_challenge_method", "plain", "code_challenge", verifier},
		"no method, so plain":    {"code_challenge_method", "-"},
		"a challenge of no hash": {"code_challenge", verifier},
		"padded":                 {"code_challenge", wish().Get("code_challenge") + "="},
	} {
		back := d.sentBack(d.do(http.MethodGet, authorizePath(wish(change...)), "alice", nil))
		if back.Get("error") != "invalid_request" || back.Get("iss") != d.url || back.Get("state") != "a state" || back.Has("code") {
			t.Errorf("%s: the client is sent %v", name, back)
		}
	}
}

// Who is not the client it says does not use the client's code up.
func TestStrangersDoNotBurnCodes(t *testing.T) {
	d, _ := openFlow(t, nil)
	code := d.code("client_id", vaultClient)
	form := redeem(code, "client_id", "-")
	for name, header := range map[string]string{"wrong secret": "a wrong secret, long enough", "no secret": ""} {
		if a := d.grant(form, basic(vaultClient, header)...); a.field("error") != "invalid_client" || a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	d.wantOAuthError(d.grant(redeem(code, "client_id", "nobody")), "invalid_client")
	d.tokens(form, basic(vaultClient, deskSecret)...)
}

func basic(id, secret string) []string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return []string{"Authorization", r.Header.Get("Authorization")}
}

// A code is good for a minute, and one that was made up is no good at all.
func TestCodesEnd(t *testing.T) {
	d, _ := openFlow(t, nil)
	code := d.code()
	d.pass(time.Minute)
	d.wantOAuthError(d.grant(redeem(code)), "invalid_grant")
	d.wantOAuthError(d.grant(redeem("phc_made-up")), "invalid_grant")
	d.wantOAuthError(d.grant(redeem("")), "invalid_request")
}

// Of many who bring one code at once, to two servers on one store, one has tokens.
func TestAttackCodeRace(t *testing.T) {
	const many = 16
	d, _ := openFlow(t, func(c *Config) { c.Store = readTogether(c.Store, "code/", many) })
	twin := must(New(d.Config))
	request := wish()
	form := with(yes(d.page("alice", request)), ScopeOffline, "-") // a family would begin once anyway
	code := d.sentBack(d.do(http.MethodPost, authorizePath(request), "alice", form)).Get("code")
	given := make(chan answered, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			if i%2 == 0 {
				given <- d.grant(redeem(code))
				return
			}
			given <- ask(twin, "/token", redeem(code))
		})
	}
	wg.Wait()
	close(given)
	good := 0
	for a := range given {
		if a.field("access_token") != "" {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d had tokens for one code", good)
	}
}

// The client's tokens are for one of our resources, and no other's.
func TestAttackTokenForAnotherAudience(t *testing.T) {
	d, _ := openFlow(t, func(c *Config) {
		c.Resources = append(c.Resources, Resource{URI: "https://bare.example.com", Name: "Bare", Scopes: []string{ScopeRead}})
	})
	for _, resource := range []string{"https://evil.example.com/mcp", d.url + "/mcp/", d.url + "/MCP", d.url + "/mcp?x", "http://bare.example.com", "https://bare.example.com//"} {
		back := d.sentBack(d.do(http.MethodGet, authorizePath(wish("resource", resource)), "alice", nil))
		if back.Get("error") != "invalid_target" || back.Has("code") {
			t.Errorf("%s: the client is sent %v", resource, back)
		}
	}
	for asked, want := range map[string]string{
		"-": d.url + "/mcp", d.url + "/mcp": d.url + "/mcp",
		"https://bare.example.com": "https://bare.example.com", "https://bare.example.com/": "https://bare.example.com",
	} {
		a := d.tokens(redeem(d.code("resource", asked), "resource", asked))
		if aud := d.claimsOf(a)["aud"]; aud != want {
			t.Errorf("%s: the token is for %v, want %s", asked, aud, want)
		}
	}
	bare := d.code("resource", "https://bare.example.com")
	if a := d.tokens(redeem(bare)); d.claimsOf(a)["scope"] != "clickhouse:read offline_access" {
		t.Errorf("a resource without writing has %s", a.text)
	}
}
