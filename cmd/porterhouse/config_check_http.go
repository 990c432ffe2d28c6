package main

import (
	"net"
	"slices"
	"strings"

	"porterhouse/identity"
)

// httpDoors checks the door for ClickHouse's clients, the limits of all doors, and the
// access modes, on which the door's promises stand.
type httpDoors struct{ check }

func (c httpDoors) all() {
	if c.ClickHouseHTTP.isOpen() {
		c.addresses()
		c.publicAddress()
		c.credentials()
	} else {
		c.shut()
	}
	c.limits()
	c.rules()
	for name, cluster := range c.Clusters {
		c.access("clusters."+name, cluster)
		c.accounts("clusters."+name, cluster)
		for _, server := range cluster.placed("clusters." + name) {
			c.native("clusters."+name+".access", server)
		}
		c.cluster("clusters."+name+".access", cluster)
		c.shadow("clusters."+name+".access", cluster)
		c.token("clusters."+name+".access.token", cluster)
	}
}

// shut refuses words about a door that is not there.
func (c httpDoors) shut() {
	for path := range c.d.found {
		if strings.HasPrefix(path, "clickhouse_http.") {
			c.refuse("clickhouse_http", "the door has no address, so nothing of this counts: add listen, such as 127.0.0.1:8123, or tls: {listen: …}")
			return
		}
	}
}

func (c httpDoors) addresses() {
	h, taken := c.ClickHouseHTTP, c.taken()
	if h.Listen != "" {
		c.ownAddress("clickhouse_http.listen", h.Listen, taken)
		if isAddress(h.Listen) && !onLoopback(h.Listen) && !c.BehindTLSProxy && !h.AllowPlainHTTP {
			c.refuse("clickhouse_http.listen", "%s is reached from other machines, so tokens, passwords and rows would travel unencrypted: use clickhouse_http.tls, listen on 127.0.0.1, say behind_tls_proxy: true when a proxy in front speaks TLS, or allow_plain_http: true", h.Listen)
		}
	}
	if h.TLS == nil {
		return
	}
	c.ownAddress("clickhouse_http.tls.listen", h.TLS.Listen, append(taken, h.Listen))
	pair := httpDoor{*c.Config}.pair()
	c.pair("clickhouse_http.tls", pair.Cert, pair.Key, true)
}

// taken are the addresses that others have.
func (c httpDoors) taken() []string {
	taken := []string{c.Listen, c.Metrics.Listen}
	for _, cluster := range c.Clusters {
		if a := cluster.Authenticator; a != nil {
			taken = append(taken, a.Listen)
		}
	}
	return taken
}

// ownAddress refuses what is no address, or not one of the door's own. Port 0 is a free
// one each time.
func (c httpDoors) ownAddress(path, address string, taken []string) {
	c.address(path, address)
	if _, port, _ := net.SplitHostPort(address); port != "0" && slices.Contains(taken, address) {
		c.refuse(path, "this address is taken by another listener: ClickHouse's clients ask for /, so their door has addresses of its own")
	}
}

func isAddress(text string) bool {
	_, _, err := net.SplitHostPort(text)
	return err == nil
}

// publicAddress is the rule of the server's own, for the door.
func (c httpDoors) publicAddress() {
	const path = "clickhouse_http.public_url"
	h := c.ClickHouseHTTP
	hasTLS := h.TLS != nil
	if h.PublicURL == "" {
		local := (h.Listen == "" || onLoopback(h.Listen)) && (!hasTLS || onLoopback(h.TLS.Listen))
		if !local || c.BehindTLSProxy && !hasTLS {
			c.refuse(path, "say by which URL clients come, such as https://ch.example.com:8443: a token must be for it, and it is named in our answers")
		}
		return
	}
	u, problem := parseOrigin(h.PublicURL)
	switch {
	case problem != "":
		c.refuse(path, "%s", problem)
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !h.AllowPlainHTTP:
		c.refuse(path, "clients beyond this machine must come by https, or say allow_plain_http: true")
	case u.Scheme == "https" && !hasTLS && !c.BehindTLSProxy, u.Scheme == "http" && h.Listen == "":
		c.refuse(path, "it begins with %s, and clients find the other there; see clickhouse_http.tls and behind_tls_proxy", u.Scheme)
	default:
		c.ClickHouseHTTP.PublicURL = u.Scheme + "://" + u.Host
	}
}

// credentials refuses what lets in nobody.
func (c httpDoors) credentials() {
	h := c.ClickHouseHTTP
	takesIDTokens := func(s identity.Settings) bool { return s.AllowIDTokens }
	if h.AllowIDTokens && !slices.ContainsFunc(c.processors(), takesIDTokens) {
		c.refuse("clickhouse_http.allow_id_tokens", "no token processor takes ID tokens, so nobody would be let in by one: say allow_id_tokens and client_ids at the processor of Grafana's provider")
	}
}

func (c httpDoors) limits() {
	if c.ClickHouseHTTP.Limits.Time <= 0 {
		c.refuse("clickhouse_http.limits.time", "want more than 0; leave the key out for its default")
	}
	if c.ClickHouseHTTP.MaxHeader <= 0 {
		c.refuse("clickhouse_http.max_header", "want more than 0; leave the key out for its default")
	}
	for path, value := range map[string]size{"bytes": c.ClickHouseHTTP.Limits.Bytes, "memory": c.ClickHouseHTTP.Limits.Memory} {
		if _, given := c.d.found["clickhouse_http.limits."+path]; given && value == 0 {
			c.refuse("clickhouse_http.limits."+path, "want more than 0; leave the key out for no limit")
		}
	}
}
