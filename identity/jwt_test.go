package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"porterhouse"
)

func TestEachAlgorithm(t *testing.T) {
	p := newTestProviders(t, at(testNow))
	for _, name := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"} {
		t.Run(name, func(t *testing.T) {
			s := newSigner(name, "k1")
			settings := staticSettings(s)
			settings.Algorithms = []string{name}
			token := s.token(goodClaims(testNow), nil)
			who, err := newTestVerifier(t, p, settings).Verify(t.Context(), token)
			if err != nil || who.Subject != "4711" || who.Proof != "static" || who.Token.Reveal() != token {
				t.Fatalf("proved %+v, %v", who, err)
			}
			settings.Algorithms = slices.DeleteFunc(slices.Clone(defaultAlgorithms), func(other string) bool { return other == name })
			_, err = newTestVerifier(t, p, settings).Verify(t.Context(), token)
			wantReason(t, err, "accepted are")
		})
	}
}

// wantReason wants a refusal with that private reason, and the one public text.
func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	wantKind(t, err, porterhouse.Unauthenticated)
	if err == nil {
		return
	}
	_, want := porterhouse.Explain(refuse(""))
	if _, public := porterhouse.Explain(err); public != want {
		t.Errorf("it looks different from outside: %s", public)
	}
	if !strings.Contains(err.Error(), reason) {
		t.Errorf("the reason is %q, want one with %q", err, reason)
	}
}

