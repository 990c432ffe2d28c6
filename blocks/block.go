package blocks

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config says how blocks are read and printed.
type Config struct {
	Zone     *time.Location // of the session: in it is written what names no zone itself
	Settings []Setting      // of ClickHouse: those that change how values are printed; see Honoured

	// Digits are how many digits of a Float64 are printed, and half as many of a smaller
	// one: to compare numbers and not to show them. 0: exactly as ClickHouse does.
	Digits int

	MaxBlock int    // bytes of memory that a block may take with its types, a little more in all; 0: 64 MiB
	MaxRow   int    // bytes that a printed row may have; 0: 64 MiB
	Room     *Room  // for this and other answers; nil: nobody counts them together
	Owner    string // whose part of Room it is; "": nobody's, and nothing else bounds it
}

// Setting is the name of a setting of ClickHouse's and its value.
type Setting struct{ Name, Value string }

// Column is the name and the type of a column, as ClickHouse sends them.
type Column struct{ Name, Type string }

// Reader reads blocks of one answer: all have the columns of the first. It is for one
// goroutine.
type Reader struct {
	options *options
	kinds   kinds
	memory  *memory
	kept    int // bytes of it, for the types of columns
	heads   []Column
	columns []column
	begun   bool
	scratch []byte // of its Printer
}

// Defaults and bounds of blocks.
const (
	defaultMaxBlock = 64 << 20
	defaultMaxRow   = 64 << 20
	maxColumns      = 100_000
)

// NewReader checks c.
func NewReader(c Config) (*Reader, error) {
	if c.Zone == nil || c.MaxBlock < 0 || c.MaxBlock > 1<<31 || c.MaxRow < 0 || c.Digits < 0 {
		return nil, errors.New("blocks: there is no zone, or a bound is negative or larger than 2 GiB")
	}
	o, err := newOptions(c.Settings)
	if err != nil {
		return nil, err
	}
	o.digits, o.maxRow = c.Digits, defaultMaxRow
	if c.MaxRow > 0 {
		o.maxRow = c.MaxRow
	}
	m := &memory{most: cmp.Or(c.MaxBlock, defaultMaxBlock), held: ownMemory, room: c.Room, owner: c.Owner}
	return &Reader{options: o, kinds: kinds{options: o, zone: c.Zone, zones: map[string]*time.Location{}, memory: m}, memory: m}, nil
}

// Close lets go of the last block, and gives the memory back that the answer had of
// Config.Room. No block can be read or printed any more. A nil Reader has nothing.
func (r *Reader) Close() { r.Keep(0) }

// Keep is Close but for so many bytes, which stay counted until Close: of what was printed
// and nobody has taken yet.
func (r *Reader) Keep(bytes int) {
	if r == nil {
		return
	}
	r.columns, r.scratch = nil, nil
	r.memory.keep(bytes)
}

// Block is a number of rows. It is valid until the next one is read.
type Block struct {
	Rows    int
	Width   int // columns; 0: it ends something
	columns []column
}

// Columns returns the columns of the answer; nil before the first block.
func (r *Reader) Columns() []Column { return r.heads }

// Read reads a block, from behind the name of its table in the native protocol, or from
// its beginning elsewhere. A block without columns ends an answer and has no rows.
//
// The error is an *Unprintable for a type that cannot be printed. After an error
// nothing can be read from in any more, except after an *Unprintable of a block
// without rows.
func (r *Reader) Read(in *bufio.Reader) (*Block, error) {
	r.memory.left = r.memory.most - r.kept
	from := &reader{in: in, memory: r.memory}
	skipInfo(from)
	columns, rows := from.count(), from.count()
	switch {
	case from.err != nil:
		return nil, from.err
	case columns > maxColumns || columns == 0 && rows > 0:
		return nil, fmt.Errorf("blocks: a block of %d columns and %d rows", columns, rows)
	case columns == 0:
		return &Block{}, nil
	}
	if r.begun && columns != len(r.heads) {
		return nil, fmt.Errorf("blocks: a block of %d columns in an answer of %d", columns, len(r.heads))
	}
	err := r.readColumns(from, columns, rows)
	if err != nil {
		if !r.begun {
			r.heads, r.columns = nil, nil // of which some are missing
		}
		return nil, err
	}
	r.begun = true
	return &Block{Rows: rows, Width: columns, columns: r.columns}, nil
}

// readColumns reads the columns of a block. What of them cannot be printed is said at
// the end, if the block has no rows: then all names and types have been read.
func (r *Reader) readColumns(from *reader, columns, rows int) error {
	var unprintable error
	for i := range columns {
		head := Column{Name: from.text(), Type: from.text()}
		custom := from.byte()
		if from.err != nil {
			return from.err
		}
		c, err := r.column(i, head)
		if err == nil && custom != 0 {
			err = &Unprintable{Column: head.Name, Type: head.Type, Why: "ClickHouse sends it in a form of its own (sparse)"}
		}
		_, large := errors.AsType[*TooLarge](err)
		switch {
		case err != nil && (rows > 0 || large):
			return err
		case err != nil:
			unprintable = errors.Join(unprintable, err)
		case rows > 0:
			c.prefix(from)
			c.read(from, rows)
		}
		if from.err != nil {
			return placed(from.err, i, head)
		}
	}
	return unprintable
}

// column returns the column at a place, which the first block names. Errors tell the
// place, and neither name nor type: those can be data, and errors are for logs.
func (r *Reader) column(at int, head Column) (column, error) {
	if at < len(r.columns) {
		if r.heads[at] != head {
			return nil, fmt.Errorf("blocks: the column at %d has another name or type than in the first block", at)
		}
		return r.columns[at], nil
	}
	left := r.memory.left
	c, err := r.kinds.column(head.Type)
	r.kept += left - r.memory.left
	if err != nil {
		return nil, placed(err, at, head)
	}
	r.heads, r.columns = append(r.heads, head), append(r.columns, c)
	return c, nil
}

// placed says of which column err is.
func placed(err error, at int, head Column) error {
	if u, ok := errors.AsType[*Unprintable](err); ok {
		return &Unprintable{Column: head.Name, Type: u.Type, Why: u.Why}
	}
	return fmt.Errorf("the column at %d: %w", at, err)
}

// skipInfo reads the numbered fields before a block.
func skipInfo(r *reader) {
	for r.err == nil {
		switch field := r.number(); field {
		case 0:
			return
		case 1:
			r.byte() // whether it overflows
		case 2:
			r.more(nil, 4) // its bucket
		default:
			r.fail(fmt.Errorf("blocks: the field %d of a block, which is not known", field))
		}
	}
}
