package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"
)

// Limits of the phases of a request; its Timeout bounds all of them together.
const (
	dialTimeout        = 5 * time.Second
	handshakeTimeout   = 5 * time.Second
	idleTimeout        = time.Minute
	maxResponseHeaders = 64 << 10 // bytes
)

const errTooLong = reason("the answer is longer than allowed")

// ErrForbidden is in the error of an address that is never asked, whoever tries how
// often: at a special-use address, or no https URL.
var ErrForbidden = errors.New("an address that is never asked")

// forbidden is why one is, in words of ours alone.
type forbidden string

// Error implements error.
func (f forbidden) Error() string { return string(f) }

// Is makes it an ErrForbidden.
func (f forbidden) Is(target error) bool { return target == ErrForbidden }

// connect makes the two transports: one that speaks TLS, to everybody, and one
// that speaks plain HTTP, to loopback only.
func (o *Outbound) connect(caFile, proxy string) error {
	roots, err := readRoots(caFile)
	if err != nil {
		return err
	}
	secure := guard{allowed: o.allowed}
	via := func(*http.Request) (*url.URL, error) { return nil, nil }
	if proxy != "" {
		at, err := parseProxy(proxy)
		if err != nil {
			return err
		}
		o.proxied = true
		// The proxy's own address is allowed: the operator named it.
		secure.allowed = o.allowed.with(at)
		via = func(r *http.Request) (*url.URL, error) {
			if o.allowed.has(r.URL) {
				return nil, nil
			}
			return at, nil
		}
	}
	o.secure = o.transport(secure)
	o.secure.Proxy = via
	o.secure.OnProxyConnectResponse = proxyAnswered
	o.secure.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	o.secure.ForceAttemptHTTP2 = true
	o.plain = o.transport(guard{allowed: o.allowed, onlyLoopback: true})
	return nil
}

func (o *Outbound) transport(g guard) *http.Transport {
	return &http.Transport{
		DialContext:            g.dial,
		TLSHandshakeTimeout:    min(handshakeTimeout, o.timeout),
		ResponseHeaderTimeout:  o.timeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    o.perHost,
		MaxResponseHeaderBytes: maxResponseHeaders,
	}
}

// readRoots returns the system's roots and those of a file; nil: the system's.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("identity: the system's CA certificates: %w", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("identity: CA file: %w", err)
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("identity: CA file %s holds no certificate in PEM form", file)
	}
	return roots, nil
}

// parseProxy reads the proxy's URL. Its errors do not quote it: it may hold a password.
func parseProxy(text string) (*url.URL, error) {
	proxy, err := url.Parse(text)
	if err != nil || (proxy.Scheme != "http" && proxy.Scheme != "https") || proxy.Hostname() == "" {
		return nil, errors.New("identity: the proxy must be http://[user:password@]host:port")
	}
	return proxy, nil
}

// guard dials, and judges each address when it is dialled: later than any DNS
// answer can change.
type guard struct {
	allowed      names
	onlyLoopback bool
	resolver     *net.Resolver // nil: the system's
}

func (g guard) dial(ctx context.Context, network, asked string) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: g.resolver,
		Control: func(_, dialled string, _ syscall.RawConn) error {
			return g.judge(asked, dialled)
		},
	}
	return dialer.DialContext(ctx, network, asked)
}

// judge refuses the address dialled for the "host:port" asked.
func (g guard) judge(asked, dialled string) error {
	address, err := parseDialled(dialled)
	switch {
	case err != nil:
		return reason(asked + " cannot be read as an address")
	case g.onlyLoopback && !address.IsLoopback():
		return forbidden(asked + " is at " + address.String() + ", which is not loopback: use https")
	case specialUse(address) && !g.allowed.hasHost(asked):
		return forbidden(asked + " is at " + address.String() + ", a special-use address: allow the host by name if it is yours")
	}
	return nil
}

// proxyAnswered says what a proxy had against a connection.
func proxyAnswered(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return reason(fmt.Sprintf("the proxy refuses the connection with status %d", answer.StatusCode))
	}
	return nil
}

// publicCause returns err if its text is ours or Go's alone, and a general text if
// it may quote what the provider sent: a provider may send back the token.
func publicCause(err error) error {
	var (
		ours    reason
		never   forbidden
		network net.Error // dialling, resolving, and what takes too long
		cert    *tls.CertificateVerificationError
		alert   tls.AlertError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &ours), errors.As(err, &never), errors.As(err, &cert), errors.As(err, &alert), errors.As(err, &network):
		return err
	case errors.As(err, &record):
		return reason("it does not speak TLS there")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return reason("it hung up before the end of its answer")
	}
	return reason("its answer is not one that HTTP allows")
}
