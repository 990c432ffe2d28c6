package main

import (
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/identity"
)

// ProcessorConfig is one token processor: a way in which an identity provider
// proves people. The keys of the first part are Antalya's, as it spells them;
// those of the second are ours. doc/token-processors.md explains them all.
type ProcessorConfig struct {
	Type                       string             `yaml:"type"`
	TokenCacheLifetime         *seconds           `yaml:"token_cache_lifetime"`
	UsernameClaim              string             `yaml:"username_claim"`
	GroupsClaim                string             `yaml:"groups_claim"`
	ExpectedIssuer             string             `yaml:"expected_issuer"`
	ExpectedAudience           texts              `yaml:"expected_audience"`
	ExpectedTyp                string             `yaml:"expected_typ"`
	AllowNoExpiration          yes                `yaml:"allow_no_expiration"`
	Claims                     string             `yaml:"claims"`
	Algo                       string             `yaml:"algo"`
	StaticKey                  porterhouse.Secret `yaml:"static_key" kind:"inline"`
	StaticKeyInBase64          yes                `yaml:"static_key_in_base64"`
	PublicKey                  string             `yaml:"public_key"`
	PublicKeyPassword          porterhouse.Secret `yaml:"public_key_password" kind:"inline"`
	PrivateKey                 porterhouse.Secret `yaml:"private_key" kind:"inline"`
	PrivateKeyPassword         porterhouse.Secret `yaml:"private_key_password" kind:"inline"`
	StaticJWKS                 string             `yaml:"static_jwks"`
	StaticJWKSFile             string             `yaml:"static_jwks_file" kind:"path" reload:"content"`
	JWKSURI                    string             `yaml:"jwks_uri"`
	JWKSCacheLifetime          *seconds           `yaml:"jwks_cache_lifetime"`
	VerifierLeeway             *seconds           `yaml:"verifier_leeway"`
	ConfigurationEndpoint      string             `yaml:"configuration_endpoint"`
	UserinfoEndpoint           string             `yaml:"userinfo_endpoint"`
	TokenIntrospectionEndpoint string             `yaml:"token_introspection_endpoint"`
	IntrospectionClientID      string             `yaml:"introspection_client_id"`
	IntrospectionClientSecret  porterhouse.Secret `yaml:"introspection_client_secret" kind:"inline"`
	TenantID                   string             `yaml:"tenant_id"`

	AllowAnyAudience yes                `yaml:"allow_any_audience"`
	ClientIDs        texts              `yaml:"client_ids"`
	Algorithms       texts              `yaml:"algorithms"`
	RequiredScopes   texts              `yaml:"required_scopes"`
	AllowedDomains   texts              `yaml:"allowed_domains"`
	AllowedGroups    texts              `yaml:"allowed_groups"`
	EmailVerified    yes                `yaml:"email_verified"`
	AllowIDTokens    yes                `yaml:"allow_id_tokens"`
	GroupLimit       int                `yaml:"group_limit"`
	Organization     string             `yaml:"organization"`
	BaseURL          string             `yaml:"base_url"`
	ClientSecret     porterhouse.Secret `yaml:"client_secret"`
}

// settings is the processor as the room of that trade knows it.
func (p ProcessorConfig) settings(name string) identity.Settings {
	s := identity.Settings{
		Name: name, Type: strings.ToLower(p.Type), // as there
		TokenCacheLifetime: p.TokenCacheLifetime.orNone(),
		UsernameClaim:      p.UsernameClaim, GroupsClaim: p.GroupsClaim,
		ExpectedIssuer: p.ExpectedIssuer, ExpectedAudience: p.ExpectedAudience, ExpectedTyp: p.ExpectedTyp,
		AllowNoExpiration: bool(p.AllowNoExpiration), Claims: p.Claims,
		Algo: p.Algo, StaticKey: p.StaticKey, StaticKeyInBase64: bool(p.StaticKeyInBase64), PublicKey: p.PublicKey,
		StaticJWKS: p.StaticJWKS, StaticJWKSFile: p.StaticJWKSFile,
		JWKSURI: p.JWKSURI, VerifierLeeway: p.VerifierLeeway.orNone(),
		ConfigurationEndpoint: p.ConfigurationEndpoint, UserinfoEndpoint: p.UserinfoEndpoint,
		TokenIntrospectionEndpoint: p.TokenIntrospectionEndpoint,
		IntrospectionClientID:      p.IntrospectionClientID, IntrospectionClientSecret: p.IntrospectionClientSecret,
		TenantID: p.TenantID,

		AllowAnyAudience: bool(p.AllowAnyAudience), ClientIDs: p.ClientIDs, Algorithms: p.Algorithms,
		RequiredScopes: p.RequiredScopes, AllowedDomains: p.AllowedDomains, AllowedGroups: p.AllowedGroups,
		EmailVerified: bool(p.EmailVerified), AllowIDTokens: bool(p.AllowIDTokens), GroupLimit: p.GroupLimit,
		Organization: p.Organization, BaseURL: p.BaseURL, ClientSecret: p.ClientSecret,
	}
	if p.JWKSCacheLifetime != nil {
		s.JWKSCacheLifetime = time.Duration(*p.JWKSCacheLifetime)
	}
	return s
}

