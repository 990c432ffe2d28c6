package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse/sandbox"
)

// authority signs the certificates of a ClickHouse.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t, key, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// sign makes a certificate for an address that ends at some time.
func (a *authority) sign(address string, ends time.Time) *tls.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.ParseIP(address)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: time.Now().AddDate(0, -3, 0), NotAfter: ends,
	}, a.cert, a.key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// envelope is TLS before an interface of ClickHouse, as the sandbox has none.
type envelope struct {
	net.Listener
	to   string
	cert *atomic.Pointer[tls.Certificate]

	mu   sync.Mutex
	open map[net.Conn]bool
}

// wrap starts one, which shows whatever cert is at the time.
func wrap(t *testing.T, to string, cert *atomic.Pointer[tls.Certificate]) *envelope {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &envelope{Listener: l, to: to, cert: cert, open: map[net.Conn]bool{}}
	var done sync.WaitGroup
	t.Cleanup(func() { l.Close(); e.hangUp(); done.Wait() })
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { e.carry(c) })
		}
	})
	return e
}

// carry takes one connection to ClickHouse.
func (e *envelope) carry(plain net.Conn) {
	defer plain.Close()
	e.mu.Lock()
	e.open[plain] = true
	e.mu.Unlock()
	c := tls.Server(plain, &tls.Config{Certificates: []tls.Certificate{*e.cert.Load()}})
	if c.Handshake() != nil {
		return // whoever does not like the certificate
	}
	inside, err := net.Dial("tcp", e.to)
	if err != nil {
		return // as a ClickHouse that is gone
	}
	defer inside.Close()
	var back sync.WaitGroup
	back.Go(func() { _, _ = io.Copy(c, inside); plain.Close() }) // either side may be gone
	_, _ = io.Copy(inside, c)
	inside.Close()
	back.Wait()
}

// hangUp ends all connections, as a server does that takes another certificate.
func (e *envelope) hangUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.open {
		c.Close()
		delete(e.open, c)
	}
}

// sealed is a ClickHouse whose interfaces speak TLS, and a Porterhouse before it.
type sealed struct {
	*house
	cert        atomic.Pointer[tls.Certificate]
	web, native *envelope
}

// openSealed starts both; the certificate is signed by an authority, which is trusted.
func openSealed(t *testing.T, mode string, trusted *authority, cert *tls.Certificate) *sealed {
	t.Helper()
	db, gateway := freshClickHouse(t, sandbox.Options{ExtraConfig: clusterXML})
	if err := db.Exec(t.Context(), "CREATE TABLE scratch.t (n UInt8) ENGINE = Memory"); err != nil {
		t.Fatal(err)
	}
	s := &sealed{}
	s.cert.Store(cert)
	s.web, s.native = wrap(t, strings.TrimPrefix(db.HTTP, "http://"), &s.cert), wrap(t, db.Native, &s.cert)
	s.house = prepareHouse(t, "https://"+s.web.Addr().String(), gateway, settings{extra: "clickhouse_http: {listen: '127.0.0.1:0'}\n"})
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	access := fmt.Sprintf("mode: %s, native: %q, native_tls: true", mode, s.native.Addr())
	if mode == interserver {
		access += `, cluster: house, secret: "file:cluster.secret"`
	}
	s.write("cluster.secret", clusterSecret)
	s.write("ca.pem", trusted.pem())
	s.write("porterhouse.yaml", strings.Replace(string(text), `"file:gateway.password"}`, `"file:gateway.password", tls: {ca: ca.pem}, access: {`+access+`}}`, 1))
	s.tokens["carol"] = s.token("carol@example.com")
	s.start(settings{})
	return s
}

// show lets ClickHouse have another certificate.
func (s *sealed) show(cert *tls.Certificate) {
	s.cert.Store(cert)
	s.web.hangUp()
	s.native.hangUp()
}

// told is what is said at the MCP door, and at the other to a read and a write.
func (s *sealed) told() []string {
	s.t.Helper()
	all := []string{trouble(s.t, s.mustAgent("carol", stateless), "SELECT currentUser()", 20*time.Second)}
	for _, sql := range []string{"SELECT currentUser()", "TRUNCATE TABLE scratch.t"} {
		got, err := way{s.doorURL(), "carol", s.tokens["carol"]}.say(s.t.Context(), http.DefaultClient, post(sql))
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, got.body)
	}
	return all
}

// well reports whether Carol gets at both doors what she asks for.
func (s *sealed) well() bool {
	all := s.told()
	return strings.Contains(all[0], "\ncarol") && all[1] == "carol\n" && all[2] == ""
}

// A certificate of ClickHouse that ends, is exchanged, or is signed by another authority:
// at both doors and over both protocols people are told what the operator has to do, the
// log says why, and when it is done all goes on without a restart.
func TestClickHouseCertificates(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{executeAs, interserver} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			first, second, soon := newAuthority(t, "first"), newAuthority(t, "second"), time.Now().AddDate(0, 1, 0)
			good := first.sign("127.0.0.1", soon)
			s := openSealed(t, mode, first, good)
			if !s.well() {
				t.Fatalf("it does not even begin well: %q", s.told())
			}
			for _, c := range []struct {
				what, want, log string
				cert            *tls.Certificate
				mend            func()
			}{
				{"expired", "certificate has expired, or is not valid yet, so Porterhouse tells it nothing; tell the operator to renew it", "certificate has expired or is not yet valid",
					first.sign("127.0.0.1", time.Now().Add(-time.Hour)), func() { s.show(good) }},
				{"another host's", "or to name that host in the cluster's tls.server_name", "192.0.2.1",
					first.sign("192.0.2.1", soon), func() { s.show(good) }},
				{"another authority's", "tell the operator to name the authority in the cluster's tls.ca", "certificate signed by unknown authority",
					second.sign("127.0.0.1", soon), func() { s.write("ca.pem", second.pem()) }},
			} {
				s.show(c.cert)
				for i, said := range s.told() {
					if !strings.Contains(said, c.want) {
						t.Errorf("%s, %d: it is said %q, nothing of %q", c.what, i, said, c.want)
					}
				}
				if !strings.Contains(s.log.String(), c.log) {
					t.Errorf("%s: the log says nothing of %q", c.what, c.log)
				}
				c.mend()
				s.eventually(c.what+" was mended", 20*time.Second, s.well)
			}
		})
	}
}
