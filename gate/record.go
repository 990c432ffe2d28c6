package gate

import (
	"io"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
)

// record is the open record of one question and its places in the queues: both end
// together, once.
type record struct {
	entry *audit.Entry
	leave func()
	gone  func() <-chan struct{} // closed when ClickHouse is done with the statement
	since time.Time
	once  sync.Once
}

// open writes the opening line. Without it nothing is asked. queryID is what ClickHouse
// knows the statement by.
func (g *Gate) open(q audit.Question, leave func(), client *clickhouse.Cluster, queryID string) (*record, error) {
	entry, err := g.audit.Begin(q)
	if err != nil {
		return nil, err
	}
	gone := func() <-chan struct{} { return client.Gone(queryID) }
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

// recordedBody charges what passes, and closes the record with the answer.
type recordedBody struct {
	io.ReadCloser
	record  *record
	asking  *asking
	summary func() porterhouse.Summary

	mu     sync.Mutex // Close may come while somebody reads
	failed error      // what ended the answer early, as Read told it
	cut    bool       // by a window that is used up
}

// Read implements io.Reader. It remembers an error in the middle of the answer.
func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if used := b.asking.bounds.tab.charge(n); used != nil {
		return 0, b.fail(used, true)
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, b.fail(b.reason(err), false)
}

// reason says whose limit ended the answer, if one did.
func (b *recordedBody) reason(err error) error {
	if b.summary().Cut == porterhouse.CutBytes {
		return b.asking.bounds.explainCut(err)
	}
	return b.asking.reason(err, time.Since(b.record.since))
}

// fail keeps the first reason, and returns it.
func (b *recordedBody) fail(err error, cut bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		b.failed, b.cut = err, cut
	}
	return b.failed
}

// Close implements io.Closer.
func (b *recordedBody) Close() error {
	err := b.ReadCloser.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.summary()
	o := audit.Outcome{
		Rows: s.Rows, Bytes: s.Bytes, Written: s.Written, Sent: b.asking.uploads.sent.Load(),
		Cut: s.Cut, Duration: s.Duration, Err: b.failed,
	}
	if b.asking.q.Passage != nil {
		o.Rows = -1 // its format is the client's
	}
	switch {
	case b.cut:
		o.Cut = porterhouse.CutBytes
	case s.Exception != nil:
		o.Err = reported(s.Exception)
	}
	b.record.close(o)
	return err
}

// reported is what ClickHouse itself reported in an answer that passes as it is.
func reported(e *porterhouse.Exception) error {
	kind := porterhouse.Failed
	switch e.Code {
	case codeAccessDenied, codeReadOnly, codeUnknownUser, codeAuthentication:
		kind = porterhouse.Denied
	case codeTimeout:
		kind = porterhouse.Timeout
	case codeQuotaExceeded, codeTooManyQueries, codeTooManyBytes:
		kind = porterhouse.Limited
	case codeCanceled:
		kind = porterhouse.Canceled
	}
	return &porterhouse.Error{Kind: kind, Public: e.Error(), Err: e}
}
