package idp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Internet gives stand-ins their own names: a proxy that leads to them, with
// certificates for those names. A client that uses Proxy and trusts CAFile reaches
// https://accounts.google.com as it is written, and never leaves the machine.
type Internet struct {
	Proxy  string // http://127.0.0.1:port
	CAFile string // PEM

	mu      sync.Mutex
	hosts   map[string]http.Handler // by name, without port
	root    *x509.Certificate
	key     *ecdsa.PrivateKey
	tunnels inbox // of the one TLS server
}

// StartInternet starts an Internet with the hosts of the given stand-ins.
func StartInternet(t testing.TB, standIns ...interface {
	Hosts() map[string]http.Handler
}) *Internet {
	t.Helper()
	n := &Internet{hosts: map[string]http.Handler{}, CAFile: filepath.Join(t.TempDir(), "roots.pem"), tunnels: inbox{conns: make(chan net.Conn), end: make(chan struct{})}}
	for _, s := range standIns {
		for name, handler := range s.Hosts() {
			n.Serve(name, handler)
		}
	}
	if err := n.makeRoot(); err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0) // clients that hang up on purpose
	server := &http.Server{Handler: http.HandlerFunc(n.route), ErrorLog: quiet, TLSConfig: &tls.Config{GetCertificate: n.certificate}}
	go func() { _ = server.ServeTLS(&n.tunnels, "", "") }() // until the test closes it
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(n.connect))
	proxy.Config.ErrorLog = quiet
	proxy.Start()
	t.Cleanup(func() {
		_ = server.Close() // what is open has no reader any more
		proxy.Close()
	})
	n.Proxy = proxy.URL
	return n
}

// Serve gives the name, such as api.github.com, to a handler.
func (n *Internet) Serve(name string, handler http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[name] = handler
}

func (n *Internet) host(name string) http.Handler {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[name]
}

// connect is the proxy: it hands the connection over to the TLS server.
func (n *Internet) connect(out http.ResponseWriter, r *http.Request) {
	name, port, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil || port != "443" || n.host(name) == nil {
		http.Error(out, "no such host here: "+r.Host, http.StatusBadGateway)
		return
	}
	conn, _, err := http.NewResponseController(out).Hijack()
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close() // the caller is gone
		return
	}
	select {
	case n.tunnels.conns <- conn:
	case <-n.tunnels.end:
		_ = conn.Close()
	}
}

// route is the TLS server behind the proxy.
func (n *Internet) route(out http.ResponseWriter, r *http.Request) {
	handler := n.host(r.TLS.ServerName)
	if handler == nil || r.Host != r.TLS.ServerName {
		http.Error(out, "certificate and Host disagree", http.StatusMisdirectedRequest)
		return
	}
	handler.ServeHTTP(out, r)
}

func (n *Internet) makeRoot() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if n.root, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	n.key = key
	return os.WriteFile(n.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

// certificate makes one for the name that the client asks for.
func (n *Internet) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, DNSNames: []string{hello.ServerName},
		NotBefore: n.root.NotBefore, NotAfter: n.root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, n.root, n.key.Public(), n.key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: n.key}, err
}

// inbox is a listener for connections that were accepted elsewhere.
type inbox struct {
	conns chan net.Conn
	end   chan struct{} // closed: no more
	once  sync.Once
}

// Accept implements net.Listener.
func (b *inbox) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		return conn, nil
	case <-b.end:
		return nil, errors.New("closed")
	}
}

// Close implements net.Listener.
func (b *inbox) Close() error {
	b.once.Do(func() { close(b.end) })
	return nil
}

// Addr implements net.Listener.
func (b *inbox) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }
