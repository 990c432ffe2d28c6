package clickhouse

import (
	"fmt"
	"time"

	"porterhouse"
)

// sessionKey names a client's session: two people with one id have two sessions.
type sessionKey struct{ owner, id string }

// sessionLife is one of the sessions that have had a name: see Places.
type sessionLife struct {
	sessionKey
	life int
}

func lifeOf(s *porterhouse.Session) sessionLife {
	return sessionLife{sessionKey{s.Owner, s.ID}, s.Life}
}

// pin is a session with state, and the one connection that has it.
type pin struct {
	key   sessionLife
	user  porterhouse.UserName
	conn  *ownConn // nil until the first statement has made it
	busy  bool     // a statement is under way, and may be alone with what follows
	roled bool     // its statements name the roles to act with

	begun   time.Time
	timeout time.Duration // how long it may be idle: as ClickHouse has it, what its first statement said
	until   time.Time     // when it ends, if it stays idle
	timer   *time.Timer
}

// loss is a session that ended by itself, until its client has been told.
type loss struct {
	why string
	at  time.Time
}

// Bounds of sessions. ClickHouse keeps a thread for each of their connections.
const (
	maxSessions      = 500 // at once
	maxOwnerSessions = 20  // of one owner
	maxLosses        = 4096

	sessionTimeout    = time.Minute    // when the client names none, as in ClickHouse
	maxSessionTimeout = time.Hour      // as in ClickHouse
	maxSessionAge     = 24 * time.Hour // then it ends, for it goes on with rights that were looked at when it began
	lossKept          = time.Hour      // how long a client has to ask for what it lost
)

// Codes of ClickHouse's for what a client does wrong with a session.
const (
	unknownDatabase       = 81
	sessionNotFound       = 372
	sessionIsLocked       = 373
	invalidSessionTimeout = 374
)

// take finds the session of a statement and keeps it until put; nil: the statement
// needs none. A statement with state begins one.
func (s *sessions) take(user porterhouse.UserName, q porterhouse.Query) (*pin, error) {
	session := q.Passage.Session
	if session == nil {
		return nil, nil
	}
	if session.Timeout > maxSessionTimeout {
		return nil, sessionError(porterhouse.Invalid, invalidSessionTimeout,
			"Session timeout '%d' is larger than max_session_timeout: %d", int(session.Timeout.Seconds()), int(maxSessionTimeout.Seconds()))
	}
	key := lifeOf(session)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pins[key]; p != nil {
		if p.busy {
			return nil, sessionError(porterhouse.Limited, sessionIsLocked, "Session %s is locked by a concurrent client", key.id)
		}
		why := p.unfit(user)
		if why == "" {
			p.busy = true
			p.timer.Stop()
			return p, nil
		}
		s.lose(p, why)
	}
	if l, ok := s.losses[key]; ok {
		delete(s.losses, key)
		return nil, sessionLost(key.id, l.why)
	}
	switch {
	case session.Check:
		return nil, sessionError(porterhouse.Failed, sessionNotFound, "Session %s not found", key.id)
	case !q.Class.State || session.Close:
		return nil, nil
	}
	return s.begin(key, user, session.Timeout)
}

// sessionLost says that a session is not there any more, and what was set in it neither.
func sessionLost(id, why string) *porterhouse.Error {
	return sessionError(porterhouse.Failed, sessionNotFound, "Session %s not found: it ended because %s. What was set in it is gone; set it again", id, why)
}

// sessionError says something about a session as ClickHouse would.
func sessionError(kind porterhouse.Kind, code int, format string, args ...any) *porterhouse.Error {
	return &porterhouse.Error{Kind: kind, Public: fmt.Sprintf(format, args...), Code: code}
}

// unfit says why a session cannot go on; "" when it can.
func (p *pin) unfit(user porterhouse.UserName) string {
	switch {
	case p.user != user:
		return "it was of another ClickHouse account"
	case time.Since(p.begun) > maxSessionAge:
		return "no session may last longer than " + maxSessionAge.String()
	case !p.conn.quiet():
		return "ClickHouse closed its connection"
	}
	return ""
}

// begin begins a session. timeout is the client's; 0: it named none.
func (s *sessions) begin(key sessionLife, user porterhouse.UserName, timeout time.Duration) (*pin, error) {
	own := 0
	for other := range s.pins {
		if other.owner == key.owner {
			own++
		}
	}
	switch {
	case own >= maxOwnerSessions:
		return nil, porterhouse.Errorf(porterhouse.Limited, "you have %d sessions with settings or temporary tables, and may have no more; close one, or wait until one has timed out", own)
	case len(s.pins) >= maxSessions:
		return nil, porterhouse.Errorf(porterhouse.Limited, "there are %d sessions with settings or temporary tables, and may be no more; try again in a moment", len(s.pins))
	}
	p := &pin{key: key, user: user, busy: true, begun: time.Now(), timeout: orDefault(timeout, sessionTimeout)}
	s.pins[key] = p
	return p, nil
}

// put gives a session back after a statement. kept says that what the statement set
// may be there.
func (s *sessions) put(p *pin, session *porterhouse.Session, first, kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || session.Close || first && !kept:
		s.end(p)
		return
	case p.conn == nil || !p.conn.sound:
		s.lose(p, "a statement of it was broken off")
		return
	}
	p.busy = false
	p.until = time.Now().Add(p.timeout)
	p.timer = time.AfterFunc(p.timeout, func() { s.expire(p) })
}

// expire ends a session that was idle for too long. As in ClickHouse, the next
// statement with its id begins another.
func (s *sessions) expire(p *pin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pins[p.key] == p && !p.busy && !time.Now().Before(p.until) {
		s.end(p)
	}
}

// end ends a session. The caller holds mu.
func (s *sessions) end(p *pin) {
	delete(s.pins, p.key)
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.conn != nil {
		p.conn.cut()
	}
}

// lose ends a session that its client believes to be there. The caller holds mu.
func (s *sessions) lose(p *pin, why string) {
	s.end(p)
	s.remember(p.key, loss{why, time.Now()})
}

// remember keeps a loss for its client, and forgets those that are too many or too old.
func (s *sessions) remember(lost sessionLife, is loss) {
	now := is.at
	oldest, at := sessionLife{}, now
	for key, l := range s.losses {
		if now.Sub(l.at) > lossKept {
			delete(s.losses, key)
		} else if l.at.Before(at) {
			oldest, at = key, l.at
		}
	}
	if len(s.losses) >= maxLosses {
		delete(s.losses, oldest)
	}
	s.losses[lost] = is
}
