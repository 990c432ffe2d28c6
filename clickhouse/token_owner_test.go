package clickhouse_test

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// asksWhose reports whether a request asks whose a token is: beside that nothing is set.
func asksWhose(r *http.Request) bool { return r.URL.RawQuery == "default_format=TabSeparated" }

// alices is a ClickHouse for which every token is alice's, and all else is up to speak.
func alices(speak func(net.Conn, *http.Request, <-chan struct{}) bool) func(net.Conn, *http.Request, <-chan struct{}) bool {
	return func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
		if !asksWhose(r) {
			return speak(c, r, end)
		}
		io.WriteString(c, head(r, "")+chunk("alice\n")+lastChunk)
		return true
	}
}

// Where a token goes on, nobody runs but the account that was judged and recorded: an
// agent that has a lesser account than its person does not become the person.
func TestForwardIsTheAccount(t *testing.T) {
	w := newTown(t)
	if err := w.Exec(t.Context(), "CREATE USER `alice#agent` IDENTIFIED WITH no_authentication"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice#agent", "bob"} {
		as := account(t, name)
		as.Token = porterhouse.NewSecret(tokenOf + "alice")
		for _, q := range []porterhouse.Query{passing("SELECT 1", nil), writing("INSERT INTO app.t VALUES (1, 'hers')", nil, 0)} {
			_, err := pass(t.Context(), w.ways["forward"], as, q)
			wantError(t, err, porterhouse.Refused, `another account than "`+name+`"`)
		}
		_, err := read(t.Context(), w.ways["forward"], as, question("SELECT 1"))
		wantError(t, err, porterhouse.Refused, `another account than "`+name+`"`)
	}
	if n, err := w.Text(t.Context(), "SELECT count() FROM app.t"); err != nil || n != "0" {
		t.Errorf("%s rows were written, %v", n, err)
	}
	w.says(t, "forward", "alice", passing("SELECT currentUser()", nil), 200, "alice\n")
}

// Whose a token is is asked once, and again when the answer is old: ClickHouse may have
// been told to read it otherwise.
func TestTokenOwnersAreKept(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var user atomic.Value
	user.Store("alice")
	w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
		if asksWhose(r) {
			asked.Add(1)
			io.WriteString(c, head(r, "")+chunk(user.Load().(string)+"\n")+lastChunk)
			return true
		}
		io.WriteString(c, head(r, "")+chunk("1\n")+lastChunk)
		return true
	}, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Forward })
	var late atomic.Int64 // minutes
	w.Client.TokenClock(func() time.Time { return time.Now().Add(time.Duration(late.Load()) * time.Minute) })
	alice := account(t, "alice")
	ask := func(token string, want int64) {
		t.Helper()
		alice.Token = porterhouse.NewSecret(token)
		if _, err := pass(t.Context(), w.Client, alice, passing("SELECT 1", nil)); err != nil || asked.Load() != want {
			t.Errorf("asked %d times, want %d: %v", asked.Load(), want, err)
		}
	}
	ask("one", 1)
	ask("one", 1)
	ask("two", 2)
	ask("one", 2)
	late.Store(2)
	ask("one", 3)
	user.Store("bob")
	late.Store(4)
	_, err := pass(t.Context(), w.Client, alice, passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Refused, "another account")
	if n := clickhouse.TokensKept(20_000); n > 10_000 {
		t.Errorf("%d tokens are kept", n)
	}
}

// What is no answer to the question lets nobody in, and is not kept.
func TestTokenOwnersThatFail(t *testing.T) {
	t.Parallel()
	for what, said := range map[string]string{"nothing": "", "two rows": "alice\nbob\n", "two columns": "alice\tbob\n"} {
		w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
			if !asksWhose(r) {
				t.Errorf("%s: the statement was sent", what)
			}
			if said != "" {
				said = chunk(said)
			}
			io.WriteString(c, head(r, "")+said+lastChunk)
			return true
		}, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Forward })
		alice := account(t, "alice")
		alice.Token = porterhouse.NewSecret("a.b.c")
		_, err := pass(t.Context(), w.Client, alice, passing("SELECT 1", nil))
		wantError(t, err, porterhouse.Unavailable, "not ClickHouse")
	}
}
