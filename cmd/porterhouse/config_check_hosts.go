package main

import (
	"net"
	"slices"

	"porterhouse/clickhouse"
)

// servers refuses servers that nobody could ask, or that are not several.
func (c clusters) servers(path string, cluster ClusterConfig) {
	hosts := path + ".hosts"
	if _, given := c.d.found[hosts]; given {
		switch {
		case len(cluster.Hosts) == 0:
			c.refuse(hosts, "the list is empty, so there is nobody to ask: hosts: [{url: https://clickhouse-1.internal:8443}, …]")
			return
		case cluster.URL != "":
			c.refuse(path+".url", "the servers are in %s: leave url out", hosts)
		case cluster.Access.Native != "":
			c.refuse(path+".access.native", "the servers are in %s: give each its native there, and leave this one out", hosts)
		case len(cluster.Hosts) > clickhouse.MaxHosts:
			c.refuse(hosts, "there are %d, and a cluster can have %d", len(cluster.Hosts), clickhouse.MaxHosts)
		}
		c.alike(hosts, cluster)
	}
	for _, server := range cluster.placed(path) {
		c.clusterURL(path, server)
	}
}

// alike refuses servers that are one, and those of which one cannot do what the others can.
func (c clusters) alike(path string, cluster ClusterConfig) {
	if !slices.ContainsFunc(cluster.Hosts, func(h HostConfig) bool { return !h.Drain }) {
		c.refuse(path, "all of them drain, so none takes anything: leave one as it is")
	}
	taken, natives := map[string]string{}, 0
	for _, server := range cluster.placed(path[:len(path)-len(".hosts")]) {
		for _, at := range []struct{ key, address string }{{server.url, addressOf(server.URL)}, {server.native, server.Access.Native}} {
			if other, twice := taken[at.address]; twice && at.address != "" {
				c.refuse(at.key, "this is the address of %s, too: name each server once", other)
			}
			taken[at.address] = at.key
		}
		if server.Access.Native != "" {
			natives++
		}
	}
	if natives != 0 && natives != len(cluster.Hosts) {
		c.refuse(path, "only some of them have native: what needs it would be refused at the others, so say it for all or for none")
	}
}

// addressOf is the host and port of a URL; "": it is none, which is told elsewhere.
func addressOf(text string) string {
	u, problem := parseOrigin(text)
	switch {
	case problem != "":
		return ""
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}
