package main

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/identity"
	"porterhouse/signin"
)

// TokenConfig says which token a cluster with the access mode forward is shown: of somebody
// who signed in here, whose own token is ours and good at our doors alone, and of those who
// bring a token of a provider that is not for ClickHouse; see identity.Target.
type TokenConfig struct {
	Resource         string `yaml:"resource"`           // asked for by name (RFC 8707)
	Scope            string `yaml:"scope"`              // or by scope, such as Entra's api://…/.default
	Audience         string `yaml:"audience"`           // that the token must name, and then goes on, even if it is a name of ours; "": the resource
	AllowAnyAudience bool   `yaml:"allow_any_audience"` // also one that names nobody, but none that names us alone
	Exchange         texts  `yaml:"exchange"`           // token processors at whose providers what people bring is exchanged; none: no other goes on
}

func (t TokenConfig) target() identity.Target {
	audience := t.Audience
	if !t.AllowAnyAudience {
		audience = cmp.Or(audience, t.Resource)
	}
	return identity.Target{Resource: t.Resource, Scope: t.Scope, Audience: audience, AllowAnyAudience: t.AllowAnyAudience}
}

// wanted says for the record what a token is for.
func (t TokenConfig) wanted() string { return cmp.Or(t.Audience, t.Resource, t.Scope) }

// takers are those of whose tokens a provider gives some for a cluster, and what of these
// opens our doors.
type takers struct {
	ours       openers
	processors []string // of the issuer
}

// takersOf are those of the issuer of a processor.
func takersOf(c Config, cluster, processor string) takers {
	all, issuers := takers{ours: openersOf(c, cluster)}, c.TokenProcessors[processor].settings(processor).Issuers()
	for _, p := range c.processors() {
		of := p.Issuers()
		if p.Name == processor || len(of) == 0 || len(issuers) == 0 || slices.ContainsFunc(of, func(issuer string) bool { return slices.Contains(issuers, issuer) }) {
			all.processors = append(all.processors, p.Name)
		}
	}
	return all
}

// areOpened reports whether a token for an audience opens one of our doors, by any of them.
func (t takers) areOpened(audience string) bool {
	return slices.ContainsFunc(t.processors, func(name string) bool { return t.ours.open(name, audience) })
}

// targetOf is what a token is to be for that the provider of a processor gives for a cluster.
func targetOf(c Config, cluster, processor string) identity.Target {
	target := c.Clusters[cluster].Access.Token.target()
	target.Ours = takersOf(c, cluster, processor).areOpened
	return target
}

// tokenResources are what providers are told at a sign-in that tokens will be asked for.
func (c Config) tokenResources() (all []string) {
	for _, name := range c.clusterNames() {
		if t := c.Clusters[name].Access.Token; t != nil && t.Resource != "" && !slices.Contains(all, t.Resource) {
			all = append(all, t.Resource)
		}
	}
	return all
}

// tokensOf are how the provider of a processor is asked for the tokens of each cluster, by
// its name, and what these are for.
func (e entrance) tokensOf(processor string, party *identity.RelyingParty) (map[string]signin.GetToken, map[string]string, error) {
	all, wanted := map[string]signin.GetToken{}, map[string]string{}
	for name, cluster := range e.Clusters {
		if cluster.Access.Token == nil {
			continue
		}
		onward, err := identity.NewOnward(party, targetOf(e.Config, name, processor))
		if err != nil {
			return nil, nil, err
		}
		wanted[name] = cluster.Access.Token.wanted()
		all[name] = func(ctx context.Context, who porterhouse.Principal, k signin.Kept) (signin.Granted, signin.Kept, error) {
			granted, kept, err := onward.Token(ctx, who, identity.Kept(k))
			return signin.Granted(granted), signin.Kept(kept), err
		}
	}
	return all, wanted, nil
}

// token refuses words about tokens that nobody would ask for, or that are for us.
func (c httpDoors) token(path string, cluster ClusterConfig) {
	t := cluster.Access.Token
	if t == nil {
		return
	}
	switch {
	case cluster.mode() != clickhouse.Forward:
		c.refuse(path, "which token ClickHouse is shown is said with access.mode forward, and here it is %s: say forward, or leave token out", cluster.mode())
	case !c.SignIn.isOn() && len(t.Exchange) == 0 && t.Audience == "" && !t.AllowAnyAudience:
		c.refuse(path, "nobody can sign in here, and no token that people bring is exchanged: say where people sign in, sign_in: {…}, or whose tokens are changed, exchange: …, or whom those that people bring must name, audience: …, or leave token out")
	}
	if t.Resource != "" {
		u, err := url.Parse(t.Resource)
		if err != nil || !u.IsAbs() || strings.Contains(t.Resource, "#") {
			c.refuse(path+".resource", "want an absolute URI without a fragment, as the provider has it for ClickHouse (RFC 8707), such as https://clickhouse.example.com")
		}
	}
	for key, name := range map[string]string{"resource": t.Resource, "audience": t.Audience} {
		if openersOf(*c.Config, "").isURL(name) {
			c.refuse(path+"."+key, "%s is this server itself, and ClickHouse must see no token that is good here: name ClickHouse, as the provider knows it", name)
		}
	}
}

// exchanges refuses tokens that could not be exchanged.
func (c signIns) exchanges() {
	for _, name := range c.clusterNames() {
		t := c.Clusters[name].Access.Token
		if t == nil {
			continue
		}
		path := "clusters." + name + ".access.token.exchange"
		for i, processor := range t.Exchange {
			_, known := c.TokenProcessors[processor]
			switch {
			case !known:
				c.refuse(path, "there is no token processor %q", processor)
			case slices.Contains(t.Exchange[:i], processor):
				c.refuse(path, "the processor %q is there twice", processor)
			case len(c.d.problems) == 0: // else this would tell some of them again
				_, providers := c.unasked()
				if _, err := newExchanger(*c.Config, name, processor, providers, noRecord); err != nil {
					c.refuse(path, "%s", strings.TrimPrefix(err.Error(), "identity: "))
				}
			}
		}
	}
}

// noRecord is that of an exchanger that is asked for nothing.
func noRecord(context.Context, porterhouse.Principal, error) error { return nil }

// onward refuses tokens that people who sign in at a provider could not have.
func (c signIns) onward(party *identity.RelyingParty) {
	for _, name := range c.clusterNames() {
		t := c.Clusters[name].Access.Token
		if t == nil {
			continue
		}
		if _, err := identity.NewOnward(party, t.target()); err != nil {
			c.refuse("clusters."+name+".access.token", "%s", strings.TrimPrefix(err.Error(), "identity: "))
		}
	}
}