// Everything that is wrong with how a token is made, not with what it says.
func TestTokensThatAreMadeUp(t *testing.T) {
	rs, es, other := newSigner("RS256", "rsa"), newSigner("ES256", "ec"), signer{"RS256", "rsa", testKeys()["rsa2"]}
	hs := signer{"HS256", "rsa", []byte(publicKeyPEM(t, rs))}
	claims := goodClaims(testNow)
	good := rs.token(claims, nil)
	parts := strings.Split(good, ".")
	part := base64.RawURLEncoding.EncodeToString
	payload := encoded(claims)
	v := newTestVerifier(t, newTestProviders(t, at(testNow)), staticSettings(rs, es))
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for _, attack := range []struct{ name, token, reason string }{
		{"none", part([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", "no signature"},
		{"none with a signature", rs.token(claims, object{"alg": "none"}), `"none"`},
		{"NONE", rs.token(claims, object{"alg": "NoNe"}), `"NoNe"`},
		{"no algorithm", rs.token(claims, object{"alg": nil}), "names no algorithm"},
		{"HS256 by the public key in PEM", hs.token(claims, nil), `"HS256"`},
		{"HS256 by the modulus", signer{"HS256", "rsa", rs.private.(*rsa.PrivateKey).N.Bytes()}.token(claims, nil), `"HS256"`},
		{"ES256 in name", rs.token(claims, object{"alg": "ES256"}), "no key"},
		{"RS256 by the name of the other key", rs.token(claims, object{"kid": "ec"}), "no key"},
		{"another signature algorithm of the same key", rs.token(claims, object{"alg": "PS256"}), "signature is wrong"},
		{"another key of the same name", other.token(claims, nil), "signature is wrong"},
		{"an unknown key", other.token(claims, object{"kid": "new"}), "no key"},
		{"a key that it brings along", other.token(claims, object{"jwk": other.jwk()}), "signature is wrong"},
		{"a key set that it names", other.token(claims, object{"jku": "https://evil.example.com/jwks"}), "signature is wrong"},
		{"a certificate that it brings along", other.token(claims, object{"x5c": []string{"AAAA"}, "x5u": "https://evil.example.com"}), "signature is wrong"},
		{"a path for a key id", rs.token(claims, object{"kid": "../../etc/passwd"}), "no key"},
		{"a number for a key id", rs.token(claims, object{"kid": 1}), "kid is a number"},
		{"crit", rs.token(claims, object{"crit": []string{"exp"}}), "crit"},
		{"crit, null", rs.sign([]byte(`{"alg":"RS256","kid":"rsa","crit":null}`), payload), "crit"},
		{"unencoded payload", rs.token(claims, object{"b64": false}), "b64"},
		{"nested", rs.token(claims, object{"cty": "JWT"}), "cty"},
		{"compressed", rs.token(claims, object{"zip": "DEF"}), "zip"},
		{"a header key twice", rs.sign([]byte(`{"alg":"RS256","kid":"rsa","alg":"none"}`), payload), "twice"},
		{"an audience twice", rs.sign([]byte(`{"alg":"RS256","kid":"rsa"}`), []byte(strings.Replace(string(payload), "{", `{"aud":"x",`, 1))), "twice"},
		{"a header that is an array", rs.sign([]byte(`["RS256"]`), payload), "no JWT"},
		{"a payload that is an array", rs.sign([]byte(`{"alg":"RS256","kid":"rsa"}`), []byte(`["x"]`)), "not a JSON object"},
		{"a payload that is no JSON", rs.sign([]byte(`{"alg":"RS256","kid":"rsa"}`), []byte(`{"iss":`)), "its payload"},
		{"no payload", rs.sign([]byte(`{"alg":"RS256","kid":"rsa"}`), nil), "its payload"},
		{"detached", parts[0] + ".." + parts[2], "its payload"},
		{"no signature", parts[0] + "." + parts[1] + ".", "no signature"},
		{"two parts", parts[0] + "." + parts[1], "2 parts"},
		{"four parts", good + ".x", "4 parts"},
		{"encrypted", part([]byte(`{"alg":"RSA-OAEP","enc":"A128GCM"}`)) + ".a.b.c.d", "encrypted"},
		{"encrypted in name", rs.token(claims, object{"enc": "A128GCM"}), "enc"},
		{"in JSON", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "in JSON"},
		{"another payload", parts[0] + "." + part(encoded(with(claims, object{"sub": "root"}))) + "." + parts[2], "signature is wrong"},
		{"another header", part(encoded(object{"alg": "RS256", "kid": "rsa"})) + "." + parts[1] + "." + parts[2], "signature is wrong"},
		{"a bit of the signature", good[:len(good)-8] + "AAAA" + good[len(good)-4:], "signature is wrong"},
		{"a shorter signature", parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-6], "signature is wrong"},
		{"bits beyond the last byte", good[:len(good)-1] + string(next64(good[len(good)-1])), "base64url"},
		{"padding", good + "==", "base64url"},
		{"the other base64", parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+/", "base64url"},
		{"a line break", parts[0] + "." + parts[1] + ".\n" + parts[2], "base64url"},
		{"a space before", " " + good, "no JWT"},
		{"an ES256 signature of zeros", strings.Join(strings.Split(es.token(claims, nil), ".")[:2], ".") + "." + part(make([]byte, 64)), "signature is wrong"},
		{"an ES256 signature with a zero between its numbers", longer(es.token(claims, nil)), "signature is wrong"},
		{"an ES256 signature in ASN.1", strings.Join(strings.Split(es.token(claims, nil), ".")[:2], ".") + "." + part([]byte{0x30, 6, 2, 1, 1, 2, 1, 1}), "signature is wrong"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			who, err := v.Verify(t.Context(), attack.token)
			wantReason(t, err, attack.reason)
			if who.Key() != nobody.Key() {
				t.Errorf("it proved %v", who)
			}
			if err != nil && strings.Contains(err.Error(), parts[1][:20]) {
				t.Errorf("the reason holds a part of the token: %v", err)
			}
		})
	}
}

// longer writes a zero before the second number of an ES256 signature.
func longer(token string) string {
	at := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil {
		panic(err)
	}
	return token[:at] + base64.RawURLEncoding.EncodeToString(slices.Insert(signature, 32, 0))
}

// next64 is the character whose lowest bit alone differs, which is beyond the last
// byte where one byte ends in it.
func next64(c byte) byte {
	const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return all[strings.IndexByte(all, c)^1]
}

func TestStaticKey(t *testing.T) {
	rs := newSigner("RS256", "any")
	hs := signer{"HS256", "any", []byte(strings.Repeat("s3cret!!", 4))}
	secret := porterhouse.NewSecret(string(hs.private.([]byte)))
	base := Settings{Name: "static", Type: "jwt_static_key", ExpectedIssuer: testIssuer}
	for _, test := range []struct {
		name   string
		change func(*Settings)
		signer signer
		wrong  string // a part of the error; "": it works
	}{
		{"HMAC", func(s *Settings) { s.Algo, s.StaticKey = "HS256", secret }, hs, ""},
		{"HMAC in base64", func(s *Settings) {
			s.Algo, s.StaticKeyInBase64 = "HS256", true
			s.StaticKey = porterhouse.NewSecret(base64.StdEncoding.EncodeToString(hs.private.([]byte)))
		}, hs, ""},
		{"RSA", func(s *Settings) { s.Algo, s.PublicKey = "RS256", publicKeyPEM(t, rs) }, rs, ""},
		{"EC", func(s *Settings) { s.Algo, s.PublicKey = "ES256", publicKeyPEM(t, newSigner("ES256", "")) }, newSigner("ES256", ""), ""},
		{"Ed25519", func(s *Settings) { s.Algo, s.PublicKey = "Ed25519", publicKeyPEM(t, newSigner("EdDSA", "")) }, newSigner("Ed25519", ""), ""},
		{"no algorithm", func(s *Settings) { s.StaticKey = secret }, hs, "needs algo"},
		{"None", func(s *Settings) { s.Algo = "None" }, hs, `algo "None"`},
		{"a short secret", func(s *Settings) { s.Algo, s.StaticKey = "HS256", porterhouse.NewSecret("secret") }, hs, "fewer than"},
		{"not base64", func(s *Settings) { s.Algo, s.StaticKey, s.StaticKeyInBase64 = "HS256", secret, true }, hs, "base64"},
		{"HMAC by a public key", func(s *Settings) { s.Algo, s.PublicKey = "HS256", publicKeyPEM(t, rs) }, hs, "no public_key"},
		{"RSA by a secret", func(s *Settings) { s.Algo, s.StaticKey = "RS256", secret }, rs, "not in PEM"},
		{"a key of another type", func(s *Settings) { s.Algo, s.PublicKey = "ES256", publicKeyPEM(t, rs) }, rs, "no key for ES256"},
		{"a key of another curve", func(s *Settings) { s.Algo, s.PublicKey = "ES256", publicKeyPEM(t, newSigner("ES384", "")) }, rs, "no key for ES256"},
		{"two keys", func(s *Settings) { s.Algo, s.PublicKey = "RS256", publicKeyPEM(t, rs)+publicKeyPEM(t, rs) }, rs, "after its first key"},
		{"a private key", func(s *Settings) {
			s.Algo = "RS256"
			s.PublicKey = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte{1}}))
		}, rs, "public half"},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings := base
			test.change(&settings)
			processors, err := NewProcessors([]Settings{settings}, testResource, newTestProviders(t, at(testNow)))
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("%v, want %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := processors[0](t.Context(), test.signer.token(goodClaims(testNow), nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

func publicKeyPEM(t testing.TB, s signer) string {
	t.Helper()
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(encoded(s.jwk())); err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKIXPublicKey(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: text}))
}

