package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// files are those of the record, oldest first.
func files(t testing.TB, live string) []string {
	t.Helper()
	older, err := rotatedFiles(live)
	if err != nil {
		t.Fatal(err)
	}
	return append(older, live)
}

// Rotation under load loses no line, and the chain goes through all files.
func TestRotationUnderLoad(t *testing.T) {
	c := config(t)
	c.MaxBytes = 20_000
	var text logged
	c.Log = logTo(&text)
	l := mustOpen(t, c)
	var people sync.WaitGroup
	const workers, questions = 8, 100
	for w := range workers {
		people.Go(func() {
			for i := range questions {
				ask(t, l, fmt.Sprintf("%d-%d", w, i))
			}
		})
	}
	people.Wait()
	mustClose(t, l)

	all := files(t, c.Path)
	if len(all) < 10 {
		t.Fatalf("only %d files", len(all))
	}
	list := entries(t, all...)
	for i, e := range list {
		if e["seq"] != float64(i+1) {
			t.Fatalf("line %d has the number %v", i+1, e["seq"])
		}
	}
	if opens := len(ofKind(list, "open")); opens != workers*questions {
		t.Errorf("%d opening lines, want %d", opens, workers*questions)
	}
	r := intact(t, c.Path)
	if len(r.Files) != len(all) || r.OpenCount != 0 || r.Records != uint64(len(list)) {
		t.Errorf("report:\n%s", r)
	}
	if n := text.count("reason=rotation"); n != len(all)-1 {
		t.Errorf("%d heads logged at rotation, want %d", n, len(all)-1)
	}
	for i, path := range all[:len(all)-1] {
		lines := entries(t, path)
		last, next := lines[len(lines)-1], entries(t, all[i+1])[0]
		if last["kind"] != "rotate" || last["to"] != filepath.Base(path) || next["kind"] != "file" || next["after"] != filepath.Base(path) || next["prev"] != last["mac"] {
			t.Errorf("%s ends with %v; the next begins with %v", path, last, next)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 || info.Size() > c.MaxBytes+2000 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

// Open questions are carried into the next file, so that the next writer needs no
// older one to close them.
func TestOpenQuestionsAreCarried(t *testing.T) {
	c := config(t)
	c.MaxBytes = 3000
	l := mustOpen(t, c)
	var open []*Entry
	for i := range 3 {
		e, err := l.Begin(question(numbered(i), "SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, e)
	}
	for i := range 20 {
		ask(t, l, "other-"+numbered(i))
	}
	all := files(t, c.Path)
	first := entries(t, c.Path)[0]
	if len(all) < 3 || !strings.Contains(fmt.Sprint(first["open"]), "q-000000 q-000001 q-000002") {
		t.Fatalf("%d files; the last begins with %v", len(all), first)
	}
	if err := open[1].End(Outcome{}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	for _, path := range all[:len(all)-1] {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if r := intact(t, c.Path); r.OpenCount != 2 || !strings.Contains(r.String(), "what came before was not given") {
		t.Errorf("report:\n%s", r)
	}
	c.MaxBytes = 0
	mustClose(t, mustOpen(t, c))
	if r := intact(t, c.Path); r.OpenCount != 0 {
		t.Errorf("still open:\n%s", r)
	}
}

// A rotation that a crash cut short is no harm, wherever it was cut.
func TestRotationCutShort(t *testing.T) {
	rotated := func(t *testing.T, c Config) string {
		return rotatedName(c.Path, time.Now(), 5)
	}
	tests := []struct {
		name  string
		crash func(t *testing.T, c Config)
	}{
		{"after the last line", func(t *testing.T, c Config) {}},
		{"after the renaming", func(t *testing.T, c Config) {
			if err := os.Rename(c.Path, rotated(t, c)); err != nil {
				t.Fatal(err)
			}
		}},
		{"with an empty new file", func(t *testing.T, c Config) {
			if err := os.Rename(c.Path, rotated(t, c)); err != nil {
				t.Fatal(err)
			}
			write(t, c.Path, nil)
		}},
		{"with zeros in the new file", func(t *testing.T, c Config) {
			if err := os.Rename(c.Path, rotated(t, c)); err != nil {
				t.Fatal(err)
			}
			write(t, c.Path, make([]byte, 4096))
		}},
		{"with a torn first line", func(t *testing.T, c Config) {
			content := read(t, c.Path)
			if err := os.Rename(c.Path, rotated(t, c)); err != nil {
				t.Fatal(err)
			}
			write(t, c.Path, content[:100])
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := config(t)
			l := mustOpen(t, c)
			ask(t, l, "q-1")
			l.mu.Lock()
			var body fields
			body.text("to", filepath.Base(rotated(t, c)))
			err := l.w.write(nil, line{kind: kindRotate, body: body})
			l.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			crash(t, l)
			test.crash(t, c)

			wrong := c
			wrong.Key = otherKey
			if l, err := Open(wrong); err == nil || !strings.Contains(err.Error(), "give the key that it was written with") {
				t.Fatalf("with another key: %v, %v", l, err)
			}
			l = mustOpen(t, c)
			ask(t, l, "q-2")
			mustClose(t, l)
			r := intact(t, c.Path)
			if n := len(ofKind(entries(t, r.Files...), "close")); n != 2 {
				t.Errorf("%d closing lines in\n%s", n, r)
			}
		})
	}
}

// A file that is lost before its first line could be written leaves no second first
// line behind.
func TestFileLostBeforeItsFirstLine(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	ask(t, l, "q-1")
	for range 2 {
		if err := os.Remove(c.Path); err != nil {
			t.Fatal(err)
		}
		l.w.drop("(lost)")
		if err := l.w.begin(); err != nil {
			t.Fatal(err)
		}
	}
	ask(t, l, "q-2")
	mustClose(t, l)
	intact(t, c.Path)
	if n := len(ofKind(entries(t, c.Path), "file")); n != 1 {
		t.Errorf("%d first lines", n)
	}
}

// crash lets go of the record as the end of the process would.
func crash(t testing.TB, l *Log) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if err := l.w.file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.lock.Close(); err != nil {
		t.Fatal(err)
	}
}

// When the file cannot be renamed, the record goes on in it.
func TestRotationFails(t *testing.T) {
	c := config(t)
	c.MaxBytes = 3000
	now := time.Date(2026, 7, 26, 10, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return now }
	var text logged
	c.Log = logTo(&text)
	l := mustOpen(t, c)
	// Nobody, not even root, renames a file over a directory.
	for seq := range uint64(200) {
		if err := os.Mkdir(rotatedName(c.Path, now, seq), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		ask(t, l, numbered(i))
	}
	if n := text.count("cannot be rotated"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
	for seq := range uint64(200) {
		if err := os.Remove(rotatedName(c.Path, now, seq)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(rotateAgain)
	ask(t, l, "after")
	mustClose(t, l)
	if n := len(files(t, c.Path)); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
	intact(t, c.Path)
}

// Names give the order by the number, whatever the clock did.
func TestRotatedNames(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, "audit.jsonl")
	early, late := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	want := []string{rotatedName(live, late, 9), rotatedName(live, early, 10), rotatedName(live, early, 1e13)}
	for _, path := range append([]string{
		live, live + ".lock", filepath.Join(dir, "audit-x.jsonl"), filepath.Join(dir, "audit-20260102T030405Z-1.jsonl"),
		filepath.Join(dir, "other-20260102T030405Z-000000000001.jsonl"), filepath.Join(dir, "audit-20260102T030405Z-000000000001.txt"),
	}, want...) {
		write(t, path, nil)
	}
	got, err := rotatedFiles(live)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if filepath.Base(want[1]) != "audit-20260102T030405Z-000000000010.jsonl" {
		t.Errorf("a rotated file is called %s", want[1])
	}
}

// What others do to the live file is noticed, and the record goes on.
func TestTouchedByOthers(t *testing.T) {
	tests := []struct {
		name  string
		touch func(t *testing.T, path string)
		log   string
		ok    bool // the record that is left verifies
	}{
		{"removed", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "moved, removed or replaced", true},
		{"moved away, as log rotation does", func(t *testing.T, path string) {
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
		}, "moved, removed or replaced", true},
		{"cut in the middle of a line", func(t *testing.T, path string) {
			if err := os.Truncate(path, 700); err != nil {
				t.Fatal(err)
			}
		}, "somebody cut", false},
		{"written to", func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteString("{\"seq\":1}\nhalf"); err != nil {
				t.Fatal(err)
			}
		}, "somebody else wrote 14 bytes", false},
		{"written to without a line break, to look like a crash", func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteString("half"); err != nil {
				t.Fatal(err)
			}
		}, "somebody else wrote 4 bytes", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := config(t)
			var text logged
			c.Log = logTo(&text)
			l := mustOpen(t, c)
			ask(t, l, "q-1")
			test.touch(t, c.Path)
			l.tick()
			l.tick()
			if text.count(test.log) != 1 {
				t.Errorf("not logged once: %s", text.text.String())
			}
			ask(t, l, "q-2")
			mustClose(t, l)
			r, err := Verify(Check{Files: []string{c.Path}, Key: testKey})
			if err != nil || r.OK() != test.ok {
				t.Errorf("%v\n%s", err, r)
			}
		})
	}
}

// A file that somebody put in the place of the record is not written to.
func TestReplacedByOthers(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	ask(t, l, "q-1")
	if err := os.Remove(c.Path); err != nil {
		t.Fatal(err)
	}
	write(t, c.Path, []byte("theirs"))
	l.tick()
	_, err := l.Begin(question("q-2", "SELECT 1"))
	isUnavailable(t, err)
	if !strings.Contains(err.Error(), "move it away") || string(read(t, c.Path)) != "theirs" {
		t.Errorf("%v; the file holds %q", err, read(t, c.Path))
	}
	if err := os.Remove(c.Path); err != nil {
		t.Fatal(err)
	}
	ask(t, l, "q-3")
	mustClose(t, l)
	intact(t, c.Path)
}
