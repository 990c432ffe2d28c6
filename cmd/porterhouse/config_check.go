package main

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// check refuses a configuration that can be read but must not be served. Each
// method is one rule, or a few about the same keys.
type check struct {
	*Config
	d *decoder
}

// all applies every rule, so that the operator sees all problems at once.
func (c check) all() {
	c.addresses()
	c.encryption()
	c.publicAddress()
	c.proxies()
	c.origins()
	c.positive()
	c.needed()
	clusters{c}.all()
	identities{c}.all()
	if len(c.Clusters) > 0 { // the door leads to one
		httpDoors{c}.all()
	}
}

// refuse notes a problem with the key at path. Where the file does not have it,
// the problem is told at what it would be a part of.
func (c check) refuse(path, format string, args ...any) {
	at := path
	for at != "" && c.d.found[at] == (place{}) {
		at = at[:max(0, strings.LastIndexByte(at, '.'))]
	}
	c.d.fail(c.d.found[at], path+": "+format, args...)
}

func (c check) addresses() {
	c.address("listen", c.Listen)
	if c.Metrics.Listen != "" {
		c.address("metrics.listen", c.Metrics.Listen)
	}
	if c.Metrics.Listen == c.Listen {
		c.refuse("metrics.listen", "this is the address of the server itself; leave the key out to answer /metrics there, to this machine only")
	}
}

func (c check) address(path, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		c.refuse(path, "want an address host:port, such as 127.0.0.1:8080")
	}
}

func (c check) encryption() {
	if c.TLS != nil {
		c.pair("tls", c.TLS.Cert, c.TLS.Key, true)
		return
	}
	if !onLoopback(c.Listen) && !c.BehindTLSProxy {
		c.refuse("listen", "%s is reached from other machines, so tokens and answers need TLS: give tls a certificate, listen on 127.0.0.1, or say behind_tls_proxy: true when a proxy in front speaks TLS", c.Listen)
	}
}

// pair refuses half a certificate.
func (c check) pair(path, cert, key string, needed bool) {
	if cert == "" && key == "" && needed {
		c.refuse(path+".cert", "TLS needs a certificate and its key: name their files in cert and key")
		return
	}
	if cert == "" && (key != "" || needed) {
		c.refuse(path+".cert", "the certificate of the key is missing")
	}
	if key == "" && (cert != "" || needed) {
		c.refuse(path+".key", "the key of the certificate is missing")
	}
}

func (c check) publicAddress() {
	if c.PublicURL == "" {
		if !onLoopback(c.Listen) || c.BehindTLSProxy {
			c.refuse("public_url", "say by which URL clients come, such as https://ch.example.com: it is checked in their requests and named in our answers")
		}
		return
	}
	u, problem := parseOrigin(c.PublicURL)
	switch {
	case problem != "":
		c.refuse("public_url", "%s", problem)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		c.refuse("public_url", "clients beyond this machine must come by https")
	case (u.Scheme == "https") != (c.TLS != nil || c.BehindTLSProxy):
		c.refuse("public_url", "it begins with %s, and clients find the other there; see tls and behind_tls_proxy", u.Scheme)
	default:
		c.PublicURL = u.Scheme + "://" + u.Host
	}
}

// parseOrigin accepts http(s)://host[:port], with at most a slash behind it, and
// otherwise tells the problem, without the text: a URL can hold a password.
func parseOrigin(text string) (u *url.URL, problem string) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, "this is not a URL"
	}
	u.Host = strings.ToLower(u.Host)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, "the URL must begin with https://"
	case u.User != nil:
		return nil, "no user or password belongs into this URL"
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.ForceQuery, u.Fragment != "", u.Opaque != "", strings.Contains(text, "#"):
		return nil, "want only https://host or https://host:port, without a path, query or fragment"
	case !isHost(u.Hostname()) || strings.HasSuffix(u.Host, ":"):
		return nil, "the URL has no proper host (an international name is written in its ASCII form, xn--…)"
	}
	return u, ""
}

// isHost accepts IP addresses, and names of ASCII letters, digits, - and dots.
func isHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == ""
	}
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && strings.Trim(host, "-.") == host
}

