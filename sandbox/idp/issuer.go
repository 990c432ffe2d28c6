package idp

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Issuer is an OpenID provider that says whatever a test wants. At first it is a
// sound one, with endpoints as its discovery document names them:
//
//	/.well-known/openid-configuration, /jwks, /userinfo, /introspect, /authorize, /token
//
// A test changes one by Answer, and what signing in gives by the fields of flow.
type Issuer struct {
	*Wire
	Name    string // iss in its tokens and in its discovery document; at first the URL
	Options Options
	Now     func() time.Time // of new tokens

	keyRing
	knowledge
	flow
}

// StartIssuer starts an issuer with one key.
func StartIssuer(t testing.TB, o Options) *Issuer {
	t.Helper()
	wire := startWire(t)
	o = o.withDefaults()
	i := &Issuer{Wire: wire, Name: wire.URL, Options: o, Now: time.Now, knowledge: knowledge{opaque: map[string]Claims{}, people: o.People}}
	if o.Key == nil {
		o.Key = NewKey(t, "RS256")
	}
	i.AddKey(o.Key)
	i.Answer("/.well-known/openid-configuration", func(out http.ResponseWriter, _ *http.Request) { reply(out, http.StatusOK, i.Discovery()) })
	i.Answer("/jwks", func(out http.ResponseWriter, _ *http.Request) { reply(out, http.StatusOK, i.KeySet()) })
	i.Answer("/userinfo", i.userinfo)
	i.Answer("/introspect", i.introspect)
	startFlow(i)
	return i
}

// Discovery is the discovery document.
func (i *Issuer) Discovery() Claims {
	return Claims{
		"issuer": i.Name, "jwks_uri": i.URL + "/jwks", "userinfo_endpoint": i.URL + "/userinfo",
		"introspection_endpoint": i.URL + "/introspect", "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"RS256", "ES256", "EdDSA"},
		"scopes_supported":                               []string{"openid", "profile", "email", "groups", "offline_access"},
		"authorization_response_iss_parameter_supported": i.NamesItself,
	}
}

// Sign makes a JWT of claims; changes are of its header.
func (i *Issuer) Sign(claims Claims, changes ...Claims) string {
	return i.Key().Sign(claims, changes...)
}

// Claims are those of a sound access token of a person, for an audience and by way
// of a client.
func (i *Issuer) Claims(p Person, audience string) Claims {
	now := i.Now()
	return Claims{
		"iss": i.Name, "sub": p.Subject, "aud": audience, "client_id": i.Options.Clients[0].ID, "azp": i.Options.Clients[0].ID,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(i.Options.Lifetime).Unix(), "jti": rand.Text(),
		"name": p.Name, "preferred_username": p.Name, "email": p.Email, "email_verified": !p.Unverified,
		"groups": p.Groups, "scope": "openid email profile groups",
	}
}

// Opaque makes a token that only the endpoints understand: they answer with claims.
func (i *Issuer) Opaque(claims Claims) string { return i.register(rand.Text()+rand.Text(), claims) }

// known returns what token stands for; nothing once it has expired.
func (i *Issuer) known(token string) (Claims, bool) {
	i.knowledge.mu.Lock()
	defer i.knowledge.mu.Unlock()
	claims, ok := i.opaque[token]
	if end, limited := claims["exp"].(int64); limited && end <= i.Now().Unix() {
		return nil, false
	}
	return claims, ok
}

// protocolClaims are about a token and not about a person: userinfo has none of them.
var protocolClaims = strings.Fields("iss aud client_id azp iat nbf exp jti scope active token_type")

func (i *Issuer) userinfo(out http.ResponseWriter, r *http.Request) {
	claims, ok := i.known(bearer(r))
	if !ok {
		out.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		reply(out, http.StatusUnauthorized, Claims{"error": "invalid_token"})
		return
	}
	for _, name := range protocolClaims {
		claims = claims.With(name, nil)
	}
	reply(out, http.StatusOK, claims)
}

// introspect is RFC 7662: only for a client, and no error for a token it does not know.
func (i *Issuer) introspect(out http.ResponseWriter, r *http.Request) {
	if !i.isClient(r) || r.Method != http.MethodPost {
		out.Header().Set("WWW-Authenticate", `Basic realm="introspection"`)
		reply(out, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	}
	claims, ok := i.known(r.PostFormValue("token"))
	if !ok {
		reply(out, http.StatusOK, Claims{"active": false})
		return
	}
	reply(out, http.StatusOK, Claims{"token_type": "Bearer"}.and(claims).With("active", true))
}

// and returns c with what more says; more wins.
func (c Claims) and(more Claims) Claims {
	for name, value := range more {
		c = c.With(name, value)
	}
	return c
}

// isClient checks Basic client authentication.
func (i *Issuer) isClient(r *http.Request) bool {
	id, secret, _ := r.BasicAuth()
	for _, c := range i.Options.Clients {
		if (id == c.ID || unescape(id) == c.ID) && (secret == c.Secret || unescape(secret) == c.Secret) {
			return true
		}
	}
	return false
}
