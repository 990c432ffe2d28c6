package identity

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Which type understands which key. A key that its type does not understand is an
// error: what an operator wrote down as a restriction must not be passed over.
var (
	withKeys   = []string{"openid", "jwt_static_jwks", "jwt_dynamic_jwks", "entra", "azure", "google", "gitlab", "keycloak", "okta", "auth0", "cognito"}
	withTokens = append([]string{"jwt_static_key"}, withKeys...)
	withEmail  = []string{"openid", "jwt_static_key", "jwt_static_jwks", "jwt_dynamic_jwks", "google", "github", "gitlab", "keycloak", "okta", "auth0", "cognito"}
	withJWKS   = []string{"openid", "jwt_dynamic_jwks", "entra", "azure", "google", "gitlab"}
	discovered = []string{"openid", "keycloak", "okta", "auth0", "cognito"}
	asked      = []string{"openid", "keycloak", "okta", "auth0"}
	withSecret = append([]string{"entra", "azure"}, asked...) // Graph wants the API's own
	based      = []string{"github", "gitlab", "keycloak", "okta", "auth0"}
)

// key is a setting: its name, whether it is there, and the types that understand it.
type key struct {
	name  string
	given bool
	types []string
}

// keys are those settings that not every type understands.
func (s Settings) keys() []key {
	return []key{
		{"expected_issuer", s.ExpectedIssuer != "", []string{"openid", "jwt_static_key", "jwt_static_jwks", "jwt_dynamic_jwks", "entra", "azure", "keycloak", "okta", "auth0", "cognito"}},
		{"expected_typ", s.ExpectedTyp != "", withTokens},
		{"allow_no_expiration", s.AllowNoExpiration, withTokens},
		{"verifier_leeway", s.VerifierLeeway != 0, withTokens},
		{"allow_id_tokens", s.AllowIDTokens, withTokens},
		{"algorithms", len(s.Algorithms) > 0, withKeys},
		{"algo", s.Algo != "", []string{"jwt_static_key"}},
		{"static_key", !s.StaticKey.IsZero(), []string{"jwt_static_key"}},
		{"static_key_in_base64", s.StaticKeyInBase64, []string{"jwt_static_key"}},
		{"public_key", s.PublicKey != "", []string{"jwt_static_key"}},
		{"static_jwks", s.StaticJWKS != "", []string{"jwt_static_jwks"}},
		{"static_jwks_file", s.StaticJWKSFile != "", []string{"jwt_static_jwks"}},
		{"jwks_uri", s.JWKSURI != "", withJWKS},
		{"jwks_cache_lifetime", s.JWKSCacheLifetime != 0, slices.Concat(withJWKS, discovered[1:])},
		{"configuration_endpoint", s.ConfigurationEndpoint != "", discovered},
		{"userinfo_endpoint", s.UserinfoEndpoint != "", append([]string{"gitlab"}, asked...)},
		{"token_introspection_endpoint", s.TokenIntrospectionEndpoint != "", asked},
		{"introspection_client_id", s.IntrospectionClientID != "", withSecret},
		{"introspection_client_secret", !s.IntrospectionClientSecret.IsZero(), withSecret},
		{"tenant_id", s.TenantID != "", []string{"entra", "azure"}},
		{"allowed_domains", len(s.AllowedDomains) > 0, withEmail},
		{"email_verified", s.EmailVerified, withEmail},
		{"organization", s.Organization != "", []string{"github", "gitlab", "cognito"}},
		{"base_url", s.BaseURL != "", based},
		{"client_secret", !s.ClientSecret.IsZero(), []string{"github"}},
	}
}

