package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/blocks"
)

// interserverCall is one statement of the mode Interserver, from before it is sent to its
// end.
type interserverCall struct {
	porterhouse.Query
	way    *bySecret
	as     porterhouse.Account
	format string

	begun  time.Time
	caller context.Context // whose statement it is
	ctx    context.Context // ends with caller, when the time is up, and when the call ends
	cancel context.CancelFunc
	unhook func() bool // stops watching whether we shut down
	ended  sync.Once

	conn   *keptConn
	server serverName
	person interserverPerson
	stop   func()      // stops the statement; nil until it is being sent
	unstop func() bool // stops watching ctx for that

	reader  *blocks.Reader
	printer *blocks.Printer
	amount  progress
	noted   time.Time
	told    bool // the client has the head of the answer, and hears of progress no more
	limit   shortage
	written int64 // bytes of data that were sent
}

// open sends the statement, and reads until there is something to be told.
func (k *interserverCall) open() (*porterhouse.Answer, error) {
	if k.Passage != nil && k.Passage.Stop != nil {
		defer context.AfterFunc(k.ctx, k.Passage.Stop)()
	}
	data, err := k.way.spool.inline(k.ctx, k.Query, true)
	if err != nil {
		return nil, k.reason(err)
	}
	defer data.close()
	if err := k.connect(); err != nil {
		if exception, ok := errors.AsType[*nativeException](err); ok && k.ctx.Err() == nil {
			k.abandon() // before anything was sent
			return newInterserverBody(k).refuse(exception)
		}
		return nil, k.reason(err)
	}
	if err := k.prepare(); err != nil {
		return nil, err
	}
	if err := k.send(data); err != nil {
		return nil, k.reason(err)
	}
	answer, err := newInterserverBody(k).open()
	k.told = true
	return answer, err
}

// connect takes a connection over which the person is known. One that was kept may be
// one that the server is just closing: then nothing has happened, and a fresh one will
// do.
func (k *interserverCall) connect() error {
	name := k.as.User.String()
	for {
		c, err := k.way.pool.take(k.ctx, k.Database)
		if err != nil {
			return err
		}
		k.conn, k.server = c, c.server
		if k.person, err = k.way.meet(k.ctx, c, name); err == nil {
			return nil
		}
		again := c.kept
		k.conn = nil
		k.way.pool.give(c)
		switch _, heard := errors.AsType[*nativeException](err); {
		case heard, !isHangUp(err):
			return err
		case !again:
			return notLetIn(k.way.refusedBy(k.ctx, name, err))
		}
	}
}

// prepare makes what reads and prints the answer.
func (k *interserverCall) prepare() (err error) {
	zone := k.person.zone
	for _, s := range printing(k.Query) {
		if s.Name == "session_timezone" && s.Value != "" {
			if zone, err = time.LoadLocation(s.Value); err != nil {
				return unknownZone(s.Value, err)
			}
		}
	}
	k.reader, err = blocks.NewReader(blocks.Config{Zone: zone, Settings: printing(k.Query), Room: k.way.room, Owner: personOf(k.as, k.Query)})
	if err == nil {
		k.printer, err = blocks.NewPrinter(k.format, k.reader)
	}
	if err != nil {
		return porterhouse.Errorf(porterhouse.Refused, "%v", err)
	}
	return nil
}

// personOf is whose part of the room an answer takes: the person's, as far as the gate has
// told, or else the account's.
func personOf(as porterhouse.Account, q porterhouse.Query) string {
	if q.Passage != nil && q.Passage.Person != "" {
		return q.Passage.Person
	}
	return as.User.String()
}

// send sends the statement. From here on it is stopped when nobody waits any more.
func (k *interserverCall) send(data *inlineData) error {
	c := k.conn
	q := &nativeQuery{
		id:       k.ID,
		sql:      k.SQL,
		data:     data.reader,
		size:     data.size,
		settings: nativeSettings(k.Query, k.held()),
		params:   k.Params,
		initial:  asksFrom(c.nativeConn, k.as.User.String()),
	}
	if q.data != nil {
		q.sql += "\n" // between the two, and no part of either
	}
	if err := c.secret.prove(q); err != nil {
		return err
	}
	c.quotaKey = ""
	if k.Passage != nil {
		c.quotaKey = k.Passage.QuotaKey
	}
	c.sound = false
	stop := c.begins()
	k.stop = func() {
		stop()
		c.cut() // the server may be waiting for somebody to read, and so not hear of it
	}
	k.unstop = context.AfterFunc(k.ctx, k.stop)
	err := q.send(c.nativeConn)
	k.written = q.sent
	if err == nil {
		c.enter(asked)
	}
	return err
}

// held reports whether ClickHouse is to hold the statement to reading.
func (k *interserverCall) held() bool {
	return k.Passage == nil || k.Passage.ReadOnly || k.Class.Read
}

// release gives everything back but the memory, which the answer's reader has until it is closed:
// a connection on which the statement has not ended is cut, and whatever runs on it ends
// with it.
func (k *interserverCall) release() {
	if k.unstop != nil {
		k.unstop()
	}
	k.cancel()
	k.unhook()
	if k.conn != nil {
		k.way.pool.give(k.conn)
	}
	k.way.client.underway.end(k.as.User, k.ID)
	k.way.running.Done()
}

