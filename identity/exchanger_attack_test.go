package identity_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// What a provider must not make us take for the token of whoever asks.
func TestExchangeAttacks(t *testing.T) {
	byEmail := func(s *identity.Settings) { s.UsernameClaim = "email" }
	type attack struct {
		change func(*identity.Settings)
		answer func(d *desk, theirs string, good idp.Claims) idp.Claims // of the token endpoint
		why    string                                                   // "": the token goes on
	}
	claims := func(name string, value any) func(*desk, string, idp.Claims) idp.Claims {
		return func(d *desk, _ string, _ idp.Claims) idp.Claims {
			return sound(d.signer.Sign(d.given(idp.Alice).With(name, value)))
		}
	}
	part := func(name string, value any) func(*desk, string, idp.Claims) idp.Claims {
		return func(_ *desk, _ string, good idp.Claims) idp.Claims { return good.With(name, value) }
	}
	for name, test := range map[string]attack{
		"nothing wrong":                  {answer: part("scope", "x")},
		"somebody else's":                {answer: claims("sub", idp.Bob.Subject), why: "gives one of"},
		"for another audience":           {answer: claims("aud", "https://else.example.com"), why: "it is for"},
		"for ClickHouse, among others":   {answer: claims("aud", []string{"x", clickHouse})},
		"for ClickHouse, and for us":     {answer: claims("aud", []string{clickHouse, door.Audiences[0]}), why: "opens this server"},
		"for nobody":                     {answer: claims("aud", nil), why: "does not say for whom"},
		"the very token that was shown":  {answer: func(_ *desk, theirs string, _ idp.Claims) idp.Claims { return sound(theirs) }, why: "it is for"},
		"opaque":                         {answer: part("access_token", "opaque"), why: "no JWT"},
		"called a refresh token":         {answer: part("issued_token_type", isRefresh), why: "issued_token_type"},
		"a refresh token, by its claims": {answer: claims("typ", "Refresh"), why: "no token for access"},
		"an ID token":                    {answer: claims("nonce", "n"), why: "ID token"},
		"an ID token, where those may come in": {
			change: func(s *identity.Settings) { s.AllowIDTokens, s.ClientIDs = true, []string{client} }, answer: claims("nonce", "n"), why: "ID token"},
		"without a type": {answer: part("issued_token_type", nil)},
		"a JWT":          {answer: part("issued_token_type", isJWT)},
		"a JWT that is no bearer": {answer: func(_ *desk, _ string, good idp.Claims) idp.Claims {
			return good.With("issued_token_type", isJWT).With("token_type", "N_A")
		}},
		"no bearer":              {answer: part("token_type", "N_A"), why: "of the type Bearer"},
		"bound to a key":         {answer: part("token_type", "DPoP"), why: "of the type Bearer"},
		"bound to a key, within": {answer: claims("cnf", idp.Claims{"jkt": "x"}), why: "cnf"},
		"no token":               {answer: part("access_token", nil), why: "no access token"},
		"ended":                  {answer: claims("exp", time.Now().Add(-time.Hour).Unix()), why: "expired"},
		"ended, within the leeway": {answer: func(d *desk, _ string, _ idp.Claims) idp.Claims {
			return sound(d.signer.Sign(d.given(idp.Alice).With("exp", d.clock.Now().Add(-time.Second).Unix())))
		}, why: "has ended"},
		"without an end": {answer: claims("exp", nil), why: "no end"},
		"without an end, where such may come in": {
			change: func(s *identity.Settings) { s.AllowNoExpiration = true }, answer: claims("exp", nil), why: "no end"},
		"given to another client than may come in": {
			change: func(s *identity.Settings) { s.ClientIDs = []string{client} },
			answer: func(d *desk, _ string, _ idp.Claims) idp.Claims {
				return sound(d.signer.Sign(d.given(idp.Alice).With("azp", "another").With("client_id", "another")))
			}},
		"where tokens for anybody may come in": {
			change: func(s *identity.Settings) { s.AllowAnyAudience = true }, answer: claims("aud", "x"), why: "it is for"},
		"of another issuer": {answer: claims("iss", "https://evil.example.com"), why: "issuer"},
		"signed by nobody here": {answer: func(d *desk, _ string, _ idp.Claims) idp.Claims {
			return sound(idp.NewKey(t, "ES256").Sign(d.given(idp.Alice)))
		}, why: "key"},
		"of another subject, under the same name": {change: byEmail, answer: claims("sub", "pairwise-1")},
		"of another subject and name":             {change: byEmail, answer: func(d *desk, _ string, _ idp.Claims) idp.Claims { return sound(d.signer.Sign(d.given(idp.Bob))) }, why: "gives one of"},
		"of another subject, the name not checked": {change: byEmail, answer: func(d *desk, _ string, _ idp.Claims) idp.Claims {
			return sound(d.signer.Sign(d.given(idp.Alice).With("sub", "x").With("email_verified", false)))
		}, why: "gives one of"},
	} {
		t.Run(name, func(t *testing.T) {
			h := openIDHouse(t)
			if test.change != nil {
				test.change(&h.settings)
			}
			target := forTarget
			target.Ours = isOurs
			d := exchanging(t, h, target)
			who := d.brings(t, idp.Alice)
			good := d.signer.Sign(d.given(idp.Alice))
			d.answers(t, func(url.Values) idp.Claims { return test.answer(d, who.Token.Reveal(), sound(good)) })
			token, err := d.exchanger.Token(t.Context(), who)
			switch {
			case test.why == "" && (err != nil || token.IsZero()):
				t.Errorf("it does not go on: %v", err)
			case test.why != "" && (err == nil || !token.IsZero() || !strings.Contains(err.Error(), test.why)):
				t.Errorf("%v: not %q", err, test.why)
			case test.why != "":
				kind, _ := porterhouse.Explain(err)
				wantRefusal(t, porterhouse.Principal{}, err, kind, who.Token.Reveal())
				wantNoToken(t, err.Error(), good)
			}
		})
	}
}

