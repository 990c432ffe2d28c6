package clickhouse

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// Whoever has too many sessions is forgotten those that they have not used for longest,
// and nobody can have all the places.
func TestPlacesAreBounded(t *testing.T) {
	p := &Places{}
	hers := func(i int) sessionKey { return sessionKey{"alice", fmt.Sprint(i)} }
	for i := range maxOwnerPlaces {
		p.keep(hers(i), 0, "a:1", time.Hour, 0)
	}
	p.keep(sessionKey{"bob", "his"}, 0, "b:1", time.Hour, 0)
	p.keep(hers(0), 0, "a:1", time.Hour, 0)
	p.keep(hers(maxOwnerPlaces), 0, "c:1", time.Hour, 0)
	for key, want := range map[sessionKey]string{hers(0): "a:1", hers(1): "", hers(2): "a:1", hers(maxOwnerPlaces): "c:1", {"bob", "his"}: "b:1"} {
		if at := p.find(key); at.host != want {
			t.Errorf("%v is at %q, not at %q", key, at.host, want)
		}
	}
	for i := range maxPlaces { // of as few people as can be
		p.keep(sessionKey{fmt.Sprint("person-", i/maxOwnerPlaces), fmt.Sprint(i)}, 0, "d:1", time.Hour, 0)
	}
	for i := range 100 {
		key := sessionKey{fmt.Sprint("new-", i), "s"}
		p.keep(key, 0, "e:1", time.Hour, 0)
		if at := p.find(key); at.host != "e:1" {
			t.Errorf("there is no room for %v", key)
		}
	}
	if at := p.find(sessionKey{"bob", "his"}); len(p.all) != maxPlaces || at.host != "b:1" {
		t.Errorf("%d places, and bob is at %q", len(p.all), at.host)
	}
}

// A session is where it is for as long as the longest of its timeouts, whatever came last,
// and a statement of it takes; then nothing is left of it.
func TestPlacesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, key := &Places{}, sessionKey{"alice", "s"}
		p.keep(key, 0, "a:1", 10*time.Minute, time.Hour)
		p.keep(key, 0, "a:1", time.Second, 0)
		time.Sleep(10*time.Minute - time.Second)
		if at := p.find(key); at.host != "a:1" {
			t.Errorf("begun with ten minutes, it is forgotten before they are over: %+v", at)
		}
		time.Sleep(time.Second)
		if at := p.find(key); at != (spot{}) {
			t.Errorf("it is over, and is still there: %+v", at)
		}
		p.keep(key, 0, "b:1", time.Second, 0)
		p.keep(sessionKey{"alice", "another"}, 0, "a:1", 0, time.Minute)
		time.Sleep(30 * time.Second)
		if at := p.find(key); at != (spot{}) {
			t.Errorf("a session of a second is kept as the one before it: %+v", at)
		}
		if at := p.find(sessionKey{"alice", "another"}); at.host != "a:1" {
			t.Errorf("its statement may still run, and it is forgotten: %+v", at)
		}
		time.Sleep(sessionTimeout)
		p.keep(sessionKey{"bob", "s"}, 0, "a:1", time.Second, 0)
		if len(p.all) != 1 || len(p.owners) != 1 {
			t.Errorf("%d places of %d owners are left of what is over", len(p.all), len(p.owners))
		}
		p.forget(sessionKey{"bob", "s"}, 0)
		if len(p.all)+len(p.owners) != 0 {
			t.Errorf("%v is left", p.all)
		}
	})
}

// Where the client names no timeout, the server's own counts, which may be as long as an
// hour; a session that was given longer is known for longer.
func TestPlaceWithoutTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newStreet(t, 3)
		for _, test := range []struct{ first, then, want time.Duration }{
			{0, 0, maxSessionTimeout},
			{time.Hour, 0, time.Hour},
			{time.Hour, time.Second, time.Hour},
			{time.Second, time.Minute, time.Minute},
			{12 * time.Hour, time.Second, 12 * time.Hour},
			{1000 * time.Hour, 0, maxSessionAge},
		} {
			key := sessionKey{"alice", fmt.Sprint(test)}
			for _, timeout := range []time.Duration{test.first, test.then} {
				goesOn(t, c, key, timeout)
			}
			if got := time.Until(c.places.find(key).until); got != test.want {
				t.Errorf("after %v and %v it is kept for %v, not %v", test.first, test.then, got, test.want)
			}
		}
	})
}

