package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// checker walks through the files of a record, line by line, and finds what is
// wrong. It keeps the open questions in memory, and nothing else that grows.
type checker struct {
	chain  *chain // for its key; its place is not used
	report Report
	sought head // zero: none

	last   head   // the last line in its place
	time   []byte // of that line
	number int    // of the last file
	open   questions

	at      place // what is being read
	size    int64 // bytes read of this file
	good    int64 // end of its last genuine line
	unended bool  // which has no newline yet
	count   int   // its genuine lines
	stray   stray // what stands after that line
}

// place is a line of a file, counted from 1.
type place struct {
	file string
	line int
}

// stray are lines that no writer with this key wrote.
type stray struct {
	debris
	from, to, lines int
}

func newChecker(c *chain, sought head) *checker {
	return &checker{chain: c, sought: sought, open: questions{}}
}

// file reads one file to its end.
func (c *checker) file(name string, r io.Reader) error {
	c.at, c.size, c.good, c.count, c.unended = place{name, 0}, 0, 0, 0, false
	c.report.Files = append(c.report.Files, name)
	begins := true
	for lines := newLines(r); ; {
		piece, ends, err := lines.next()
		if errors.Is(err, io.EOF) {
			c.endFile(begins)
			return nil
		}
		if err != nil {
			return fmt.Errorf("audit: cannot read %s: %w", name, err)
		}
		c.piece(piece, begins, ends)
		begins = ends
	}
}

// piece takes the next piece, and whether a line begins and ends with it.
func (c *checker) piece(piece []byte, begins, ends bool) {
	c.size += int64(len(piece))
	if begins {
		c.at.line++
	}
	if ends {
		c.size++
	}
	if begins {
		if r, genuine := c.chain.read(piece); genuine {
			c.genuine(r)
			c.unended = !ends
			return
		}
		c.stray.lines++
	}
	if !c.stray.any() {
		c.stray.from = c.at.line
	}
	c.stray.to = c.at.line
	c.stray.add(piece, ends)
}

// genuine takes a line that the key vouches for.
func (c *checker) genuine(r record) {
	c.report.Records++
	c.count++
	c.boundary(r)
	inPlace := c.place(r)
	c.good, c.stray = c.size, stray{}
	if !inPlace {
		return
	}
	if c.report.First == 0 {
		c.report.First, c.report.From = r.seq, parseTime(r.time)
	}
	c.last, c.time = head{r.seq, r.mac}, append(c.time[:0], r.time...)
	c.seek()
	c.follow(r)
}

// boundary checks that files begin where they say that they begin.
func (c *checker) boundary(r record) {
	first, begins := c.count == 1, string(r.kind) == kindFile
	switch {
	case first && !begins:
		c.problem(Missing, "the beginning of the file is gone: its first record is number %d", r.seq)
	case !first && begins:
		c.problem(Moved, "record %d begins a file, and stands in the middle of one", r.seq)
	}
}

// place compares where the line stands with where it was written, and reports
// whether the chain goes on from it.
func (c *checker) place(r record) bool {
	switch follows := r.seq == c.last.seq+1; {
	case c.last.seq == 0:
		c.changed("before the first record")
	case r.seq <= c.last.seq:
		return c.misplaced(r)
	case follows && r.prev == c.last.mac:
		c.between(r)
	case follows && c.stray.lines == 0:
		c.problem(Foreign, "record %d is genuine and does not follow the one before it: from another chain, or of a second writer", r.seq)
	default:
		c.changed(fmt.Sprintf("between records %d and %d", c.last.seq, r.seq))
		if gap, stood := r.seq-c.last.seq-1, uint64(c.stray.lines); gap > stood {
			c.problem(Missing, "%d record(s) are missing between %d and %d", gap-stood, c.last.seq, r.seq)
		}
	}
	return true
}

// misplaced reports a line whose number was passed already, and whether another
// chain goes on from it.
func (c *checker) misplaced(r record) bool {
	c.changed(fmt.Sprintf("before record %d", r.seq))
	if string(r.kind) == kindFile && r.prev == (mac{}) {
		c.problem(Foreign, "another chain begins here: verify its files by themselves")
		return true
	}
	c.problem(Moved, "record %d stands after record %d: moved, copied, or of a second writer", r.seq, c.last.seq)
	return false
}

