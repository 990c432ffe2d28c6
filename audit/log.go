package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"porterhouse"
)

// Config says where the record is kept and how.
type Config struct {
	Path     string             // the file; rotated ones get a time stamp. Its directory must be the owner's alone to change
	Key      porterhouse.Secret // of the HMAC chain, at least 32 bytes
	Replica  string             // names this writer; "": the host's name
	Version  string             // of the program, for the record; "": not said
	Settings string             // fingerprint of what the program was started with, for the record; "": not said
	MaxBytes int64              // rotate beyond; 0: 256 MiB
	SyncEach bool               // fsync before each question instead of within a second
	Log      *slog.Logger       // nil: discarded
	Now      func() time.Time   // nil: time.Now
}

const defaultMaxBytes = 256 << 20

// checked fills in what c leaves open.
func (c Config) checked() (Config, error) {
	if c.Path == "" {
		return c, errors.New("audit: no path: say where the record is to be kept")
	}
	c.Path = filepath.Clean(c.Path)
	if c.MaxBytes < 0 {
		return c, fmt.Errorf("audit: cannot rotate at %d bytes: give a positive size, or 0 for %d", c.MaxBytes, int64(defaultMaxBytes))
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.Replica == "" {
		host, err := os.Hostname()
		if err != nil {
			return c, fmt.Errorf("audit: no replica is named and the host has no name: %w", err)
		}
		c.Replica = host
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// Log is an open audit record. It is safe for concurrent use.
type Log struct {
	log      *slog.Logger
	now      func() time.Time
	path     string
	syncEach bool
	bodies   sync.Pool // of *fields
	lock     lock
	durable  durability

	mu        sync.Mutex
	w         *writer
	closed    bool
	refusals  refusals
	attempts  attempts // at doors
	strangers attempts // to sign in
	stats     Stats
	writing   trouble
	syncing   trouble
	markedAt  time.Time
	marked    uint64 // number of the last mark
}

// Open opens or creates the record, checks its last file, and closes what a crash
// left open. Problems with the past are logged and do not keep it from going on.
// When the disk is full, Open succeeds and Begin fails until there is room.
func Open(c Config) (*Log, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	chain, err := newChain(c.Key)
	if err != nil {
		return nil, err
	}
	if err := checkDirectory(filepath.Dir(c.Path)); err != nil {
		return nil, err
	}
	lock, err := acquire(c.Path, c.Replica, c.Now())
	if err != nil {
		return nil, err
	}
	w, err := openWriter(c, chain)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	l := &Log{log: c.Log, now: c.Now, path: c.Path, syncEach: c.SyncEach, lock: lock, w: w, markedAt: c.Now()}
	l.bodies.New = func() any { return new(fields) }
	l.writing = trouble{log: c.Log, now: c.Now, what: "written"}
	l.syncing = trouble{log: c.Log, now: c.Now, what: "synced"}
	if err := w.ready(); err != nil && w.file == nil && !outOfSpace(err) {
		return nil, errors.Join(err, lock.Close())
	} else if err != nil {
		_ = l.writing.judge(err) // logged; Begin tries again
	}
	return l, nil
}

// Run does the regular work until ctx ends: it syncs what was written, notices
// what others do to the file, folds, and logs the head each minute.
func (l *Log) Run(ctx context.Context) error {
	ticker := time.NewTicker(syncWithin / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = l.syncTo(everything) // logged and counted there
			return nil
		case <-ticker.C:
			l.tick()
			_ = l.syncTo(everything)
		}
	}
}

// tick is the regular work that needs the lock.
func (l *Log) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if err := l.w.look(); err != nil {
		l.stats.Failures++
		l.log.Error("the audit record was touched by somebody else", "error", err)
	}
	if l.w.behind() && l.writing.judge(l.w.ready()) != nil {
		return
	}
	now := l.now()
	l.fold(now.Add(-foldTime))
	if now.Sub(l.markedAt) >= markEvery {
		l.mark(now)
	}
}

// markEvery is how often the head is logged.
const markEvery = time.Minute

// mark writes and logs the head, unless nothing was written since the last one.
func (l *Log) mark(now time.Time) {
	l.markedAt = now
	if l.w.chain.seq == l.marked {
		return
	}
	m := line{kind: kindMark, body: l.stats.with(l.w, &l.writing, &l.syncing).body()}
	if l.put(m) == nil {
		l.marked = l.w.chain.seq
		l.log.Info("audit head", "head", l.w.chain.head().String(), "file", l.path, "reason", "minute")
	}
}

var errClosed = errors.New("audit: the record is closed")

// put writes one line. The caller holds the lock.
func (l *Log) put(what line) error {
	if l.closed {
		return errClosed
	}
	return l.writing.judge(l.w.put(what))
}

// Head names the last line: "<number>:<MAC in hex>". With it Verify notices, later,
// when the end of the record is cut off. It is logged each minute, at rotation and
// by Close.
func (l *Log) Head() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.chain.head().String()
}

// Close writes the last line, syncs and lets go of the file. What is still open is
// closed as unknown by the next Open.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.fold(l.now())
	err := l.put(line{kind: kindStop, body: l.stats.with(l.w, &l.writing, &l.syncing).body()})
	l.closed = true
	if l.w.file != nil {
		err = errors.Join(err, l.w.file.Sync(), l.w.file.Close())
	}
	l.log.Info("audit head", "head", l.w.chain.head().String(), "file", l.path, "reason", "close")
	return errors.Join(err, l.lock.Close())
}
