package audit

import (
	"cmp"
	"maps"
	"slices"
)

// questions are the open ones: the id of each, and the number of the record that
// opened it; 0 when that is in a file before those that were read.
type questions map[string]uint64

// carry takes a question that the first line of a file names as open.
func (q questions) carry(id string) {
	if _, known := q[id]; !known {
		q[id] = 0
	}
}

// oldest lists at most n of them, in the order of their opening.
func (q questions) oldest(n int) (list []OpenQuestion) {
	ids := slices.SortedFunc(maps.Keys(q), func(a, b string) int {
		return cmp.Or(cmp.Compare(q[a], q[b]), cmp.Compare(a, b))
	})
	for _, id := range ids[:min(n, len(ids))] {
		list = append(list, OpenQuestion{id, q[id]})
	}
	return list
}
