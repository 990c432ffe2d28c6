package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The kinds of line.
const (
	kindFile            = "file"            // the first of every file
	kindStart           = "start"           // a writer began
	kindOpen            = "open"            // a question is about to be asked
	kindClose           = "close"           // and how it ended
	kindRefuse          = "refuse"          // a question that was not asked
	kindAccess          = "access"          // somebody is about to sign in, or to be given a token, or was refused
	kindAccount         = "account"         // something is about to be done to a ClickHouse account, or failed
	kindReload          = "reload"          // a new configuration is about to be put in force, or was not
	kindFolded          = "folded"          // refusals of one person that have no line of their own
	kindUnauthenticated = "unauthenticated" // somebody whom no token proved, or a count of them
	kindMark            = "mark"            // each minute in which something was written
	kindTorn            = "torn"            // before this line stands half a line: a crash or a full disk
	kindDamaged         = "damaged"         // before this line stands what no writer of this key wrote
	kindRotate          = "rotate"          // the last of a file that is now renamed
	kindStop            = "stop"            // a writer ended
)

// maxCarried is how many open questions the first line of a file can name; while
// there are more, the file grows on.
const maxCarried = 10_000

// rotateAgain is how long a rotation that failed is not tried again.
const rotateAgain = time.Minute

// line is one that is to be written: all but what the chain puts around it.
type line struct {
	kind string
	id   string // of the question that it opens or closes
	body fields
}

// writer puts lines into the live file, in the order of the chain. It is not
// safe for concurrent use: Log guards it.
type writer struct {
	path     string
	replica  string
	maxBytes int64
	now      func() time.Time
	log      *slog.Logger

	chain   *chain
	name    string              // of the chain: random, the same in all its files
	number  int                 // of the live file in the chain
	after   string              // the file before it
	file    *file               // nil: the next line begins one
	open    map[string]struct{} // ids of the questions that are open
	waiting []line              // to be written before any other
	buffer  []byte

	rotateAt time.Time // no rotation before
}

// openWriter finds the record and goes on with it. It writes nothing yet.
func openWriter(c Config, chain *chain) (*writer, error) {
	w := &writer{path: c.Path, replica: c.Replica, maxBytes: c.MaxBytes, now: c.Now, log: c.Log, chain: chain, open: make(map[string]struct{})}
	p, err := findPast(c.Path, chain, c.Log)
	if err != nil {
		return nil, err
	}
	start := line{kind: kindStart}
	start.body.text("replica", c.Replica)
	start.body.text("version", c.Version)
	start.body.text("configuration", c.Settings)
	start.body.count("process", int64(os.Getpid()))
	w.resume(p, start)
	return w, nil
}

// put writes one line, after all that wait. An error leaves the record as it was.
func (w *writer) put(l line) error {
	if err := w.ready(); err != nil {
		return err
	}
	return w.write(nil, l)
}

// ready makes the live file fit for the next line: there, whole, up to date, and
// not too long.
func (w *writer) ready() error {
	if err := w.catchUp(); err != nil || w.file.end < w.maxBytes || !w.mayRotate() {
		return err
	}
	if err := w.rotate(); err != nil {
		return err
	}
	return w.catchUp()
}

// catchUp makes the file when there is none, says what a torn end is, and writes
// what waits.
func (w *writer) catchUp() error {
	if w.file == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	if !w.file.restore() {
		if err := w.declare(); err != nil {
			return err
		}
	}
	for len(w.waiting) > 0 {
		if err := w.write(nil, w.waiting[0]); err != nil {
			return err
		}
		w.waiting = slices.Delete(w.waiting, 0, 1)
	}
	return nil
}

// behind reports whether something is left that could not be written earlier.
func (w *writer) behind() bool {
	return w.file == nil || len(w.waiting) > 0 || w.file.torn()
}

// write appends one line to the file and to the chain, with one write(2).
func (w *writer) write(before []byte, l line) error {
	if w.file.unended {
		before = []byte{'\n'}
	}
	w.buffer = w.chain.seal(append(w.buffer[:0], before...), w.now(), l.kind, l.body)
	if len(w.buffer) > maxLine {
		return fmt.Errorf("audit: a line of kind %s has %d bytes, more than the %d that are read again", l.kind, len(w.buffer), maxLine)
	}
	if err := w.file.add(w.buffer); err != nil {
		return err
	}
	w.chain.advance()
	switch l.kind {
	case kindOpen:
		w.open[l.id] = struct{}{}
	case kindClose:
		delete(w.open, l.id)
	}
	return nil
}

