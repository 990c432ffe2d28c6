package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/doctor"
	"porterhouse/identity"
)

// tokens are those that a cluster may be shown of people, for the doctor; nil: none.
func (e examination) tokens(cluster string) *doctor.Tokens {
	if !mayForward(e.Config, cluster) {
		return nil
	}
	t := &doctor.Tokens{Unheld: e.unheld(cluster)}
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
	t.Opens = openBeside(e.Config, cluster)
	for _, p := range e.processors() {
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
	for _, key := range p.keysInClickHouse(s) {
		if key.Value != "" {
			told.Keys = append(told.Keys, doctor.Key{Name: key.Name, Value: strings.TrimSpace(key.Value)})
		}
	}
	return told, true
}

// keysInClickHouse are the keys that ClickHouse has, too; those without a value are left
// out. Whoever says nothing of it has a token remembered for an hour there, and for a
// minute here.
func (p ProcessorConfig) keysInClickHouse(s identity.Settings) []doctor.Key {
	minute := seconds(time.Minute)
	return []doctor.Key{
		{Name: "type", Value: p.Type}, {Name: "token_cache_lifetime", Value: inSeconds(cmp.Or(p.TokenCacheLifetime, &minute))},
		{Name: "algo", Value: p.Algo}, {Name: "static_key", Value: instead("static_key", s, p.StaticKey)}, {Name: "static_key_in_base64", Value: ifSo(p.StaticKeyInBase64)},
		{Name: "public_key", Value: p.PublicKey}, {Name: "static_jwks", Value: p.StaticJWKS}, {Name: "static_jwks_file", Value: p.StaticJWKSFile},
		{Name: "jwks_uri", Value: p.JWKSURI}, {Name: "jwks_cache_lifetime", Value: inSeconds(p.JWKSCacheLifetime)},
		{Name: "configuration_endpoint", Value: p.ConfigurationEndpoint}, {Name: "userinfo_endpoint", Value: p.UserinfoEndpoint},
		{Name: "token_introspection_endpoint", Value: p.TokenIntrospectionEndpoint}, {Name: "introspection_client_id", Value: p.IntrospectionClientID},
		{Name: "introspection_client_secret", Value: instead("introspection_client_secret", s, p.IntrospectionClientSecret)},
		{Name: "tenant_id", Value: p.TenantID}, {Name: "expected_issuer", Value: p.ExpectedIssuer}, {Name: "expected_typ", Value: p.ExpectedTyp},
		{Name: "allow_no_expiration", Value: ifSo(p.AllowNoExpiration)}, {Name: "claims", Value: p.Claims}, {Name: "verifier_leeway", Value: inSeconds(p.VerifierLeeway)},
		{Name: "username_claim", Value: p.UsernameClaim}, {Name: "groups_claim", Value: p.GroupsClaim},
	}
}

// instead stands for a secret; "": there is none.
func instead(key string, s identity.Settings, secret porterhouse.Secret) string {
	if secret.IsZero() {
		return ""
	}
	return "<the " + key + " of " + s.Name + ">"
}

// inSeconds is a time as ClickHouse has it; "": nothing is said.
func inSeconds(s *seconds) string {
	if s == nil {
		return ""
	}
	return strconv.FormatInt(int64(time.Duration(*s)/time.Second), 10)
}

// ifSo is 1, or nothing.
func ifSo(is yes) string {
	if is {
		return "1"
	}
	return ""
}

// unheld are the keys that keep people out here for which ClickHouse has no word.
func (e examination) unheld(cluster string) (keys []string) {
	for _, s := range e.processors() {
		p := e.TokenProcessors[s.Name]
		if _, can := p.inClickHouse(s); !can {
			continue // ClickHouse takes none of its tokens
		}
		keys = append(keys, p.unheld("token_processors."+s.Name+".")...)
	}
	for _, r := range e.rules() {
		if len(r.Domains) > 0 {
			keys = append(keys, r.path+".domains")
		}
	}
	for key, names := range map[string][]string{"users.allow": e.Users.Allow, "users.deny": e.Users.Deny} {
		if len(names) > 0 {
			keys = append(keys, key)
		}
	}
	if !e.Clusters[cluster].For.isEverybodys() {
		keys = append(keys, "clusters."+cluster+".for")
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// unheld are those of a token processor, each behind the prefix. The organization is a
// rule at GitLab alone.
func (p ProcessorConfig) unheld(prefix string) (keys []string) {
	for _, key := range []struct {
		name string
		is   bool
	}{
		{"client_ids", len(p.ClientIDs) > 0}, {"algorithms", len(p.Algorithms) > 0}, {"required_scopes", len(p.RequiredScopes) > 0},
		{"allowed_domains", len(p.AllowedDomains) > 0}, {"allowed_groups", len(p.AllowedGroups) > 0},
		{"email_verified", bool(p.EmailVerified)}, {"organization", strings.EqualFold(p.Type, "gitlab") && p.Organization != ""},
	} {
		if key.is {
			keys = append(keys, prefix+key.name)
		}
	}
	return keys
}
