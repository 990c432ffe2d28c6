package mcpserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"unicode/utf8"

	"porterhouse"
)

// longestRow is the longest row that is read in order to be shown shortened, in
// bytes.
const longestRow = 1 << 20

// collector reads the rows of one answer up to its bounds.
type collector struct {
	shape shape
	limit bounds
	lines *bufio.Reader
	head  []byte
	room  int     // bytes left for rows
	spent int     // tokens of head and rows, estimated; counted only when they could matter
	rows  *[]byte // as they will be shown
	seen  *atomic.Int64

	cut    porterhouse.Cut // why there are no more rows; "" when these are all
	row    cutRow
	totals totals
}

// cutRow is a first row that has no room.
type cutRow struct {
	line []byte // what was read of it
	more bool   // it goes on beyond that
}

// collect reads the answer to sql and writes the text of it. It closes the answer.
func (c *call) collect(sql string, a *porterhouse.Answer, s shape, limit bounds, seen *atomic.Int64) (err error) {
	defer func() { err = errors.Join(err, a.Body.Close()) }()
	head := s.head(nil, a.Columns)
	if len(head) > limit.bytes/2 {
		return porterhouse.Errorf(porterhouse.Limited, "the answer has %s, whose names and types alone need %d of %d bytes; select fewer columns",
			count(len(a.Columns), "column"), len(head), limit.bytes)
	}
	buffers := &c.server.state.buffers
	k := collector{
		shape: s, limit: limit, lines: buffers.reader(a.Body), head: head, room: limit.bytes - len(head),
		rows: buffers.take(), seen: seen, totals: totals{asked: withTotals.MatchString(sql), parted: a.Summary},
	}
	defer buffers.give(k.rows)
	defer buffers.giveReader(k.lines)
	if err := k.read(); err != nil {
		return err
	}
	if k.cut == "" {
		k.cut = a.Summary().Cut
	}
	if err := k.totals.check(); err != nil {
		return err
	}
	*c.text = s.wrap(*c.text, k.status(), head, *k.rows)
	return nil
}

// read takes whole rows until they end or the room does.
func (k *collector) read() error {
	for {
		line, err := k.lines.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			line, err = k.readLong(line)
		}
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		switch {
		case k.totals.begin(line, k.seen.Load()):
		case k.totals.begun:
			k.addTotals(line)
		case !k.add(line):
			return nil
		}
		if k.row.more {
			return nil
		}
	}
}

// readLong goes on with a line that is longer than the reader's buffer, as far
// as it can matter.
func (k *collector) readLong(begun []byte) ([]byte, error) {
	line := bytes.Clone(begun)
	for {
		more, err := k.lines.ReadSlice('\n')
		line = append(line, more...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
		if len(line) > longestRow {
			k.row.more = true
			return line, nil
		}
	}
}

// add shows one row, and reports false when it has no room.
func (k *collector) add(line []byte) bool {
	before := len(*k.rows)
	shown := k.shape.row(*k.rows, line, before == 0)
	fits, affordable := len(shown) <= k.room && !k.row.more, k.affordable(shown, before)
	if !fits || !affordable {
		*k.rows = shown[:before]
		k.cut = porterhouse.CutBytes
		if fits {
			k.cut = cutTokens
		}
		if k.seen.Load() == 0 {
			k.row.line = line
			k.addShortened(line)
		}
		return false
	}
	*k.rows = shown
	k.seen.Add(1)
	return true
}

// cutTokens is the reason of an answer that a model would find too long before
// it has too many bytes.
const cutTokens porterhouse.Cut = "tokens"

// affordable counts the row that begins at before into what the rows cost a
// model. No text has more tokens than bytes, so most answers need no counting.
func (k *collector) affordable(shown []byte, before int) bool {
	if k.limit.tokens == 0 || len(k.head)+len(shown) <= k.limit.tokens {
		return true
	}
	if k.spent == 0 {
		k.spent = tokens(k.head) + tokens(shown[:before])
	}
	k.spent += tokens(shown[before:])
	return k.spent <= k.limit.tokens
}

// addShortened shows a first row that has no room with shortened values, where
// the shape allows that.
func (k *collector) addShortened(line []byte) {
	if !k.shape.cuts {
		return
	}
	room := k.room
	if k.cut == cutTokens {
		room = min(room, k.limit.tokens)
	}
	*k.rows = k.shape.row(*k.rows, shortenValues(line, room), true)
	k.seen.Add(1)
}

// shortenValues makes a row fit into so many bytes, unless it has too many values.
func shortenValues(line []byte, room int) []byte {
	values := bytes.Split(line, []byte("\t"))
	each := max(room/2/len(values)-32, 16) // escaped bars can double a value
	for i, value := range values {
		values[i] = shorten(value, each)
	}
	return bytes.Join(values, []byte("\t"))
}

// status says what the answer holds and, where it was cut, what to do instead.
func (k *collector) status() status {
	s := status{rows: k.seen.Load(), complete: k.cut == "", behind: k.totals.text()}
	switch {
	case s.complete:
	case k.row.line != nil || k.cut != porterhouse.CutRows && s.rows == 0:
		s.notes = append(s.notes, k.longRowNote())
	default:
		s.notes = append(s.notes, k.cutNote())
	}
	s.notes = append(s.notes, k.totals.notes(s, k.shape.wire)...)
	if !utf8.Valid(*k.rows) || !utf8.Valid(s.behind) {
		s.notes = append(s.notes, "Bytes that are not UTF-8 show as \uFFFD; hex(column) shows them all.")
	}
	return s
}

// cutNote says where the rows end, and what to do instead.
func (k *collector) cutNote() string {
	const instead = "ggregate in SQL, narrow with WHERE, or page with ORDER BY … LIMIT … OFFSET"
	switch k.cut {
	case porterhouse.CutRows:
		note := "Cut at " + count(k.limit.rows, "row") + ". A" + instead
		if k.limit.rows < k.limit.mostRows {
			note += fmt.Sprintf(", or set max_rows (up to %d)", k.limit.mostRows)
		}
		return note + "."
	case cutTokens:
		return fmt.Sprintf("Cut at about %d tokens. Select fewer columns, a%s, or set max_bytes (up to %d).", k.limit.tokens, instead, k.limit.mostBytes)
	}
	note := "Cut at " + count(k.limit.bytes, "byte") + " of text. Select fewer columns, a" + instead
	if k.limit.bytes < k.limit.mostBytes {
		note += fmt.Sprintf(", or set max_bytes (up to %d)", k.limit.mostBytes)
	}
	return note + "."
}

// longRowNote explains a first row that has no room.
func (k *collector) longRowNote() string {
	size := fmt.Sprint(len(k.row.line))
	if k.row.more || k.row.line == nil {
		size = "more than " + fmt.Sprint(max(longestRow, len(k.row.line)))
	}
	note := fmt.Sprintf("The first row alone has %s bytes, and an answer has %d. ", size, k.limit.bytes)
	if k.shape.cuts && k.row.line != nil {
		note += "Its values are shortened here (…). "
	}
	return note + "Ask for parts of long values, such as substring(column, 1, 1000), and leave out columns you do not need."
}
