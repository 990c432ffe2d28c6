package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
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
)

// handClock is a clock that the test moves.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// syncBuffer is a buffer that a server may write while the test reads.
type syncBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// newPair makes a certificate for localhost with that serial number, and its key, as PEM.
func newPair(t testing.TB, serial int64, ends time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// put writes a file as careful tools do: beside it, then renamed.
func putFile(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// certificateFiles are the files of a pair that ends in a year, and that pair.
func certificateFiles(t testing.TB, serial int64) TLSPair {
	t.Helper()
	dir := t.TempDir()
	files := TLSPair{Cert: filepath.Join(dir, "server.crt"), Key: filepath.Join(dir, "server.key")}
	replacePair(t, files, serial)
	return files
}

func replacePair(t testing.TB, files TLSPair, serial int64) {
	t.Helper()
	cert, key := newPair(t, serial, time.Now().Add(365*24*time.Hour))
	putFile(t, files.Cert, cert)
	putFile(t, files.Key, key)
}

// serveTLS serves nothing over TLS, and returns the address.
func serveTLS(t testing.TB, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := defaultConfig().HTTP.server(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	server.TLSConfig = config
	done := make(chan error)
	go func() { done <- server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return listener.Addr().String()
}

// serial is that of the certificate which a new client is shown.
func serial(t testing.TB, address string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestANewCertificateIsServed(t *testing.T) {
	files, clock, log := certificateFiles(t, 1), &handClock{now: time.Now()}, &syncBuffer{}
	c, err := openCertificates(files, slog.New(slog.NewTextHandler(log, nil)), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	address := serveTLS(t, c.config())
	want := func(want int64) {
		t.Helper()
		if got := serial(t, address); got != want {
			t.Errorf("certificate %d is served, want %d", got, want)
		}
	}
	want(1)
	replacePair(t, files, 2)
	want(1) // nobody looked yet
	clock.pass(certificateLook)
	want(2)
	replacePair(t, files, 3)
	clock.pass(-time.Hour) // the clock is set back
	want(3)
	if got := strings.Count(log.String(), "read anew"); got != 2 {
		t.Errorf("logged %d times, want 2:\n%s", got, log)
	}
}

// A new pair that cannot be used is told once, and the old one is served.
func TestABrokenCertificateIsNotServed(t *testing.T) {
	files, clock, log := certificateFiles(t, 1), &handClock{now: time.Now()}, &syncBuffer{}
	c, err := openCertificates(files, slog.New(slog.NewTextHandler(log, nil)), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	address := serveTLS(t, c.config())
	otherCert, otherKey := newPair(t, 2, time.Now().Add(time.Hour*1000))
	for _, breakage := range []struct {
		name string
		do   func()
	}{
		{"only the certificate was replaced", func() { putFile(t, files.Cert, otherCert) }},
		{"the key is cut", func() { putFile(t, files.Key, otherKey[:len(otherKey)/2]) }},
		{"the certificate is empty", func() { putFile(t, files.Cert, nil) }},
		{"the certificate is huge", func() {
			putFile(t, files.Cert, bytes.Repeat(otherCert, 1+maxPEM/len(otherCert)))
			putFile(t, files.Key, otherKey)
		}},
		{"the key is gone", func() { putFile(t, files.Cert, otherCert); _ = os.Remove(files.Key) }},
		{"everybody can read the key", func() {
			putFile(t, files.Key, otherKey)
			if err := os.Chmod(files.Key, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		before := strings.Count(log.String(), "level=ERROR")
		breakage.do()
		for range 3 {
			clock.pass(certificateLook)
			if got := serial(t, address); got != 1 {
				t.Errorf("%s: certificate %d is served", breakage.name, got)
			}
		}
		if got := strings.Count(log.String(), "level=ERROR") - before; got != 1 {
			t.Errorf("%s: logged %d times, want once:\n%s", breakage.name, got, log)
		}
		if _, err := openCertificates(files, slog.New(slog.DiscardHandler), clock.Now); err == nil {
			t.Errorf("%s: accepted at the start", breakage.name)
		}
	}
	if err := os.Chmod(files.Key, 0o600); err != nil { // which changes neither time nor size
		t.Fatal(err)
	}
	clock.pass(certificateLook)
	if got := serial(t, address); got != 2 {
		t.Errorf("after the repair certificate %d is served", got)
	}
	before := strings.Count(log.String(), "level=ERROR")
	if err := os.Chmod(files.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	putFile(t, files.Cert, otherCert) // another file, so that both are read
	clock.pass(certificateLook)
	if got := serial(t, address); got != 2 || strings.Count(log.String(), "level=ERROR") != before+1 {
		t.Errorf("the same trouble again: certificate %d is served, logged:\n%s", got, log)
	}
}

func TestCertificatesUnderLoad(t *testing.T) {
	files, clock := certificateFiles(t, 1), &handClock{now: time.Now()}
	c, err := openCertificates(files, slog.New(slog.DiscardHandler), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	address := serveTLS(t, c.config())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			last := int64(0)
			for range 10 {
				got := serial(t, address)
				if got < last {
					t.Errorf("certificate %d after %d", got, last)
				}
				last = got
			}
		})
	}
	for n := range int64(10) {
		replacePair(t, files, 2+n)
		clock.pass(certificateLook)
	}
	clients.Wait()
	clock.pass(certificateLook)
	if got := serial(t, address); got != 11 {
		t.Errorf("in the end certificate %d is served", got)
	}
}

func TestTheEndOfACertificateIsTold(t *testing.T) {
	files, log := certificateFiles(t, 1), &syncBuffer{}
	end := time.Now().Add(40 * 24 * time.Hour).Truncate(time.Second)
	cert, key := newPair(t, 2, end)
	putFile(t, files.Cert, cert)
	putFile(t, files.Key, key)
	clock := &handClock{now: end.Add(-expiryWarning - time.Hour)}
	c, err := openCertificates(files, slog.New(slog.NewTextHandler(log, nil)), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		passed           time.Duration
		warnings, errors int
	}{
		{time.Minute, 0, 0},
		{time.Hour, 1, 0},
		{23 * time.Hour, 1, 0},
		{2 * time.Hour, 2, 0},
		{expiryWarning, 2, 1},
		{time.Hour, 2, 1},
		{24 * time.Hour, 2, 2},
	} {
		clock.pass(step.passed)
		if _, err := c.get(nil); err != nil {
			t.Fatal(err)
		}
		if w, e := strings.Count(log.String(), "level=WARN"), strings.Count(log.String(), "level=ERROR"); w != step.warnings || e != step.errors {
			t.Errorf("%v before the end: %d warnings and %d errors, want %d and %d\n%s", end.Sub(clock.Now()), w, e, step.warnings, step.errors, log)
		}
	}
}

func TestTLSVersions(t *testing.T) {
	files := certificateFiles(t, 1)
	config, err := serverTLS(files, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	address := serveTLS(t, config)
	roots := x509.NewCertPool()
	text, err := os.ReadFile(files.Cert)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		version  uint16
		accepted bool
	}{
		{"1.0", tls.VersionTLS10, false}, {"1.1", tls.VersionTLS11, false}, {"1.2", tls.VersionTLS12, true}, {"1.3", tls.VersionTLS13, true},
	} {
		client := &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: test.version, MaxVersion: test.version, NextProtos: []string{"h2"}}
		conn, err := tls.Dial("tcp", address, client)
		if (err == nil) != test.accepted {
			t.Errorf("TLS %s: %v", test.name, err)
		}
		if err == nil {
			if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
				t.Errorf("TLS %s: protocol %q, want h2", test.name, got)
			}
			conn.Close()
		}
	}
}
