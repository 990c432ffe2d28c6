package mcpserver

import (
	"fmt"
	"regexp"
	"slices"

	"porterhouse"
)

// withTotals finds WITH TOTALS in a statement. It may find it in a string as well,
// so what is done about it must be right, or clear, even then.
var withTotals = regexp.MustCompile(`(?is)\bwith(?:\s|/\*.*?\*/|--[^\n]*\n|#[^\n]*\n)+totals\b`)

// totals are the lines behind the rows of an answer: ClickHouse parts them off by
// an empty line. Only TSV has them, and in one column of text an empty line may
// be a row as well. Which it is, the rows that were counted tell: parted has one
// more when it is.
type totals struct {
	asked  bool                       // the statement says WITH TOTALS
	parted func() porterhouse.Summary // of the answer
	begun  bool                       // the empty line has come
	blank  [2]int64                   // numbers of the last two rows that are empty lines
	lines  int
	rows   []byte // as they will be shown
	short  bool   // with shortened values
}

// begin reports whether line parts the rows, seen so far, from what follows.
func (t *totals) begin(line []byte, seen int64) bool {
	if len(line) > 0 || t.begun {
		return len(line) == 0 // a second one parts totals from extremes
	}
	if t.begun = t.parted().Rows == seen; !t.begun {
		t.blank = [2]int64{t.blank[1], seen + 1}
	}
	return t.begun
}

// addTotals shows a line behind the rows, shortened where the answer is full: the
// last line of a long answer may well be the one that was asked for.
func (k *collector) addTotals(line []byte) {
	t := &k.totals
	before := len(t.rows)
	t.lines++
	t.rows = k.shape.row(t.rows, line, true)
	if room := k.room - len(*k.rows); len(t.rows) > room || k.row.more {
		t.short = true
		t.rows = k.shape.row(t.rows[:before], shortenValues(line, max(room, 0)), true)
	}
}

// check refuses an answer of which nobody can tell the rows.
func (t *totals) check() error {
	if t.asked && t.blank[1] > 0 {
		return porterhouse.Errorf(porterhouse.Invalid, "the totals of WITH TOTALS cannot be told from rows where the answer is one column of text; select a second column, such as count()")
	}
	return nil
}

// text is what stands behind the rows; "" for nothing.
func (t *totals) text() []byte {
	if t.lines == 0 {
		return nil
	}
	return append(fmt.Appendf(nil, "\n%s:\n", t.name()), t.rows...)
}

// name says what the lines are, by their number: extremes have two.
func (t *totals) name() string {
	switch t.lines {
	case 1:
		return "totals"
	case 2:
		return "minimum and maximum"
	}
	return "totals, minimum and maximum"
}

// notes tell of totals in the first line of the answer, where no row can.
func (t *totals) notes(s status, wire porterhouse.Format) (notes []string) {
	switch {
	case t.lines > 0:
		notes = append(notes, "Behind the rows: "+t.name()+".")
	case t.asked && wire == porterhouse.JSONRows:
		notes = append(notes, "ClickHouse has no totals in this format; ask for compact to see those of WITH TOTALS.")
	case s.complete && s.rows > 1 && slices.Contains(t.blank[:], s.rows-1):
		notes = append(notes, "The last row but one is empty: if this reads a view WITH TOTALS, the last one is its totals; a second column would tell.")
	}
	if t.short {
		notes = append(notes, "Their values are shortened (…).")
	}
	return notes
}
