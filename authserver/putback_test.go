package authserver

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"porterhouse"
)

// theirOutages are the ways in which a provider says neither yes nor no.
var theirOutages = map[string]error{
	"away":      porterhouse.Errorf(porterhouse.Unavailable, "away"),
	"slow":      porterhouse.Errorf(porterhouse.Timeout, "slow"),
	"gone away": context.Canceled,
}

// A code outlives the outage of the provider, by as much as it had to live: who comes
// again with it stole nothing.
func TestCodeSurvivesAnOutage(t *testing.T) {
	for name, outage := range theirOutages {
		t.Run(name, func(t *testing.T) {
			d, provider := openFlow(t, nil)
			code := d.code()
			for range 2 {
				provider.says(outage)
				if a := d.grant(redeem(code)); a.status < http.StatusInternalServerError {
					t.Fatalf("while the provider is away: %d %s", a.status, a.text)
				}
				d.pass(d.Lifetimes.Code/2 - time.Second)
			}
			provider.says(nil)
			first := d.tokens(redeem(code))
			if lines := d.recorded("reuse"); len(lines) != 0 || d.Stats().Reused != 0 {
				t.Errorf("a false alarm: %q", lines)
			}
			d.wantOAuthError(d.grant(redeem(code)), "invalid_grant")
			d.wantOAuthError(d.grant(refreshing(first.field("refresh_token"))), "invalid_grant")
			if lines := d.recorded("reuse"); len(lines) != 1 {
				t.Errorf("the record of reuse afterwards: %q", lines)
			}
		})
	}
}

// An outage makes no code live longer, and what ended meanwhile was not stolen.
func TestCodeEndsInAnOutage(t *testing.T) {
	for name, lasts := range map[string]time.Duration{"before the provider is asked": 30 * time.Second, "while it is": time.Minute} {
		t.Run(name, func(t *testing.T) {
			var d *desk
			d, _ = openFlow(t, func(c *Config) {
				c.Recheck = func(context.Context, porterhouse.Principal) (porterhouse.Principal, error) {
					d.pass(lasts)
					return porterhouse.Principal{}, theirOutages["away"]
				}
			})
			code := d.code()
			d.wantOAuthError(d.grant(redeem(code)), "temporarily_unavailable")
			d.pass(30 * time.Second)
			d.wantOAuthError(d.grant(redeem(code)), "invalid_grant")
			if lines := d.recorded("reuse"); len(lines) != 0 {
				t.Errorf("a false alarm: %q", lines)
			}
		})
	}
}

// A no uses the code up, and so does whoever brings it wrongly during an outage.
func TestOutageGivesNothingBackToOthers(t *testing.T) {
	no := porterhouse.Errorf(porterhouse.Unauthenticated, "signed out")
	for name, test := range map[string]struct {
		says   error
		change []string
	}{
		"a no":           {no, nil},
		"wrong verifier": {theirOutages["away"], []string{"code_verifier", verifier + "x"}},
		"another client": {theirOutages["away"], []string{"client_id", otherClient}},
	} {
		t.Run(name, func(t *testing.T) {
			d, provider := openFlow(t, nil)
			code := d.code()
			provider.says(test.says)
			d.wantOAuthError(d.grant(redeem(code, test.change...)), "invalid_grant")
			provider.says(nil)
			d.wantOAuthError(d.grant(redeem(code)), "invalid_grant")
		})
	}
}

// The same for a program without a browser.
func TestDeviceCodeSurvivesAnOutage(t *testing.T) {
	d, provider := openFlow(t, nil)
	b := d.beginAs("robot")
	d.say(b, "alice", "agree")
	provider.says(theirOutages["away"])
	d.wantOAuthError(d.poll(b, "robot"), "temporarily_unavailable")
	provider.says(nil)
	d.claimsOf(d.poll(b, "robot"))
	if lines := d.recorded("reuse"); len(lines) != 0 {
		t.Errorf("a false alarm: %q", lines)
	}
	d.wantOAuthError(d.poll(b, "robot"), "invalid_grant")

	late := d.beginAs("robot")
	d.say(late, "alice", "agree")
	provider.says(theirOutages["away"])
	d.wantOAuthError(d.poll(late, "robot"), "temporarily_unavailable")
	provider.says(nil)
	d.pass(d.Lifetimes.Device)
	d.wantOAuthError(d.poll(late, "robot"), "expired_token")

	refused := d.beginAs("robot")
	d.say(refused, "alice", "agree")
	provider.says(porterhouse.Errorf(porterhouse.Refused, "not any more"))
	d.wantOAuthError(d.poll(refused, "robot"), "invalid_grant")
	provider.says(nil)
	d.pass(devicePolling)
	d.wantOAuthError(d.do(http.MethodPost, "/token", "", url.Values{"grant_type": {GrantDevice}, "device_code": {refused.device}, "client_id": {"robot"}}), "invalid_grant")
}
