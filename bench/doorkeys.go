package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyLife is how long what is made here is good for.
const keyLife = 24 * time.Hour

// makeJWT makes a key as providers have them, writes its public half to a file as they
// publish it (RFC 7517), and returns a token of it for the asker.
func makeJWT(file string, now time.Time) (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	const id = "bench"
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: id, Algorithm: string(jose.RS256), Use: "sig"}}})
	if err == nil {
		err = os.WriteFile(file, set, freshFiles)
	}
	if err != nil {
		return "", err
	}
	private := jose.JSONWebKey{Key: key, KeyID: id}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: private}, nil)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(object{"iss": "https://idp.example.com", "sub": "alice", "email": freshAsker, "email_verified": true, "aud": "bench",
		"iat": now.Unix(), "exp": now.Add(keyLife).Unix()})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// makeCertificate makes a certificate for loopback, in path.crt and path.key.
func makeCertificate(path string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	about := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(keyLife), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, &about, &about, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), freshFiles); err != nil {
		return err
	}
	return os.WriteFile(path+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), freshFiles)
}
