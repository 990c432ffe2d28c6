package main

import (
	"cmp"
	"slices"
	"strings"

	"porterhouse/doctor"
	"porterhouse/identity"
)

// tokens are those that a cluster may be shown of people, for the doctor; nil: none.
func (e examination) tokens(cluster string) *doctor.Tokens {
	if !mayForward(e.Config, cluster) {
		return nil
	}
	t := &doctor.Tokens{}
	for _, p := range e.SignIn.Providers {
		t.SignIn = append(t.SignIn, e.providerOf(p.Processor))
	}
	wanted := e.Clusters[cluster].Access.Token
	if wanted == nil {
		return t
	}
	target := wanted.target()
	t.Configured = true
	switch {
	case target.Resource != "":
		t.Wanted = "the resource " + target.Resource
	case target.Scope != "":
		t.Wanted = "the scope " + target.Scope
	}
	if !target.AllowAnyAudience {
		t.Audience = target.Audience
	}
	for _, name := range wanted.Exchange {
		t.Exchanged = append(t.Exchanged, e.providerOf(name))
	}
	for _, p := range e.processors() {
		t.Ours = append(t.Ours, p.ExpectedAudience...)
		if told, can := e.TokenProcessors[p.Name].inClickHouse(p); can {
			t.Processors = append(t.Processors, told)
		}
	}
	return t
}

// providerOf is the provider of a token processor, in words.
func (e examination) providerOf(processor string) string {
	if issuer := e.TokenProcessors[processor].settings(processor).Issuer(); issuer != "" {
		return processor + " (" + issuer + ")"
	}
	return processor
}

// clickHouseTypes are the types of token processors that ClickHouse knows as well.
var clickHouseTypes = []string{"jwt_static_key", "jwt_static_jwks", "jwt_dynamic_jwks", "openid", "entra", "azure"}

// inClickHouse is a token processor as ClickHouse's own configuration has it, if it can: a
// provider of another type is there one of OpenID, if it is one. Whom tokens name there is
// another than here, and no secret is told.
func (p ProcessorConfig) inClickHouse(s identity.Settings) (told doctor.Processor, can bool) {
	p.Type = s.Type
	if !slices.Contains(clickHouseTypes, s.Type) {
		p.Type, p.ConfigurationEndpoint = "openid", cmp.Or(p.ConfigurationEndpoint, visit{Settings: s}.discovery())
		if p.ConfigurationEndpoint == "" {
			return told, false
		}
	}
	told.Name = s.Name
	for _, key := range []doctor.Key{
		{Name: "type", Value: p.Type}, {Name: "algo", Value: p.Algo}, {Name: "public_key", Value: p.PublicKey}, {Name: "static_jwks", Value: p.StaticJWKS},
		{Name: "jwks_uri", Value: p.JWKSURI}, {Name: "configuration_endpoint", Value: p.ConfigurationEndpoint},
		{Name: "userinfo_endpoint", Value: p.UserinfoEndpoint}, {Name: "token_introspection_endpoint", Value: p.TokenIntrospectionEndpoint},
		{Name: "tenant_id", Value: p.TenantID}, {Name: "expected_issuer", Value: p.ExpectedIssuer},
		{Name: "username_claim", Value: p.UsernameClaim}, {Name: "groups_claim", Value: p.GroupsClaim},
		{Name: "introspection_client_id", Value: p.IntrospectionClientID},
	} {
		if key.Value != "" {
			told.Keys = append(told.Keys, doctor.Key{Name: key.Name, Value: strings.TrimSpace(key.Value)})
		}
	}
	for _, secret := range []struct {
		name  string
		there bool
	}{{"static_key", !p.StaticKey.IsZero()}, {"introspection_client_secret", !p.IntrospectionClientSecret.IsZero()}} {
		if secret.there {
			told.Keys = append(told.Keys, doctor.Key{Name: secret.name, Value: "<the " + secret.name + " of " + s.Name + ">"})
		}
	}
	return told, true
}
