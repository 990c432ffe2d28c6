package clickhouse

import (
	"context"

	"porterhouse"
)

// sessions runs what the query form of EXECUTE AS cannot carry, over ClickHouse's
// native protocol: each statement over a connection of its own, except those of a
// client's session with state, which keeps one.
type sessions struct{ client *Client }

// newSessions makes the session lane of a client. It connects to nothing. Without
// Access.Native every run is refused.
func newSessions(client *Client, c Config) (*sessions, error) { return &sessions{client}, nil }

// carries reports whether a statement of the mode ExecuteAs belongs here and not to
// the query form over HTTP: it does not only read, or it is of a session that has
// state or had it.
func (s *sessions) carries(q porterhouse.Query) bool { panic("not yet") }

// run runs a statement as the account, and returns when ClickHouse is done with it.
// An exception of ClickHouse's is an answer, too.
func (s *sessions) run(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	panic("not yet")
}

// pinned reports whether the session that an owner calls id has a connection of its
// own, or had one and lost it: every statement of it goes to run.
func (s *sessions) pinned(owner, id string) bool { panic("not yet") }

// close ends all sessions, and waits until ctx ends for the statements that run.
func (s *sessions) close(ctx context.Context) error { panic("not yet") }
