package signin

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
	"porterhouse/kv"
)

var (
	errNo   = porterhouse.Errorf(porterhouse.Unauthenticated, "the account is disabled")
	errAway = porterhouse.Errorf(porterhouse.Unavailable, "the provider is away")
)

// recheckable is a house with one provider, and somebody signed in there.
func recheckable(t *testing.T, change func(*Config)) (*house, *testProvider, *browser, porterhouse.Principal) {
	t.Helper()
	p := openProvider(t, "acme")
	h := build(t, func(c *Config) {
		c.Providers = []Provider{p.provider()}
		if change != nil {
			change(c)
		}
	})
	b := h.browser()
	b.signIn(h, "")
	return h, p, b, b.isSignedIn(h, "alice@example.com")
}

func (h *house) isStill(who porterhouse.Principal) porterhouse.Principal {
	h.t.Helper()
	now, err := h.Recheck(h.t.Context(), who)
	if err != nil || now.Key() != who.Key() || now.TokenID != who.TokenID {
		h.t.Fatalf("%+v, %v", now, err)
	}
	return now
}

func (h *house) fails(who porterhouse.Principal, kind porterhouse.Kind) {
	h.t.Helper()
	if now, err := h.Recheck(h.t.Context(), who); !is(err, kind) {
		h.t.Fatalf("%+v, %v: not %s", now, err, kind)
	}
}

// The provider is asked at most once a minute, and what it says then counts.
func TestRecheck(t *testing.T) {
	h, p, _, who := recheckable(t, nil)
	h.isStill(who) // it has just said so
	if p.wasAsked() != 0 {
		t.Errorf("asked %d times", p.wasAsked())
	}
	p.becomes(func(who *porterhouse.Principal) { who.Groups = []string{"analysts", "admins"} })
	h.clock.move(time.Minute)
	for range 3 {
		if now := h.isStill(who); !slices.Equal(now.Groups, []string{"analysts", "admins"}) || !now.Issued.Equal(h.clock.Now()) {
			t.Errorf("%+v", now)
		}
	}
	if p.wasAsked() != 1 || h.Stats().Rechecked != 1 {
		t.Errorf("asked %d times, %+v", p.wasAsked(), h.Stats())
	}
}

// What the provider gave for the next time is what it is asked with the next time.
func TestRecheckUsesWhatItWasGivenLast(t *testing.T) {
	given := "first"
	h, _, _, who := recheckable(t, func(c *Config) {
		p := &c.Providers[0]
		finish := p.Finish
		p.Finish = func(ctx context.Context, trip Trip, code, iss string) (porterhouse.Principal, Kept, error) {
			who, _, err := finish(ctx, trip, code, iss)
			return who, Kept{RefreshToken: given}, err
		}
		p.Recheck = func(_ context.Context, who porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error) {
			if k.RefreshToken != given {
				return porterhouse.Principal{}, Kept{}, errNo
			}
			given += "+"
			return who, Kept{RefreshToken: given}, nil
		}
	})
	for range 5 {
		h.clock.move(time.Hour)
		h.isStill(who)
	}
}

// The provider's no ends the login, the browser's session too, and is recorded.
func TestProvidersNo(t *testing.T) {
	for name, no := range map[string]error{"disabled": errNo, "not let in by the rules": porterhouse.Errorf(porterhouse.Refused, "not in a group that may")} {
		t.Run(name, func(t *testing.T) {
			h, p, b, who := recheckable(t, nil)
			h.isStill(who)
			p.says(no)
			h.clock.move(time.Minute)
			h.fails(who, porterhouse.Unauthenticated)
			p.says(nil)
			h.fails(who, porterhouse.Unauthenticated)
			b.isNobody(h)
			if got := h.records("recheck"); len(got) != 1 || got[0]["given"] != who.TokenID || got[0]["failure"] == nil {
				t.Errorf("the record: %v", got)
			}
			if keys, err := h.Store.Keys(t.Context(), loginStore); err != nil || len(keys) != 0 {
				t.Errorf("%v, %v", keys, err)
			}
		})
	}
}

// A provider that names somebody else has not said yes.
func TestProviderNamesSomebodyElse(t *testing.T) {
	h, p, _, who := recheckable(t, nil)
	h.isStill(who)
	p.becomes(func(who *porterhouse.Principal) { who.Subject = "2" })
	h.clock.move(time.Minute)
	h.fails(who, porterhouse.Unauthenticated)
}

// A provider that is away is no reason to end anything: for the grace the last yes
// counts, then nobody can tell, and when it is back all goes on.
func TestProvidersAbsence(t *testing.T) {
	h, p, _, who := recheckable(t, nil)
	h.isStill(who)
	p.says(errAway)
	h.clock.move(4 * time.Hour)
	h.isStill(who)
	h.isStill(who)
	if p.wasAsked() != 1 {
		t.Errorf("asked %d times in a minute", p.wasAsked())
	}
	h.clock.move(time.Minute)
	h.fails(who, porterhouse.Unavailable)
	h.fails(who, porterhouse.Unavailable)
	p.says(errors.New("what it says cannot be read"))
	h.clock.move(48 * time.Hour)
	h.fails(who, porterhouse.Unavailable)
	p.says(nil)
	h.clock.move(time.Minute)
	h.isStill(who)
	if p.wasAsked() != 4 {
		t.Errorf("asked %d times", p.wasAsked())
	}
}

