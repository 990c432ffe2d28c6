package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"porterhouse/sandbox/idp"
)

// mcpAudience is what tokens for the MCP door of these tests are for.
const mcpAudience = "https://door.example.com/mcp"

const discovery = "/.well-known/openid-configuration"

// provider is one kind of identity provider: a real one, or a stand-in that
// speaks as the real one documents it.
type provider struct {
	processor string // YAML of its token processor, in one line
	token     func() string
	user      string   // what ClickHouse calls the person, behind the prefix
	roles     []string // what the groups give
}

// named gives an issuer a name of the true internet.
type named struct {
	host string
	*idp.Issuer
}

func (n named) Hosts() map[string]http.Handler { return map[string]http.Handler{n.host: n} }

// moved is an issuer below a path of its URL, as many providers are.
func moved(t *testing.T, name, path string) *idp.Issuer {
	i := idp.StartIssuer(t, idp.Options{})
	if name == "" {
		name = i.URL
	}
	i.Name = name + path
	i.Answer(strings.TrimSuffix(path, "/")+discovery, func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(out).Encode(i.Discovery()) // the caller may be gone
	})
	return i
}

// providers are all kinds at once, the key of one of them, and the internet where
// some of the others are. Tokens that are introspected have a test of their own:
// nothing tells them from GitLab's.
func providers(t *testing.T) (all map[string]provider, key string, net *idp.Internet) {
	alice, both := idp.Alice, []string{"analysts", "staff"}
	oidc, dex := idp.StartOIDC(t, idp.Options{}), idp.StartDex(t, idp.Options{})
	keycloak, okta, auth0 := moved(t, "", "/realms/main"), moved(t, "", "/oauth2/default"), moved(t, "", "/")
	const pool = "eu-central-1_AbCdEfGhI"
	cognito := moved(t, "https://cognito-idp.eu-central-1.amazonaws.com", "/"+pool)
	google, github, entra := idp.StartGoogle(t, idp.Options{}), idp.StartGitHub(t, idp.Options{}), idp.StartEntra(t, idp.Options{})
	octo := idp.Person{Subject: "4711", Name: "octo", Email: "octo@example.com", Groups: []string{"acme", "acme/analysts"}}
	gitlab := idp.StartGitLab(t, idp.Options{People: []idp.Person{octo}})
	issuer, secret := idp.StartIssuer(t, idp.Options{}), idp.NewKey(t, "HS256")
	keys, err := json.Marshal(issuer.KeySet())
	if err != nil {
		t.Fatal(err)
	}

	all = map[string]provider{
		"openid": {
			fmt.Sprintf(`{type: openid, configuration_endpoint: "%s", username_claim: email}`, oidc.Issuer+discovery),
			func() string { return oidc.SignIn(t, idp.App, alice, mcpAudience).Access }, alice.Email, both,
		},
		"dex": {
			// Its access tokens cannot be told from ID tokens.
			fmt.Sprintf(`{type: openid, configuration_endpoint: "%s", username_claim: email, client_ids: %s, allow_id_tokens: true}`, dex.Issuer+discovery, idp.App.ID),
			func() string { return dex.Password(t, idp.App, alice).Access }, alice.Email, both,
		},
		"jwks": {
			fmt.Sprintf(`{type: jwt_dynamic_jwks, jwks_uri: "%s/jwks", expected_issuer: "urn:jwks", username_claim: preferred_username}`, issuer.URL),
			func() string { return issuer.Sign(issuer.Claims(alice, mcpAudience).With("iss", "urn:jwks")) }, alice.Name, both,
		},
		"set": {
			fmt.Sprintf(`{type: jwt_static_jwks, static_jwks: '%s', expected_issuer: "urn:set", username_claim: preferred_username}`, keys),
			func() string { return issuer.Sign(issuer.Claims(alice, mcpAudience).With("iss", "urn:set")) }, alice.Name, both,
		},
		"secret": {
			`{type: jwt_static_key, algo: HS256, static_key: "env:TOKEN_KEY", expected_issuer: "urn:secret", username_claim: preferred_username}`,
			func() string { return secret.Sign(issuer.Claims(alice, mcpAudience).With("iss", "urn:secret")) }, alice.Name, both,
		},
		"keycloak": {
			fmt.Sprintf(`{type: keycloak, base_url: "%s", groups_claim: realm_access.roles}`, keycloak.Name),
			func() string { return keycloak.Sign(keycloak.Keycloak(alice, mcpAudience, idp.App.ID)) }, alice.Name, both,
		},
		"okta": {
			fmt.Sprintf(`{type: okta, base_url: "%s"}`, okta.Name),
			func() string { return okta.Sign(okta.Okta(alice, mcpAudience, idp.App.ID)) }, alice.Email, both,
		},
		"auth0": {
			fmt.Sprintf(`{type: auth0, base_url: "%s", groups_claim: '"https://acme.com/groups"'}`, auth0.URL),
			func() string { return auth0.Sign(auth0.Auth0(alice, mcpAudience, idp.App.ID)) }, "auth0|" + alice.Subject, both,
		},
		"cognito": {
			fmt.Sprintf(`{type: cognito, organization: eu-central-1/%s, client_ids: %s}`, pool, idp.App.ID),
			func() string { return cognito.Sign(cognito.Cognito(alice, idp.App.ID)) }, alice.Name, both,
		},
		"entra": {
			fmt.Sprintf(`{type: entra, tenant_id: %s, expected_audience: %s}`, idp.Tenant, idp.API),
			func() string { return entra.Sign(entra.V2(alice, idp.API, idp.App.ID)) }, alice.Email, both,
		},
		"google": {
			fmt.Sprintf(`{type: google, client_ids: %s}`, idp.App.ID),
			func() string {
				return google.Access(alice, idp.App.ID, "openid", idp.GoogleEmailScope, idp.GoogleGroupsScope)
			}, alice.Email, both,
		},
		"github": {
			fmt.Sprintf(`{type: github, client_ids: %s, client_secret: "env:IDP_SECRET"}`, idp.App.ID),
			func() string { return github.Access(idp.Octo, idp.App.ID) }, "octo", both,
		},
		"gitlab": {
			fmt.Sprintf(`{type: gitlab, base_url: "%s", client_ids: %s}`, gitlab.URL, idp.App.ID),
			func() string { return gitlab.Access(octo, idp.App.ID) }, "octo", []string{"analysts"},
		},
	}
	return all, string(secret.Secret), idp.StartInternet(t, google, github, entra, named{"cognito-idp.eu-central-1.amazonaws.com", cognito})
}
