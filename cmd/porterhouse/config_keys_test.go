package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// What the file says is what the program has.
func TestEveryKeyIsRead(t *testing.T) {
	c, dir := mustLoad(t, `
listen: 0.0.0.0:443
public_url: HTTPS://CH.example.com:8443/
tls: {cert: certs/server.crt, key: /etc/server.key}
behind_tls_proxy: true
trusted_proxies: [10.0.0.0/8, "2001:db8::/32", 192.0.2.7]
origins: [https://a.example.com, "http://localhost:6274"]
log: {level: debug, format: json}
http: {max_body: 1 MiB, max_header: 64KiB, header_timeout: 1s, body_timeout: 2s, write_timeout: 3s, idle_timeout: 1h30m}
clickhouse_http:
  listen: 10.0.0.1:8123
  tls: {listen: "10.0.0.1:8443", cert: d.crt, key: d.key}
  public_url: HTTPS://CH.example.com:8444/
  audiences: [door, api://ch]
  read_only: true
  passwords: pass
  max_header: 2 MiB
  limits: {time: 2h, bytes: 3 GiB, memory: 4 GiB}
  allow: {settings: [d], functions: [e], table_functions: [f]}
  allow_plain_http: true
  allow_url_credentials: true
  allow_id_tokens: true
metrics: {listen: 10.0.0.1:9464}
clusters:
  main:
    url: https://clickhouse:8443
    user: gw
    password: env:CLICKHOUSE_PASSWORD
    tls: {ca: ../ca.crt, cert: c.crt, key: c.key, server_name: ch}
    allow_plain_http: true
    max_connections: 7
    access: {mode: interserver, native: "clickhouse:9440", native_tls: true, cluster: mcp, secret: env:KNOCK, shadow: verify, shadow_share: 0.25}
    provision: {user: prov, password: env:PROVISIONER, prefix: ph_, marker: m, mode: interserver, http_server: p, gateway_hosts: [10.0.0.1], on_cluster: c,
      settings: {max_threads: 4}, readonly: true, limits: {rows: 1, bytes: 1 B, time: 1s, memory: 1 B}, allow_unbounded_provisioner: true, lifetime: 5s,
      disable_after: 90d, drop_after: 180d}
    authenticator: {listen: 10.0.0.1:8444, path: env:KNOCK, name: ph, audiences: ch, settings: {a: b}, tls: {cert: a.crt, key: a.key}, allow_plain_http: true}
users:
  name: "ph_{localpart}"
  domains: [example.com]
  lower_case: true
  allow: [ph_*]
  deny: [admin]
  deny_roles: [root]
  allow_unicode_names: true
  allow_shared: true
  local_users: {allow: ["*"]}
  personas: [{suffix: "#agent", clients: [claude], roles: [r_*], profile: p, allow_writes: true, limits: {rows: 2}}, {suffix: "#other", except: [web]}]
tokens: {file: tokens.json}
enable_token_auth: 1
token_processors: {corp: {type: openid, allow_id_tokens: true, client_ids: grafana, configuration_endpoint: "https://idp.example.com/.well-known/openid-configuration"}}
user_directories: {token: {processor: corp, common_roles: [reader], name: "ph_{user}", domains: [corp.com], local_users: {allow: [x]}}}
remote_url_allow_hosts: {host: idp.example.com, host_regexp: ['.*\.a']}
identity: {ca: idp.crt, proxy: "http://proxy:3128", timeout: 5s}
resources: {mcp: {audiences: [api://ch]}}
kv: {redis: {url: "redis://redis:6379/0", password: env:AUDIT_KEY, prefix: "p:", allow_plaintext: true}}
sign_in:
  master_key: env:AUDIT_KEY
  providers: {processor: corp, label: SSO, client_id: us, client_secret: env:SIGN_IN_SECRET, scopes: openid, authorization_endpoint: "https://idp.example.com/a", token_endpoint: "https://idp.example.com/t"}
  browser_session: 1h
  session_without_recheck: 2h
  session_idle: 3h
  session_longest: 4h
  recheck_grace: 5h
auth_server:
  access_token: 6m
  signing_keys: [keys/one.pem, /etc/two.pem]
  rotate_keys: 7d
  device_codes: false
  allow_registration: true
  allow_client_hosts: claude.ai
  identity_assertions: corp
  clients:
    etl: {client_id: id, name: n, secret: env:REPORTS_SECRET, redirect_uris: "http://127.0.0.1/c", grants: [client_credentials, token_exchange, authorization_code],
      scopes: ["clickhouse:read"], resource: "https://ch.example.com:8443/mcp", user: etl, groups: g, exchange: {processors: corp, audiences: a}}
    keyed: {jwks: '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": "EVs_o5-uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf84", "y": "kGe5DgSIycKp8w9aJmoHhB1sB3QTugfnRWm5nU_TzsY"}]}', grants: [client_credentials], user: k}
    elsewhere: {jwks_uri: "https://keys.example.com/", redirect_uris: ["https://app.example.com/c"]}
limits: {rows: 10_000, bytes: 1 GB, time: 5m, memory: 8 GiB, concurrent_per_person: 2, queue: 0, queue_wait: 500ms,
  rules: [{name: r, groups: [g], people: [p], clients: [c], per: group, concurrent: 3, queue: 4, queue_wait: 5s, queries: 6, bytes: 7 B, window: 8s, time: 9s, answer: 10 B}]}
allow: {settings: [a], functions: [b], table_functions: [c]}
audit: {file: audit.jsonl, key: env:AUDIT_KEY, replica: r1, rotate_at: 1 TiB, sync: each}
`)
	want := Config{
		Listen: "0.0.0.0:443", PublicURL: "https://ch.example.com:8443",
		TLS:            &TLSPair{Cert: dir + "/certs/server.crt", Key: "/etc/server.key"},
		BehindTLSProxy: true, TrustedProxies: c.TrustedProxies,
		Origins: []string{"https://a.example.com", "http://localhost:6274"},
		Log:     LogConfig{"debug", "json"},
		HTTP:    HTTPConfig{1 << 20, 64 << 10, time.Second, 2 * time.Second, 3 * time.Second, 90 * time.Minute},
		ClickHouseHTTP: HTTPDoorConfig{
			Listen: "10.0.0.1:8123", TLS: &TLSListenerConfig{"10.0.0.1:8443", dir + "/d.crt", dir + "/d.key"}, PublicURL: "https://ch.example.com:8444",
			Audiences: texts{"door", "api://ch"}, ReadOnly: true, Passwords: "pass", MaxHeader: 2 << 20,
			Limits: HTTPDoorLimits{2 * time.Hour, 3 << 30, 4 << 30}, Allow: AllowConfig{[]string{"d"}, []string{"e"}, []string{"f"}},
			AllowPlainHTTP: true, AllowURLCredentials: true, AllowIDTokens: true,
		},
		Metrics: MetricsConfig{"10.0.0.1:9464"},
		Clusters: map[string]ClusterConfig{"main": {
			URL: "https://clickhouse:8443", User: "gw", Password: porterhouse.NewSecret("hunter2"),
			TLS:            ClusterTLS{CA: filepath.Dir(dir) + "/ca.crt", Cert: dir + "/c.crt", Key: dir + "/c.key", ServerName: "ch"},
			AllowPlainHTTP: true, MaxConnections: 7, Access: AccessConfig{"interserver", "clickhouse:9440", true, "mcp", porterhouse.NewSecret(auditKey), nil, "verify", 0.25},
			Provision: &ProvisionConfig{
				User: "prov", Password: porterhouse.NewSecret("provides"), Prefix: "ph_", Marker: "m",
				Mode: "interserver", HTTPServer: "p", GatewayHosts: []string{"10.0.0.1"}, OnCluster: "c",
				Settings: values{"max_threads": "4"}, ReadOnly: true, Limits: AccountLimitsConfig{1, 1, time.Second, 1},
				AllowUnboundedProvisioner: true, Lifetime: 5 * time.Second, DisableAfter: 90 * 24 * time.Hour, DropAfter: 180 * 24 * time.Hour,
			},
			Authenticator: &AuthenticatorConfig{
				Listen: "10.0.0.1:8444", Path: porterhouse.NewSecret(auditKey), Name: "ph", Audiences: texts{"ch"}, Settings: values{"a": "b"},
				TLS: &TLSPair{dir + "/a.crt", dir + "/a.key"}, AllowPlainHTTP: true,
			},
		}},
		Users: UsersConfig{
			Name: "ph_{localpart}", Domains: []string{"example.com"}, LowerCase: true,
			Allow: []string{"ph_*"}, Deny: []string{"admin"}, DenyRoles: []string{"root"},
			AllowUnicodeNames: true, AllowShared: true, LocalUsers: LocalUsersConfig{[]string{"*"}},
			Personas: list[PersonaConfig]{
				{Suffix: "#agent", Clients: []string{"claude"}, Roles: []string{"r_*"}, Profile: "p", AllowWrites: true, Limits: AccountLimitsConfig{Rows: 2}},
				{Suffix: "#other", Except: []string{"web"}},
			},
		},
		Tokens:          TokensConfig{dir + "/tokens.json"},
		EnableTokenAuth: true,
		TokenProcessors: map[string]ProcessorConfig{"corp": {Type: "openid", AllowIDTokens: true, ClientIDs: texts{"grafana"}, ConfigurationEndpoint: "https://idp.example.com/.well-known/openid-configuration"}},
		UserDirectories: UserDirectoriesConfig{list[TokenDirectoryConfig]{{
			Processor: "corp", CommonRoles: names{"reader"}, Name: "ph_{user}", Domains: []string{"corp.com"}, LocalUsers: &LocalUsersConfig{[]string{"x"}},
		}}},
		RemoteURLAllowHosts: AllowHostsConfig{texts{"idp.example.com"}, texts{`.*\.a`}},
		Identity:            IdentityConfig{dir + "/idp.crt", proxyURL{porterhouse.NewSecret("http://proxy:3128")}, 5 * time.Second},
		Resources:           ResourcesConfig{ResourceConfig{texts{"api://ch"}}},
		SignIn: SignInConfig{
			MasterKey: porterhouse.NewSecret(auditKey),
			Providers: list[SignInProviderConfig]{{
				Processor: "corp", Label: "SSO", ClientID: "us", ClientSecret: porterhouse.NewSecret("signs"), Scopes: texts{"openid"},
				AuthorizationEndpoint: "https://idp.example.com/a", TokenEndpoint: "https://idp.example.com/t",
			}},
			BrowserSession: time.Hour, SessionWithoutRecheck: 2 * time.Hour, SessionIdle: 3 * time.Hour, SessionLongest: 4 * time.Hour, RecheckGrace: 5 * time.Hour,
		},
		AuthServer: AuthServerConfig{
			AccessToken: 6 * time.Minute, SigningKeys: []string{dir + "/keys/one.pem", "/etc/two.pem"}, RotateKeys: 7 * oneDay,
			AllowRegistration: true, AllowClientHosts: texts{"claude.ai"}, Assertions: texts{"corp"},
			Clients: map[string]AuthClientConfig{
				"etl": {
					ClientID: "id", Name: "n", Secret: porterhouse.NewSecret(auditKey + auditKey), RedirectURIs: texts{"http://127.0.0.1/c"},
					Grants: []string{"client_credentials", "token_exchange", "authorization_code"}, Scopes: []string{"clickhouse:read"},
					Resource: "https://ch.example.com:8443/mcp", User: "etl", Groups: texts{"g"}, Exchange: ExchangeConfig{texts{"corp"}, texts{"a"}},
				},
				"keyed": {
					JWKS:   `{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": "EVs_o5-uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf84", "y": "kGe5DgSIycKp8w9aJmoHhB1sB3QTugfnRWm5nU_TzsY"}]}`,
					Grants: []string{"client_credentials"}, User: "k",
				},
				"elsewhere": {JWKSURI: "https://keys.example.com/", RedirectURIs: texts{"https://app.example.com/c"}},
			},
		},
		KV: KVConfig{Redis: RedisConfig{URL: "redis://redis:6379/0", Password: porterhouse.NewSecret(auditKey), Prefix: "p:", AllowPlaintext: true}},
		Limits: LimitsConfig{10000, 1e9, 5 * time.Minute, 8 << 30, 2, 0, time.Second / 2, list[RuleConfig]{{
			"r", []string{"g"}, []string{"p"}, []string{"c"}, "group", 3, 4, 5 * time.Second, 6, 7, 8 * time.Second, 9 * time.Second, 10,
		}}},
		Allow: AllowConfig{[]string{"a"}, []string{"b"}, []string{"c"}},
		Audit: AuditConfig{dir + "/audit.jsonl", porterhouse.NewSecret(auditKey), "r1", 1 << 40, "each"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("loaded %+v\nwant   %+v", c, want)
	}
	var networks []string
	for _, n := range c.TrustedProxies {
		networks = append(networks, n.String())
	}
	if got := strings.Join(networks, " "); got != "10.0.0.0/8 2001:db8::/32 192.0.2.7/32" {
		t.Errorf("trusted proxies %s", got)
	}
	if got := len(c.weakenings()); got != 24 {
		t.Errorf("%d weakenings, want 24: %v", got, c.weakenings())
	}
}
