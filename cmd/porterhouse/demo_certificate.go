package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files of the demo's certificate, in its directory.
const (
	caFile         = "ca.crt"
	serverCertFile = "server.crt"
	serverKeyFile  = "server.key"
)

const (
	certificateLife    = 90 * oneDay
	certificateTooNear = 7 * oneDay // its end, to be used once more
)

// demoCertificate is the directory of the demo's certificate, which is for this machine.
type demoCertificate string

// ca is the file by which clients trust it.
func (dir demoCertificate) ca() string { return filepath.Join(string(dir), caFile) }

// make is the one of yesterday, which a client may trust already, or a new one. The key
// of its issuer is kept nowhere, so whoever trusts the issuer trusts nothing else.
func (dir demoCertificate) make() (*TLSPair, error) {
	pair := &TLSPair{Cert: filepath.Join(string(dir), serverCertFile), Key: filepath.Join(string(dir), serverKeyFile)}
	if isGoodUntil(pair.Cert, time.Now().Add(certificateTooNear)) {
		return pair, nil
	}
	now := time.Now()
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Porterhouse demo on this machine"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	return pair, dir.issue(issuer, server, pair)
}

// issue signs both certificates and writes what the server and its clients need.
func (dir demoCertificate) issue(issuer, server *x509.Certificate, pair *TLSPair) error {
	issuerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	root, err := x509.CreateCertificate(rand.Reader, issuer, issuer, issuerKey.Public(), issuerKey)
	if err != nil {
		return err
	}
	leaf, err := x509.CreateCertificate(rand.Reader, server, issuer, key.Public(), issuerKey)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		path, kind string
		content    []byte
	}{{pair.Key, "PRIVATE KEY", private}, {dir.ca(), "CERTIFICATE", root}, {pair.Cert, "CERTIFICATE", leaf}} {
		if err := os.WriteFile(file.path, pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.content}), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// isGoodUntil reports whether a file holds a certificate that has not ended by then.
func isGoodUntil(path string, then time.Time) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	return err == nil && then.Before(certificate.NotAfter)
}
