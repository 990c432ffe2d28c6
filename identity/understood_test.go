package identity

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// sound are settings that each type accepts.
func sound() map[string]Settings {
	rs := newSigner("RS256", "k")
	return map[string]Settings{
		"openid":           {ConfigurationEndpoint: testIssuer + wellKnown},
		"jwt_static_key":   {Algo: "HS256", StaticKey: porterhouse.NewSecret(strings.Repeat("k", 32))},
		"jwt_static_jwks":  {StaticJWKS: jwks(rs.jwk())},
		"jwt_dynamic_jwks": {JWKSURI: testIssuer + "/jwks"},
		"entra":            {TenantID: "11111111-2222-3333-4444-555555555555"},
		"azure":            {TenantID: "11111111-2222-3333-4444-555555555555"},
		"google":           {ClientIDs: []string{"c"}},
		"github":           {ClientIDs: []string{"c"}, ClientSecret: porterhouse.NewSecret("s")},
		"gitlab":           {ClientIDs: []string{"c"}},
		"keycloak":         {BaseURL: testIssuer + "/realms/main"},
		"okta":             {BaseURL: "https://example.okta.com/oauth2/default"},
		"auth0":            {BaseURL: "https://example.eu.auth0.com/"},
		"cognito":          {Organization: "eu-central-1/eu-central-1_AbC", ClientIDs: []string{"c"}},
	}
}

// filled sets one field to something.
func filled(s Settings, field int) Settings {
	value := reflect.ValueOf(&s).Elem().Field(field)
	switch value.Interface().(type) {
	case string:
		value.SetString("https://x.example.com/x")
	case bool:
		value.SetBool(true)
	case int:
		value.SetInt(7)
	case time.Duration:
		value.SetInt(int64(time.Minute))
	case []string:
		value.Set(reflect.ValueOf([]string{"x.example.com"}))
	case porterhouse.Secret:
		value.Set(reflect.ValueOf(porterhouse.NewSecret("secret")))
	}
	return s
}

// understoodByAll are settings that every type understands.
var understoodByAll = []string{"Name", "Type", "TokenCacheLifetime", "UsernameClaim", "GroupsClaim", "ExpectedAudience", "Claims",
	"AllowAnyAudience", "ClientIDs", "RequiredScopes", "AllowedGroups", "GroupLimit"}