// A login that is asked for lives for 30 days of use, and more, but not for ever; one
// that nobody asks for for 30 days ends.
func TestLoginLives(t *testing.T) {
	h, _, b, who := recheckable(t, nil)
	h.isStill(who)
	for range 29 * 24 * 3 {
		h.clock.move(time.Hour)
		h.isStill(who)
	}
	b.isNobody(h) // the browser's session has ended long ago
	if left := who.Expires.Sub(h.clock.Now()); left != 3*day {
		t.Errorf("%v are left", left)
	}
	h.clock.move(3*day - time.Minute)
	h.isStill(who)
	h.clock.move(time.Minute)
	h.fails(who, porterhouse.Unauthenticated)

	h, _, _, who = recheckable(t, nil)
	h.isStill(who)
	h.clock.move(30*day - time.Second)
	h.isStill(who)
	h.clock.move(30 * day)
	h.fails(who, porterhouse.Unauthenticated)
}

// A login that nobody asked for ends with the browser's session.
func TestLoginThatNobodyAskedFor(t *testing.T) {
	h, _, b, who := recheckable(t, nil)
	h.clock.move(12*time.Hour - time.Second)
	b.isSignedIn(h, "alice@example.com")
	h.clock.move(time.Second)
	b.isNobody(h)
	h.fails(who, porterhouse.Unauthenticated)
	if keys, err := h.Store.Keys(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
}

// Where the provider cannot be asked again, a login ends twelve hours after the sign-in.
func TestWithoutRecheck(t *testing.T) {
	for name, change := range map[string]func(*Provider){
		"nothing was kept":      func(p *Provider) { p.CanRecheck = func(Kept) bool { return false } },
		"the provider has none": func(p *Provider) { p.Recheck, p.CanRecheck = nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			h, p, _, who := recheckable(t, func(c *Config) { change(&c.Providers[0]) })
			if want := h.clock.Now().Add(12 * time.Hour); !who.Expires.Equal(want) {
				t.Errorf("it ends at %v, not at %v", who.Expires, want)
			}
			for range 11 {
				h.isStill(who)
				h.clock.move(time.Hour)
			}
			h.clock.move(time.Hour)
			h.fails(who, porterhouse.Unauthenticated)
			if p.wasAsked() != 0 {
				t.Error("it was asked")
			}
		})
	}
}

// A provider that gave something to ask with once, and then no more, has said yes for
// twelve hours.
func TestRecheckThatCannotBeRepeated(t *testing.T) {
	h, _, _, who := recheckable(t, func(c *Config) {
		c.Providers[0].Recheck = func(_ context.Context, who porterhouse.Principal, _ Kept) (porterhouse.Principal, Kept, error) {
			return who, Kept{}, nil
		}
	})
	h.clock.move(10 * day / 24)
	now := h.isStill(who)
	h.clock.move(time.Hour)
	if now = h.isStill(who); !now.Expires.Equal(h.clock.Now().Add(11 * time.Hour)) {
		t.Errorf("it ends at %v", now.Expires)
	}
	h.clock.move(11 * time.Hour)
	h.fails(who, porterhouse.Unauthenticated)
}

// Nobody asks about a login that is somebody else's, or none.
func TestRecheckOfSomebodyElse(t *testing.T) {
	h, p, _, who := recheckable(t, nil)
	h.clock.move(time.Hour)
	for name, change := range map[string]func(*porterhouse.Principal){
		"another subject": func(who *porterhouse.Principal) { who.Subject = "2" },
		"another issuer":  func(who *porterhouse.Principal) { who.Issuer = "https://other.example" },
		"no login":        func(who *porterhouse.Principal) { who.TokenID = "" },
		"another login":   func(who *porterhouse.Principal) { who.TokenID = strings.Repeat("A", idLength) },
		"a long id":       func(who *porterhouse.Principal) { who.TokenID = strings.Repeat("A", 5000) },
	} {
		t.Run(name, func(t *testing.T) {
			other := who
			change(&other)
			h.fails(other, porterhouse.Unauthenticated)
			if err := h.End(t.Context(), other); err != nil {
				t.Error(err)
			}
		})
	}
	if p.wasAsked() != 0 {
		t.Error("the provider was asked")
	}
	h.isStill(who)
}

// Whose provider is not configured any more is nobody, until it is again.
func TestProviderIsGone(t *testing.T) {
	h, p, b, who := recheckable(t, nil)
	delete(h.providers, "acme")
	b.isNobody(h)
	h.fails(who, porterhouse.Unauthenticated)
	h.providers["acme"] = p.provider()
	b.isSignedIn(h, "alice@example.com")
}

