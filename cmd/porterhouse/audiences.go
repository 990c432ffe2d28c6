package main

import (
	"slices"
	"strings"

	"porterhouse"
)

// opener is a name by which a token is for us (aud).
type opener struct {
	audience  string
	processor string // of whose tokens; "": of all
	key       string // by which the configuration says so
	onlyUs    bool   // the provider calls us by it, and it opens no door
}

// openers are all names by which tokens open our doors, besides the URLs of these and what
// is below them, as one cluster sees it.
type openers struct {
	urls  []string
	names []opener
}

// openersOf tells what a token must not be for, if a cluster's ClickHouse is to see it and
// whoever reads along there not to come in here. At the cluster's own authenticator
// tokens for that ClickHouse are right.
func openersOf(c Config, cluster string) openers {
	o := openers{urls: doorURLs(c)}
	add := func(processor, key string, onlyUs bool, audiences ...string) {
		for _, audience := range audiences {
			if audience != "" {
				o.names = append(o.names, opener{audience, processor, key, onlyUs})
			}
		}
	}
	add("", "resources.mcp.audiences", false, c.Resources.MCP.Audiences...)
	if c.ClickHouseHTTP.isOpen() {
		add("", "clickhouse_http.audiences", false, c.ClickHouseHTTP.Audiences...)
	}
	for _, name := range c.clusterNames() {
		if name != cluster {
			add("", "clusters."+name+".authenticator", false, c.Clusters[name].authenticatorAudiences()...)
		}
	}
	for _, p := range c.processors() {
		key := "token_processors." + p.Name
		add(p.Name, key+".expected_audience", false, p.ExpectedAudience...)
		add(p.Name, key+".client_ids", false, p.ClientAudiences()...)
		add(p.Name, key+".introspection_client_id", true, p.IntrospectionClientID)
	}
	for _, p := range c.SignIn.Providers {
		add(p.Processor, "sign_in.providers.client_id", true, p.ClientID)
	}
	return o
}

// open reports whether a token of a processor opens one of our doors by an audience.
func (o openers) open(processor, audience string) bool {
	return o.isURL(audience) || slices.ContainsFunc(o.names, func(n opener) bool { return n.is(processor, audience) && !n.onlyUs })
}

// areAll reports whether a token names nobody but us. One that names nobody at all is for
// us by its client, or for anybody.
func (o openers) areAll(who porterhouse.Principal) bool {
	isOther := func(audience string) bool {
		return !o.isURL(audience) && !slices.ContainsFunc(o.names, func(n opener) bool { return n.is(who.Proof, audience) })
	}
	return !slices.ContainsFunc(who.Audience, isOther)
}

func (n opener) is(processor, audience string) bool {
	return n.audience == audience && (n.processor == "" || n.processor == processor)
}

// isURL reports whether an audience is a URL of this server.
func (o openers) isURL(audience string) bool {
	return slices.ContainsFunc(o.urls, func(url string) bool { return audience == url || strings.HasPrefix(audience, url+"/") })
}

// doorURLs are those of this server and of its door.
func doorURLs(c Config) []string {
	urls := []string{c.publicURL()}
	if c.ClickHouseHTTP.isOpen() {
		urls = append(urls, httpDoor{c}.url())
	}
	return urls
}

// openBeside are the keys by which tokens that may go on to a cluster open our own doors,
// too; none: they do not, or go on whatever they are for.
func openBeside(c Config, cluster string) (keys []string) {
	wanted := c.Clusters[cluster].Access.Token
	if wanted == nil || wanted.target().Audience == "" {
		return nil
	}
	for _, n := range openersOf(c, cluster).names {
		if n.audience == wanted.target().Audience && !n.onlyUs {
			keys = append(keys, n.key)
		}
	}
	for _, p := range c.processors() {
		if p.AllowAnyAudience {
			keys = append(keys, "token_processors."+p.Name+".allow_any_audience")
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
