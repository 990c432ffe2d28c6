package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk: no question is asked, the caller is told, what ends meanwhile is
// kept, and all goes on by itself when there is room. /dev/full gives the real
// ENOSPC of the kernel.
func TestDiskFull(t *testing.T) {
	c := config(t)
	var text logged
	c.Log = logTo(&text)
	l := mustOpen(t, c)
	var open []*Entry
	for i := range 5 {
		e, err := l.Begin(question(numbered(i), "SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, e)
	}

	restore := fill(t, l)
	for range 100 {
		_, err := l.Begin(question("never", "SELECT 1"))
		isUnavailable(t, err)
		if !strings.Contains(err.Error(), "no space left on device") {
			t.Fatalf("the log is not told why: %v", err)
		}
	}
	for _, e := range open[:4] {
		if err := e.End(Outcome{Rows: 7}); err == nil {
			t.Error("End did not say that the line is not written yet")
		}
	}
	if err := l.Refuse(question("", "DROP TABLE t"), nil); err == nil {
		t.Error("Refuse did not say that the line is not written")
	}
	l.Unauthenticated(Attempt{Door: "mcp", Remote: "192.0.2.1"})
	if s := l.Stats(); s.Questions != 5 || s.Waiting != 4 || !s.Failing || s.Failures != 106 {
		t.Errorf("stats: %+v", s)
	}
	if n := text.count("cannot be written"); n != 1 {
		t.Errorf("logged %d times, want once in a few seconds", n)
	}
	restore()

	ask(t, l, "after")
	if s := l.Stats(); s.Waiting != 0 || s.Failing {
		t.Errorf("stats: %+v", s)
	}
	if text.count("can be written again") != 1 {
		t.Error("nobody was told that it is over")
	}
	if err := open[4].End(Outcome{}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if r := intact(t, c.Path); r.OpenCount != 0 || len(r.Notes) != 0 {
		t.Errorf("report:\n%s", r)
	}
	list := entries(t, c.Path)
	late := 0
	for _, e := range ofKind(list, "close") {
		if e["ended"] != nil && e["rows"] == 7.0 {
			late++
		}
	}
	if closes := len(ofKind(list, "close")); closes != 6 || late != 4 {
		t.Errorf("%d closing lines, %d of them late", closes, late)
	}
	if n := len(ofKind(list, "folded")) + len(ofKind(list, "unauthenticated")); n != 2 {
		t.Errorf("%d lines for what could not be written, want 2", n)
	}
}

// fill makes every write to the record fail as on a full disk, until restore.
func fill(t testing.TB, l *Log) (restore func()) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	live := int(l.w.file.Fd())
	kept, err := syscall.Dup(live)
	if err != nil {
		t.Fatal(err)
	}
	swap := func(to int) {
		if err := syscall.Dup3(to, live, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	swap(int(full.Fd()))
	return func() {
		swap(kept)
		if err := syscall.Close(kept); err != nil {
			t.Fatal(err)
		}
		if err := full.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The same by RLIMIT_FSIZE, in a process of its own: a line is cut in the middle
// and taken back, and the limit may be there from the beginning.
func TestFileSizeLimit(t *testing.T) {
	for _, from := range []string{"start", "later"} {
		t.Run(from, func(t *testing.T) {
			c := config(t)
			out := child(t, "limit", c.Path, from)
			if text, err := io.ReadAll(out); err != nil || strings.TrimSpace(string(text)) != "done" {
				t.Fatalf("the child says %q, %v", text, err)
			}
			r := intact(t, c.Path)
			if r.OpenCount != 0 || len(r.Notes) != 0 {
				t.Errorf("report:\n%s", r)
			}
		})
	}
}

// limited is what the child of TestFileSizeLimit does.
func limited(path, from string) error {
	c := Config{Path: path, Key: testKey, Replica: "child"}
	limit := func(size uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: 1 << 40})
	}
	if from == "start" {
		if err := limit(100); err != nil {
			return err
		}
	}
	l, err := Open(c)
	if err != nil {
		return err
	}
	if from == "later" {
		if err := limit(10_000); err != nil {
			return err
		}
	}
	asked := 0
	for ; ; asked++ {
		e, err := l.Begin(question(numbered(asked), "SELECT 1"))
		if err != nil {
			if !strings.Contains(err.Error(), "nothing was asked") || !strings.Contains(err.Error(), "file too large") {
				return fmt.Errorf("unclear: %w", err)
			}
			break
		}
		_ = e.End(Outcome{}) // the last one may have to wait
	}
	content, err := os.ReadFile(path)
	if err != nil || len(content) > 0 && content[len(content)-1] != '\n' {
		return fmt.Errorf("half a line was left: %.200q, %w", content, err)
	}
	if info, err := os.Stat(path); err != nil || from == "later" && (asked < 5 || info.Size() > 10_000) || from == "start" && asked != 0 {
		return fmt.Errorf("%d asked, %v, %v", asked, info, err)
	}
	if err := limit(1 << 30); err != nil {
		return err
	}
	e, err := l.Begin(question("after", "SELECT 1"))
	if err != nil {
		return err
	}
	if err := e.End(Outcome{}); err != nil {
		return err
	}
	if s := l.Stats(); s.Failures == 0 || s.Failing || s.Waiting != 0 {
		return fmt.Errorf("stats: %+v", s)
	}
	return l.Close()
}

// A write that stops at any place, in a file that cannot be shortened either, as
// with chattr +a: the half line stays, the next line says so, the chain goes on.
func TestAppendOnlyFile(t *testing.T) {
	c := config(t)
	out := child(t, "append-only", c.Path, "")
	if text, err := io.ReadAll(out); err != nil || strings.TrimSpace(string(text)) != "done" {
		t.Fatalf("the child says %q, %v", text, err)
	}
	r := intact(t, c.Path)
	if len(r.Notes) != 5 || !strings.Contains(r.Notes[0], "torn line (crash or full disk, 1 bytes), chain continues") || r.OpenCount != 1 {
		t.Errorf("report:\n%s", r)
	}
}

// appendOnly is what the child of TestAppendOnlyFile does: it writes to a file in
// memory that the kernel does not let anybody shorten, up to a limit of its size.
func appendOnly(path string) error {
	l, err := Open(Config{Path: path, Key: testKey, Replica: "child"})
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fd, err := unix.MemfdCreate("audit", unix.MFD_ALLOW_SEALING)
	if err != nil {
		return err
	}
	memory := os.NewFile(uintptr(fd), "audit")
	if _, err := memory.Write(content); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(memory.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK); err != nil {
		return err
	}
	l.w.file.File = memory

	limit := func(size int64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(size), Max: 1 << 40})
	}
	begin := func(id int) error {
		e, err := l.Begin(question(numbered(id), "SELECT 1"))
		if err != nil {
			return err
		}
		_ = e.End(Outcome{}) // may have to wait
		return nil
	}
	for id := range 10 { // from now on numbers have two digits
		if err := begin(id); err != nil {
			return err
		}
	}
	if _, err := l.Begin(question(numbered(10), "SELECT 1")); err != nil {
		return err
	}
	length := int64(len(l.w.buffer)) // of an opening line
	for i, part := range []int64{1, 20, length / 2, length - 2, length - 1} {
		if err := limit(l.w.file.end + part); err != nil {
			return err
		}
		err := begin(20 + i)
		all := part == length-1 // only the newline is missing
		if (err == nil) != all {
			return fmt.Errorf("%d of %d bytes: %w", part, length, err)
		}
		if all { // the newline, and 9 bytes of the next line
			if err := limit(l.w.file.end + 10); err != nil {
				return err
			}
			if err := begin(40); err == nil {
				return errors.New("a line was written into 9 bytes")
			}
		}
		if err := limit(1 << 40); err != nil {
			return err
		}
		if err := begin(30 + i); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	content = make([]byte, l.w.file.end)
	if _, err := memory.ReadAt(content, 0); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// A torn last line of our own is cut off when it can be.
func TestTornIsTakenBack(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	l.mu.Lock()
	f := l.w.file
	n, err := f.Write([]byte(`{"seq":3,"time":"2026`))
	f.end += int64(n)
	l.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	ask(t, l, "q-1")
	mustClose(t, l)
	if r := intact(t, c.Path); len(r.Notes) != 0 {
		t.Errorf("report:\n%s", r)
	}
}

// A process that is killed in the middle leaves a record that goes on: what was
// acknowledged is there, what was open is closed as unknown.
func TestKilled(t *testing.T) {
	c := config(t)
	c.MaxBytes = 200_000
	begun, rounds := 0, 3
	for range rounds {
		out := child(t, "busy", c.Path, "")
		lines := bufio.NewScanner(out)
		for range 300 {
			if !lines.Scan() {
				t.Fatal("the child ended by itself")
			}
			begun++
		}
		out.kill(t)
		for lines.Scan() { // what it said before it was killed
			begun++
		}
		_ = out.command.Wait() // "signal: killed"; the lock is free now
	}
	l := mustOpen(t, c)
	mustClose(t, l)
	r := intact(t, c.Path)
	list := entriesOf(t, r)
	opens, closes, unknown := len(ofKind(list, "open")), len(ofKind(list, "close")), 0
	for _, e := range ofKind(list, "close") {
		if e["outcome"] == "unknown" {
			unknown++
		}
	}
	if opens < begun || opens != closes || r.OpenCount != 0 {
		t.Errorf("%d acknowledged, %d opening lines, %d closing lines\n%s", begun, opens, closes, r)
	}
	if unknown < rounds*busyOpen {
		t.Errorf("%d closed as unknown, at least %d were open each time", unknown, busyOpen)
	}
}

// entriesOf reads the lines of a record that verifies, except torn ones.
func entriesOf(t testing.TB, r Report) (list []entry) {
	t.Helper()
	torn := 0
	for _, path := range r.Files {
		for line := range bytes.Lines(read(t, path)) {
			var e entry
			if json.Unmarshal(line, &e) != nil {
				torn++
				continue
			}
			list = append(list, e)
		}
	}
	if torn != len(r.Notes) || uint64(len(list)) != r.Records {
		t.Errorf("%d torn lines, %d others:\n%s", torn, len(list), r)
	}
	return list
}

const busyOpen = 3

// busy is what the child of TestKilled does until it is killed: it says each
// question that was begun.
func busy(path string) error {
	l, err := Open(Config{Path: path, Key: testKey, Replica: "child", MaxBytes: 200_000})
	if err != nil {
		return err
	}
	var open []*Entry
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%d", os.Getpid(), i)
		e, err := l.Begin(question(id, "SELECT 1"))
		if err != nil {
			return err
		}
		fmt.Println(id)
		if open = append(open, e); len(open) > busyOpen {
			if err := open[0].End(Outcome{}); err != nil {
				return err
			}
			open = open[1:]
		}
	}
}

// TestMain lets the test binary play the process that is limited or killed.
func TestMain(m *testing.M) {
	if role := os.Getenv("AUDIT_TEST_CHILD"); role != "" {
		path, argument := os.Getenv("AUDIT_TEST_PATH"), os.Getenv("AUDIT_TEST_ARGUMENT")
		err := map[string]func() error{
			"limit":       func() error { return limited(path, argument) },
			"append-only": func() error { return appendOnly(path) },
			"busy":        func() error { return busy(path) },
		}[role]()
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("done")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is a child and what it says.
type process struct {
	io.Reader
	command *exec.Cmd
}

func child(t *testing.T, role, path, argument string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(os.Environ(), "AUDIT_TEST_CHILD="+role, "AUDIT_TEST_PATH="+path, "AUDIT_TEST_ARGUMENT="+argument)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return &process{out, command}
}

// kill ends the process as a crash does; what it said can still be read.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
