package clickhouse

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// target is where requests go, and as whom.
type target struct {
	scheme string
	host   string      // with its port
	name   string      // without
	header http.Header // of every request that logs in; shared, never changed
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
	case c.User == "":
		return target{}, errors.New("clickhouse: the gateway's User is empty")
	case strings.Contains(c.User, ":"):
		return target{}, errors.New("clickhouse: the gateway's User holds a colon, which HTTP's Basic authentication cannot carry")
	}
	t := target{scheme: u.Scheme, host: u.Host, name: u.Hostname()}
	if t.plainBeyondLoopback() && !c.AllowPlainHTTP {
		return target{}, fmt.Errorf("clickhouse: http:// to %q would carry the gateway's password unencrypted; use https://, or set AllowPlainHTTP", t.name)
	}
	// Basic carries any password; a header of its own would trim spaces and refuse
	// some bytes, and is not known to be a secret to whatever logs headers.
	login := base64.StdEncoding.EncodeToString([]byte(c.User + ":" + c.Password.Reveal()))
	t.header = http.Header{
		"Authorization": {"Basic " + login},
		"Content-Type":  {"text/plain; charset=utf-8"}, // multipart/form-data would be taken for tables
		"User-Agent":    {"porterhouse"},
	}
	return t, nil
}

// url returns the URL of a request; query is already escaped.
func (t *target) url(path, query string) *url.URL {
	return &url.URL{Scheme: t.scheme, Host: t.host, Path: path, RawQuery: query}
}

func (t *target) plainBeyondLoopback() bool {
	if t.scheme == "https" || t.name == "localhost" {
		return false
	}
	address, err := netip.ParseAddr(t.name)
	return err != nil || !address.IsLoopback()
}

const (
	// idleTimeout is how long an unused connection is kept. ClickHouse closes it
	// after its keep_alive_timeout: 3 s in old configuration files, 10 and 30 s in
	// newer ones. A statement sent at that moment would fail and could not be sent
	// again, because nobody knows whether it ran; so we hang up first.
	idleTimeout = 2 * time.Second

	// maxHeader bounds the header of a response; ClickHouse sends about 1 KiB.
	maxHeader = 64 << 10
)

// newTransport returns a pool of at most connections. It follows no redirect
// (that is not a transport's work), asks no proxy, not even one named in the
// environment, and does not compress: ClickHouse is mostly near, and its CPU and
// ours are dearer than the bytes.
//
// net/http sends a request again in one case only, which is safe: it was given a
// connection that had been closed, and not a byte was written. It would do more
// for a GET or a request with an Idempotency-Key header; ours are POSTs without.
func newTransport(c Config, connections int, opened *atomic.Uint64) *http.Transport {
	dialTimeout := orDefault(c.DialTimeout, defaultDialTimeout)
	dialer := &net.Dialer{Timeout: dialTimeout}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			connection, err := dialer.DialContext(ctx, network, address)
			if err == nil {
				opened.Add(1)
			}
			return connection, err
		},
		TLSClientConfig:        clientTLS(c.TLS),
		TLSHandshakeTimeout:    dialTimeout,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
		Protocols:              protocols,
	}
}

// clientTLS returns a copy of c that speaks TLS 1.2 at least. It resumes no
// sessions, unless c says so: a resumed one goes on with the old client certificate
// after that was renewed.
func clientTLS(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return c
}
