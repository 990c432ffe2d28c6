package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // linked in for crypto.SHA256
	_ "crypto/sha512" // and for the longer ones
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// algorithm is a way to sign a token (RFC 7518), bound to one type of key: a key of
// another type never meets it, so that a public key is no HMAC secret to anybody.
type algorithm struct {
	hash  crypto.Hash
	fits  func(key any) bool
	valid func(hash crypto.Hash, key any, signed string, signature []byte) bool
}

// algorithms are all there are. "none" is not among them.
var algorithms = map[string]algorithm{
	"HS256": {crypto.SHA256, isSecret, validHMAC},
	"HS384": {crypto.SHA384, isSecret, validHMAC},
	"HS512": {crypto.SHA512, isSecret, validHMAC},
	"RS256": {crypto.SHA256, isRSA, validPKCS1},
	"RS384": {crypto.SHA384, isRSA, validPKCS1},
	"RS512": {crypto.SHA512, isRSA, validPKCS1},
	"PS256": {crypto.SHA256, isRSA, validPSS},
	"PS384": {crypto.SHA384, isRSA, validPSS},
	"PS512": {crypto.SHA512, isRSA, validPSS},
	"ES256": {crypto.SHA256, isOn(elliptic.P256()), validECDSA},
	"ES384": {crypto.SHA384, isOn(elliptic.P384()), validECDSA},
	"ES512": {crypto.SHA512, isOn(elliptic.P521()), validECDSA},
	"EdDSA": {0, isEd25519, validEd25519},
	// RFC 9864's name for the same.
	"Ed25519": {0, isEd25519, validEd25519},
}

// defaultAlgorithms are accepted where nobody said which: those with a public key
// that are not being phased out.
var defaultAlgorithms = []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}

func isSecret(key any) bool  { _, ok := key.([]byte); return ok }
func isRSA(key any) bool     { _, ok := key.(*rsa.PublicKey); return ok }
func isEd25519(key any) bool { _, ok := key.(ed25519.PublicKey); return ok }

func isOn(curve elliptic.Curve) func(any) bool {
	return func(key any) bool {
		public, ok := key.(*ecdsa.PublicKey)
		return ok && public.Curve == curve
	}
}

func digestBy(hash crypto.Hash, signed string) []byte {
	h := hash.New()
	h.Write([]byte(signed))
	return h.Sum(nil)
}

func validHMAC(hash crypto.Hash, key any, signed string, signature []byte) bool {
	mac := hmac.New(hash.New, key.([]byte))
	mac.Write([]byte(signed))
	return hmac.Equal(mac.Sum(nil), signature)
}

func validPKCS1(hash crypto.Hash, key any, signed string, signature []byte) bool {
	return rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), hash, digestBy(hash, signed), signature) == nil
}

func validPSS(hash crypto.Hash, key any, signed string, signature []byte) bool {
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	return rsa.VerifyPSS(key.(*rsa.PublicKey), hash, digestBy(hash, signed), signature, options) == nil
}

// validECDSA: the signature is two numbers, each as long as the curve's order.
func validECDSA(hash crypto.Hash, key any, signed string, signature []byte) bool {
	public := key.(*ecdsa.PublicKey)
	size := (public.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(public, digestBy(hash, signed), r, s)
}

func validEd25519(_ crypto.Hash, key any, signed string, signature []byte) bool {
	return ed25519.Verify(key.(ed25519.PublicKey), []byte(signed), signature)
}

// checkKey refuses keys that are too weak to prove anything, and those that would
// take too long.
func checkKey(key any) error {
	switch key := key.(type) {
	case []byte:
		if len(key) < minSecret {
			return fmt.Errorf("the secret has %d bytes, fewer than the %d that cannot be guessed", len(key), minSecret)
		}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
			return fmt.Errorf("the RSA key has %d bits, and %d to %d are accepted", bits, minRSA, maxRSA)
		}
		if key.E < 3 || key.E%2 == 0 {
			return fmt.Errorf("the RSA key's exponent %d is weak", key.E)
		}
	case *ecdsa.PublicKey:
		if !slices.ContainsFunc([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, func(c elliptic.Curve) bool { return c == key.Curve }) {
			return errors.New("the key is on none of the curves P-256, P-384 and P-521")
		}
		if _, err := key.ECDH(); err != nil {
			return errors.New("the key is not a point on its curve")
		}
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("the Ed25519 key has %d bytes instead of %d", len(key), ed25519.PublicKeySize)
		}
	default:
		return fmt.Errorf("keys of type %T are not known", key)
	}
	return nil
}

const (
	minSecret = 32   // bytes
	minRSA    = 2048 // bits
	maxRSA    = 8192 // bits
)
