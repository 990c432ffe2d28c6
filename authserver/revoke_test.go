package authserver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// revoke and introspect ask about a token, as a client.
func (d *desk) revoke(token string, client ...string) answered {
	d.t.Helper()
	return d.do(http.MethodPost, "/revoke", "", with(url.Values{"token": {token}, "client_id": {webClient}}, client...))
}

func (d *desk) introspect(token string, header ...string) answered {
	d.t.Helper()
	return d.do(http.MethodPost, "/introspect", "", url.Values{"token": {token}}, header...)
}

// A client gives back a refresh token, any of its family, or an access token: the
// family ends. What is no token, or has ended, is a success (RFC 7009, 2.2).
func TestRevoke(t *testing.T) {
	d, _ := openFlow(t, nil)
	for name, of := range map[string]func(a answered) string{
		"refresh token": func(a answered) string { return a.field("refresh_token") },
		"access token":  func(a answered) string { return a.field("access_token") },
	} {
		a := d.family()
		if b := d.revoke(of(a)); b.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, b.status, b.text)
		}
		d.wantOAuthError(d.refresh(a.field("refresh_token")), "invalid_grant")
		if b := d.revoke(of(a)); b.status != http.StatusOK {
			t.Errorf("%s, again: %d %s", name, b.status, b.text)
		}
	}
	first := d.family().field("refresh_token")
	second := d.refreshed(first)
	if a := d.revoke(first); a.status != http.StatusOK {
		t.Errorf("an older one: %d %s", a.status, a.text)
	}
	d.wantOAuthError(d.refresh(second), "invalid_grant")
	for _, text := range []string{"nothing", "phr_nothing", "a.b.c", d.family().field("access_token") + "x"} {
		if a := d.revoke(text); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", text, a.status, a.text)
		}
	}
	if n := len(d.recorded("revoke")); n != 3 {
		t.Errorf("the record has %d, want 3", n)
	}
	d.wantOAuthError(d.revoke(""), "invalid_request")
}

// Nobody gives back what is another client's.
func TestAttackRevokeOfAnother(t *testing.T) {
	d, _ := openFlow(t, nil)
	a := d.family()
	for _, token := range []string{a.field("refresh_token"), a.field("access_token")} {
		d.wantOAuthError(d.revoke(token, "client_id", otherClient), "unauthorized_client")
		d.wantOAuthError(d.revoke(token, "client_id", vaultClient), "invalid_client")
	}
	d.refreshed(a.field("refresh_token"))
}

// The operator's client of a resource learns what tokens for it are; of what does not
// count any more only that.
func TestIntrospect(t *testing.T) {
	d, _ := openFlow(t, nil)
	service := basic(vaultClient, deskSecret)
	a := d.family()
	found := d.introspect(a.field("access_token"), service...)
	if found.fields["active"] != true || found.field("username") != "alice@example.com" || found.field("client_id") != webClient ||
		found.field("aud") != d.url+"/mcp" || found.field("sub") != subjectHere(personCalled("alice")) || found.field("iss") != d.url ||
		found.field("token_type") != "Bearer" || found.fields["exp"] != float64(d.now().Unix()+300) {
		t.Errorf("the access token is %s", found.text)
	}
	if found = d.introspect(a.field("refresh_token"), service...); found.fields["active"] != true || found.field("token_type") != "" {
		t.Errorf("the refresh token is %s", found.text)
	}
	next := d.refreshed(a.field("refresh_token"))
	d.inactive(d.introspect(a.field("refresh_token"), service...))
	d.revoke(next)
	d.inactive(d.introspect(next, service...))
	d.inactive(d.introspect(a.field("access_token"), service...))
	late := d.family().field("access_token")
	d.pass(5 * time.Minute)
	for _, text := range []string{late, "nothing", "phr_nothing", "e30.e30.e30"} {
		d.inactive(d.introspect(text, service...))
	}
}

func (d *desk) inactive(a answered) {
	d.t.Helper()
	if a.status != http.StatusOK || strings.TrimSpace(a.text) != `{"active":false}` {
		d.t.Errorf("it is %d %s", a.status, a.text)
	}
}

// What a token is, is for those who prove who they are, and for whom it is meant.
func TestAttackIntrospection(t *testing.T) {
	d, _ := openFlow(t, func(c *Config) {
		c.Resources = append(c.Resources, Resource{URI: "https://second.example.com", Name: "Second", Scopes: []string{ScopeRead}})
		for id, resource := range map[string]string{"second": "https://second.example.com", "nothing": ""} {
			c.Clients = append(c.Clients, ClientConfig{ID: id, RedirectURIs: []string{webRedirect}, Secret: porterhouse.NewSecret(deskSecret), Resource: resource})
		}
	})
	a := d.family()
	for _, token := range []string{a.field("access_token"), a.field("refresh_token")} {
		d.wantOAuthError(d.introspect(token), "invalid_client")
		d.wantOAuthError(d.introspect(token, basic(vaultClient, "wrong, and long enough")...), "invalid_client")
		d.wantOAuthError(d.do(http.MethodPost, "/introspect", "", url.Values{"token": {token}, "client_id": {webClient}}), "invalid_client")
		d.inactive(d.introspect(token, basic("second", deskSecret)...))
		d.inactive(d.introspect(token, basic("nothing", deskSecret)...))
	}
}