// check finds what cannot work, or would not do what it says. The error names the key.
func (s Settings) check() error {
	if !processorName.MatchString(s.Name) {
		return errors.New("its name must be 1 to 64 letters, digits, dots, hyphens and underscores")
	}
	if _, err := traitOf(s.Type); err != nil {
		return err
	}
	for _, k := range s.keys() {
		if k.given && !slices.Contains(k.types, s.Type) {
			return fmt.Errorf("the type %s does not understand %s, which is for %s", s.Type, k.name, strings.Join(k.types, ", "))
		}
	}
	for _, check := range []func() error{s.checkNeeded, s.checkIssuers, s.checkURLs, s.checkPeople} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

var processorName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// isRemote reports whether the provider must be asked for anything.
func (s Settings) isRemote() bool { return s.Type != "jwt_static_key" && s.Type != "jwt_static_jwks" }

// checkNeeded wants what the type cannot do without.
func (s Settings) checkNeeded() error {
	needs := func(ok bool, what string) error {
		if ok {
			return nil
		}
		return fmt.Errorf("the type %s needs %s", s.Type, what)
	}
	switch s.Type {
	case "jwt_static_key":
		return needs(s.Algo != "", "algo")
	case "jwt_static_jwks":
		return needs((s.StaticJWKS == "") != (s.StaticJWKSFile == ""), "one of static_jwks and static_jwks_file")
	case "jwt_dynamic_jwks":
		return needs(s.JWKSURI != "", "jwks_uri")
	case "openid":
		places := s.JWKSURI + s.UserinfoEndpoint + s.TokenIntrospectionEndpoint
		return needs(s.ConfigurationEndpoint != "" || places != "", "configuration_endpoint, or jwks_uri, userinfo_endpoint or token_introspection_endpoint")
	case "entra", "azure":
		return needs(s.TenantID != "", "tenant_id")
	case "keycloak":
		return needs(s.BaseURL != "", "base_url: that of the realm, such as https://sso.example.com/realms/main")
	case "auth0":
		return needs(s.BaseURL != "", "base_url, such as https://example.eu.auth0.com")
	case "okta":
		return needs(strings.Contains(s.BaseURL, "/oauth2/"), "base_url: that of a custom authorization server, such as https://example.okta.com/oauth2/default (tokens of the one without /oauth2/ are for Okta alone)")
	case "cognito":
		return needs(pool.MatchString(s.Organization) || s.ExpectedIssuer != "", "organization: region/pool, such as eu-central-1/eu-central-1_AbCdEfGhI")
	}
	return nil
}

var pool = regexp.MustCompile(`^[a-z0-9-]+/[A-Za-z0-9_-]+$`)

// checkIssuers keeps the issuers of different processors apart.
func (s Settings) checkIssuers() error {
	if s.ExpectedIssuer == Issuer || strings.Contains(s.ExpectedIssuer, "|") {
		return fmt.Errorf("expected_issuer %q is a name of our own", s.ExpectedIssuer)
	}
	if s.Type == "openid" && s.ConfigurationEndpoint != "" && len(issuersOf(s)) == 0 {
		return fmt.Errorf("configuration_endpoint does not end in %s: then name the expected_issuer", wellKnown)
	}
	if s.AllowIDTokens && len(s.ClientIDs) == 0 {
		return errors.New("allow_id_tokens needs client_ids: the clients whose ID tokens are accepted")
	}
	return nil
}

// checkURLs wants addresses that could be asked. Which of them may be is for Outbound.
func (s Settings) checkURLs() error {
	for name, address := range map[string]string{
		"jwks_uri": s.JWKSURI, "configuration_endpoint": s.ConfigurationEndpoint, "userinfo_endpoint": s.UserinfoEndpoint,
		"token_introspection_endpoint": s.TokenIntrospectionEndpoint, "base_url": s.BaseURL,
	} {
		if address == "" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" {
			return fmt.Errorf("%s is not a URL such as https://idp.example.com/path", name)
		}
	}
	if s.IntrospectionClientID != "" && s.IntrospectionClientSecret.IsZero() {
		return errors.New("introspection_client_id needs introspection_client_secret")
	}
	return nil
}

// displayNames are claims that people write themselves: whoever types your name
// there would be you.
var displayNames = []string{"name", "given_name", "family_name", "middle_name", "nickname", "display_name", "displayname"}

// checkPeople wants rules about people that mean what they seem to.
func (s Settings) checkPeople() error {
	if s.UsernameClaim != "" {
		p, err := parsePath(s.UsernameClaim)
		if err != nil {
			return fmt.Errorf("username_claim: %w", err)
		}
		if slices.Contains(displayNames, strings.ToLower(p.last())) {
			return fmt.Errorf("username_claim: %s is a name for show, which people choose themselves: take one that the provider keeps unique, such as sub or email", s.UsernameClaim)
		}
	}
	if s.GroupLimit < 0 {
		return errors.New("group_limit must not be negative")
	}
	for _, domain := range s.AllowedDomains {
		if !domainName.MatchString(domain) {
			return fmt.Errorf("allowed_domains: %q is not a domain such as example.com (an international one is written in its ASCII form, xn--…)", domain)
		}
	}
	for name, list := range map[string][]string{"allowed_groups": s.AllowedGroups, "required_scopes": s.RequiredScopes, "expected_audience": s.ExpectedAudience, "client_ids": s.ClientIDs} {
		if slices.Contains(list, "") {
			return fmt.Errorf("%s has an empty item", name)
		}
	}
	return nil
}

var domainName = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)
