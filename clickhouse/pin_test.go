package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// isSet succeeds where max_threads was set to 3, and fails elsewhere.
const isSet = "INSERT INTO app.t SELECT throwIf(getSetting('max_threads') != 3 OR currentUser() != 'alice'), 'set'"

// wantCode checks an error that says what ClickHouse would, under its number.
func wantCode(t *testing.T, err error, code int, says string) {
	t.Helper()
	e, ok := errors.AsType[*porterhouse.Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Public, says) {
		t.Errorf("the error is %v, want %d: … %s", err, code, says)
	}
}

// ask asks q as alice and wants an error.
func (l *lane) err(t *testing.T, q porterhouse.Query) error {
	t.Helper()
	s, err := l.as(t.Context(), t, "alice", q)
	if err == nil {
		t.Errorf("%s: %+v, want an error", q.SQL, s)
	}
	return err
}

// A session keeps what was set in it, for its owner only.
func TestSessionKeepsState(t *testing.T) {
	l := openLane(t)
	l.says(t, in("s", change("INSERT", isSet)))
	if l.Pinned("alice@example.com", "s") {
		t.Error("a session without state is pinned")
	}
	l.does(t, in("s", change("SET", "SET max_threads = 3")))
	if !l.Pinned("alice@example.com", "s") {
		t.Error("the session is not pinned")
	}
	l.does(t, in("s", change("INSERT", isSet)))
	l.does(t, in("s", change("CREATE", "CREATE TEMPORARY TABLE mine (a Int32)")))
	l.does(t, in("s", insert("INSERT INTO mine FORMAT CSV", "1\n2\n")))
	l.does(t, in("s", change("INSERT", "INSERT INTO app.t SELECT throwIf(count() != 2), '' FROM mine")))

	other := in("s", change("INSERT", isSet))
	other.Passage.Session.Owner = "bob@example.com"
	for name, q := range map[string]porterhouse.Query{
		"another's":       other,
		"another session": in("s2", change("INSERT", isSet)),
		"none":            change("INSERT", isSet),
	} {
		if s := l.says(t, q); s.Status == 200 || !strings.Contains(s.Text, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO") {
			t.Errorf("%s: %+v", name, s)
		}
	}

	read := in("s", change("SELECT", "SELECT 1"))
	read.Class = porterhouse.Class{Verb: "SELECT", Read: true}
	wantError(t, l.err(t, read), porterhouse.Refused, "verify")
	l.does(t, in("s", change("INSERT", isSet))) // which was no harm to the session

	// What is only for one statement is for one statement.
	q := in("s", change("INSERT", strings.Replace(isSet, "3", "5", 1)))
	q.Passage.Settings = []porterhouse.Setting{{Name: "max_threads", Value: "5"}}
	l.does(t, q)
	q = in("s", change("INSERT", "INSERT INTO app.t SELECT throwIf(currentDatabase() != 'other'), ''"))
	q.Database = "other"
	wantError(t, l.err(t, q), porterhouse.Refused, "could not come back")
	l.does(t, in("s", change("USE", "USE app")))
	l.does(t, q)
	l.does(t, in("s", change("INSERT", "INSERT INTO t SELECT throwIf(currentDatabase() != 'app'), ''")))
	q.Database = "nowhere"
	if s := l.says(t, q); !strings.Contains(s.Text, "grant SHOW DATABASES ON nowhere") {
		t.Errorf("a database that is not there: %+v", s)
	}
	l.does(t, in("s", change("INSERT", isSet)))

	end := in("s", change("INSERT", isSet))
	end.Passage.Session.Close = true
	l.does(t, end)
	if l.Pinned("alice@example.com", "s") {
		t.Error("the session goes on after its end")
	}
	check := in("s", change("INSERT", whose))
	check.Passage.Session.Check = true
	wantCode(t, l.err(t, check), 372, "Session s not found")
	long := in("s", change("SET", "SET max_threads = 3"))
	long.Passage.Session.Timeout = time.Hour + time.Second
	wantCode(t, l.err(t, long), 374, "Session timeout '3601' is larger than max_session_timeout: 3600")
}