func (c check) proxies() {
	if len(c.TrustedProxies) > 0 && !c.BehindTLSProxy {
		c.refuse("trusted_proxies", "without behind_tls_proxy: true there is no proxy whose X-Forwarded-For could be believed")
	}
	for _, network := range c.TrustedProxies {
		if network.Bits() == 0 {
			c.refuse("trusted_proxies", "%s is everybody, and so everybody could choose the address that is logged: name the proxy's network", network)
		}
	}
}

func (c check) origins() {
	for _, origin := range c.Origins {
		if u, problem := parseOrigin(origin); problem != "" {
			c.refuse("origins", "%s", problem)
		} else if origin != u.Scheme+"://"+u.Host {
			c.refuse("origins", "browsers write this origin as %s://%s", u.Scheme, u.Host)
		}
	}
}

// positive refuses limits that limit nothing, or everything.
func (c check) positive() {
	for _, limit := range []struct {
		path  string
		value int64
	}{
		{"http.max_body", int64(c.HTTP.MaxBody)},
		{"http.max_header", int64(c.HTTP.MaxHeader)},
		{"http.header_timeout", int64(c.HTTP.HeaderTimeout)},
		{"http.body_timeout", int64(c.HTTP.BodyTimeout)},
		{"http.write_timeout", int64(c.HTTP.WriteTimeout)},
		{"http.idle_timeout", int64(c.HTTP.IdleTimeout)},
		{"limits.rows", c.Limits.Rows},
		{"limits.bytes", int64(c.Limits.Bytes)},
		{"limits.time", int64(c.Limits.Time)},
		{"limits.memory", int64(c.Limits.Memory)},
		{"limits.concurrent_per_person", int64(c.Limits.ConcurrentPerPerson)},
		{"limits.queue_wait", int64(c.Limits.QueueWait)},
		{"audit.rotate_at", int64(c.Audit.RotateAt)},
	} {
		if limit.value <= 0 {
			c.refuse(limit.path, "want more than 0; leave the key out for its default")
		}
	}
}

// minAuditKey is the shortest key of the audit record's chain, in bytes.
const minAuditKey = 32

// needed refuses a configuration without what nothing can stand for.
func (c check) needed() {
	if c.Audit.File == "" {
		c.refuse("audit.file", "say where the record of all questions is kept: without a record nothing is asked")
	}
	switch key := len(c.Audit.Key.Reveal()); {
	case key == 0:
		c.refuse("audit.key", "the record's chain needs a key: openssl rand -hex 32 > audit.key, chmod 600 it, and write file:audit.key")
	case key < minAuditKey:
		c.refuse("audit.key", "the key has %d bytes, and at least %d are needed: openssl rand -hex 32", key, minAuditKey)
	}
}

func (c check) clusterURL(path string, server placed) {
	if server.URL == "" {
		c.refuse(server.url, "say where ClickHouse's HTTP interface is, such as https://clickhouse.internal:8443")
		return
	}
	u, problem := parseOrigin(server.URL)
	switch {
	case problem != "":
		c.refuse(server.url, "%s", problem)
	case u.Scheme == "https":
	case server.TLS != (ClusterTLS{}) && !server.Access.NativeTLS:
		c.refuse(path+".tls", "the URL begins with http, so no certificate would be used")
	case !isLoopback(u.Hostname()) && !server.AllowPlainHTTP:
		c.refuse(server.url, "the gateway's password and everybody's rows would travel unencrypted: use https (port 8443, mostly), or say allow_plain_http: true")
	}
}

// hosts refuses URLs that remote_url_allow_hosts does not name, by key.
func (c check) hosts(path string, urls map[string]string) {
	if c.RemoteURLAllowHosts.isEmpty() {
		return
	}
	for key, address := range urls {
		u, err := url.Parse(address)
		if err != nil {
			continue // the processor itself says so
		}
		if !c.RemoteURLAllowHosts.allows(u) {
			c.refuse(path+"."+key, "remote_url_allow_hosts does not name this host, %s", u.Host)
		}
	}
}
