package identity

import (
	"time"

	"porterhouse"
)

// Settings is one token processor as an operator configures it. The names are
// those of Antalya's token_processors, in Go's spelling; what is ours alone stands
// below them. doc/token-processors.md tells each key's meaning.
type Settings struct {
	Name string // of the processor, for rules, logs and the audit record
	Type string // openid, jwt_static_key, jwt_static_jwks, jwt_dynamic_jwks, entra, azure, google, github, gitlab, keycloak, okta, auth0, cognito

	// Antalya's keys.
	TokenCacheLifetime         time.Duration // how long it is remembered whom a token proves, a JWT or an opaque one; the token's own end cuts it. 0: the default, 60 s; negative: not at all
	UsernameClaim              string        // path of the claim with the name; "": the kind's own (sub, mostly)
	GroupsClaim                string        // path of the claim with the groups; "": the kind's own (groups, mostly)
	ExpectedIssuer             string
	ExpectedAudience           []string // of every resource, beside the resource's own
	ExpectedTyp                string   // the typ header
	AllowNoExpiration          bool
	Claims                     string // JSON that the payload must contain; arrays as subsets
	Algo                       string // jwt_static_key: HS256 … Ed25519
	StaticKey                  porterhouse.Secret
	StaticKeyInBase64          bool
	PublicKey                  string // PEM
	StaticJWKS                 string // the set itself
	StaticJWKSFile             string // a file with it
	JWKSURI                    string
	JWKSCacheLifetime          time.Duration // 0: an hour
	VerifierLeeway             time.Duration // 0: 60 s; negative: none
	ConfigurationEndpoint      string        // discovery
	UserinfoEndpoint           string
	TokenIntrospectionEndpoint string
	IntrospectionClientID      string
	IntrospectionClientSecret  porterhouse.Secret
	TenantID                   string // entra

	// Ours.
	AllowAnyAudience bool     // a token need not be for us
	ClientIDs        []string // azp, client_id, appid or cid must be one of them; empty: any
	Algorithms       []string // signatures accepted; empty: RS256 PS256 ES256 ES384 ES512 EdDSA
	RequiredScopes   []string
	AllowedDomains   []string           // of a verified e-mail address (or hd); empty: any
	AllowedGroups    []string           // one of them is needed; empty: none is
	EmailVerified    bool               // the e-mail address must be verified; always so where it is the name
	AllowIDTokens    bool               // ID tokens pass, with one of ClientIDs as audience
	GroupLimit       int                // groups beyond are left out, and logged; 0: 200
	Organization     string             // github, gitlab: only members; cognito: region/pool
	BaseURL          string             // github, gitlab, okta, auth0, keycloak: where the provider is, such as https://github.example.com
	ClientSecret     porterhouse.Secret // github: to ask whose application a token is of
}

// Resource is what a token must be for: a door to a cluster. A token that is for
// one is refused at another.
type Resource struct {
	Door, Cluster string
	Audiences     []string // any of them; a processor's own ExpectedAudience counts too

	// exact: nothing that the settings name takes the place of Audiences (NewExchange).
	exact bool
}
