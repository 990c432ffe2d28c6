package authserver

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/kv"
)

const day = 24 * time.Hour

// refresh asks with a refresh token.
func (d *desk) refresh(token string, pairs ...string) answered {
	d.t.Helper()
	return d.grant(refreshing(token, pairs...))
}

// refreshed asks with a refresh token, and must get the next.
func (d *desk) refreshed(token string) string {
	d.t.Helper()
	next := d.tokens(refreshing(token)).field("refresh_token")
	if next == "" || next == token {
		d.t.Fatal("there is no next refresh token")
	}
	return next
}

// A session is used for 30 days, once an hour, and the provider is asked each time.
func TestRefreshForThirtyDays(t *testing.T) {
	d, provider := openFlow(t, nil)
	token := d.family().field("refresh_token")
	for range 30 * 24 {
		d.pass(time.Hour)
		token = d.refreshed(token)
	}
	if provider.asked != 1+30*24 { // once for the code
		t.Errorf("the provider was asked %d times", provider.asked)
	}
}

// Nobody gets a first token either whom the provider does not know any more: the
// browser may have been signed in for hours when the person agreed.
func TestFirstTokenAsksTheProvider(t *testing.T) {
	d, provider := openFlow(t, nil)
	code, device := d.code(), d.beginAs("robot")
	d.say(device, "alice", "agree")
	provider.says(porterhouse.Errorf(porterhouse.Refused, "the account is disabled"))
	for name, a := range map[string]answered{"code": d.grant(redeem(code)), "device": d.poll(device, "robot")} {
		t.Run(name, func(t *testing.T) {
			d.wantOAuthError(a, "invalid_grant")
			if a.field("access_token") != "" {
				t.Error("there is a token all the same")
			}
		})
	}
}

// A refresh token that is not used for 30 days has ended; a family ends after 90 days
// however much it is used; and both end with the sign-in.
func TestRefreshEnds(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		d, _ := openFlow(t, nil)
		token := d.family().field("refresh_token")
		d.pass(30*day - time.Second)
		token = d.refreshed(token)
		d.pass(30 * day)
		d.wantOAuthError(d.refresh(token), "invalid_grant")
	})
	t.Run("longest", func(t *testing.T) {
		d, _ := openFlow(t, nil)
		token := d.family().field("refresh_token")
		for range 89 {
			d.pass(day)
			token = d.refreshed(token)
		}
		d.pass(day)
		d.wantOAuthError(d.refresh(token), "invalid_grant")
	})
	t.Run("with the sign-in", func(t *testing.T) {
		var d *desk
		d, _ = openFlow(t, func(c *Config) {
			c.Who = func(r *http.Request) (porterhouse.Principal, error) {
				who, err := signedIn(r)
				who.Expires = d.now().Add(12 * time.Hour)
				return who, err
			}
		})
		token, unused := d.family().field("refresh_token"), d.family().field("refresh_token")
		d.pass(12*time.Hour - time.Minute)
		a := d.tokens(refreshing(token))
		if a.fields["expires_in"] != 60.0 {
			t.Errorf("the token lives %v s, and the sign-in 60", a.fields["expires_in"])
		}
		d.pass(time.Minute)
		d.wantOAuthError(d.refresh(a.field("refresh_token")), "invalid_grant")
		d.wantOAuthError(d.refresh(unused), "invalid_grant")
		if left := must(d.store.Keys(t.Context(), "family/")); len(left) != 0 {
			t.Errorf("the store has %v still", left)
		}
	})
}

// A used refresh token yields an access token for ten seconds, and never a second
// refresh token; afterwards it ends the family.
func TestAttackRefreshReuse(t *testing.T) {
	d, _ := openFlow(t, nil)
	first := d.family().field("refresh_token")
	second := d.refreshed(first)
	d.pass(10 * time.Second)
	if a := d.tokens(refreshing(first)); a.field("refresh_token") != "" {
		t.Errorf("there are two refresh tokens: %s", a.text)
	}
	third := d.refreshed(second) // nothing has happened to those that count
	d.wantOAuthError(d.refresh(first), "invalid_grant")
	d.wantOAuthError(d.refresh(third), "invalid_grant")
	if lines := d.recorded("reuse"); len(lines) != 1 || !strings.Contains(lines[0], "alice@example.com") {
		t.Errorf("the record of reuse: %q", lines)
	}
}

