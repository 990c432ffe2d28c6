package kv

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"porterhouse"
)

// RedisConfig is what a Redis is made of.
type RedisConfig struct {
	// URL is redis://host:6379/0, rediss:// for TLS, or unix:///path/to/socket?db=0;
	// a user of Redis may stand before the host (user@), never a password.
	URL      string
	Password porterhouse.Secret // of the user; none: the server asks for none
	Prefix   string             // of every key, so that others may use the server too; "": "porterhouse:"
	TLS      *tls.Config        // for rediss://; nil: TLS 1.2 or later, certificates by the system's authorities
	Timeout  time.Duration      // of one operation, connecting included; 0: 2 s
	// InsecurePlaintext accepts redis:// to a host that is not this machine:
	// whoever can read the network reads what is stored, and the password.
	InsecurePlaintext bool
}

// address is where a server is, and how to log in there.
type address struct {
	network, at string      // "tcp" and host:port, or "unix" and a path
	tls         *tls.Config // nil: none
	user        string      // "": the default one
	password    porterhouse.Secret
	database    int
}

// address checks c.
func (c RedisConfig) address() (address, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return address{}, errors.New("the URL cannot be read: it is redis://host:port/0, rediss://host:port/0 or unix:///path?db=0") // err would quote a password
	}
	if _, has := u.User.Password(); has {
		return address{}, errors.New("the URL holds a password, which would be shown wherever the URL is: give it apart")
	}
	for name := range u.Query() {
		if u.Scheme != "unix" || name != "db" {
			return address{}, fmt.Errorf("the URL has the option %q, and none is allowed but db of unix://", name)
		}
	}
	if c.Timeout < 0 {
		return address{}, fmt.Errorf("a timeout of %v cannot be: 0 is the default", c.Timeout)
	}
	if u.Scheme != "rediss" && c.TLS != nil {
		return address{}, errors.New("there are options for TLS, and the URL is not rediss://")
	}
	a := address{user: u.User.Username(), password: c.Password}
	switch u.Scheme {
	case "unix":
		return a.socket(u)
	case "redis":
		if !c.InsecurePlaintext && !thisMachine(u.Hostname()) {
			return address{}, fmt.Errorf("redis:// to %q goes over the network unencrypted: use rediss://, or allow plain text", u.Hostname())
		}
		return a.host(u)
	case "rediss":
		a.tls = c.secure(cmp.Or(u.Hostname(), localhost))
		return a.host(u)
	}
	return address{}, fmt.Errorf("the URL has the scheme %q: it is redis, rediss or unix", u.Scheme)
}

const localhost = "localhost"

// host fills in a host and its port, as in //host:port/database.
func (a address) host(u *url.URL) (_ address, err error) {
	a.network, a.at = "tcp", net.JoinHostPort(cmp.Or(u.Hostname(), localhost), cmp.Or(u.Port(), "6379"))
	a.database, err = database(strings.Trim(u.Path, "/"))
	return a, err
}

// socket fills in the path of a socket, as in ///path?db=database.
func (a address) socket(u *url.URL) (_ address, err error) {
	if a.network, a.at = "unix", u.Path; a.at == "" {
		return address{}, errors.New("the URL names no socket: it is unix:///path")
	}
	a.database, err = database(u.Query().Get("db"))
	return a, err
}

// database reads the number of a database; "" is 0.
func database(text string) (int, error) {
	n, err := strconv.ParseUint(cmp.Or(text, "0"), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("the URL names the database %q, which is not a number", text)
	}
	return int(n), nil
}

// secure completes what is said of TLS to a host.
func (c RedisConfig) secure(host string) *tls.Config {
	with := &tls.Config{}
	if c.TLS != nil {
		with = c.TLS.Clone()
	}
	with.ServerName = cmp.Or(with.ServerName, host)
	with.MinVersion = max(with.MinVersion, tls.VersionTLS12)
	return with
}

// thisMachine reports whether a host can only be this machine.
func thisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == localhost || err == nil && address.Unmap().IsLoopback()
}
