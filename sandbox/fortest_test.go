package sandbox

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOlderThan(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{"target": time.Hour, "older.go": 2 * time.Hour, "newer.go": 0, "newer.txt": 0} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		target, pattern string
		want            bool
	}{
		{"target", "*.go", true},
		{"target", "older*", false},
		{"target", "nothing*", false},
		{"missing", "older*", true},
		{"newer.txt", "*.go", false},
	} {
		got, err := olderThan(filepath.Join(dir, c.target), filepath.Join(dir, c.pattern))
		if err != nil || got != c.want {
			t.Errorf("%s older than %s: %v, %v, want %v", c.target, c.pattern, got, err, c.want)
		}
	}
}
