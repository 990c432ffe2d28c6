package idp

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Google is a stand-in for Google's sign-in: opaque access tokens, tokeninfo,
// userinfo, ID tokens, and Cloud Identity's groups. Its hosts all answer here:
//
//	accounts.google.com          discovery
//	www.googleapis.com           /oauth2/v3/certs, /oauth2/v3/tokeninfo
//	oauth2.googleapis.com        /tokeninfo
//	openidconnect.googleapis.com /v1/userinfo
//	cloudidentity.googleapis.com /v1/groups/-/memberships:searchDirectGroups
//
// The discovery document names the hosts when it is asked for under its own name,
// and else this server's address.
type Google struct {
	*Issuer
	Domain string // hd of everybody with an address there
}

// Scopes of Google's tokens.
const (
	GoogleEmailScope  = "https://www.googleapis.com/auth/userinfo.email"
	GoogleGroupsScope = "https://www.googleapis.com/auth/cloud-identity.groups.readonly"
)

const googleMemberships = "/v1/groups/-/memberships:searchDirectGroups"

// StartGoogle starts the stand-in. Its Workspace domain is example.com.
func StartGoogle(t testing.TB, o Options) *Google {
	t.Helper()
	g := &Google{Issuer: StartIssuer(t, o), Domain: "example.com"}
	g.Name = "https://accounts.google.com"
	g.Answer("/.well-known/openid-configuration", g.discovery)
	g.Answer("/oauth2/v3/certs", func(out http.ResponseWriter, _ *http.Request) { reply(out, http.StatusOK, g.KeySet()) })
	for _, path := range []string{"/tokeninfo", "/oauth2/v3/tokeninfo"} {
		g.Answer(path, g.tokeninfo)
	}
	for _, path := range []string{"/v1/userinfo", "/oauth2/v3/userinfo"} {
		g.Answer(path, g.userinfo)
	}
	g.Answer(googleMemberships, g.memberships)
	g.placeAt("/o/oauth2/v2/auth", "/token")
	g.IDTokens = g.IDToken
	g.AccessTokens = func(p Person, client, scopes string) string {
		return g.Access(p, client, strings.Fields(strings.Replace(scopes, "email", GoogleEmailScope, 1))...)
	}
	g.Offline = func(query url.Values) bool {
		return query.Get("access_type") == "offline" && slices.Contains(strings.Fields(query.Get("prompt")), "consent")
	}
	return g
}

// Hosts are the names of Google's that answer here.
func (g *Google) Hosts() map[string]http.Handler {
	hosts := map[string]http.Handler{}
	for _, name := range []string{"accounts", "www", "oauth2", "openidconnect", "cloudidentity"} {
		domain := ".googleapis.com"
		if name == "accounts" {
			domain = ".google.com"
		}
		hosts[name+domain] = g
	}
	return hosts
}

// Access makes an access token (ya29.…) of a person for a client, with the scopes
// openid, e-mail and groups, or with those given.
func (g *Google) Access(p Person, client string, scopes ...string) string {
	if scopes == nil {
		scopes = []string{"openid", GoogleEmailScope, GoogleGroupsScope}
	}
	claims := Claims{"sub": p.Subject, "aud": client, "azp": client, "scope": strings.Join(scopes, " "), "exp": g.Now().Add(g.Options.Lifetime).Unix()}
	return g.register("ya29."+rand.Text()+rand.Text(), claims)
}

// IDToken makes the claims of an ID token of a person for a client, to be signed.
func (g *Google) IDToken(p Person, client string) Claims {
	now := g.Now()
	claims := Claims{
		"iss": g.Name, "aud": client, "azp": client, "sub": p.Subject, "email": p.Email, "email_verified": !p.Unverified,
		"name": p.Name, "iat": now.Unix(), "exp": now.Add(g.Options.Lifetime).Unix(), "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
	}
	return g.hosted(claims, p)
}

// hosted adds hd for a member of the Workspace domain.
func (g *Google) hosted(claims Claims, p Person) Claims {
	if strings.HasSuffix(p.Email, "@"+g.Domain) {
		return claims.With("hd", g.Domain)
	}
	return claims
}

