package authserver

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// The paths below the issuer's.
const (
	pathAuthorize           = "/authorize"
	pathToken               = "/token"
	pathOtherToken          = "/oauth/token" // where clickhouse-client --login looks
	pathDeviceAuthorization = "/device_authorization"
	pathOtherDevice         = "/oauth/device/code" // likewise
	pathDevice              = "/device"
	pathRegister            = "/register"
	pathRevoke              = "/revoke"
	pathIntrospect          = "/introspect"
	pathKeys                = "/jwks"
)

// The well-known names: of RFC 8414, and of OpenID Connect Discovery.
const (
	wellKnownOAuth  = "/.well-known/oauth-authorization-server"
	wellKnownOpenID = "/.well-known/openid-configuration"
)

// metadata is what clients may know of us (RFC 8414, 2).
type metadata struct {
	Issuer                  string   `json:"issuer"`
	AuthorizationEndpoint   string   `json:"authorization_endpoint"`
	TokenEndpoint           string   `json:"token_endpoint"`
	DeviceEndpoint          string   `json:"device_authorization_endpoint,omitempty"` // RFC 8628
	RegistrationEndpoint    string   `json:"registration_endpoint,omitempty"`
	RevocationEndpoint      string   `json:"revocation_endpoint"`
	IntrospectionEndpoint   string   `json:"introspection_endpoint"`
	KeySet                  string   `json:"jwks_uri"`
	Scopes                  []string `json:"scopes_supported"`
	ResponseTypes           []string `json:"response_types_supported"`
	ResponseModes           []string `json:"response_modes_supported"`
	Grants                  []string `json:"grant_types_supported"`
	GrantProfiles           []string `json:"authorization_grant_profiles_supported,omitempty"` // of jwt-bearer
	ChallengeMethods        []string `json:"code_challenge_methods_supported"`
	TokenAuth               []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms     []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuth          []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms    []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuth       []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgorithms []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	Prompts                 []string `json:"prompt_values_supported"`
	NamesItself             bool     `json:"authorization_response_iss_parameter_supported"`  // RFC 9207
	KnowsDocuments          bool     `json:"client_id_metadata_document_supported,omitempty"` // CIMD
	Resources               []string `json:"protected_resources"`                             // RFC 9728, 4
}

// openIDMetadata adds what OpenID Connect Discovery requires, and clients that look
// there insist on. ID tokens we give to nobody.
type openIDMetadata struct {
	metadata
	SubjectTypes      []string `json:"subject_types_supported"`
	IDTokenAlgorithms []string `json:"id_token_signing_alg_values_supported"`
}

// metadata describes this server.
func (c *Config) metadata() metadata {
	proofs := []string{string(AuthBasic), string(AuthPost), string(AuthKey)}
	m := metadata{
		Issuer:                  c.Issuer,
		AuthorizationEndpoint:   c.Issuer + pathAuthorize,
		TokenEndpoint:           c.Issuer + pathToken,
		RevocationEndpoint:      c.Issuer + pathRevoke,
		IntrospectionEndpoint:   c.Issuer + pathIntrospect,
		KeySet:                  c.Issuer + pathKeys,
		Scopes:                  c.scopes(),
		ResponseTypes:           []string{"code"},
		ResponseModes:           []string{"query"},
		Grants:                  c.grants(),
		ChallengeMethods:        []string{"S256"},
		TokenAuth:               append([]string{string(AuthNone)}, proofs...),
		TokenAuthAlgorithms:     proofAlgorithmNames(),
		RevocationAuth:          append([]string{string(AuthNone)}, proofs...),
		RevocationAlgorithms:    proofAlgorithmNames(),
		IntrospectionAuth:       proofs,
		IntrospectionAlgorithms: proofAlgorithmNames(),
		Prompts:                 []string{"none", "login", "consent", "select_account"},
		NamesItself:             true,
		KnowsDocuments:          c.Fetch != nil,
	}
	if c.DeviceCodes {
		m.DeviceEndpoint = c.Issuer + pathDeviceAuthorization
	}
	if c.AllowRegistration {
		m.RegistrationEndpoint = c.Issuer + pathRegister
	}
	if c.Assertion != nil {
		m.GrantProfiles = []string{"urn:ietf:params:oauth:grant-profile:id-jag"}
	}
	for _, r := range c.Resources {
		m.Resources = append(m.Resources, r.URI)
	}
	return m
}

// grants are the grant types that somebody here may use.
func (c *Config) grants() []string {
	all := c.ownGrants()
	for _, grant := range []string{GrantCredentials, GrantExchange} {
		if slices.ContainsFunc(c.Clients, func(c ClientConfig) bool { return slices.Contains(c.Grants, grant) }) {
			all = append(all, grant)
		}
	}
	if c.Assertion != nil {
		all = append(all, GrantAssertion)
	}
	return all
}

// ownGrants are those that clients may have of their own accord: a person agrees, or has agreed.
func (c *Config) ownGrants() []string {
	if c.DeviceCodes {
		return []string{GrantCode, GrantRefresh, GrantDevice}
	}
	return []string{GrantCode, GrantRefresh}
}

// issuerPath is the path that all of ours are below; "" for an issuer without one.
func (c *Config) issuerPath() string {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return "" // it was checked
	}
	return u.Path
}

// wellKnown are the routes to the metadata, wherever clients look for it: RFC 8414
// puts the issuer's path behind the well-known name, OpenID Connect before it.
func wellKnown(c *Config) []route {
	m := c.metadata()
	oauth := document(m)
	openID := document(openIDMetadata{m, []string{"public"}, []string{"ES256"}})
	base := c.issuerPath()
	routes := []route{
		{wellKnownOAuth + base, reading, programs, oauth},
		{wellKnownOpenID + base, reading, programs, openID},
	}
	if base != "" {
		routes = append(routes,
			route{base + wellKnownOAuth, reading, programs, oauth},
			route{base + wellKnownOpenID, reading, programs, openID})
	}
	return routes
}

// document answers with the same JSON each time, which anybody may keep for a while.
func document(content any) http.HandlerFunc {
	text, err := json.Marshal(content)
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			http.Error(w, "the metadata cannot be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // who left does not read it
	}
}
