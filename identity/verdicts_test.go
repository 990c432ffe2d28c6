package identity

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

var (
	somebody = porterhouse.Principal{Issuer: "idp", Subject: "1", User: "alice", Groups: []string{"a", "b"}}
	bad      = refuse("a test refuses it")
	gone     = away("a test says that the provider is away")
)

// counted answers with who and err, and counts how often.
func counted(who porterhouse.Principal, err error) (asker, *atomic.Int32) {
	var n atomic.Int32
	return func(context.Context) (porterhouse.Principal, error) { n.Add(1); return who, err }, &n
}

// ofTest is a question of a processor of a test.
func ofTest(v *verdicts, token string) question {
	return question{token, verdictKey{v.digest("test"), v.digest(token)}}
}

// Both ways to answer remember alike.
var waysToAnswer = map[string]func(*verdicts, context.Context, question, time.Duration, asker) (porterhouse.Principal, error){
	"answer": (*verdicts).answer, "answerHere": (*verdicts).answerHere,
}

func TestVerdictsEnd(t *testing.T) {
	soon := somebody
	soon.Expires = time.Date(2000, 1, 1, 0, 0, 10, 0, time.UTC) // synctest begins 10 s before
	ended := somebody
	ended.Expires = time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)
	for name, c := range map[string]struct {
		who  porterhouse.Principal
		err  error
		life time.Duration
		want time.Duration // until the end; 0: not remembered
	}{
		"proved":              {who: somebody, want: time.Minute},
		"proved, own life":    {who: somebody, life: time.Hour, want: time.Hour},
		"proved, no cache":    {who: somebody, life: -1},
		"proved, ends sooner": {who: soon, life: time.Hour, want: 10 * time.Second},
		"proved, just ended":  {who: ended},
		"refused":             {err: bad, want: refusalLife},
		"refused, no cache":   {err: bad, life: -1, want: refusalLife},
		"not allowed":         {err: porterhouse.Errorf(porterhouse.Refused, "no"), want: refusalLife},
		"away":                {err: gone},
		"not mine":            {err: ErrNotMine, want: refusalLife},
		"internal":            {err: errors.New("a fault")},
	} {
		for way, answer := range waysToAnswer {
			synctest.Test(t, func(t *testing.T) {
				v := newVerdicts(nil)
				ask, n := counted(c.who, c.err)
				again := func(want int32) {
					t.Helper()
					who, err := answer(v, t.Context(), ofTest(v, "T"), c.life, ask)
					if !errors.Is(err, c.err) || err == nil && (who.User != "alice" || who.Token.Reveal() != "T") {
						t.Errorf("%s, %s: %+v, %v", way, name, who, err)
					}
					if n.Load() != want {
						t.Errorf("%s, %s: asked %d times, want %d", way, name, n.Load(), want)
					}
				}
				again(1)
				if c.want == 0 {
					again(2)
					return
				}
				time.Sleep(c.want - 1)
				again(1)
				time.Sleep(time.Nanosecond)
				again(2)
			})
		}
	}
}

// A person who is refused later, and one who is let in after a refusal.
func TestVerdictsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerdicts(nil)
		proves, _ := counted(somebody, nil)
		refuses, n := counted(porterhouse.Principal{}, bad)
		q := ofTest(v, "T")
		for range 3 {
			if _, err := v.answer(t.Context(), q, 0, proves); err != nil {
				t.Fatal(err)
			}
			time.Sleep(defaultVerdictLife)
			n.Store(0)
			for range 3 {
				if _, err := v.answer(t.Context(), q, 0, refuses); !errors.Is(err, bad) {
					t.Fatal(err)
				}
			}
			if n.Load() != 1 {
				t.Fatalf("a refusal is asked for %d times", n.Load())
			}
			time.Sleep(refusalLife)
		}
	})
}

func TestVerdictsAreOfOneQuestion(t *testing.T) {
	v := newVerdicts(nil)
	ask, n := counted(somebody, nil)
	var questions []question
	for _, token := range []string{"T", "U", "", "pT"} {
		for _, asker := range []digest{
			v.asker("p", 1, Resource{Door: "d", Cluster: "c"}), v.asker("q", 1, Resource{Door: "d", Cluster: "c"}), // another processor
			v.asker("p", 2, Resource{Door: "d", Cluster: "c"}),                                                     // another configuration
			v.asker("p", 1, Resource{Door: "e", Cluster: "c"}), v.asker("p", 1, Resource{Door: "d", Cluster: "e"}), // another resource
			v.asker("p", 1, Resource{Door: "dc"}), v.asker("p", 1, Resource{Cluster: "dc"}), v.asker("p", 1, Resource{Door: "d", Cluster: "c", Audiences: []string{"a"}}),
			v.asker("p1", 1, Resource{}), v.asker("p", 11, Resource{}), v.asker("", 1, Resource{Door: "p"}), v.digest(token),
		} {
			questions = append(questions, question{token, verdictKey{asker, v.digest(token)}})
		}
	}
	for range 2 {
		for _, q := range questions {
			if _, err := v.answer(t.Context(), q, 0, ask); err != nil {
				t.Fatal(err)
			}
		}
	}
	if int(n.Load()) != len(questions) {
		t.Errorf("%d questions were asked %d times", len(questions), n.Load())
	}
	if newVerdicts(nil).digest("T") == v.digest("T") {
		t.Error("two processes have the same digests")
	}
}

func TestCallersShareOneFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerdicts(nil)
		land := make(chan struct{})
		var n atomic.Int32
		ask := func(context.Context) (porterhouse.Principal, error) {
			n.Add(1)
			<-land
			who := somebody
			who.Groups, who.Token = []string{"a", "b"}, porterhouse.NewSecret("T")
			return who, nil
		}
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				who, err := v.answer(t.Context(), ofTest(v, "T"), 0, ask)
				if err != nil || who.User != "alice" || who.Groups[0] != "a" {
					t.Errorf("%+v, %v", who, err)
				}
				who.Groups[0] = "changed" // of this caller only
			})
		}
		synctest.Wait()
		close(land)
		callers.Wait()
		if n.Load() != 1 {
			t.Errorf("asked %d times for 1000 callers", n.Load())
		}
		if known, _ := v.recall(ofTest(v, "T").key); known.who.Groups[0] != "a" || !known.who.Token.IsZero() {
			t.Errorf("what is remembered was changed, or holds the token: %+v", known.who)
		}
	})
}

// A flight may land between a caller's look for a verdict and his boarding.
func TestNoFlightAfterLanding(t *testing.T) {
	v := newVerdicts(nil)
	ask, n := counted(somebody, nil)
	q := ofTest(v, "T")
	if _, err := v.answer(t.Context(), q, 0, ask); err != nil {
		t.Fatal(err)
	}
	f := v.board(t.Context(), q.key, 0, ask)
	if <-f.landed; f.who.User != "alice" || n.Load() != 1 {
		t.Errorf("%+v, asked %d times", f.who, n.Load())
	}
}

func TestCallerThatLeavesEndsNoFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerdicts(nil)
		ask := func(ctx context.Context) (porterhouse.Principal, error) {
			select {
			case <-time.After(time.Second):
				return somebody, nil
			case <-ctx.Done():
				return porterhouse.Principal{}, ctx.Err()
			}
		}
		first, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := v.answer(first, ofTest(v, "T"), 0, ask)
			if kind, _ := porterhouse.Explain(err); kind != porterhouse.Canceled {
				t.Errorf("who left: %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			if who, err := v.answer(t.Context(), ofTest(v, "T"), 0, ask); err != nil || who.User != "alice" {
				t.Errorf("who stayed: %+v, %v", who, err)
			}
		})
		synctest.Wait()
		leave()
		callers.Wait()
	})
}

func TestFlightsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerdicts(nil)
		for name, ask := range map[string]asker{
			"hangs": func(ctx context.Context) (porterhouse.Principal, error) {
				<-ctx.Done()
				return somebody, away("%w", ctx.Err())
			},
			"panics":   func(context.Context) (porterhouse.Principal, error) { panic("a fault") },
			"vanishes": func(context.Context) (porterhouse.Principal, error) { runtime.Goexit(); return somebody, nil },
		} {
			who, err := v.answer(t.Context(), ofTest(v, name), 0, ask)
			if kind, _ := porterhouse.Explain(err); who.User != "" || kind != porterhouse.Unavailable && kind != porterhouse.Internal {
				t.Errorf("%s: %+v, %v", name, who, err)
			}
		}
		if len(v.flights) != 0 {
			t.Errorf("%d flights never end", len(v.flights))
		}
	})
}

// Wrong tokens have a room of their own, and both rooms have an end.
func TestVerdictsAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	v := newVerdicts(func() time.Time { return now })
	proves, n := counted(somebody, nil)
	refuses, _ := counted(porterhouse.Principal{}, bad)
	q := ofTest(v, "alice's")
	_, _ = v.answerHere(t.Context(), q, time.Hour, proves)
	for i := range maxRefusals + 100 {
		_, _ = v.answerHere(t.Context(), ofTest(v, fmt.Sprint(i)), 0, refuses)
	}
	if len(v.refused) != maxRefusals {
		t.Errorf("%d refusals are remembered, want %d", len(v.refused), maxRefusals)
	}
	if _, _ = v.answerHere(t.Context(), q, time.Hour, proves); n.Load() != 1 {
		t.Error("refusals push out a verdict on a person")
	}
	for i := range maxProved + 100 {
		_, _ = v.answerHere(t.Context(), ofTest(v, fmt.Sprint("right", i)), 0, proves)
	}
	if len(v.proved) != maxProved {
		t.Errorf("%d proofs are remembered, want %d", len(v.proved), maxProved)
	}
	if _, _ = v.answerHere(t.Context(), q, time.Hour, proves); n.Load() != maxProved+101 {
		t.Error("in a full room, not the verdict that ends first is replaced")
	}
}

// BenchmarkVerdictHit is a verification that is remembered, of a token of 1 kB.
func BenchmarkVerdictHit(b *testing.B) {
	v := newVerdicts(nil)
	ask, _ := counted(somebody, nil)
	token := strings.Repeat("x", 1024)
	asker := v.asker("keycloak", 1, Resource{Door: "mcp", Cluster: "main", Audiences: []string{"https://mcp.example.com"}})
	b.ReportAllocs()
	for b.Loop() {
		q := question{token, verdictKey{asker, v.digest(token)}}
		if _, err := v.answer(b.Context(), q, 0, ask); err != nil {
			b.Fatal(err)
		}
	}
}
