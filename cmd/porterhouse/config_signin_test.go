package main

import (
	"strings"
	"testing"
)

// The least with which people can sign in.
const (
	leastCorp      = `token_processors: {corp: {type: openid, configuration_endpoint: "https://idp.example.com/.well-known/openid-configuration"}}` + "\n"
	leastProviders = "providers: {processor: corp, client_id: us}"
	leastSignIn    = least + leastCorp + "sign_in: {master_key: 'env:MASTER_KEY', " + leastProviders + "}\n"
)

// What would let somebody in whom nobody meant, or nobody at all, is told with its
// place and what to do.
func TestMistakesAboutSigningIn(t *testing.T) {
	with := func(more string) string {
		return least + leastCorp + "sign_in: {master_key: 'env:MASTER_KEY', " + more + "}\n"
	}
	client := func(keys string) string { return leastSignIn + "auth_server: {clients: {etl: {" + keys + "}}}\n" }
	for _, test := range []struct{ name, text, problem string }{
		{"nothing wrong", leastSignIn, ""},
		{"no provider", least + leastCorp + "sign_in: {master_key: 'env:MASTER_KEY'}\n", "sign_in: nobody can sign in"},
		{"tokens for nobody", least + leastCorp + "auth_server: {access_token: 6m}\n", "auth_server: nobody can sign in"},
		{"no master key", least + leastCorp + "sign_in: {" + leastProviders + "}\n", "sign_in.master_key: what browsers and the store keep"},
		{"a short master key", least + leastCorp + "sign_in: {master_key: 'env:SHORT', " + leastProviders + "}\n", "sign_in.master_key: the key has 31 bytes"},
		{"a provider without a processor", with("providers: {client_id: us}"), "sign_in.providers.processor: name the token processor"},
		{"an unknown processor", with("providers: {processor: crop, client_id: us}"), `there is no token processor "crop"`},
		{"a processor that is not asked", with(leastProviders) + "enable_token_auth: false\n", "not asked, by enable_token_auth"},
		{"the second of a list", with("providers: [{processor: corp, client_id: us}, {processor: corp, client_id: us}]"), `sign_in.providers[1].processor: people can sign in at "corp" already`},
		{"no client id", with("providers: {processor: corp}"), "with the redirect URI http://127.0.0.1:8080/signin/callback/corp"},
		{"an endpoint without TLS", with("providers: {processor: corp, client_id: us, token_endpoint: 'http://idp.example.com/t'}"), "sign_in.providers: token_endpoint: http://idp.example.com is not https"},
		{"an endpoint inside our network", with("providers: {processor: corp, client_id: us, token_endpoint: 'https://10.0.0.1/t'}"), "10.0.0.1 is a special-use address"},
		{"an endpoint elsewhere", with("providers: {processor: corp, client_id: us, authorization_endpoint: 'https://evil.example/a'}") + "remote_url_allow_hosts: {host: idp.example.com}\n", "authorization_endpoint: remote_url_allow_hosts does not name this host"},
		{"a session without an end", with("session_longest: 0s, " + leastProviders), "sign_in.session_longest: want more than 0"},
		{"idle for longer than it lasts", with("session_idle: 91d, " + leastProviders), "sign_in.session_idle: a session ends after session_longest"},
		{"tokens that live too long", leastSignIn + "auth_server: {access_token: 11m}\n", "auth_server.access_token: want 1m0s to 10m0s"},
		{"tokens that live too short", leastSignIn + "auth_server: {access_token: 1s}\n", "auth_server.access_token: want 1m0s to 10m0s"},
		{"assertions of nobody", leastSignIn + "auth_server: {identity_assertions: crop}\n", `auth_server.identity_assertions: there is no token processor "crop"`},
		{"a processor with the name of clients", leastApart + leastUsers + "token_processors: {clients: {type: google, client_ids: a}}\n", "token_processors.clients: this name stands for clients"},
		{"a directory for clients that there are none of", leastSignIn + "user_directories: {token: {processor: clients}}\n", `there is no token processor "clients"`},
		{"an unknown grant", client("grants: [password]"), "auth_server.clients.etl.grants[0]: want one of authorization_code"},
		{"an unknown scope", client("scopes: [admin]"), "auth_server.clients.etl.scopes[0]: want one of clickhouse:read"},
		{"everybody from one network", leastSignIn + "public_url: https://ch.example.com\nbehind_tls_proxy: true\n", "trusted_proxies: signing in is limited by network"},
		{"a proxy that is known", leastSignIn + "public_url: https://ch.example.com\nbehind_tls_proxy: true\ntrusted_proxies: [127.0.0.1/32]\n", ""},
		{"a proxy where nobody signs in", least + "public_url: https://ch.example.com\nbehind_tls_proxy: true\n", ""},
		{"we ourselves as a provider", strings.Replace(leastSignIn, "idp.example.com", "ch.example.com", 1) + "public_url: https://ch.example.com\nbehind_tls_proxy: true\n", "token_processors.corp: https://ch.example.com is this server itself"},
		{"we ourselves as an expected issuer", strings.Replace(leastSignIn, "{type: openid", "{type: openid, expected_issuer: 'http://127.0.0.1:8080'", 1), "token_processors.corp: http://127.0.0.1:8080 is this server itself"},
		{"a client that is nobody", client("secret: 'env:AUDIT_KEY', grants: [client_credentials]"), "auth_server.clients.etl.user: with client_credentials"},
		{"a client that is somebody without asking for itself", client("redirect_uris: 'http://127.0.0.1/c', user: alice"), "auth_server.clients.etl.user: this is who it is"},
		{"it exchanges what was meant for anybody", client("secret: 'env:AUDIT_KEY', grants: [token_exchange]"), "auth_server.clients.etl.exchange.audiences: say for whom"},
		{"it exchanges, and may not", client("redirect_uris: 'http://127.0.0.1/c', exchange: {audiences: a}"), "auth_server.clients.etl.exchange: it may not exchange"},
		{"it exchanges tokens of nobody", client("secret: 'env:AUDIT_KEY', grants: [token_exchange], exchange: {audiences: a, processors: crop}"), `exchange.processors: there is no token processor "crop"`},
		{"a redirect to anywhere", client("redirect_uris: 'https://example.com/*'"), "auth_server.clients.etl.redirect_uris: a redirect URI is compared as it stands"},
		{"GitHub without a secret", least + "token_processors: {gh: {type: github, client_ids: a, client_secret: 'env:GITHUB_SECRET'}}\nsign_in: {master_key: 'env:MASTER_KEY', providers: {processor: gh, client_id: a}}\n", "sign_in.providers: client_secret is missing"},
		{"keys that nobody signs in with", least + "token_processors: {k: {type: jwt_static_key, algo: HS256, static_key: 'env:TOKEN_KEY'}}\nsign_in: {master_key: 'env:MASTER_KEY', providers: {processor: k, client_id: a}}\n", "sign_in.providers: "},
		{"a client that proves itself by nothing", client("grants: [client_credentials], user: alice"), "auth_server.clients.etl: client \"etl\": it may use client_credentials, so it needs a secret"},
		{"a client with a short secret", client("secret: 'env:CLICKHOUSE_PASSWORD', redirect_uris: 'http://127.0.0.1/c'"), "its secret has 7 characters"},
		{"a client without a redirect", client("name: x"), "has no redirect URI"},
		{"a redirect without TLS", client("redirect_uris: 'http://example.com/c'"), "auth_server.clients.etl: client \"etl\": its redirect URI"},
		{"an unknown resource", client("redirect_uris: 'http://127.0.0.1/c', resource: 'https://elsewhere.example.com/'"), "is none of this server's"},
		{"device codes where there are none", leastSignIn + "auth_server: {device_codes: false, clients: {ch: {grants: [device_code]}}}\n", "auth_server.clients.ch: client \"ch\": it may use urn:ietf:params:oauth:grant-type:device_code, and device codes are switched off"},
		{"device codes for nobody", leastSignIn + "auth_server: {device_codes: false}\n", ""},
		{"the command line's own name", client("client_id: porterhouse-cli, redirect_uris: 'http://127.0.0.1/c'"), "auth_server: client \"porterhouse-cli\" is there twice"},
		{"a directory for clients", client("secret: 'env:AUDIT_KEY', grants: [client_credentials], user: alice") + "user_directories: {token: {processor: clients, common_roles: [etl]}}\n", ""},
	} {
		_, _, err := load(t, test.text)
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: the error is %v, want %q", test.name, err, test.problem)
		}
	}
}

