package blocks

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// form is how a format of ClickHouse's writes an answer.
type form struct {
	style        style
	document     bool // one document of JSON, and not a line for each row
	names, types bool // lines with the names and the types of the columns come first
}

// forms are the formats that are printed here, by all their names.
var forms = map[string]form{
	"TabSeparated":                        {style: escaped},
	"TSV":                                 {style: escaped},
	"TabSeparatedWithNames":               {style: escaped, names: true},
	"TSVWithNames":                        {style: escaped, names: true},
	"TabSeparatedWithNamesAndTypes":       {style: escaped, names: true, types: true},
	"TSVWithNamesAndTypes":                {style: escaped, names: true, types: true},
	"TabSeparatedRaw":                     {style: raw},
	"TSVRaw":                              {style: raw},
	"TabSeparatedRawWithNames":            {style: raw, names: true},
	"TSVRawWithNames":                     {style: raw, names: true},
	"TabSeparatedRawWithNamesAndTypes":    {style: raw, names: true, types: true},
	"TSVRawWithNamesAndTypes":             {style: raw, names: true, types: true},
	"JSONCompactEachRow":                  {style: inJSON},
	"JSONCompactEachRowWithNames":         {style: inJSON, names: true},
	"JSONCompactEachRowWithNamesAndTypes": {style: inJSON, names: true, types: true},
	"JSONCompact":                         {style: inJSON, document: true},
}

// Prints reports whether a format of ClickHouse's is printed here.
func Prints(format string) bool {
	_, ok := forms[format]
	return ok
}

// Printer prints the blocks that a Reader reads: Head, then Row for each row, then
// Totals and Extremes, if there are some, and Tail. Each appends to b. It is for one
// goroutine.
type Printer struct {
	form
	reader *Reader
	maxRow int
	rows   uint64
	ended  bool // all rows of a document have been printed
}

// NewPrinter returns a printer of a format, which Prints knows.
func NewPrinter(format string, r *Reader) (*Printer, error) {
	f, ok := forms[format]
	if !ok {
		return nil, fmt.Errorf("the format %s is not printed here", format)
	}
	return &Printer{form: f, reader: r, maxRow: r.options.maxRow}, nil
}

// ContentType is what HTTP calls the format, as ClickHouse does.
func (p *Printer) ContentType() string {
	switch {
	case p.document:
		return "application/json; charset=UTF-8"
	case p.style == inJSON:
		return "text/plain; charset=UTF-8"
	}
	return "text/tab-separated-values; charset=UTF-8"
}

// Head prints what stands before the rows.
func (p *Printer) Head(b []byte) []byte {
	if p.document {
		return p.valid(b, p.appendMeta)
	}
	if p.names {
		b = p.line(b, func(c Column) string { return c.Name })
	}
	if p.types {
		b = p.line(b, func(c Column) string { return c.Type })
	}
	return b
}

// line prints what is said of each column, and a line break.
func (p *Printer) line(b []byte, text func(Column) string) []byte {
	for i, head := range p.reader.heads {
		b = appendString(p.before(b, i), []byte(text(head)), p.style)
	}
	return append(p.after(b), '\n')
}

// before prints what stands before the value of a column.
func (p *Printer) before(b []byte, column int) []byte {
	switch inJSON := p.style == inJSON; {
	case column > 0 && inJSON:
		return append(b, ", "...)
	case column > 0:
		return append(b, '\t')
	case inJSON:
		return append(b, '[')
	}
	return b
}

// after prints what stands behind the value of the last column.
func (p *Printer) after(b []byte) []byte {
	if p.style == inJSON {
		return append(b, ']')
	}
	return b
}

// Row prints a row of a block. The error says that it is longer than Config.MaxRow.
func (p *Printer) Row(b []byte, block *Block, row int) ([]byte, error) {
	p.rows++
	if !p.document {
		return p.values(b, block, row, "\n")
	}
	if p.rows > 1 {
		b = append(b, ",\n"...)
	}
	return p.values(append(b, "\t\t"...), block, row, "")
}

