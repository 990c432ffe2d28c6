package identity_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// loginAttack is an answer of the token endpoint, or of userinfo, that must not sign
// anybody in.
type loginAttack struct {
	name   string
	kind   string                                             // "": openid JWT
	id     func(h *house, id idp.Claims) idp.Claims           // of the ID token
	answer func(h *house, answer idp.Claims) idp.Claims       // of the token endpoint
	before func(t *testing.T, h *house)                       // the sign-in
	change func(*identity.Settings, *identity.ClientSettings) // nil: none
	want   porterhouse.Kind
	why    string // a part of the reason
}

// setting makes a change of one claim.
func setting(name string, value any) func(*house, idp.Claims) idp.Claims {
	return func(_ *house, c idp.Claims) idp.Claims { return c.With(name, value) }
}

// resigned replaces the ID token of an answer by one of its claims, changed.
func resigned(sign func(h *house, c idp.Claims) string) func(*house, idp.Claims) idp.Claims {
	return func(h *house, answer idp.Claims) idp.Claims {
		return answer.With("id_token", sign(h, h.lastID))
	}
}

var loginAttacks = []loginAttack{
	{name: "nonce missing", id: setting("nonce", nil), want: no401, why: "nonce"},
	{name: "nonce empty", id: setting("nonce", ""), want: no401, why: "nonce"},
	{name: "nonce of another visit", id: setting("nonce", "another"), want: no401, why: "nonce"},
	{name: "nonce that is no text", id: setting("nonce", []string{"x"}), want: no401, why: "nonce"},
	{name: "an ID token of another client", id: setting("aud", "another"), want: no401, why: "is for"},
	{name: "an ID token for two, issued to the other", id: func(_ *house, c idp.Claims) idp.Claims {
		return c.With("aud", []string{client, "other"}).With("azp", "other")
	}, want: no401, why: "client"},
	{name: "an ID token for two, issued to nobody", id: func(_ *house, c idp.Claims) idp.Claims {
		return c.With("aud", []string{client, "other"}).With("azp", nil)
	}, want: no401, why: "azp"},
	{name: "an ID token for a door", id: setting("aud", door.Audiences[0]), want: no401, why: "is for"},
	{name: "an ID token of another issuer", id: setting("iss", "https://evil.example.com"), want: no401, why: "issuer"},
	{name: "an ID token that expired", id: setting("exp", time.Now().Add(-time.Hour).Unix()), want: no401, why: "expired"},
	{name: "an ID token without end", id: setting("exp", nil), change: func(s *identity.Settings, _ *identity.ClientSettings) { s.AllowNoExpiration = true }, want: no401, why: "exp"},
	{name: "an ID token of the future", id: setting("iat", time.Now().Add(time.Hour).Unix()), want: no401, why: "future"},
	{name: "an ID token of nobody", id: setting("sub", nil), want: no401, why: "who it is about"},
	{name: "a logout token", id: setting("events", idp.Claims{"x": idp.Claims{}}), want: no401, why: "events"},
	{name: "an ID token that says it is for access", id: setting("token_use", "access"), want: no401, why: "no ID token"},
	{name: "an ID token with another access token", id: setting("at_hash", "HK6E_P6Dh8Y93mRNtsDB1Q"), want: no401, why: "at_hash"},
	{name: "at_hash that is no text", id: setting("at_hash", 1), want: no401, why: "at_hash"},
	{name: "a demo's ID token", id: setting("porterhouse_demo", true), want: no403, why: "demo"},
	{name: "any audience is allowed, and still this one is another client's", id: setting("aud", "another"), want: no401, why: "is for",
		change: func(s *identity.Settings, _ *identity.ClientSettings) { s.AllowAnyAudience = true }},
	{name: "another tenant", kind: "entra v2", id: setting("tid", "00000000-0000-0000-0000-000000000000"), want: no401, why: "tenant"},

	{name: "an access token in place of the ID token", want: no401, why: "no ID token",
		answer: resigned(func(h *house, c idp.Claims) string { return h.signer.Sign(c, idp.Claims{"typ": "at+jwt"}) })},
	{name: "alg none", want: no401, why: "no signature", answer: resigned(func(h *house, c idp.Claims) string {
		token := h.signer.Sign(c, idp.Claims{"alg": "none"})
		return token[:strings.LastIndex(token, ".")+1]
	})},
	{name: "alg none, signed", want: no401, why: "alg", answer: resigned(func(h *house, c idp.Claims) string { return h.signer.Sign(c, idp.Claims{"alg": "none"}) })},
	{name: "HS256 with the public key", want: no401, why: "alg", answer: resigned(func(h *house, c idp.Claims) string { return byPublicKey(h, c) })},
	{name: "a key of somebody else", want: no401, why: "signature", answer: resigned(func(h *house, c idp.Claims) string {
		return (&idp.Key{ID: h.signer.Key().ID, Algorithm: "RS256", Private: h.stranger.Private}).Sign(c)
	})},
	{name: "no ID token", answer: setting("id_token", nil), want: no401, why: "no ID token"},
	{name: "an ID token that is a list", answer: setting("id_token", []string{"x"}), want: away503, why: "id_token"},
	{name: "an access token that is no Bearer", answer: setting("token_type", "DPoP"), want: away503, why: "Bearer"},
	{name: "no access token", answer: setting("access_token", nil), want: away503, why: "Bearer"},
	{name: "a refresh token with line breaks", answer: setting("refresh_token", "x\r\ny"), want: away503, why: "refresh_token"},

	{name: "userinfo is about somebody else", want: no401, why: "userinfo is about", id: setting("groups", nil),
		before: func(_ *testing.T, h *house) {
			h.wire.AnswerJSON("/userinfo", http.StatusOK, idp.Claims{"sub": idp.Bob.Subject, "groups": []string{"admins"}})
		}},
	{name: "userinfo is about nobody", want: no401, why: "userinfo is about", id: setting("groups", nil),
		before: func(_ *testing.T, h *house) {
			h.wire.AnswerJSON("/userinfo", http.StatusOK, idp.Claims{"groups": []string{"admins"}})
		}},
	{name: "userinfo is away", want: away503, why: "userinfo", id: setting("groups", nil),
		before: func(_ *testing.T, h *house) { h.wire.AnswerJSON("/userinfo", http.StatusBadGateway, idp.Claims{}) }},
	{name: "the token endpoint is away", want: away503, why: "502", before: func(_ *testing.T, h *house) { h.wire.AnswerJSON("/token", http.StatusBadGateway, idp.Claims{}) }},
	{name: "the token endpoint is away, with words of a no", want: away503, why: "503",
		before: func(_ *testing.T, h *house) {
			h.wire.AnswerJSON("/token", http.StatusServiceUnavailable, idp.Claims{"error": "invalid_grant"})
		}},
	{name: "the token endpoint does not know us", want: away503, why: "client_id",
		change: func(_ *identity.Settings, c *identity.ClientSettings) {
			c.ClientSecret = porterhouse.NewSecret("wrong")
		}},
	{name: "the token endpoint is elsewhere", want: away503, why: "302",
		before: func(_ *testing.T, h *house) {
			h.wire.Answer("/token", func(out http.ResponseWriter, r *http.Request) {
				http.Redirect(out, r, "https://evil.example.com/token", http.StatusFound)
			})
		}},
}

