package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"porterhouse/sandbox/idp"
)

// nowhere is a redirect URI of these tests at which nobody listens: the person's
// browser stops in front of it.
const nowhere = "http://127.0.0.1:1/callback"

// wish is what a judging script asks of the person.
type wish struct {
	Open    string // an address, in the browser
	Device  string // the device page with its code in it
	Code    string
	Do      string // the button at the end; "": that which agrees
	Without string // a scope that the person leaves out
	Result  json.RawMessage
}

// judge runs a script, does what it asks, and decodes its result.
func (h *house) judge(at place, who idp.Person, result any, env []string, arguments ...string) {
	h.t.Helper()
	p, browser := newDesk(h.t).start(env, arguments...), newHuman(h.t)
	for {
		var w wish
		p.line(&w)
		switch {
		case w.Result != nil:
			if err := json.Unmarshal(w.Result, result); err != nil {
				h.t.Fatalf("%v in %s", err, w.Result)
			}
			p.wait()
			return
		case w.Device != "":
			h.onDevicePage(browser, w, at, who)
			p.tell(map[string]string{})
		default:
			p.tell(map[string]string{"back": h.answer(browser, w, at, who).String()})
		}
	}
}

// answer opens what a script asks for, and presses the button when there is a page at
// which to do so.
func (h *house) answer(p *human, w wish, at place, who idp.Person) *url.URL {
	h.t.Helper()
	if back := p.open(w.Open, nowhere); back != nil { // refused before anybody was asked
		return back
	}
	if p.at.Path == "/signin" {
		p.signIn(at, who)
	}
	back := p.press(w.Do, nowhere, nil)
	if back == nil {
		h.t.Fatalf("%q leads to HTTP %d at %s: %s", w.Do, p.status, p.at, p.page.text)
	}
	return back
}

// oauth4webapi is content with what the server says of itself, with its registration,
// its redirects and its tokens (RFC 7591, 7636, 8414, 8707, 9068, 9207, 9728), and
// understands every refusal.
func TestJudgedByOauth4webapi(t *testing.T) {
	t.Parallel()
	h, at := signInHouse(t, "", settings{})
	var seen struct {
		Client struct {
			ID string `json:"client_id"`
		}
		As, Granted map[string]any
		Scope       string
		Expires     int `json:"expires_in"`
		Rotated     bool
		Refused     map[string]string
	}
	h.judge(at, idp.Alice, &seen, nil, "clients/judge_oauth4webapi.mjs", h.url+"/mcp", appID)
	if seen.As["issuer"] != h.url || seen.Granted["client_id"] != seen.Client.ID || seen.Granted["aud"] != h.url+"/mcp" || seen.Granted["iss"] != h.url {
		t.Errorf("metadata %v, claims %v", seen.As, seen.Granted)
	}
	if seen.Scope != "clickhouse:read offline_access" || seen.Expires < 1 || seen.Expires > 600 || !seen.Rotated {
		t.Errorf("granted %q for %d s, rotated: %v", seen.Scope, seen.Expires, seen.Rotated)
	}
	sameRefusals(t, seen.Refused, map[string]string{
		"another client's refresh token": "invalid_grant 400",
		"a revoked refresh token":        "invalid_grant 400",
		"a code, twice":                  "invalid_grant 400",
		"a code with another verifier":   "invalid_grant 400",
		"a code of another client":       "invalid_grant 400",
		"a code with another redirect":   "invalid_grant 400",
		"a made-up code":                 "invalid_grant 400",
		"no PKCE":                        "invalid_request",
		"plain PKCE":                     "invalid_request",
		"PKCE without a method":          "invalid_request",
		"the implicit grant":             "unsupported_response_type",
		"a resource that is not here":    "invalid_target",
		"prompt=none without consent":    "consent_required",
		"the person says no":             "access_denied",
	})
}

// openid-client is content with every grant that a program can use without a person at
// its own browser as well, and with introspection and revocation.
func TestJudgedByOpenIDClient(t *testing.T) {
	t.Parallel() // it mostly waits
	key, public := signingKey(t)
	h, at := signInHouse(t, judges(public), settings{})
	var seen struct {
		Code         struct{ Scope, Type string }
		Introspected struct {
			Active             bool
			Client, Scope, Aud string
		}
		IntrospectedLater struct{ Active bool }
		Robots            map[string]struct {
			Token   string
			Refresh bool
		}
		Device struct {
			Token, Scope string
			Refresh      bool
		}
		Refused map[string]string
	}
	h.judge(at, idp.Alice, &seen, []string{"KEY=" + key, "SECRET=" + judgeSecret}, "clients/judge_openid_client.mjs", h.url, h.url+"/mcp")
	if seen.Code.Scope != "clickhouse:read offline_access" || !strings.EqualFold(seen.Code.Type, "bearer") {
		t.Errorf("by code: %+v", seen.Code)
	}
	if i := seen.Introspected; !i.Active || i.Client != "judge-public" || i.Aud != h.url+"/mcp" || seen.IntrospectedLater.Active {
		t.Errorf("introspected: %+v, and after it was revoked %+v", i, seen.IntrospectedLater)
	}
	for name, user := range map[string]string{"client_secret_basic": "carol", "private_key_jwt": "bob"} {
		robot := seen.Robots[name]
		if who := h.whoami(robot.Token); robot.Refresh || !strings.Contains(who, "You are "+user+"@example.com ") {
			t.Errorf("by %s, refresh token %v: %s", name, robot.Refresh, who)
		}
	}
	if who := h.whoami(seen.Device.Token); !seen.Device.Refresh || !strings.Contains(who, "You are "+idp.Alice.Email+" ") {
		t.Errorf("on the device: %+v, %s", seen.Device, who)
	}
	sameRefusals(t, seen.Refused, map[string]string{
		"a revoked family":                  "invalid_grant 400",
		"the person says no":                "access_denied",
		"another issuer's answer":           "mix-up",
		"another state":                     "state",
		"a wrong secret":                    "invalid_client 401",
		"a grant that is not this client's": "unauthorized_client 400",
		"a resource that is not here":       "invalid_target 400",
		"no, on the device page":            "access_denied 400",
	})
}

const judgeSecret = "what the operator gave to judge-secret"

// judges are the clients of judge_openid_client.mjs.
func judges(public string) string {
	return fmt.Sprintf(`,
    judge-public: {redirect_uris: [%q], grants: [authorization_code, refresh_token, device_code]},
    judge-secret: {secret: "file:judge.secret", grants: [client_credentials], user: carol@example.com, resource: HOUSE/mcp},
    judge-key: {jwks: '%s', grants: [client_credentials], user: bob@example.com}`, nowhere, public)
}

// signingKey makes a key of a client, and the set in which its public half is.
func signingKey(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mine := jose.JSONWebKey{Key: key, KeyID: "judge", Algorithm: "ES256", Use: "sig"}
	return marshal(t, mine), marshal(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{mine.Public()}})
}

func marshal(t *testing.T, what any) string {
	t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// whoami is what the tool of that name says to the bearer of a token.
func (h *house) whoami(token string) string {
	h.t.Helper()
	a, err := h.agent(token, stateless)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = a.end(h.t.Context()) }() // only its connections
	text, err := a.call(h.t.Context(), "whoami", map[string]any{})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(text)
}

func sameRefusals(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s: %q, want %q", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("the judge tried %v", slices.Sorted(maps.Keys(got)))
	}
}
