package statement

import (
	"cmp"
	"slices"
	"strings"
)

// findings is the report on a text while the text is read.
type findings struct{ Report }

// maxHazards is how many hazards are told of one text. Beyond them nothing is.
const maxHazards = 100

// note adds a hazard that begins at a word. One that is not told may not be lost:
// instead of the last one stands that there are more. The name is copied, so that
// a report does not hold on to the text.
func (f *findings) note(kind Kind, at word, name, reason string) {
	switch len(f.Hazards) {
	case maxHazards:
		return
	case maxHazards - 1:
		f.Read = false
		kind, name, reason = Unsure, "", "there are too many things to refuse in this text: shorten it"
	}
	f.Hazards = append(f.Hazards, Hazard{Kind: kind, At: int(at.begin) + 1, Name: strings.Clone(name), Reason: reason})
}

// refuse adds a hazard that makes the text no read.
func (f *findings) refuse(kind Kind, at word, reason string) {
	f.Read = false
	f.note(kind, at, "", reason)
}

// inOrder returns the report with its hazards by position. Of two of one kind at
// one place, what was found first says more.
func (f *findings) inOrder() Report {
	slices.SortStableFunc(f.Hazards, func(a, b Hazard) int { return cmp.Compare(a.At, b.At) })
	f.Hazards = slices.CompactFunc(f.Hazards, func(a, b Hazard) bool { return a.At == b.At && a.Kind == b.Kind })
	return f.Report
}
