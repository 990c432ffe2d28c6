package main

import (
	"io/fs"
	"maps"
	"os"
)

// stamps are how files were when somebody looked, by path; nil: there was none.
type stamps map[string]fs.FileInfo

// stampsOf looks at files. One to which a link leads counts as that which it leads to, so
// a link that is led elsewhere, as orchestrators do, is a change.
func stampsOf(files []string) stamps {
	seen := make(stamps, len(files))
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			info = nil // whoever reads it will say so
		}
		seen[path] = info
	}
	return seen
}

// same reports whether nothing has happened to any of the files. That others may now read
// or write one is a change too.
func (s stamps) same(other stamps) bool { return maps.EqualFunc(s, other, sameFile) }

func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
