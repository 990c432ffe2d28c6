package main

import (
	"slices"
	"strings"
	"testing"

	"porterhouse/clickhouse"
	"porterhouse/sandbox/fake"
)

// Where tokens are shown to ClickHouse, check tells where they come from, whom they name,
// what ClickHouse has to know of them, and whether it takes any; and none of our secrets.
func TestCheckTellsOfTokens(t *testing.T) {
	c := openChecked(t)
	exchanged := func(persona, audience string) {
		c.dress(persona)
		c.configure(", provision: {user: "+fake.Provisioner+", password: 'env:PASSWORD', prefix: ph_}", ", access: {mode: forward, token: {audience: clickhouse, exchange: company}}")
		c.configure("clusters:", "token_processors: {company: {type: openid, configuration_endpoint: 'http://127.0.0.1:1/.well-known/openid-configuration', expected_issuer: 'http://127.0.0.1:1', "+
			"introspection_client_id: us, introspection_client_secret: 'hush hush', expected_audience: '"+audience+"'}}\nremote_url_allow_hosts: {host: 127.0.0.1}\nclusters:")
	}
	for _, test := range []struct {
		persona, audience string
		want              []string // severity and name of what is told of tokens
	}{
		{"antalya", "https://us.example.com", []string{"fine bearer", "fine token"}},
		{"antalya", "clickhouse", []string{"careful token-audience", "fine bearer", "fine token"}},
		{"26.7", "https://us.example.com", []string{"wrong bearer", "fine token"}},
	} {
		exchanged(test.persona, test.audience)
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

// What we know of a processor is told in the words that ClickHouse has.
func TestProcessorsInClickHouse(t *testing.T) {
	for kind, want := range map[string]string{
		"entra":  "type=entra tenant_id=t",
		"google": "type=openid configuration_endpoint=https://accounts.google.com/.well-known/openid-configuration",
		"github": "",
	} {
		p := ProcessorConfig{Type: kind}
		if kind == "entra" {
			p.TenantID = "t"
		}
		told, can := p.inClickHouse(p.settings("corp"))
		var got []string
		for _, key := range told.Keys {
			got = append(got, key.Name+"="+key.Value)
		}
		if strings.Join(got, " ") != want || can != (want != "") {
			t.Errorf("%s: %q, %t; want %q", kind, got, can, want)
		}
	}
}
