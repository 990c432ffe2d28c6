package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox/fake"
)

// Where tokens are shown to ClickHouse, check tells where they come from, whom they name,
// what ClickHouse has to know of them, and whether it takes any; and none of our secrets.
func TestCheckTellsOfTokens(t *testing.T) {
	c := openChecked(t)
	exchanged := func(persona, audience, more string) {
		c.dress(persona)
		c.configure(", provision: {user: "+fake.Provisioner+", password: 'env:PASSWORD', prefix: ph_}", ", access: {mode: forward, token: {audience: clickhouse, exchange: company}}")
		c.configure("clusters:", "token_processors: {company: {type: openid, configuration_endpoint: 'http://127.0.0.1:1/.well-known/openid-configuration', expected_issuer: 'http://127.0.0.1:1', "+
			"introspection_client_id: us, introspection_client_secret: 'hush hush', expected_audience: '"+audience+"'}}\nremote_url_allow_hosts: {host: 127.0.0.1}\n"+more+"clusters:")
	}
	for _, test := range []struct {
		persona, audience, more string
		want                    []string // severity and name of what is told of tokens
	}{
		{"antalya", "https://us.example.com", "", []string{"fine bearer", "fine token"}},
		{"antalya", "clickhouse", "", []string{"careful token-audience", "fine bearer", "fine token"}},
		{"antalya", "https://us.example.com", "resources: {mcp: {audiences: clickhouse}}\n", []string{"careful token-audience", "fine bearer", "fine token"}},
		{"26.7", "https://us.example.com", "", []string{"wrong bearer", "fine token"}},
	} {
		exchanged(test.persona, test.audience, test.more)
		x := c.json()
		var got []string
		for _, f := range x.Findings {
			if f.Name == "bearer" || strings.HasPrefix(f.Name, "token") {
				got = append(got, string(f.Severity)+" "+f.Name)
			}
		}
		if !slices.Equal(got, test.want) || x.Mode != clickhouse.Forward {
			t.Errorf("%s, %s: %s, %q; want %q: %+v", test.persona, test.audience, x.Mode, got, test.want, x.Findings)
		}
		_, out, told := c.check("")
		for _, says := range []string{
			"exchanged there for a token for clickhouse, which goes on if it names clickhouse (aud)", "somebody of company (http://127.0.0.1:1) brings",
			"config.d/porterhouse-tokens.xml", "<expected_audience>clickhouse</expected_audience>", "<type>openid</type>", "&lt;the introspection_client_secret of company&gt;",
		} {
			if !strings.Contains(out, says) {
				t.Errorf("%s, %s: nothing of %q:\n%s%s", test.persona, test.audience, says, out, told)
			}
		}
		if strings.Contains(out+told, "hush") {
			t.Errorf("a secret is told:\n%s%s", out, told)
		}
	}
}

// What we know of a processor is told in the words that ClickHouse has, and what it has
// none for by our own.
func TestProcessorsInClickHouse(t *testing.T) {
	none, half := seconds(0), seconds(30*time.Second)
	for _, test := range []struct {
		name, want, unheld string
		p                  ProcessorConfig
	}{
		{"entra", "type=entra token_cache_lifetime=60 tenant_id=t", "", ProcessorConfig{Type: "entra", TenantID: "t"}},
		{"google", "type=openid token_cache_lifetime=60 configuration_endpoint=https://accounts.google.com/.well-known/openid-configuration", "", ProcessorConfig{Type: "google"}},
		{"github", "", "", ProcessorConfig{Type: "github", Organization: "acme"}},
		{"a key", "type=jwt_static_key token_cache_lifetime=0 algo=HS256 static_key=<the static_key of corp> static_key_in_base64=1 expected_issuer=i expected_typ=at+jwt allow_no_expiration=1 claims={\"a\": 1} verifier_leeway=30", "",
			ProcessorConfig{Type: "jwt_static_key", TokenCacheLifetime: &none, Algo: "HS256", StaticKey: porterhouse.NewSecret("hush"), StaticKeyInBase64: true, ExpectedIssuer: "i",
				ExpectedTyp: "at+jwt", AllowNoExpiration: true, Claims: `{"a": 1}`, VerifierLeeway: &half, ExpectedAudience: texts{"ours"}}},
		{"a file", "type=jwt_static_jwks token_cache_lifetime=60 static_jwks_file=/etc/keys.json", "", ProcessorConfig{Type: "jwt_static_jwks", StaticJWKSFile: "/etc/keys.json"}},
		{"more", "type=jwt_dynamic_jwks token_cache_lifetime=60 jwks_uri=u jwks_cache_lifetime=30", "client_ids algorithms required_scopes allowed_domains allowed_groups email_verified",
			ProcessorConfig{Type: "jwt_dynamic_jwks", JWKSURI: "u", JWKSCacheLifetime: &half, ClientIDs: texts{"x"}, Algorithms: texts{"ES256"}, RequiredScopes: texts{"x"}, AllowedDomains: texts{"x"}, AllowedGroups: texts{"x"}, EmailVerified: true, Organization: "x"}},
		{"gitlab", "type=openid token_cache_lifetime=60 configuration_endpoint=https://gitlab.com/.well-known/openid-configuration", "organization", ProcessorConfig{Type: "gitlab", Organization: "acme"}},
	} {
		told, can := test.p.inClickHouse(test.p.settings("corp"))
		var got []string
		for _, key := range told.Keys {
			got = append(got, key.Name+"="+key.Value)
		}
		if strings.Join(got, " ") != test.want || can != (test.want != "") {
			t.Errorf("%s: %q, %t; want %q", test.name, got, can, test.want)
		}
		if unheld := strings.Join(test.p.unheld(""), " "); can && unheld != test.unheld {
			t.Errorf("%s: ClickHouse has no word for %s, want %s", test.name, unheld, test.unheld)
		}
	}
}

// Rules of ours by which ClickHouse refuses nobody are told with their keys; a processor
// that it does not have lets in nobody there.
func TestRulesThatClickHouseDoesNotHave(t *testing.T) {
	c := manyNames(t, nil)
	c.TokenProcessors = map[string]ProcessorConfig{
		"corp": {Type: "openid", AllowedGroups: texts{"staff"}, ConfigurationEndpoint: "https://idp.example.com/.well-known/openid-configuration"},
		"gh":   {Type: "github", ClientIDs: texts{"x"}},
	}
	c.Users.Domains, c.Users.Allow, c.Users.Deny = []string{"example.com"}, []string{"a*"}, []string{"admin"}
	main := c.Clusters["main"]
	main.For.Groups = []string{"finance"}
	c.Clusters["main"] = main
	got := examination{Config: c}.tokens("main").Unheld
	if want := []string{"clusters.main.for", "token_processors.corp.allowed_groups", "users.allow", "users.deny", "users.domains"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
