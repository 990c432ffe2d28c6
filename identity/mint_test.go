package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A provider's signer, for tests: it signs whatever it is told to, also what no
// library would.

// object is a JSON object in the making.
type object = map[string]any

// signer signs tokens by one key.
type signer struct {
	algorithm string
	id        string
	private   any // []byte, *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey
}

// testKeys are expensive to make, so there is one of each kind.
var testKeys = sync.OnceValue(func() map[string]any {
	must := func(key any, err error) any {
		if err != nil {
			panic(err)
		}
		return key
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	return map[string]any{
		"rsa":  must(rsa.GenerateKey(rand.Reader, 2048)),
		"rsa2": must(rsa.GenerateKey(rand.Reader, 2048)),
		"p256": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"p384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"p521": must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"ed":   must(edwards, err),
	}
})

func newSigner(algorithm, id string) signer {
	key := map[string]string{"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed", "Ed25519": "ed"}[algorithm]
	if key == "" {
		key = "rsa"
	}
	return signer{algorithm, id, testKeys()[key]}
}

// jwk is the public half as it is published.
func (s signer) jwk() object {
	text, err := jose.JSONWebKey{Key: s.private.(interface{ Public() crypto.PublicKey }).Public(), KeyID: s.id, Use: "sig"}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	var key object
	if err := json.Unmarshal(text, &key); err != nil {
		panic(err)
	}
	return key
}

// jwks is the key set of several.
func jwks(keys ...object) string { return string(encoded(object{"keys": keys})) }

func encoded(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// with returns c with other members; a nil takes one out.
func with(c object, other object) object {
	c = maps.Clone(c)
	maps.Copy(c, other)
	maps.DeleteFunc(c, func(_ string, value any) bool { return value == nil })
	return c
}

// token signs claims with the usual header, changed by other.
func (s signer) token(c object, other object) string {
	return s.sign(encoded(with(object{"alg": s.algorithm, "kid": s.id, "typ": "JWT"}, other)), encoded(c))
}

// sign signs any header and payload.
func (s signer) sign(header, payload []byte) string {
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return signed + "." + base64.RawURLEncoding.EncodeToString(s.signature(signed))
}

func (s signer) signature(signed string) []byte {
	by := algorithms[s.algorithm]
	var digest []byte
	if by.hash != 0 {
		digest = digestBy(by.hash, signed)
	}
	must := func(signature []byte, err error) []byte {
		if err != nil {
			panic(err)
		}
		return signature
	}
	switch key := s.private.(type) {
	case []byte:
		mac := hmac.New(by.hash.New, key)
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	case *rsa.PrivateKey:
		if s.algorithm[0] == 'P' {
			return must(rsa.SignPSS(rand.Reader, key, by.hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		}
		return must(rsa.SignPKCS1v15(rand.Reader, key, by.hash, digest))
	case *ecdsa.PrivateKey:
		r, sum, err := ecdsa.Sign(rand.Reader, key, digest)
		size := (key.Params().BitSize + 7) / 8
		return must(append(fill(r, size), fill(sum, size)...), err)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(signed))
	}
	panic("no such key")
}

func fill(n *big.Int, size int) []byte { return n.FillBytes(make([]byte, size)) }

// The provider and the resource of the tests.
const (
	testIssuer   = "https://idp.example.com"
	testAudience = "https://porterhouse.example.com/mcp"
)

var testResource = Resource{Door: "mcp", Cluster: "main", Audiences: []string{testAudience}}

// goodClaims are of a token that everybody accepts at that moment.
func goodClaims(now time.Time) object {
	return object{
		"iss": testIssuer, "sub": "4711", "aud": testAudience, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"azp": "claude", "jti": "t1", "email": "alice@example.com", "email_verified": true,
		"groups": []string{"analysts", "staff"}, "scope": "openid clickhouse",
	}
}

// newTestProviders have nobody to ask.
func newTestProviders(t testing.TB, now func() time.Time) *Providers {
	t.Helper()
	p, err := NewProviders(ProvidersConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newTestVerifier has the processors of settings.
func newTestVerifier(t testing.TB, p *Providers, settings ...Settings) *Verifier {
	t.Helper()
	processors, err := NewProcessors(settings, testResource, p)
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(Config{Processors: processors})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// staticSettings are of a processor that knows the keys of these signers.
func staticSettings(signers ...signer) Settings {
	var keys []object
	for _, s := range signers {
		keys = append(keys, s.jwk())
	}
	return Settings{Name: "static", Type: "jwt_static_jwks", StaticJWKS: jwks(keys...), ExpectedIssuer: testIssuer}
}
