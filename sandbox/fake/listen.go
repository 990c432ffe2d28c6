package fake

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
	"log"
	"math/big"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Server is a persona at its door.
type Server struct {
	Persona
	URL string // http:// or https://, on loopback
	CA  []byte // the PEM form of whom to trust; nil: it speaks no TLS

	http *http.Server
	done chan struct{}
}

// Start lets a persona stand in front of the real ClickHouse at upstream, such as
// http://127.0.0.1:8123, after whose set-up it asks nobody. Nobody is upstream of a
// Stranger.
func Start(p Persona, upstream string) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fake: no free port on loopback: %w", err)
	}
	s := &Server{Persona: p, URL: "http://" + listener.Addr().String(), done: make(chan struct{})}
	if p.Flaps {
		listener = &flapping{Listener: listener}
	}
	if p.OldCertificate {
		certificate, authority, err := oldCertificate(time.Now())
		if err != nil {
			listener.Close()
			return nil, fmt.Errorf("fake: making a certificate: %w", err)
		}
		s.URL, s.CA = "https://"+s.URL[len("http://"):], authority
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	s.http = &http.Server{Handler: newManners(p, upstream), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // it ends when Close is called, and says so
	}()
	return s, nil
}

// Close ends the persona and its connections.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// flapping hangs up on every other connection, the first one included.
type flapping struct {
	net.Listener
	count atomic.Int64
}

func (f *flapping) Accept() (net.Conn, error) {
	for {
		connection, err := f.Listener.Accept()
		if err != nil || f.count.Add(1)%2 == 0 {
			return connection, err
		}
		connection.Close()
	}
}

// oldCertificate makes a certificate for loopback that ended a day before now, and
// the authority that has signed it, which is good.
func oldCertificate(now time.Time) (certificate tls.Certificate, authority []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "An authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: displayName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.AddDate(0, -3, 0), NotAfter: now.AddDate(0, 0, -1), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	ended, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{ended}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), nil
}
