package identity_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

const ourIssuer = "https://door.example.com"

// ours is our own authorization server: what it signs, and how its tokens are known.
type ours struct {
	key   *idp.Key
	keys  map[string]*ecdsa.PublicKey
	clock *clock
	away  error // of the keys; nil: they are there
}

func newOurs(t testing.TB) *ours {
	t.Helper()
	o := &ours{key: idp.NewKey(t, "ES256"), keys: map[string]*ecdsa.PublicKey{}, clock: newClock()}
	o.keys[o.key.ID] = o.key.Private.Public().(*ecdsa.PublicKey)
	return o
}

// find is OwnConfig.Key.
func (o *ours) find(_ context.Context, id string) (*ecdsa.PublicKey, error) {
	if key, ok := o.keys[id]; ok {
		return key, nil
	}
	if o.away != nil {
		return nil, o.away
	}
	return nil, errors.New("there is no such key")
}

// claims are of a sound access token of Alice's.
func (o *ours) claims() idp.Claims {
	now := o.clock.Now()
	return idp.Claims{
		"iss": ourIssuer, "sub": "a hash", "aud": door.Audiences[0], "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "jti": "token-1",
		"client_id": "https://claude.ai/client", "scope": "clickhouse:read clickhouse:write", "sid": "family",
		"idp":  idp.Claims{"iss": "https://idp.example.com", "sub": "u-1001", "processor": "corp"},
		"name": "alice@example.com", "groups": []string{"analysts"}, "auth_time": now.Add(-time.Minute).Unix(),
	}
}

var accessHeader = idp.Claims{"typ": "at+jwt"}

func (o *ours) sign(c idp.Claims) string { return o.key.Sign(c, accessHeader) }