// values prints the values of a row, and what ends it.
func (p *Printer) values(b []byte, block *Block, row int, end string) ([]byte, error) {
	begin := len(b)
	for i, c := range block.columns {
		if b = p.before(b, i); len(b)-begin <= p.maxRow {
			b = c.append(b, row, p.style)
		}
	}
	b = p.after(b)
	size := len(b) - begin
	if err := p.reader.memory.print(3 * size); err != nil { // as b grows, and where it goes
		return b[:begin], err
	}
	if size > p.maxRow {
		return b[:begin], fmt.Errorf("a row of the answer has more than %d bytes", p.maxRow)
	}
	if p.document && !utf8.Valid(b[begin:]) {
		p.reader.scratch = append(p.reader.scratch[:0], b[begin:]...)
		b = appendValid(b[:begin], p.reader.scratch)
	}
	return append(b, end...), nil
}

// Totals prints the block of totals, which has one row.
func (p *Printer) Totals(b []byte, block *Block) ([]byte, error) {
	if !p.document {
		return p.behind(b, block)
	}
	b = append(p.endData(b), ",\n\n\t\"totals\": "...)
	return p.values(b, block, 0, "")
}

// Extremes prints the block of extremes: a row of the least values, and one of the
// greatest.
func (p *Printer) Extremes(b []byte, block *Block) ([]byte, error) {
	if !p.document {
		return p.behind(b, block)
	}
	if block.Rows < 2 {
		return b, fmt.Errorf("blocks: extremes in %d rows instead of two", block.Rows)
	}
	b, err := p.values(append(p.endData(b), ",\n\n\t\"extremes\":\n\t{\n\t\t\"min\": "...), block, 0, ",\n")
	if err != nil {
		return b, err
	}
	return p.values(append(b, "\t\t\"max\": "...), block, 1, "\n\t}")
}

// behind prints rows that are none of the answer's behind an empty line. Lines of JSON
// have no place for them.
func (p *Printer) behind(b []byte, block *Block) (_ []byte, err error) {
	if p.style == inJSON {
		return b, nil
	}
	b = append(b, '\n')
	for row := range block.Rows {
		if b, err = p.values(b, block, row, "\n"); err != nil {
			return b, err
		}
	}
	return b, nil
}

// endData ends the rows of a document, once.
func (p *Printer) endData(b []byte) []byte {
	if p.ended {
		return b
	}
	p.ended = true
	return append(b, "\n\t]"...)
}

// Statistics are what a document says of its answer.
type Statistics struct {
	BeforeLimit         uint64 // rows that there would be without a LIMIT
	Limited             bool   // whether there is a LIMIT
	Elapsed             time.Duration
	ReadRows, ReadBytes uint64
}

// Tail prints what stands behind all rows.
func (p *Printer) Tail(b []byte, s Statistics) []byte {
	if !p.document {
		return b
	}
	b = fmt.Appendf(p.endData(b), ",\n\n\t\"rows\": %d", p.rows)
	if s.Limited {
		b = fmt.Appendf(b, ",\n\n\t\"rows_before_limit_at_least\": %d", s.BeforeLimit)
	}
	return fmt.Appendf(b, ",\n\n\t\"statistics\":\n\t{\n\t\t\"elapsed\": %s,\n\t\t\"rows_read\": %d,\n\t\t\"bytes_read\": %d\n\t}\n}\n",
		appendFloat(nil, s.Elapsed.Seconds(), 8), s.ReadRows, s.ReadBytes)
}

// appendMeta prints the beginning of a document.
func (p *Printer) appendMeta(b []byte) []byte {
	b = append(b, "{\n\t\"meta\":\n\t[\n"...)
	for i, c := range p.reader.heads {
		if i > 0 {
			b = append(b, ",\n"...)
		}
		b = appendJSON(append(b, "\t\t{\n\t\t\t\"name\": "...), []byte(c.Name))
		b = appendJSON(append(b, ",\n\t\t\t\"type\": "...), []byte(c.Type))
		b = append(b, "\n\t\t}"...)
	}
	return append(b, "\n\t],\n\n\t\"data\":\n\t[\n"...)
}

// valid prints with what is no UTF-8 replaced.
func (p *Printer) valid(b []byte, print func([]byte) []byte) []byte {
	p.reader.scratch = print(p.reader.scratch[:0])
	return appendValid(b, p.reader.scratch)
}
