package identity

import (
	"context"
	"errors"
	"strings"
	"time"
)

// site is where a provider answers, and whose signature counts as its own. All of
// its places come from its discovery document, or all from the settings and the
// kind: a place that is configured is not looked up.
type site struct {
	providers  *Providers
	algorithms []string
	ring       keyRing         // configured keys; nil: those at places.keys
	life       time.Duration   // of keys that are fetched
	fixed      places          // from the settings and the kind
	document   *remote[places] // discovery; nil: there is none
}

// places is where a provider answers which question, and what it says of itself.
type places struct {
	issuer        string
	keys          string // jwks_uri
	userinfo      string
	introspection string
	authorize     string // authorization_endpoint: for browsers
	token         string // token_endpoint

	secretInForm    bool     // introspection wants our secret there, not in a header
	loginInForm     bool     // the token endpoint does
	namesItself     bool     // its redirects say iss (RFC 9207)
	scopes, prompts []string // that it understands; nil: it does not say
}

// newSite finds the site that s describes.
func newSite(s Settings, p *Providers) (*site, error) {
	w := &site{providers: p, life: s.JWKSCacheLifetime, fixed: placesOf(s)}
	var err error
	if s.Type == "google" && s.Algorithms == nil {
		s.Algorithms = []string{"RS256"}
	}
	if w.algorithms, err = algorithmsOf(s); err != nil {
		return nil, err
	}
	switch s.Type {
	case "jwt_static_key", "jwt_static_jwks":
		set, err := configuredKeys(s)
		if err != nil {
			return nil, err
		}
		if w.ring = set.ring; s.Type == "jwt_static_key" {
			w.algorithms, w.ring = []string{s.Algo}, set.only
		}
	case "openid", "keycloak", "okta", "auth0", "cognito":
		if address := discoveryOf(s); address != "" {
			w.document = p.documentAt(address, s.ExpectedIssuer)
		}
	}
	return w, nil
}

// placesOf are the places that the settings name, and those that a kind always has.
func placesOf(s Settings) places {
	at := places{issuer: s.ExpectedIssuer, keys: s.JWKSURI, userinfo: s.UserinfoEndpoint, introspection: s.TokenIntrospectionEndpoint}
	switch s.Type {
	case "entra", "azure":
		login := entraHost + "/" + s.TenantID
		at.issuer = "" // one of two
		at.keys = orText(at.keys, login+"/discovery/v2.0/keys")
		at.authorize, at.token = login+"/oauth2/v2.0/authorize", login+"/oauth2/v2.0/token"
	case "google":
		at.keys, at.userinfo = orText(at.keys, googleKeys), googleUserinfo
		at.authorize, at.token, at.loginInForm = googleAuthorize, googleToken, true
	case "gitlab":
		base := strings.TrimRight(orText(s.BaseURL, "https://gitlab.com"), "/")
		at.keys, at.userinfo = orText(at.keys, base+"/oauth/discovery/keys"), orText(at.userinfo, base+"/oauth/userinfo")
		at.authorize, at.token = base+"/oauth/authorize", base+"/oauth/token"
	case "github":
		login := strings.TrimRight(orText(s.BaseURL, "https://github.com"), "/") + "/login/oauth"
		at.authorize, at.token, at.loginInForm = login+"/authorize", login+"/access_token", true
	}
	return at
}

// places are those that are configured, completed by the discovery document.
func (w *site) places(ctx context.Context) (places, error) {
	if w.document == nil {
		return w.fixed, nil
	}
	at, err := w.document.get(ctx, func(places) bool { return true })
	if errors.Is(err, errDemo) {
		return places{}, refuse("%w", errDemo) // it will not be another in a moment
	}
	if err != nil {
		return places{}, err
	}
	at.keys = orText(w.fixed.keys, at.keys)
	at.userinfo = orText(w.fixed.userinfo, at.userinfo)
	at.introspection = orText(w.fixed.introspection, at.introspection)
	at.authorize = orText(w.fixed.authorize, at.authorize)
	at.token = orText(w.fixed.token, at.token)
	return at, nil
}

// signatures are those of the provider.
func (w *site) signatures(at places) signatures {
	if w.ring != nil {
		return signatures{w.algorithms, w.ring}
	}
	return signatures{w.algorithms, ringOf(w.providers.keysAt(at.keys, w.life))}
}

// discoveryOf is where the discovery document of an OpenID provider is; "": all
// places are configured.
func discoveryOf(s Settings) string {
	if s.ConfigurationEndpoint != "" {
		return s.ConfigurationEndpoint
	}
	if s.Type == "openid" {
		return ""
	}
	return strings.TrimRight(issuersOf(Settings{Type: s.Type, BaseURL: s.BaseURL, Organization: s.Organization, ExpectedIssuer: s.ExpectedIssuer})[0], "/") + wellKnown
}
