package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"porterhouse"
	"porterhouse/blocks"
)

// interserverPieces reads the packets of an answer and prints them, a piece at a time,
// within the limits.
type interserverPieces struct {
	call  *interserverCall
	lines bool // of a row format: names and types are in Answer.Columns, and rows are counted

	piece   []byte // printed
	rowsEnd int    // bytes of piece that are rows
	printed int64  // rows
	left    int64  // bytes that may still be printed

	block *blocks.Block // nil: the next one is to be read
	row   int           // the next of block
	begun bool          // something was printed
}

// pieceSize is about how much is printed at once, in bytes.
const pieceSize = 64 << 10

// contain makes an error of a panic while an answer is read or printed: one value that
// nobody here thought of ends one answer. What was printed beside it is not to be trusted
// either, so it is not told.
func (p *interserverPieces) contain(err *error) {
	if what := recover(); what != nil {
		p.piece, p.rowsEnd = p.piece[:0], 0
		*err = &porterhouse.Error{
			Kind:   porterhouse.Internal,
			Public: "Porterhouse failed to read or to print the answer, so it ends here; please report this, with the statement, and tell the operator",
			Err:    fmt.Errorf("panic: %v\n%s", what, debug.Stack()),
		}
	}
}

// next reads packets until there are rows to be printed, or totals have been. At the
// end, which is io.EOF, the rest has been printed.
func (p *interserverPieces) next() (err error) {
	defer p.contain(&err)
	k := p.call
	in := &k.conn.in
	for {
		kind := in.number("the kind of a packet", maxNumber)
		switch kind {
		case serverData, serverTotals, serverExtremes:
			more, err := p.data(in, kind)
			if more || err != nil {
				return err
			}
			continue
		}
		packet := in.rest(kind, nil)
		switch {
		case in.err != nil:
			return in.err
		case packet.kind == serverException:
			return packet.exception
		case packet.kind == serverProgress:
			k.note(packet.progress)
		case packet.kind == serverProfileInfo:
			k.limit = packet.limit
		case packet.kind == serverEndOfStream:
			return p.last()
		}
	}
}

// data reads a block, and reports whether it has anything to be printed.
func (p *interserverPieces) data(in *wireReader, kind uint64) (more bool, err error) {
	in.text("the name of a table", maxNativeText)
	if in.err != nil {
		return false, in.err
	}
	block, err := p.call.reader.Read(in.in)
	large, tooLarge := errors.AsType[*blocks.TooLarge](err)
	unprintable, is := errors.AsType[*blocks.Unprintable](err)
	switch {
	case tooLarge:
		return false, tooLong(large)
	case p.call.Class.Verb == "INSERT" && (is || err == nil && block.Rows == 0 && block.Width > 0):
		// What columns the server waits for, where nothing followed the statement.
		_, err := p.call.conn.Write(appendNoRows(nil))
		return false, err
	case is:
		return false, &porterhouse.Error{Kind: porterhouse.Refused, Public: unprintable.Error(), Err: err}
	case err != nil:
		return false, err
	case block.Rows == 0:
		return false, nil
	case kind == serverData:
		p.block, p.row = block, 0
		return true, nil
	}
	return true, p.behind(block, kind)
}

// start prints what stands before the rows, once.
func (p *interserverPieces) start() {
	if !p.begun && !p.lines && p.call.reader.Columns() != nil {
		p.piece = p.call.printer.Head(p.piece)
	}
	p.begun = true
}

// behind prints totals or extremes, which are no rows of the answer.
func (p *interserverPieces) behind(block *blocks.Block, kind uint64) (err error) {
	p.start()
	if kind == serverTotals {
		p.piece, err = p.call.printer.Totals(p.piece, block)
	} else {
		p.piece, err = p.call.printer.Extremes(p.piece, block)
	}
	return tooLong(err)
}

// tooLong makes the caller's error of a block or a row that is too large to be printed.
func tooLong(err error) error {
	if err == nil {
		return nil
	}
	e := &porterhouse.Error{Kind: porterhouse.Limited, Public: err.Error() + "; ask for less at once", Err: err}
	if large, ok := errors.AsType[*blocks.TooLarge](err); ok && large.Busy {
		e.Public, e.RetryAfter = large.Error(), time.Second
	}
	return e
}

// last prints what stands behind everything, when the server has said that it is done.
func (p *interserverPieces) last() error {
	k := p.call
	if !k.finish() {
		return errStopped
	}
	p.start()
	if k.reader.Columns() != nil {
		p.piece = k.printer.Tail(p.piece, blocks.Statistics{
			BeforeLimit: k.limit.before, Limited: k.limit.applied,
			Elapsed: time.Since(k.begun), ReadRows: k.amount.readRows, ReadBytes: k.amount.readBytes,
		})
	}
	return io.EOF
}

// errStopped says that a statement ended because it was stopped.
var errStopped = errors.New("the statement was stopped before its end")

// rows prints rows of the block, up to a piece, and as many as may be.
func (p *interserverPieces) rows() (err error) {
	defer p.contain(&err)
	if p.block == nil {
		return nil
	}
	p.start()
	for ; p.row < p.block.Rows && len(p.piece) < pieceSize; p.row++ {
		if p.lines && p.printed == limit(p.call.Limits.Rows) {
			return errCutRows
		}
		before := len(p.piece)
		if p.piece, err = p.call.printer.Row(p.piece, p.block, p.row); err != nil {
			return tooLong(err)
		}
		if p.lines && int64(len(p.piece)) > p.left {
			p.piece = p.piece[:before]
			return errTooLong
		}
		p.printed++
		p.rowsEnd = len(p.piece)
	}
	if p.row == p.block.Rows {
		p.block = nil
	}
	return nil
}

// errCutRows says that an answer has more rows than may pass.
var errCutRows = errors.New("the answer has too many rows")

// bound counts what was printed. An answer of just as many bytes as may pass is whole.
func (p *interserverPieces) bound(err error) error {
	switch size := int64(len(p.piece)); {
	case size <= p.left:
		p.left -= size
		return err
	case p.lines: // of which the rows fit
		p.piece = p.piece[:p.rowsEnd]
	default:
		p.piece = p.piece[:p.left]
	}
	return errTooLong
}
