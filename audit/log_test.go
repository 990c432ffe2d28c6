package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"porterhouse"
)

// A question is one opening and one closing line; every field has its place.
func TestRecordOfAQuestion(t *testing.T) {
	c := config(t)
	c.Now = func() time.Time { return time.Date(2026, 7, 26, 12, 15, 0, 123456789, time.FixedZone("", 7200)) }
	l := mustOpen(t, c)
	q := question("0198-a", "SELECT {x:String}")
	q.Database, q.Params = "app", map[string]string{"x": "1", "a_password": "hunter2"}
	e, err := l.Begin(q)
	if err != nil {
		t.Fatal(err)
	}
	failure := &porterhouse.Error{Kind: porterhouse.Failed, Public: "public", Err: fmt.Errorf("private: %w",
		&porterhouse.Exception{Code: 60, Name: "UNKNOWN_TABLE", Message: "no such table"})}
	outcome := Outcome{Rows: 3, Bytes: 40, Cut: porterhouse.CutRows, Duration: 1500 * time.Microsecond, Err: failure}
	if err := e.End(outcome); err != nil {
		t.Fatal(err)
	}
	if err := e.End(Outcome{}); err != nil {
		t.Fatal("a second End must be no error:", err)
	}
	mustClose(t, l)

	var got []string
	for line := range strings.Lines(string(read(t, c.Path))) {
		got = append(got, line[:strings.Index(line, `,"prev":`)])
	}
	const at = `"time":"2026-07-26T10:15:00.123456Z","kind":`
	want := []string{
		got[0], // holds a random name
		fmt.Sprintf(`{"seq":2,%s"start","replica":"gw-1","version":"1.2.3","process":%d`, at, os.Getpid()),
		`{"seq":3,` + at + `"open","id":"0198-a","call":"call-1","request":"req-1","issuer":"https://idp.example.com","subject":"00u1",` +
			`"user":"alice@example.com","token":"tok_7","client":"claude-code","door":"mcp","cluster":"main","tool":"query","account":"alice",` +
			`"database":"app","sql":"SELECT {x:String}","params":{"a_password":"[masked]","x":"1"}`,
		`{"seq":4,` + at + `"close","id":"0198-a","outcome":"error","error":"failed","code":60,"code_name":"UNKNOWN_TABLE",` +
			`"rows":3,"bytes":40,"cut":"rows","duration_us":1500`,
		`{"seq":5,` + at + `"stop","open":0,"questions":1,"refusals":0,"unauthenticated":0,"failures":0`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first := entries(t, c.Path)[0]
	if first["kind"] != "file" || first["number"] != 1.0 || first["replica"] != "gw-1" || len(first["chain"].(string)) < 20 {
		t.Errorf("first line: %v", first)
	}
	if text := string(read(t, c.Path)); strings.Contains(text, "private") || strings.Contains(text, "the-raw-token") {
		t.Error("the record holds what is private")
	}
	if r := intact(t, c.Path); r.Head != l.Head() || r.Records != 5 || r.OpenCount != 0 {
		t.Errorf("report:\n%s", r)
	}
}

// Many ask at once: every line is whole, and the chain holds.
func TestConcurrentQuestions(t *testing.T) {
	for _, each := range []bool{false, true} {
		t.Run(fmt.Sprintf("SyncEach=%v", each), func(t *testing.T) {
			c := config(t)
			c.SyncEach = each
			l := mustOpen(t, c)
			ctx, stop := context.WithCancel(t.Context())
			var regular sync.WaitGroup
			regular.Go(func() {
				if err := l.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			var people sync.WaitGroup
			const workers, questions = 16, 40
			for w := range workers {
				people.Go(func() {
					for i := range questions {
						ask(t, l, fmt.Sprintf("%d-%d", w, i))
						if err := l.Refuse(question("", "DROP TABLE t"), porterhouse.Errorf(porterhouse.Refused, "no")); err != nil {
							t.Error(err)
						}
						l.Unauthenticated(Attempt{Door: "mcp", Remote: "192.0.2.1:5"})
						_ = l.Head()
					}
				})
			}
			people.Wait()
			stop()
			regular.Wait()
			want := Stats{Questions: workers * questions, Refusals: workers * questions, Unauthenticated: workers * questions}
			if got := l.Stats(); got != want {
				t.Errorf("stats: %+v, want %+v", got, want)
			}
			mustClose(t, l)
			intact(t, c.Path)
			list := entries(t, c.Path)
			if opens, closes := len(ofKind(list, "open")), len(ofKind(list, "close")); opens != workers*questions || closes != opens {
				t.Errorf("%d opening and %d closing lines, want %d each", opens, closes, workers*questions)
			}
		})
	}
}

// When Begin returns, the line is in the file; nothing of it waits in the process.
func TestBeginHandsTheLineOver(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	if _, err := l.Begin(question("q-1", "SELECT 1")); err != nil {
		t.Fatal(err)
	}
	if n := len(ofKind(entries(t, c.Path), "open")); n != 1 {
		t.Errorf("%d opening lines in the file after Begin", n)
	}
	if _, err := l.Begin(question("q-1", "SELECT 2")); err == nil {
		t.Error("the id of an open question was taken again")
	}
	for _, id := range []string{"", strings.Repeat("x", 65), "a b", `a"b`, "ä"} {
		if _, err := l.Begin(question(id, "SELECT 1")); err == nil {
			t.Errorf("the id %q was taken", id)
		}
	}
}

// A record goes on where it ended.
func TestReopen(t *testing.T) {
	c := config(t)
	for i := range 3 {
		l := mustOpen(t, c)
		ask(t, l, numbered(i))
		mustClose(t, l)
		if err := l.Close(); err != nil {
			t.Error("a second Close:", err)
		}
		if _, err := l.Begin(question("late", "SELECT 1")); err == nil {
			t.Error("a closed record took a question")
		}
	}
	if r := intact(t, c.Path); r.Records != 1+3*4 {
		t.Errorf("%d records, want 13", r.Records)
	}
}

// What stayed open is closed by the next writer, as unknown.
func TestOpenQuestionsAreClosedAsUnknown(t *testing.T) {
	c := config(t)
	var text logged
	c.Log = logTo(&text)
	l := mustOpen(t, c)
	for i := range 3 {
		if _, err := l.Begin(question(numbered(i), "SELECT 1")); err != nil {
			t.Fatal(err)
		}
	}
	ask(t, l, "closed")
	mustClose(t, l)
	if r := intact(t, c.Path); r.OpenCount != 3 || r.Open[0].ID != numbered(0) || !strings.Contains(r.String(), "still open: q-000000 (record 3)") {
		t.Errorf("report:\n%s", r)
	}

	mustClose(t, mustOpen(t, c))
	var unknown []string
	for _, e := range ofKind(entries(t, c.Path), "close") {
		if e["outcome"] == "unknown" {
			unknown = append(unknown, e["id"].(string))
		}
	}
	if want := []string{numbered(0), numbered(1), numbered(2)}; !slices.Equal(unknown, want) {
		t.Errorf("closed as unknown: %v, want %v", unknown, want)
	}
	if r := intact(t, c.Path); r.OpenCount != 0 {
		t.Errorf("still open:\n%s", r)
	}
	if text.count("how they ended is unknown") != 1 {
		t.Error("nobody was told")
	}
	mustClose(t, mustOpen(t, c))
	if n := len(ofKind(entries(t, c.Path), "close")); n != 4 {
		t.Errorf("%d closing lines, want 4: unknown ones are written once", n)
	}
}

// One writer per record; the second is told who the first is.
func TestOneWriter(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	_, err := Open(c)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d, replica gw-1, since ", os.Getpid())) {
		t.Errorf("second writer: %v", err)
	}
	mustClose(t, l)
	mustClose(t, mustOpen(t, c))
}

// Only the owner may read the record, and nobody else may take it away.
func TestPermissions(t *testing.T) {
	c := config(t)
	c.Path = filepath.Join(filepath.Dir(c.Path), "made", "here", "audit.jsonl")
	l := mustOpen(t, c)
	ask(t, l, "q-1")
	mustClose(t, l)
	for _, name := range []string{c.Path, c.Path + ".lock"} {
		if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(filepath.Dir(c.Path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}

	refused := func(what, want string) {
		t.Helper()
		l, err := Open(c)
		if err == nil {
			_ = l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	chmod := func(path string, mode fs.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(c.Path, 0o640)
	refused("a file that the group may read", "chmod 600 it")
	chmod(c.Path, 0o600)
	for _, mode := range []fs.FileMode{0o770, 0o702} {
		chmod(filepath.Dir(c.Path), mode)
		refused("a directory that others may change", "chmod go-w it")
	}
	chmod(filepath.Dir(c.Path), 0o700)

	real := c.Path
	c.Path = filepath.Join(filepath.Dir(real), "link.jsonl")
	if err := os.Symlink(real, c.Path); err != nil {
		t.Fatal(err)
	}
	refused("a symbolic link", "symbolic link")
	c.Path = filepath.Dir(real)
	refused("a directory", "")
	c.Path = "/dev/full"
	if err := checkDirectory("/dev"); err == nil {
		if f, err := openFile(c.Path); err == nil || !strings.Contains(err.Error(), "not an ordinary file") {
			t.Errorf("a device: %v, %v", f, err)
		}
	}
}

// What Open cannot work with it says at once.
func TestConfigRefusals(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no path", func(c *Config) { c.Path = "" }, "no path"},
		{"no key", func(c *Config) { c.Key = porterhouse.Secret{} }, "0 bytes, fewer than the 32 needed"},
		{"a short key", func(c *Config) { c.Key = porterhouse.NewSecret(strings.Repeat("k", 31)) }, "31 bytes"},
		{"a negative size", func(c *Config) { c.MaxBytes = -1 }, "cannot rotate at -1 bytes"},
		{"another key", func(c *Config) { c.Key = otherKey }, "give the key that it was written with"},
		{"a disk image by mistake", func(c *Config) {
			c.Path += ".img"
			if err := os.WriteFile(c.Path, append(make([]byte, 4096), "data"...), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "move it away"},
		{"a file of another sort", func(c *Config) {
			c.Path += ".txt"
			if err := os.WriteFile(c.Path, []byte("a key, by mistake"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "move it away"},
	}
	good := config(t)
	mustClose(t, mustOpen(t, good))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := good
			test.change(&c)
			before, _ := os.ReadFile(c.Path)
			l, err := Open(c)
			if err == nil {
				_ = l.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("have %v, want %q", err, test.want)
			}
			if after, _ := os.ReadFile(c.Path); string(after) != string(before) {
				t.Error("the file was changed")
			}
			if err != nil && strings.Contains(err.Error(), test.want) && strings.Contains(err.Error(), good.Key.Reveal()) {
				t.Error("the error shows the key")
			}
		})
	}
}

// The head is logged each minute in which something was written, and by Close.
func TestHeadIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(t)
		var text logged
		c.Log = logTo(&text)
		l := mustOpen(t, c)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- l.Run(ctx) }()

		ask(t, l, "q-1")
		time.Sleep(90 * time.Second)
		if n := text.count("reason=minute"); n != 1 {
			t.Errorf("%d heads logged after 90 s, want 1", n)
		}
		if !strings.Contains(text.text.String(), "head="+l.Head()) {
			t.Errorf("the head %s was not logged:\n%s", l.Head(), text.text.String())
		}
		time.Sleep(10 * time.Minute)
		if n := text.count("reason=minute"); n != 1 {
			t.Errorf("%d heads logged for a record that rests, want 1", n)
		}
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		mustClose(t, l)
		if text.count("reason=close") != 1 {
			t.Error("Close logged no head")
		}
		if n := len(ofKind(entries(t, c.Path), "mark")); n != 1 {
			t.Errorf("%d marks, want 1", n)
		}
		intact(t, c.Path)
	})
}

// Run syncs what was written, and only then.
func TestRunSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustOpen(t, config(t))
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- l.Run(ctx) }()
		ask(t, l, "q-1")
		time.Sleep(syncWithin)
		l.durable.mu.Lock()
		upTo := l.durable.upTo
		l.durable.mu.Unlock()
		if head, err := parseHead(l.Head()); err != nil || upTo != head.seq {
			t.Errorf("durable up to %d after a second, want %d (%v)", upTo, head.seq, err)
		}
		stop()
		<-ran
	})
}

// A file that cannot be synced keeps questions from being asked.
func TestSyncFails(t *testing.T) {
	for _, each := range []bool{false, true} {
		t.Run(fmt.Sprintf("SyncEach=%v", each), func(t *testing.T) {
			c := config(t)
			c.SyncEach = each
			l := mustOpen(t, c)
			ask(t, l, "q-1")
			// A pipe takes writes and cannot be synced: EINVAL from the kernel itself.
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			live := l.w.file.File
			l.w.file.File = w
			if !each {
				if _, err := l.Begin(question("q-2", "SELECT 1")); err != nil {
					t.Fatal(err)
				}
				if err := l.syncTo(everything); err == nil {
					t.Fatal("a pipe was synced")
				}
			}
			_, err = l.Begin(question("q-3", "SELECT 1"))
			isUnavailable(t, err)
			if s := l.Stats(); !s.Failing || s.Failures == 0 {
				t.Errorf("stats: %+v", s)
			}
			l.w.file.File = live
			if _, err := l.Begin(question("q-4", "SELECT 1")); err != nil {
				t.Errorf("after the trouble: %v", err)
			}
			if err := w.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
		})
	}
}
