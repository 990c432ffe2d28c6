package audit

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// lines reads a file piece by piece: a piece is a line, or a part of one that is
// longer than any of ours.
type lines struct{ r *bufio.Reader }

func newLines(r io.Reader) *lines { return &lines{bufio.NewReaderSize(r, maxLine)} }

// next returns the next piece without its newline, and whether there was one. The
// piece is valid until the next call. io.EOF comes after the last piece.
func (l *lines) next() (piece []byte, whole bool, err error) {
	piece, err = l.r.ReadSlice('\n')
	switch {
	case err == nil:
		return piece[:len(piece)-1], true, nil
	case len(piece) > 0 && (errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull)):
		return piece, false, nil
	}
	return nil, false, err
}

// debris is what stands between two lines and is none: its bytes without the
// last newline, counted and hashed.
type debris struct {
	bytes    int64
	newlines int  // inside
	owed     bool // a newline, before the next piece
	hash     hash.Hash
}

// add takes the next piece, and whether a newline followed it.
func (d *debris) add(piece []byte, whole bool) {
	if d.hash == nil {
		d.hash = sha256.New()
	}
	if d.owed {
		d.hash.Write([]byte{'\n'})
		d.bytes++
		d.newlines++
	}
	d.hash.Write(piece)
	d.bytes += int64(len(piece))
	d.owed = whole
}

// any reports whether there is something.
func (d *debris) any() bool { return d.hash != nil }

// sum is the SHA-256, in hex.
func (d *debris) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }
