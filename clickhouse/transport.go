package clickhouse

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
)

// target is where requests go, and as whom.
type target struct {
	scheme  string
	host    string // as requests name it
	address string // as it is dialled: with a port
	name    string // without
	login   string // the header field that logs the gateway in; "": it has no account
}

func newTarget(c Config) (target, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return target{}, fmt.Errorf("clickhouse: the URL cannot be read: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return target{}, fmt.Errorf("clickhouse: the URL begins with %q, want http:// or https://", u.Scheme)
	case u.Hostname() == "":
		return target{}, errors.New("clickhouse: the URL names no host, want something like https://clickhouse.example.com:8443")
	case u.User != nil:
		return target{}, errors.New("clickhouse: the URL holds a user or password; they belong into User and Password")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return target{}, errors.New("clickhouse: the URL holds more than scheme, host and port")
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' }):
		return target{}, fmt.Errorf("clickhouse: the host %q is not ASCII; write its xn-- form", u.Host)
	case strings.Contains(c.User, ":"):
		return target{}, errors.New("clickhouse: the gateway's User holds a colon, which HTTP's Basic authentication cannot carry")
	}
	t := target{scheme: u.Scheme, host: u.Host, name: u.Hostname()}
	t.address = net.JoinHostPort(t.name, cmp.Or(u.Port(), standardPorts[t.scheme]))
	if t.plainBeyondLoopback() && !c.AllowPlainHTTP {
		return target{}, fmt.Errorf("clickhouse: http:// to %q would carry the gateway's password unencrypted; use https://, or set AllowPlainHTTP", t.name)
	}
	if c.User != "" {
		t.login = basic(c.User, c.Password)
	}
	return t, nil
}

// asGateway logs in as the gateway itself.
func (t *target) asGateway(context.Context) (string, error) { return t.login, nil }

// standardPorts are those of URLs that name none.
var standardPorts = map[string]string{"http": "80", "https": "443"}

func (t *target) plainBeyondLoopback() bool {
	if t.scheme == "https" || t.name == "localhost" {
		return false
	}
	address, err := netip.ParseAddr(t.name)
	return err != nil || !address.IsLoopback()
}

// connector returns how to connect to t: within timeout, and once more for the TLS handshake.
func connector(t *target, c Config, opened *atomic.Uint64) func(context.Context) (net.Conn, error) {
	timeout := orDefault(c.DialTimeout, defaultDialTimeout)
	dialer := &net.Dialer{Timeout: timeout}
	var secure *tls.Config
	if t.scheme == "https" {
		secure = clientTLS(c.TLS, t.name)
	}
	return func(ctx context.Context) (net.Conn, error) {
		plain, err := dialer.DialContext(ctx, "tcp", t.address)
		if err != nil {
			return nil, err
		}
		opened.Add(1)
		if secure == nil {
			return plain, nil
		}
		conn := tls.Client(plain, secure)
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			plain.Close()
			return nil, fmt.Errorf("%w: %w", errHandshake, err)
		}
		return conn, nil
	}
}

// errHandshake says how far a connection came.
var errHandshake = errors.New("the TLS handshake failed")

// clientTLS returns a copy of c that speaks TLS 1.2 at least. It resumes no
// sessions, unless c says so: a resumed one goes on with the old client certificate
// after that was renewed.
func clientTLS(c *tls.Config, host string) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.ServerName = cmp.Or(c.ServerName, host)
	c.NextProtos = []string{"http/1.1"}
	return c
}