const away503 = porterhouse.Unavailable

// byPublicKey signs with what anybody knows.
func byPublicKey(h *house, c idp.Claims, header ...idp.Claims) string {
	der, err := x509.MarshalPKIXPublicKey(h.signer.Key().Private.Public())
	if err != nil {
		panic(err) // a key of the test's own
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return (&idp.Key{ID: h.signer.Key().ID, Algorithm: "HS256", Secret: text}).Sign(c, header...)
}

func TestLoginAttacks(t *testing.T) {
	stranger := idp.NewKey(t, "RS256")
	for _, attack := range loginAttacks {
		t.Run(attack.name, func(t *testing.T) {
			kind := attack.kind
			if kind == "" {
				kind = "openid JWT"
			}
			h := loginHouse(t, kind)
			h.stranger = stranger
			h.signer.TamperID(func(id idp.Claims) idp.Claims {
				if attack.id != nil {
					id = attack.id(h, id)
				}
				h.lastID = id
				return id
			})
			if attack.answer != nil {
				h.signer.TamperAnswer(func(answer idp.Claims) idp.Claims { return attack.answer(h, answer) })
			}
			if attack.before != nil {
				attack.before(t, h)
			}
			var changes []func(*identity.Settings, *identity.ClientSettings)
			if attack.change != nil {
				changes = append(changes, attack.change)
			}
			who, kept, err := h.signIn(t, h.party(t, changes...))
			wantRefusal(t, who, err, attack.want, "")
			if kept != (identity.Kept{}) || !strings.Contains(err.Error(), attack.why) {
				t.Errorf("%v, want %q", err, attack.why)
			}
		})
	}
}

// A provider's redirect must be of that provider: else one that is dishonest could
// have another's code brought to it, or its own taken for another's.
func TestMixUp(t *testing.T) {
	for _, test := range []struct {
		name       string
		advertised bool
		iss        func(h *house) string
		want       porterhouse.Kind
	}{
		{"as it should be", true, func(h *house) string { return h.issuer }, ""},
		{"not told, and not promised", false, func(*house) string { return "" }, ""},
		{"told, and not promised", false, func(h *house) string { return h.issuer }, ""},
		{"promised, and not told", true, func(*house) string { return "" }, no401},
		{"of another", true, func(*house) string { return "https://evil.example.com" }, no401},
		{"of another, and not promised", false, func(*house) string { return "https://evil.example.com" }, no401},
		{"with a slash more", true, func(h *house) string { return h.issuer + "/" }, no401},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := openIDHouse(t)
			h.signer.NamesItself = test.advertised
			party, trip := h.party(t), newTrip()
			code, _ := h.visit(t, party, trip)
			who, _, err := party.Redeem(t.Context(), trip, code, test.iss(h))
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefusal(t, who, err, test.want, "")
			if h.wire.Asked("/token") > 0 {
				t.Error("the code was given away")
			}
		})
	}
}