// Clients that ask for themselves have rules of their own, like API tokens.
func TestRulesOfClients(t *testing.T) {
	const itself = leastSignIn + "auth_server: {clients: {etl: {secret: 'env:AUDIT_KEY', grants: [client_credentials], user: alice}}}\n"
	processors := func(text string) (found string) {
		c, _ := mustLoad(t, text)
		for _, r := range c.rules() {
			found += " " + r.Processor
		}
		return found
	}
	if got := processors(leastSignIn); got != " corp tokens" {
		t.Errorf("there are rules for%s", got)
	}
	if got := processors(itself); got != " clients corp tokens" {
		t.Errorf("with a client of its own there are rules for%s", got)
	}
	if got := processors(itself + "user_directories: {token: {processor: clients, common_roles: [etl]}}\n"); got != " clients corp tokens" {
		t.Errorf("with a directory for clients there are rules for%s", got)
	}
	c, _ := mustLoad(t, itself)
	if is := c.AuthServer.Clients["etl"].client("etl"); is.ID != "etl" || is.User != "alice" {
		t.Errorf("the client is %+v", is)
	}
	if w := c.weakenings(); w != nil {
		t.Errorf("weakenings %v", w)
	}
}

// What the page about signing in shows is served as it stands.
func TestThePageAboutSigningIn(t *testing.T) {
	text := leastApart + leastUsers + "behind_tls_proxy: true\ntrusted_proxies: [127.0.0.1/32]\n"
	blocks := strings.Split(readText(t, "../../doc/signing-in.md"), "```yaml\n")[1:]
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		text += block
	}
	c, _ := mustLoad(t, strings.ReplaceAll(text, "file:master.key", "env:MASTER_KEY"))
	if len(blocks) != 2 || !c.SignIn.isOn() || len(c.AuthServer.Clients) != 3 {
		t.Errorf("%d blocks: %+v", len(blocks), c.AuthServer)
	}
}