// After ten seconds the last one, too, ends the family.
func TestAttackRefreshReuseLater(t *testing.T) {
	d, _ := openFlow(t, nil)
	first := d.family().field("refresh_token")
	second := d.refreshed(first)
	d.pass(11 * time.Second)
	d.wantOAuthError(d.refresh(first), "invalid_grant")
	d.wantOAuthError(d.refresh(second), "invalid_grant")
}

// A refresh token that another client brings was stolen from its own.
func TestAttackRefreshOfAnotherClient(t *testing.T) {
	d, _ := openFlow(t, nil)
	token := d.family().field("refresh_token")
	d.wantOAuthError(d.refresh(token, "client_id", otherClient), "invalid_grant")
	d.wantOAuthError(d.refresh(token), "invalid_grant")
}

// Refresh tokens that somebody made up, from a real one or from nothing, do nothing.
func TestAttackForgedRefreshToken(t *testing.T) {
	d, _ := openFlow(t, nil)
	token := d.family().field("refresh_token")
	raw := must(base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, refreshPrefix)))
	for _, at := range []int{0, 16, 19, 20, 51, 52, 67} { // family, generation, random, MAC
		forged := append([]byte(nil), raw...)
		forged[at] ^= 1
		d.wantOAuthError(d.refresh(refreshPrefix+base64.RawURLEncoding.EncodeToString(forged)), "invalid_grant")
	}
	for _, text := range []string{"phr_", token[1:], token + "A", token + "=", strings.ToUpper(token), "phr_" + strings.Repeat("A", 91), token[:len(token)-1]} {
		d.wantOAuthError(d.refresh(text), "invalid_grant")
	}
	d.wantOAuthError(d.refresh(""), "invalid_request")
	d.refreshed(token)
}

// A refresh may ask for less, for one access token; never for more.
func TestRefreshNarrows(t *testing.T) {
	d, _ := openFlow(t, nil)
	token := d.family("scope", "clickhouse:read").field("refresh_token")
	d.wantOAuthError(d.refresh(token, "scope", "clickhouse:read clickhouse:write"), "invalid_scope")
	d.wantOAuthError(d.refresh(token, "resource", "https://evil.example.com/"), "invalid_target")
	d.refreshed(token) // neither has used it up

	token = d.family().field("refresh_token")
	a := d.tokens(refreshing(token, "scope", "clickhouse:read openid"))
	if a.field("scope") != ScopeRead || d.claimsOf(a)["scope"] != ScopeRead {
		t.Errorf("the narrowed scope is %q", a.field("scope"))
	}
	if a = d.tokens(refreshing(a.field("refresh_token"))); a.field("scope") != "clickhouse:read clickhouse:write offline_access" {
		t.Errorf("afterwards it is %q", a.field("scope"))
	}
}

// The provider's no ends the family; that it cannot be asked does not, and the client
// hears that it should try again.
func TestRefreshAsksTheProvider(t *testing.T) {
	for name, no := range map[string]porterhouse.Kind{"unknown there": porterhouse.Unauthenticated, "not let in": porterhouse.Refused} {
		t.Run(name, func(t *testing.T) {
			d, provider := openFlow(t, nil)
			token := d.family().field("refresh_token")
			provider.says(porterhouse.Errorf(no, "no"))
			d.wantOAuthError(d.refresh(token), "invalid_grant")
			provider.says(nil)
			d.wantOAuthError(d.refresh(token), "invalid_grant")
			if lines := d.recorded("revoke"); len(lines) != 1 {
				t.Errorf("the record of the end: %q", lines)
			}
		})
	}
	for name, away := range map[string]error{
		"away": porterhouse.Errorf(porterhouse.Unavailable, "away"), "slow": porterhouse.Errorf(porterhouse.Timeout, "slow"),
		"too often": porterhouse.Errorf(porterhouse.Limited, "later"), "our fault": errors.New("broken"),
	} {
		t.Run(name, func(t *testing.T) {
			d, provider := openFlow(t, nil)
			token := d.family().field("refresh_token")
			provider.says(away)
			a := d.refresh(token)
			if code := a.field("error"); a.status < 500 || code != "temporarily_unavailable" && code != "server_error" {
				t.Errorf("the answer is %d %s", a.status, a.text)
			}
			provider.says(nil)
			d.refreshed(token)
		})
	}
}

