package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"porterhouse"
)

// Question is what the opening line of a record says.
type Question struct {
	ID       string // of the record: 1 to 64 letters, digits, hyphens, underscores, dots and colons
	QueryID  string // ClickHouse's query_id, where the client chose one; "": it is ID
	Who      porterhouse.Principal
	Via      porterhouse.Via
	SQL      string                // recorded up to 64 KiB, else both its ends; its secrets masked. The data of an INSERT is not part of it
	Database string                // where unqualified tables are looked up; "": the account's default
	Params   map[string]string     // values of {name:Type} in SQL, by name
	Account  string                // the ClickHouse account; "" when none was found
	Roles    []string              // that the client chose of those that the account has
	Settings []porterhouse.Setting // of ClickHouse that came beside SQL, in the order given
	Session  string                // the client's name of its session; "": none
	Format   string                // of the answer, unless SQL names another; "": nobody chose
}

// maxParams is how many parameters, and how many settings, a line holds; of more, only
// the number is kept.
const maxParams = 50

// write adds the question to a line.
func (q *Question) write(body *fields) {
	body.text("id", q.ID)
	body.text("query_id", q.QueryID)
	body.text("call", q.Via.Call)
	body.text("request", q.Via.Request)
	writePerson(body, q.Who)
	body.text("client", q.Who.Client)
	body.text("door", q.Via.Door)
	body.text("cluster", q.Via.Cluster)
	body.text("tool", q.Via.Tool)
	body.text("account", q.Account)
	body.list("roles", q.Roles)
	body.text("session", q.Session)
	body.text("database", q.Database)
	body.text("format", q.Format)
	body.sql(q.SQL)
	if len(q.Params) > 0 {
		q.writeParams(body)
	}
	if len(q.Settings) > 0 {
		q.writeSettings(body)
	}
}

func writePerson(body *fields, who porterhouse.Principal) {
	body.text("issuer", who.Issuer)
	body.text("subject", who.Subject)
	body.text("user", who.User)
	body.text("token", who.TokenID)
}

func (q *Question) writeParams(body *fields) {
	names := slices.Sorted(maps.Keys(q.Params))
	body.name("params")
	*body = append(*body, '{')
	for i, name := range names[:min(len(names), maxParams)] {
		if i > 0 {
			*body = append(*body, ',')
		}
		*body = appendQuoted(*body, shortened(name, maxParam))
		*body = append(*body, ':')
		*body = appendQuoted(*body, shortened(maskParam(name, q.Params[name]), maxParam))
	}
	*body = append(*body, '}')
	if len(names) > maxParams {
		body.count("params_count", int64(len(names)))
	}
}

// writeSettings adds the settings as pairs, because a client may give one twice.
func (q *Question) writeSettings(body *fields) {
	body.name("settings")
	*body = append(*body, '[')
	for i, s := range q.Settings[:min(len(q.Settings), maxParams)] {
		if i > 0 {
			*body = append(*body, ',')
		}
		*body = append(*body, '[')
		*body = appendQuoted(*body, shortened(s.Name, maxParam))
		*body = append(*body, ',')
		*body = appendQuoted(*body, shortened(maskParam(s.Name, s.Value), maxParam))
		*body = append(*body, ']')
	}
	*body = append(*body, ']')
	if len(q.Settings) > maxParams {
		body.count("settings_count", int64(len(q.Settings)))
	}
}

// checkID refuses ids that could not be carried from file to file as they are.
func checkID(id string) error {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:", r))
	}
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, odd) {
		return fmt.Errorf("audit: the id %q of a question is not 1 to 64 letters, digits, hyphens, underscores, dots and colons", id)
	}
	return nil
}

// Entry is an open record.
type Entry struct {
	log   *Log
	id    string
	ended atomic.Bool
}

