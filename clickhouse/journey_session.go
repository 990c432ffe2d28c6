package clickhouse

import (
	"cmp"
	"errors"
	"time"

	"porterhouse"
)

// ofSession is the server of the statement's session: where it is, or where it is to be.
func (j *journey) ofSession() (*host, error) {
	c := j.cluster
	where := c.places.find(j.session)
	j.live(where.life)
	if where.host == "" {
		return c.settle(j.session, 0), nil
	}
	j.settled, j.bound = true, true
	at := c.named(where.host)
	if at == nil || where.gone {
		return nil, j.lost("its server was taken out of the cluster")
	}
	if c.several() && at.health.absent() != nil {
		return nil, j.lost(serverAway)
	}
	return at, nil
}

// live makes the statement one of a later life of its session.
func (j *journey) live(life int) {
	if life > 0 {
		p, s := *j.q.Passage, *j.q.Passage.Session
		s.Life, p.Session = life, &s
		j.q.Passage = &p
	}
}

const serverAway = "its server is away"

// lost says, once, that a session is not there any more. What comes next begins another,
// also at a server that has come back and still has this one.
func (j *journey) lost(why string) *porterhouse.Error {
	j.cluster.places.lose(j.session, j.q.Passage.Session.Life)
	return sessionLost(j.session.id, why)
}

// isLost reports whether an error says that a session is not there any more.
func isLost(err error) bool {
	e, ok := errors.AsType[*porterhouse.Error](err)
	return ok && e.Code == sessionNotFound
}

// keeps reports whether anything of the statement's session can be at a server. In the
// modes without sessions of ClickHouse's nothing is, but what was set over the native
// protocol.
func (j *journey) keeps(at *host) bool {
	if (j.session == sessionKey{}) {
		return false
	}
	l := at.lane.Load()
	switch {
	case j.settled || !j.as.Password.IsZero():
		return true
	case l.is(Interserver):
		return false
	case l.is(ExecuteAs):
		return j.q.Class.State
	}
	return true
}

// stay notes that the session is at a server, for its timeout after a statement that may
// take as long as running; 0: that has ended.
func (j *journey) stay(at *host, running time.Duration) {
	s := j.q.Passage.Session
	if s.Close && running == 0 {
		j.cluster.places.forget(j.session, s.Life)
		return
	}
	timeout := min(cmp.Or(s.Timeout, maxSessionTimeout), maxSessionAge) // the server's own is not known
	j.cluster.places.keep(j.session, s.Life, at.target.address, timeout, running)
}

// end makes the caller's error of the last one.
func (j *journey) end(at *host, err error, keeps bool) error {
	switch {
	case !keeps:
	case j.settled && isUnsent(err) && j.cluster.several():
		lost := j.lost(serverAway)
		lost.Err = err
		return lost
	case !j.settled && isUnsent(err), isLost(err): // it never began, or its client has just been told
		j.cluster.places.forget(j.session, j.q.Passage.Session.Life)
	default:
		j.stay(at, 0)
	}
	return err
}
