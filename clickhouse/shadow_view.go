package clickhouse

import (
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"time"

	"porterhouse"
	"porterhouse/blocks"
)

// view is what one mode shows of a question: enough to compare it with another, and of
// the rows nothing but their number and a sum of hashes. Two that are equal are ==.
type view struct {
	who, roles string // of the question who asks
	takes      bool   // so it is told there: reads may take something away

	refused bool // by ClickHouse, or by us because ClickHouse does not let the account in
	code    int  // of the exception; 0: there was none

	width        int    // columns; 0: nobody told of them, as HTTP does when there are no rows
	names, types uint64 // hashes
	rows         int64
	values       uint64 // the sum of the rows' hashes, in whatever order they came
}

// Bounds of an answer that is compared.
const (
	shadowRows  = 100_000
	shadowBytes = 64 << 20
)

// significant is how many digits of a Float64 are compared. A sum depends on the order
// in which it is added up, which is another one each time: by about 1e-16 of its value
// for each addition, and here is room for millions.
const significant = 9

// errTooMuch says that an answer is too large, or too slow, to be compared.
var errTooMuch = errors.New("the answer is too large to be compared, or takes too long")

// viewer makes a view of the blocks of an answer. It is for one answer.
type viewer struct {
	view
	seed    maphash.Seed
	reader  *blocks.Reader
	printer *blocks.Printer
	row     []byte
	left    int64 // bytes that may still come
}

// newViewer returns a viewer. Two views are comparable when their seed is the same.
func newViewer(seed maphash.Seed, room *blocks.Room) (*viewer, error) {
	reader, err := blocks.NewReader(blocks.Config{Zone: time.UTC, Digits: significant, Room: room})
	if err != nil {
		return nil, err
	}
	printer, err := blocks.NewPrinter("TabSeparated", reader)
	return &viewer{seed: seed, reader: reader, printer: printer, left: shadowBytes}, err
}

// read reads the next block from in, and takes its rows into account, if they count.
func (v *viewer) read(in *bufio.Reader, counts bool) error {
	block, err := v.reader.Read(in)
	if err != nil {
		return err
	}
	v.head()
	if !counts {
		return nil
	}
	if v.rows += int64(block.Rows); v.rows > shadowRows {
		return errTooMuch
	}
	for row := range block.Rows {
		if v.row, err = v.printer.Row(v.row[:0], block, row); err != nil {
			return errTooMuch // to be printed
		}
		if v.left -= int64(len(v.row)); v.left < 0 {
			return errTooMuch
		}
		v.values += maphash.Bytes(v.seed, v.row)
	}
	return nil
}

// head takes the columns into account, once.
func (v *viewer) head() {
	columns := v.reader.Columns()
	if v.width > 0 || len(columns) == 0 {
		return
	}
	v.width = len(columns)
	var names, types maphash.Hash
	names.SetSeed(v.seed)
	types.SetSeed(v.seed)
	for _, c := range columns {
		fmt.Fprintf(&names, "%q", c.Name)
		fmt.Fprintf(&types, "%q", c.Type)
	}
	v.names, v.types = names.Sum64(), types.Sum64()
}

// body reads an answer in the format Native.
func (v *viewer) body(body io.Reader) error {
	in := bufio.NewReader(body)
	for {
		if _, err := in.Peek(1); err == io.EOF {
			return nil
		}
		if err := v.read(in, true); err != nil {
			return err
		}
	}
}

// packets reads an answer of the native protocol. Totals and extremes are read and left
// out: over HTTP Native does not have them.
func (v *viewer) packets(in *wireReader) error {
	for {
		kind := in.number("the kind of a packet", maxNumber)
		switch kind {
		case serverData, serverTotals, serverExtremes:
			in.text("the name of a table", maxNativeText)
			if in.err != nil {
				return in.err
			}
			if err := v.read(in.in, kind == serverData); err != nil {
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
		case packet.kind == serverEndOfStream:
			return nil
		}
	}
}

// end makes a view of how the answer ended; the error says why there is none.
func (v *viewer) end(err error) (view, error) {
	if err == nil {
		return v.view, nil
	}
	_, large := errors.AsType[*blocks.TooLarge](err)
	kind, _ := porterhouse.Explain(err)
	exception, said := errors.AsType[*porterhouse.Exception](err)
	switch {
	case large || errors.Is(err, errTooMuch) || said && tooSlow[exception.Code] || !said && (kind == porterhouse.Timeout || kind == porterhouse.Limited):
		return view{}, errTooMuch
	case said:
		return view{refused: true, code: exception.Code}, nil
	case kind == porterhouse.Denied:
		return view{refused: true}, nil
	}
	return view{}, err
}

// tooSlow are the codes of what ended because it took too long: less than a person's
// own question may take, so it says nothing of the mode.
var tooSlow = map[int]bool{159: true, 160: true, 394: true}
