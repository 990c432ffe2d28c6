package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// past is what the files of a record say: where its chain ended, what stayed open,
// and the live file to go on with.
type past struct {
	*checker        // of the last file; nil: there is no record yet
	live     *file  // nil: to be made
	after    string // the file before the one to be made
}

// findPast reads the last file of the record at path. It changes nothing, except
// that it takes away a live file without any whole line.
func findPast(path string, chain *chain, log *slog.Logger) (past, error) {
	live, err := openFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return findRotated(path, chain)
	}
	if err != nil {
		return past{}, err
	}
	c := newChecker(chain, head{})
	if err := c.file(path, live.File); err != nil {
		return past{}, errors.Join(err, live.Close())
	}
	if c.count > 0 {
		live.good, live.end, live.kept, live.unended = c.good, c.size, true, c.unended
		return past{checker: c, live: live}, nil
	}
	if err := errors.Join(discard(path, live), live.Close()); err != nil {
		return past{}, err
	}
	log.Warn("the audit record's newest file holds no whole line, as after a crash; it is made anew", "file", path)
	return findRotated(path, chain)
}

// findRotated reads the newest rotated file, with which a rotation that did not
// come to its end leaves the record.
func findRotated(path string, chain *chain) (past, error) {
	older, err := rotatedFiles(path)
	if err != nil || len(older) == 0 {
		return past{}, err
	}
	newest := older[len(older)-1]
	f, err := os.Open(newest)
	if err != nil {
		return past{}, fmt.Errorf("audit: cannot open the newest rotated file: %w", err)
	}
	c := newChecker(chain, head{})
	if err := errors.Join(c.file(newest, f), f.Close()); err != nil {
		return past{}, err
	}
	if c.count == 0 {
		return past{}, unknownKey(newest)
	}
	return past{checker: c, after: filepath.Base(newest)}, nil
}

// discard removes a live file that has no line of ours: empty, or the torn
// beginning of its first line, or zeros, which a power failure can leave. Anything
// else is not ours to remove.
func discard(path string, live *file) error {
	content, err := io.ReadAll(io.NewSectionReader(live, 0, maxLine+1))
	if err != nil {
		return fmt.Errorf("audit: cannot read %s: %w", path, err)
	}
	written := bytes.TrimRight(content, "\x00")
	ours := bytes.HasPrefix(written, []byte(seqField)) || bytes.HasPrefix([]byte(seqField), written)
	if !ours || len(content) > maxLine || bytes.ContainsRune(content, '\n') {
		return unknownKey(path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("audit: cannot remove the unfinished %s: %w", path, err)
	}
	return nil
}

func unknownKey(path string) error {
	return fmt.Errorf("audit: no line of %s verifies: give the key that it was written with, or move it away to begin a new record", path)
}

// resume makes w go on from the past. What is to be written first then waits.
func (w *writer) resume(p past, start line) {
	w.file, w.after = p.live, p.after
	w.waiting = append(w.waiting, start)
	if p.checker == nil {
		return
	}
	w.chain.seq, w.chain.last = p.last.seq, p.last.mac
	w.number, w.name = p.number, p.report.Chain
	if n := len(p.report.Problems); n > 0 {
		w.log.Error("the audit record is not as it was written; verify it", "problems", n+p.report.Further, "first", p.report.Problems[0].String())
	}
	if n := len(p.open); n > 0 {
		w.log.Warn("questions were open when the last writer of the audit record ended; how they ended is unknown", "questions", n)
	}
	for _, q := range p.open.oldest(len(p.open)) {
		w.open[q.ID] = struct{}{}
		w.waiting = append(w.waiting, closeUnknown(q.ID))
	}
}

// closeUnknown closes a question whose end nobody saw.
func closeUnknown(id string) line {
	l := line{kind: kindClose, id: id}
	l.body.text("id", id)
	l.body.text("outcome", outcomeUnknown)
	return l
}
