package audit

import (
	"porterhouse"
)

// AccountEvent is something that is done to a ClickHouse account, or was not.
type AccountEvent struct {
	ID      string                // joins the lines of one occasion, and ClickHouse's log_comment, where it is rid
	Action  string                // create, grant, revoke, alter, impersonate, drop; bind, release; admit, warning, refuse
	Who     porterhouse.Principal // for whom; zero: for nobody in particular
	At      porterhouse.Entry     // where the person came in; of an operator's work only the cluster
	Account string                // the ClickHouse account
	Roles   []string              // that the event is about
	Reason  string                // why, for a reader of the record
	SQL     string                // the statement that does it; recorded as a Question's is
	Err     error                 // nil: it is about to be done; else why it failed
}

// Account writes what is about to be done to an account, before it is done: when
// the error, a *porterhouse.Error of kind Unavailable, is not nil, nothing may be
// changed. With Err set it writes, afterwards, that it failed.
func (l *Log) Account(e AccountEvent) error {
	if err := (event{kindAccount, e.write}).record(l); err != nil {
		return unchanged(err)
	}
	return nil
}

// event is a line about something that is done only when it is written.
type event struct {
	kind  string
	write func(*fields)
}

// record writes the line, to the disk where the operator wants that.
func (e event) record(l *Log) error {
	if l.durable.failed.Load() {
		if err := l.syncTo(everything); err != nil {
			return err
		}
	}
	seq, err := e.put(l)
	if err == nil && l.syncEach {
		err = l.syncTo(seq)
	}
	return err
}

// put writes the line and returns its number.
func (e event) put(l *Log) (seq uint64, err error) {
	body := l.bodies.Get().(*fields)
	defer l.bodies.Put(body)
	*body = (*body)[:0]
	e.write(body)

	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.put(line{kind: e.kind, body: *body}); err != nil {
		return 0, err
	}
	return l.w.chain.seq, nil
}

func unchanged(err error) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "the audit record cannot be written, so no account was changed; tell the operator, and try again later",
		Err:    err,
	}
}

// write adds the event to a line.
func (e *AccountEvent) write(body *fields) {
	body.text("id", e.ID)
	body.text("action", e.Action)
	writePerson(body, e.Who)
	body.text("client", e.Who.Client)
	body.text("door", e.At.Door)
	body.text("cluster", e.At.Cluster)
	body.text("account", e.Account)
	body.list("roles", e.Roles)
	reason, _ := mask(e.Reason)
	body.text("reason", reason)
	if e.SQL != "" {
		body.sql(e.SQL)
	}
	if e.Err != nil {
		writeError(body, e.Err)
		body.text("failure", reasonOf(e.Err))
	}
}
