package clickhouse

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
)

// journey is one statement on its way to a server of a Cluster.
//
// It goes on to another server only where nothing can happen twice: when nothing of it
// was sent, and nobody has read the client's data; or when it is a read that stands by
// itself, and the connection broke before an answer came: then once, for whatever kills a
// server may kill the next. An exception, a limit or a client that has left is an end.
type journey struct {
	cluster *Cluster
	as      porterhouse.Account
	q       porterhouse.Query
	begun   time.Time
	limit   time.Duration // of all of it; q has what was left at its last server

	tried    hostSet
	bound    bool       // only one server will do
	repeated bool       // the read was sent twice
	data     *untouched // what the client sends beside the statement; nil: nothing
	session  sessionKey // if the statement is of one
	settled  bool       // the session was somewhere already
}

func newJourney(c *Cluster, as porterhouse.Account, q porterhouse.Query) *journey {
	j := &journey{cluster: c, as: as, q: q, begun: time.Now(), limit: q.Limits.Time}
	if q.Passage == nil {
		return j
	}
	if s := q.Passage.Session; s != nil {
		j.session = sessionKey{s.Owner, s.ID}
	}
	if q.Passage.Data != nil {
		p := *q.Passage
		j.data = &untouched{Reader: p.Data}
		p.Data = j.data
		j.q.Passage = &p
	}
	return j
}

// untouched is data, as long as nobody has read of it.
type untouched struct {
	io.Reader
	read atomic.Bool
}

// Read implements io.Reader.
func (u *untouched) Read(p []byte) (int, error) {
	u.read.Store(true)
	return u.Reader.Read(p)
}

// run goes from server to server, mostly to one.
func (j *journey) run(ctx context.Context) (*porterhouse.Answer, error) {
	at, err := j.first()
	if err != nil {
		return nil, err
	}
	for {
		keeps := j.keeps(at)
		if keeps {
			j.stay(at, j.limit)
		}
		answer, err := at.Query(ctx, j.as, j.q)
		if err == nil {
			if keeps {
				answer.Body = &endingBody{ReadCloser: answer.Body, end: func() { j.stay(at, 0) }}
			}
			j.heed(at, answer)
			return answer, nil
		}
		next := j.next(ctx, at, err)
		if next == nil {
			return nil, j.end(at, err, keeps)
		}
		j.cluster.log.Warn("a statement goes to another server", "query_id", j.q.ID, "from", at.target.address, "to", next.target.address, "error", err)
		at.count.passedOn.Add(1)
		at, j.q.Limits.Time = next, j.limit-time.Since(j.begun)
	}
}

// first is the server where the journey begins.
func (j *journey) first() (*host, error) {
	c := j.cluster
	switch {
	case j.session != sessionKey{}:
		return j.ofSession()
	case j.q.Class.Verb == "KILL":
		if at := c.running(j.as.User, &j.q); at != nil {
			j.bound = true
			return at, nil
		}
	}
	return c.choose(j.as.User.String(), 0), nil
}

// next is where to go after a failure at one server; nil: nowhere.
func (j *journey) next(ctx context.Context, at *host, err error) *host {
	unsent := isUnsent(err)
	if isServers(err) && !isOver(ctx) {
		j.blame(at)
	}
	j.tried |= at.bit
	switch {
	case j.bound || ctx.Err() != nil || time.Since(j.begun) >= j.limit:
		return nil
	case unsent && (j.data == nil || !j.data.read.Load()):
	case isUnanswered(err) && j.mayRepeat():
		j.repeated = true
	default:
		return nil
	}
	if j.session != (sessionKey{}) {
		return j.cluster.settle(j.session, j.tried)
	}
	return j.cluster.choose(j.as.User.String(), j.tried)
}

// heed looks, at the end of an answer that is a refusal, whether it is the server's fault.
func (j *journey) heed(at *host, answer *porterhouse.Answer) {
	if answer.Head == nil || answer.Head.Status == http.StatusOK {
		return
	}
	summary := answer.Summary
	answer.Body = &endingBody{ReadCloser: answer.Body, end: func() {
		if e := summary().Exception; e != nil && saysOfServer(*e) {
			j.blame(at)
		}
	}}
}

// blame notes that a server has failed the person.
func (j *journey) blame(at *host) {
	at.troubles.note(hashOf(j.as.User.String()))
	at.health.doubt()
}

// mayRepeat reports whether the statement can be sent once more although a server has it.
func (j *journey) mayRepeat() bool {
	p := j.q.Passage
	return j.q.Class.Read && !j.repeated && (p == nil || p.Session == nil && p.Data == nil && p.Tables == nil)
}

// unsent says of an error that nothing of the statement has left for its server, and
// unanswered that the connection broke before an answer came.
type (
	unsent     struct{ error }
	unanswered struct{ error }
)

// Unwrap returns what the network said.
func (e unsent) Unwrap() error { return e.error }

// Unwrap returns what the network said.
func (e unanswered) Unwrap() error { return e.error }

func isUnsent(err error) bool {
	_, is := errors.AsType[unsent](err)
	return is
}

func isUnanswered(err error) bool {
	_, is := errors.AsType[unanswered](err)
	return is
}

// endingBody is the Body of an Answer of which somebody wants to know when it has ended.
type endingBody struct {
	io.ReadCloser
	once sync.Once
	end  func()
}

// Close implements io.Closer.
func (b *endingBody) Close() error {
	defer b.once.Do(b.end)
	return b.ReadCloser.Close()
}
