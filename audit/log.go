package audit

import (
	"context"
	"log/slog"
	"time"

	"porterhouse"
)

// Config says where the record is kept and how.
type Config struct {
	Path     string             // the file; rotated ones get a time stamp
	Key      porterhouse.Secret // of the HMAC chain, at least 32 bytes
	Replica  string             // names this writer; "": the host's name
	MaxBytes int64              // rotate beyond; 0: 256 MiB
	SyncEach bool               // fsync before each question instead of within a second
	Log      *slog.Logger       // nil: discarded
	Now      func() time.Time   // nil: time.Now
}

// Log is an open audit record. It is safe for concurrent use.
type Log struct{}

// Open opens or creates the record, checks its tail, and closes what a crash left open.
func Open(c Config) (*Log, error) { panic("skeleton") }

// Run syncs, folds and logs the head until ctx ends.
func (l *Log) Run(ctx context.Context) error { panic("skeleton") }

// Question is what the opening line of a record says.
type Question struct {
	ID      string // the query_id as well
	Who     porterhouse.Principal
	Via     porterhouse.Via
	SQL     string
	Account string // the ClickHouse account; "" when none was found
}

// Entry is an open record.
type Entry struct{}

// Begin writes the opening line. After it returns, the line is with the operating system.
func (l *Log) Begin(q Question) (*Entry, error) { panic("skeleton") }

// Outcome is what the closing line of a record says.
type Outcome struct {
	Rows, Bytes int64
	Cut         porterhouse.Cut
	Duration    time.Duration
	Err         error // nil: answered
}

// End writes the closing line; only the first call counts.
func (e *Entry) End(o Outcome) error { panic("skeleton") }

// Refuse records a question that was never sent; beyond a rate for one person they are folded into one line.
func (l *Log) Refuse(q Question, err error) error { panic("skeleton") }

// Attempt is somebody whom no token proved.
type Attempt struct {
	Door, Remote string
	Err          error
}

// Unauthenticated counts an attempt and records a sample.
func (l *Log) Unauthenticated(a Attempt) { panic("skeleton") }

// Stats counts what was recorded since Open.
type Stats struct {
	Questions, Refusals, Unauthenticated, Failures uint64
}

// Stats returns the counts so far.
func (l *Log) Stats() Stats { panic("skeleton") }

// Close writes the last line, syncs and lets go of the file.
func (l *Log) Close() error { panic("skeleton") }