// goesOn carries a statement of a session to its server, as far as nobody is asked: it
// returns where that is, and what the session is called there.
func goesOn(t *testing.T, c *Cluster, key sessionKey, timeout time.Duration) (at, name string) {
	t.Helper()
	at, name, err := triesToGoOn(c, key, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return at, name
}

func triesToGoOn(c *Cluster, key sessionKey, timeout time.Duration) (at, name string, err error) {
	s := &porterhouse.Session{ID: key.id, Owner: key.owner, Timeout: timeout}
	j := newJourney(c, porterhouse.Account{}, porterhouse.Query{Passage: &porterhouse.Passage{Session: s}})
	h, err := j.first()
	if err != nil {
		return "", "", err
	}
	j.stay(h, 0)
	return h.target.address, sessionName(j.q.Passage.Session), nil
}

// A session that its client was told is lost is not found again, when its server comes
// back, for as long as it may live there, whatever became of the next ones.
func TestLostSessionIsNotFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, key := newStreet(t, 3), sessionKey{"alice", "s"}
		names := map[string]bool{}
		for life := range 3 {
			at, name := goesOn(t, c, key, 10*time.Minute)
			if names[name] {
				t.Fatalf("life %d is found under the name of one that was lost", life)
			}
			names[name] = true
			if again, same := goesOn(t, c, key, 0); again != at || same != name {
				t.Errorf("life %d does not go on", life)
			}
			c.named(at).health.miss(errors.New("gone"))
			if _, _, err := triesToGoOn(c, key, 0); !isLost(err) {
				t.Errorf("its server is away, and the client is told %v", err)
			}
			c.named(at).health.back()
		}
		p := c.places
		for name, late := range map[string]func(){ // ends of statements of a life before
			"keep": func() { p.keep(key, 1, "127.0.0.1:1", time.Hour, 0) }, "forget": func() { p.forget(key, 1) }, "lose": func() { p.lose(key, 1) },
		} {
			if late(); p.find(key).life != 3 || p.find(key).host != "" {
				t.Errorf("a late %s changes it: %+v", name, p.find(key))
			}
		}
		goesOn(t, c, key, time.Second)
		p.forget(key, 3) // it is closed
		goesOn(t, c, key, time.Second)
		time.Sleep(maxSessionTimeout - time.Second) // goesOn without a timeout made it as long
		if _, name := goesOn(t, c, key, time.Minute); names[name] {
			t.Error("a lost one is found again while it may live")
		}
		time.Sleep(time.Minute)
		if at := p.find(key); at != (spot{}) {
			t.Errorf("all of them are over, and %+v is left", at)
		}
	})
}

// Whoever had a session at a server that was taken out and is there again is told so, once,
// also when a statement of it ends late.
func TestSessionOfAServerThatIsThereAgain(t *testing.T) {
	c, key := newStreet(t, 2), sessionKey{"alice", "s"}
	at, before := goesOn(t, c, key, time.Minute)
	c.places.Lose(at)
	c.places.keep(key, 0, at, time.Minute, 0)
	c.places.forget(key, 0)
	if _, _, err := triesToGoOn(c, key, 0); !isLost(err) {
		t.Errorf("the client is told %v", err)
	}
	if _, now := goesOn(t, c, key, 0); now == before {
		t.Error("it goes on in what is lost")
	}
}

// A native session belongs to one life, too.
func TestNativeSessionIsOfOneLife(t *testing.T) {
	s := &sessions{pins: map[sessionLife]*pin{}, losses: map[sessionLife]loss{}}
	session := &porterhouse.Session{ID: "s", Owner: "alice"}
	if _, err := s.begin(lifeOf(session), porterhouse.UserName{}, 0); err != nil || !s.pinned(session) {
		t.Fatal("it has not begun", err)
	}
	later := *session
	later.Life = 1
	if s.pinned(&later) {
		t.Error("a later life has the connection of one that was lost")
	}
}