// begin makes the live file. Its first line continues the chain and names the
// questions that are still open.
func (w *writer) begin() error {
	f, err := createFile(w.path)
	if err != nil {
		return err
	}
	if w.name == "" {
		w.name = rand.Text()
	}
	w.file, w.number = f, w.number+1
	unwritten := func(l line) bool { return l.kind == kindFile } // of a file that was lost
	w.waiting = slices.DeleteFunc(w.waiting, unwritten)
	w.waiting = slices.Insert(w.waiting, 0, line{kind: kindFile, body: w.firstLine()})
	return nil
}

func (w *writer) firstLine() (body fields) {
	body.count("number", int64(w.number))
	body.text("chain", w.name)
	body.text("replica", w.replica)
	body.text("after", w.after)
	body.name("open")
	body = append(body, '[')
	for i, id := range slices.Sorted(maps.Keys(w.open)) {
		if i == maxCarried {
			break
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = appendQuoted(body, id)
	}
	return append(body, ']')
}

// declare says what the bytes after the last whole line are, in the line that
// comes after them.
func (w *writer) declare() error {
	d, ended, err := w.file.debris()
	if err != nil {
		return err
	}
	kind, before := kindTorn, []byte{'\n'}
	if ended {
		before = nil
	}
	if w.file.foreign || w.file.kept && (ended || d.newlines > 0) {
		kind = kindDamaged
	}
	var body fields
	body.count("bytes", d.bytes)
	body.text("sha256", d.sum())
	w.log.Warn("the audit record has a part that is no line; it was kept, and the record says so",
		"file", w.path, "kind", kind, "bytes", d.bytes, "after_line", w.chain.seq)
	return w.write(before, line{kind: kind, body: body})
}

// mayRotate reports whether the file may be rotated now.
func (w *writer) mayRotate() bool {
	return len(w.open) <= maxCarried && !w.now().Before(w.rotateAt)
}

// rotate ends the live file with a line that says its new name, and renames it.
// A crash in between is no harm: whatever the live file is then, the next Open
// goes on with it, or with the newest rotated one. When it cannot be renamed the
// record goes on in the same file.
func (w *writer) rotate() error {
	w.rotateAt = w.now().Add(rotateAgain)
	to := rotatedName(w.path, w.now(), w.chain.seq+1)
	var body fields
	body.text("to", filepath.Base(to))
	if err := w.write(nil, line{kind: kindRotate, body: body}); err != nil {
		return err
	}
	if err := w.leave(to); err != nil {
		w.log.Error("the audit record cannot be rotated; it goes on in the same file", "file", w.path, "error", err)
		return nil
	}
	w.rotateAt = time.Time{}
	w.log.Info("audit head", "head", w.chain.head().String(), "file", to, "reason", "rotation")
	return nil
}

// leave makes the live file durable and lets go of it, under the name to.
func (w *writer) leave(to string) error {
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("audit: cannot sync the record: %w", err)
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("audit: %s is there already", to)
	}
	if err := os.Rename(w.path, to); err != nil {
		return fmt.Errorf("audit: cannot rename the record: %w", err)
	}
	w.drop(filepath.Base(to))
	return nil
}

// drop closes the live file; the next line begins another after it.
func (w *writer) drop(name string) {
	if err := w.file.Close(); err != nil {
		w.log.Error("a file of the audit record ended with an error", "file", name, "error", err)
	}
	w.file, w.after = nil, name
}

// look notices what others did to the live file: that it is gone, shorter, or
// holds what we did not write. The record goes on, in a new file when need be.
func (w *writer) look() error {
	if w.file == nil {
		return nil
	}
	if !w.file.isAt(w.path) {
		err := w.file.Sync()
		w.drop("(lost)")
		return errors.Join(fmt.Errorf("audit: %s was moved, removed or replaced while it was in use; the record goes on in a new file", w.path), err)
	}
	switch by := w.file.resized(); {
	case by < 0:
		err := w.leave(rotatedName(w.path, w.now(), w.chain.seq))
		if err != nil {
			w.drop("(cut)") // rather no record than one that goes on in the middle of a line
		}
		return errors.Join(fmt.Errorf("audit: somebody cut %d bytes from %s; the record goes on in a new file", -by, w.path), err)
	case by > 0:
		return fmt.Errorf("audit: somebody else wrote %d bytes to %s; they are kept, and the record says so", by, w.path)
	}
	return nil
}
