package clickhouse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
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
	victims map[string]*victim // by query id
	working bool
	closed  bool
	idle    sync.Cond     // on mu: working has become false
	arrived chan struct{} // holds one token when there is a new victim
}

// victim is a statement to be stopped.
type victim struct {
	known  bool          // ClickHouse has known it: when it does not any more, it has ended
	misses int           // KILLs that did not find it, while it was not known
	since  time.Time     // when it was abandoned
	end    time.Time     // when to give up
	gone   chan struct{} // closed when it is dead, or given up
}

const (
	// killTime bounds one KILL, in ClickHouse and on the way.
	killTime = 10 * time.Second
	// killBatch is how many statements one KILL names.
	killBatch = 500
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

// kill begins to stop the statement with this query id. started says that
// ClickHouse has begun to answer it, and end when its own max_execution_time is over.
func (k *killer) kill(id string, started bool, end time.Time) {
	k.client.count.kills.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		k.failed(id, errors.New("the client is closed"))
		return
	}
	now := time.Now()
	if end.Before(now) {
		end = now
	}
	k.victims[id] = &victim{known: started, since: now, end: end.Add(killPatience), gone: make(chan struct{})}
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
	if v := k.victims[id]; v != nil {
		return v.gone
	}
	return never
}

// never stands for a statement that nobody kills.
var never = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// work kills until there is nothing left to kill.
func (k *killer) work(ctx context.Context) {
	for pause := killPause; ; pause = min(2*pause, killLongPause) {
		for ids := range slices.Chunk(k.due(), killBatch) {
			running, err := k.client.killOnce(ctx, ids)
			k.note(ids, running, err)
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

// due returns whom to kill now.
func (k *killer) due() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids := make([]string, 0, len(k.victims))
	for id := range k.victims {
		ids = append(ids, id)
	}
	return ids
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

// note takes in what one KILL of ids found: the ids that were running, or an error.
func (k *killer) note(ids, running []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		gone, why := k.victims[id].look(slices.Contains(running, id), err)
		if gone {
			close(k.victims[id].gone)
			delete(k.victims, id)
		}
		if why != nil {
			k.failed(id, why)
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
	case hopeless(err):
		return true, err
	case err == nil && !found:
		return v.known || v.misses >= killMisses && time.Since(v.since) > killArrival, nil
	case time.Now().After(v.end):
		return true, cmp.Or(err, errors.New("it does not stop"))
	}
	return false, nil
}

// hopeless reports whether no later KILL can work either: the gateway lacks the
// grant, or the client has been closed.
func hopeless(err error) bool {
	exception, ok := errors.AsType[*porterhouse.Exception](err)
	return ok && exception.Code == accessDenied || errors.Is(err, context.Canceled)
}

func (k *killer) failed(id string, err error) {
	k.client.count.killFailures.Add(1)
	k.client.log.Warn("a statement that nobody waits for may still be running in ClickHouse, until its max_execution_time",
		"query_id", id, "error", err)
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

// killOnce tells ClickHouse to stop the statements and returns which of them it
// knew. It does not wait for their end.
func (c *Client) killOnce(ctx context.Context, ids []string) (running []string, err error) {
	sql := []byte("KILL QUERY WHERE query_id IN (")
	for i, id := range ids {
		if i > 0 {
			sql = append(sql, ", "...)
		}
		sql = quote(sql, id)
	}
	sql = append(sql, ") AND user = currentUser() ASYNC"...)
	comment, err := json.Marshal(killComment{Record: ids[0], Kill: true})
	if err != nil {
		return nil, err
	}
	answer, err := c.ask(ctx, string(sql), string(comment), killTime)
	for line := range strings.Lines(answer) {
		_, rest, _ := strings.Cut(line, "\t") // status, id, user, query
		id, _, _ := strings.Cut(rest, "\t")
		running = append(running, tsvValue(id))
	}
	return running, err
}

// killComment is the log_comment of a KILL: the id of the first record that it
// belongs to. The other ids are in its text.
type killComment struct {
	Record string `json:"rid"`
	Kill   bool   `json:"kill"`
}
