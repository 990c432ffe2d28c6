package signin

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
	"porterhouse/kv"
)

// teller is a provider that gives tokens: each refresh token is good once.
type teller struct {
	mu     sync.Mutex
	given  int           // how many refresh tokens; the last is the good one
	reused int           // how often another came
	takes  time.Duration // to answer
	life   time.Duration // of a token
	no     error         // to the purpose
	gone   error         // to the person
}

// use takes a refresh token, and gives the next.
func (p *teller) use(k Kept, answer error) (Kept, error) {
	p.mu.Lock()
	takes := p.takes
	p.mu.Unlock()
	time.Sleep(takes)
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.RefreshToken != fmt.Sprint("refresh ", p.given) {
		p.reused++
		return k, errNo
	}
	p.given++
	return Kept{RefreshToken: fmt.Sprint("refresh ", p.given)}, answer
}

func (p *teller) provider() Provider {
	get := func(_ context.Context, _ porterhouse.Principal, k Kept) (Granted, Kept, error) {
		kept, err := p.use(k, p.no)
		if err != nil {
			return Granted{}, kept, err
		}
		return Granted{porterhouse.NewSecret("token by " + k.RefreshToken), time.Now().Add(p.life)}, kept, nil
	}
	return Provider{
		Name:       "acme",
		Start:      func(context.Context, Trip) (string, error) { return "", nil },
		Finish:     func(context.Context, Trip, string, string) (who porterhouse.Principal, k Kept, err error) { return },
		CanRecheck: func(Kept) bool { return true },
		Recheck: func(_ context.Context, who porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error) {
			kept, err := p.use(k, p.gone)
			return who, kept, err
		},
		Tokens: map[string]GetToken{"main": get, "other": get},
		For:    map[string]string{"main": "clickhouse"},
	}
}

// signedIn are replicas with one store, and somebody who has signed in.
func signedIn(t *testing.T, p *teller) (a, b *SignIn, who porterhouse.Principal) {
	t.Helper()
	store := memory(t, time.Now)
	a, b = replica(t, store, p.provider()), replica(t, store, p.provider())
	l := a.logins.new(p.provider(), porterhouse.Principal{Issuer: "i", Subject: "s", User: "u", Proof: "acme"}, Kept{RefreshToken: "refresh 0"})
	l.Held = true
	if err := a.logins.create(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	who = l.principal()
	who.TokenID = "of a token of ours"
	return a, b, who
}

func mustToken(t *testing.T, s *SignIn, who porterhouse.Principal, purpose string) string {
	t.Helper()
	token, err := s.Token(t.Context(), who, purpose)
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

// A token is remembered for its login and purpose, until shortly before its end.
func TestTokenIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &teller{life: 10 * time.Minute}
		s, _, who := signedIn(t, p)
		first := mustToken(t, s, who, "main")
		time.Sleep(9 * time.Minute)
		if again := mustToken(t, s, who, "main"); again != first || first == "" {
			t.Errorf("%q, then %q", first, again)
		}
		if other := mustToken(t, s, who, "other"); other == first {
			t.Error("one token for two purposes")
		}
		time.Sleep(30 * time.Second)
		if next := mustToken(t, s, who, "main"); next == first || p.given != 3 || p.reused != 0 {
			t.Errorf("%q; %d given, %d reused", next, p.given, p.reused)
		}
		// Whoever gets the lease just after somebody else had it does not ask again.
		before := p.given
		s.tokens.renew(t.Context(), tokenFor{who.Login, "main"}, "")
		if p.given != before {
			t.Error("asked again under the lease")
		}
		for purpose, who := range map[string]porterhouse.Principal{"none": who, "main": {Issuer: "i", Subject: "s", Proof: "acme"}} {
			if token, err := s.Token(t.Context(), who, purpose); err != nil || !token.IsZero() {
				t.Errorf("for %s, of the login %q: a token, or %v", purpose, who.Login, err)
			}
		}
	})
}

