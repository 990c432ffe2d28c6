package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porterhouse"
	"porterhouse/directory"
	"porterhouse/identity"
)

// antalya is a configuration of an Antalya server with every key of its token
// processors and directory, from XML to YAML key by key as ClickHouse reads both.
const antalya = `
enable_token_auth: 1
token_processors:
  my_static_key_validator:
    type: jwt_static_key
    algo: HS256
    static_key: my_static_secret_of_thirty_two_bytes
    static_key_in_base64: false
    claims: '{"resource_access": {"account": {"roles": ["view-profile"]}}}'
    expected_issuer: https://issuer.example.com
    expected_audience: clickhouse
    expected_typ: JWT
    allow_no_expiration: true
    token_cache_lifetime: 600
    username_claim: preferred_username
    groups_claim: roles
  my_public_key_validator:
    type: jwt_static_key
    algo: ES256
    public_key: |
      -----BEGIN PUBLIC KEY-----
      MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
      q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
      -----END PUBLIC KEY-----
    private_key: not needed to verify
    private_key_password: nor is this
    public_key_password: nor this
  my_static_jwks_validator:
    type: jwt_static_jwks
    static_jwks: '{"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "mykid", "x": "EVs_o5-uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf84", "y": "kGe5DgSIycKp8w9aJmoHhB1sB3QTugfnRWm5nU_TzsY"}]}'
    verifier_leeway: 0
  basic_auth_server:
    type: jwt_dynamic_jwks
    jwks_uri: https://keys.example.com/.well-known/jwks.json
    jwks_cache_lifetime: 3600
  oid_processor_1:
    type: OpenID
    configuration_endpoint: https://idp.example.com/.well-known/openid-configuration
    introspection_client_id: clickhouse
    introspection_client_secret: their secret
    verifier_leeway: 60
    jwks_cache_lifetime: 3600
  oid_processor_2:
    type: openid
    userinfo_endpoint: https://other.example.com/userinfo
    token_introspection_endpoint: https://other.example.com/tokeninfo
    jwks_uri: https://other.example.com/.well-known/jwks.json
    token_cache_lifetime: 0
  entra_prod:
    type: entra
    tenant_id: 11111111-2222-3333-4444-555555555555
    expected_audience: api://clickhouse
    username_claim: preferred_username
    groups_claim: groups
remote_url_allow_hosts:
  host: [keys.example.com, other.example.com]
  host_regexp: idp\.example\.com
user_directories:
  token:
    processor: entra_prod
    common_roles:
      token_test_role_1:
      token_test_role_2: ""
    default_profile: people
    roles_mapping:
      map:
        - {from: aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee, to: ch_admin}
        - {from: 11111111-2222-3333-4444-555555555555, to: ch_analyst}
    roles_filter: ch_[a-z_]+
    roles_transform: s/^ch_//
`

