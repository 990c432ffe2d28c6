package main

import (
	"context"
	"fmt"
	"slices"

	"porterhouse"
	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/identity"
	"porterhouse/mcpserver"
)

// ForConfig says whose a cluster is; see gate.For.
type ForConfig struct {
	Groups []string `yaml:"groups"`
	Users  []string `yaml:"users"`
}

// isEverybodys reports whether nobody is named.
func (f ForConfig) isEverybodys() bool { return len(f.Groups) == 0 && len(f.Users) == 0 }

// usualCluster is the one that is meant where nobody says which; "": there are several,
// and each question names one.
func usualCluster(c Config) string {
	if c.DefaultCluster == "" && len(c.Clusters) == 1 {
		return c.clusterNames()[0]
	}
	return c.DefaultCluster
}

// mcpWay is one URL of the MCP door: to all clusters, or to one of several.
type mcpWay struct {
	path     string
	clusters []string
	only     string // the one; "": all
}

// mcpWays are all of them.
func mcpWays(c Config) []mcpWay {
	names := c.clusterNames()
	ways := []mcpWay{{path: mcpPath, clusters: names}}
	if len(names) > 1 {
		for _, name := range names {
			ways = append(ways, mcpWay{mcpPath + "/" + name, []string{name}, name})
		}
	}
	return ways
}

// mcpWayTo is the URL of the MCP door to one cluster, by its name; "": to all. Where there is
// only one cluster, that is the same.
func mcpWayTo(c Config, cluster string) (mcpWay, error) {
	ways := mcpWays(c)
	if i := slices.IndexFunc(ways, func(w mcpWay) bool { return w.only == cluster }); i >= 0 {
		return ways[i], nil
	}
	if names := c.clusterNames(); !slices.Contains(names, cluster) {
		return mcpWay{}, fmt.Errorf("there is no cluster %q in the configuration: --cluster takes one of %q", cluster, names)
	}
	return ways[0], nil
}

// mcpResource is what a token for the MCP door is for: without a word about it the
// door's URL, as clients name it in their requests for a token (RFC 8707). At the URL of
// one cluster, only, a token for that URL is good as well; "": at the one to all.
func mcpResource(c Config, only string) identity.Resource {
	audiences := slices.Clone(c.Resources.MCP.Audiences)
	if len(audiences) == 0 {
		audiences = mcpURLs(c, "")
	}
	if only != "" {
		audiences = append(audiences, c.publicURL()+mcpPath+"/"+only)
	}
	return identity.Resource{Door: mcpserver.Door, Cluster: only, Audiences: audiences}
}

// mcpURLs are the URLs of the door that tokens of our own can be for, to be good at one
// way in.
func mcpURLs(c Config, only string) []string {
	urls := []string{c.publicURL() + mcpPath}
	if only != "" {
		urls = append(urls, c.publicURL()+mcpPath+"/"+only)
	}
	return urls
}

// account finds accounts.
type account = func(context.Context, porterhouse.Principal, porterhouse.Entry) (porterhouse.Account, error)

// accountsFor is the directory of a cluster, for whoever may reach it: ClickHouse itself
// asks for accounts, too, and not through the gate.
func accountsFor(f ForConfig, people *directory.Directory) account {
	return func(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error) {
		if err := notFor(f, who); err != nil {
			return porterhouse.Account{}, err
		}
		return people.Account(ctx, who, at)
	}
}

// notFor refuses somebody whom a cluster is not for.
func notFor(f ForConfig, who porterhouse.Principal) error {
	if gate.For(f).Admits(&who) {
		return nil
	}
	return porterhouse.Errorf(porterhouse.Denied, "this cluster is not one that you reach (for, in its configuration)")
}
