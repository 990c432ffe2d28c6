package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Finding is what sort of thing is wrong with a record.
type Finding string

// The findings. A crash is none of them.
const (
	Changed  Finding = "changed"  // a line is not as it was written
	Missing  Finding = "missing"  // records are not there
	Moved    Finding = "moved"    // a genuine line is not in its place: moved, copied, or of a second writer
	Foreign  Finding = "foreign"  // a line that this chain's writer did not put there
	Cut      Finding = "cut"      // the end is gone
	HeadLost Finding = "headlost" // the line that the head names is not there
)

// Problem is one thing that is wrong, and where.
type Problem struct {
	Finding Finding
	File    string
	Line    int // counted from 1 in File; 0: the file as a whole
	Text    string
}

// String is the form that a person reads.
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", p.File, p.Finding, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Finding, p.Text)
}

// OpenQuestion is a question without a closing line: still running, or cut off by
// a crash after which no writer has started yet.
type OpenQuestion struct {
	ID     string
	Record uint64 // number of its opening line; 0: in a file before those given
}

// String is the form that a person reads.
func (q OpenQuestion) String() string {
	if q.Record == 0 {
		return q.ID + " (asked in an older file)"
	}
	return fmt.Sprintf("%s (record %d)", q.ID, q.Record)
}

// maxListed bounds each list of a Report.
const maxListed = 100

// Report is what Verify found.
type Report struct {
	Files   []string  // as they were read
	Chain   string    // the random name of the chain
	Replica string    // that began the last file
	Records uint64    // lines that this key vouches for
	First   uint64    // number of the first one
	Last    uint64    // number of the last one
	From    time.Time // when the first one was written
	To      time.Time // when the last one was written
	Head    string    // of the last one
	Kept    bool      // the head that was asked for is in the record

	Problems []Problem // at most 100
	Further  int       // problems beyond
	Notes    []string  // what is no tampering: torn lines, files that were not given; at most 100

	Open      []OpenQuestion // at most 100, oldest first
	OpenCount int
}

// OK reports whether the record is as it was written, as far as the chain tells.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// String is the report as a person reads it, several lines.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "records:  %d, numbers %d to %d, in %d file(s)\n", r.Records, r.First, r.Last, len(r.Files))
	fmt.Fprintf(&b, "time:     %s to %s\n", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	fmt.Fprintf(&b, "chain:    %s, replica %s\n", r.Chain, r.Replica)
	fmt.Fprintf(&b, "head:     %s\n", r.Head)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note:     %s\n", note)
	}
	for _, q := range r.Open {
		fmt.Fprintf(&b, "still open: %s\n", q)
	}
	if more := r.OpenCount - len(r.Open); more > 0 {
		fmt.Fprintf(&b, "still open: %d more\n", more)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "PROBLEM:  %s\n", p)
	}
	if r.Further > 0 {
		fmt.Fprintf(&b, "PROBLEM:  %d more\n", r.Further)
	}
	return b.String() + r.verdict() + "\n"
}

// problem adds what is wrong at a place.
func (r *Report) problem(at place, f Finding, format string, args ...any) {
	if len(r.Problems) == maxListed {
		r.Further++
		return
	}
	r.Problems = append(r.Problems, Problem{f, at.file, at.line, fmt.Sprintf(format, args...)})
}

// note adds what is worth knowing and not wrong.
func (r *Report) note(format string, args ...any) {
	if len(r.Notes) < maxListed {
		r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
	}
}

// has reports whether f was found.
func (r *Report) has(f Finding) bool {
	return slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Finding == f })
}

func (r Report) verdict() string {
	switch {
	case !r.OK():
		return fmt.Sprintf("NOT INTACT: %d problem(s)", len(r.Problems)+r.Further)
	case r.Kept:
		return "INTACT; the head that was given is in the record"
	}
	return "INTACT up to its last record; only a head that was logged elsewhere tells whether later ones were cut off (--head)"
}