// urls are the addresses of the provider that the configuration names, by key.
func (p ProcessorConfig) urls() map[string]string {
	all := map[string]string{
		"jwks_uri": p.JWKSURI, "configuration_endpoint": p.ConfigurationEndpoint, "userinfo_endpoint": p.UserinfoEndpoint,
		"token_introspection_endpoint": p.TokenIntrospectionEndpoint, "base_url": p.BaseURL,
	}
	maps.DeleteFunc(all, func(_, address string) bool { return address == "" })
	return all
}

// processors are the token processors in the order in which they are asked.
func (c Config) processors() []identity.Settings {
	if !c.EnableTokenAuth {
		return nil
	}
	var all []identity.Settings
	for _, name := range slices.Sorted(maps.Keys(c.TokenProcessors)) {
		all = append(all, c.TokenProcessors[name].settings(name))
	}
	return all
}

// AllowHostsConfig is ClickHouse's remote_url_allow_hosts: the hosts that
// processors may name. Those by name, and no others, may be at private addresses.
type AllowHostsConfig struct {
	Host       texts `yaml:"host"`        // host or host:port
	HostRegexp texts `yaml:"host_regexp"` // of the whole of it
}

// allows reports whether a URL's host is one of the list, by name or by expression.
func (a AllowHostsConfig) allows(u *url.URL) bool {
	if slices.Contains(a.Host, u.Host) || slices.Contains(a.Host, u.Hostname()) {
		return true
	}
	return slices.ContainsFunc(a.HostRegexp, func(expression string) bool {
		r, err := regexp.Compile("^(?:" + expression + ")$")
		return err == nil && (r.MatchString(u.Host) || r.MatchString(u.Hostname()))
	})
}

func (a AllowHostsConfig) isEmpty() bool { return len(a.Host) == 0 && len(a.HostRegexp) == 0 }

// IdentityConfig says how identity providers are asked.
type IdentityConfig struct {
	CA      string        `yaml:"ca" kind:"path" reload:"content"` // roots to trust beside the system's
	Proxy   proxyURL      `yaml:"proxy"`                           // http://[user:password@]host:port; as a secret, when there is one in it
	Timeout time.Duration `yaml:"timeout"`                         // of one request
}

// outbound bounds what we ask of identity providers.
func (c Config) outbound() identity.OutboundConfig {
	return identity.OutboundConfig{
		AllowHosts: c.RemoteURLAllowHosts.Host, CAFile: c.Identity.CA, Proxy: c.Identity.Proxy.Reveal(), Timeout: c.Identity.Timeout,
	}
}

// ResourcesConfig are the doors, as what a token can be for.
type ResourcesConfig struct {
	MCP ResourceConfig `yaml:"mcp"`
}

// ResourceConfig is one of them.
type ResourceConfig struct {
	Audiences texts `yaml:"audiences"` // any of them; none: the door's own URL
}

// providers knows nothing yet of the identity providers, and how to ask them.
func (c Config) providers(log *slog.Logger, now func() time.Time) (*identity.Providers, error) {
	asking := c.outbound()
	asking.Now = now
	outbound, err := identity.NewOutbound(asking)
	if err != nil {
		return nil, err
	}
	return identity.NewProviders(identity.ProvidersConfig{Outbound: outbound, Log: log, Now: now, AllowDemo: c.demo})
}