// discovery has no introspection_endpoint: Google has none.
func (g *Google) discovery(out http.ResponseWriter, r *http.Request) {
	accounts, keys, userinfo := g.URL, g.URL, g.URL
	if r.Host == "accounts.google.com" {
		accounts, keys, userinfo = "https://accounts.google.com", "https://www.googleapis.com", "https://openidconnect.googleapis.com"
	}
	reply(out, http.StatusOK, Claims{
		"issuer": g.Name, "authorization_endpoint": accounts + "/o/oauth2/v2/auth", "jwks_uri": keys + "/oauth2/v3/certs",
		"userinfo_endpoint": userinfo + "/v1/userinfo", "id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	})
}

// tokeninfo writes numbers and booleans as strings.
func (g *Google) tokeninfo(out http.ResponseWriter, r *http.Request) {
	claims, ok := g.known(r.FormValue("access_token"))
	if !ok {
		reply(out, http.StatusBadRequest, Claims{"error": "invalid_token", "error_description": "Invalid Value"})
		return
	}
	end := time.Unix(claims["exp"].(int64), 0)
	info := claims.and(Claims{
		"exp": strconv.FormatInt(end.Unix(), 10), "expires_in": strconv.Itoa(int(end.Sub(g.Now()).Seconds())), "access_type": "online",
	})
	if p, ok := g.withEmail(claims); ok {
		info = info.and(Claims{"email": p.Email, "email_verified": strconv.FormatBool(!p.Unverified)})
	}
	reply(out, http.StatusOK, info)
}

// withEmail is the person of a token that may tell the address.
func (g *Google) withEmail(claims Claims) (Person, bool) {
	p, ok := g.person(withSubject(str(claims["sub"])))
	return p, ok && hasScope(claims, GoogleEmailScope)
}

func hasScope(claims Claims, scope string) bool {
	return strings.Contains(" "+claims["scope"].(string)+" ", " "+scope+" ")
}

func (g *Google) userinfo(out http.ResponseWriter, r *http.Request) {
	claims, ok := g.known(bearer(r))
	if !ok {
		reply(out, http.StatusUnauthorized, Claims{"error": "invalid_request", "error_description": "Invalid Credentials"})
		return
	}
	info := Claims{"sub": claims["sub"], "picture": "https://lh3.googleusercontent.com/a/x"}
	if p, ok := g.withEmail(claims); ok {
		info = g.hosted(info.and(Claims{"email": p.Email, "email_verified": !p.Unverified, "name": p.Name, "given_name": p.Name}), p)
	}
	reply(out, http.StatusOK, info)
}

// memberships tells the groups two at a time, to whoever may read them.
func (g *Google) memberships(out http.ResponseWriter, r *http.Request) {
	claims, ok := g.known(bearer(r))
	if !ok || !hasScope(claims, GoogleGroupsScope) {
		reply(out, http.StatusForbidden, Claims{"error": Claims{"code": 403, "status": "PERMISSION_DENIED", "message": "Request had insufficient authentication scopes."}})
		return
	}
	member, _ := g.person(func(p Person) bool { return r.FormValue("query") == "member_key_id == '"+p.Email+"'" })
	page, next := pageOf(member.Groups, r.FormValue("pageToken"), 2)
	memberships := []Claims{}
	for _, name := range page {
		memberships = append(memberships, Claims{"group": "groups/" + url.PathEscape(name), "groupKey": Claims{"id": name}, "displayName": name, "relationType": "DIRECT"})
	}
	reply(out, http.StatusOK, Claims{"memberships": memberships}.With("nextPageToken", next))
}

// pageOf cuts all into pages of size; token is the index of the first, and next
// that of the following page, or nil.
func pageOf(all []string, token string, size int) (page []string, next any) {
	first, err := strconv.Atoi(token)
	if err != nil || first < 0 || first > len(all) {
		first = 0
	}
	end := min(first+size, len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return all[first:end], next
}
