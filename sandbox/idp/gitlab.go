package idp

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// GitLab is a stand-in for a GitLab: opaque access tokens, /oauth/userinfo with
// groups, /oauth/introspect, /oauth/token/info, and ID tokens with groups_direct.
type GitLab struct{ *Issuer }

// StartGitLab starts the stand-in, a self-managed one: its issuer is its URL.
// Subjects must be decimal numbers, as GitLab's ids are.
func StartGitLab(t testing.TB, o Options) *GitLab {
	t.Helper()
	g := &GitLab{StartIssuer(t, o)}
	g.Answer("/.well-known/openid-configuration", func(out http.ResponseWriter, _ *http.Request) {
		reply(out, http.StatusOK, g.Discovery().and(Claims{
			"jwks_uri": g.URL + "/oauth/discovery/keys", "userinfo_endpoint": g.URL + "/oauth/userinfo", "introspection_endpoint": g.URL + "/oauth/introspect",
		}))
	})
	g.Answer("/oauth/discovery/keys", func(out http.ResponseWriter, _ *http.Request) { reply(out, http.StatusOK, g.KeySet()) })
	g.Answer("/oauth/userinfo", g.userinfo)
	g.Answer("/oauth/introspect", g.introspect)
	g.Answer("/oauth/token/info", g.info)
	g.placeAt("/oauth/authorize", "/oauth/token")
	g.AccessTokens = func(p Person, client, _ string) string { return g.Access(p, client) }
	g.IDTokens = func(p Person, client string) Claims { // the name is userinfo's to tell
		return g.IDToken(p, client).and(Claims{"nonce": nil, "name": nil, "preferred_username": nil})
	}
	g.Offline = func(url.Values) bool { return true }
	return g
}

// Access makes an opaque access token of a person by way of a client.
func (g *GitLab) Access(p Person, client string) string {
	now := g.Now()
	owned := []string{}
	if len(p.Groups) > 0 {
		owned = p.Groups[:1]
	}
	return g.register(strings.ToLower(rand.Text()+rand.Text()), Claims{
		"sub": p.Subject, "name": p.Name, "nickname": p.Name, "preferred_username": p.Name, "email": p.Email, "email_verified": !p.Unverified,
		"groups": p.Groups, "https://gitlab.org/claims/groups/owner": owned,
		"client_id": client, "scope": "openid email profile read_user", "iat": now.Unix(), "exp": now.Add(g.Options.Lifetime).Unix(),
	})
}

// IDToken makes the claims of an ID token of a person for a client, to be signed.
func (g *GitLab) IDToken(p Person, client string) Claims {
	claims := g.Claims(p, client)
	return claims.and(Claims{"groups_direct": p.Groups, "groups": nil, "scope": nil, "client_id": nil, "azp": nil, "nonce": "n"})
}

// info is GitLab's own older endpoint about a token.
func (g *GitLab) info(out http.ResponseWriter, r *http.Request) {
	claims, ok := g.known(bearer(r))
	if !ok {
		reply(out, http.StatusUnauthorized, Claims{"error": "invalid_token"})
		return
	}
	reply(out, http.StatusOK, Claims{
		"resource_owner_id": json.RawMessage(str(claims["sub"])), "scope": strings.Fields(claims["scope"].(string)), "application": Claims{"uid": claims["client_id"]},
		"created_at": claims["iat"], "expires_in": claims["exp"].(int64) - g.Now().Unix(),
	})
}