// What Antalya's words become in our rooms, down to each field.
func TestAntalyaOneToOne(t *testing.T) {
	c, _ := mustLoad(t, least+antalya)
	secret := porterhouse.NewSecret
	publicKey := c.TokenProcessors["my_public_key_validator"].PublicKey
	if !strings.HasPrefix(publicKey, "-----BEGIN PUBLIC KEY-----\n") {
		t.Errorf("the public key is %q", publicKey)
	}
	want := []identity.Settings{
		{Name: "basic_auth_server", Type: "jwt_dynamic_jwks", JWKSURI: "https://keys.example.com/.well-known/jwks.json", JWKSCacheLifetime: time.Hour},
		{
			Name: "entra_prod", Type: "entra", TenantID: "11111111-2222-3333-4444-555555555555", ExpectedAudience: []string{"api://clickhouse"},
			UsernameClaim: "preferred_username", GroupsClaim: "groups",
		},
		{Name: "my_public_key_validator", Type: "jwt_static_key", Algo: "ES256", PublicKey: publicKey},
		{
			Name: "my_static_jwks_validator", Type: "jwt_static_jwks", VerifierLeeway: -1,
			StaticJWKS: c.TokenProcessors["my_static_jwks_validator"].StaticJWKS,
		},
		{
			Name: "my_static_key_validator", Type: "jwt_static_key", Algo: "HS256", StaticKey: secret("my_static_secret_of_thirty_two_bytes"),
			Claims:         `{"resource_access": {"account": {"roles": ["view-profile"]}}}`,
			ExpectedIssuer: "https://issuer.example.com", ExpectedAudience: []string{"clickhouse"}, ExpectedTyp: "JWT", AllowNoExpiration: true,
			TokenCacheLifetime: 10 * time.Minute, UsernameClaim: "preferred_username", GroupsClaim: "roles",
		},
		{
			Name: "oid_processor_1", Type: "openid", ConfigurationEndpoint: "https://idp.example.com/.well-known/openid-configuration",
			IntrospectionClientID: "clickhouse", IntrospectionClientSecret: secret("their secret"), VerifierLeeway: time.Minute, JWKSCacheLifetime: time.Hour,
		},
		{
			Name: "oid_processor_2", Type: "openid", UserinfoEndpoint: "https://other.example.com/userinfo",
			TokenIntrospectionEndpoint: "https://other.example.com/tokeninfo", JWKSURI: "https://other.example.com/.well-known/jwks.json", TokenCacheLifetime: -1,
		},
	}
	exactly := cmp.Comparer(func(a, b porterhouse.Secret) bool { return a == b })
	empty := cmp.Transformer("nil", func(list []string) []string { return append([]string{}, list...) })
	if difference := cmp.Diff(want, c.processors(), exactly, empty); difference != "" {
		t.Error(difference)
	}
	rules := c.rules()[0]
	for _, check := range []struct{ got, want any }{
		{rules.Processor, "entra_prod"},
		{rules.CommonRoles, []string{"token_test_role_1", "token_test_role_2"}},
		{rules.DefaultProfile, "people"},
		{rules.RolesMapping, []directory.Mapping{{From: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", To: "ch_admin"}, {From: "11111111-2222-3333-4444-555555555555", To: "ch_analyst"}}},
		{rules.RolesFilter, "ch_[a-z_]+"},
		{rules.RolesTransform, []string{"s/^ch_//"}},
		{rules.GroupRoles, true},
		{c.outbound().AllowHosts, []string{"keys.example.com", "other.example.com"}},
		{issuersOf(c.processors()), []string{"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", "https://idp.example.com"}},
		{c.inline, []string{
			"token_processors.my_static_key_validator.static_key", "token_processors.my_public_key_validator.private_key",
			"token_processors.my_public_key_validator.private_key_password", "token_processors.my_public_key_validator.public_key_password",
			"token_processors.oid_processor_1.introspection_client_secret",
		}},
	} {
		if difference := cmp.Diff(check.want, check.got, empty); difference != "" {
			t.Error(difference)
		}
	}
}

// Switched off, the processors are not asked.
func TestTokenAuthSwitchedOff(t *testing.T) {
	c, _ := mustLoad(t, least+strings.Replace(antalya, "enable_token_auth: 1", "enable_token_auth: 0", 1))
	if len(c.processors()) != 0 || len(issuersOf(c.processors())) != 0 {
		t.Errorf("%d processors are asked", len(c.processors()))
	}
	_, _, err := load(t, leastCluster+leastUsers+leastAudit+"enable_token_auth: false\ntoken_processors: {corp: {type: jwt_dynamic_jwks, jwks_uri: 'https://a.b/keys'}}\n")
	if err == nil || !strings.Contains(err.Error(), "tokens.file: without token processors") {
		t.Errorf("nobody could be known: %v", err)
	}
}

// Each mistake in what says who is asking is told at its place.
func TestIdentityMistakes(t *testing.T) {
	corp := func(keys string) string {
		return least + "token_processors:\n  corp: {type: openid, configuration_endpoint: 'https://idp.example.com/.well-known/openid-configuration'" + keys + "}\n"
	}
	directoryOf := func(keys string) string { return corp("") + "user_directories:\n  token: {" + keys + "}\n" }
	cluster := func(keys string) string {
		return "clusters:\n  main:\n    url: http://127.0.0.1:8123\n    user: gw\n    password: env:CLICKHOUSE_PASSWORD\n    " + keys + "\n" + leastTokens + leastAudit + "users: {name: 'ph_{user}'}\n"
	}
	for _, test := range []struct{ name, text, want string }{
		{"a typo in Antalya's key", corp(", user_name_claim: x"), ":6:108: token_processors.corp.user_name_claim: there is no such key; did you mean username_claim?"},
		{"no type", least + "token_processors:\n  corp: {jwks_uri: 'https://a.b/keys'}\n", ":6:9: token_processors.corp.type: say what kind"},
		{"a type that is none", least + "token_processors: {corp: {type: saml}}\n", ":5:26: token_processors.corp:"},
		{"no endpoint", least + "token_processors: {corp: {type: openid}}\n", ":5:26: token_processors.corp:"},
		{"a processor called tokens", least + "token_processors: {tokens: {type: jwt_dynamic_jwks, jwks_uri: 'https://a.b/keys'}}\n", ":5:28: token_processors.tokens: this name stands for the API tokens"},
		{"a number that is no time", corp(", token_cache_lifetime: soon"), "token_processors.corp.token_cache_lifetime: want a time with its unit"},
		{"a negative number", corp(", verifier_leeway: -5"), "token_processors.corp.verifier_leeway: want a time with its unit"},
		{"keys that are never kept", corp(", jwks_cache_lifetime: 0"), "token_processors.corp.jwks_cache_lifetime: want more than 0"},
		{"perhaps", corp(", allow_any_audience: maybe"), "token_processors.corp.allow_any_audience: want true or false"},
		{"a list of lists", corp(", expected_audience: [[a]]"), "token_processors.corp.expected_audience[0]: a text is wanted"},
		{"an empty text for a list", corp(", expected_audience: ''"), "token_processors.corp.expected_audience: there is nothing between the quotes"},
		{"a literal secret of ours", corp(", client_secret: hunter2"), "token_processors.corp.client_secret: a secret does not stand in the file"},
		{"a private key alone", least + "token_processors: {corp: {type: jwt_static_key, algo: RS256, private_key: x}}\n", "token_processors.corp.private_key: tokens are only checked here"},
		{"a host that is not listed", corp("") + "remote_url_allow_hosts: {host: a.b}\n", ":6:48: token_processors.corp.configuration_endpoint: remote_url_allow_hosts does not name this host, idp.example.com"},
		{"a host that an expression does not match as a whole", corp("") + "remote_url_allow_hosts: {host_regexp: example}\n", "does not name this host"},
		{"an expression that is none", least + "remote_url_allow_hosts: {host_regexp: '('}\n", ":5:39: remote_url_allow_hosts.host_regexp: error parsing regexp"},
		{"a proxy with a password", least + "identity: {proxy: 'http://a:hunter2@b:80'}\n", ":5:19: identity.proxy: a secret does not stand in the file"},
		{"a proxy that is none", least + "identity: {proxy: 'socks5://b'}\n", ":5:19: identity.proxy: want the address of a proxy"},

		{"a directory of nobody", directoryOf("common_roles: [a]"), ":8:10: user_directories.token.processor: name the token processor"},
		{"a directory of an unknown processor", directoryOf("processor: crop"), `:8:22: user_directories.token.processor: there is no token processor "crop"`},
		{"two directories of one", corp("") + "user_directories: {token: [{processor: corp}, {processor: corp}]}\n", `there are two directories for the processor "corp"`},
		{"a filter that is none", directoryOf("processor: corp, roles_filter: '('"), ":8:42: user_directories.token.roles_filter: error parsing regexp"},
		{"a transformation that is none", directoryOf("processor: corp, roles_transform: 's/a'"), ":8:45: user_directories.token.roles_transform:"},
		{"a filter in the second directory", corp("") + "user_directories:\n  token:\n    - {processor: corp}\n    - {processor: tokens, roles_filter: '('}\n", ":10:41: user_directories.token[1].roles_filter:"},
		{"half a mapping", directoryOf("processor: corp, roles_mapping: {map: {from: a}}"), ":8:43: user_directories.token.roles_mapping: entry 1 lacks"},
		{"roles that say something", directoryOf("processor: corp, common_roles: {a: b}"), ":8:46: user_directories.token.common_roles: a list of names is wanted"},
		{"another directory of ClickHouse's", least + "user_directories: {users_xml: {path: users.xml}}\n", ":5:20: user_directories.users_xml: there is no such key"},

		{"nobody to be reached", leastApart, "users.local_users.allow: accounts are not made here"},
		{"a persona without a separator", leastApart + "users: {local_users: {allow: [a]}, personas: {suffix: agent}}\n", "users: persona 1: the suffix"},
		{"two stores", least + "kv: {file: a, memory: true}\n", ":5:5: kv: want one of these: file, memory"},
		{"a Redis without a place", least + "kv: {redis: {prefix: a}}\n", ":5:13: kv.redis.url: say where Redis is"},
		{"a Redis with a password", least + "kv: {redis: {url: 'redis://a:hunter2@b'}}\n", ":5:13: kv.redis: the URL holds a password"},
		{"a Redis in plain text", least + "kv: {redis: {url: 'redis://b'}}\n", ":5:13: kv.redis: redis:// to \"b\" goes over the network unencrypted"},

		{"a provisioner without a name", cluster("provision: {password: env:PROVISIONER, prefix: ph_}"), ":6:16: clusters.main.provision.user: name the ClickHouse user"},
		{"a provisioner without a password", cluster("provision: {user: p, prefix: ph_}"), "clusters.main.provision.password: the provisioner's password is missing"},
		{"a provisioner without bounds", cluster("provision: {user: p, password: env:PROVISIONER}"), ":6:16: clusters.main.provision: without a prefix"},
		{"the gateway as the provisioner", cluster("provision: {user: gw, password: env:PROVISIONER, prefix: ph_}"), "clusters.main.provision: the gateway's account"},
		{"another mode", cluster("provision: {user: p, password: env:PROVISIONER, prefix: ph_, mode: kerberos}"), "clusters.main.provision.mode: want one of execute_as, http, interserver"},
		{"nobody to ask", cluster("provision: {user: p, password: env:PROVISIONER, prefix: ph_, mode: http}"), "clusters.main.provision.mode: with http ClickHouse asks an authenticator"},
		{"a template beyond the prefix", cluster("provision: {user: p, password: env:PROVISIONER, prefix: team_}"), ":9:15: users.name: the accounts that are made here begin with \"team_\""},
		{"dropped, and never disabled", cluster("provision: {user: p, password: env:PROVISIONER, prefix: ph_, drop_after: 9d}"), "clusters.main.provision.drop_after: an account is disabled first"},
		{"disabled at once", cluster("provision: {user: p, password: env:PROVISIONER, prefix: ph_, disable_after: 1h}"), "clusters.main.provision.disable_after: want a day or more"},

		{"an authenticator without an address", cluster("authenticator: {path: env:KNOCK}"), "clusters.main.authenticator.listen: want an address"},
		{"an authenticator on our own address", cluster("authenticator: {listen: '127.0.0.1:8080', path: env:KNOCK}"), "clusters.main.authenticator.listen: this address is taken"},
		{"an authenticator that everybody finds", cluster("authenticator: {listen: '127.0.0.1:1'}"), "clusters.main.authenticator.path: the path is a secret"},
		{"an authenticator that is easily found", cluster("authenticator: {listen: '127.0.0.1:1', path: env:CLICKHOUSE_PASSWORD}"), "clusters.main.authenticator.path: the path has 7 bytes"},
		{"an authenticator in plain text", cluster("authenticator: {listen: '10.0.0.1:1', path: env:KNOCK}"), "clusters.main.authenticator.listen: 10.0.0.1:1 is reached from other machines"},
		{"half a certificate of it", cluster("authenticator: {listen: '10.0.0.1:1', path: env:KNOCK, tls: {cert: a}}"), "clusters.main.authenticator.tls.key: the key of the certificate is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := load(t, test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v\nwant an error with %q", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}