// Begin writes the opening line. After it returns, the line is with the operating
// system, and with Config.SyncEach on the disk. The error is a *porterhouse.Error
// of kind Unavailable: nothing may be asked then; the next Begin tries again.
func (l *Log) Begin(q Question) (*Entry, error) {
	if err := checkID(q.ID); err != nil {
		return nil, unavailable(err)
	}
	if l.durable.failed.Load() {
		if err := l.syncTo(everything); err != nil {
			return nil, unavailable(err)
		}
	}
	body := l.bodies.Get().(*fields)
	defer l.bodies.Put(body)
	*body = (*body)[:0]
	q.write(body)

	seq, err := q.open(l, *body)
	if err != nil {
		return nil, unavailable(err)
	}
	e := &Entry{log: l, id: q.ID}
	if l.syncEach {
		if err := l.syncTo(seq); err != nil {
			e.unasked()
			return nil, unavailable(err)
		}
	}
	return e, nil
}

func unavailable(err error) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "the audit record cannot be written, so nothing was asked; tell the operator, and try again later",
		Err:    err,
	}
}

// open writes an opening line and returns its number.
func (q *Question) open(l *Log, body fields) (seq uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, twice := l.w.open[q.ID]; twice {
		return 0, fmt.Errorf("audit: a question with the id %s is open already", q.ID)
	}
	if err := l.put(line{kindOpen, q.ID, body}); err != nil {
		return 0, err
	}
	l.stats.Questions++
	return l.w.chain.seq, nil
}

// Outcome is what the closing line of a record says.
type Outcome struct {
	Rows     int64           // of the answer; -1: nobody counted them, and the line says nothing of them
	Bytes    int64           // of the answer
	Sent     int64           // bytes that were sent beside the statement: the data of an INSERT, external tables
	Written  int64           // rows that ClickHouse wrote, as far as it told
	Cut      porterhouse.Cut // why the answer is not all there is; "" when it is
	Duration time.Duration
	Err      error // nil: answered. ClickHouse's code and its name come from a *porterhouse.Exception in it
}

// How a question ended, as its closing line says.
const (
	outcomeAnswered = "answered" // to its end, or to where it was cut
	outcomeError    = "error"    // error and code say which
	outcomeUnasked  = "unasked"  // its opening line could not be made durable, so it was not sent
	outcomeUnknown  = "unknown"  // the writer ended before it did
)

// End writes the closing line; only the first call counts. When the line cannot be
// written it is kept, and written before any other as soon as that is possible:
// the error is for the log, nothing is lost while the process lives.
func (e *Entry) End(o Outcome) error {
	body := e.log.bodies.Get().(*fields)
	defer e.log.bodies.Put(body)
	*body = (*body)[:0]
	body.text("id", e.id)
	if o.Err == nil {
		body.text("outcome", outcomeAnswered)
	} else {
		body.text("outcome", outcomeError)
		writeError(body, o.Err)
	}
	if o.Rows >= 0 {
		body.count("rows", o.Rows)
	}
	body.count("bytes", o.Bytes)
	body.some("sent", o.Sent)
	body.some("written", o.Written)
	body.text("cut", string(o.Cut))
	body.count("duration_us", o.Duration.Microseconds())
	return e.close(*body)
}

// writeError adds what may be told of an error: never its private text.
func writeError(body *fields, err error) {
	kind, _ := porterhouse.Explain(err)
	body.text("error", string(kind))
	if exception, ok := errors.AsType[*porterhouse.Exception](err); ok {
		body.count("code", int64(exception.Code))
		body.text("code_name", exception.Name)
	}
}

// unasked closes a question that must not be asked after all.
func (e *Entry) unasked() {
	var body fields
	body.text("id", e.id)
	body.text("outcome", outcomeUnasked)
	_ = e.close(body) // logged and counted there; the line is kept
}

func (e *Entry) close(body fields) error {
	if e.ended.Swap(true) {
		return nil
	}
	l := e.log
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.put(line{kindClose, e.id, body})
	if err == nil || l.closed {
		return err
	}
	kept := slices.Clone(body)
	kept.moment("ended", l.now())
	l.w.waiting = append(l.w.waiting, line{kindClose, e.id, kept})
	return err
}