// finish ends the call because the server is done with the statement. It reports whether
// it was so by itself: one that was stopped ends like any other.
func (k *interserverCall) finish() (whole bool) {
	k.ended.Do(func() {
		k.conn.enter(idle)
		whole = k.unstop()
		k.conn.sound = whole
		if !whole {
			k.way.client.count.kills.Add(1)
		}
		k.release()
	})
	return whole
}

// abandon ends the call before the statement has ended: the server is told to stop it,
// and sees the connection end besides.
func (k *interserverCall) abandon() {
	k.ended.Do(func() {
		if k.stop != nil {
			if sent, _ := k.conn.fate(); sent {
				k.way.client.count.kills.Add(1)
			}
			k.stop()
		}
		k.release()
	})
}

// explain makes the caller's error of an exception.
func (k *interserverCall) explain(e *nativeException) error {
	return k.way.client.explain(exceptionText(e.text(k.person.version)), &statement{Query: k.Query, account: k.as, as: k.as.User})
}

// reason makes the caller's error of one that ended the call. Whose time was up or who
// went away decides, for then a connection only says that it is closed.
func (k *interserverCall) reason(err error) error {
	if k.ctx.Err() != nil {
		return k.gone(err)
	}
	cause := err
	broken, noData := errors.AsType[*dataError](err)
	if noData {
		cause = broken.err
	}
	if exception, ok := errors.AsType[*nativeException](err); ok {
		return k.explain(exception)
	}
	if own, ok := errors.AsType[*porterhouse.Error](cause); ok {
		return own
	}
	e := &porterhouse.Error{Kind: porterhouse.Unavailable, Err: err}
	sent := k.sent()
	switch {
	case noData:
		e.Kind, e.Public = porterhouse.Canceled, brokenData
	case k.stop == nil:
		return unreached(err)
	case !sent:
		e.Public, e.Err = brokenEarly, unanswered{err}
	case k.reader.Columns() != nil:
		e.Public = brokenOff
	case isHangUp(err):
		return k.hungUp(err)
	default:
		e.Public = endUnknown
	}
	return e
}

// sent reports whether ClickHouse may have all of the statement.
func (k *interserverCall) sent() bool {
	if k.stop == nil {
		return false
	}
	sent, _ := k.conn.fate()
	return sent
}

// gone makes the caller's error when nobody waits any more, or the time is up.
func (k *interserverCall) gone(err error) error {
	e := &porterhouse.Error{Kind: porterhouse.Unavailable, Err: err}
	switch late := errors.Is(k.ctx.Err(), context.DeadlineExceeded); {
	case k.caller.Err() != nil:
		e.Kind, e.Public = porterhouse.Explain(k.caller.Err())
	case k.way.stopping.Err() != nil:
		e.Public = "Porterhouse is shutting down, and has stopped the statement"
	case late && k.sent():
		e.Kind, e.Public = porterhouse.Timeout, fmt.Sprintf(stoppedLate, k.Limits.Time)
	case late && k.stop != nil:
		e.Kind, e.Public = porterhouse.Timeout, fmt.Sprintf(neverWhole, k.Limits.Time)
	case late:
		e.Public = noPlace
	default:
		return errClosed
	}
	return e
}

// hungUp says what it means that the server closed the connection when it had the
// statement and before it said anything to it.
func (k *interserverCall) hungUp(err error) error {
	w, name := k.way, k.as.User.String()
	w.people.forget(name)
	ctx, cancel := context.WithTimeout(k.ctx, checkTime)
	defer cancel()
	if _, asked := w.ask(ctx, name, CheckSQL, ""); isHangUp(asked) {
		return w.refusedBy(ctx, name, err)
	}
	e := &porterhouse.Error{Kind: porterhouse.Unavailable, Public: endUnknown, Err: err}
	if k.Class.Read || k.Passage == nil {
		e.Public, e.Err = lost, unanswered{err}
	}
	return e
}

// note counts what was done, and tells the client now and then.
func (k *interserverCall) note(more progress) {
	k.amount.add(more)
	if k.told || k.Passage == nil || k.Passage.Progress == nil || time.Since(k.noted) < progressEvery {
		return
	}
	k.noted = time.Now()
	k.Passage.Progress(k.amount.line(time.Since(k.begun)))
}

// head is what ClickHouse's HTTP interface would say before the answer.
func (k *interserverCall) head(status int, contentType, format string) *porterhouse.Head {
	head := &porterhouse.Head{Status: status}
	add := func(name, value string) {
		if value != "" && !strings.ContainsFunc(value, notOfValues) { // a client chooses the id
			head.Fields = append(head.Fields, porterhouse.Setting{Name: name, Value: value})
		}
	}
	add(headerSummary, k.amount.summary(time.Since(k.begun)))
	add("Content-Type", contentType)
	add("X-ClickHouse-Server-Display-Name", k.server.display)
	add(headerQueryID, k.ID)
	if status == http.StatusOK {
		add(headerFormat, format)
	}
	add("X-ClickHouse-Timezone", k.server.timezone)
	return head
}
