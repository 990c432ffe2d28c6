package clickhouse_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// inSession makes a Query of a session.
func inSession(sql string, s porterhouse.Session) porterhouse.Query {
	return passing(sql, func(q *porterhouse.Query, p *porterhouse.Passage) {
		q.Class.Read = strings.HasPrefix(sql, "SELECT")
		p.Session = &s
	})
}

// A session keeps its state, and is nobody else's: neither for another person with
// the same id, nor for one who knows what ClickHouse calls it.
func TestSessionTheft(t *testing.T) {
	w := newTown(t)
	w.each(t, func(t *testing.T, way string) {
		hers := porterhouse.Session{ID: "report", Owner: "alice@corp", Timeout: time.Minute}
		theirs := porterhouse.Session{ID: "report", Owner: "mallory@corp"}
		w.says(t, way, "alice", inSession("CREATE TEMPORARY TABLE secret AS SELECT 42 AS x", hers), 200, "")
		w.says(t, way, "alice", inSession("SELECT x FROM secret", hers), 200, "42\n")
		w.says(t, way, "alice", inSession("SELECT x FROM secret", theirs), 404, "secret")
		theirs.ID = "another"
		theirs.Check = true
		w.says(t, way, "alice", inSession("SELECT 1", theirs), 500, "Session another not found")
		hers.Close = true
		w.says(t, way, "alice", inSession("SELECT x FROM secret", hers), 200, "42\n")
		w.says(t, way, "alice", inSession("SELECT x FROM secret", hers), 404, "secret")
	})
}

// What ClickHouse says of a session names it as the client does.
func TestSessionsHaveTheirNames(t *testing.T) {
	w := newTown(t)
	s := porterhouse.Session{ID: "a <b> & 'c'", Owner: "alice@corp"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := inSession(silent, s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pass(ctx, w.ways["verify"], account(t, "alice"), first)
	}()
	eventually(t, "the session is in use", func() bool { return w.running(t, first.ID) == "1" })
	w.says(t, "verify", "alice", inSession("SELECT 1", s), 500, "Session "+s.ID+" is locked by a concurrent client")
	cancel()
	<-ended
	missing := porterhouse.Session{ID: "x", Owner: "alice@corp", Check: true}
	got, err := w.ask(t, "verify", "alice", inSession("SELECT 1", missing))
	if want := "Code: 372. DB::Exception: Session x not found. (SESSION_NOT_FOUND)\n"; err != nil || got.Status != http.StatusInternalServerError || got.Text != want {
		t.Errorf("%d %q, %v", got.Status, got.Text, err)
	}
	for _, nobodys := range []porterhouse.Session{{ID: "x"}, {Owner: "alice@corp"}} {
		_, err := w.ask(t, "verify", "alice", inSession("SELECT 1", nobodys))
		wantError(t, err, porterhouse.Internal, "could be anybody's")
	}
}
