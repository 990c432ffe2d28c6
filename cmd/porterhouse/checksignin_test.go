package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/authserver"
	"porterhouse/identity"
)

// check idp finds out, without a person, whether people can sign in; and whoever
// serves to others meets no demo.
func TestCheckingSignIn(t *testing.T) {
	_, s := serveSignIn(t, nil)
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"as it is registered", func(*Config) {}, []string{
			`ok      people sign in at 127.0.0.1:`, `our client "porterhouse" there, which is asked for openid, profile, email`, "refuses a made-up code",
		}},
		{"a client that is not known there", func(c *Config) { c.SignIn.Providers[0].ClientID = "stranger" }, []string{
			"WRONG   its token endpoint does not take us as its client: ", "invalid_client",
		}},
		{"without offline access", func(c *Config) { c.SignIn.Providers[0].Scopes = texts{"email"} }, []string{"careful it is not asked for offline_access"}},
		{"a token endpoint elsewhere", func(c *Config) {
			c.SignIn.Providers[0].TokenEndpoint = "http://" + c.RemoteURLAllowHosts.Host[0] + "/nowhere"
		}, []string{
			"WRONG   its token endpoint does not take us as its client: ", "status 404",
		}},
		{"in earnest", func(c *Config) { c.demo = false }, []string{
			"WRONG   it is a demo, where anybody can sign in as anybody", "WRONG   people cannot sign in there: ", "only `porterhouse demo` accepts that",
		}},
	} {
		c := s.config
		c.SignIn.Providers = list[SignInProviderConfig]{c.SignIn.Providers[0]}
		test.change(&c)
		known, err := c.providers(slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = tellProviders(t.Context(), entrance{c, setup{&process{}, &reach{providers: known}}}, &out)
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %v, no %q in\n%s", test.name, err, want, out.String())
			}
		}
		if strings.Contains(out.String(), "MCP clients need a client id") {
			t.Errorf("%s: clients are sent elsewhere:\n%s", test.name, out.String())
		}
	}
}

// A command that only looks knows our own tokens by what the server tells everybody.
func TestCommandsKnowOurOwnTokens(t *testing.T) {
	url, s := serveSignIn(t, nil)
	token, _ := signInAs(t, url, "alice", "clickhouse:read", "")["access_token"].(string)
	look := func(c Config, token string) *identified {
		known, err := c.providers(slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		p := setup{&process{store: s.process.store, accounts: s.process.accounts, audit: s.process.audit}, &reach{providers: known}}
		if p.ownKey, err = askServerForKeys(c); err != nil {
			t.Fatal(err)
		}
		answer, err := whois(t.Context(), c, p, mcpResource(c, ""), token)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if is := look(s.config, token); is.User != "alice@example.com" || is.Processor != demoProcessor || is.Accounts[0].User != "alice" {
		t.Errorf("Alice's token is of %+v", is)
	}
	forged := token[:strings.LastIndexByte(token, '.')+1] + strings.Repeat("A", 86)
	if is := look(s.config, forged); is.Refusal == nil || is.Refusal.Kind != "unauthenticated" {
		t.Errorf("a forged token is of %+v", is)
	}
	gone := s.config
	gone.PublicURL = "http://127.0.0.1:" + clientPort // another server
	if is := look(gone, token); is.Refusal == nil || is.Refusal.Kind != "unauthenticated" {
		t.Errorf("another server's token is of %+v", is)
	}
	ask, err := askServerForKeys(gone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), "x"); explained(err).Kind != "unavailable" {
		t.Errorf("a server that is not running: %v", err)
	}
}

// Why a client's document cannot be had is told in words about the client.
func TestDocumentThatCannotBeFetched(t *testing.T) {
	_, s := serveSignIn(t, nil)
	_, err := s.process.generation.Load().reach.fetch(t.Context(), "https://127.0.0.1/client.json")
	if err == nil || !strings.Contains(err.Error(), "special-use address") || strings.Contains(err.Error(), "identity provider") || !errors.Is(err, authserver.ErrForbidden) {
		t.Errorf("%v", err)
	}
}

// Our own tokens are for one resource, by its URL, whatever else counts there.
func TestOwnTokensAreForOneResource(t *testing.T) {
	const cluster = "https://ch.example.com:8443"
	url, s := serveSignIn(t, func(c *Config) {
		c.Resources.MCP.Audiences = texts{"api://clickhouse"}
		with := c.Clusters["main"]
		with.Authenticator = &AuthenticatorConfig{Listen: "127.0.0.1:0", Path: porterhouse.NewSecret("0123456789abcdef"), Audiences: texts{cluster, "not a URL"}}
		c.Clusters["main"] = with
	})
	at := identity.Resource{Door: "clickhouse", Cluster: "main", Audiences: s.config.Clusters["main"].authenticatorAudiences()}
	verifier, err := buildVerifier(s.config, setup{s.process, s.process.generation.Load().reach}, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		resource     string
		agent, login bool // may come in at the MCP door; at ClickHouse itself
	}{{"", true, false}, {cluster, false, true}} {
		token, _ := signInAs(t, url, "bob", "clickhouse:read", test.resource)["access_token"].(string)
		if status, _ := knock(t, url, token); (status == http.StatusOK) != test.agent {
			t.Errorf("for %q, the MCP door answers %d", test.resource, status)
		}
		if who, err := verifier.Verify(t.Context(), token); (err == nil) != test.login {
			t.Errorf("for %q, ClickHouse is told of %+v, %v", test.resource, who, err)
		}
	}
}

// What is to be registered at providers: at each its own.
func TestRedirectsToRegister(t *testing.T) {
	c := Config{PublicURL: "https://ch.example.com"}
	for _, test := range []struct {
		providers []SignInProviderConfig
		want      string
	}{
		{nil, "at this server: https://ch.example.com/signin/callback/, and the name of the token processor behind it\n"},
		{[]SignInProviderConfig{{Processor: "corp"}}, "of corp: https://ch.example.com/signin/callback/corp\n"},
		{[]SignInProviderConfig{{Processor: "corp"}, {Processor: "partner"}}, "of corp: https://ch.example.com/signin/callback/corp\n" +
			"The redirect URI to register at the provider of partner: https://ch.example.com/signin/callback/partner\n"},
	} {
		c.SignIn.Providers = test.providers
		var out strings.Builder
		if tellRedirects(c, &out); !strings.HasSuffix(out.String(), test.want) {
			t.Errorf("%v: told %q", test.providers, out.String())
		}
	}
}
