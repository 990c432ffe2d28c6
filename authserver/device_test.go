package authserver

import (
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// begun is a device that waits for an answer.
type begun struct{ device, user, page string }

// beginAs begins as a client would.
func (d *desk) beginAs(client string, more ...string) begun {
	d.t.Helper()
	form := url.Values{"client_id": {client}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	a := d.do("POST", "/device_authorization", "", form)
	if a.status != http.StatusOK {
		d.t.Fatalf("a device code was refused: %d %s", a.status, a.text)
	}
	return begun{a.field("device_code"), a.field("user_code"), a.field("verification_uri_complete")}
}

// poll asks for tokens, when enough time has passed.
func (d *desk) poll(b begun, client string) answered {
	d.t.Helper()
	d.pass(devicePolling)
	return d.do("POST", "/token", "", url.Values{"grant_type": {GrantDevice}, "device_code": {b.device}, "client_id": {client}})
}

// look opens the page of a code as somebody.
func (d *desk) look(b begun, who string) answered {
	d.t.Helper()
	return d.do("GET", b.page, who, nil)
}

// say answers on the page as somebody who has looked at it.
func (d *desk) say(b begun, who, answer string, ticked ...string) answered {
	d.t.Helper()
	form := formOf(d.look(b, who).text)
	form.Set("answer", answer)
	for _, box := range ticked {
		form.Set(box, "yes")
	}
	return d.do("POST", "/device", who, form)
}

// The exact requests of a stock clickhouse-client --login, byte for byte as it sends
// them, from the code to the refresh.
func TestClickHouseClientLogsIn(t *testing.T) {
	d := openDesk(t, nil)
	send := func(path, body string) answered {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+path, strings.NewReader(body)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return d.send(r)
	}
	a := send("/oauth/device/code", "client_id=clickhouse-client&scope=openid%20profile%20email%20offline_access&audience=control-plane-web")
	interval, isNumber := a.fields["interval"].(float64)
	expires, isNumberToo := a.fields["expires_in"].(float64)
	if a.status != http.StatusOK || !isNumber || !isNumberToo || interval != math.Trunc(interval) || expires != 600 || a.field("device_code") == "" || a.field("user_code") == "" {
		t.Fatalf("a device code was refused: %d %s", a.status, a.text)
	}
	b := begun{a.field("device_code"), a.field("user_code"), a.field("verification_uri_complete")}
	ask := func() answered {
		d.pass(time.Duration(interval) * time.Second)
		return send("/oauth/token", "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code="+b.device+"&client_id=clickhouse-client")
	}
	d.wantOAuthError(ask(), "authorization_pending")
	if a := d.say(b, "alice", "agree", ScopeOffline); a.status != http.StatusOK || !strings.Contains(a.text, "Done.") {
		t.Fatalf("the page says %d %s", a.status, a.text)
	}
	given := ask()
	claims := d.claimsOf(given)
	if exp, isNumber := claims["exp"].(float64); !isNumber || exp != math.Trunc(exp) || claims["aud"] != d.url+"/mcp" || claims["name"] != "alice@example.com" {
		t.Errorf("the token says %v", claims)
	}
	if claims["scope"] != ScopeRead+" "+ScopeOffline {
		t.Errorf("the scope is %q", claims["scope"])
	}
	d.pass(time.Minute)
	renewed := send("/oauth/token", "grant_type=refresh_token&client_id=clickhouse-client&refresh_token="+given.field("refresh_token"))
	d.claimsOf(renewed)
	if len(d.recorded("consent")) != 1 || len(d.recorded("device")) != 1 {
		t.Errorf("the record has %q and %q", d.recorded("consent"), d.recorded("device"))
	}
}

// A stock client keeps its pace whatever it is told: who asks too often is told so,
// and still gets its tokens.
func TestDevicePolling(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	d.wantOAuthError(d.poll(b, "clickhouse-client"), "authorization_pending")
	for range 3 {
		d.pass(time.Second / 2)
		d.wantOAuthError(d.do("POST", "/token", "", url.Values{"grant_type": {GrantDevice}, "device_code": {b.device}, "client_id": {"clickhouse-client"}}), "slow_down")
	}
	d.say(b, "alice", "agree")
	d.claimsOf(d.poll(b, "clickhouse-client"))
}

// What a device code can come to.
func TestDeviceCodeEnds(t *testing.T) {
	tests := map[string]struct {
		act  func(d *desk, b begun)
		want string
	}{
		"nobody answers":     {func(d *desk, _ begun) { d.pass(10 * time.Minute) }, "expired_token"},
		"long ago":           {func(d *desk, _ begun) { d.pass(time.Hour) }, "invalid_grant"},
		"the person says no": {func(d *desk, b begun) { d.say(b, "alice", "cancel") }, "access_denied"},
		"no button pressed":  {func(d *desk, b begun) { d.say(b, "alice", "") }, "access_denied"},
		"used before": {func(d *desk, b begun) {
			d.say(b, "alice", "agree")
			d.claimsOf(d.poll(b, "clickhouse-client"))
		}, "invalid_grant"},
		"agreed, and not fetched in time": {func(d *desk, b begun) {
			d.say(b, "alice", "agree")
			d.pass(10 * time.Minute)
		}, "expired_token"},
		"another client brought it at once": {func(d *desk, b begun) {
			d.wantOAuthError(d.poll(b, "other-cli"), "invalid_grant")
		}, "invalid_grant"},
		"another client brought it": {func(d *desk, b begun) {
			d.say(b, "alice", "agree")
			d.wantOAuthError(d.poll(b, "other-cli"), "invalid_grant")
		}, "invalid_grant"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := openDesk(t, nil)
			b := d.beginAs("clickhouse-client")
			test.act(d, b)
			d.wantOAuthError(d.poll(b, "clickhouse-client"), test.want)
		})
	}
}

// A device code that comes again is in two hands: what came of it ends.
func TestDeviceCodeReplay(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	d.say(b, "alice", "agree", ScopeOffline)
	given := d.poll(b, "clickhouse-client")
	d.wantOAuthError(d.poll(b, "clickhouse-client"), "invalid_grant")
	d.wantOAuthError(d.do("POST", "/token", "", url.Values{"grant_type": {GrantRefresh}, "client_id": {"clickhouse-client"}, "refresh_token": {given.field("refresh_token")}}), "invalid_grant")
	if len(d.recorded("reuse")) != 1 {
		t.Errorf("the record has %q", d.recorded("reuse"))
	}
}

// Of many who bring one code at once, at two replicas, one gets tokens.
func TestDeviceCodeIsUsedOnce(t *testing.T) {
	d := openDesk(t, nil)
	b := d.beginAs("clickhouse-client")
	d.say(b, "alice", "agree")
	const many = 8
	d.devices.store = readTogether(d.store, "device/", many)
	twin := *d.devices
	var wins atomic.Int32
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			if _, err := []*devices{d.devices, &twin}[i%2].redeem(t.Context(), b.device, "clickhouse-client"); err == nil {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d got tokens for one code", wins.Load())
	}
}

// What the person unticks is not given; what was not asked for, ticks do not give.
func TestDeviceScopes(t *testing.T) {
	both := ScopeRead + " " + ScopeWrite
	for name, test := range map[string]struct {
		asked  string
		ticked []string
		want   string
	}{
		"all ticked":          {both, []string{ScopeWrite, ScopeOffline}, both + " " + ScopeOffline},
		"all unticked":        {both, nil, ScopeRead},
		"ticked and unasked":  {"", []string{ScopeWrite, "admin"}, ScopeRead},
		"reading is the base": {"openid", []string{ScopeOffline}, ScopeRead + " " + ScopeOffline},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDesk(t, nil)
			b := d.beginAs("clickhouse-client", "scope", test.asked)
			d.say(b, "alice", "agree", test.ticked...)
			a := d.poll(b, "clickhouse-client")
			if got := a.field("scope"); got != test.want {
				t.Errorf("given %q, want %q", got, test.want)
			}
			if refresh := a.field("refresh_token") != ""; refresh != strings.Contains(test.want, ScopeOffline) {
				t.Errorf("with %q the refresh token is there: %v", test.want, refresh)
			}
		})
	}
}

