package audit

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The live file of a record keeps its name; a rotated one is named after it, the
// time, and the number of its last line:
//
//	audit.jsonl ──▶ audit-20260726T101500Z-000000123456.jsonl
//
// The number, not the time, gives the order, so a clock that is set back does
// no harm, and no two names are alike.
const stampLayout = "20060102T150405Z"

// rotatedName is the path that the live file moves to.
func rotatedName(live string, at time.Time, seq uint64) string {
	extension := filepath.Ext(live)
	return fmt.Sprintf("%s-%s-%012d%s", strings.TrimSuffix(live, extension), at.UTC().Format(stampLayout), seq, extension)
}

// splitRotated takes a rotated path apart: the live one that it comes from, and
// the number of its last line. ok is false for any other path.
func splitRotated(path string) (live string, seq uint64, ok bool) {
	extension := filepath.Ext(path)
	rest, number, _ := cutLast(strings.TrimSuffix(path, extension))
	stem, stamp, ok := cutLast(rest)
	if _, err := time.Parse(stampLayout, stamp); err != nil || !ok || len(number) < 12 {
		return "", 0, false
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	return stem + extension, seq, err == nil
}

// cutLast cuts s at its last hyphen.
func cutLast(s string) (before, after string, found bool) {
	at := strings.LastIndexByte(s, '-')
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+1:], true
}

// rotatedFiles lists the rotated files of the live one, oldest first.
func rotatedFiles(live string) ([]string, error) {
	dir := filepath.Dir(live)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: cannot list the files of the record: %w", err)
	}
	last := make(map[string]uint64)
	var paths []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if of, seq, ok := splitRotated(path); ok && of == filepath.Clean(live) {
			paths, last[path] = append(paths, path), seq
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Compare(last[a], last[b]) })
	return paths, nil
}
