package main

import (
	"net/netip"
	"net/url"
	"strings"
)

// clientView is what a client would come to.
type clientView struct {
	Client string  `json:"client"`
	Sees   finding `json:"sees"`
}

// acquaintance is a way in which a client becomes known to an authorization server.
type acquaintance string

// The ways.
const (
	byDocument     acquaintance = "document"     // its id is the URL of a document about itself (CIMD)
	byRegistration acquaintance = "registration" // it registers itself (RFC 7591, DCR)
	byDevice       acquaintance = "device"       // the operator has registered it, and it shows a code (RFC 8628)
)

// mcpClient is a client, or several that do the same.
type mcpClient struct {
	name         string
	ways         []acquaintance // in its order
	fromInternet bool           // it comes from its maker's servers
	old          bool           // it knows nothing of RFC 9728
}

// mcpClients are those that are known to us; doc/clients.md says with which of them it
// was tried.
func mcpClients() []mcpClient {
	return []mcpClient{
		{name: "Claude on the web, ChatGPT", ways: []acquaintance{byDocument, byRegistration}, fromInternet: true},
		{name: "Claude Code, VS Code", ways: []acquaintance{byDocument, byRegistration}},
		{name: "the SDKs (Go, TypeScript), inspector, mcp-remote, with a document of their own", ways: []acquaintance{byDocument, byRegistration}},
		{name: "the same without one, and whatever can only register itself", ways: []acquaintance{byRegistration}},
		{name: "clients of before 2025-06-18", ways: []acquaintance{byRegistration}, old: true},
		{name: "clickhouse-client --login", ways: []acquaintance{byDevice}},
	}
}

// sees is what becomes of the client at a door that documents itself well.
func (c mcpClient) sees(d doorway) finding {
	if problem := d.publicProblem(); c.fromInternet && problem != "" {
		return finding{careful, problem}
	}
	if c.old && d.old.level != fine {
		return d.old
	}
	for _, way := range c.ways {
		switch {
		case way == byDocument && d.server.Documents:
			return finding{fine, "is known by its document, and a person signs in"}
		case way == byRegistration && d.server.Registration != "":
			return finding{fine, "registers itself at " + d.server.Registration + ", and a person signs in"}
		case way == byDevice && d.server.Device != "":
			return finding{fine, "shows a code, once you have registered it (doc/signing-in.md)"}
		}
	}
	if c.ways[0] == byDevice {
		return finding{careful, "cannot sign in: there is no device flow"}
	}
	return finding{careful, "cannot make itself known to " + d.server.Issuer + ": give it a client id that you registered there, or let clients register themselves (auth_server.allow_registration, where it is ours)"}
}

// publicProblem tells why whoever comes from the Internet does not get here; "":
// nothing is known to be in the way.
func (d doorway) publicProblem() string {
	at, err := url.Parse(d.URL)
	if err != nil {
		return "does not get here: " + d.URL + " is no URL"
	}
	ip, err := netip.ParseAddr(at.Hostname())
	switch {
	case at.Scheme != "https":
		return "does not come here: it insists on https"
	case err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()), at.Hostname() == "localhost", strings.HasSuffix(at.Hostname(), ".local"):
		return "does not get here: it comes from the Internet, and " + at.Hostname() + " cannot be reached from there"
	}
	return ""
}
