package gate

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

var narrow = Queue{Running: 2, Waiting: 2, Wait: time.Minute}

// One person has so many questions at once, some more wait in order, and all
// others are told to come later. Another person does not notice.
func TestQueueIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people People
		first := mustEnter(t, &people, "alice")
		second := mustEnter(t, &people, "alice")
		order := make(chan int, 2)
		for i := range 2 {
			go func() {
				leave, err := people.enter(context.Background(), personal("alice", narrow))
				if err != nil {
					t.Error(err)
					return
				}
				order <- i
				leave()
			}()
			synctest.Wait()
		}
		_, err := people.enter(context.Background(), personal("alice", narrow))
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Limited {
			t.Errorf("beyond the queue: %v", err)
		}
		mustEnter(t, &people, "bob")()
		first()
		synctest.Wait()
		if a, b := <-order, <-order; a != 0 || b != 1 {
			t.Errorf("they were served in the order %d, %d", a, b)
		}
		second()
		if s := people.Stats(); s != (PeopleStats{Refused: 1}) {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

// Who waits too long, or gives up, leaves the queue.
func TestQueueLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people People
		a, b := mustEnter(t, &people, "alice"), mustEnter(t, &people, "alice")
		since := time.Now()
		if _, err := people.enter(context.Background(), personal("alice", narrow)); err == nil || time.Since(since) != narrow.Wait {
			t.Errorf("after %v: %v", time.Since(since), err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		if _, err := people.enter(ctx, personal("alice", narrow)); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		a()
		b()
		if s := people.Stats(); s != (PeopleStats{Refused: 1}) {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

// Places come and go at the same moment as people give up: none is lost.
func TestQueueLosesNoPlace(t *testing.T) {
	var people People
	var work sync.WaitGroup
	hasty := Queue{Running: 3, Waiting: 20, Wait: 50 * time.Microsecond}
	var mu sync.Mutex
	inside, most := 0, 0
	for range 16 {
		work.Go(func() {
			for range 500 {
				leave, err := people.enter(context.Background(), personal("alice", hasty))
				if err != nil {
					continue
				}
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				leave()
			}
		})
	}
	work.Wait()
	if s := people.Stats(); s.Running != 0 || s.Waiting != 0 || s.People != 0 {
		t.Errorf("afterwards: %+v", s)
	}
	if most > hasty.Running {
		t.Errorf("%d were inside at once, more than %d", most, hasty.Running)
	}
}

func mustEnter(t *testing.T, p *People, person string) (leave func()) {
	t.Helper()
	leave, err := p.enter(context.Background(), personal(person, narrow))
	if err != nil {
		t.Fatal(err)
	}
	return leave
}
