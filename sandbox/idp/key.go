package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256.New
	_ "crypto/sha512" // for crypto.SHA384.New and crypto.SHA512.New
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"testing"
)

// Claims are the payload of a token, or the answer of an endpoint. A nil value
// leaves the claim out.
type Claims map[string]any

// With returns a copy of c with the changes, each a name and a value.
func (c Claims) With(name string, value any) Claims {
	changed := maps.Clone(c)
	if changed == nil {
		changed = Claims{}
	}
	if changed[name] = value; value == nil {
		delete(changed, name)
	}
	return changed
}

// Key signs tokens, on the standard library alone: what Porterhouse verifies with
// a JOSE library is not made by the same.
type Key struct {
	ID        string // kid
	Algorithm string // such as RS256
	Private   crypto.Signer
	Secret    []byte // of the HS algorithms
}

// NewKey makes a key for RS256, PS256, ES256, ES384, ES512, EdDSA, HS256 or the
// like. Its id is random.
func NewKey(t testing.TB, algorithm string) *Key {
	t.Helper()
	k := &Key{ID: rand.Text(), Algorithm: algorithm}
	var err error
	switch algorithm {
	case "ES256":
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		k.Private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		k.Private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	case "HS256", "HS384", "HS512":
		k.Secret = []byte(rand.Text() + rand.Text() + rand.Text())
	default:
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Encode is base64url without padding, as JOSE writes everything.
func Encode(text []byte) string { return base64.RawURLEncoding.EncodeToString(text) }

// JWK is the public key as it stands in a key set; of an HS key the secret.
func (k *Key) JWK() map[string]any {
	jwk := map[string]any{"kid": k.ID, "alg": k.Algorithm, "use": "sig"}
	if k.Private == nil {
		jwk["kty"], jwk["k"] = "oct", Encode(k.Secret)
		return jwk
	}
	switch public := k.Private.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", Encode(public.N.Bytes()), Encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, x, y
		if err != nil {
			panic(err) // a key that the standard library made
		}
		half := (len(point) - 1) / 2
		jwk["kty"], jwk["crv"] = "EC", public.Params().Name
		jwk["x"], jwk["y"] = Encode(point[1:1+half]), Encode(point[1+half:])
	case ed25519.PublicKey:
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", Encode(public)
	}
	return jwk
}

// Sign makes a JWT. Changes to the header (alg, kid and typ: JWT) win; a nil value
// leaves the parameter out.
func (k *Key) Sign(claims Claims, changes ...Claims) string {
	header := Claims{"alg": k.Algorithm, "kid": k.ID, "typ": "JWT"}
	for _, change := range changes {
		for name, value := range change {
			header = header.With(name, value)
		}
	}
	return k.SignText(text(header), text(claims))
}

// text is value in JSON.
func text(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err) // the test's own value
	}
	return string(encoded)
}

// SignText makes a JWS of a header and a payload as they are, sound or not. The
// signature is the key's own algorithm's, whatever the header says.
func (k *Key) SignText(header, payload string) string {
	signed := Encode([]byte(header)) + "." + Encode([]byte(payload))
	return signed + "." + Encode(k.Signature(signed))
}

// Signature signs text with the key's own algorithm, in the form that JWS wants.
func (k *Key) Signature(text string) []byte {
	var hash crypto.Hash
	switch k.Algorithm[2:] {
	case "384":
		hash = crypto.SHA384
	case "512":
		hash = crypto.SHA512
	default:
		hash = crypto.SHA256
	}
	if k.Private == nil {
		mac := hmac.New(hash.New, k.Secret)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	if private, ok := k.Private.(ed25519.PrivateKey); ok {
		return ed25519.Sign(private, []byte(text))
	}
	digest := hash.New()
	digest.Write([]byte(text))
	signature, err := k.signDigest(digest.Sum(nil), hash)
	if err != nil {
		panic(fmt.Sprintf("a key of the test's own cannot sign: %v", err))
	}
	return signature
}

func (k *Key) signDigest(digest []byte, hash crypto.Hash) ([]byte, error) {
	switch private := k.Private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest)
		if err != nil {
			return nil, err
		}
		size := (private.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...), nil
	case *rsa.PrivateKey:
		if k.Algorithm[:2] == "PS" {
			return rsa.SignPSS(rand.Reader, private, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, private, hash, digest)
	}
	return nil, fmt.Errorf("no way to sign with %T", k.Private)
}