// Many questions at once, at two replicas, while the provider is asked about the person:
// no refresh token is used twice, and each replica gets one token.
func TestTokensAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &teller{life: time.Hour, takes: 3 * time.Second}
		a, b, who := signedIn(t, p)
		time.Sleep(2 * time.Minute)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				s := []*SignIn{a, b}[i%2]
				if token, err := s.Token(t.Context(), who, "main"); err != nil || token.IsZero() {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			asks := who
			asks.TokenID = who.Login
			if _, err := a.Recheck(t.Context(), asks); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if p.given != 3 || p.reused != 0 {
			t.Errorf("%d given, %d reused", p.given, p.reused)
		}
	})
}

// Who leaves while the provider is asked leaves nothing behind that was used up.
func TestTokenOfWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &teller{life: time.Hour, takes: 3 * time.Second}
		a, b, who := signedIn(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if token, err := a.Token(ctx, who, "main"); err == nil && token.IsZero() {
			t.Error("no token, and no error")
		}
		if mustToken(t, b, who, "main"); p.reused != 0 || p.given != 2 {
			t.Errorf("%d given, %d reused", p.given, p.reused)
		}
	})
}

// Whoever's login ends has no token from then on, at any replica, although one is
// remembered; nor has somebody else who names it.
func TestTokenEndsWithTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &teller{life: time.Hour}
		a, b, who := signedIn(t, p)
		mustToken(t, a, who, "main")
		mustToken(t, b, who, "main")
		for name, change := range map[string]func(*porterhouse.Principal){
			"another person":   func(who *porterhouse.Principal) { who.Subject = "t" },
			"another issuer":   func(who *porterhouse.Principal) { who.Issuer = "j" },
			"another provider": func(who *porterhouse.Principal) { who.Proof = "other" },
			"no such login":    func(who *porterhouse.Principal) { who.Login = strings.Repeat("x", idLength) },
		} {
			other := who
			change(&other)
			if token, err := a.Token(t.Context(), other, "main"); !is(err, porterhouse.Unauthenticated) || !token.IsZero() {
				t.Errorf("%s: %v", name, err)
			}
		}
		ends := who
		ends.TokenID = who.Login
		if err := b.End(t.Context(), ends); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*SignIn{a, b} {
			if token, err := s.Token(t.Context(), who, "main"); !is(err, porterhouse.Unauthenticated) || !token.IsZero() {
				t.Errorf("after the sign-out: %v", err)
			}
			if len(s.tokens.remembered) != 0 {
				t.Error("a token is remembered still")
			}
		}
	})
}

