package gate

import (
	"io"
	"iter"
	"sync/atomic"

	"porterhouse"
)

// remainder is what follows a statement: first what was read with it, then what was not.
type remainder struct {
	read   string
	source io.Reader // nil: nothing more
	left   int64     // bytes of source; -1: nobody knows
}

// rest is the Data that a text and what follows it make, and its size; left is that of
// source.
func rest(read string, source io.Reader, left int64) (io.Reader, int64) {
	if source == nil {
		if left = 0; read == "" {
			return nil, 0
		}
	}
	size := int64(-1)
	if left >= 0 {
		size = int64(len(read)) + left
	}
	return &remainder{read, source, left}, size
}

// Read implements io.Reader.
func (r *remainder) Read(p []byte) (int, error) {
	switch {
	case r.read != "":
		n := copy(p, r.read)
		r.read = r.read[n:]
		return n, nil
	case r.source == nil:
		return 0, io.EOF
	}
	n, err := r.source.Read(p)
	if r.left >= 0 {
		r.left = max(0, r.left-int64(n))
	}
	if err == io.EOF && r.left > 0 {
		err = io.ErrUnexpectedEOF // else what broke off would be taken for all that there is
	}
	return n, err
}

// uploads meter all that one question brings beside its statement.
type uploads struct {
	tab    tab
	sent   atomic.Int64
	failed atomic.Pointer[error] // why it may not go on, once it may not
}

// meter puts the meter in front of everything that p brings.
func (u *uploads) meter(p *porterhouse.Passage) {
	if p.Data != nil {
		p.Data = &upload{p.Data, u}
	}
	if p.Tables != nil {
		p.Tables = u.tables(p.Tables)
	}
}

func (u *uploads) tables(all iter.Seq2[porterhouse.Table, error]) iter.Seq2[porterhouse.Table, error] {
	return func(yield func(porterhouse.Table, error) bool) {
		for t, err := range all {
			if err != nil {
				u.fail(unreadable(err))
			} else {
				t.Data = &upload{t.Data, u}
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// fail keeps the first reason why an upload ended early.
func (u *uploads) fail(err error) error {
	u.failed.CompareAndSwap(nil, &err)
	return err
}

// reason is err, or why the upload that it is about ended early: whoever sends it can
// only tell that it did.
func (u *uploads) reason(err error) error {
	if failed := u.failed.Load(); failed != nil {
		return *failed
	}
	return err
}

// upload is one stream of them.
type upload struct {
	io.Reader
	all *uploads
}

// Read charges what passes.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if limit := u.all.tab.charge(n); limit != nil {
		return 0, u.all.fail(limit)
	}
	u.all.sent.Add(int64(n))
	if err != nil && err != io.EOF {
		return n, u.all.fail(unreadable(err))
	}
	return n, err
}