func TestKeySet(t *testing.T) {
	rs, es := newSigner("RS256", "rsa"), newSigner("ES256", "ec")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	even := rs.jwk()
	even["e"] = base64.RawURLEncoding.EncodeToString(big.NewInt(65536).Bytes())
	koblitz, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := object{"kty": "oct", "kid": "s", "k": base64.RawURLEncoding.EncodeToString(make([]byte, 64))}
	private := with(rs.jwk(), object{"d": "AQAB", "p": "AQAB", "q": "AQAB"})
	for _, test := range []struct {
		name  string
		text  string
		keys  int    // of use; 0: an error
		wrong string // a part of it, or of why keys were left out
	}{
		{"two", jwks(rs.jwk(), es.jwk()), 2, ""},
		{"use: enc", jwks(rs.jwk(), with(es.jwk(), object{"use": "enc"})), 1, `"enc"`},
		{"no use", jwks(with(rs.jwk(), object{"use": nil})), 1, ""},
		{"key_ops without verify", jwks(with(rs.jwk(), object{"key_ops": []string{"encrypt"}})), 0, "key_ops"},
		{"key_ops with verify", jwks(with(rs.jwk(), object{"key_ops": []string{"verify"}})), 1, ""},
		{"an algorithm that we do not know", jwks(with(rs.jwk(), object{"alg": "RSA-OAEP"})), 0, "RSA-OAEP"},
		{"a weak RSA key", jwks(signer{"RS256", "weak", small}.jwk()), 0, "1024 bits"},
		{"an even exponent", jwks(even), 0, "exponent"},
		{"a shared secret", jwks(secret), 0, "shared secret"},
		{"a private key", jwks(private), 0, "key 1"},
		{"another curve", jwks(object{"kty": "EC", "crv": "P-224", "x": part(koblitz.X), "y": part(koblitz.Y)}), 0, "key 1"},
		{"a point off the curve", jwks(with(es.jwk(), object{"x": part(big.NewInt(5)), "y": part(big.NewInt(7))})), 0, "key 1"},
		{"none", jwks(), 0, "no key"},
		{"no keys", `{}`, 0, "no key"},
		{"keys that are text", `{"keys":"x"}`, 0, "key set"},
		{"keys twice", `{"keys":[],"keys":[]}`, 0, "twice"},
		{"an array", `[]`, 0, "not a JSON object"},
		{"too many", jwks(slices.Repeat([]object{es.jwk()}, maxKeys+1)...), 0, "more than the 200"},
		{"too long", `{"keys":[` + strings.Repeat(" ", maxKeySet) + `]}`, 0, "bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := parseKeySet([]byte(test.text))
			if test.keys == 0 {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("%v, want %q", err, test.wrong)
				}
				return
			}
			if err != nil || len(set.keys) != test.keys || !strings.Contains(strings.Join(set.skipped, " "), test.wrong) {
				t.Errorf("%+v, %v", set, err)
			}
		})
	}
}