// Of many replicas and callers one asks the provider, and all get its answer; who
// ends the login meanwhile wins.
func TestRecheckAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at, most, calls atomic.Int64
		provider := Provider{
			Name:       "acme",
			Start:      func(context.Context, Trip) (string, error) { return "", nil },
			Finish:     func(context.Context, Trip, string, string) (who porterhouse.Principal, k Kept, err error) { return },
			CanRecheck: func(Kept) bool { return true },
			Recheck: func(_ context.Context, who porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error) {
				most.Store(max(most.Load(), at.Add(1)))
				defer at.Add(-1)
				calls.Add(1)
				time.Sleep(5 * time.Second)
				who.Groups = []string{"new"}
				return who, k, nil
			},
		}
		store := memory(t, time.Now)
		replicas := []*SignIn{replica(t, store, provider), replica(t, store, provider)}
		l := replicas[0].logins.new(provider, porterhouse.Principal{Issuer: "i", Subject: "s", User: "u", Proof: "acme"}, Kept{RefreshToken: "r"})
		if err := replicas[0].logins.create(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		ask := func(ctx context.Context) (good, bad int64) {
			var all sync.WaitGroup
			var yes, no atomic.Int64
			for i := range 20 {
				all.Go(func() {
					who, err := replicas[i%2].Recheck(ctx, l.principal())
					if err == nil && slices.Equal(who.Groups, []string{"new"}) {
						yes.Add(1)
					} else {
						no.Add(1)
					}
				})
			}
			all.Wait()
			return yes.Load(), no.Load()
		}
		if good, bad := ask(t.Context()); good != 20 || bad != 0 || calls.Load() != 1 || most.Load() != 1 {
			t.Errorf("%d and %d; %d calls, %d at once", good, bad, calls.Load(), most.Load())
		}

		// Whoever asked goes away in the middle: what the provider gave is kept.
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		ask(ctx)
		cancel()
		time.Sleep(10 * time.Second)
		if _, err := replicas[1].Recheck(t.Context(), l.principal()); err != nil || calls.Load() != 2 {
			t.Errorf("%v; %d calls", err, calls.Load())
		}

		// It is ended while the provider is asked: its yes does not bring it back.
		time.Sleep(time.Hour)
		time.AfterFunc(time.Second, func() {
			if err := replicas[1].End(t.Context(), l.principal()); err != nil {
				t.Error(err)
			}
		})
		if good, _ := ask(t.Context()); good != 0 {
			t.Errorf("%d were let in", good)
		}
		if keys, err := store.Keys(t.Context(), ""); err != nil || len(keys) != 0 {
			t.Errorf("%v, %v", keys, err)
		}
	})
}

// A replica that dies while it asks holds up the others until its lease ends.
func TestLeaseOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Provider{
			Name:       "acme",
			Start:      func(context.Context, Trip) (string, error) { return "", nil },
			Finish:     func(context.Context, Trip, string, string) (who porterhouse.Principal, k Kept, err error) { return },
			CanRecheck: func(Kept) bool { return true },
			Recheck: func(_ context.Context, who porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error) {
				return who, k, nil
			},
		}
		store := memory(t, time.Now)
		s := replica(t, store, p)
		l := s.logins.new(p, porterhouse.Principal{Issuer: "i", Subject: "s", User: "u", Proof: "acme"}, Kept{RefreshToken: "r"})
		if err := s.logins.create(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := store.Swap(t.Context(), leaseStore+l.id, nil, []byte("of the dead"), leaseLife); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recheck(t.Context(), l.principal()); !is(err, porterhouse.Unavailable) {
			t.Errorf("%v", err)
		}
		if _, err := s.Recheck(t.Context(), l.principal()); err != nil {
			t.Errorf("after the lease: %v", err)
		}
	})
}

// A provider that goes away after it changed the refresh token: the new one is kept,
// for the old one is used up.
func TestRefreshTokenOfHalfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var brought []string
		p := Provider{
			Name:       "acme",
			Start:      func(context.Context, Trip) (string, error) { return "", nil },
			Finish:     func(context.Context, Trip, string, string) (who porterhouse.Principal, k Kept, err error) { return },
			CanRecheck: func(Kept) bool { return true },
			Recheck: func(_ context.Context, _ porterhouse.Principal, k Kept) (porterhouse.Principal, Kept, error) {
				brought = append(brought, k.RefreshToken)
				return porterhouse.Principal{}, Kept{RefreshToken: k.RefreshToken + "+"}, porterhouse.Errorf(porterhouse.Unavailable, "gone")
			},
		}
		s := replica(t, memory(t, time.Now), p)
		l := s.logins.new(p, porterhouse.Principal{Issuer: "i", Subject: "s", User: "u", Proof: "acme"}, Kept{RefreshToken: "r"})
		if err := s.logins.create(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			time.Sleep(time.Hour)
			if _, err := s.Recheck(t.Context(), l.principal()); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(brought, []string{"r", "r+"}) {
			t.Errorf("it was asked with %q", brought)
		}
	})
}

func replica(t *testing.T, store kv.Store, p Provider) *SignIn {
	t.Helper()
	s, err := New(Config{
		PublicURL: "https://porterhouse.example", Providers: []Provider{p}, Store: store, Key: testKey(t),
		Audit: openRecord(t, filepath.Join(t.TempDir(), "record")),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
