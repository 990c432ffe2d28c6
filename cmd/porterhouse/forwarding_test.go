package main

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/login"
	"porterhouse/sandbox/idp"
)

// exchanging lets the tokens that people bring to the main cluster be exchanged.
func exchanging(c *Config) {
	c.Clusters["main"].Access.Token.Exchange = texts{"corp"}
}

// brings is a token of the provider for one of our doors, which ClickHouse does not take.
func (h *onwardHouse) brings(person idp.Person, audience string) string {
	h.Helper()
	return h.provider.SignIn(h.T, h.us, person, audience).Access
}

// askDoor asks at the door for ClickHouse's own clients.
func (h *onwardHouse) askDoor(token, sql string) string {
	h.Helper()
	return h.post(h.door+"/?"+url.Values{"query": {sql}}.Encode(), nil, map[string]string{"Authorization": "Bearer " + token})
}

// written is the log and the record.
func (h *onwardHouse) written() string {
	h.Helper()
	record, err := os.ReadFile(h.config.Audit.File)
	if err != nil {
		h.Fatal(err)
	}
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	return h.log.text.String() + string(record)
}

// asked are the lines of the record that tell of a provider that was asked.
func (h *onwardHouse) asked() (lines []map[string]any) {
	h.Helper()
	for text := range strings.Lines(h.written()) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && line["action"] == "forward" {
			lines = append(lines, line)
		}
	}
	return lines
}

// wantsNowhere wants a token neither at ClickHouse nor in what is written.
func (h *onwardHouse) wantsNowhere(tokens ...string) {
	h.Helper()
	seen, written := h.bytesSeen(), h.written()
	for _, token := range tokens {
		parts := strings.Split(token, ".")
		secret := parts[len(parts)-1]
		if strings.Contains(seen, secret) {
			h.Error("a token came to ClickHouse that is not for it")
		}
		if strings.Contains(written, secret) {
			h.Error("a token is in the log, or in the record")
		}
	}
}

// Who brings a token of the provider that is for us alone is the same person at ClickHouse,
// by one that is given in its place: at both doors, once for many questions.
func TestTokensThatAreExchanged(t *testing.T) {
	h := openOnwardHouse(t, exchanging)
	alice, bob, atDoor := h.brings(idp.Alice, h.url+mcpPath), h.brings(idp.Bob, h.url+mcpPath), h.brings(idp.Alice, h.door)
	_, ours := h.signIn(idp.Alice)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { h.wants(h.ask(alice, whoAmI), "I am alice") })
		all.Go(func() { h.wants(h.ask(bob, whoAmI), "I am bob") })
		all.Go(func() { h.wants(h.askDoor(atDoor, whoAmI), "I am alice") })
		all.Go(func() { h.wants(h.ask(ours, whoAmI), "I am alice") })
	}
	all.Wait()
	h.wantsNowhere(alice, bob, atDoor, ours)
	sent := h.tokensSeen()
	if len(sent) != 4 {
		t.Errorf("ClickHouse saw %d tokens, not 4", len(sent))
	}
	for token := range sent {
		if strings.Contains(h.written(), strings.Split(token, ".")[2]) {
			t.Error("a token for ClickHouse is in the log, or in the record")
		}
	}
	reasons, clients := map[any]int{}, map[any]any{"token exchange": h.us.ID, "refresh token": login.ClientID}
	for _, line := range h.asked() {
		if reasons[line["reason"]]++; line["cluster"] != "main" || line["resource"] != forClickHouse || line["client"] != clients[line["reason"]] || line["proof"] != "corp" || line["subject"] == nil || line["error"] != nil {
			t.Errorf("the record has %v", line)
		}
	}
	if reasons["token exchange"] != 3 || reasons["refresh token"] != 1 {
		t.Errorf("the provider was asked, by the record: %v", reasons)
	}
	_, metrics, _ := fetch(t, h.url+"/metrics")
	if !strings.Contains(metrics, `porterhouse_tokens_exchanged_total{cluster="main"} 3`) {
		t.Error("the exchanges are not counted")
	}
}

// With the token that was brought ends what was given in its place.
func TestExchangedTokenEndsWithItsOwn(t *testing.T) {
	h := openOnwardHouse(t, func(c *Config) {
		exchanging(c)
		corp := c.TokenProcessors["corp"]
		corp.ClientIDs = texts{idp.App.ID}
		corp.IntrospectionClientID, corp.IntrospectionClientSecret = idp.App.ID, porterhouse.NewSecret(idp.App.Secret)
		c.TokenProcessors["corp"] = corp
	})
	opaque, expiring := h.brings(idp.Alice, ""), h.brings(idp.Bob, h.url+mcpPath)
	h.wants(h.ask(opaque, whoAmI), "I am alice")
	h.wants(h.ask(expiring, whoAmI), "I am bob")
	h.provider.Revoke(t, h.us, opaque)
	before := len(h.bytesSeen())
	for _, end := range []struct {
		after time.Duration
		token string
	}{{2 * time.Minute, opaque}, {12 * time.Minute, expiring}} {
		h.ahead.Store(int64(end.after))
		h.wants(h.ask(end.token, whoAmI), "401 ")
	}
	if len(h.bytesSeen()) != before {
		t.Error("ClickHouse was asked")
	}
	h.wantsNowhere(opaque, expiring)
}