// A code is good for one visit, once.
func TestCodeOfAnotherVisit(t *testing.T) {
	h := openIDHouse(t)
	party, mine, other := h.party(t), newTrip(), newTrip()
	code, _ := h.visit(t, party, mine)
	mixed := mine
	mixed.Nonce = other.Nonce
	for name, test := range map[string]struct {
		trip identity.Trip
		code string
	}{
		"another verifier": {identity.Trip{State: mine.State, Nonce: mine.Nonce, Verifier: other.Verifier, RedirectURI: mine.RedirectURI}, code},
		"no code":          {mine, ""},
		"no nonce":         {identity.Trip{State: mine.State, Verifier: mine.Verifier, RedirectURI: mine.RedirectURI}, code},
		"no verifier":      {identity.Trip{State: mine.State, Nonce: mine.Nonce, RedirectURI: mine.RedirectURI}, code},
	} {
		who, _, err := party.Redeem(t.Context(), test.trip, test.code, "")
		t.Run(name, func(t *testing.T) { wantRefusal(t, who, err, no401, "") })
	}
	code, _ = h.visit(t, party, mine)
	if _, _, err := party.Redeem(t.Context(), mine, code, ""); err != nil {
		t.Fatal(err)
	}
	who, _, err := party.Redeem(t.Context(), mine, code, "")
	wantRefusal(t, who, err, no401, "")
	code, _ = h.visit(t, party, mine)
	who, _, err = party.Redeem(t.Context(), mixed, code, "")
	wantRefusal(t, who, err, no401, "")
	if _, err := party.AuthorizationURL(t.Context(), identity.Trip{State: "s", Nonce: "n", RedirectURI: "r"}); err == nil {
		t.Error("a visit began without a verifier")
	}
}

// A demo provider counts only where the operator asked for a demo.
func TestDemoProvider(t *testing.T) {
	h := openIDHouse(t)
	h.wire.AnswerJSON("/.well-known/openid-configuration", http.StatusOK, h.signer.Discovery().With("porterhouse_demo", true))
	h.signer.TamperID(func(id idp.Claims) idp.Claims { return id.With("porterhouse_demo", true) })
	party := h.party(t)
	_, err := party.AuthorizationURL(t.Context(), newTrip())
	for _, err := range []error{err, party.Probe(t.Context())} {
		kind, public := porterhouse.Explain(err)
		if kind != porterhouse.Refused || !strings.Contains(public, "demonstration") || !strings.Contains(err.Error(), "demo provider") {
			t.Errorf("refused as %s: %v", kind, err)
		}
	}
	who, err := h.verifier(t).Verify(t.Context(), h.good())
	wantRefusal(t, who, err, no401, h.good())
	outbound, err := identity.NewOutbound(identity.OutboundConfig{AllowHosts: h.outbound.AllowHosts})
	if err != nil {
		t.Fatal(err)
	}
	p, err := identity.NewProviders(identity.ProvidersConfig{Outbound: outbound, AllowDemo: true, Now: h.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	h.mustSignIn(t, h.partyOf(t, p))
	demo := h.signer.Sign(h.claims(h.person).With("porterhouse_demo", true))
	if _, err := h.verifierOf(t, p, door).Verify(t.Context(), demo); err != nil {
		t.Error(err)
	}
	h.wire.AnswerJSON("/.well-known/openid-configuration", http.StatusOK, h.signer.Discovery())
	if err := h.party(t).Probe(t.Context()); err != nil {
		t.Errorf("it is a demo no more: %v", err)
	}
	who, err = h.verifier(t).Verify(t.Context(), demo)
	wantRefusal(t, who, err, no401, demo)
}