// between judges lines of nobody between two that follow each other: a torn line
// if the later of the two says so, to the byte.
func (c *checker) between(r record) {
	if !c.stray.any() {
		return
	}
	var said struct {
		Bytes  int64
		SHA256 string
	}
	says := json.Unmarshal(r.line, &said) == nil && said.Bytes == c.stray.bytes && said.SHA256 == c.stray.sum()
	switch at := (place{c.at.file, c.stray.from}); {
	case says && string(r.kind) == kindTorn:
		c.report.note("%s:%d: torn line (crash or full disk, %d bytes), chain continues; "+
			"whether a whole line was made to look torn, only a head of that time tells", at.file, at.line, c.stray.bytes)
	case says && string(r.kind) == kindDamaged:
		c.report.problem(at, Foreign, "%d line(s) of somebody else, noticed by the writer; the chain goes on around them", c.stray.lines)
	default:
		c.report.problem(at, Foreign, "%d line(s) of somebody else; the chain goes on around them", c.stray.lines)
	}
}

// endFile judges what stands after the last genuine line.
func (c *checker) endFile(ended bool) {
	if c.stray.lines == 1 && !ended {
		c.report.note("%s:%d: an unfinished last line (%d bytes): being written just now, or torn by a crash", c.at.file, c.at.line, c.stray.bytes)
	} else {
		c.changed("at the end of the file")
	}
	c.stray = stray{}
}

// changed reports lines that do not verify, where some do that should.
func (c *checker) changed(where string) {
	if c.stray.any() {
		c.report.problem(place{c.at.file, c.stray.from}, Changed, "%d line(s), to line %d, do not verify, %s", c.stray.lines, c.stray.to, where)
	}
}

// problem reports what is wrong with the line that is being read.
func (c *checker) problem(f Finding, format string, args ...any) {
	c.report.problem(c.at, f, format, args...)
}

// seek compares the line with the head that is sought.
func (c *checker) seek() {
	switch {
	case c.sought.seq == 0 || c.last.seq != c.sought.seq:
	case c.last.mac == c.sought.mac:
		c.report.Kept = true
	default:
		c.problem(HeadLost, "record %d is not the one that the head names: the end was cut off after the head was logged, and written anew", c.last.seq)
	}
}

// follow keeps what later lines, and the report, need to know of this one.
func (c *checker) follow(r record) {
	switch string(r.kind) {
	case kindOpen:
		c.open[string(r.id)] = r.seq
	case kindClose:
		delete(c.open, string(r.id))
	case kindFile:
		c.begin(r)
	}
}

// begin takes the first line of a file.
func (c *checker) begin(r record) {
	var first struct {
		Number                int
		Chain, Replica, After string
		Open                  []string
	}
	if err := json.Unmarshal(r.line, &first); err != nil {
		c.problem(Foreign, "the first record of the file cannot be read: %v", err)
		return
	}
	if c.report.First == r.seq && r.seq > 1 {
		c.report.note("begins with file %d of the chain, record %d: what came before was not given (%s)", first.Number, r.seq, first.After)
	}
	for _, id := range first.Open {
		c.open.carry(id)
	}
	c.number, c.report.Chain, c.report.Replica = first.Number, first.Chain, first.Replica
}

// finish judges the record as a whole.
func (c *checker) finish() Report {
	c.report.Last, c.report.To, c.report.Head = c.last.seq, parseTime(c.time), c.last.String()
	c.report.Open, c.report.OpenCount = c.open.oldest(maxListed), len(c.open)
	c.at.line = 0
	switch {
	case c.sought.seq == 0 || c.report.Kept:
	case c.sought.seq > c.last.seq:
		c.problem(Cut, "the record ends with number %d, the head names %d: the end was cut off", c.last.seq, c.sought.seq)
	case c.sought.seq < c.report.First:
		c.problem(HeadLost, "the head names record %d, before the first one given: give the older files, too", c.sought.seq)
	case !c.report.has(HeadLost):
		c.problem(HeadLost, "record %d, which the head names, is not in its place", c.sought.seq)
	}
	return c.report
}