// A session of an account is not that of another, even for the same person.
func TestSessionOfAnotherAccount(t *testing.T) {
	l := openLane(t)
	l.does(t, in("s", change("SET", "SET max_threads = 3")))
	_, err := l.as(t.Context(), t, `bob's \`, in("s", change("INSERT", "INSERT INTO app.t VALUES (1, '')")))
	wantCode(t, err, 372, "another ClickHouse account")
	l.does(t, in("s", change("SET", "SET max_threads = 3")))
}

// An account that is dropped takes its sessions with it, and whoever asks is told so.
func TestSessionOfDroppedAccount(t *testing.T) {
	l := openLane(t)
	admin := func(sql string) {
		t.Helper()
		if err := l.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	admin("CREATE USER gone")
	admin("GRANT IMPERSONATE ON gone TO " + gateway)
	set := func() error {
		_, err := l.as(t.Context(), t, "gone", in("g", change("SET", "SET max_threads = 3")))
		return err
	}
	if err := set(); err != nil {
		t.Fatal(err)
	}
	admin("DROP USER gone")
	wantCode(t, set(), 192, `no account "gone" any more, so this session has ended`)
	wantCode(t, set(), 372, "set it again")
	wantError(t, set(), porterhouse.Denied, `ClickHouse has no account "gone"`)
	admin("CREATE USER gone")
	if err := set(); err != nil {
		t.Errorf("when it is there again: %v", err)
	}
}

// Roles are for one statement, so all of a session's name them, or none.
func TestSessionWithRoles(t *testing.T) {
	l := openLane(t)
	as := func(q porterhouse.Query, roles ...string) porterhouse.Query {
		q.Passage.Roles = roles
		return q
	}
	const write, read = "INSERT INTO app.t SELECT 1, ''", "INSERT INTO app.t SELECT a, word FROM app.t"
	l.does(t, as(in("s", change("SET", "SET max_threads = 3")), "writer"))
	l.does(t, as(in("s", change("INSERT", write)), "writer"))
	for _, q := range []porterhouse.Query{
		as(in("s", change("INSERT", read)), "writer"),
		as(in("s", change("INSERT", write)), "reader"),
		as(in("s", change("INSERT", write)), "stranger"),
	} {
		if s := l.says(t, q); s.Status == 200 {
			t.Errorf("%s with the role %s: %+v", q.SQL, q.Passage.Roles, s)
		}
	}
	l.refuses(t, in("s", change("INSERT", write)), porterhouse.Refused, "all statements of a session name the roles")
	l.does(t, as(in("s", change("INSERT", read)), "writer", "reader"))

	l.does(t, in("none", change("SET", "SET ROLE reader")))
	if s := l.says(t, in("none", change("INSERT", write))); s.Status == 200 {
		t.Errorf("SET ROLE was forgotten: %+v", s)
	}
	l.refuses(t, as(in("none", change("INSERT", write)), "writer"), porterhouse.Refused, "all statements of a session name the roles")
}

// One statement at a time, as in ClickHouse.
func TestSessionIsLocked(t *testing.T) {
	l := openLane(t)
	l.does(t, in("s", change("SET", "SET max_threads = 3")))
	waits, data := io.Pipe()
	q := in("s", insert("INSERT INTO app.t FORMAT CSV", ""))
	q.Passage.Data, q.Passage.Size = waits, -1
	done := make(chan error, 1)
	go func() {
		_, err := l.as(t.Context(), t, "alice", q)
		done <- err
	}()
	if _, err := io.WriteString(data, "1,w"); err != nil { // it is under way
		t.Fatal(err)
	}
	wantCode(t, l.err(t, in("s", change("INSERT", isSet))), 373, "Session s is locked by a concurrent client")
	if _, err := io.WriteString(data, "ord\n"); err != nil {
		t.Fatal(err)
	}
	data.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	l.does(t, in("s", change("INSERT", isSet)))
}

// A session ends when it was idle for as long as it may; the next is a new one.
func TestSessionTimesOut(t *testing.T) {
	l := openLane(t)
	q := in("s", change("SET", "SET max_threads = 3"))
	q.Passage.Session.Timeout = time.Second
	l.does(t, q)
	eventually(t, "the session ends", func() bool { return !l.Pinned("alice@example.com", "s") })
	if s := l.says(t, in("s", change("INSERT", isSet))); s.Status == 200 {
		t.Errorf("what was set is still there: %+v", s)
	}
	eventually(t, "ClickHouse has no connection of it", func() bool {
		return l.text(t, "SELECT value FROM system.metrics WHERE metric = 'TCPConnection'") == "0"
	})
}

// A session may be idle for as long as its first statement said, whatever comes later: so
// it is with ClickHouse's own.
func TestSessionGoesByItsFirstTimeout(t *testing.T) {
	t.Parallel()
	l := openLane(t)
	for name, ask := range map[string]func(t *testing.T, sql string, timeout int) (done bool){
		"ClickHouse's own": func(t *testing.T, sql string, timeout int) bool {
			target := fmt.Sprintf("%s/?user=alice&password=a&session_id=%s&session_timeout=%d", l.HTTP, url.QueryEscape(t.Name()), timeout)
			answer, err := http.Post(target, "", strings.NewReader(sql))
			if err != nil {
				t.Fatal(err)
			}
			return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
		},
		"ours": func(t *testing.T, sql string, timeout int) bool {
			verb, _, _ := strings.Cut(sql, " ")
			q := in(t.Name(), change(verb, sql))
			q.Passage.Session.Timeout = time.Duration(timeout) * time.Second
			return l.says(t, q).Status == http.StatusOK
		},
	} {
		t.Run(name+", shorter later", func(t *testing.T) {
			t.Parallel()
			ask(t, "SET max_threads = 3", 3600)
			ask(t, isSet, 1)
			time.Sleep(4 * time.Second)
			if !ask(t, isSet, 1) {
				t.Error("what was set is gone")
			}
		})
		t.Run(name+", longer later", func(t *testing.T) {
			t.Parallel()
			ask(t, "SET max_threads = 3", 2)
			pause := time.Duration(0)
			eventually(t, "the session ends when it is idle for long enough", func() bool {
				time.Sleep(pause)
				pause += time.Second
				return !ask(t, isSet, 3600)
			})
		})
	}
}

// A session whose connection is lost ends, and says so once. Nothing is dialled again
// for it, and nobody becomes the gateway.
func TestSessionIsLost(t *testing.T) {
	l := openLane(t)
	set, next := in("s", change("SET", "SET max_threads = 3")), in("s", change("INSERT", isSet))
	gone := func(t *testing.T) {
		t.Helper()
		if !l.Pinned("alice@example.com", "s") {
			t.Error("the loss is forgotten before the client was told")
		}
		wantCode(t, l.err(t, next), 372, "set it again")
		if l.Pinned("alice@example.com", "s") {
			t.Error("the loss is told twice")
		}
		if s := l.says(t, next); s.Status == 200 {
			t.Errorf("a new session has what the old one had: %+v", s)
		}
	}
	t.Run("the engine restarted", func(t *testing.T) {
		l.does(t, set)
		if err := l.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone(t)
	})
	t.Run("the engine was killed", func(t *testing.T) {
		l.does(t, set)
		if err := l.Kill(); err != nil {
			t.Fatal(err)
		}
		wantCode(t, l.err(t, next), 372, "ClickHouse closed its connection")
		wantError(t, l.err(t, next), porterhouse.Unavailable, "cannot be reached")
		if err := l.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("killed in the middle of a statement", func(t *testing.T) {
		l.does(t, set)
		slow := in("s", change("INSERT", slowly))
		done := make(chan error, 1)
		go func() {
			_, err := l.as(t.Context(), t, "alice", slow)
			done <- err
		}()
		l.waitFor(t, slow.ID, "1")
		if err := l.Kill(); err != nil {
			t.Fatal(err)
		}
		wantError(t, <-done, porterhouse.Unavailable, "nobody knows whether it was carried out")
		if err := l.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone(t)
	})
	t.Run("by a syntax error", func(t *testing.T) { // after which some clients dial again
		l.does(t, set)
		if s := l.says(t, in("s", change("INSERT", "INSERT INTO app.t SELECT +"))); s.Status != 400 {
			t.Errorf("%+v", s)
		}
		l.does(t, next)
	})
}

// slowly writes a row in every 10 ms.
const slowly = "INSERT INTO app.t SELECT number, 'slow' FROM system.numbers WHERE NOT ignore(sleepEachRow(0.01)) LIMIT 100000 SETTINGS max_block_size = 10"

// waitFor waits until so many queries with the id run.
func (l *lane) waitFor(t *testing.T, id, count string) {
	t.Helper()
	eventually(t, count+" queries "+id, func() bool {
		return l.text(t, "SELECT count() FROM system.processes WHERE query_id = '"+id+"'") == count
	})
}

// Nobody can have all the sessions there are.
func TestSessionsAreBounded(t *testing.T) {
	l := openLane(t)
	for i := range 20 {
		l.does(t, in(fmt.Sprint(i), change("SET", "SET max_threads = 3")))
	}
	wantError(t, l.err(t, in("more", change("SET", "SET max_threads = 3"))), porterhouse.Limited, "20 sessions")
	q := in("more", change("SET", "SET max_threads = 3"))
	q.Passage.Session.Owner = "bob@example.com"
	l.does(t, q)
	// What failed has left nothing that counts.
	for range 30 {
		q := in("failed", change("SET", "SET no_such = 3"))
		q.Passage.Session.Owner = "eve@example.com"
		l.says(t, q)
	}
	if l.Pinned("eve@example.com", "failed") {
		t.Error("a session without state is pinned")
	}
	if err := l.Lane.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantError(t, l.err(t, in("0", change("INSERT", isSet))), porterhouse.Unavailable, "shutting down")
	eventually(t, "ClickHouse has no connection", func() bool {
		return l.text(t, "SELECT value FROM system.metrics WHERE metric = 'TCPConnection'") == "0"
	})
}

// Closing stops what does not end by itself.
func TestCloseStops(t *testing.T) {
	l := openLane(t)
	slow := change("INSERT", slowly)
	slow.Limits.Time = time.Hour
	done := make(chan error, 1)
	go func() {
		_, err := l.as(context.Background(), t, "alice", slow)
		done <- err
	}()
	l.waitFor(t, slow.ID, "1")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Lane.Close(ctx); err == nil || !strings.Contains(err.Error(), "they were stopped") {
		t.Errorf("the error is %v", err)
	}
	wantError(t, <-done, porterhouse.Unavailable, "shutting down")
	l.waitFor(t, slow.ID, "0")
}
