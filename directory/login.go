package directory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"porterhouse/clickhouse"
)

// AccessMode is how a person gets into the account, and so who may log in to it.
type AccessMode string

// The access modes.
const (
	ExecuteAs   AccessMode = "execute_as"  // the gateway impersonates it; nobody logs in
	Interserver AccessMode = "interserver" // the gateway presents the interserver secret, from its own hosts
	HTTP        AccessMode = "http"        // ClickHouse asks our authenticator: IDENTIFIED WITH http
)

func (c *ProvisionerConfig) checkMode() error {
	switch c.Mode {
	case ExecuteAs:
		return nil
	case Interserver:
		if len(c.GatewayHosts) == 0 {
			return errors.New("interserver: the hosts of the gateways are not named, and no host could log in")
		}
		for _, host := range c.GatewayHosts {
			if network, err := netip.ParsePrefix(host); err == nil && network.Bits() == 0 {
				return fmt.Errorf("interserver: %q is any host", host)
			}
			if !isNetwork(host) && checkDomain(host) != nil {
				return fmt.Errorf("interserver: %q is neither an address, nor a network, nor a host name", host)
			}
		}
		return nil
	case HTTP:
		if c.HTTPServer == "" {
			return errors.New("http: the authenticator's name in http_authentication_servers is not given")
		}
		return nil
	}
	return fmt.Errorf("the access mode %q is none of execute_as, interserver and http", c.Mode)
}

// login is how an account is logged in to: the clause that says so, and how
// ClickHouse shows it in system.users.
type login struct{ method, clause, hosts, hostClause string }

// login returns the one of all our accounts. No account is ever without a method
// with only its hosts in the way: where the server does not know no_authentication,
// the password is a hash of which nobody knows what gives it.
func (g *registry) login(ctx context.Context) (login, error) {
	if g.config.Mode == HTTP {
		return login{"http", "http SERVER " + clickhouse.QuoteString(g.config.HTTPServer) + " SCHEME 'BASIC'", anyHost, "ANY"}, nil
	}
	l := login{method: "no_authentication", clause: "no_authentication", hostClause: "NONE"}
	known, err := g.knowsNoAuthentication(ctx)
	if err != nil {
		return l, err
	}
	if !known {
		var hash [32]byte
		rand.Read(hash[:]) // never fails
		l.method, l.clause = "sha256_password", "sha256_hash BY '"+hex.EncodeToString(hash[:])+"'"
	}
	if g.config.Mode == Interserver {
		l.hosts, l.hostClause = hostsShown(g.config.GatewayHosts), hostClause(g.config.GatewayHosts)
	}
	return l, nil
}

// anyHost is how system.users shows HOST ANY.
const anyHost = "::/0"

// knowsNoAuthentication asks the server, once: the method is a value of the type of a column.
func (g *registry) knowsNoAuthentication(ctx context.Context) (bool, error) {
	n := &g.noLogin
	n.Lock()
	defer n.Unlock()
	if n.asked {
		return n.known, nil
	}
	rows, err := g.config.Admin.Rows(ctx, "SELECT DISTINCT toTypeName(auth_type) FROM system.users", g.comment("", "probe"))
	if err != nil {
		return false, err
	}
	n.asked = true
	n.known = slices.ContainsFunc(rows, func(row []string) bool { return strings.Contains(row[0], "'no_authentication'") })
	return n.known, nil
}

func isNetwork(host string) bool {
	_, err := netip.ParsePrefix(host)
	return err == nil || isAddress(host)
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// hostClause is what follows HOST.
func hostClause(hosts []string) string {
	var list []string
	for _, host := range hosts {
		kind := "NAME "
		if isNetwork(host) {
			kind = "IP "
		}
		list = append(list, kind+clickhouse.QuoteString(host))
	}
	return strings.Join(list, ", ")
}

// hostsShown is how system.users shows hosts, sorted: loopback by its name.
func hostsShown(hosts []string) string {
	var list []string
	for _, host := range hosts {
		if address, err := netip.ParseAddr(host); err == nil && address.IsLoopback() {
			host = "localhost"
		}
		list = append(list, host)
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}
