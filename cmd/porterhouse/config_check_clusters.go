package main

import (
	"net"
	"slices"
	"strings"
)

// clusters checks what is said of the clusters, each by itself and of several together.
type clusters struct{ check }

func (c clusters) all() {
	c.connections()
	c.names()
	c.people()
	c.hosts()
	c.knocks()
}

// pathNames are those that mean something else where the name of a cluster stands.
var pathNames = []string{"ping", "query", "replicas_status"}

// names refuses what leads to no cluster, or to two.
func (c clusters) names() {
	if len(c.Clusters) == 0 {
		c.refuse("clusters", "no cluster is named, so there is nothing to ask: clusters: {main: {url: …}}")
		return
	}
	if _, known := c.Clusters[c.DefaultCluster]; c.DefaultCluster != "" && !known {
		c.refuse("default_cluster", "there is no such cluster; there are %s", strings.Join(c.clusterNames(), ", "))
	}
	for _, name := range c.clusterNames() {
		if slices.ContainsFunc(pathNames, func(taken string) bool { return strings.HasPrefix(name, taken) }) && len(c.Clusters) > 1 {
			c.refuse("clusters."+name, "clients name the cluster in the path, and what begins with %s means something else there: give it another name", strings.Join(pathNames, ", "))
		}
	}
}

// people refuses a cluster that is for nobody.
func (c clusters) people() {
	for _, name := range c.clusterNames() {
		path, its := "clusters."+name+".for", c.Clusters[name].For
		_, given := c.d.found[path]
		switch {
		case given && its.isEverybodys():
			c.refuse(path, "it names nobody: name groups or users, or leave the key out for everybody")
		case slices.Contains(its.Groups, "") || slices.Contains(its.Users, ""):
			c.refuse(path, "a name is empty")
		}
	}
}

// hosts refuses hosts that would never be found, and those of two clusters.
func (c clusters) hosts() {
	taken := map[string]string{}
	for _, name := range c.clusterNames() {
		path := "clusters." + name + ".public_hosts"
		for _, host := range c.Clusters[name].PublicHosts {
			switch other, twice := taken[host]; {
			case !isHost(host) || host != hostname(host):
				c.refuse(path, "want the names of hosts as clients ask for them, in lower case and without a port, such as ch-eu.example.com")
			case twice:
				c.refuse(path, "%s leads to clusters.%s already", host, other)
			}
			taken[host] = name
		}
		if len(c.Clusters[name].PublicHosts) > 0 && !c.ClickHouseHTTP.isOpen() {
			c.refuse(path, "these are for ClickHouse's own clients, and their door is shut: see clickhouse_http")
		}
	}
}

// knocks refuses one address for the authenticators of two clusters: each has its own.
func (c clusters) knocks() {
	taken := map[string]string{}
	for _, name := range c.clusterNames() {
		a := c.Clusters[name].Authenticator
		if a == nil {
			continue
		}
		if _, port, err := net.SplitHostPort(a.Listen); err != nil || port == "0" {
			continue
		}
		if other, twice := taken[a.Listen]; twice {
			c.refuse("clusters."+name+".authenticator.listen", "the authenticator of clusters.%s listens there: each has an address of its own", other)
		}
		taken[a.Listen] = name
	}
}

// connections refuses what nobody could log in with.
func (c clusters) connections() {
	for name, cluster := range c.Clusters {
		path := "clusters." + name
		c.servers(path, cluster)
		c.pair(path+".tls", cluster.TLS.Cert, cluster.TLS.Key, false)
		if cluster.User == "" && (!isOwnLogin(cluster.mode()) || !cluster.Password.IsZero()) {
			c.refuse(path+".user", "name the ClickHouse user that the gateway logs in as: it holds IMPERSONATE and nothing else")
		}
		if cluster.Password.IsZero() && cluster.needsPassword() {
			c.refuse(path+".password", "the gateway's password is missing: env:NAME or file:PATH")
		}
		if _, given := c.d.found[path+".max_connections"]; given && cluster.MaxConnections == 0 {
			c.refuse(path+".max_connections", "want more than 0; leave the key out for its default")
		}
	}
}