// A provider that says no, and one that is away, are told apart; ClickHouse is asked for
// neither, and both are in the record.
func TestProviderThatExchangesNothing(t *testing.T) {
	h := openOnwardHouse(t, func(c *Config) {
		exchanging(c)
		c.Clusters["main"].Access.Token.Resource = "https://else.example.com"
	})
	alice, atDoor := h.brings(idp.Alice, h.url+mcpPath), h.brings(idp.Alice, h.door)
	h.wants(h.ask(alice, whoAmI), "gives none that is in its place")
	h.provider.Stop(t)
	answer := h.askDoor(atDoor, whoAmI)
	h.wants(answer, "503 ")
	h.wants(answer, "cannot be asked for one that is")
	h.wantsNowhere(alice, atDoor)
	if strings.Contains(h.bytesSeen(), "I am") {
		t.Error("ClickHouse was asked")
	}
	if lines := h.asked(); len(lines) != 2 || lines[0]["error"] != "refused" || lines[1]["error"] != "unavailable" {
		t.Errorf("the record has %v", lines)
	}
}

// A token that names nobody but this server never goes on, whatever else is said; one that
// names ClickHouse always does; and what is said of ClickHouse holds for all others.
func TestTokensAsTheyAre(t *testing.T) {
	base := nowhere(t)
	base.PublicURL, base.ClickHouseHTTP.Listen, base.ClickHouseHTTP.PublicURL = "https://ph.example.com", "127.0.0.1:1", "https://ph.example.com:8443"
	base.EnableTokenAuth, base.TokenProcessors = true, map[string]ProcessorConfig{"corp": {Type: "openid"}}
	const ours, door = "https://ph.example.com/mcp", "https://ph.example.com:8443"
	for name, test := range map[string]struct {
		mode     string
		token    *TokenConfig
		audience []string
		want     bool
		refused  bool
	}{
		"for us alone":                       {"forward", nil, []string{ours}, false, true},
		"for both our doors":                 {"forward", nil, []string{ours, door}, false, true},
		"for us alone, whatever it is for":   {"forward", &TokenConfig{AllowAnyAudience: true}, []string{door}, false, true},
		"for us alone, with auto":            {"auto", nil, []string{ours}, false, false},
		"for us and another, with auto":      {"auto", nil, []string{ours, "x"}, true, false},
		"for us and another":                 {"forward", nil, []string{ours, "x"}, true, false},
		"by a name that may be ClickHouse's": {"forward", nil, []string{"clickhouse"}, true, false},
		"by another host's URL":              {"forward", nil, []string{"https://ph.example.com.evil.example"}, true, false},
		"nobody says for whom":               {"forward", nil, nil, false, true},
		"nobody says for whom, with auto":    {"auto", nil, nil, false, false},
		"whatever it is for":                 {"forward", &TokenConfig{AllowAnyAudience: true}, nil, true, false},
		"for ClickHouse":                     {"forward", &TokenConfig{Audience: "ch"}, []string{ours, "ch"}, true, false},
		"for ClickHouse, by its resource":    {"forward", &TokenConfig{Resource: "ch"}, []string{"ch"}, true, false},
		"for another than ClickHouse":        {"forward", &TokenConfig{Audience: "ch"}, []string{"x"}, false, true},
		"for nobody, and not for ClickHouse": {"forward", &TokenConfig{Audience: "ch"}, nil, false, true},
	} {
		c := base
		c.Clusters = map[string]ClusterConfig{"main": {URL: "http://127.0.0.1:1", Access: AccessConfig{Mode: test.mode, Token: test.token}}}
		f, err := newForwarding(c, setup{}, nil, "main")
		if err != nil || f == nil {
			t.Fatalf("%s: %v", name, err)
		}
		token, err := f.token(t.Context(), porterhouse.Principal{Proof: "corp", Audience: test.audience, Token: porterhouse.NewSecret("brought")})
		kind, _ := porterhouse.Explain(err)
		if token.Equal("brought") != test.want || token.IsZero() == test.want || (err != nil) != test.refused || err != nil && kind != porterhouse.Refused {
			t.Errorf("%s: goes on: %t, %v", name, !token.IsZero(), err)
		}
		if token, err := f.token(t.Context(), porterhouse.Principal{Proof: "corp", Login: "x"}); err != nil || !token.IsZero() {
			t.Errorf("%s: who signed in: %v", name, err)
		}
	}
	c := base
	c.Clusters = map[string]ClusterConfig{"main": {URL: "http://127.0.0.1:1", Access: AccessConfig{Mode: "verify"}}}
	if f, err := newForwarding(c, setup{}, nil, "main"); f.gate() != nil || err != nil {
		t.Errorf("another mode asks for tokens: %v", err)
	}
}

// At the provider we are the client that may ask it about tokens, and where there is none the
// one at which people sign in.
func TestClientThatExchanges(t *testing.T) {
	c := nowhere(t)
	c.Clusters = map[string]ClusterConfig{"main": {Access: AccessConfig{Mode: "forward", Token: &TokenConfig{Audience: "clickhouse", Exchange: texts{"corp"}}}}}
	c.SignIn.Providers = list[SignInProviderConfig]{{Processor: "else", ClientID: "of another"}, {Processor: "corp", ClientID: "of the sign-in", ClientSecret: porterhouse.NewSecret("one")}}
	for name, test := range map[string]struct {
		processor      ProcessorConfig
		client, secret string
	}{
		"the sign-in's alone": {ProcessorConfig{Type: "openid"}, "of the sign-in", "one"},
		"both":                {ProcessorConfig{Type: "openid", IntrospectionClientID: "of introspection", IntrospectionClientSecret: porterhouse.NewSecret("two")}, "of introspection", "two"},
		"one without secret":  {ProcessorConfig{Type: "openid", IntrospectionClientID: "of introspection"}, "of the sign-in", "one"},
	} {
		c.TokenProcessors = map[string]ProcessorConfig{"corp": test.processor}
		if us := exchangeOf(c, "main", "corp").client; us.ClientID != test.client || !us.ClientSecret.Equal(test.secret) {
			t.Errorf("%s: we are %q", name, us.ClientID)
		}
	}
}
