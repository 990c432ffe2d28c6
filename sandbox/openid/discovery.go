package openid

import (
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// Marker is the member of the discovery document and of tokens that says it is a demo.
const Marker = "porterhouse_demo"

// scopes are those that change anything: what is told of a person, and a refresh token.
var scopes = []string{"openid", "profile", "email", "groups", "offline_access"}

// The grants (RFC 6749, RFC 8628).
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// discovery answers with OpenID Connect Discovery 1.0, 3.
func discovery(issuer string) http.HandlerFunc {
	document := map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                issuer + "/authorize",
		"token_endpoint":                        issuer + "/token",
		"device_authorization_endpoint":         issuer + "/device_authorization",
		"userinfo_endpoint":                     issuer + "/userinfo",
		"jwks_uri":                              issuer + "/jwks",
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{grantCode, grantRefresh, grantDevice},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{string(jose.RS256)},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
		"code_challenge_methods_supported":      []string{"S256"},
		"scopes_supported":                      scopes,
		"claims_supported": []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "name", "preferred_username",
			"email", "email_verified", "groups", Marker},
		"authorization_response_iss_parameter_supported": true,
		Marker: true,
	}
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, document) }
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever hung up misses nothing
}
