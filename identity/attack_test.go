package identity_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/sandbox/idp"
)

// The attack list: tokens. Each attack makes a token out of one that is sound, so
// that it passes if the one thing is not noticed that is wrong with it. All of them
// are tried on every kind of processor that checks signatures by public keys.

type attack struct {
	name  string
	token func(*workshop) string
}

var forgeries = []attack{
	{"alg none", unsigned("none")},
	{"alg None", unsigned("None")},
	{"alg NONE", unsigned("NONE")},
	{"alg nOnE", unsigned("nOnE")},
	{"alg none with a space", unsigned("none ")},
	{"alg none with a signature", headed("alg", "none")},
	{"no alg", headed("alg", nil)},
	{"no alg and no signature", unsigned(nil)},
	{"empty alg", headed("alg", "")},
	{"alg is null", func(w *workshop) string {
		return w.key.SignText(strings.Replace(asText(w.header), `"RS256"`, "null", 1), asText(w.claims))
	}},
	{"alg is a list", headed("alg", []string{"RS256"})},
	{"alg is a number", headed("alg", 256)},
	{"alg in lower case", headed("alg", "rs256")},
	{"alg is not known", headed("alg", "ES256K")},
	{"alg is SHA-1", headed("alg", "RS1")},
	{"alg RS256 of a key for another", func(w *workshop) string {
		key := *w.key
		key.Algorithm = "RS512"
		return key.Sign(w.claims)
	}},
	{"alg PS256 of a key for RS256", func(w *workshop) string {
		key := *w.key
		key.Algorithm = "PS256"
		return key.Sign(w.claims)
	}},
	{"alg ES256 with an RSA key's id", theirs(func(w *workshop) idp.Claims { return nil })},
	{"alg EdDSA with an RSA key's id", func(w *workshop) string { return w.signed(w.header.With("alg", "EdDSA"), w.claims) }},

	{"HS256 with the public key in PEM", keyed("HS256", func(w *workshop) []byte { return inPEM("PUBLIC KEY", pkix(w)) })},
	{"HS256 with the public key in PEM, without its last line break", keyed("HS256", func(w *workshop) []byte {
		return []byte(strings.TrimSpace(string(inPEM("PUBLIC KEY", pkix(w)))))
	})},
	{"HS256 with the public key in PEM of PKCS #1", keyed("HS256", func(w *workshop) []byte { return inPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(public(w))) })},
	{"HS256 with the public key in DER", keyed("HS256", pkix)},
	{"HS256 with the public key in DER of PKCS #1", keyed("HS256", func(w *workshop) []byte { return x509.MarshalPKCS1PublicKey(public(w)) })},
	{"HS256 with the public key as a JWK", keyed("HS256", func(w *workshop) []byte { return []byte(asText(w.key.JWK())) })},
	{"HS256 with the modulus", keyed("HS256", func(w *workshop) []byte { return public(w).N.Bytes() })},
	{"HS384 with the public key", keyed("HS384", func(w *workshop) []byte { return inPEM("PUBLIC KEY", pkix(w)) })},
	{"HS512 with the key id", keyed("HS512", func(w *workshop) []byte { return []byte(w.key.ID) })},
	{"HS256 with an empty key", keyed("HS256", func(*workshop) []byte { return nil })},

	{"kid is a path", theirs(func(*workshop) idp.Claims { return idp.Claims{"kid": "../../../../dev/null"} })},
	{"kid is a path, and the key its empty content", func(w *workshop) string {
		key := idp.Key{ID: "/dev/null", Algorithm: "HS256"}
		return key.Sign(w.claims)
	}},
	{"kid is SQL", theirs(func(*workshop) idp.Claims { return idp.Claims{"kid": "' UNION SELECT 'key'; --"} })},
	{"kid is a URL", theirs(func(w *workshop) idp.Claims { return idp.Claims{"kid": w.site.URL + "/jwks"} })},
	{"kid is huge", theirs(func(*workshop) idp.Claims { return idp.Claims{"kid": strings.Repeat("k", 8000)} })},
	{"kid is a number", headed("kid", 1)},
	{"kid is a list", func(w *workshop) string { return w.signed(w.header.With("kid", []string{w.key.ID}), w.claims) }},
	{"kid has NUL", theirs(func(w *workshop) idp.Claims { return idp.Claims{"kid": w.key.ID + "\x00"} })},
	{"kid twice", func(w *workshop) string {
		return w.key.SignText(`{"kid":"other",`+asText(w.header)[1:], asText(w.claims))
	}},
	{"alg twice", func(w *workshop) string {
		return w.key.SignText(`{"alg":"none",`+asText(w.header)[1:], asText(w.claims))
	}},
	{"the attacker's key in jwk", theirs(func(w *workshop) idp.Claims { return idp.Claims{"jwk": w.own.JWK(), "kid": w.own.ID} })},
	{"the attacker's key in jwk, with the issuer's kid", theirs(func(w *workshop) idp.Claims { return idp.Claims{"jwk": w.own.JWK()} })},
	{"the attacker's key at jku", theirs(func(w *workshop) idp.Claims { return idp.Claims{"jku": w.site.URL + "/jwks", "kid": w.own.ID} })},
	{"the attacker's key at x5u", theirs(func(w *workshop) idp.Claims { return idp.Claims{"x5u": w.site.URL + "/jwks", "kid": w.own.ID} })},
	{"the attacker's key in x5c", theirs(func(w *workshop) idp.Claims { return idp.Claims{"x5c": []string{"MIIB"}, "kid": w.own.ID} })},
	{"the attacker's key, and the issuer's jku", theirs(func(w *workshop) idp.Claims { return idp.Claims{"jku": w.wireURL() + "@evil.example.com/jwks"} })},

	{"crit with what nobody knows", func(w *workshop) string {
		return w.signed(w.header.With("crit", []string{"exp-v2"}).With("exp-v2", 1), w.claims)
	}},
	{"crit is empty", headed("crit", []string{})},
	{"b64 false", headed("b64", false)},
	{"b64 false and critical", func(w *workshop) string {
		return w.signed(w.header.With("b64", false).With("crit", []string{"b64"}), w.claims)
	}},
	{"zip", headed("zip", "DEF")},
	{"enc beside a signature", headed("enc", "A256GCM")},
	{"nested, said by cty", headed("cty", "JWT")},
	{"nested", func(w *workshop) string { return w.signed(w.header, w.signed(w.header, w.claims)) }},
	{"encrypted", mangled(func(token string) string { return token + ".AAAA.AAAA" })},
	{"JSON, flattened", mangled(func(token string) string {
		header, payload, signature := parts(token)
		return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, header, payload, signature)
	})},
	{"JSON, general", mangled(func(token string) string {
		header, payload, signature := parts(token)
		return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, payload, header, signature)
	})},

	{"no signature", mangled(func(token string) string { return token[:strings.LastIndexByte(token, '.')+1] })},
	{"two parts", mangled(func(token string) string { return token[:strings.LastIndexByte(token, '.')] })},
	{"four parts", mangled(func(token string) string { return token + ".AAAA" })},
	{"a detached payload", mangled(func(token string) string {
		header, _, signature := parts(token)
		return header + ".." + signature
	})},
	{"half a signature", mangled(func(token string) string { return token[:len(token)-172] })},
	{"a longer signature", mangled(func(token string) string { return token + "AAAA" })},
	{"the signature of another token", func(w *workshop) string {
		header, payload, _ := parts(w.signed(w.header, w.claims.With("sub", "victim")))
		_, _, signature := parts(w.signed(w.header, w.claims))
		return header + "." + payload + "." + signature
	}},
	{"the signature of another header", func(w *workshop) string {
		_, payload, signature := parts(w.signed(w.header, w.claims))
		header, _, _ := parts(w.signed(w.header.With("typ", nil), w.claims))
		return header + "." + payload + "." + signature
	}},
	{"one bit of the signature", mangled(func(token string) string { return flip(token, len(token)-100) })},
	{"signed by the attacker with the issuer's kid", func(w *workshop) string {
		key := idp.Key{ID: w.key.ID, Algorithm: "RS256", Private: strangers}
		return key.Sign(w.claims)
	}},
	{"signed by the attacker without a kid", func(w *workshop) string {
		key := idp.Key{Algorithm: "RS256", Private: strangers}
		return key.Sign(w.claims, idp.Claims{"kid": nil})
	}},
	{"a signature without padding, for an exponent of three", func(w *workshop) string {
		header, payload, _ := parts(w.signed(w.header, w.claims))
		root := new(big.Int).Sqrt(new(big.Int).Lsh(big.NewInt(1), 2000))
		return header + "." + payload + "." + idp.Encode(root.FillBytes(make([]byte, 256)))
	}},

	{"padding", mangled(func(token string) string {
		header, payload, signature := parts(token)
		return header + "." + payload + "." + signature + strings.Repeat("=", 3-(len(signature)+3)%4)
	})},
	{"bits beyond the last byte", mangled(func(token string) string {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := len(token) - 1 // 256 bytes leave four bits in the last character
		return token[:last] + string(alphabet[strings.IndexByte(alphabet, token[last])|1])
	})},
	{"a line break within", mangled(func(token string) string { return token[:len(token)-9] + "\n" + token[len(token)-9:] })},
	{"a line break at the end", mangled(func(token string) string { return token + "\n" })},
	{"a space before", mangled(func(token string) string { return " " + token })},
	{"the standard alphabet", mangled(func(token string) string {
		header, payload, signature := parts(token)
		bytes, _ := base64.RawURLEncoding.DecodeString(signature)
		return header + "." + payload + "." + base64.StdEncoding.EncodeToString(bytes)
	})},
	{"a scheme before", mangled(func(token string) string { return "Bearer " + token })},
	{"two tokens", mangled(func(token string) string { return token + "," + token })},
	{"1 MB", func(w *workshop) string { return w.signed(w.header, w.claims.With("pad", strings.Repeat("x", 1<<20))) }},
	{"a header of 64 kB", func(w *workshop) string { return w.signed(w.header.With("pad", strings.Repeat("x", 64<<10)), w.claims) }},
}

