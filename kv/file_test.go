package kv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"porterhouse"
)

// What was written is there after the file was closed and opened again, with its
// deadline.
func TestFileReopened(t *testing.T) {
	clock, path := newClock(), t.TempDir()+"/kv/store"
	f := openFile(t, path, FileConfig{Now: clock.now})
	put(t, f, "for good", []byte("v"), 0)
	put(t, f, "an hour", []byte("v"), time.Hour)
	put(t, f, "a minute", []byte("v"), time.Minute)
	put(t, f, "consumed", []byte("v"), 0)
	if _, err := f.Consume(t.Context(), "consumed"); err != nil {
		t.Fatal(err)
	}
	closed(t, f)
	clock.pass(time.Minute)
	f = openFile(t, path, FileConfig{Now: clock.now})
	keysAre(t, f, "", "an hour", "for good")
	holds(t, f, "for good", []byte("v"))
	clock.pass(time.Hour)
	keysAre(t, f, "", "for good")
}

// Only its owner may use the file, and the directory that was made for it.
func TestFilePermissions(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := t.TempDir() + "/new/store"
	closed(t, openFile(t, path, FileConfig{}))
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestFileRefused(t *testing.T) {
	changed := func(change func(path string) error) string {
		t.Helper()
		path := t.TempDir() + "/kv/store"
		closed(t, openFile(t, path, FileConfig{}))
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := func(size int) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("hello\n", size/6)), 0o600) }
	}
	anew := func(change func(path string) error) func(string) error {
		return func(path string) error { return errors.Join(os.Remove(path), change(path)) }
	}
	for name, test := range map[string]struct {
		path, want string
	}{
		"others may read":    {changed(func(p string) error { return os.Chmod(p, 0o640) }), "chmod 600"},
		"others may replace": {changed(func(p string) error { return os.Chmod(filepath.Dir(p), 0o770) }), "chmod go-w"},
		"symbolic link":      {changed(func(p string) error { return errors.Join(os.Rename(p, p+"2"), os.Symlink(p+"2", p)) }), "symbolic link"},
		"directory":          {changed(anew(func(p string) error { return os.Mkdir(p, 0o700) })), "is a directory"},
		"pipe":               {changed(anew(func(p string) error { return syscall.Mkfifo(p, 0o600) })), "not an ordinary file"},
		"short text":         {changed(text(60)), "is not a store of Porterhouse"},
		"long text":          {changed(text(600_000)), "is not a store of Porterhouse"},
		"zeros":              {changed(func(p string) error { return os.WriteFile(p, make([]byte, 100_000), 0o600) }), "is not a store of Porterhouse"},
		"cut short":          {changed(func(p string) error { return os.Truncate(p, 8192) }), "damaged"},
		"other database":     {changed(anew(otherDatabase)), "other data"},
		"other version":      {changed(otherVersion), "porterhouse kv 2"},
		"not a path":         {"/dev/null/store", "directory"},
	} {
		f, err := OpenFile(test.path, FileConfig{})
		if err == nil {
			closed(t, f)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenFile(t.TempDir()+"/kv", FileConfig{MaxBytes: -1}); err == nil {
		t.Error("a negative size was accepted")
	}
}

// otherDatabase makes a database of another program.
func otherDatabase(path string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	return errors.Join(db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("others"))
		return err
	}), db.Close())
}

// otherVersion makes the store one of a later version.
func otherVersion(path string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	return errors.Join(db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keyFormat, []byte("porterhouse kv 2"))
	}), db.Close())
}

// A second opener is told at once, in this process and in another.
func TestFileInUse(t *testing.T) {
	path := t.TempDir() + "/kv/store"
	f := openFile(t, path, FileConfig{})
	if _, err := OpenFile(path, FileConfig{}); err == nil || !strings.Contains(err.Error(), "in use by another Porterhouse") {
		t.Errorf("opened twice: %v", err)
	}
	if said, err := io.ReadAll(child(t, "open", path)); err != nil || !strings.Contains(string(said), "in use by another Porterhouse") {
		t.Errorf("the other process says %q, %v", said, err)
	}
	put(t, f, "k", nil, 0)
}

// A file that is shortened or overwritten under us is an error, not a crash.
func TestFileDamaged(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"cut":         func(path string) error { return os.Truncate(path, 4096) },
		"overwritten": func(path string) error { return overwrite(path) },
	} {
		path := t.TempDir() + "/kv/store"
		f, err := OpenFile(path, FileConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			put(t, f, fmt.Sprint("k", i), make([]byte, 10_000), 0)
		}
		if err := damage(path); err != nil {
			t.Fatal(err)
		}
		failed := 0
		for i := range 20 {
			if _, err := f.Get(t.Context(), fmt.Sprint("k", i)); err != nil && !errors.Is(err, ErrNotFound) {
				isKind(t, name, err, porterhouse.Unavailable)
				failed++
			}
		}
		if failed == 0 {
			t.Errorf("%s: nothing failed", name)
		}
		isKind(t, name, f.Put(t.Context(), "k", nil, 0), porterhouse.Unavailable)
		if err := f.Close(); !errors.Is(err, errDamaged) {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}

// overwrite puts letters over everything but the first two pages.
func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt([]byte(strings.Repeat("x", int(info.Size())-8192)), 8192)
	}
	return errors.Join(err, f.Close())
}

