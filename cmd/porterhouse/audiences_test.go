package main

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// manyNames is a server that identity providers call by other names than its URLs, with a
// cluster that is shown tokens, and one whose servers ask us who is there.
func manyNames(t *testing.T, token *TokenConfig) Config {
	t.Helper()
	c := nowhere(t)
	c.PublicURL, c.ClickHouseHTTP.Listen, c.ClickHouseHTTP.PublicURL = "https://ph.example.com", "127.0.0.1:1", "https://ph.example.com:8443"
	c.Resources.MCP.Audiences, c.ClickHouseHTTP.Audiences = texts{"porterhouse"}, texts{"api://door"}
	c.EnableTokenAuth, c.TokenProcessors = true, map[string]ProcessorConfig{
		"corp":    {Type: "openid", ExpectedAudience: texts{"guid"}, IntrospectionClientID: "asker", ClientIDs: texts{"app"}},
		"google":  {Type: "google", ClientIDs: texts{"us.apps"}},
		"grafana": {Type: "openid", ClientIDs: texts{"grafana"}, AllowIDTokens: true},
	}
	c.SignIn.Providers = list[SignInProviderConfig]{{Processor: "corp", ClientID: "web"}}
	c.Clusters = map[string]ClusterConfig{
		"main":  {URL: "https://ch.example.com", Access: AccessConfig{Mode: "forward", Token: token}, Authenticator: &AuthenticatorConfig{Audiences: texts{"clickhouse"}}},
		"other": {URL: "https://other.example.com", Authenticator: &AuthenticatorConfig{}},
	}
	return c
}

// Whatever opens one of our doors is known as that, for the tokens that it opens them to.
func TestOpeners(t *testing.T) {
	o := openersOf(manyNames(t, nil), "main")
	for _, test := range []struct {
		processor, audience string
		opens, ours         bool
	}{
		{"corp", "https://ph.example.com", true, true},
		{"corp", "https://ph.example.com/mcp/main", true, true},
		{"corp", "https://ph.example.com:8443", true, true},
		{"corp", "https://ph.example.com.evil.example", false, false},
		{"corp", "porterhouse", true, true},
		{"google", "porterhouse", true, true},
		{"corp", "api://door", true, true},
		{"corp", "guid", true, true},
		{"google", "guid", false, false},
		{"google", "us.apps", true, true},
		{"corp", "us.apps", false, false},
		{"grafana", "grafana", true, true},
		{"corp", "app", false, false}, // a client whose tokens are let in, if they are for us
		{"corp", "asker", false, true},
		{"corp", "web", false, true},
		{"corp", "https://other.example.com", true, true}, // the authenticator's, of another cluster
		{"corp", "clickhouse", false, false},              // of this one: it is ClickHouse
		{"corp", "", false, false},
	} {
		if opens := o.open(test.processor, test.audience); opens != test.opens {
			t.Errorf("%q of %s opens a door: %t", test.audience, test.processor, opens)
		}
		if ours := o.areAll(porterhouse.Principal{Proof: test.processor, Audience: []string{test.audience}}); ours != test.ours {
			t.Errorf("%q of %s names us alone: %t", test.audience, test.processor, ours)
		}
	}
}

// What names nobody but us, by whatever name, does not go on, unless the operator says
// that this is ClickHouse; nor what names nobody at all, unless anything may.
func TestTokensForUsAlone(t *testing.T) {
	anything := &TokenConfig{AllowAnyAudience: true}
	for _, test := range []struct {
		name      string
		token     *TokenConfig
		processor string
		audience  []string
		want      bool
		says      string // whoever is refused
	}{
		{"by an audience of the MCP door", nil, "corp", []string{"porterhouse"}, false, "access.token: {audience: …}"},
		{"whatever it is for", anything, "corp", []string{"porterhouse"}, false, "{audience: …}"},
		{"by an audience of the HTTP door", nil, "corp", []string{"api://door"}, false, "{audience: …}"},
		{"by that of its processor", nil, "corp", []string{"guid"}, false, "{audience: …}"},
		{"by that of another's", nil, "google", []string{"guid"}, true, ""},
		{"by all our names", anything, "corp", []string{"guid", "porterhouse", "asker", "https://ph.example.com/mcp"}, false, "{audience: …}"},
		{"by the client", nil, "google", []string{"us.apps"}, false, "{audience: …}"},
		{"and somebody else", nil, "corp", []string{"porterhouse", "account"}, true, ""},
		{"one name for both, as the operator says", &TokenConfig{Audience: "porterhouse"}, "corp", []string{"porterhouse"}, true, ""},
		{"another of our names than that", &TokenConfig{Audience: "porterhouse"}, "corp", []string{"guid"}, false, "{audience: …}"},
		{"nobody", nil, "corp", nil, false, "allow_any_audience"},
		{"nobody, and ClickHouse is said", &TokenConfig{Audience: "clickhouse"}, "corp", nil, false, "allow_any_audience"},
		{"nobody, and anything may", anything, "google", nil, true, ""},
	} {
		f, err := newForwarding(manyNames(t, test.token), setup{}, nil, "main")
		if err != nil {
			t.Fatal(err)
		}
		token, err := f.token(t.Context(), porterhouse.Principal{Proof: test.processor, Audience: test.audience, Token: porterhouse.NewSecret("brought")})
		kind, says := porterhouse.Explain(err)
		if token.Equal("brought") != test.want || token.IsZero() == test.want || (err == nil) != test.want {
			t.Errorf("%s: goes on: %t, %v", test.name, !token.IsZero(), err)
		}
		if err != nil && (kind != porterhouse.Refused || !strings.Contains(says, test.says)) {
			t.Errorf("%s: %v, %s", test.name, kind, says)
		}
	}
}

