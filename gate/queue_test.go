package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// crowded is a rule's queue that all people share.
func crowded(person string, q Queue) place {
	return place{key: lineKey{rule: "crowd"}, queue: q, person: person, shared: " for everybody together"}
}

// served lets people wait in a line, one behind the other, and returns in which order
// they were served; a name in lower case that is missing was pushed out.
func served(t *testing.T, q Queue, arrivals ...string) (order []string, refused []string) {
	t.Helper()
	var people People
	first, err := people.enter(t.Context(), crowded("first", q))
	check(t, err)
	var mu sync.Mutex
	var work sync.WaitGroup
	for _, person := range arrivals {
		work.Go(func() {
			leave, err := people.enter(context.Background(), crowded(person, q))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused = append(refused, person)
				return
			}
			order = append(order, person)
			time.AfterFunc(time.Second, leave)
		})
		synctest.Wait()
	}
	first()
	work.Wait()
	time.Sleep(time.Minute)
	if s := people.Stats(); s.People+s.Running+s.Waiting+len(people.lines) != 0 {
		t.Errorf("afterwards: %+v, %d lines", s, len(people.lines))
	}
	return order, refused
}

// Who shares a line is served in turn: a hundred waiting questions of one person cost
// another no more than one, and each person's own are served as they came.
func TestSharersAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := Queue{Running: 1, Waiting: 200, Wait: time.Hour}
		arrivals := slices.Concat(slices.Repeat([]string{"alice"}, 100), []string{"bob", "carol", "bob", "bob"})
		order, refused := served(t, one, arrivals...)
		if got := strings.Join(order[:7], " "); got != "alice bob carol alice bob alice bob" || len(order) != 104 || len(refused) != 0 {
			t.Errorf("served: %s …, %d in all, %d refused", got, len(order), len(refused))
		}
	})
}

// A full line is not closed to who has fewer questions in it: whoever has most gives
// up the last one.
func TestFullLineIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		four := Queue{Running: 1, Waiting: 4, Wait: time.Hour}
		order, refused := served(t, four, "alice", "alice", "alice", "alice", "bob", "carol", "bob", "carol", "alice")
		slices.Sort(refused)
		if got := strings.Join(order, " "); got != "alice bob carol alice" {
			t.Errorf("served: %s", got)
		}
		if got := strings.Join(refused, " "); got != "alice alice alice bob carol" {
			t.Errorf("refused: %s", got)
		}
		// Who would have more than the other then waits for room like everybody.
		order, _ = served(t, Queue{Running: 1, Waiting: 3, Wait: time.Hour}, "alice", "alice", "bob", "bob")
		if got := strings.Join(order, " "); got != "alice bob alice" {
			t.Errorf("served: %s", got)
		}
	})
}

// Who is pushed out, or gets a place, in the moment of giving up has left all the same.
func TestGivingUpInTheLastMoment(t *testing.T) {
	var people People
	one := Queue{Running: 1, Waiting: 2, Wait: time.Hour}
	leave, err := people.enter(t.Context(), crowded("first", one))
	check(t, err)
	var tickets []*ticket
	for range 2 {
		waits, err := people.queue(crowded("alice", one))
		check(t, err)
		tickets = append(tickets, waits)
	}
	bob, err := people.queue(crowded("bob", one))
	check(t, err)
	people.giveUp(crowded("alice", one), tickets[1], false) // bob has pushed it out
	leave()                                                 // the next has its place now
	if s := people.Stats(); len(people.lines) != 1 || s.Waiting != 1 {
		t.Errorf("%+v", s)
	}
	people.giveUp(crowded("alice", one), tickets[0], false)
	check(t, people.called(crowded("bob", one), bob))
	people.leave([]place{crowded("bob", one)})
	if len(people.lines) != 0 {
		t.Errorf("afterwards %d lines are left", len(people.lines))
	}
}

