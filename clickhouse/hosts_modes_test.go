package clickhouse_test

import (
	"io"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// The secret of a terrace.
const terraceSecret = "known to all"

// by makes the clients of a terrace ones of a mode.
func by(mode clickhouse.Mode) func(*clickhouse.Config) {
	return func(c *clickhouse.Config) {
		c.Access.Mode = mode
		if mode == clickhouse.Interserver || mode == clickhouse.Auto {
			c.Access.Cluster, c.Access.Secret = clusterName, porterhouse.NewSecret(terraceSecret)
		}
	}
}

// isAway waits until a server of the terrace is out of service, or in it again.
func (r *terrace) isAway(t *testing.T, i int, is bool) {
	t.Helper()
	r.clients[i].CheckSoon()
	eventually(t, map[bool]string{true: "the server is out of service", false: "the server is back"}[is], func() bool { return r.clients[i].Stats().Away == is })
}

// goesOn makes sure that reads are answered, at any server but one; -1: at any.
func (r *terrace) goesOn(t *testing.T, without int) {
	t.Helper()
	for range 10 {
		at := r.where(t, func() {
			if got, err := pass(t.Context(), r.Cluster, account(t, "alice"), passing("SELECT currentUser()", nil)); err != nil || got.Text != "alice\n" {
				t.Errorf("%+v, %v", got, err)
			}
		})
		if at == without {
			t.Errorf("the server %d is away, and was asked", at)
		}
	}
}

// A server whose native port has gone is out of service in the modes that need it, though
// its HTTP port answers; with the cluster's secret it is in service although that has gone.
func TestNativePortGoes(t *testing.T) {
	t.Parallel()
	for _, mode := range []clickhouse.Mode{clickhouse.ExecuteAs, clickhouse.Interserver} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			r := newTerrace(t, 2, by(mode))
			r.goesOn(t, -1)
			r.natives[0].Stop()
			r.isAway(t, 0, true)
			if err := r.clients[0].Ping(t.Context()); err != nil {
				t.Errorf("its HTTP port: %v", err)
			}
			r.goesOn(t, 0)
			if err := r.natives[0].Resume(); err != nil {
				t.Fatal(err)
			}
			r.isAway(t, 0, false)
			if mode == clickhouse.Interserver {
				r.relays[0].Stop()
				r.relays[1].Stop()
				r.goesOn(t, -1)
			}
		})
	}
}

// A server that has another secret lets connections in and refuses every statement: it is
// out of service until it has ours.
func TestAnotherSecret(t *testing.T) {
	t.Parallel()
	r := newTerrace(t, 2, by(clickhouse.Interserver))
	r.goesOn(t, -1)
	other := sandbox.ForTest(t, sandbox.Options{ExtraConfig: remoteServers("of its own"), Init: []string{
		"CREATE USER alice IDENTIFIED WITH no_authentication", "CREATE USER " + gateway + " IDENTIFIED WITH no_authentication",
	}})
	r.natives[0].Lead(other.Native)
	r.natives[0].Cut()
	r.isAway(t, 0, true)
	if !strings.Contains(r.log.String(), "access.secret") {
		t.Errorf("the log says nothing of the secret:\n%s", r.log)
	}
	r.goesOn(t, 0)
	r.natives[0].Lead(r.real.Native)
	r.natives[0].Cut()
	r.isAway(t, 0, false)
}

// closing is an INSERT's data, during which the server goes that is to have it.
type closing struct {
	io.Reader
	goes func()
}

func (c *closing) Read(p []byte) (int, error) {
	c.goes()
	return c.Reader.Read(p)
}

// An INSERT of unknown length whose server goes while its data is read is sent nowhere
// else: what was read would be missing there, and nobody would be told.
func TestDataThatWasRead(t *testing.T) {
	t.Parallel()
	for _, mode := range []clickhouse.Mode{clickhouse.ExecuteAs, clickhouse.Interserver} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			r := newTerrace(t, 2, by(mode))
			ask := func(q porterhouse.Query) (passed, error) { return pass(t.Context(), r.Cluster, account(t, "alice"), q) }
			home := r.where(t, func() { _, _ = ask(passing("SELECT 1", nil)) })
			others := r.clients[1-home].Stats().Queries
			q := writing("INSERT INTO t FORMAT TSV", &closing{strings.NewReader("1\ta\n2\tb\n"), func() { r.stop(home) }}, -1)
			q.Class.Verb, q.Class.Data, q.Database = "INSERT", true, "app" // where no connection is kept
			got, err := ask(q)
			wantError(t, err, porterhouse.Unavailable, "cannot be reached")
			if n := r.clients[1-home].Stats().Queries - others; n > 0 || got.Status != 0 {
				t.Errorf("it was sent elsewhere %d times, and answered with %d", n, got.Status)
			}
			if n, err := r.real.Text(t.Context(), "SELECT count() FROM app.t"); err != nil || n != "0" {
				t.Errorf("%s rows, %v", n, err)
			}
			q = writing("INSERT INTO t FORMAT TSV", strings.NewReader("1\ta\n2\tb\n"), -1)
			q.Class.Verb, q.Class.Data, q.Database = "INSERT", true, "app"
			if _, err := ask(q); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}

// In the mode Auto each server is looked at by itself: one that goes before that, or after,
// leaves the others, and is looked at when it is back.
func TestAutoOverSeveral(t *testing.T) {
	t.Parallel()
	r := newTerrace(t, 2, by(clickhouse.Auto))
	answers := func() bool {
		got, err := pass(t.Context(), r.Cluster, account(t, "alice"), passing("SELECT currentUser()", nil))
		return err == nil && got.Text == "alice\n"
	}
	r.stop(0)
	if !answers() {
		t.Error("one of two is away before anybody has looked at it, and nothing works")
	}
	r.goesOn(t, 0)
	r.resume(t, 0)
	r.isAway(t, 0, false)
	r.stop(1)
	if !answers() {
		t.Error("the first is back, and was not looked at")
	}
	r.isAway(t, 1, true)
	r.goesOn(t, 1)
	if n := strings.Count(r.log.String(), `msg="access mode found"`); n != 2 {
		t.Errorf("of two servers %d were found to work:\n%s", n, r.log)
	}
}