func part(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(fill(n, 32)) }

// A key is found when there is no choice.
func TestFindKey(t *testing.T) {
	rs, es := newSigner("RS256", "a"), newSigner("ES256", "b")
	twin := signer{"RS256", "a", testKeys()["rsa2"]}
	for _, test := range []struct {
		name  string
		keys  []object
		wants header
		found bool
	}{
		{"by its id", []object{rs.jwk(), es.jwk()}, header{algorithm: "RS256", keyID: "a"}, true},
		{"without an id, one fits", []object{rs.jwk(), es.jwk()}, header{algorithm: "RS256"}, true},
		{"without an id, two fit", []object{rs.jwk(), twin.jwk()}, header{algorithm: "RS256"}, false},
		{"two of the same id", []object{rs.jwk(), twin.jwk()}, header{algorithm: "RS256", keyID: "a"}, false},
		{"of another type", []object{es.jwk()}, header{algorithm: "RS256", keyID: "b"}, false},
		{"for its algorithm", []object{with(rs.jwk(), object{"alg": "RS256"})}, header{algorithm: "RS256", keyID: "a"}, true},
		{"for another algorithm", []object{with(rs.jwk(), object{"alg": "PS256"})}, header{algorithm: "RS256", keyID: "a"}, false},
		{"EdDSA is Ed25519", []object{with(newSigner("EdDSA", "e").jwk(), object{"alg": "Ed25519"})}, header{algorithm: "EdDSA", keyID: "e"}, true},
		{"an HMAC never", []object{rs.jwk()}, header{algorithm: "HS256", keyID: "a"}, false},
	} {
		set, err := parseKeySet([]byte(jwks(test.keys...)))
		if err != nil {
			t.Fatal(err)
		}
		if found := set.has(test.wants); found != test.found {
			t.Errorf("%s: found %v", test.name, found)
		}
	}
}
