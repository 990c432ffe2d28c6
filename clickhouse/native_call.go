package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"porterhouse"
)

// nativeCall is one statement on the session lane.
type nativeCall struct {
	porterhouse.Query
	sessions *sessions
	user     porterhouse.UserName
	prefix   string // EXECUTE AS and the name

	caller context.Context // whose statement it is
	ctx    context.Context // ends with caller, and when the time is up
	begun  time.Time

	pin     *pin      // nil: the statement has a connection of its own
	conn    *ownConn  // nil until there is one
	begins  bool      // ClickHouse may have a part of the statement
	sent    bool      // ClickHouse may have all of it
	stopped bool      // ClickHouse was asked to end it
	data    int64     // bytes of data that were sent
	amount  progress  // of the work, so far
	noted   time.Time // when the client was told of it
}

// run runs the statement, and returns when it has ended or nobody waits any more.
func (n *nativeCall) run() (answer *porterhouse.Answer, err error) {
	n.pin, err = n.sessions.take(n.user, n.Query)
	if err != nil {
		return nil, err
	}
	if n.pin != nil {
		first := n.pin.conn == nil
		defer func() {
			n.sessions.put(n.pin, n.Passage.Session, first, err == nil && answer.Head.Status == http.StatusOK)
		}()
	}
	if n.Passage.Stop != nil {
		defer context.AfterFunc(n.ctx, n.Passage.Stop)()
	}
	err = n.ask()
	exception, heard := errors.AsType[*nativeException](err)
	refused, ours := errors.AsType[*refusal](err)
	switch {
	case n.stopped:
		n.count()
		return nil, n.fail(err)
	case !n.sent && n.ctx.Err() != nil:
		return nil, n.fail(err)
	case ours:
		return nil, n.explain(refused)
	case err != nil && !heard:
		return nil, n.fail(err)
	case heard && n.pin != nil && exception.aboutAccount():
		n.conn.sound = false // nobody's any more
		return nil, &porterhouse.Error{Kind: porterhouse.Denied, Code: unknownUser, Err: exception,
			Public: fmt.Sprintf("ClickHouse has no account %q any more, so this session has ended; ask the operator for it, and begin a new one", n.user)}
	}
	return n.answer(exception), nil
}

// aboutAccount reports whether the account whose session it is was dropped meanwhile.
func (e *nativeException) aboutAccount() bool {
	return e.code == accessEntityNotFound && strings.Contains(e.message, "not found in `user directories`")
}

// count counts a statement that ClickHouse was asked to end.
func (n *nativeCall) count() {
	c := n.sessions.client
	c.count.kills.Add(1)
	if !n.conn.sound {
		c.count.killFailures.Add(1)
		c.log.Warn("ClickHouse was asked to end a statement, and it is not known whether it has", "query_id", n.ID)
	}
}

// ask sees to a connection and asks.
func (n *nativeCall) ask() error {
	if n.pin != nil && n.Class.Read {
		return onlyInVerify("the rows of a session in which something was set")
	}
	data, err := n.sessions.spool.inline(n.ctx, n.Query, false)
	if err != nil {
		return err
	}
	defer data.close()
	if n.pin != nil {
		return n.inSession(data)
	}
	select {
	case n.sessions.places <- struct{}{}:
		defer func() { <-n.sessions.places }()
	case <-n.ctx.Done():
		return n.ctx.Err()
	}
	if err := n.connect(); err != nil {
		return err
	}
	defer n.conn.cut()
	return n.send(data)
}

// inSession asks over the session's own connection.
func (n *nativeCall) inSession(data *inlineData) error {
	p := n.pin
	if p.conn == nil {
		if err := n.connect(); err != nil {
			return err
		}
		p.conn, p.roled = n.conn, len(n.Passage.Roles) > 0
		return n.send(data)
	}
	n.conn, p.conn.quotaKey = p.conn, n.Passage.QuotaKey
	if err := n.again(); err != nil {
		return err
	}
	if n.Database == "" || n.Class.Verb == "USE" {
		return n.send(data)
	}
	return n.visit(data)
}

// connect makes a connection that is the account's, in the database that is asked for.
func (n *nativeCall) connect() error {
	conn, err := n.sessions.target.open(n.ctx, n.user, n.prefix, n.Database, n.Passage.QuotaKey)
	if err != nil {
		return err
	}
	n.conn = conn
	if len(n.Passage.Roles) == 0 {
		return nil
	}
	err = conn.act(n.ctx, n.Passage.Roles)
	if err != nil {
		conn.cut()
	}
	return err
}

// again prepares a connection that a session already has. A session goes on as it
// began, with roles named by each statement or by none.
func (n *nativeCall) again() error {
	named := len(n.Passage.Roles) > 0
	switch {
	case named != n.pin.roled:
		return porterhouse.Errorf(porterhouse.Refused, "either all statements of a session name the roles to act with (role=), or none does; use SET ROLE to change them")
	case !named:
		return nil
	}
	return n.conn.act(n.ctx, n.Passage.Roles)
}

// visit asks in the database that the client names for this one statement, and goes
// back to that of the session.
func (n *nativeCall) visit(data *inlineData) error {
	home, err := n.conn.home(n.ctx)
	if err != nil {
		return err
	}
	if home == n.Database {
		return n.send(data)
	}
	// Where a session begins it need not have the right to go to.
	if err := n.conn.use(n.ctx, home); n.conn.sound && err != nil {
		return porterhouse.Errorf(porterhouse.Refused, "the session is in the database %s and could not come back to it from another: %v; name the database when the session begins, or in the statement", home, err)
	}
	if err := n.conn.use(n.ctx, n.Database); err != nil {
		return err
	}
	err = n.send(data)
	if n.conn.sound {
		// Also when nobody waits any more. If there is no way back all the same, the
		// session is not what its client believes.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), cancelWait)
		defer cancel()
		n.conn.sound = n.conn.use(ctx, home) == nil
	}
	return err
}

// send sends the statement, and returns when it has ended.
func (n *nativeCall) send(data *inlineData) error {
	settings := nativeSettings(n.Query, n.Passage.ReadOnly)
	if !withinServer[n.Class.Verb] { // ON CLUSTER would answer with rows
		settings = append(settings, porterhouse.Setting{Name: "distributed_ddl_output_mode", Value: "none"})
	}
	q := &nativeQuery{
		id:       n.ID,
		sql:      n.SQL,
		insert:   n.Class.Verb == "INSERT",
		data:     data.reader,
		size:     data.size,
		settings: settings,
		params:   n.Params,
		progress: n.note,
	}
	if q.data != nil {
		q.sql += "\n" // between the two, and no part of either
	}
	if n.Class.Verb == "USE" {
		n.conn.database = "" // only ClickHouse knows
	}
	n.begins = true
	err := n.conn.ask(n.ctx, q)
	n.sent, n.stopped = n.conn.fate()
	n.data = q.sent
	return err
}

// withinServer are the verbs that never go to other servers ON CLUSTER.
var withinServer = map[string]bool{"INSERT": true, "SET": true, "USE": true}
