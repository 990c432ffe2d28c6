package clickhouse

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
)

// takes reports whether a statement is one of the share that is compared.
func (s *shadow) takes() bool { return s != nil && rand.Float64() < s.share }

// follow has a statement compared, when its own answer has ended: with rows, or with
// an exception of ClickHouse's. What its client gave up, or we refused, is not, and neither
// is what found ClickHouse or a quota at its end.
func (s *shadow) follow(as porterhouse.Account, q porterhouse.Query, answer *porterhouse.Answer, err error) (*porterhouse.Answer, error) {
	job, ok := newComparison(as, q)
	switch exception, said := errors.AsType[*porterhouse.Exception](err); {
	case !ok:
		s.report.count(ShadowSkipped)
	case said:
		s.offer(job, exception.Code)
	case err == nil:
		answer.Body = &followed{ReadCloser: answer.Body, ended: func(code int) {
			switch summary := answer.Summary(); {
			case summary.Cut == porterhouse.CutCaller:
			case summary.Exception != nil:
				s.offer(job, summary.Exception.Code)
			default:
				s.offer(job, code)
			}
		}}
	}
	return answer, err
}

// followed is a Body that tells of its end.
type followed struct {
	io.ReadCloser
	code  atomic.Int64 // of an exception that Read has told; 0: none
	once  sync.Once
	ended func(code int)
}

// Read implements io.Reader.
func (f *followed) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if exception, said := errors.AsType[*porterhouse.Exception](err); said {
		f.code.Store(int64(exception.Code))
	}
	return n, err
}

// Close implements io.Closer.
func (f *followed) Close() error {
	err := f.ReadCloser.Close()
	f.once.Do(func() { f.ended(int(f.code.Load())) })
	return err
}

// offer puts a statement into the queue that has ended with an exception, or 0 for none; if
// there is a place, and asking it again makes nothing worse.
func (s *shadow) offer(job comparison, code int) {
	if isAtEnd(code) {
		s.report.count(ShadowDropped)
		return
	}
	job.asked = time.Now()
	select {
	case s.queue <- job:
	default:
		s.report.count(ShadowDropped)
	}
}

// usedUp are the codes of what a person or the server has no more of just now: of memory,
// of a quota, of statements at once.
var usedUp = map[int]bool{173: true, 201: true, 202: true, 241: true, 776: true, 777: true, 778: true}

// isAtEnd reports whether a code says that ClickHouse, or what a person may have of it, was
// at its end, or that the statement was stopped. What has just failed for that is not asked
// four times more.
func isAtEnd(code int) bool {
	switch rules[code].kind {
	case porterhouse.Timeout, porterhouse.Canceled, porterhouse.Unavailable:
		return true
	}
	return usedUp[code]
}
