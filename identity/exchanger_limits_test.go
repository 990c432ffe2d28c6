package identity_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// A token that lives for a day is asked for again after an hour: what the provider has
// changed about somebody since then would else not be in it.
func TestExchangedIsRememberedForAnHour(t *testing.T) {
	d := exchanging(t, openIDHouse(t), forTarget)
	tomorrow := d.clock.Now().Add(day).Unix()
	d.answers(t, func(url.Values) idp.Claims {
		return sound(d.signer.Sign(d.given(idp.Alice).With("exp", tomorrow))).With("expires_in", int(day.Seconds()))
	})
	who := d.who(t, d.mint(idp.Alice, d.claims(idp.Alice).With("exp", tomorrow)))
	for _, step := range []struct {
		pass  time.Duration
		asked int
	}{{0, 1}, {59 * time.Minute, 1}, {2 * time.Minute, 2}} {
		d.clock.pass(step.pass)
		d.mustExchange(t, who, step.asked)
	}
}

// The typ that tokens must have at our doors is no matter for one that is for ClickHouse.
func TestExchangedHasItsOwnTyp(t *testing.T) {
	d := counting(t, 10*time.Minute)
	who := d.brings(t, idp.Alice)
	c := d.config(forTarget)
	c.Settings.ExpectedTyp = "of-our-doors+jwt"
	var err error
	if d.exchanger, err = identity.NewExchanger(c); err != nil {
		t.Fatal(err)
	}
	d.mustExchange(t, who, 1)
}

// A provider that does not say where it gives tokens is not asked for one.
func TestExchangeNowhere(t *testing.T) {
	d := counting(t, 10*time.Minute)
	who := d.brings(t, idp.Alice)
	d = exchanging(t, d.house, forTarget) // it knows nothing of the provider yet
	d.signer.AnswerJSON("/.well-known/openid-configuration", http.StatusOK, idp.Claims{"issuer": d.issuer, "jwks_uri": d.signer.URL + "/jwks"})
	_, err := d.exchanger.Token(t.Context(), who)
	if wantRefusal(t, porterhouse.Principal{}, err, porterhouse.Unavailable, who.Token.Reveal()); !strings.Contains(err.Error(), "no token_endpoint") {
		t.Error(err)
	}
}
