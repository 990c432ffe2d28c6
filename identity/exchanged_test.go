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

// However many tokens are exchanged, so many are remembered.
func TestExchangedIsBounded(t *testing.T) {
	x := newExchanged(time.Now)
	for i := range maxExchanged + 10 {
		var place digest
		binary.BigEndian.PutUint32(place[:], uint32(i))
		_, err := x.answer(t.Context(), place, func(context.Context) (porterhouse.Secret, time.Time, error) {
			return porterhouse.NewSecret("token"), time.Now().Add(time.Hour), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(x.there) != maxExchanged || len(x.flights) != 0 {
		t.Errorf("%d are remembered, %d under way", len(x.there), len(x.flights))
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