// A queue whose rule was made anew lets in as many as the new rule says, and those who
// waited first.
func TestLineFollowsItsRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people People
		narrow, wide := Queue{Running: 1, Waiting: 5, Wait: time.Hour}, Queue{Running: 3, Waiting: 5, Wait: time.Hour}
		leave := make(chan func(), 4)
		for range 3 {
			go func() {
				l, err := people.enter(context.Background(), crowded("alice", narrow))
				if err != nil {
					t.Error(err)
				}
				leave <- l
			}()
		}
		synctest.Wait()
		if len(leave) != 1 {
			t.Fatalf("%d run at once, by a rule for one", len(leave))
		}
		go func() {
			l, err := people.enter(context.Background(), crowded("bob", wide))
			if err != nil {
				t.Error(err)
			}
			leave <- l
		}()
		synctest.Wait()
		if len(leave) != 3 {
			t.Fatalf("%d run at once, by a rule for three", len(leave))
		}
		for range 4 {
			(<-leave)()
			synctest.Wait()
		}
		if len(people.lines) != 0 {
			t.Errorf("afterwards %d lines are left", len(people.lines))
		}
	})
}

// Who gives up while waiting for the last of its places gives back all that it had.
func TestGivingUpLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people People
		own, shared := Queue{Running: 1, Waiting: 3, Wait: time.Hour}, Queue{Running: 1, Waiting: 3, Wait: time.Minute}
		leave, err := people.enter(t.Context(), personal("bob", own), crowded("bob", shared))
		check(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := people.enter(ctx, personal("alice", own), crowded("alice", shared)); !errors.Is(err, context.Canceled) {
			t.Errorf("taken back: %v", err)
		}
		_, err = people.enter(t.Context(), personal("alice", own), crowded("alice", shared))
		var e *porterhouse.Error
		if !errors.As(err, &e) || e.Code != codeTooManyQueries || e.RetryAfter <= 0 || !strings.Contains(e.Public, `the limit "crowd" lets 1 questions run at once for everybody together`) {
			t.Errorf("too late: %v", err)
		}
		if s := people.Stats(); s != (PeopleStats{People: 1, Running: 1, Refused: 1}) {
			t.Errorf("while bob asks: %+v", s)
		}
		leave()
		if s := people.Stats(); s != (PeopleStats{Refused: 1}) || len(people.lines) != 0 {
			t.Errorf("afterwards: %+v, %d lines", s, len(people.lines))
		}
	})
}

// Places in several lines come and go while people give up and are pushed out: none is
// lost, none is given twice, and nobody waits for each other.
func TestLinesLoseNoPlace(t *testing.T) {
	var people People
	var work sync.WaitGroup
	var mu sync.Mutex
	inside, most := map[string]int{}, map[string]int{}
	count := func(name string, by int) {
		inside[name] += by
		most[name] = max(most[name], inside[name])
	}
	own, group, all := Queue{2, 2, 100 * time.Microsecond}, Queue{3, 3, 100 * time.Microsecond}, Queue{4, 6, 100 * time.Microsecond}
	for i := range 16 {
		person, team := string(rune('a'+i%5)), string(rune('A'+i%2))
		work.Go(func() {
			for range 300 {
				leave, err := people.enter(context.Background(), personal(person, own),
					place{key: lineKey{"team", team}, queue: group, person: person}, crowded(person, all))
				if err != nil {
					continue
				}
				for _, by := range []int{1, -1} {
					mu.Lock()
					count(person, by)
					count(team, by)
					count("all", by)
					mu.Unlock()
				}
				leave()
			}
		})
	}
	work.Wait()
	if len(people.lines) != 0 {
		t.Errorf("afterwards %d lines are left", len(people.lines))
	}
	for name, n := range most {
		if limit := map[bool]int{true: 4, false: 3}[name == "all"]; n > limit || name >= "a" && name != "all" && n > 2 {
			t.Errorf("%s had %d inside", name, n)
		}
	}
}
