package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// The attack list: keys. What a provider publishes is not always a key that proves
// anything, and a signature that fits the algorithm's formulas is not always one.

// forged is a token of a house's claims with a signature made by sign; header is
// alg and kid.
func forged(h *house, key *idp.Key, sign func(signed string) []byte) string {
	signed := idp.Encode([]byte(asText(idp.Claims{"alg": key.Algorithm, "kid": key.ID}))) + "." + idp.Encode([]byte(asText(h.claims(h.person))))
	return signed + "." + idp.Encode(sign(signed))
}

// ofCurve forges an ES256 signature out of the parts that a sound one has.
func ofCurve(change func(r, s, order *big.Int) []byte) func(*testing.T, *house) string {
	return func(t *testing.T, h *house) string {
		key := idp.NewKey(t, "ES256")
		h.signer.Publish(key.JWK())
		return forged(h, key, func(signed string) []byte {
			signature := key.Signature(signed)
			r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
			return change(r, s, key.Private.(*ecdsa.PrivateKey).Params().N)
		})
	}
}

func pair(size int, r, s *big.Int) []byte {
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// publishedAs is a token of a sound key whose entry in the key set was changed.
func publishedAs(algorithm string, change idp.Claims) func(*testing.T, *house) string {
	return func(t *testing.T, h *house) string {
		key := idp.NewKey(t, algorithm)
		jwk := idp.Claims(key.JWK())
		for name, value := range change {
			jwk = jwk.With(name, value)
		}
		h.signer.Publish(jwk)
		return key.Sign(h.claims(h.person))
	}
}

var zero, one = big.NewInt(0), big.NewInt(1)

var weakKeys = []struct {
	name  string
	token func(*testing.T, *house) string
}{
	{"ECDSA: zeros", ofCurve(func(_, _, _ *big.Int) []byte { return make([]byte, 64) })},
	{"ECDSA: r is zero", ofCurve(func(_, s, _ *big.Int) []byte { return pair(32, zero, s) })},
	{"ECDSA: s is zero", ofCurve(func(r, _, _ *big.Int) []byte { return pair(32, r, zero) })},
	{"ECDSA: r and s are the order", ofCurve(func(_, _, n *big.Int) []byte { return pair(32, n, n) })},
	{"ECDSA: r is one, s is one", ofCurve(func(_, _, _ *big.Int) []byte { return pair(32, one, one) })},
	{"ECDSA: r and the order", ofCurve(func(r, s, n *big.Int) []byte { return pair(33, new(big.Int).Add(r, n), s) })},
	{"ECDSA: longer numbers", ofCurve(func(r, s, _ *big.Int) []byte { return pair(33, r, s) })},
	{"ECDSA: r and s the other way round", ofCurve(func(r, s, _ *big.Int) []byte { return pair(32, s, r) })},
	{"ECDSA: in DER", ofCurve(func(r, s, _ *big.Int) []byte {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			panic(err)
		}
		return der
	})},
	{"ECDSA: something after it", ofCurve(func(r, s, _ *big.Int) []byte { return append(pair(32, r, s), 0) })},
	{"ES256 with a key on P-384", func(t *testing.T, h *house) string {
		key := idp.NewKey(t, "ES384")
		jwk := idp.Claims(key.JWK()).With("alg", nil)
		h.signer.Publish(jwk)
		key.Algorithm = "ES256"
		return key.Sign(h.claims(h.person))
	}},
	{"a point that is not on its curve", publishedAs("ES256", idp.Claims{"x": idp.Encode(bytes.Repeat([]byte{1}, 32))})},
	{"EdDSA: S plus the order of the group", func(t *testing.T, h *house) string {
		key := idp.NewKey(t, "EdDSA")
		h.signer.Publish(key.JWK())
		return forged(h, key, func(signed string) []byte { return plusOrder(key.Signature(signed)) })
	}},
	{"RSA with exponent one", func(t *testing.T, h *house) string {
		key := idp.NewKey(t, "RS256")
		h.signer.Publish(idp.Claims(key.JWK()).With("e", idp.Encode([]byte{1})))
		return forged(h, key, paddedDigest) // whose first power is itself
	}},
	{"RSA with 1024 bits", func(t *testing.T, h *house) string {
		private, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		key := &idp.Key{ID: "short", Algorithm: "RS256", Private: private}
		h.signer.Publish(key.JWK())
		return key.Sign(h.claims(h.person))
	}},
	{"a shared secret in the set", publishedAs("HS256", nil)},
	{"a private key in the set", func(t *testing.T, h *house) string {
		key := idp.NewKey(t, "RS256")
		private := key.Private.(*rsa.PrivateKey)
		jwk := idp.Claims(key.JWK()).With("d", idp.Encode(private.D.Bytes())).
			With("p", idp.Encode(private.Primes[0].Bytes())).With("q", idp.Encode(private.Primes[1].Bytes()))
		h.signer.Publish(jwk)
		return key.Sign(h.claims(h.person))
	}},
	{"a key for encryption", publishedAs("RS256", idp.Claims{"use": "enc"})},
	{"a key for encryption, by its operations", publishedAs("RS256", idp.Claims{"use": nil, "key_ops": []string{"encrypt", "wrapKey"}})},
	{"a key for encryption, by its algorithm", publishedAs("RS256", idp.Claims{"alg": "RSA-OAEP-256"})},
	{"a key for another algorithm", publishedAs("RS256", idp.Claims{"alg": "RS512"})},
	{"a key with another id", publishedAs("RS256", idp.Claims{"kid": "another"})},
	{"a kid in another case", func(t *testing.T, h *house) string {
		key := idp.NewKey(t, "RS256")
		key.ID = "KEY"
		h.signer.Publish(idp.Claims(key.JWK()).With("kid", "key"))
		return key.Sign(h.claims(h.person))
	}},
	{"two keys with one id", func(t *testing.T, h *house) string {
		sound, second := h.signer.Key(), idp.NewKey(t, "RS256")
		second.ID = sound.ID
		h.signer.Publish(second.JWK())
		return second.Sign(h.claims(h.person))
	}},
	{"no kid, and several keys", func(t *testing.T, h *house) string {
		h.signer.Publish(idp.NewKey(t, "RS256").JWK())
		return h.signer.Sign(h.claims(h.person), idp.Claims{"kid": nil})
	}},
}

