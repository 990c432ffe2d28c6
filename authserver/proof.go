package authserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// proofAlgorithms are what clients may sign with: only what has a public key, so
// that no public key can be taken for a shared secret.
var proofAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.RS256, jose.EdDSA}

// proofAlgorithmNames are the same, for the metadata.
func proofAlgorithmNames() []string {
	var names []string
	for _, a := range proofAlgorithms {
		names = append(names, string(a))
	}
	return names
}

// isProofKey reports whether a key is public and strong enough to prove anything.
func isProofKey(key jose.JSONWebKey) bool {
	switch key := key.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= 2048 && key.N.BitLen() <= 8192
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

const (
	maxProof     = 8 << 10         // bytes of a client's assertion
	maxProofID   = 256             // bytes of its jti
	maxProofLife = 5 * time.Minute // until its exp
	clockSkew    = 30 * time.Second
)

// proofClaims are those of a client's assertion that count (RFC 7523, 3).
type proofClaims struct {
	Issuer    string  `json:"iss"`
	Subject   string  `json:"sub"`
	Audience  names   `json:"aud"`
	Expires   float64 `json:"exp"`
	NotBefore float64 `json:"nbf"`
	Issued    float64 `json:"iat"`
	ID        string  `json:"jti"`
}

// names is a string or a list of them (RFC 7519, 2).
type names []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*n = []string{""}
		return json.Unmarshal(text, &(*n)[0])
	}
	return json.Unmarshal(text, (*[]string)(n))
}

// parseProof reads an assertion whose signature nobody has checked.
func parseProof(text string) (*jose.JSONWebSignature, *proofClaims, error) {
	if len(text) > maxProof {
		return nil, nil, refuse("invalid_client", "the client_assertion has more than the %d bytes allowed", maxProof)
	}
	signed, err := jose.ParseSignedCompact(text, proofAlgorithms)
	if err != nil {
		return nil, nil, refuse("invalid_client", "the client_assertion is no JWT signed with a public key").because(err)
	}
	claims := &proofClaims{}
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), claims); err != nil {
		return nil, nil, refuse("invalid_client", "the claims of the client_assertion cannot be read").because(err)
	}
	return signed, claims, nil
}

// subjectOf is the client that an assertion says it is of.
func subjectOf(assertion string) (string, error) {
	_, claims, err := parseProof(assertion)
	if err != nil {
		return "", err
	}
	return claims.Subject, nil
}

// proveByKey returns nil when an assertion is signed by a key of the client, says
// that it is for us and from it, is about to end, and is new.
func (s *Server) proveByKey(ctx context.Context, c Client, assertion, remote string) error {
	signed, claims, err := parseProof(assertion)
	if err != nil {
		return err
	}
	if err := claims.check(c.ID, s.proofAudiences(), s.Now()); err != nil {
		return err
	}
	header := signed.Signatures[0].Protected
	keys, err := s.clients.documents.keysOf(ctx, c, remote, func(keys []jose.JSONWebKey) bool { return len(fitting(keys, header)) > 0 })
	if err != nil {
		return err
	}
	for _, key := range fitting(keys, header) {
		if _, err := signed.Verify(key); err == nil {
			return s.once(ctx, c, claims, remote)
		}
	}
	return refuse("invalid_client", "the client_assertion is not signed by a key of the client %s (kid %s)", shown(c.ID), shown(header.KeyID))
}

// fitting are the keys that may have signed what has a header.
func fitting(keys []jose.JSONWebKey, header jose.Header) []jose.JSONWebKey {
	return slices.DeleteFunc(slices.Clone(keys), func(key jose.JSONWebKey) bool {
		return header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm
	})
}

// proofAudiences are what an assertion may be for: us, by any of our names.
func (c *Config) proofAudiences() []string {
	return []string{c.Issuer, c.Issuer + pathToken, c.Issuer + pathOtherToken}
}

// check holds the claims to RFC 7523, 3, and to a short life.
func (a *proofClaims) check(id string, audiences []string, now time.Time) error {
	at := func(seconds float64) time.Time { return time.Unix(int64(seconds), 0) }
	switch {
	case a.Issuer != id || a.Subject != id:
		return refuse("invalid_client", "the client_assertion must have the client's id as iss and sub")
	case !slices.ContainsFunc(audiences, func(ours string) bool { return slices.Contains(a.Audience, ours) }):
		return refuse("invalid_client", "the client_assertion is not for this server: its aud must be %s", audiences[0])
	case a.Expires <= 0 || !now.Before(at(a.Expires).Add(clockSkew)):
		return refuse("invalid_client", "the client_assertion has ended, or has no exp")
	case at(a.Expires).Sub(now) > maxProofLife+clockSkew:
		return refuse("invalid_client", "the client_assertion must end within %v", maxProofLife)
	case at(a.NotBefore).After(now.Add(clockSkew)) || at(a.Issued).After(now.Add(clockSkew)):
		return refuse("invalid_client", "the client_assertion is of the future: is the client's clock right?")
	case a.ID == "" || len(a.ID) > maxProofID:
		return refuse("invalid_client", "the client_assertion must have a jti of at most %d bytes", maxProofID)
	}
	return nil
}

// once marks an assertion as used: of several who bring it, on any replica, one wins.
// Anybody can be a client by a document, and sign as many as they like, so the marks
// of such clients are bounded: they must not fill the store for everybody.
func (s *Server) once(ctx context.Context, c Client, a *proofClaims, remote string) error {
	if c.Known != ByOperator && !(s.Limits.proofs.take(remote) && s.Limits.allProofs.takeKey("")) {
		return refuse("temporarily_unavailable", "clients proved themselves too often from your network, or altogether; try again in a moment").as(http.StatusTooManyRequests)
	}
	sum := sha256.Sum256([]byte(c.ID + "\x00" + a.ID))
	life := time.Unix(int64(a.Expires), 0).Sub(s.Now()) + 2*clockSkew
	won, err := s.Store.Swap(ctx, "client-assertion/"+hex.EncodeToString(sum[:]), nil, []byte{1}, life)
	if err != nil {
		return refuse("temporarily_unavailable", "nobody can tell now whether the client_assertion was used before; try again with a new one").because(err)
	}
	if !won {
		return refuse("invalid_client", "the client_assertion was used before: each needs a jti of its own")
	}
	return nil
}
