package gate

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
)

// record is the open record of one question and the person's place in the
// queue: both end together, once.
type record struct {
	entry *audit.Entry
	leave func()
	gone  func() <-chan struct{} // closed when ClickHouse is done with the statement
	since time.Time
	once  sync.Once
}

// open writes the opening line. Without it nothing is asked.
func (g *Gate) open(q audit.Question, leave func(), client *clickhouse.Client) (*record, error) {
	entry, err := g.audit.Begin(q)
	if err != nil {
		return nil, err
	}
	gone := func() <-chan struct{} { return client.Gone(q.ID) }
	return &record{entry: entry, leave: leave, gone: gone, since: time.Now()}, nil
}

// close writes the closing line. The audit log itself keeps and reports what it
// cannot write now; the answer has gone out already.
func (r *record) close(o audit.Outcome) {
	r.once.Do(func() {
		_ = r.entry.End(o)
		gone := r.gone()
		select {
		case <-gone:
			r.leave()
		default: // stopped, and not dead yet: whoever abandons statements may not pile them up
			go func() { <-gone; r.leave() }()
		}
	})
}

// refuse records a question that was not asked, and returns why. The refusal
// stands whether or not it could be recorded: the audit log counts and logs its
// own failures.
func (g *Gate) refuse(q audit.Question, why error) error {
	_ = g.audit.Refuse(q, why)
	return why
}

// Unauthenticated records somebody whom no token proved.
func (g *Gate) Unauthenticated(door, remote string, err error) {
	g.audit.Unauthenticated(audit.Attempt{Door: door, Remote: remote, Err: err})
}

// recordedBody closes the record with the answer.
type recordedBody struct {
	io.ReadCloser
	record  *record
	summary func() porterhouse.Summary
	failed  error
}

// Read remembers an error of ClickHouse in the middle of the answer.
func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.failed = err
	}
	return n, err
}

// Close implements io.Closer.
func (b *recordedBody) Close() error {
	err := b.ReadCloser.Close()
	s := b.summary()
	b.record.close(audit.Outcome{Rows: s.Rows, Bytes: s.Bytes, Cut: s.Cut, Duration: s.Duration, Err: b.failed})
	return err
}

// maxComment is the longest log_comment we send, in bytes; ClickHouse keeps it
// with every line of its query log.
const maxComment = 1 << 10

// comment is the log_comment that joins ClickHouse's query log to the audit
// record: JSON with the record's id and who asked, through what.
func comment(who porterhouse.Principal, q porterhouse.Query) string {
	c := struct {
		Record  string `json:"rid"`
		Subject string `json:"sub,omitempty"`
		User    string `json:"user,omitempty"`
		Client  string `json:"client,omitempty"`
		Door    string `json:"door,omitempty"`
		Tool    string `json:"tool,omitempty"`
		Call    string `json:"call,omitempty"`
	}{q.ID, who.Subject, who.User, who.Client, q.Via.Door, q.Via.Tool, q.Via.Call}
	// Long names give way, the record's id never does.
	for _, give := range []*string{nil, &c.Client, &c.Subject, &c.User, &c.Tool, &c.Call} {
		if give != nil {
			*give = ""
		}
		if text, err := json.Marshal(c); err == nil && len(text) <= maxComment {
			return string(text)
		}
	}
	return `{"rid":"` + q.ID + `"}`
}