// verifier asks whether a token is ours, and then a provider's processor.
func (o *ours) verifier(t testing.TB, others ...identity.Processor) *identity.Verifier {
	t.Helper()
	p, err := identity.NewProviders(identity.ProvidersConfig{Now: o.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	mine, err := identity.NewOwn(identity.OwnConfig{Issuer: ourIssuer, Key: o.find, Scopes: []string{"clickhouse:read"}}, door, p)
	if err != nil {
		t.Fatal(err)
	}
	v, err := identity.New(identity.Config{Processors: append([]identity.Processor{mine}, others...)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A token of ours is turned back into whom the provider proved.
func TestOwnToken(t *testing.T) {
	o := newOurs(t)
	v := o.verifier(t)
	token := o.sign(o.claims())
	for range 2 { // found out, and remembered
		who, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		now := o.clock.Now().Truncate(time.Second)
		want := porterhouse.Principal{
			Issuer: "https://idp.example.com", Subject: "u-1001", User: "alice@example.com", Client: "https://claude.ai/client", TokenID: "token-1", Proof: "corp",
			Groups: []string{"analysts"}, Issued: now.Add(-time.Minute), Expires: now.Add(5 * time.Minute),
		}
		if !who.Issued.Equal(want.Issued) || !who.Expires.Equal(want.Expires) || !slices.Equal(who.Groups, want.Groups) {
			t.Errorf("it is %+v", who)
		}
		who.Issued, who.Expires, who.Groups, want.Issued, want.Expires, want.Groups = time.Time{}, time.Time{}, nil, time.Time{}, time.Time{}, nil
		if !who.Token.IsZero() || who.Key() != want.Key() || who.User != want.User || who.Client != want.Client || who.TokenID != want.TokenID || who.Proof != want.Proof || who.ReadOnly {
			t.Errorf("it is %+v", who)
		}
	}
	o.clock.pass(5 * time.Minute)
	who, err := v.Verify(t.Context(), token)
	wantRefusal(t, who, err, no401, token)
}

// What a token says of groups, of writing, and of when.
func TestOwnTokenSays(t *testing.T) {
	o := newOurs(t)
	v := o.verifier(t)
	verify := func(name string, value any) porterhouse.Principal {
		t.Helper()
		who, err := v.Verify(t.Context(), o.sign(o.claims().With(name, value)))
		if err != nil {
			t.Fatal(err)
		}
		return who
	}
	if who := verify("groups", nil); who.Groups != nil {
		t.Errorf("groups that nobody told: %#v", who.Groups)
	}
	if who := verify("groups", []string{}); who.Groups == nil || len(who.Groups) > 0 {
		t.Errorf("no groups: %#v", who.Groups)
	}
	if who := verify("scope", "clickhouse:read"); !who.ReadOnly {
		t.Error("who agreed to reading alone may write")
	}
	if who := verify("scope", "clickhouse:read clickhouse:writer"); !who.ReadOnly {
		t.Error("another scope lets write")
	}
	if who := verify("auth_time", nil); !who.Issued.Equal(o.clock.Now().Truncate(time.Second)) {
		t.Errorf("issued at %s", who.Issued)
	}
	_, err := v.Verify(t.Context(), o.sign(o.claims().With("scope", "offline_access")))
	if kind, public := porterhouse.Explain(err); kind != no403 || !identity.LacksScope(err) || !strings.Contains(public, "clickhouse:read") {
		t.Errorf("without the scope: %v", err)
	}
}

// Whatever is not exactly an access token of ours, for this door, now, proves nobody.
func TestOwnTokenAttacks(t *testing.T) {
	o := newOurs(t)
	stranger := idp.NewKey(t, "ES256")
	rs := idp.NewKey(t, "RS256")
	rs.ID = o.key.ID
	public, err := o.keys[o.key.ID].Bytes()
	if err != nil {
		t.Fatal(err)
	}
	now := o.clock.Now()
	tokens := map[string]string{
		"an ID token of ours":                o.key.Sign(o.claims()),
		"another typ":                        o.key.Sign(o.claims(), idp.Claims{"typ": "oauth-id-jag+jwt"}),
		"no typ":                             o.key.Sign(o.claims(), idp.Claims{"typ": nil}),
		"without key id":                     o.key.Sign(o.claims(), accessHeader, idp.Claims{"kid": nil}),
		"another key id":                     o.key.Sign(o.claims(), accessHeader, idp.Claims{"kid": "another"}),
		"a key of somebody else":             stranger.Sign(o.claims(), accessHeader),
		"a key of somebody else, as if ours": stranger.Sign(o.claims(), accessHeader, idp.Claims{"kid": o.key.ID}),
		"alg none":                           o.key.Sign(o.claims(), accessHeader, idp.Claims{"alg": "none"}),
		"RS256":                              rs.Sign(o.claims(), accessHeader),
		"HS256 with the public key":          (&idp.Key{ID: o.key.ID, Algorithm: "HS256", Secret: public}).Sign(o.claims(), accessHeader),
		"a key that the token brings":        stranger.Sign(o.claims(), accessHeader, idp.Claims{"jwk": stranger.JWK(), "kid": o.key.ID}),
	}
	for name, change := range map[string]idp.Claims{
		"for another door": {"aud": "https://door.example.com/other"}, "for the issuer": {"aud": ourIssuer}, "for a client": {"aud": "https://claude.ai/client"},
		"for nobody": {"aud": nil}, "for two": {"aud": []string{door.Audiences[0], "https://other.example.com"}}, "for a number": {"aud": 7},
		"expired": {"exp": now.Unix()}, "without end": {"exp": nil}, "of the future": {"iat": now.Add(2 * time.Minute).Unix()}, "without beginning": {"iat": nil},
		"without id": {"jti": nil}, "without client": {"client_id": nil}, "without name": {"name": ""}, "without proof": {"idp": nil}, "proof that is a text": {"idp": "corp"},
		"proof without issuer":  {"idp": idp.Claims{"sub": "u-1001", "processor": "corp"}},
		"proof without subject": {"idp": idp.Claims{"iss": "https://idp.example.com", "processor": "corp"}},
		"issuer with NUL":       {"idp": idp.Claims{"iss": "https://idp.example.com\x00", "sub": "u-1001", "processor": "corp"}},
		"groups of numbers":     {"groups": []int{1}}, "scope that is a number": {"scope": 1},
		"at+jwt of a foreign issuer": {"iss": "https://idp.example.com"}, "issuer with a slash": {"iss": ourIssuer + "/"}, "no issuer": {"iss": nil},
	} {
		claims := o.claims()
		for claim, value := range change {
			claims = claims.With(claim, value)
		}
		tokens[name] = o.sign(claims)
	}
	o.keys["no key"] = nil
	tokens["a key id without a key"] = o.key.Sign(o.claims(), accessHeader, idp.Claims{"kid": "no key"})
	v := o.verifier(t)
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		t.Run(name, func(t *testing.T) {
			who, err := v.Verify(t.Context(), tokens[name])
			wantRefusal(t, who, err, no401, tokens[name])
		})
	}
}

// While the keys cannot be read, nobody can tell: that is no refusal, and is not remembered.
func TestOwnKeysAreAway(t *testing.T) {
	o := newOurs(t)
	v := o.verifier(t)
	o.away = porterhouse.Errorf(porterhouse.Unavailable, "the store is away")
	next := idp.NewKey(t, "ES256")
	token := next.Sign(o.claims(), accessHeader)
	who, err := v.Verify(t.Context(), token)
	wantRefusal(t, who, err, away503, token)
	if text := err.Error(); strings.Contains(text, "%!") || strings.Count(text, "the store is away") != 2 {
		t.Errorf("for the log: %s", text)
	}
	o.keys[next.ID] = next.Private.Public().(*ecdsa.PublicKey)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

// Our tokens are nobody else's, and the tokens of providers are not ours.
func TestOwnAmongOthers(t *testing.T) {
	h := openIDHouse(t)
	o := newOurs(t)
	o.clock = h.clock
	v := o.verifier(t, h.processors(t, h.providers(t), door)...)
	for name, token := range map[string]string{"of the provider": h.good(), "ours": o.sign(o.claims())} {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	token := o.sign(o.claims())
	who, err := h.verifier(t).Verify(t.Context(), token)
	wantRefusal(t, who, err, no401, token)
	at := h.signer.Sign(h.claims(h.person).With("iss", ourIssuer), accessHeader)
	who, err = v.Verify(t.Context(), at)
	wantRefusal(t, who, err, no401, at)
}

func TestOwnIsChecked(t *testing.T) {
	o := newOurs(t)
	p, err := identity.NewProviders(identity.ProvidersConfig{})
	if err != nil {
		t.Fatal(err)
	}
	good := identity.OwnConfig{Issuer: ourIssuer, Key: o.find}
	for name, make := range map[string]func() error{
		"no issuer":   func() error { _, err := identity.NewOwn(identity.OwnConfig{Key: o.find}, door, p); return err },
		"no keys":     func() error { _, err := identity.NewOwn(identity.OwnConfig{Issuer: ourIssuer}, door, p); return err },
		"no audience": func() error { _, err := identity.NewOwn(good, identity.Resource{}, p); return err },
		"an empty audience": func() error {
			_, err := identity.NewOwn(good, identity.Resource{Audiences: []string{""}}, p)
			return err
		},
		"no providers": func() error { _, err := identity.NewOwn(good, door, nil); return err },
	} {
		if make() == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
}

// Over all cores: a token that was verified a moment ago, and ones that never were.
func BenchmarkOwnToken(b *testing.B) {
	o := newOurs(b)
	v := o.verifier(b)
	token := o.sign(o.claims())
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(each *testing.PB) {
			for each.Next() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
	})
	tokens := make([]string, 10_000)
	for i := range tokens {
		tokens[i] = o.sign(o.claims().With("jti", strconv.Itoa(i)))
	}
	b.Run("fresh", func(b *testing.B) {
		b.ReportAllocs()
		var seen atomic.Uint64
		var fresh atomic.Pointer[identity.Verifier]
		fresh.Store(o.verifier(b))
		b.ResetTimer()
		b.RunParallel(func(each *testing.PB) {
			for each.Next() {
				n := seen.Add(1)
				if n%uint64(len(tokens)) == 0 { // one that has seen none of them
					fresh.Store(o.verifier(b))
				}
				if _, err := fresh.Load().Verify(b.Context(), tokens[n%uint64(len(tokens))]); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
	})
}
