package clickhouse_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// authority is a certificate authority of the tests' own.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

// issue makes a certificate for name, as PEM, with its key.
func (a *authority) issue(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	return a.issueUntil(t, name, time.Now().Add(time.Hour))
}

func (a *authority) issueUntil(t *testing.T, name string, until time.Time) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", pkcs8)
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// tlsHouse is a server that speaks TLS only, and wants a client certificate.
type tlsHouse struct {
	authority *authority
	url       string
	files     clickhouse.TLSFiles

	mu     sync.Mutex
	client string // whom the last request's certificate named
	own    tls.Certificate
}

func openTLS(t *testing.T, most uint16) *tlsHouse {
	t.Helper()
	h := &tlsHouse{authority: newAuthority(t)}
	h.show(t, time.Now().Add(time.Hour))
	pool := x509.NewCertPool()
	pool.AddCert(h.authority.certificate)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			own := h.own
			return &own, nil
		},
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS10, MaxVersion: most,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.url = "https://" + listener.Addr().String()
	serveOn(t, listener, func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
		h.mu.Lock()
		h.client = c.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
		h.mu.Unlock()
		good(c, r, end)
		return false // so that each question makes a handshake
	})
	dir := t.TempDir()
	h.files = clickhouse.TLSFiles{
		CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ServerName: "clickhouse.test",
	}
	write(t, h.files.CA, pemBlock("CERTIFICATE", h.authority.certificate.Raw))
	h.renew(t, "gateway one")
	return h
}

// show gives the server another certificate.
func (h *tlsHouse) show(t *testing.T, until time.Time) {
	t.Helper()
	pair, err := tls.X509KeyPair(h.authority.issueUntil(t, "clickhouse.test", until))
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own = pair
}

// renew gives the client another certificate.
func (h *tlsHouse) renew(t *testing.T, name string) {
	t.Helper()
	certificate, key := h.authority.issue(t, name)
	write(t, h.files.Cert, certificate)
	write(t, h.files.Key, key)
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// dial makes a client with these files, and with a caller that would speak
// anything.
func (h *tlsHouse) dial(t *testing.T, files clickhouse.TLSFiles) *clickhouse.Client {
	t.Helper()
	config, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	config.MinVersion = tls.VersionTLS10
	return dial(t, h.url, impatient, func(c *clickhouse.Config) { c.TLS, c.DialTimeout = config, 5*time.Second })
}

func (h *tlsHouse) seen() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.client
}

func TestTLS(t *testing.T) {
	t.Parallel()
	h := openTLS(t, tls.VersionTLS13)
	var log bytes.Buffer
	h.files.Log = slog.New(slog.NewTextHandler(&log, nil))
	client := h.dial(t, h.files)
	ask := func() {
		t.Helper()
		if _, err := read(t.Context(), client, account(t, "alice"), question("SELECT 1")); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if got := h.seen(); got != "gateway one" {
		t.Errorf("the server saw %q", got)
	}
	h.renew(t, "gateway two")
	ask()
	if got := h.seen(); got != "gateway two" {
		t.Errorf("after a renewal the server saw %q", got)
	}
	if log.Len() != 0 {
		t.Errorf("the log says %s", &log)
	}
	write(t, h.files.Key, []byte("no key"))
	ask()
	if got := h.seen(); got != "gateway two" || !strings.Contains(log.String(), "cannot be reloaded") {
		t.Errorf("with a broken key the server saw %q, and the log says %q", got, &log)
	}
	h.renew(t, "gateway three")
	ask()
	if got := h.seen(); got != "gateway three" {
		t.Errorf("after the repair the server saw %q", got)
	}
}

// A connection that is not what it should be carries nothing.
func TestTLSRefusals(t *testing.T) {
	t.Parallel()
	const anyTrouble, signed, named = "cannot be reached", "signed by nobody whom Porterhouse trusts", "made out to another host"
	for what, test := range map[string]struct {
		most   uint16
		says   string
		change func(t *testing.T, f *clickhouse.TLSFiles)
	}{
		"an old protocol": {tls.VersionTLS11, anyTrouble, func(*testing.T, *clickhouse.TLSFiles) {}},
		"another authority": {tls.VersionTLS13, signed, func(t *testing.T, f *clickhouse.TLSFiles) {
			write(t, f.CA, pemBlock("CERTIFICATE", newAuthority(t).certificate.Raw))
		}},
		"the system's roots":    {tls.VersionTLS13, signed, func(_ *testing.T, f *clickhouse.TLSFiles) { f.CA = "" }},
		"another name":          {tls.VersionTLS13, named, func(_ *testing.T, f *clickhouse.TLSFiles) { f.ServerName = "other.test" }},
		"the name of the URL":   {tls.VersionTLS13, named, func(_ *testing.T, f *clickhouse.TLSFiles) { f.ServerName = "" }},
		"no client certificate": {tls.VersionTLS12, anyTrouble, func(_ *testing.T, f *clickhouse.TLSFiles) { f.Cert, f.Key = "", "" }},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := openTLS(t, test.most)
			test.change(t, &h.files)
			_, err := read(t.Context(), h.dial(t, h.files), account(t, "alice"), question("SELECT 1"))
			wantError(t, err, porterhouse.Unavailable, test.says)
			if got := h.seen(); got != "" {
				t.Errorf("the server saw a request of %q", got)
			}
		})
	}
}

// A certificate that has run out is named, and once there is another one all is well.
func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	h := openTLS(t, tls.VersionTLS13)
	client := h.dial(t, h.files)
	ask := func() error {
		_, err := read(t.Context(), client, account(t, "alice"), question("SELECT 1"))
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	h.show(t, time.Now().Add(-time.Minute))
	wantError(t, ask(), porterhouse.Unavailable, "certificate has expired")
	if _, err := client.Check(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "certificate has expired") {
		t.Errorf("Check says %v", err)
	}
	h.show(t, time.Now().Add(time.Hour))
	if err := ask(); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
}

func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	nothing := filepath.Join(dir, "nothing")
	text := filepath.Join(dir, "text")
	write(t, text, []byte("not PEM"))
	for what, files := range map[string]clickhouse.TLSFiles{
		"no such CA":          {CA: nothing},
		"a CA that is none":   {CA: text},
		"a key alone":         {Key: text},
		"a certificate alone": {Cert: text},
		"no such certificate": {Cert: nothing, Key: text},
		"no such key":         {Cert: text, Key: nothing},
		"no PEM":              {Cert: text, Key: text},
	} {
		if _, err := files.Config(); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
