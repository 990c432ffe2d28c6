package gate

import (
	"errors"
	"io"
	"strconv"
	"sync"

	"porterhouse"
	"porterhouse/statement"
)

// heads finds where statements end whose text is not all here yet.
type heads struct{ buffers sync.Pool } // of *[]byte

// What a buffer has to begin with, and what is kept of it for the next question, in bytes.
const (
	headSize = 4 << 10
	headKept = 64 << 10
)

// settle moves the border between q.SQL and the Passage's Data, until q.SQL is the
// whole statement and Data is the data of an INSERT, or nil. As ClickHouse does, it
// puts a line break between what came as SQL and what came as Data. What was read and
// is data comes out of Data again: SQL, the white space that statement.Head speaks of,
// and Data are together the text that came in, byte for byte.
//
// Of Data it reads what the statement needs, hardly more than maxSQL bytes. After an
// error q.SQL is what was read, for the record.
func (h *heads) settle(q *porterhouse.Query) (data bool, err error) {
	p := q.Passage
	if p.Data == nil || p.Size == 0 {
		head, err := border(q.SQL, true)
		if err != nil {
			return false, err
		}
		p.Data, p.Size = rest(q.SQL[head.From:], nil, 0)
		q.SQL = q.SQL[:head.End]
		return head.Data, nil
	}
	buffer, ok := h.buffers.Get().(*[]byte)
	if !ok {
		empty := make([]byte, 0, headSize)
		buffer = &empty
	}
	r := headReader{source: p.Data, left: p.Size, buffer: (*buffer)[:0]}
	text, head, err := r.read(q.SQL)
	if cap(r.buffer) <= headKept {
		*buffer = r.buffer
		h.buffers.Put(buffer)
	}
	if q.SQL = text; err != nil {
		return false, err
	}
	q.SQL = text[:head.End]
	if r.ended {
		r.source = nil
	}
	p.Data, p.Size = rest(text[head.From:], r.source, r.left)
	return head.Data, nil
}

// border asks where the statement ends. End is negative when more of the text is needed.
func border(text string, whole bool) (statement.Head, error) {
	head := statement.ReadHead(text, whole)
	if !whole && !head.Data {
		head.End = -1 // all of it belongs to the statement, and more is to come
	}
	switch {
	case head.End > maxSQL || head.End < 0 && len(text) > maxSQL:
		return head, errTooLong
	case whole && (head.End < 0 || !head.Data && head.End < len(text)):
		return head, &porterhouse.Error{Kind: porterhouse.Invalid, Code: codeSyntax, Public: "nobody can tell where this statement ends: write it more plainly"}
	}
	return head, nil
}

// errTooLong says that a statement is longer than maxSQL.
var errTooLong = &porterhouse.Error{Kind: porterhouse.Invalid, Code: codeSyntax,
	Public: "the statement has more than the " + strconv.Itoa(maxSQL) + " bytes that ClickHouse reads of one (max_query_size)"}

// headReader reads the beginning of a text, until it is known where its statement ends.
type headReader struct {
	source io.Reader
	left   int64 // bytes of source that were not read; -1: nobody knows
	ended  bool
	buffer []byte
	idle   int // reads in a row that gave nothing
}

// read returns what it read, and where the statement ends in it. The border is asked
// for whenever the text has doubled, so that nobody can make it dear by sending single
// bytes.
func (r *headReader) read(sql string) (text string, head statement.Head, err error) {
	if r.buffer = append(r.buffer, sql...); sql != "" {
		r.buffer = append(r.buffer, '\n')
	}
	for ask := 1; ; {
		if r.ended || len(r.buffer) >= ask {
			text = string(r.buffer)
			if head, err = border(text, r.ended); err != nil || head.End >= 0 {
				return text, head, err
			}
			ask = min(2*len(text), max(maxSQL, len(text))+1)
		}
		if err := r.more(); err != nil {
			return string(r.buffer), head, err
		}
	}
}

// more reads once.
func (r *headReader) more() error {
	if len(r.buffer) == cap(r.buffer) {
		r.buffer = append(r.buffer, make([]byte, cap(r.buffer))...)[:len(r.buffer)]
	}
	n, err := r.source.Read(r.buffer[len(r.buffer):cap(r.buffer)])
	r.buffer = r.buffer[:len(r.buffer)+n]
	if r.left > 0 {
		r.left = max(0, r.left-int64(n))
	}
	if r.idle++; n > 0 {
		r.idle = 0
	}
	switch {
	case errors.Is(err, io.EOF) && r.left > 0:
		return unreadable(io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF) || r.left == 0:
		r.ended = true
	case err != nil:
		return unreadable(err)
	case r.idle == maxIdleReads:
		return unreadable(io.ErrNoProgress)
	}
	return nil
}

// maxIdleReads is how often a source may give nothing before it is given up.
const maxIdleReads = 100

// unreadable is the error of a request that could not be read to its end. A door that
// knows more, for example that a coding is wrong, says so itself.
func unreadable(err error) error {
	if _, ok := errors.AsType[*porterhouse.Error](err); ok {
		return err
	}
	return &porterhouse.Error{Kind: porterhouse.Canceled, Public: "the request broke off before all of it had come", Err: err}
}
