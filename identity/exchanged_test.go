package identity

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// placeOf is the place of a number.
func placeOf(i int) (place digest) {
	binary.BigEndian.PutUint32(place[:], uint32(i))
	return place
}

// fill puts answers that end at a time at places, or failures.
func (x *exchanged) fill(t *testing.T, from, to int, until time.Time, fails error) {
	t.Helper()
	for i := from; i < to; i++ {
		_, err := x.answer(t.Context(), placeOf(i), func(context.Context) (porterhouse.Secret, time.Time, error) {
			return porterhouse.NewSecret("token"), until, fails
		})
		if !errors.Is(err, fails) {
			t.Fatal(err)
		}
	}
}

// has reports whether a token is remembered at a place.
func (x *exchanged) has(i int) bool {
	_, ok := x.tokens.get(placeOf(i), x.now())
	return ok
}

// However many tokens are exchanged, so many are remembered: those that live longest, and
// no failure takes the place of one.
func TestExchangedIsBounded(t *testing.T) {
	now := time.Now()
	x := newExchanged(func() time.Time { return now })
	x.fill(t, 0, 1, now.Add(2*time.Hour), nil)
	x.fill(t, 1, 2, now.Add(time.Minute), nil)
	x.fill(t, 2, maxExchanged, now.Add(time.Hour), nil)
	x.fill(t, maxExchanged, 2*maxExchanged+10, time.Time{}, errors.New("no"))
	if n := len(x.tokens.there); n != maxExchanged || !x.has(1) {
		t.Errorf("failures leave %d tokens", n)
	}
	x.fill(t, 3*maxExchanged, 3*maxExchanged+10, now.Add(3*time.Hour), nil)
	if len(x.tokens.there) != maxExchanged || len(x.noes.there) != maxExchanged || len(x.flights) != 0 {
		t.Errorf("%d and %d are remembered, %d under way", len(x.tokens.there), len(x.noes.there), len(x.flights))
	}
	if !x.has(0) || x.has(1) || !x.has(3*maxExchanged) {
		t.Error("another token fell out than the one that ends first")
	}
}

// What has ended does not stay in memory, whoever asks for something else.
func TestExchangedIsTidied(t *testing.T) {
	now := time.Now()
	x := newExchanged(func() time.Time { return now })
	x.fill(t, 0, 100, now.Add(time.Minute), nil)
	x.fill(t, 100, 200, time.Time{}, errors.New("no"))
	x.fill(t, 200, 201, now.Add(time.Hour), nil)
	now = now.Add(time.Minute)
	for range 100 / tidiedAtOnce {
		x.fill(t, 200, 201, time.Time{}, nil) // it is known
	}
	if tokens, noes := len(x.tokens.there), len(x.noes.there); tokens > 1+100%tidiedAtOnce || noes != 100 {
		t.Errorf("%d tokens and %d failures are left", tokens, noes)
	}
	x.fill(t, 300, 320, now.Add(time.Hour), nil)
	if tokens, noes := len(x.tokens.there), len(x.noes.there); tokens != 21 || noes != 0 {
		t.Errorf("then %d tokens and %d failures are left", tokens, noes)
	}
	for i, k := range x.tokens.ends[:cap(x.tokens.ends)] {
		if i >= len(x.tokens.ends) && k != nil {
			t.Fatal("what was taken away is in memory still")
		}
	}
}

// Whoever asks for the same while it is fetched waits for that one.
func TestExchangedFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, asked := newExchanged(time.Now), atomic.Int32{}
		fetch := func(context.Context) (porterhouse.Secret, time.Time, error) {
			asked.Add(1)
			time.Sleep(time.Second)
			return porterhouse.NewSecret("token"), time.Now().Add(time.Hour), nil
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if token, err := x.answer(t.Context(), digest{}, fetch); err != nil || !token.Equal("token") {
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("it was fetched %d times", n)
		}
	})
}

// A provider has eight seconds, whoever waits, and then nobody asks for ten.
func TestExchangedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, began, asked := newExchanged(time.Now), time.Now(), 0
		slow := func(ctx context.Context) (porterhouse.Secret, time.Time, error) {
			asked++
			<-ctx.Done()
			return porterhouse.Secret{}, time.Time{}, ctx.Err()
		}
		for range 2 {
			if _, err := x.answer(t.Context(), digest{}, slow); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took != exchangeTime || asked != 1 {
				t.Errorf("after %v asked %d times", took, asked)
			}
		}
	})
}

// A fault is the answer to one question, and not the end of the process.
func TestExchangedPanic(t *testing.T) {
	x := newExchanged(time.Now)
	_, err := x.answer(t.Context(), digest{}, func(context.Context) (porterhouse.Secret, time.Time, error) { panic("a fault") })
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Internal || !strings.Contains(err.Error(), "a fault") {
		t.Errorf("%v", err)
	}
}