// What the provider says of the person now is in the next token.
func TestRefreshKnowsThePersonAnew(t *testing.T) {
	d, provider := openFlow(t, nil)
	token := d.family().field("refresh_token")
	provider.who = func(who porterhouse.Principal) porterhouse.Principal {
		who.Groups = []string{"moved"}
		return who
	}
	a := d.tokens(refreshing(token))
	if groups, _ := d.claimsOf(a)["groups"].([]any); len(groups) != 1 || groups[0] != "moved" {
		t.Errorf("the groups are %v", groups)
	}
	provider.who = func(who porterhouse.Principal) porterhouse.Principal { return personCalled("mallory") }
	d.wantOAuthError(d.refresh(a.field("refresh_token")), "invalid_grant")
}

// Of many who refresh at once, with two servers on one store, one gets the next
// refresh token, and it is good.
func TestRefreshRace(t *testing.T) {
	d, _ := openFlow(t, nil)
	twin := must(New(d.Config))
	token := d.family().field("refresh_token")
	for range 5 {
		given := make(chan answered, 16)
		var wg sync.WaitGroup
		for i := range cap(given) {
			wg.Go(func() {
				if i%2 == 0 {
					given <- d.refresh(token)
					return
				}
				given <- ask(twin, "/token", refreshing(token))
			})
		}
		wg.Wait()
		close(given)
		next := ""
		for a := range given {
			switch refresh := a.field("refresh_token"); {
			case a.field("access_token") == "":
				t.Errorf("a refresh within ten seconds was refused: %s", a.text)
			case refresh != "" && next != "":
				t.Error("two have the next refresh token")
			case refresh != "":
				next = refresh
			}
		}
		token = next
	}
	d.refreshed(token)
}

// A failing record costs nobody anything: no token is given, and none is used up.
func TestNoRecordNoToken(t *testing.T) {
	d, _ := openFlow(t, nil)
	code, token := d.code(), d.family().field("refresh_token")
	request := wish()
	page := d.page("alice", request)
	if err := d.Audit.Close(); err != nil {
		t.Fatal(err)
	}
	for _, form := range []map[string][]string{redeem(code), refreshing(token)} {
		if a := d.grant(form); a.field("error") != "temporarily_unavailable" || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("without a record: %d %s", a.status, a.text)
		}
	}
	if a := d.do(http.MethodPost, authorizePath(request), "alice", yes(page)); strings.Contains(a.header.Get("Location"), "code=") {
		t.Errorf("without a record there is a code: %s", a.header.Get("Location"))
	}
	found, _, err := d.families.find(t.Context(), must(d.families.readRefreshToken(token)).family)
	if err != nil || found.Generation != 1 {
		t.Errorf("the refresh token is used up: %+v %v", found, err)
	}
}

// fullStore is a store that has no room for a while.
type fullStore struct {
	kv.Store
	full atomic.Bool
}

func (s *fullStore) Put(ctx context.Context, key string, value []byte, life time.Duration) error {
	if s.full.Load() {
		return porterhouse.Errorf(porterhouse.Limited, "the store is full")
	}
	return s.Store.Put(ctx, key, value, life)
}

// A family of which somebody has a copy, and that cannot be ended now, is ended when
// the client comes again: it is not told that it is over.
func TestAttackReuseWhileTheStoreIsFull(t *testing.T) {
	store := &fullStore{}
	d, _ := openFlow(t, func(c *Config) {
		store.Store = c.Store
		c.Store = store
	})
	first := d.family().field("refresh_token")
	second := d.refreshed(first)
	d.pass(time.Minute)
	store.full.Store(true)
	d.wantOAuthError(d.refresh(first), "temporarily_unavailable")
	store.full.Store(false)
	d.wantOAuthError(d.refresh(first), "invalid_grant")
	d.wantOAuthError(d.refresh(second), "invalid_grant")
}
