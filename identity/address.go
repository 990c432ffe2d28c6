package identity

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// special4 are the special-use IPv4 networks, after IANA's registry.
var special4 = prefixes(
	"0.0.0.0/8",        // this host
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carrier-grade NAT; a cloud's metadata at 100.100.100.200
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host agent
	"169.254.0.0/16",   // link-local; the clouds' metadata at 169.254.169.254
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments; a cloud's metadata at 192.0.0.192
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
)

// global6 is where all of the public IPv6 internet is. Loopback, private (fc00::/7),
// link-local, multicast, NAT64 (64:ff9b::/96) and discard addresses are outside.
var global6 = netip.MustParsePrefix("2000::/3")

// special6 are the special-use networks inside of global6.
var special6 = prefixes(
	"2001::/23",     // protocol assignments; Teredo, which carries an IPv4 address
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4, which carries an IPv4 address
	"3fff::/20",     // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// specialUse reports whether nobody on the public internet can have address.
func specialUse(address netip.Addr) bool {
	address = address.Unmap()
	networks := special6
	if address.Is4() {
		networks = special4
	} else if !global6.Contains(address) {
		return true
	}
	for _, network := range networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// specialLiteral reports whether host is a special-use address itself, not a name.
func specialLiteral(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && specialUse(address)
}

// parseDialled reads the "address:port" that a socket is about to be connected to.
func parseDialled(dialled string) (netip.Addr, error) {
	at, err := netip.ParseAddrPort(dialled)
	return at.Addr().Unmap(), err
}

// names are hosts that are allowed by name: "host", or "host:port", in lower case.
type names map[string]bool

func parseNames(texts []string) (names, error) {
	all := names{}
	for _, text := range texts {
		if text == "" || strings.ContainsAny(text, "/@*? \t") {
			return nil, fmt.Errorf("%q is not a host or host:port", text)
		}
		if text[0] == '[' && text[len(text)-1] == ']' { // an IPv6 address without port
			text = text[1 : len(text)-1]
		}
		all[strings.ToLower(text)] = true
	}
	return all, nil
}

// with returns n and the host and port of at.
func (n names) with(at *url.URL) names {
	all := maps.Clone(n)
	all[hostPort(at)] = true
	return all
}

// has reports whether the host of u is allowed.
func (n names) has(u *url.URL) bool { return n.hasHost(hostPort(u)) }

// hasHost reports whether "host:port" is allowed.
func (n names) hasHost(hostPort string) bool {
	hostPort = strings.ToLower(hostPort)
	host, _, err := net.SplitHostPort(hostPort)
	return n[hostPort] || err == nil && n[host]
}

// hostPort is where u is dialled.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
