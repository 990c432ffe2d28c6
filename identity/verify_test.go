package identity

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Whatever a token looks like: nothing panics, and nobody is proved by anything
// but what the key signed.
func FuzzSignedToken(f *testing.F) {
	rs, es := newSigner("RS256", "rsa"), newSigner("ES256", "ec")
	c := goodClaims(testNow)
	p := newTestProviders(f, at(testNow))
	v := newTestVerifier(f, p, staticSettings(rs, es))
	signed := map[string]bool{} // what the keys signed, without the signatures
	for _, token := range []string{
		rs.token(c, nil), es.token(c, nil), rs.token(with(c, object{"sub": "bob"}), object{"typ": "at+jwt"}),
		rs.token(with(c, object{"exp": in(-100)}), nil), rs.token(c, object{"alg": "none"}), es.token(c, object{"crit": []string{"x"}}),
	} {
		signed[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add(token)
	}
	f.Add("eyJ.eyJ.")
	f.Add("a.b.c.d.e")
	f.Fuzz(func(t *testing.T, token string) {
		who, err := v.Verify(t.Context(), token)
		if err != nil {
			if who.Key() != nobody.Key() {
				t.Fatalf("%q proves %v beside %v", token, who, err)
			}
			return
		}
		if at := strings.LastIndexByte(token, '.'); at < 0 || !signed[token[:at]] {
			t.Fatalf("%q proves %v", token, who)
		}
	})
}

// Whatever claims are: judging them panics nowhere, and whom it proves is somebody.
func FuzzJudge(f *testing.F) {
	r, err := newRules(Settings{Name: "test", Type: "openid", AllowAnyAudience: true, AllowNoExpiration: true, Claims: `{"a":{"b":[1]}}`, RequiredScopes: []string{"s"}, AllowedDomains: []string{"example.com"}},
		testResource, newTestProviders(f, at(testNow)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded(with(goodClaims(testNow), object{"a": object{"b": []int{1, 2}}, "scope": "s"})), false)
	f.Add([]byte(`{"sub":"x","iss":"","exp":1e999,"groups":{"a":1},"a":{"b":1}}`), true)
	f.Fuzz(func(t *testing.T, text []byte, textual bool) {
		c, err := parseClaims(text)
		if err != nil {
			return
		}
		who, err := r.judge(t.Context(), c, claimSource{header: &header{}, textual: textual})
		if err == nil && (who.Subject == "" || who.Issuer == "" || checkName(who.User) != nil) {
			t.Fatalf("%s proves %+v", text, who)
		}
	})
}

// kilobyte are claims of a token of about 1 kB.
func kilobyte() object {
	return with(goodClaims(testNow), object{"realm_access": object{"roles": []string{"a", "b", "offline_access"}}, "sid": strings.Repeat("s", 36), "pad": strings.Repeat("x", 180)})
}

// A token that was verified a moment ago.
func BenchmarkCachedToken(b *testing.B) {
	for _, others := range []int{0, 2} {
		rs := newSigner("RS256", "k")
		var settings []Settings
		for i := range others {
			other := staticSettings(newSigner("ES256", "other"))
			other.Name, other.ExpectedIssuer = "other"+string(rune('a'+i)), "https://other.example.com/"+string(rune('a'+i))
			settings = append(settings, other)
		}
		v := newTestVerifier(b, newTestProviders(b, at(testNow)), append(settings, staticSettings(rs))...)
		token := rs.token(kilobyte(), nil)
		b.Run(map[int]string{0: "processors=1", 2: "processors=3"}[others], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(token)))
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A token that was never seen, with all that is checked of it, beside the mere
// signature checked by go-jose.
func BenchmarkFreshToken(b *testing.B) {
	for _, name := range []string{"RS256", "ES256", "EdDSA"} {
		s := newSigner(name, "k")
		token := s.token(kilobyte(), nil)
		settings := staticSettings(s)
		settings.TokenCacheLifetime = -1
		v := newTestVerifier(b, newTestProviders(b, at(testNow)), settings)
		b.Run(name+"/porterhouse", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(encoded(s.jwk())); err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/go-jose", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(name)})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := parsed.Verify(key.Key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
