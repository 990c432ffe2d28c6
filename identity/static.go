package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"porterhouse"
)

// signedBy is a processor of tokens that are JWTs: jwt_static_key, jwt_static_jwks
// and jwt_dynamic_jwks, and a part of openid.
type signedBy struct {
	rules      *rules
	signatures signatures
	// issuer is the one that the provider itself tells; "": the settings say.
	issuer string
}

// newSigned makes a processor whose keys the settings name.
func newSigned(s Settings, r Resource, p *Providers) (Processor, error) {
	rules, err := newRules(s, r, p)
	if err != nil {
		return nil, err
	}
	mine := signedBy{rules: rules}
	if mine.signatures.algorithms, err = algorithmsOf(s); err != nil {
		return nil, err
	}
	switch s.Type {
	case "jwt_dynamic_jwks":
		mine.signatures.ring = ringOf(p.keysAt(s.JWKSURI, s.JWKSCacheLifetime))
		return mine.verify, nil
	case "jwt_static_key":
		mine.signatures.algorithms = []string{s.Algo}
	}
	set, err := configuredKeys(s)
	if err != nil {
		return nil, err
	}
	mine.signatures.ring = set.ring
	if s.Type == "jwt_static_key" { // the one key has no id, whatever a token says
		mine.signatures.ring = set.only
	}
	return mine.verify, nil
}

// configuredKeys are those that stand in the settings.
func configuredKeys(s Settings) (*keySet, error) {
	switch {
	case s.Type == "jwt_static_key":
		return configuredKey(s)
	case s.StaticJWKSFile == "":
		return parseKeySet([]byte(s.StaticJWKS))
	}
	text, err := os.ReadFile(s.StaticJWKSFile)
	if err != nil {
		return nil, fmt.Errorf("static_jwks_file: %w", err)
	}
	return parseKeySet(text)
}

// prove takes t for a token of this processor, whatever comes of it.
func (s signedBy) prove(ctx context.Context, t jwt) (porterhouse.Principal, error) {
	if err := s.signatures.verify(ctx, t); err != nil {
		return porterhouse.Principal{}, err
	}
	return s.rules.judge(ctx, t.claims, claimSource{header: &t.header, issuer: s.issuer})
}

// verify implements Processor for types whose tokens are JWTs alone.
func (s signedBy) verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	t, err := s.rules.mine(ctx, token)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if len(s.rules.issuers) == 0 {
		// Without an issuer to go by, the key tells whose token it is.
		if key, err := s.signatures.ring(ctx, t.header); err == nil && key == nil {
			return porterhouse.Principal{}, notMine("no key of ours has its key id %q and is for %s", abridged(t.header.keyID), abridged(t.header.algorithm))
		}
	}
	return s.prove(ctx, t)
}

// mine takes a JWT apart that says it is of this processor's issuer. Others are
// not mine; one that cannot be read is nobody's.
func (r *rules) mine(ctx context.Context, token string) (jwt, error) {
	t, err := parseJWT(token)
	if errors.Is(err, errNoJWT) {
		return jwt{}, notMine("%w", err)
	}
	if err != nil {
		return jwt{}, refuse("%w", err)
	}
	if issuer, _ := t.claims["iss"].(string); !r.claimsMine(issuer) {
		return jwt{}, notMine("its issuer is %q, not %s", abridged(issuer), quoted(r.issuers))
	}
	traceOf(ctx).note("it is a JWT for this processor, by its issuer")
	return t, nil
}

// notMine passes a token on, and says why.
func notMine(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrNotMine, fmt.Errorf(format, args...))
}

// configuredKey reads the one key of jwt_static_key; its algorithm is the only one.
func configuredKey(s Settings) (*keySet, error) {
	by, known := algorithms[s.Algo]
	if !known {
		return nil, fmt.Errorf("algo %q is not known: it is one of HS, RS, PS, ES with 256, 384 or 512, or EdDSA (Ed25519)", s.Algo)
	}
	var key any
	var err error
	if by.fits([]byte(nil)) {
		key, err = sharedSecret(s)
	} else {
		key, err = publicPEM(s.PublicKey)
	}
	if err != nil {
		return nil, err
	}
	if !by.fits(key) {
		return nil, fmt.Errorf("public_key is no key for %s", s.Algo)
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return &keySet{keys: []publicKey{{algorithm: s.Algo, key: key}}}, nil
}

func sharedSecret(s Settings) ([]byte, error) {
	if s.PublicKey != "" {
		return nil, fmt.Errorf("%s wants static_key, a shared secret, and no public_key", s.Algo)
	}
	if s.StaticKey.IsZero() {
		return nil, fmt.Errorf("%s wants static_key, the shared secret", s.Algo)
	}
	if !s.StaticKeyInBase64 {
		return []byte(s.StaticKey.Reveal()), nil
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s.StaticKey.Reveal()))
	if err != nil {
		return nil, errors.New("static_key is not base64, as static_key_in_base64 says") // err would quote it
	}
	return secret, nil
}

// publicPEM reads a public key, or that of a certificate.
func publicPEM(text string) (any, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("public_key is not in PEM (-----BEGIN PUBLIC KEY-----)")
	}
	if strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("public_key has something after its first key")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	default:
		return nil, fmt.Errorf("public_key is a %q: only the public half belongs here", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("public_key: %w", err)
	}
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return key, nil
	}
	return nil, fmt.Errorf("public_key is of the type %T, which signs no tokens", key)
}
