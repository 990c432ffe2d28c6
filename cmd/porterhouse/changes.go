package main

import (
	"maps"
	"reflect"
	"slices"
)

// changes are what is not the same in two configurations: keys, never values.
type changes struct {
	keys    []string // in alphabetical order
	restart []string // those of them that hold from the next start on

	fingerprint string // of the new configuration
}

// changesOf finds the keys whose values, or whose files, are not the same.
func changesOf(before, after Config) (found changes) {
	found.fingerprint = after.fingerprint()
	was, is := leaves(before), leaves(after)
	both := maps.Clone(was)
	maps.Copy(both, is)
	for _, key := range slices.Sorted(maps.Keys(both)) {
		if reflect.DeepEqual(was[key].value, is[key].value) && before.contents[key] == after.contents[key] {
			continue
		}
		found.keys = append(found.keys, key)
		if both[key].reload == "restart" {
			found.restart = append(found.restart, key)
		}
	}
	return found
}

// none reports whether nothing has changed.
func (c changes) none() bool { return len(c.keys) == 0 }