// Where tokens for ClickHouse open our doors, the start tells it, and by which keys.
func TestTokensThatOpenOurDoorsAreTold(t *testing.T) {
	for audience, want := range map[string]string{
		"":                          "",
		"clickhouse":                "",
		"asker":                     "",
		"porterhouse":               "resources.mcp.audiences",
		"api://door":                "clickhouse_http.audiences",
		"guid":                      "token_processors.corp.expected_audience",
		"us.apps":                   "token_processors.google.client_ids",
		"https://other.example.com": "clusters.other.authenticator",
	} {
		var token *TokenConfig
		if audience != "" {
			token = &TokenConfig{Audience: audience}
		}
		c := manyNames(t, token)
		told := slices.ContainsFunc(c.weakenings(), func(s string) bool {
			return strings.HasPrefix(s, "clusters.main.access.token.audience") && strings.Contains(s, "("+want+")")
		})
		if got := strings.Join(openBeside(c, "main"), " "); got != want || told != (want != "") {
			t.Errorf("%q opens our doors by %q, want %q; told: %t", audience, got, want, told)
		}
	}
	c := manyNames(t, &TokenConfig{Audience: "clickhouse"})
	c.TokenProcessors["corp"] = ProcessorConfig{Type: "openid", AllowAnyAudience: true}
	if got := openBeside(c, "main"); !slices.Equal(got, []string{"token_processors.corp.allow_any_audience"}) {
		t.Errorf("where any token opens our doors, it is told of %q", got)
	}
}

// A token that names ClickHouse goes on as it is; where it opens our doors as well, and
// the provider may give another for it, that is asked for, and none goes on without.
func TestTokensForClickHouseAndUs(t *testing.T) {
	c := manyNames(t, &TokenConfig{Audience: "clickhouse"})
	corp := c.TokenProcessors["corp"]
	corp.ConfigurationEndpoint, corp.IntrospectionClientSecret = "http://127.0.0.1:1/.well-known/openid-configuration", porterhouse.NewSecret("hush")
	c.TokenProcessors["corp"], c.RemoteURLAllowHosts.Host = corp, texts{"127.0.0.1"}
	f, err := newForwarding(c, setup{}, nil, "main")
	if err != nil {
		t.Fatal(err)
	}
	providers, err := c.providers(slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	exchanger, err := newExchanger(c, "main", "corp", providers, noRecord)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		audience       []string
		alone, changed bool // goes on as it is: without exchange, with it
	}{
		{[]string{"clickhouse"}, true, true},
		{[]string{"clickhouse", "account", "asker"}, true, true},
		{[]string{"clickhouse", "porterhouse"}, true, false},
		{[]string{"https://ph.example.com/mcp", "clickhouse"}, true, false},
		{[]string{"guid", "clickhouse"}, true, false},
		{[]string{"account"}, false, false},
	} {
		who := porterhouse.Principal{Proof: "corp", Audience: test.audience, Token: porterhouse.NewSecret(strings.Join(test.audience, " "))}
		for exchanges, want := range map[bool]bool{false: test.alone, true: test.changed} {
			delete(f.exchangers, "corp")
			if exchanges {
				f.exchangers["corp"] = exchanger // at a provider that is away
			}
			token, err := f.token(t.Context(), who)
			if got := token.Equal(who.Token.Reveal()); got != want || token.IsZero() == want || (err == nil) != want {
				t.Errorf("%q, exchange %t: goes on as it is: %t, %v", test.audience, exchanges, got, err)
			}
			if kind, _ := porterhouse.Explain(err); err != nil && (kind == porterhouse.Unavailable) != exchanges {
				t.Errorf("%q, exchange %t: %v", test.audience, exchanges, err)
			}
		}
	}
}