// Every setting is either for every type, or refused by those that it is not for.
func TestEverySettingIsUnderstoodOrRefused(t *testing.T) {
	if types := slices.Sorted(maps.Keys(sound())); !slices.Equal(types, append([]string{"auth0", "azure"}, slices.Sorted(maps.Keys(traits))[1:]...)) {
		t.Fatalf("the types are %q", types)
	}
	fields := reflect.TypeFor[Settings]()
	for kind, s := range sound() {
		s.Name, s.Type = "test", kind
		if err := s.check(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for i := range fields.NumField() {
			name := fields.Field(i).Name
			if slices.Contains(understoodByAll, name) {
				continue
			}
			changed := filled(s, i)
			given := slices.IndexFunc(changed.keys(), func(k key) bool { return k.given && strings.EqualFold(strings.ReplaceAll(k.name, "_", ""), name) })
			if given < 0 {
				t.Fatalf("nobody looks at the setting %s", name)
			}
			err := changed.check()
			if refused := err != nil && strings.Contains(err.Error(), "does not understand "); refused == slices.Contains(changed.keys()[given].types, kind) {
				t.Errorf("%s with %s: %v", kind, name, err)
			}
		}
	}
}

func TestSettingsAreRefused(t *testing.T) {
	for _, test := range []struct {
		kind   string
		change func(*Settings)
		reason string
	}{
		{"openid", func(s *Settings) { s.Name = "" }, "its name"},
		{"openid", func(s *Settings) { s.Name = "a|b" }, "its name"},
		{"openid", func(s *Settings) { s.Type = "saml" }, `type "saml"`},
		{"openid", func(s *Settings) { s.Type = "" }, `type ""`},
		{"openid", func(s *Settings) { s.TenantID = "x" }, "tenant_id, which is for entra"},
		{"openid", func(s *Settings) { s.ConfigurationEndpoint = "" }, "needs configuration_endpoint"},
		{"openid", func(s *Settings) { s.ConfigurationEndpoint = "https://x/openid.json" }, "expected_issuer"},
		{"openid", func(s *Settings) { s.ConfigurationEndpoint = "ftp://x" + wellKnown }, "configuration_endpoint is not a URL"},
		{"openid", func(s *Settings) { s.JWKSURI = "https://u:p@x/" }, "jwks_uri is not a URL"},
		{"openid", func(s *Settings) { s.ExpectedIssuer = Issuer }, "name of our own"},
		{"openid", func(s *Settings) { s.ExpectedIssuer = "other|https://x" }, "name of our own"},
		{"openid", func(s *Settings) { s.AllowIDTokens = true }, "needs client_ids"},
		{"openid", func(s *Settings) { s.IntrospectionClientID = "x" }, "introspection_client_secret"},
		{"openid", func(s *Settings) { s.UsernameClaim = "name" }, "a name for show"},
		{"openid", func(s *Settings) { s.UsernameClaim = "profile.Display_Name" }, "a name for show"},
		{"openid", func(s *Settings) { s.UsernameClaim = "a..b" }, "empty name"},
		{"openid", func(s *Settings) { s.GroupsClaim = `"a` }, "not closed"},
		{"openid", func(s *Settings) { s.Claims = `{"a":1,"a":2}` }, "twice"},
		{"openid", func(s *Settings) { s.GroupLimit = -1 }, "group_limit"},
		{"openid", func(s *Settings) { s.AllowedDomains = []string{"@example.com"} }, "allowed_domains"},
		{"openid", func(s *Settings) { s.AllowedDomains = []string{"bücher.example"} }, "xn--"},
		{"openid", func(s *Settings) { s.ExpectedAudience = []string{""} }, "expected_audience has an empty item"},
		{"openid", func(s *Settings) { s.Algorithms = []string{"HS256"} }, "shared secret"},
		{"openid", func(s *Settings) { s.Algorithms = []string{"none"} }, `"none" is not known`},
		{"jwt_static_jwks", func(s *Settings) { s.StaticJWKSFile = "x" }, "one of"},
		{"jwt_static_jwks", func(s *Settings) { s.StaticJWKS = "{}" }, "no key"},
		{"jwt_static_jwks", func(s *Settings) { s.StaticJWKS, s.StaticJWKSFile = "", "/nowhere" }, "static_jwks_file"},
		{"jwt_dynamic_jwks", func(s *Settings) { s.JWKSURI = "" }, "needs jwks_uri"},
		{"keycloak", func(s *Settings) { s.BaseURL = "" }, "needs base_url"},
		{"okta", func(s *Settings) { s.BaseURL = "https://example.okta.com" }, "for Okta alone"},
		{"cognito", func(s *Settings) { s.Organization = "AbC" }, "region/pool"},
	} {
		s := sound()[test.kind]
		s.Name, s.Type = "test", test.kind
		test.change(&s)
		p := newTestProviders(t, nil)
		p.outbound = new(Outbound)
		if _, err := NewProcessors([]Settings{s}, testResource, p); err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: %v, want %q", test.kind, err, test.reason)
		}
	}
}

func TestNewProcessorsRefuses(t *testing.T) {
	s := sound()["jwt_static_key"]
	s.Name, s.Type = "a", "jwt_static_key"
	remote := sound()["openid"]
	remote.Name, remote.Type = "b", "openid"
	p := newTestProviders(t, nil)
	for name, try := range map[string]func() error{
		"no providers":               func() error { _, err := NewProcessors([]Settings{s}, testResource, nil); return err },
		"the same name twice":        func() error { _, err := NewProcessors([]Settings{s, s}, testResource, p); return err },
		"nothing to ask with":        func() error { _, err := NewProcessors([]Settings{remote}, testResource, p); return err },
		"nobody whom a token is for": func() error { _, err := NewProcessors([]Settings{s}, Resource{Door: "mcp"}, p); return err },
		"somebody without a name":    func() error { _, err := NewProcessors([]Settings{s}, Resource{Audiences: []string{""}}, p); return err },
	} {
		if try() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Each preset knows its issuer, and where its documents are.
func TestPresets(t *testing.T) {
	for kind, want := range map[string][2]string{
		"keycloak": {testIssuer + "/realms/main", testIssuer + "/realms/main" + wellKnown},
		"okta":     {"https://example.okta.com/oauth2/default", "https://example.okta.com/oauth2/default" + wellKnown},
		"auth0":    {"https://example.eu.auth0.com/", "https://example.eu.auth0.com" + wellKnown},
		"cognito":  {"https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC" + wellKnown},
	} {
		s := sound()[kind]
		s.Type = kind
		if issuers := issuersOf(s); len(issuers) != 1 || issuers[0] != want[0] || discoveryOf(s) != want[1] {
			t.Errorf("%s: issuers %q, discovery %q", kind, issuers, discoveryOf(s))
		}
	}
}
