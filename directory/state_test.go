package directory

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
	"porterhouse/kv"
)

// ticking is a cluster whose clock is the test's.
func ticking(t testing.TB, rules ...Rules) (c Config, advance func(time.Duration)) {
	c = cluster(t, nil, rules...)
	now := time.Now()
	c.Now = func() time.Time { return now }
	return c, func(by time.Duration) { now = now.Add(by) }
}

// A store that is away is not missed by those who were known lately, and by nobody
// else.
func TestAccountsAreRememberedForALifetime(t *testing.T) {
	c, advance := ticking(t, whole)
	d := directory(t, c)
	if _, err := d.Account(t.Context(), person("alice"), here); err != nil {
		t.Fatal(err)
	}
	if err := c.Store.Close(); err != nil {
		t.Fatal(err)
	}
	ask := func(who porterhouse.Principal) porterhouse.Kind {
		_, err := d.Account(t.Context(), who, here)
		if err == nil {
			return ""
		}
		kind, _ := porterhouse.Explain(err)
		return kind
	}
	advance(defaultLifetime - 1)
	if kind := ask(person("alice")); kind != "" {
		t.Errorf("she is asked for again: %s", kind)
	}
	for name, change := range map[string]func(*porterhouse.Principal){
		"another person": func(p *porterhouse.Principal) { p.User = "bob" },
		"groups":         func(p *porterhouse.Principal) { p.Groups = []string{"a"} },
		"a newer token":  func(p *porterhouse.Principal) { p.Issued = time.Unix(1, 0) },
		"another client": func(p *porterhouse.Principal) { p.Client = "claude" },
		"a processor":    func(p *porterhouse.Principal) { p.Proof = "github" },
		"a namesake":     func(p *porterhouse.Principal) { p.Subject = "2" },
		"her namesake":   func(p *porterhouse.Principal) { p.Issuer = "b" },
	} {
		who := person("alice")
		change(&who)
		if kind := ask(who); kind != porterhouse.Unavailable {
			t.Errorf("%s: the answer was there already (%s)", name, kind)
		}
	}
	advance(1)
	if kind := ask(person("alice")); kind != porterhouse.Unavailable {
		t.Errorf("after the lifetime: %s", kind)
	}
}

// New rules hold at once, also for those who were known.
func TestNewRulesHoldAtOnce(t *testing.T) {
	c := cluster(t, nil, whole)
	c.State = NewState(0)
	before := directory(t, c)
	if _, err := before.Account(t.Context(), person("alice"), here); err != nil {
		t.Fatal(err)
	}
	c.Deny = []string{"alice"}
	account, err := directory(t, c).Account(t.Context(), person("alice"), here)
	refusedFor(t, account, err, "nobody may act as")
	c.Deny = nil
	if _, err := directory(t, c).Account(t.Context(), person("alice"), here); err != nil {
		t.Error(err)
	}
	if stats := c.State.Stats(); stats.Misses != 2 || stats.Hits != 0 || stats.Answers != 1 || stats.Pending != 0 {
		t.Errorf("the counts are %+v", stats)
	}
}

// Two tokens of one person that are used in turn do not push each other out.
func TestTwoTokensInTurn(t *testing.T) {
	c := cluster(t, nil, whole)
	c.State = NewState(0)
	d := directory(t, c)
	for i := range 100 {
		who := person("alice")
		who.Issued = time.Unix(int64(i%2), 0)
		if _, err := d.Account(t.Context(), who, here); err != nil {
			t.Fatal(err)
		}
	}
	if stats := c.State.Stats(); stats.Misses != 2 || stats.Hits != 98 {
		t.Errorf("the counts are %+v", stats)
	}
}

func TestStateIsBounded(t *testing.T) {
	c := cluster(t, nil, whole)
	c.State = NewState(100)
	d := directory(t, c)
	for i := range 1000 {
		for _, user := range []string{fmt.Sprint("user", i), "alice"} {
			if _, err := d.Account(t.Context(), person(user), here); err != nil {
				t.Fatal(err)
			}
		}
	}
	stats := c.State.Stats()
	if stats.Answers > stats.Capacity || stats.Capacity != 100 || len(c.State.flights) != 0 {
		t.Errorf("the counts are %+v, %d flights", stats, len(c.State.flights))
	}
	if stats.Misses != 1001 {
		t.Errorf("who comes often is forgotten: %d were looked for", stats.Misses)
	}
}

// slow is a store that somebody else keeps busy: reading takes as long as it takes.
type slow struct {
	kv.Store
	time time.Duration
}

func (s slow) Get(ctx context.Context, key string) ([]byte, error) {
	select {
	case <-time.After(s.time):
		return s.Store.Get(ctx, key)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Many who ask for the same at once are answered by one look; whoever goes away
// takes nobody along.
func TestOneLooksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cluster(t, nil, whole)
		c.Store, c.State = slow{c.Store, time.Second}, NewState(0)
		d := directory(t, c)
		hasty, leave := context.WithTimeout(t.Context(), time.Second/2)
		defer leave()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := d.Account(hasty, person("alice"), here); err == nil {
				t.Error("who went away has an answer")
			}
		})
		synctest.Wait()
		for range 50 {
			wg.Go(func() {
				if _, err := d.Account(t.Context(), person("alice"), here); err != nil {
					t.Error(err)
				}
			})
		}
		begin := time.Now()
		wg.Wait()
		if took := time.Since(begin); took > 3*time.Second/2 {
			t.Errorf("it took %v", took)
		}
		if stats := c.State.Stats(); stats.Misses != 2 || stats.Hits != 49 {
			t.Errorf("the counts are %+v", stats)
		}
	})
}

// A store that is away is asked once for all who wait, not once for each.
func TestAllWhoWaitHearOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cluster(t, nil, whole)
		store := c.Store
		c.Store, c.State = slow{store, time.Second}, NewState(0)
		d := directory(t, c)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		begin := time.Now()
		for range 50 {
			wg.Go(func() {
				_, err := d.Account(t.Context(), person("alice"), here)
				if kind, _ := porterhouse.Explain(err); kind != porterhouse.Unavailable {
					t.Errorf("the answer is %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Ten thousand people, each with twenty groups, who are known.
func BenchmarkAccountOf10000(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d := directory(b, cluster(b, nil, prefixed))
	everybody := make([]porterhouse.Principal, 10_000)
	for i := range everybody {
		who := person(fmt.Sprintf("user%d@example.com", i))
		for g := range 20 {
			who.Groups = append(who.Groups, fmt.Sprintf("team-%d", (i+g)%500))
		}
		everybody[i] = who
		if _, err := d.Account(b.Context(), who, here); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := d.Account(b.Context(), everybody[i%len(everybody)], here); err != nil {
			b.Fatal(err)
		}
		i += 7
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(everybody)), "B/person")
}

// What the rules make of a name, without what is remembered.
func BenchmarkPlace(b *testing.B) {
	d := directory(b, cluster(b, []string{"admin", "ops_*"}, prefixed))
	who := person("alice@example.com")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.place(who, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// Somebody who was not known lately: the store is asked.
func BenchmarkAccountAnew(b *testing.B) {
	c, advance := ticking(b, prefixed)
	d := directory(b, c)
	who := person("alice@example.com")
	b.ReportAllocs()
	for b.Loop() {
		advance(defaultLifetime)
		if _, err := d.Account(b.Context(), who, here); err != nil {
			b.Fatal(err)
		}
	}
}
