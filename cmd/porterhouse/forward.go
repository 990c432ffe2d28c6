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

// TokenConfig says which token a cluster with the access mode forward is shown of somebody
// who signed in here, whose own token is ours and good at our doors alone; see
// identity.Target.
type TokenConfig struct {
	Resource         string `yaml:"resource"` // asked for by name (RFC 8707)
	Scope            string `yaml:"scope"`    // or by scope, such as Entra's api://…/.default
	Audience         string `yaml:"audience"` // that the token must name; "": the resource
	AllowAnyAudience bool   `yaml:"allow_any_audience"`
}

func (t TokenConfig) target() identity.Target {
	audience := t.Audience
	if !t.AllowAnyAudience {
		audience = cmp.Or(audience, t.Resource)
	}
	return identity.Target{Resource: t.Resource, Scope: t.Scope, Audience: audience, AllowAnyAudience: t.AllowAnyAudience}
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

// tokensOf are how a provider is asked for the tokens of each cluster, by its name.
func (e entrance) tokensOf(party *identity.RelyingParty) (map[string]signin.GetToken, error) {
	all := map[string]signin.GetToken{}
	for name, cluster := range e.Clusters {
		if cluster.Access.Token == nil {
			continue
		}
		onward, err := identity.NewOnward(party, cluster.Access.Token.target())
		if err != nil {
			return nil, err
		}
		all[name] = func(ctx context.Context, who porterhouse.Principal, k signin.Kept) (signin.Granted, signin.Kept, error) {
			granted, kept, err := onward.Token(ctx, who, identity.Kept(k))
			return signin.Granted(granted), signin.Kept(kept), err
		}
	}
	return all, nil
}

// tokenFrom is whom the gate asks for the tokens of people who signed in; nil: nobody.
func tokenFrom(people *signin.SignIn, c Config, cluster string) func(context.Context, porterhouse.Principal) (porterhouse.Secret, error) {
	if people == nil || c.Clusters[cluster].Access.Token == nil {
		return nil
	}
	return func(ctx context.Context, who porterhouse.Principal) (porterhouse.Secret, error) {
		return people.Token(ctx, who, cluster)
	}
}

// token refuses words about tokens that nobody would ask for, or that are for us.
func (c httpDoors) token(path string, cluster ClusterConfig) {
	t := cluster.Access.Token
	if t == nil {
		return
	}
	switch {
	case cluster.mode() != clickhouse.Forward:
		c.refuse(path, "tokens of people who sign in here are asked for with access.mode forward, and here it is %s: say forward, or leave token out", cluster.mode())
	case !c.SignIn.isOn():
		c.refuse(path, "this is about people who sign in here, and nobody can: say at which provider, sign_in: {…}, or leave token out")
	}
	if t.Resource != "" {
		u, err := url.Parse(t.Resource)
		if err != nil || !u.IsAbs() || strings.Contains(t.Resource, "#") {
			c.refuse(path+".resource", "want an absolute URI without a fragment, as the provider has it for ClickHouse (RFC 8707), such as https://clickhouse.example.com")
		}
	}
	for key, name := range map[string]string{"resource": t.Resource, "audience": t.Audience} {
		if ours := c.publicURL(); name == ours || strings.HasPrefix(name, ours+"/") {
			c.refuse(path+"."+key, "%s is this server itself, and ClickHouse must see no token that is good here: name ClickHouse, as the provider knows it", name)
		}
	}
}

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
