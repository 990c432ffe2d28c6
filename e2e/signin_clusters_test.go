package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"porterhouse/sandbox/idp"
)

// Somebody who signs in for the URL of one cluster (RFC 8707) has a token that is good
// there and nowhere else: the others say where to get one, and it cannot be widened.
func TestSignInForOneCluster(t *testing.T) {
	db, gateway := withSamples()
	s := settings{at: quietAddress(t)}
	at, _ := oidcPlace(t, s.at)
	s.extra = at.house("") + "default_cluster: main\n"
	h := prepareHouse(t, db.HTTP, gateway, s)
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	h.write("porterhouse.yaml", strings.Replace(string(text), "clusters:\n", fmt.Sprintf("clusters:\n  archive: {url: %q, user: %s, password: \"file:gateway.password\"}\n", db.HTTP, gateway.User), 1))
	h.start(s)

	narrow, wide := h.newAsking(appID, nowhere), h.newAsking(appID, nowhere)
	narrow.path = "/mcp/main"
	one, all := narrow.mustSignIn(at, idp.Alice), wide.mustSignIn(at, idp.Alice)
	renewed := narrow.renew(one.refresh)
	for _, test := range []struct {
		what, token, path string
		good              bool
	}{
		{"of main", one.access, "/mcp/main", true}, {"of main", one.access, "/mcp/archive", false}, {"of main", one.access, "/mcp", false},
		{"of main, renewed", renewed.access, "/mcp/main", true}, {"of main, renewed", renewed.access, "/mcp/archive", false}, {"of main, renewed", renewed.access, "/mcp", false},
		{"of all", all.access, "/mcp/main", true}, {"of all", all.access, "/mcp/archive", true}, {"of all", all.access, "/mcp", true},
	} {
		a := &agent{url: h.url + test.path, token: test.token, era: stateless, http: http.DefaultClient}
		rows, err := a.rows(t.Context(), "SELECT currentUser()")
		if test.good {
			if err != nil || rows[0][0] != "alice" {
				t.Errorf("a token %s at %s: %v, %v", test.what, test.path, rows, err)
			}
			continue
		}
		refused, ok := errors.AsType[*statusError](err)
		if !ok || refused.code != http.StatusUnauthorized {
			t.Errorf("a token %s at %s: %v, %v", test.what, test.path, rows, err)
			continue
		}
		challenge := refused.header.Get("WWW-Authenticate")
		for _, part := range []string{`error="invalid_token"`, `resource_metadata="` + h.url + "/.well-known/oauth-protected-resource" + test.path + `"`} {
			if !strings.HasPrefix(challenge, "Bearer ") || !strings.Contains(challenge, part) {
				t.Errorf("a token %s at %s: the challenge is %q, without %q", test.what, test.path, challenge, part)
			}
		}
	}

	for _, path := range []string{"/mcp", "/mcp/archive"} {
		form := narrow.form(narrow.code(at, idp.Alice))
		form.Set("resource", h.url+path)
		if g := h.tokenFor(form); g.fault != "invalid_target" {
			t.Errorf("a code for /mcp/main as one for %s: %+v", path, g)
		}
		form = map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {renewed.refresh}, "client_id": {narrow.client}, "resource": {h.url + path}}
		if g := h.tokenFor(form); g.fault != "invalid_target" {
			t.Errorf("renewed for %s: %+v", path, g)
		}
	}
}