// What has ended does not stay in the file: writes clear it away, and the file
// does not grow.
func TestFileSwept(t *testing.T) {
	clock := newClock()
	f := openFile(t, t.TempDir()+"/kv/store", FileConfig{Now: clock.now})
	size := int64(0)
	for round := range 5 {
		for i := range 100 {
			put(t, f, fmt.Sprint(round, i), make([]byte, 1000), time.Minute)
		}
		clock.pass(time.Minute)
		info, err := os.Stat(f.path)
		if err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			size = info.Size()
		} else if round > 1 && info.Size() > size {
			t.Errorf("round %d: %d bytes, after the second there were %d", round, info.Size(), size)
		}
	}
	put(t, f, "a", nil, 0)
	put(t, f, "b", nil, 0)
	var entries, ends int
	if err := f.db.View(func(tx *bbolt.Tx) error {
		entries, ends = tx.Bucket(bucketEntries).Inspect().KeyN, tx.Bucket(bucketEnds).Inspect().KeyN
		return nil
	}); err != nil || entries != 2 || ends != 0 {
		t.Errorf("%d entries and %d deadlines are left, %v", entries, ends, err)
	}
}

// A file that has its full size refuses, keeps what it has, and goes on when
// something has ended.
func TestFileFull(t *testing.T) {
	clock := newClock()
	f := openFile(t, t.TempDir()+"/kv/store", FileConfig{Now: clock.now, MaxBytes: 1 << 20})
	put(t, f, "first", []byte("v"), 0)
	var err error
	count := 0
	for ; err == nil && count < 1000; count++ {
		err = f.Put(t.Context(), fmt.Sprint(count), make([]byte, 10_000), time.Hour)
	}
	isKind(t, "full", err, porterhouse.Limited)
	holds(t, f, "first", []byte("v"))
	holds(t, f, "0", make([]byte, 10_000))
	if count < 20 {
		t.Errorf("only %d values of 10 kB in 1 MiB", count)
	}
	clock.pass(time.Hour)
	for i := range 20 {
		put(t, f, fmt.Sprint("again ", i), make([]byte, 10_000), time.Hour)
	}
	holds(t, f, "first", []byte("v"))
}

// A full disk, by RLIMIT_FSIZE in a process of its own.
func TestDiskFull(t *testing.T) {
	if said, err := io.ReadAll(child(t, "limit", t.TempDir()+"/kv/store")); err != nil || strings.TrimSpace(string(said)) != "done" {
		t.Errorf("the child says %q, %v", said, err)
	}
}

// limited is what the child of TestDiskFull does.
func limited(path string) error {
	limit := func(size uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: 1 << 40})
	}
	f, err := OpenFile(path, FileConfig{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := errors.Join(f.Put(ctx, "before", []byte("v"), 0), limit(200_000)); err != nil {
		return err
	}
	for i := 0; err == nil; i++ {
		err = f.Put(ctx, fmt.Sprint(i), make([]byte, 10_000), 0)
	}
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Limited {
		return fmt.Errorf("unclear: %w", err)
	}
	for _, key := range []string{"before", "0", "1"} {
		if _, err := f.Get(ctx, key); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if err := errors.Join(limit(1<<40), f.Put(ctx, "after", []byte("v"), 0), f.Close()); err != nil {
		return err
	}
	if f, err = OpenFile(path, FileConfig{}); err != nil {
		return err
	}
	return errors.Join(second(f.Get(ctx, "before")), second(f.Get(ctx, "after")), f.Close())
}

// A process that is killed while it writes leaves a file that opens, with all that
// was acknowledged.
func TestKilled(t *testing.T) {
	path := t.TempDir() + "/kv/store"
	for range 3 {
		writer := child(t, "busy", path)
		lines := bufio.NewScanner(writer)
		var said []string
		for range 200 {
			if !lines.Scan() {
				t.Fatal("the child ended by itself")
			}
			said = append(said, lines.Text())
		}
		writer.kill(t)
		for lines.Scan() {
			said = append(said, lines.Text())
		}
		_ = writer.command.Wait() // "signal: killed"; the lock is free now
		f := openFile(t, path, FileConfig{})
		for _, key := range said {
			if name, consumed := strings.CutPrefix(key, "-"); consumed {
				missing(t, f, name)
			} else {
				holds(t, f, key, []byte(key))
			}
		}
		closed(t, f)
	}
}

// busy is what the child of TestKilled does until it is killed: it says what was
// acknowledged. What it consumes it has never said before.
func busy(path string) error {
	f, err := OpenFile(path, FileConfig{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for i := 0; ; i++ {
		key := fmt.Sprintf("%d.%d", os.Getpid(), i)
		if err := f.Put(ctx, key, []byte(key), time.Hour); err != nil {
			return err
		}
		if i%3 == 0 {
			if _, err := f.Consume(ctx, key); err != nil {
				return err
			}
			key = "-" + key
		}
		fmt.Println(key)
	}
}

// TestMain lets the test binary play the process that is limited or killed.
func TestMain(m *testing.M) {
	if role := os.Getenv("KV_TEST_CHILD"); role != "" {
		path := os.Getenv("KV_TEST_PATH")
		err := map[string]func() error{
			"limit": func() error { return limited(path) },
			"busy":  func() error { return busy(path) },
			"open":  func() error { return second(OpenFile(path, FileConfig{})) },
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

func child(t *testing.T, role, path string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(os.Environ(), "KV_TEST_CHILD="+role, "KV_TEST_PATH="+path)
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