// A body is a form, once, and not larger than anything that belongs in one.
func TestAttackForms(t *testing.T) {
	d, _ := openFlow(t, nil)
	token := d.family().field("refresh_token")
	good := refreshing(token).Encode()
	for name, test := range map[string]struct {
		kind, body string
		status     int
	}{
		"huge":           {"application/x-www-form-urlencoded", good + "&x=" + strings.Repeat("x", maxForm), http.StatusRequestEntityTooLarge},
		"JSON":           {"application/json", `{"grant_type":"refresh_token"}`, http.StatusBadRequest},
		"multipart":      {"multipart/form-data; boundary=x", "--x--", http.StatusBadRequest},
		"no type":        {"", good, http.StatusBadRequest},
		"bad escape":     {"application/x-www-form-urlencoded", good + "&x=%zz", http.StatusBadRequest},
		"two grants":     {"application/x-www-form-urlencoded", good + "&grant_type=authorization_code", http.StatusBadRequest},
		"two clients":    {"application/x-www-form-urlencoded", good + "&client_id=" + otherClient, http.StatusBadRequest},
		"two tokens":     {"application/x-www-form-urlencoded", good + "&refresh_token=" + token, http.StatusBadRequest},
		"two resources":  {"application/x-www-form-urlencoded", good + "&resource=a&resource=b", http.StatusBadRequest},
		"no grant":       {"application/x-www-form-urlencoded", "client_id=" + webClient, http.StatusBadRequest},
		"unknown grant":  {"application/x-www-form-urlencoded", "client_id=" + webClient + "&grant_type=password", http.StatusBadRequest},
		"not its grant":  {"application/x-www-form-urlencoded", "client_id=" + webClient + "&grant_type=client_credentials", http.StatusBadRequest},
		"in the address": {"application/x-www-form-urlencoded", "", http.StatusUnauthorized},
	} {
		path := "/token"
		if test.body == "" {
			path += "?" + good
		}
		r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+path, strings.NewReader(test.body)))
		if test.kind != "" {
			r.Header.Set("Content-Type", test.kind)
		}
		if a := d.send(r); a.status != test.status || a.field("error") == "" || a.field("access_token") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	same := url.QueryEscape(d.url + "/mcp")
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/token", strings.NewReader(good+"&resource="+same+"&resource="+same)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	if a := d.send(r); a.status != http.StatusOK {
		t.Errorf("the same resource twice: %d %s", a.status, a.text)
	}
}

// Groups that do not fit into a token: the person is told on the page, and what has
// become too much later is told to the client.
func TestTooManyGroups(t *testing.T) {
	many := false
	grown := func(who porterhouse.Principal) porterhouse.Principal {
		if many {
			for i := range 1000 {
				who.Groups = append(who.Groups, fmt.Sprint("a group with a long name ", i))
			}
		}
		return who
	}
	d, provider := openFlow(t, func(c *Config) {
		c.Who = func(r *http.Request) (porterhouse.Principal, error) {
			who, err := signedIn(r)
			return grown(who), err
		}
	})
	provider.who = grown
	token := d.family().field("refresh_token")
	page := yes(d.page("alice", wish()))
	many = true
	if a := d.do(http.MethodGet, authorizePath(wish()), "alice", nil); a.status != http.StatusBadRequest || !strings.Contains(a.text, "1001 groups") {
		t.Errorf("the page is %d %s", a.status, a.text)
	}
	if back := d.sentBack(d.do(http.MethodPost, authorizePath(wish()), "alice", page)); back.Has("code") {
		t.Errorf("the client is sent %v", back)
	}
	d.wantOAuthError(d.refresh(token), "invalid_grant")
	many = false
	d.refreshed(token)
}

// What is taken back while the provider is asked gives no access token either, also to
// the last but one refresh token.
func TestRevokedWhileTheProviderIsAsked(t *testing.T) {
	d, provider := openFlow(t, nil)
	first := d.family().field("refresh_token")
	second := d.tokens(refreshing(first)).field("refresh_token")
	provider.who = func(who porterhouse.Principal) porterhouse.Principal {
		d.do(http.MethodPost, "/revoke", "", url.Values{"client_id": {webClient}, "token": {second}})
		return who
	}
	d.wantOAuthError(d.grant(refreshing(first)), "invalid_grant")
}