// plusOrder adds the order of Ed25519's group to S: an equation without a check of
// the range still holds.
func plusOrder(signature []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := make([]byte, 32)
	for i, b := range signature[32:] {
		s[31-i] = b
	}
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	forged := bytes.Clone(signature[:32])
	for i := range sum {
		forged = append(forged, sum[31-i])
	}
	return forged
}

// paddedDigest is what a PKCS #1 signature of 2048 bits encloses.
func paddedDigest(signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	info, _ := base64.StdEncoding.DecodeString("MDEwDQYJYIZIAWUDBAIBBQAEIA==")
	tail := append(append([]byte{0}, info...), digest[:]...)
	padded := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 256-2-len(tail))...)
	return append(padded, tail...)
}

func TestWeakKeys(t *testing.T) {
	for _, a := range weakKeys {
		t.Run(a.name, func(t *testing.T) {
			h := dynamicJWKS(t)
			token := a.token(t, h)
			refused(t, h.verifier(t), token, porterhouse.Unauthenticated)
		})
	}
}

// Without a kid, a token passes where there is no choice of keys.
func TestNoKeyIDAndOneKey(t *testing.T) {
	h := dynamicJWKS(t)
	h.signer.Publish(idp.NewKey(t, "ES256").JWK()) // which fits no RS256
	mustProve(t, h.verifier(t), h.signer.Sign(h.claims(h.person), idp.Claims{"kid": nil}))
}

// A key set that cannot be used is an outage of the provider, not a token's fault;
// and one that was known before goes on being used.
func TestUnusableKeySets(t *testing.T) {
	many := []map[string]any{}
	key := idp.NewKey(t, "ES256").JWK()
	for n := range 300 {
		key["kid"] = fmt.Sprint(n)
		many = append(many, idp.Claims(key).With("kid", fmt.Sprint(n)))
	}
	for name, answer := range map[string]http.HandlerFunc{
		"not there":             http.NotFound,
		"a page":                textual("<html>sign in</html>"),
		"empty":                 textual(""),
		"no keys":               textual(`{"keys":[]}`),
		"keys is an object":     textual(`{"keys":{}}`),
		"the keys twice":        textual(`{"keys":[],"keys":[]}`),
		"nested too deep":       textual(`{"keys":[` + string(bytes.Repeat([]byte("["), 9000))),
		"more than is sensible": textual(asText(idp.Claims{"keys": many})),
		"it never ends": func(out http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := out.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
					return
				}
			}
		},
		"it hangs up": func(out http.ResponseWriter, r *http.Request) {
			out.Header().Set("Content-Length", "100")
			_, _ = out.Write([]byte(`{"keys":[`))
		},
		"it leads elsewhere": func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "https://evil.example.com/jwks", http.StatusFound)
		},
		"it leads to the cloud's metadata": func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		},
		"it leads in a circle": func(out http.ResponseWriter, r *http.Request) { http.Redirect(out, r, "/jwks", http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			h := dynamicJWKS(t)
			known := h.verifier(t)
			mustProve(t, known, h.good())
			h.wire.Answer("/jwks", answer)
			refused(t, h.verifier(t), h.good(), porterhouse.Unavailable)
			h.clock.pass(2 * time.Hour)
			mustProve(t, known, h.good())
		})
	}
}

// textual answers with a text.
func textual(text string) http.HandlerFunc {
	return func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		_, _ = out.Write([]byte(text)) // the caller may be gone
	}
}

// A flood of key ids that nobody knows costs the provider a request now and then.
func TestKeyIDFlood(t *testing.T) {
	h := dynamicJWKS(t)
	v, stranger := h.verifier(t), idp.NewKey(t, "ES256")
	mustProve(t, v, h.good())
	before := h.wire.Asked("/jwks")
	for n := range 300 {
		stranger.ID = fmt.Sprint("unknown ", n)
		refused(t, v, stranger.Sign(h.claims(h.person)), porterhouse.Unauthenticated)
	}
	if asked := h.wire.Asked("/jwks") - before; asked > 1 {
		t.Errorf("300 unknown key ids cost %d requests", asked)
	}
	mustProve(t, v, h.good())
}