// A no to the person ends the login; a no to the purpose does not, and is not asked for
// again at once; nor is somebody asked all the time who is away.
func TestTokenThatIsNotGiven(t *testing.T) {
	for _, test := range []struct {
		name     string
		no, gone error
		kind     porterhouse.Kind
		stands   bool
		used     int // refresh tokens, by the first two questions
	}{
		{"to the purpose", errNo, nil, porterhouse.Refused, true, 2},
		{"that is for something else", porterhouse.Errorf(porterhouse.Refused, "not for ClickHouse"), nil, porterhouse.Refused, true, 2},
		{"to the person", errNo, errNo, porterhouse.Unauthenticated, false, 2},
		{"away", errAway, nil, porterhouse.Unavailable, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &teller{life: time.Hour, no: test.no, gone: test.gone}
				s, _, who := signedIn(t, p)
				for range 2 {
					if token, err := s.Token(t.Context(), who, "main"); !is(err, test.kind) || !token.IsZero() {
						t.Errorf("%v", err)
					}
				}
				if p.given != test.used || p.reused != 0 {
					t.Errorf("%d used, %d twice", p.given, p.reused)
				}
				p.mu.Lock()
				p.no, p.gone = nil, nil
				p.mu.Unlock()
				time.Sleep(failureLife)
				if token, err := s.Token(t.Context(), who, "main"); (err == nil) != test.stands || token.IsZero() == test.stands {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

// What is remembered is bounded, and leaves memory when it has ended; a token whose end
// nobody knows is not there for long.
func TestTokensAreBounded(t *testing.T) {
	now := time.Now()
	shelf := newTokens(&rechecks{logins: &logins{now: func() time.Time { return now }}})
	for i := range maxTokens + 10 {
		shelf.remember(tokenFor{fmt.Sprint(i), "main"}, Granted{Token: porterhouse.NewSecret("x")}, nil)
	}
	if len(shelf.remembered) != maxTokens {
		t.Errorf("%d are remembered", len(shelf.remembered))
	}
	now = now.Add(unknownToken)
	if shelf.remember(tokenFor{"another", "main"}, Granted{Token: porterhouse.NewSecret("x")}, nil); len(shelf.remembered) != 1 {
		t.Errorf("%d are remembered, of which one has not ended", len(shelf.remembered))
	}
	lives := []time.Duration{
		Granted{}.until(now).Sub(now), Granted{Expires: now.Add(40 * time.Second)}.until(now).Sub(now), Granted{Expires: now.Add(day)}.until(now).Sub(now),
	}
	if want := []time.Duration{time.Minute, 30 * time.Second, time.Hour}; !slices.Equal(lives, want) {
		t.Errorf("%v, want %v", lives, want)
	}
}

// Neither the store nor the log has a token.
func TestTokensAreNotTold(t *testing.T) {
	p := &teller{life: time.Hour}
	h := build(t, func(c *Config) { c.Providers = []Provider{p.provider()} })
	l := h.logins.new(p.provider(), porterhouse.Principal{Issuer: "i", Subject: "s", User: "u", Proof: "acme"}, Kept{RefreshToken: "refresh 0"})
	if err := h.logins.create(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	token := mustToken(t, h.SignIn, l.principal(), "main")
	if record, err := os.ReadFile(h.path); err != nil || strings.Contains(string(record), "refresh 0") {
		t.Errorf("the record: %s, %v", record, err)
	}
	if token != "token by refresh 0" || strings.Contains(h.log.String(), "refresh") {
		t.Errorf("%q; the log: %s", token, h.log)
	}
	stored, err := valuesOf(t, h.Store)
	if err != nil || strings.Contains(stored, "refresh") || !strings.Contains(stored, loginStore) {
		t.Errorf("the store: %q, %v", stored, err)
	}
}

// That the provider was asked is in the record, and only that: not that a question was.
// Without a record there is no token.
func TestTokensAreRecorded(t *testing.T) {
	p := &teller{life: time.Hour}
	h := build(t, func(c *Config) { c.Providers = []Provider{p.provider()} })
	l := h.logins.new(p.provider(), porterhouse.Principal{Issuer: "i", Subject: "s", User: "u", Proof: "acme"}, Kept{RefreshToken: "refresh 0"})
	if err := h.logins.create(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	who := l.principal()
	who.Client = "app"
	mustToken(t, h.SignIn, who, "main")
	mustToken(t, h.SignIn, who, "main")
	p.no = errNo
	if _, err := h.Token(t.Context(), who, "other"); err == nil {
		t.Error("a token in spite of the provider")
	}
	lines := h.records("forward")
	if len(lines) != 2 {
		t.Fatalf("the record has %v", lines)
	}
	for i, want := range []map[string]any{
		{"cluster": "main", "resource": "clickhouse", "client": "app", "reason": "refresh token", "user": "u", "subject": "s", "issuer": "i", "proof": "acme", "token": l.id},
		{"cluster": "other", "client": "app", "reason": "refresh token", "error": "unauthenticated"},
	} {
		for name, value := range want {
			if lines[i][name] != value {
				t.Errorf("line %d has %s %v, not %v", i+1, name, lines[i][name], value)
			}
		}
	}
	p.no = nil
	h.clock.move(failureLife)
	if err := h.record.Close(); err != nil {
		t.Fatal(err)
	}
	if token, err := h.Token(t.Context(), who, "other"); err == nil || !token.IsZero() {
		t.Error("a token without a record")
	}
}

// valuesOf is all that a store has.
func valuesOf(t *testing.T, store kv.Store) (text string, err error) {
	keys, err := store.Keys(t.Context(), "")
	for _, key := range keys {
		value, err := store.Get(t.Context(), key)
		if err != nil {
			return "", err
		}
		text += key + string(value)
	}
	return text, err
}
