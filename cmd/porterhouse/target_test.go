package main

import "testing"

// A token that a provider gives for ClickHouse must open no door of ours, whichever key of
// the configuration says by what it would, and whichever processor of the issuer takes it.
func TestTargetKnowsWhatIsOurs(t *testing.T) {
	c := nowhere(t)
	c.EnableTokenAuth = true
	c.Resources.MCP.Audiences = texts{"porterhouse"}
	c.ClickHouseHTTP.Listen, c.ClickHouseHTTP.Audiences = "127.0.0.1:8123", texts{"door"}
	c.TokenProcessors = map[string]ProcessorConfig{
		"corp":    {Type: "openid", ExpectedIssuer: "https://a.example.com", ExpectedAudience: texts{"of corp"}},
		"same":    {Type: "openid", ExpectedIssuer: "https://a.example.com", ExpectedAudience: texts{"of the same issuer"}},
		"other":   {Type: "openid", ExpectedIssuer: "https://b.example.com", ExpectedAudience: texts{"of another"}},
		"anybody": {Type: "openid", ExpectedAudience: texts{"of any issuer"}},
	}
	c.Clusters = map[string]ClusterConfig{"main": {Access: AccessConfig{Mode: "forward", Token: &TokenConfig{Audience: "clickhouse"}}}}
	target := targetOf(c, "main", "corp")
	for audience, ours := range map[string]bool{
		"porterhouse": true, "door": true, c.publicURL() + mcpPath: true,
		"of corp": true, "of the same issuer": true, "of any issuer": true, "of another": false, "clickhouse": false,
	} {
		if target.Ours(audience) != ours {
			t.Errorf("%q is ours: %t", audience, !ours)
		}
	}
	if target.Audience != "clickhouse" {
		t.Errorf("the target is %q", target.Audience)
	}
	if !targetOf(c, "main", "anybody").Ours("of another") {
		t.Error("a processor of any issuer has tokens that another takes")
	}
}
