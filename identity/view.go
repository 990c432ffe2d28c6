package identity

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// view is the token file as it was at one moment. It never changes, so that
// Verify reads it without a lock.
type view struct {
	tokens  map[string]record // by id
	err     error             // why there is none
	info    fs.FileInfo       // of what was read; nil: there was no file, or err
	settled bool              // info would show the next change
	looked  time.Time         // when we last began to look whether all this is still so
}

// A view younger than fresh is used as it is. Between fresh and stale one
// caller looks at the file while the others go on; beyond, everybody waits for
// a look. So a change is noticed within stale, however few or many ask.
const (
	fresh = 250 * time.Millisecond
	stale = 500 * time.Millisecond
)

// settling is how long after a change of the file a second one might leave the
// same time, size and inode behind: until then the file is read, not looked at.
const settling = time.Second

// isYounger is false for a view from the future too: then the clock went back.
func (v *view) isYounger(than time.Duration, now time.Time) bool {
	age := now.Sub(v.looked)
	return 0 <= age && age < than
}

// current returns a view that is not stale.
func (t *Tokens) current(now time.Time) *view {
	seen := t.view.Load()
	if seen.isYounger(fresh, now) {
		return seen
	}
	if !t.looking.TryLock() {
		if seen.isYounger(stale, now) {
			return seen // and somebody is looking already
		}
		t.looking.Lock()
	}
	defer t.looking.Unlock()
	if latest := t.view.Load(); latest.isYounger(fresh, t.now()) {
		return latest // somebody looked while we waited
	}
	return t.look()
}

// look replaces the view by what the file is now. looking is held.
func (t *Tokens) look() *view {
	last, now := t.view.Load(), t.now()
	if last.stillTrue(t.path) {
		again := *last
		again.looked = now
		t.view.Store(&again)
		return &again
	}
	return t.replaceView(last, now)
}

// refresh reads the file whatever its time and size.
func (t *Tokens) refresh() {
	t.looking.Lock()
	defer t.looking.Unlock()
	t.replaceView(t.view.Load(), t.now())
}

func (t *Tokens) replaceView(last *view, now time.Time) *view {
	next := t.read(now)
	t.report(last, next)
	t.view.Store(next)
	return next
}

// stillTrue reports whether the file at path is the one that v was read from.
func (v *view) stillTrue(path string) bool {
	if v.err != nil || !v.settled {
		return false
	}
	info, err := os.Stat(path)
	if v.info == nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return err == nil && os.SameFile(v.info, info) && v.info.Mode() == info.Mode() &&
		v.info.Size() == info.Size() && v.info.ModTime().Equal(info.ModTime())
}

// read reads the file.
func (t *Tokens) read(now time.Time) *view {
	file, info, err := readDocument(t.path)
	if err != nil {
		return &view{err: err, looked: now}
	}
	tokens := make(map[string]record, len(file.Tokens))
	for _, r := range file.Tokens {
		tokens[r.ID] = r
	}
	settled := info == nil || now.Sub(info.ModTime()).Abs() > settling
	return &view{tokens: tokens, info: info, settled: settled, looked: now}
}

// report logs what the operator must know about a change: once, not per token.
func (t *Tokens) report(last, next *view) {
	switch {
	case next.err != nil && (last.err == nil || last.err.Error() != next.err.Error()):
		t.log.Error("the token file cannot be used: nobody with an API token is let in until it is mended", "cause", next.err)
	case next.err == nil && last.err != nil:
		t.log.Info("the token file can be used again", "file", t.path, "tokens", len(next.tokens))
	case next.err == nil && next.info == nil && last.info != nil:
		t.log.Warn("the token file is gone: there are no API tokens", "file", t.path)
	}
}