// Requests that begin nothing.
func TestDeviceAuthorizationRefused(t *testing.T) {
	d := openDesk(t, nil)
	for name, test := range map[string]struct {
		form url.Values
		want string
	}{
		"no client":           {url.Values{}, "invalid_client"},
		"unknown client":      {url.Values{"client_id": {"nobody"}}, "invalid_client"},
		"not for this client": {url.Values{"client_id": {"no-device"}}, "unauthorized_client"},
		"two clients":         {url.Values{"client_id": {"clickhouse-client", "other-cli"}}, "invalid_request"},
		"another resource":    {url.Values{"client_id": {"clickhouse-client"}, "resource": {"https://elsewhere.example.com/mcp"}}, "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) { d.wantOAuthError(d.do("POST", "/device_authorization", "", test.form), test.want) })
	}
}

// What waits for an answer is bounded: by network, and altogether.
func TestDeviceFlood(t *testing.T) {
	d := openDesk(t, nil)
	begin := func(remote string) int {
		d.from(remote)
		return d.do("POST", "/device_authorization", "", url.Values{"client_id": {"clickhouse-client"}}).status
	}
	for i := range 31 {
		if status := begin("192.0.2.1:1000"); (status == http.StatusOK) != (i < 30) {
			t.Fatalf("request %d of one network: %d", i+1, status)
		}
	}
	for i := 30; i < maxDevices; i++ {
		if _, _, err := d.devices.begin(t.Context(), deviceRequest{Client: "clickhouse-client"}); err != nil {
			t.Fatalf("request %d altogether: %v", i+1, err)
		}
	}
	if status := begin("198.51.100.7:1000"); status != http.StatusServiceUnavailable {
		t.Errorf("one more than %d: %d", maxDevices, status)
	}
	d.pass(time.Minute)
	if status := begin("198.51.100.7:1000"); status != http.StatusOK {
		t.Errorf("a minute later: %d", status)
	}
}