// isOurs is a Target.Ours that has whom ClickHouse may be called as well.
func isOurs(audience string) bool {
	return audience == clickHouse || slices.Contains(door.Audiences, audience)
}

// Where nobody said which issuer it should be, the name is worth something only of the
// issuer that said it.
func TestExchangeByAnotherIssuer(t *testing.T) {
	h := dynamicJWKS(t)
	h.settings.ExpectedIssuer, h.settings.UsernameClaim = "", "email"
	d := exchanging(t, h, forTarget)
	who := d.brings(t, idp.Alice)
	for iss, want := range map[string]bool{d.signer.Name: true, "https://evil.example.com": false} {
		d.clock.pass(time.Minute)
		d.answers(t, func(url.Values) idp.Claims {
			return sound(d.signer.Sign(d.given(idp.Alice).With("sub", "pairwise").With("iss", iss)))
		})
		other := exchanging(t, h, forTarget)
		if token, err := other.exchanger.Token(t.Context(), who); (err == nil) != want || token.IsZero() == want {
			t.Errorf("by %s: %v", iss, err)
		}
	}
}

// A token endpoint that leads elsewhere, does not end, or does not begin: nothing follows
// it, and nobody waits for it.
func TestExchangeAtAnEndpointThatMisbehaves(t *testing.T) {
	for name, test := range map[string]struct {
		endpoint func(d *desk) http.HandlerFunc
		why      string
	}{
		"the token as an error": {func(d *desk) http.HandlerFunc {
			return func(out http.ResponseWriter, r *http.Request) {
				out.WriteHeader(http.StatusBadRequest)
				_, _ = out.Write([]byte(`{"error": "` + r.PostFormValue("subject_token") + `"}`)) // the caller may be gone
			}
		}, "status 400"},
		"the token as its type": {func(d *desk) http.HandlerFunc {
			return func(out http.ResponseWriter, r *http.Request) {
				theirs := r.PostFormValue("subject_token")
				_, _ = out.Write([]byte(`{"access_token": "` + theirs + `", "token_type": "Bearer", "issued_token_type": "` + theirs + `"}`))
			}
		}, "issued_token_type"},
		"a redirect": {func(d *desk) http.HandlerFunc {
			return func(out http.ResponseWriter, r *http.Request) {
				http.Redirect(out, r, d.signer.URL+"/elsewhere", http.StatusTemporaryRedirect)
			}
		}, "status 307"},
		"a huge answer": {func(*desk) http.HandlerFunc {
			return func(out http.ResponseWriter, _ *http.Request) {
				_, _ = out.Write([]byte(`{"access_token": "` + strings.Repeat("x", 2<<20))) // the caller hangs up
			}
		}, "longer than allowed"},
		"no answer": {func(*desk) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm() // only then is seen that the caller hangs up
				<-r.Context().Done()
			}
		}, "/token: "},
	} {
		t.Run(name, func(t *testing.T) {
			h := openIDHouse(t)
			if name == "no answer" {
				h.outbound.Timeout = 2 * time.Second
			}
			d := exchanging(t, h, forTarget)
			who := d.brings(t, idp.Alice)
			d.wire.Answer("/token", test.endpoint(d))
			_, err := d.exchanger.Token(t.Context(), who)
			kind := porterhouse.Unavailable
			if test.why == "issued_token_type" {
				kind = porterhouse.Refused
			}
			if wantRefusal(t, porterhouse.Principal{}, err, kind, who.Token.Reveal()); !strings.Contains(err.Error(), test.why) {
				t.Errorf("%v: not %q", err, test.why)
			}
			if d.wire.Asked("/elsewhere") != 0 {
				t.Error("the token was sent elsewhere")
			}
		})
	}
}

