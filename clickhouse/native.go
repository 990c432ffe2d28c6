package clickhouse

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"porterhouse"
)

// nativeTarget is where ClickHouse speaks its native protocol, and whom the gateway
// is to it.
type nativeTarget struct {
	address  string
	secure   *tls.Config // nil: plain
	user     string
	password porterhouse.Secret
	timeout  time.Duration // to be connected, once more for TLS, and once more to log in
	opened   *atomic.Uint64
	buffer   int     // of a connection, in bytes
	health   *health // of the server; nil: nobody goes by it
}

// newNativeTarget reads c.Access.
func newNativeTarget(c Config, opened *atomic.Uint64) (*nativeTarget, error) {
	host, port, err := net.SplitHostPort(c.Access.Native)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("clickhouse: the native address is %q, want something like clickhouse.example.com:9440", c.Access.Native)
	}
	t := &nativeTarget{
		address:  c.Access.Native,
		user:     c.User,
		password: c.Password,
		timeout:  orDefault(c.DialTimeout, defaultDialTimeout),
		opened:   opened,
		buffer:   readBuffer,
	}
	if c.Access.NativeTLS != nil {
		t.secure = clientTLS(c.Access.NativeTLS, host)
		t.secure.NextProtos = nil // this protocol has no name
		return t, nil
	}
	if plain := (&target{scheme: "http", name: host}); plain.plainBeyondLoopback() && !c.AllowPlainHTTP {
		return nil, fmt.Errorf("clickhouse: the native connection to %q would carry the gateway's password unencrypted; give it TLS, or set AllowPlainHTTP", host)
	}
	return t, nil
}

// dial connects.
func (t *nativeTarget) dial(ctx context.Context) (*nativeConn, error) {
	plain, err := (&net.Dialer{Timeout: t.timeout}).DialContext(ctx, "tcp", t.address)
	if err != nil {
		if !isOver(ctx) {
			t.health.miss(err)
		}
		return nil, err
	}
	t.opened.Add(1)
	return newNativeConn(plain, t.buffer), nil
}

// secured adds TLS, if there is to be some.
func (t *nativeTarget) secured(c *nativeConn) error {
	if t.secure == nil {
		return nil
	}
	secure := tls.Client(c.plain, t.secure)
	if err := secure.Handshake(); err != nil {
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	c.over(secure)
	return nil
}

// hello returns the packet that logs in as the gateway, in a database, if one is
// named; and what follows when the server has answered.
func (t *nativeTarget) hello(database string) []byte {
	b := binary.AppendUvarint(nil, clientHello)
	b = appendClient(b, revision)
	b = appendText(b, database)
	b = appendText(b, t.user)
	b = appendText(b, t.password.Reveal())
	return appendText(b, "") // no key of quotas: each statement has its own
}

// serverName is what a server tells about itself.
type serverName struct {
	version  string // as far as it tells, such as 26.7.2
	timezone string
	display  string
}

// welcome reads who answers. What ClickHouse says against the login is a
// *nativeException.
func (c *nativeConn) welcome() error {
	r := &c.in
	switch kind := r.number("the kind of a packet", maxNumber); {
	case r.err != nil:
		return r.err
	case kind == serverException:
		if exception := r.exception(); r.err == nil {
			return exception
		}
		return r.err
	case kind != serverHello:
		return fmt.Errorf("a packet of the kind %d instead of a greeting; is this ClickHouse's native port?", kind)
	}
	r.text("the name of the server", maxNativeText)
	major, minor := r.number("a version", maxNumber), r.number("a version", maxNumber)
	theirs := r.number("a revision", maxNumber)
	if r.err == nil && theirs < revision {
		return fmt.Errorf("the server speaks the revision %d of the native protocol, and %d is the oldest that has what is needed", theirs, revision)
	}
	c.server.timezone = r.text("the server's timezone", maxNativeText)
	c.server.display = r.text("the server's display name", maxNativeText)
	c.server.version = fmt.Sprintf("%d.%d.%d", major, minor, r.number("a version", maxNumber))
	if c.secret != nil {
		c.secret.welcome(r, theirs)
	}
	return r.err
}

// appendClient appends who we are, and the revision that we speak.
func appendClient(b []byte, revision uint64) []byte {
	b = appendText(b, "porterhouse")
	b = binary.AppendUvarint(b, 1) // our version, major and minor: ClickHouse only logs it
	b = binary.AppendUvarint(b, 0)
	return binary.AppendUvarint(b, revision)
}
