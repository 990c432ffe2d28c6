package main

import (
	"context"
	"log/slog"
	"maps"
	"testing"
	"time"

	"porterhouse"
)

// What was given in exchange is remembered over a reload, as long as nothing has changed
// that it is asked for or judged by.
func TestExchangesGoOn(t *testing.T) {
	corp := func(change func(*ProcessorConfig)) func(*Config) {
		return func(c *Config) {
			processor := c.TokenProcessors["corp"]
			change(&processor)
			c.TokenProcessors = map[string]ProcessorConfig{"corp": processor}
		}
	}
	token := func(change func(*TokenConfig)) func(*Config) {
		return func(c *Config) {
			main := c.Clusters["main"]
			wanted := *main.Access.Token
			change(&wanted)
			main.Access.Token = &wanted
			c.Clusters = map[string]ClusterConfig{"main": main}
		}
	}
	for name, test := range map[string]struct {
		change func(*Config)
		goesOn bool
	}{
		"nothing":    {func(*Config) {}, true},
		"people":     {func(c *Config) { c.Users.LocalUsers.Allow = []string{"alice"} }, true},
		"limits":     {func(c *Config) { c.Limits.Rows = 7 }, true},
		"groups":     {corp(func(p *ProcessorConfig) { p.AllowedGroups = texts{"analysts"} }), false},
		"our secret": {corp(func(p *ProcessorConfig) { p.IntrospectionClientSecret = porterhouse.NewSecret("another") }), false},
		"what is in a file": {func(c *Config) {
			c.contents = maps.Clone(c.contents)
			c.contents["token_processors.corp.static_jwks_file"] = digest{1}
		}, false},
		"the target":       {token(func(w *TokenConfig) { w.Audience = "another" }), false},
		"the scope":        {token(func(w *TokenConfig) { w.Scope = "another" }), false},
		"what opens doors": {func(c *Config) { c.Resources.MCP.Audiences = texts{"porterhouse"} }, false},
		"how it is asked":  {func(c *Config) { c.Identity.Timeout = time.Second }, false},
		"nobody exchanges": {token(func(w *TokenConfig) { w.Exchange = nil }), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := withExchange(t)
			p, err := openProcess(c, slog.New(slog.DiscardHandler), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := p.close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			before := p.exchangers[exchangeName{"main", "corp"}]
			test.change(&c)
			now, err := p.connect(c, p.reach)
			if err != nil || before == nil {
				t.Fatal(err)
			}
			if goesOn := now.exchangers[exchangeName{"main", "corp"}] == before; goesOn != test.goesOn {
				t.Errorf("what is remembered goes on: %t", goesOn)
			}
		})
	}
}

// withExchange is a configuration by which tokens are exchanged.
func withExchange(t *testing.T) Config {
	t.Helper()
	c := nowhere(t)
	c.EnableTokenAuth, c.contents = true, map[string]digest{}
	c.TokenProcessors = map[string]ProcessorConfig{"corp": {
		Type: "openid", ExpectedIssuer: "https://idp.example.com", ConfigurationEndpoint: "https://idp.example.com/.well-known/openid-configuration",
		IntrospectionClientID: "us", IntrospectionClientSecret: porterhouse.NewSecret("secret"),
	}}
	c.Clusters["main"] = ClusterConfig{URL: "http://127.0.0.1:1", Access: AccessConfig{Mode: "forward", Token: &TokenConfig{Audience: "clickhouse", Exchange: texts{"corp"}}}}
	return c
}