// malformed are tokens that a careless issuer signed, or one whom an attacker could
// make write something into a claim.
var malformed = []attack{
	{"aud twice, ours last", func(w *workshop) string { return also(`"aud":"https://evil.example.com"`)(w) }},
	{"aud twice, ours first", func(w *workshop) string {
		return w.signed(w.header, strings.TrimSuffix(asText(w.claims), "}")+`,"aud":"https://evil.example.com"}`)
	}},
	{"iss twice", also(`"iss":"https://evil.example.com"`)},
	{"sub twice", also(`"sub":"victim"`)},
	{"sub twice, once escaped", also(`"s\u0075b":"victim"`)},
	{"exp twice, once escaped", also(`"\u0065xp":1`)},
	{"a key twice in a nested object", also(`"x":{"a":1,"a":2}`)},
	{"a key twice in a list", also(`"x":[{"a":1,"a":2}]`)},

	{"exp as a text", with("exp", "4102444800")},
	{"exp as a list", with("exp", []int{4102444800})},
	{"exp is true", with("exp", true)},
	{"exp is an object", with("exp", idp.Claims{"time": 4102444800})},
	{"exp is negative", with("exp", -4102444800)},
	{"exp is zero", with("exp", 0)},
	{"exp is enormous", with("exp", json.Number("1e300"))},
	{"exp is beyond floating point", with("exp", json.Number("1e999"))},
	{"exp is beyond 64 bits", with("exp", json.Number("18446744073709551617"))},
	{"exp is NaN", rewritten(func(payload string) string { return `{"exp":NaN` + cut(payload, "exp") })},
	{"exp is Infinity", rewritten(func(payload string) string { return `{"exp":Infinity` + cut(payload, "exp") })},
	{"exp in hexadecimal", rewritten(func(payload string) string { return `{"exp":0xF4865700` + cut(payload, "exp") })},
	{"exp with a leading zero", rewritten(func(payload string) string { return `{"exp":04102444800` + cut(payload, "exp") })},
	{"exp in another case", func(w *workshop) string {
		return w.signed(w.header, w.claims.With("exp", nil).With("EXP", 4102444800))
	}},
	{"exp in milliseconds", with("exp", 4102444800000)},
	{"nbf as a text", with("nbf", "1")},
	{"nbf is an object", with("nbf", idp.Claims{})},
	{"iat as a text", with("iat", "1")},
	{"iat is a list", with("iat", []int{1})},
	{"iat is far in the future", with("iat", 4102444800)},

	{"iss is a list with ours", func(w *workshop) string {
		return w.signed(w.header, w.claims.With("iss", []any{w.claims["iss"]}))
	}},
	{"iss is an object", with("iss", idp.Claims{"issuer": "x"})},
	{"iss is a number", with("iss", 1)},
	{"iss in another case of its name", func(w *workshop) string {
		return w.signed(w.header, w.claims.With("iss", nil).With("ISS", w.claims["iss"]))
	}},
	{"iss in upper case", issuer(strings.ToUpper)},
	{"iss with a slash more", issuer(func(iss string) string { return iss + "//" })},
	{"iss with a path", issuer(func(iss string) string { return iss + "/../evil" })},
	{"iss with a port", issuer(func(iss string) string { return strings.Replace(iss, "://", "://evil.example.com:443/", 1) })},
	{"iss as the user of another host", issuer(func(iss string) string { return iss + "@evil.example.com" })},
	{"iss with a query", issuer(func(iss string) string { return iss + "?" })},
	{"iss with a fragment", issuer(func(iss string) string { return iss + "#" })},
	{"iss with a dot at the end", issuer(func(iss string) string { return iss + "." })},
	{"iss with a space", issuer(func(iss string) string { return " " + iss })},
	{"iss with a line break", issuer(func(iss string) string { return iss + "\n" })},
	{"iss with NUL", issuer(func(iss string) string { return iss + "\x00" })},
	{"iss with a letter that looks the same", issuer(func(iss string) string { return strings.Replace(iss, "t", "т", 1) })},
	{"iss of another scheme", issuer(func(iss string) string { return "ftp" + strings.TrimLeft(iss, "htps") })},
	{"iss that only begins so", issuer(func(iss string) string { return iss[:len(iss)-1] })},
	{"iss empty", issuer(func(string) string { return "" })},

	{"nbf is negative", with("nbf", -1)},
	{"aud is an object with ours", func(w *workshop) string {
		return w.signed(w.header, w.claims.With("aud", map[string]any{first(w.claims["aud"]): true}))
	}},
	{"aud is a list within a list", func(w *workshop) string {
		return w.signed(w.header, w.claims.With("aud", []any{[]any{first(w.claims["aud"])}}))
	}},
	{"aud is missing", with("aud", nil)},
	{"aud is an empty list", with("aud", []string{})},
	{"aud is empty", with("aud", "")},
	{"aud in another case of its name", func(w *workshop) string {
		return w.signed(w.header, w.claims.With("aud", nil).With("AUD", w.claims["aud"]))
	}},
	{"aud is a number", with("aud", 1)},
	{"aud is true", with("aud", true)},
	{"aud is a list with null", func(w *workshop) string {
		return w.signed(w.header, w.claims.With("aud", []any{first(w.claims["aud"]), nil}))
	}},
	{"aud is a list with a number", func(w *workshop) string {
		return w.signed(w.header, w.claims.With("aud", []any{first(w.claims["aud"]), 7}))
	}},
	{"aud of another door", with("aud", "https://elsewhere.example.com")},
	{"aud is a star", with("aud", "*")},
	{"azp is a list", with("azp", []string{client})},
	{"azp with a line break", with("azp", client+"\nadmin")},
	{"jti is an object", with("jti", idp.Claims{"id": 1})},
	{"groups is an object", nil}, // see groupClaim

	{"bound to the client's key", with("cnf", idp.Claims{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})},
	{"a logout token", with("events", idp.Claims{"http://schemas.openid.net/event/backchannel-logout": idp.Claims{}})},
	{"typ of a logout token", headed("typ", "logout+jwt")},
	{"typ of a DPoP proof", headed("typ", "dpop+jwt")},
	{"typ of an event", headed("typ", "secevent+jwt")},
	{"typ of a client's own assertion", headed("typ", "client-authentication+jwt")},
	{"typ of an introspection answer", headed("typ", "token-introspection+jwt")},
	{"typ is a list", headed("typ", []string{"JWT"})},
	{"a refresh token, by typ", with("typ", "Refresh")},
	{"an offline token, by typ", with("typ", "Offline")},
	{"a registration token, by typ", with("typ", "RegistrationAccessToken")},
	{"another use", with("token_use", "refresh")},

	{"sub is null", with("sub", nil)},
	{"sub is empty", with("sub", "")},
	{"sub is a number", with("sub", 1001)},
	{"sub is a list", with("sub", []string{"u-1001"})},
	{"sub is an object", with("sub", idp.Claims{"id": "u-1001"})},
	{"sub is true", with("sub", true)},
	{"sub is a space that cannot be seen", with("sub", "\u00a0")},
	{"sub with a line break", with("sub", "u-1001\nlevel=INFO")},
	{"sub with NUL", with("sub", "u-1001\x00")},
	{"sub with an escape sequence", with("sub", "\x1b[2Ju-1001")},
	{"sub with a zero-width space", with("sub", "u-\u200b1001")},
	{"sub written from right to left", with("sub", "\u202e1001-u")},
	{"sub is very long", with("sub", strings.Repeat("u", 1000))},

	{"NUL in any claim", with("note", "\x00")},
	{"NUL as it is", rewritten(func(payload string) string { return payload[:len(payload)-1] + ",\"x\":\"\x00\"}" })},
	{"a control character as it is", rewritten(func(payload string) string { return payload[:len(payload)-1] + ",\"x\":\"\n\"}" })},
	{"a byte order mark", rewritten(func(payload string) string { return "\ufeff" + payload })},
	{"something after the payload", rewritten(func(payload string) string { return payload + "x" })},
	{"a second payload", rewritten(func(payload string) string { return payload + payload })},
	{"a comment", rewritten(func(payload string) string { return "/* */" + payload })},
	{"a comma at the end", rewritten(func(payload string) string { return payload[:len(payload)-1] + ",}" })},
	{"single quotes", rewritten(func(payload string) string { return strings.ReplaceAll(payload, `"`, "'") })},
	{"the payload is a list", rewritten(func(payload string) string { return "[" + payload + "]" })},
	{"the payload is a text", rewritten(func(payload string) string { return fmt.Sprintf("%q", payload) })},
	{"the payload is null", rewritten(func(string) string { return "null" })},
	{"the payload is empty", rewritten(func(string) string { return "" })},
	{"the payload is in UTF-16", rewritten(func(payload string) string { return strings.Join(strings.Split(payload, ""), "\x00") })},
	{"bytes that are no UTF-8", rewritten(func(payload string) string { return payload[:len(payload)-1] + ",\"x\":\"\xff\"}" })},
	{"half a surrogate pair", also(`"x":"\ud800"`)},
	{"half a surrogate pair in a name", also(`"\udc00":1`)},
	{"nested too deep", also(`"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000))},
	{"a header with something after it", func(w *workshop) string { return w.key.SignText(asText(w.header)+"{}", asText(w.claims)) }},
	{"a header that is a list", func(w *workshop) string { return w.key.SignText("["+asText(w.header)+"]", asText(w.claims)) }},
	{"a header with a byte order mark", func(w *workshop) string { return w.key.SignText("\ufeff"+asText(w.header), asText(w.claims)) }},
}

// groupClaims name the groups where it is not the claim groups.
var groupClaims = map[string]string{"auth0": "https://acme.com/groups", "cognito": "cognito:groups", "keycloak": "realm_access"}

// unlike are attacks that mean nothing to a kind: it does not look at that claim.
func unlike(kind string, attack string) bool {
	switch {
	case strings.HasPrefix(kind, "entra"), strings.HasPrefix(kind, "azure"), kind == "okta":
		return strings.HasPrefix(attack, "sub ") && !strings.Contains(attack, "twice")
	case kind == "cognito": // there is no aud, and what a token is for, it says in token_use
		return strings.HasSuffix(attack, "by typ") || slices.Contains([]string{"aud is missing", "aud is an empty list", "aud in another case of its name"}, attack)
	}
	return false
}

// Attacks on every kind that checks signatures by public keys.
func TestForgedTokens(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range []string{
		"jwt_static_key RS256", "jwt_dynamic_jwks", "openid JWT", "keycloak", "okta", "auth0", "cognito", "entra v2", "azure v1", "google ID token", "gitlab ID token",
	} {
		t.Run(kind, func(t *testing.T) {
			h := kinds[kind](t)
			site := idp.StartIssuer(t, options(t))
			w := &workshop{house: h, key: h.signer.Key(), own: idp.NewKey(t, "ES256"), site: site}
			w.header = idp.Claims{"alg": w.key.Algorithm, "kid": w.key.ID, "typ": "JWT"}
			w.claims = h.claims(h.person)
			v := h.verifier(t)
			if _, err := v.Verify(t.Context(), w.signed(w.header, w.claims)); err != nil {
				t.Fatalf("the token that is attacked with is not sound: %v", err)
			}
			for _, a := range append(append([]attack{}, forgeries...), malformed...) {
				seen[a.name] = true
				if unlike(kind, a.name) {
					continue
				}
				if a.token == nil {
					a.token = with(groupClaim(kind), idp.Claims{"roles": idp.Claims{"admins": true}})
				}
				t.Run(a.name, func(t *testing.T) {
					token := a.token(w)
					who, err := v.Verify(t.Context(), token)
					wantRefusal(t, who, err, porterhouse.Unauthenticated, token)
				})
			}
			if n := site.Asked(""); n != 0 {
				t.Errorf("the attacker's site was asked %d times", n)
			}
		})
	}
	if len(seen) < 80 {
		t.Errorf("the list has only %d attacks", len(seen))
	}
}

func groupClaim(kind string) string {
	if name, ok := groupClaims[kind]; ok {
		return name
	}
	return "groups"
}
