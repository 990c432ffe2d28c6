package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"porterhouse"
)

// killer stops statements that nobody waits for any more: it sends KILL until
// ClickHouse does not know them. Once is not enough, because a request whose caller
// has hung up can still be on its way, and because only this proves that it worked.
//
// All statements that are due share one KILL, and one KILL is on its way at a
// time: when many people leave at once, ClickHouse has work enough. It runs in one
// goroutine, which exists only while there is something to kill.
type killer struct {
	client *Client

	mu      sync.Mutex
	victims map[string]*victim // by mark
	working bool
	closed  bool
	idle    sync.Cond     // on mu: working has become false
	arrived chan struct{} // holds one token when there is a new victim
}

const (
	// killTime bounds one KILL, in ClickHouse and on the way.
	killTime = 10 * time.Second
	// killBatch is how many statements one KILL names: with the longest ids and names
	// it stays below the 256 KiB that ClickHouse reads of a statement.
	killBatch = 100
	// A statement that ClickHouse did not know for so long, at so many KILLs, is not
	// on its way any more: it never arrived whole.
	killArrival, killMisses = 3 * time.Second, 5
	// killPatience is how much longer than a statement's own time it is killed.
	killPatience = 5 * time.Second
	// The pause between two KILLs doubles from the first to the second of these.
	killPause, killLongPause = 10 * time.Millisecond, time.Second
)

func newKiller(client *Client) *killer {
	k := &killer{client: client, victims: map[string]*victim{}, arrived: make(chan struct{}, 1)}
	k.idle.L = &k.mu
	return k
}

// kill begins to stop a statement. started says that ClickHouse has begun to answer
// it, and end when its own time is over.
func (k *killer) kill(v *victim, started bool, end time.Time) {
	k.client.count.kills.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		k.failed(v, errors.New("the client is closed"))
		return
	}
	now := time.Now()
	if end.Before(now) {
		end = now
	}
	if same := k.victims[v.mark]; same != nil { // which ClickHouse refused, or will refuse, as one too many
		same.known, same.misses, same.since, same.end = false, 0, now, end.Add(killPatience)
		return
	}
	v.known, v.since, v.end, v.gone = started, now, end.Add(killPatience), make(chan struct{})
	k.victims[v.mark] = v
	if !k.working {
		k.working = true
		go k.work(k.client.closing)
		return
	}
	select {
	case k.arrived <- struct{}{}:
	default: // it will look anyway
	}
}

// gone is closed when the statement with this query id is not to be killed any
// more: it is dead, was given up, or nobody wanted to kill it.
func (k *killer) gone(id string) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range k.victims {
		if v.id == id {
			return v.gone
		}
	}
	return never
}

// never stands for a statement that nobody kills.
var never = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// work kills until there is nothing left to kill.
func (k *killer) work(ctx context.Context) {
	for pause := killPause; ; pause = min(2*pause, killLongPause) {
		for _, due := range k.due() {
			for batch := range slices.Chunk(due, killBatch) {
				running, err := k.once(ctx, batch)
				k.note(batch, running, err)
			}
		}
		if k.rest() {
			return
		}
		select {
		case <-k.arrived:
			pause = killPause
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// due returns whom to kill now: together those that one KILL can stop.
func (k *killer) due() map[string][]*victim {
	k.mu.Lock()
	defer k.mu.Unlock()
	due := map[string][]*victim{}
	for _, v := range k.victims {
		due[v.company()] = append(due[v.company()], v)
	}
	return due
}

// rest ends the work if there is none.
func (k *killer) rest() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.victims) > 0 {
		return false
	}
	k.working = false
	k.idle.Broadcast()
	return true
}

// note takes in what one KILL of the victims found: the query ids that were running,
// or an error.
func (k *killer) note(victims []*victim, running []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range victims {
		gone, why := v.look(slices.Contains(running, v.id), err)
		if gone {
			close(v.gone)
			delete(k.victims, v.mark)
		}
		if why != nil {
			k.failed(v, why)
		}
	}
}

// look takes in whether a KILL found the victim, and reports whether to leave it
// alone, and if so without success, why.
func (v *victim) look(found bool, err error) (gone bool, why error) {
	v.known = v.known || found
	if err == nil && !found {
		v.misses++
	}
	switch {
	case isDenied(err) && len(v.hands) > 1:
		v.hands = v.hands[1:]
		return false, nil
	case isDenied(err) || errors.Is(err, context.Canceled): // later ones cannot work either
		return true, err
	case err == nil && !found:
		return v.known || v.misses >= killMisses && time.Since(v.since) > killArrival, nil
	case time.Now().After(v.end):
		return true, cmp.Or(err, errors.New("it does not stop"))
	}
	return false, nil
}

// isDenied reports whether who killed may not, or is not let in any more.
func isDenied(err error) bool {
	exception, ok := errors.AsType[*porterhouse.Exception](err)
	return ok && aboutRights[exception.Code]
}

// failed says that a statement may go on. That nobody may kill is said once: it is so
// until the operator changes it.
func (k *killer) failed(v *victim, err error) {
	k.client.count.killFailures.Add(1)
	level := slog.LevelWarn
	remedy := ""
	if isDenied(err) {
		remedy = v.remedy
		if k.client.toldOfKills.Swap(true) {
			level = slog.LevelDebug
		}
	}
	k.client.log.Log(context.Background(), level, "a statement that nobody waits for may still be running in ClickHouse, until its max_execution_time",
		"query_id", v.id, "error", err, "remedy", remedy)
}

// isClosed reports whether close was called.
func (k *killer) isClosed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed
}

// close refuses new victims and waits until all are dead, or ctx ends.
func (k *killer) close(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { // with the lock, or it could be missed just before Wait
		k.mu.Lock()
		defer k.mu.Unlock()
		k.idle.Broadcast()
	})
	defer stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for k.working && ctx.Err() == nil {
		k.idle.Wait()
	}
	if k.working {
		return ctx.Err()
	}
	return nil
}
