package clickhouse

import (
	"context"
	"errors"
	"sync"
	"time"

	"porterhouse"
)

// sessions is the session lane of ExecuteAs: it runs what the query form over HTTP
// cannot carry, over ClickHouse's native protocol.
//
//	dial, log in ─▶ EXECUTE AS 'alice' ─▶ whose is it? ─▶ her statement ─▶ hang up
//	(native.go)          └── (native_person.go) ──┘       (native_call.go)
//
// A connection that is somebody's can never be anybody else's. So each statement has
// one of its own, and only a client's session keeps its connection: one in which
// something was set, which a later statement is to find (pin.go). None is ever made
// again in the place of one that broke: that would be a session without what was set
// in it, and of which nobody knows.
type sessions struct {
	client *Client
	target *nativeTarget // nil: ClickHouse's native protocol is out of reach
	places chan struct{} // a token for each connection that is not of a session
	spool  *Spool

	stopping context.Context // ends what runs, when close cannot wait for it
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	pins   map[sessionLife]*pin
	losses map[sessionLife]loss
	closed bool
}

// newSessions makes the session lane of a client. It connects to nothing. Without
// Access.Native every run is refused.
func newSessions(client *Client, c Config) (*sessions, error) {
	s := &sessions{
		client: client,
		places: make(chan struct{}, orDefault(c.MaxConnections, defaultConnections)),
		pins:   map[sessionLife]*pin{},
		losses: map[sessionLife]loss{},
		spool:  c.Spool,
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	if c.Access.Native == "" {
		return s, nil
	}
	var err error
	if s.target, err = newNativeTarget(c, &client.count.connections); err != nil {
		return nil, err
	}
	s.target.health = client.health
	return s, nil
}

// carries reports whether a statement of the mode ExecuteAs belongs here and not to
// the query form over HTTP: it does more than read, or it is of a session that has
// state, or had, or is said to have.
func (s *sessions) carries(q porterhouse.Query) bool {
	if q.Passage == nil {
		return false
	}
	session := q.Passage.Session
	return !q.Class.Read || session != nil && (session.Check || s.pinned(session))
}

// pinned reports whether a session has a connection of its own, or lost it and was not
// told: every statement of it goes to run.
func (s *sessions) pinned(session *porterhouse.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := lifeOf(session)
	_, lost := s.losses[key]
	return lost || s.pins[key] != nil
}

// run runs a statement as the account, and returns when ClickHouse is done with it.
// An exception of ClickHouse's is an answer, too.
func (s *sessions) run(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	if err := checkUser(as.User, s.client.cleaner.gateway); err != nil {
		return nil, err
	}
	if err := s.refuse(q); err != nil {
		return nil, err
	}
	if !s.enter() {
		return nil, porterhouse.Errorf(porterhouse.Unavailable, "Porterhouse is shutting down; try again in a moment")
	}
	defer s.running.Done()
	s.client.count.queries.Add(1)
	s.client.underway.begin(as.User, q.ID)
	defer s.client.underway.end(as.User, q.ID)

	n := &nativeCall{sessions: s, user: as.User, prefix: prefixFor(as.User), Query: q, caller: ctx, begun: time.Now()}
	timed, cancel := context.WithTimeout(ctx, q.Limits.Time+s.client.grace)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	n.ctx = timed
	return n.run()
}

// enter counts a statement as running, unless the lane is closed.
func (s *sessions) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// answersRows are the verbs that ClickHouse answers with rows, although they do more
// than read. Nobody here could print them in the client's format.
var answersRows = map[string]bool{"KILL": true, "BACKUP": true, "RESTORE": true, "CHECK": true, "WATCH": true}

// refuse refuses, before anything happens, what this lane cannot carry.
func (s *sessions) refuse(q porterhouse.Query) error {
	if err := check(q); err != nil {
		return err
	}
	switch {
	case q.Passage == nil:
		return porterhouse.Errorf(porterhouse.Internal, "a statement that wants rows came by the way that has none, so it was not asked")
	case s.target == nil:
		return porterhouse.Errorf(porterhouse.Refused, "only reading is possible here: for anything else Porterhouse needs ClickHouse's native port, and the operator has not named it (access.native)")
	case q.Passage.Tables != nil:
		return onlyInVerify("external tables")
	case q.Class.Input: // which over this protocol reads other packets, and would find none: no row would be written, without an error
		return onlyInVerify("an INSERT that takes its data from input(…)")
	case answersRows[q.Class.Verb]:
		return onlyInVerify(q.Class.Verb + ", which ClickHouse answers with rows,")
	}
	return nil
}

// close ends all sessions, and waits until ctx ends for the statements that run.
func (s *sessions) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for _, p := range s.pins {
		if !p.busy {
			s.end(p)
		}
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		s.stop()
		return nil
	case <-ctx.Done():
		s.stop() // which everything that runs notices
		<-done
		return errors.New("clickhouse: closed while statements ran in sessions; they were stopped")
	}
}

// onlyInVerify says that the mode ExecuteAs cannot do what a client asks for.
func onlyInVerify(what string) error {
	return porterhouse.Errorf(porterhouse.Refused, "%s cannot be had where Porterhouse acts by EXECUTE AS; "+
		"the operator can set the cluster's access mode to verify, which carries everything", what)
}