// counting is a desk whose provider gives a sound token, for that long.
func counting(t *testing.T, lives time.Duration) *desk {
	t.Helper()
	d := exchanging(t, openIDHouse(t), forTarget)
	d.answers(t, func(asked url.Values) idp.Claims {
		p := idp.Alice
		if d.who(t, asked.Get("subject_token")).Subject == idp.Bob.Subject {
			p = idp.Bob
		}
		return sound(d.signer.Sign(d.given(p))).With("expires_in", int(lives.Seconds()))
	})
	return d
}

func (d *desk) mustExchange(t *testing.T, who porterhouse.Principal, asked int) string {
	t.Helper()
	token, err := d.exchanger.Token(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.wire.Asked("/token"); got != asked {
		t.Errorf("the provider was asked %d times, not %d", got, asked)
	}
	return token.Reveal()
}

// What is remembered is for one token of one person, and nobody else's.
func TestExchangedIsForOnePerson(t *testing.T) {
	d := counting(t, 10*time.Minute)
	alice, bob := d.brings(t, idp.Alice), d.brings(t, idp.Bob)
	first := d.mustExchange(t, alice, 1)
	if d.mustExchange(t, bob, 2) == first || d.mustExchange(t, alice, 2) != first {
		t.Error("tokens are mixed up")
	}
	// Not even who comes with the same token, as somebody else.
	d.answers(t, func(url.Values) idp.Claims { return sound(d.signer.Sign(d.given(idp.Bob))) })
	bob.Token = alice.Token
	if d.mustExchange(t, bob, 3) == first {
		t.Error("the token of one person was given to another")
	}
	// And another token of hers may have other rights.
	d.answers(t, func(url.Values) idp.Claims { return sound(d.signer.Sign(d.given(idp.Alice))) })
	d.clock.pass(time.Second)
	if d.mustExchange(t, d.brings(t, idp.Alice), 4) == first {
		t.Error("the token that was given for one went on for another")
	}
}

// It is used until shortly before its end, and never after that of the token that was brought.
func TestExchangedEnds(t *testing.T) {
	d := counting(t, 100*time.Second)
	who := d.brings(t, idp.Alice)
	d.mustExchange(t, who, 1)
	d.clock.pass(74 * time.Second)
	d.mustExchange(t, who, 1)
	d.clock.pass(2 * time.Second)
	d.mustExchange(t, who, 2)

	d = counting(t, 10*time.Minute)
	who = d.brings(t, idp.Alice)
	who.Expires = d.clock.Now().Add(time.Minute)
	d.mustExchange(t, who, 1)
	d.clock.pass(time.Minute)
	_, err := d.exchanger.Token(t.Context(), who)
	wantRefusal(t, porterhouse.Principal{}, err, no401, who.Token.Reveal())
	who.Expires = d.clock.Now().Add(time.Minute) // as if it had been found to live on
	d.mustExchange(t, who, 2)
}

// Many who ask at once are one request, and who leaves takes nothing from the others. What
// failed is not asked again for ten seconds.
func TestExchangeIsAskedOnce(t *testing.T) {
	d := counting(t, 10*time.Minute)
	who := d.brings(t, idp.Alice)
	d.signer.Answer("/.well-known/openid-configuration", http.NotFound) // it is known
	d.wire.Hold()
	leaving, leave := context.WithCancel(t.Context())
	var leavers, all sync.WaitGroup
	leavers.Go(func() {
		if _, err := d.exchanger.Token(leaving, who); err == nil {
			t.Error("who left has a token")
		}
	})
	for d.wire.Asked("/token") == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	leavers.Wait()
	for range 8 {
		all.Go(func() {
			if _, err := d.exchanger.Token(t.Context(), who); err != nil {
				t.Error(err)
			}
		})
	}
	d.wire.Release()
	all.Wait()
	d.mustExchange(t, who, 1)

	bob := d.brings(t, idp.Bob)
	d.wire.AnswerJSON("/token", http.StatusBadRequest, idp.Claims{"error": "invalid_target"})
	for _, want := range []int{2, 3} {
		for range 2 {
			_, err := d.exchanger.Token(t.Context(), bob)
			wantRefusal(t, porterhouse.Principal{}, err, porterhouse.Refused, bob.Token.Reveal())
		}
		if got := d.wire.Asked("/token"); got != want {
			t.Errorf("the provider was asked %d times, not %d", got, want)
		}
		d.clock.pass(10 * time.Second)
	}
}

// Without a record no token goes on.
func TestExchangeIsRecorded(t *testing.T) {
	d := counting(t, 10*time.Minute)
	d.lost = porterhouse.Errorf(porterhouse.Unavailable, "the disk is full")
	token, err := d.exchanger.Token(t.Context(), d.brings(t, idp.Alice))
	if !token.IsZero() || !errors.Is(err, d.lost) || len(d.recorded()) != 1 || d.recorded()[0] != nil {
		t.Errorf("%v, recorded %v", err, d.recorded())
	}
}
