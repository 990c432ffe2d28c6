package authserver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func registering(c *Config) { c.AllowRegistration = true }

var public = map[string]any{"client_name": "An agent", "redirect_uris": []string{"http://localhost/callback"}, "token_endpoint_auth_method": "none"}

// A client registers, and is known from then on as what the answer says.
func TestRegister(t *testing.T) {
	d := openDesk(t, registering)
	a := d.register(public)
	id := a.field("client_id")
	if a.status != http.StatusCreated || a.field("client_secret") != "" || a.fields["client_id_issued_at"] == nil || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.status, a.text)
	}
	c := must(d.client(t.Context(), id, ""))
	if c.Known != ByRegistration || c.Auth != AuthNone || c.Name != "An agent" || !c.may(GrantCode) || !c.may(GrantRefresh) || c.may(GrantDevice) ||
		c.allowsRedirect("http://localhost:1234/callback") != nil {
		t.Errorf("the client is %+v", c)
	}
	lines := d.recorded("register")
	if len(lines) != 1 || !strings.Contains(lines[0], id) || !strings.Contains(lines[0], "http://localhost/callback") {
		t.Errorf("the record has %v", lines)
	}
}

// The metadata that RFC 7591 asks for, as clients send it.
func TestRegisterAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		metadata map[string]any
		method   AuthMethod
		grants   string
		uris     string
	}{
		"no method means basic": {map[string]any{"redirect_uris": []string{"http://127.0.0.1/"}}, AuthBasic, "[authorization_code refresh_token]", "[http://127.0.0.1/]"},
		"post":                  {map[string]any{"redirect_uris": []string{"http://127.0.0.1/"}, "token_endpoint_auth_method": "client_secret_post"}, AuthPost, "[authorization_code refresh_token]", "[http://127.0.0.1/]"},
		"Cursor's three URIs, and one that is nobody's": {map[string]any{"token_endpoint_auth_method": "none", "redirect_uris": []string{
			"cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback", "nobodys://callback"}},
			AuthNone, "[authorization_code refresh_token]", "[cursor://anysphere.cursor-mcp/oauth/callback https://www.cursor.com/agents/mcp/oauth/callback http://localhost:8787/callback]"},
		"grants that are for others": {map[string]any{"token_endpoint_auth_method": "none", "redirect_uris": []string{"http://127.0.0.1/"},
			"grant_types": []string{GrantCode, GrantCredentials, GrantExchange, GrantAssertion, "implicit", GrantDevice}},
			AuthNone, "[authorization_code " + GrantDevice + "]", "[http://127.0.0.1/]"},
		"a device": {map[string]any{"token_endpoint_auth_method": "none", "grant_types": []string{GrantDevice}}, AuthNone, "[" + GrantDevice + "]", "[]"},
	} {
		d := openDesk(t, registering)
		a := d.register(test.metadata)
		if a.status != http.StatusCreated || a.field("token_endpoint_auth_method") != string(test.method) || fmt.Sprint(a.fields["grant_types"]) != test.grants ||
			fmt.Sprint(a.fields["redirect_uris"]) != test.uris {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
		if secret := a.field("client_secret"); (secret != "") != (test.method != AuthNone) || (secret != "") != (a.fields["client_secret_expires_at"] != nil) {
			t.Errorf("%s: the secret is %q, %s", name, secret, a.text)
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	d := openDesk(t, registering)
	for want, metadata := range map[string]map[string]any{
		"invalid_redirect_uri: no redirect URI is left: it names none": {},
		"is of no program":                     {"redirect_uris": []string{"myprogram://callback"}},
		"must begin with https":                {"redirect_uris": []string{"http://app.example.com/callback"}},
		"has a fragment":                       {"redirect_uris": []string{"https://app.example.com/callback#x"}},
		"no program can be sent":               {"redirect_uris": []string{"javascript:alert(1)"}},
		"more than the 20":                     {"redirect_uris": strings.Split(strings.Repeat("http://127.0.0.1/ ", 21), " ")},
		"invalid_client_metadata: token_endpo": {"redirect_uris": []string{"http://127.0.0.1/"}, "token_endpoint_auth_method": "private_key_jwt"},
		"must have code":                       {"redirect_uris": []string{"http://127.0.0.1/"}, "response_types": []string{"token"}},
		"none of the grant types":              {"redirect_uris": []string{"http://127.0.0.1/"}, "grant_types": []string{GrantCredentials}},
		"more than the 5120":                   {"redirect_uris": []string{"http://127.0.0.1/"}, "client_name": strings.Repeat("x", maxDocument)},
		"the JSON of client metadata":          {"redirect_uris": "http://127.0.0.1/"},
	} {
		a := d.register(metadata)
		if a.status < 400 || a.status > 413 || !strings.Contains(a.field("error")+": "+a.field("error_description"), want) || a.field("client_id") != "" {
			t.Errorf("want %q: %d %s", want, a.status, a.text)
		}
	}
	if a := d.do(http.MethodPost, "/register", "", url.Values{"redirect_uris": {"http://127.0.0.1/"}}); a.field("error") != "invalid_client_metadata" {
		t.Errorf("a form: %d %s", a.status, a.text)
	}
	if keys := must(d.store.Keys(t.Context(), "registration")); len(keys) != 0 {
		t.Errorf("the store has %v", keys)
	}
}

// Nobody registers where the operator does not allow it, and nobody is known who did.
func TestRegisterIsOff(t *testing.T) {
	d := openDesk(t, nil)
	if a := d.register(public); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.text)
	}
	on := openDesk(t, registering)
	id := on.register(public).field("client_id")
	on.clients.registrations = nil
	_, err := on.client(t.Context(), id, "")
	on.wantProblem(err, "invalid_client", "there is no client")
}

// A flood of registrations is stopped, by network and altogether, and what it left
// is gone after a day.
func TestRegisterFlood(t *testing.T) {
	d := openDesk(t, registering)
	d.from("192.0.2.1:1")
	for range 30 {
		if a := d.register(public); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.text)
		}
	}
	if a := d.register(public); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("one more of the same network: %d %s", a.status, a.text)
	}
	created := 30
	for i := range 2 * mostInAnHour {
		d.from(fmt.Sprintf("[2001:db8:%x::1]:1", i))
		if d.register(public).status == http.StatusCreated {
			created++
		}
	}
	if created != mostInAnHour {
		t.Errorf("%d were registered in an hour, want %d", created, mostInAnHour)
	}
	d.pass(time.Hour)
	if a := d.register(public); a.status != http.StatusCreated {
		t.Errorf("in the next hour: %d %s", a.status, a.text)
	}
	d.pass(unusedLife)
	if keys := must(d.store.Keys(t.Context(), "registration")); len(keys) != 0 {
		t.Errorf("after a day the store has %d keys", len(keys))
	}
}

// A registration that is used stays, for as long as what it was given can.
func TestRegistrationIsKeptOn(t *testing.T) {
	d := openDesk(t, registering)
	used, unused := d.register(public).field("client_id"), d.register(public).field("client_id")
	d.clients.used(t.Context(), must(d.client(t.Context(), used, "")))
	d.pass(unusedLife)
	_, err := d.client(t.Context(), unused, "")
	d.wantProblem(err, "invalid_client", "let the client register anew")
	for range 5 {
		d.clients.used(t.Context(), must(d.client(t.Context(), used, "")))
		d.pass(d.Lifetimes.Longest)
		must(d.client(t.Context(), used, ""))
	}
	d.pass(24 * time.Hour)
	_, err = d.client(t.Context(), used, "")
	d.wantProblem(err, "invalid_client", "let the client register anew")
}
