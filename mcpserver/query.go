package mcpserver

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"porterhouse"
)

// leastBytes is the smallest max_bytes: below it hardly a row fits.
const leastBytes = 1_000

// queryInput is what the tool query takes.
type queryInput struct {
	SQL      string `json:"sql"`
	MaxRows  int64  `json:"max_rows"`
	MaxBytes int    `json:"max_bytes"`
	Format   string `json:"format"`
	Database string `json:"database"`
	Cluster  string `json:"cluster"`
}

// bounds are the limits of one answer of the tool query.
type bounds struct {
	rows, mostRows   int64
	bytes, mostBytes int
	tokens           int // as estimated; 0: only the others count
}

// runQuery answers one statement.
func runQuery(ctx context.Context, c *call, arguments json.RawMessage) error {
	in, err := decode[queryInput](arguments)
	if err != nil {
		return err
	}
	if err := c.choose(in.Cluster, in.SQL); err != nil {
		return err
	}
	limit, shape, err := settle(c.server.config, in)
	if err != nil {
		return err
	}
	var rows atomic.Int64
	stop := c.progress.every(ctx, c.server.config.ProgressGap, &rows)
	defer stop()
	answer, err := c.ask(ctx, porterhouse.Query{
		SQL: in.SQL, Database: in.Database, Format: shape.wire,
		Limits: porterhouse.Limits{Rows: limit.rows, Bytes: int64(limit.bytes) + longestRow},
	})
	if err == nil {
		err = c.collect(in.SQL, answer, shape, limit, &rows)
	}
	if err != nil {
		return &statementError{sql: in.SQL, database: in.Database, err: err}
	}
	return nil
}

// settle checks the arguments and fills in what was left out.
func settle(config Config, in queryInput) (bounds, shape, error) {
	limit := bounds{
		rows: in.MaxRows, mostRows: config.mostRows(),
		bytes: in.MaxBytes, mostBytes: config.MaxBytes,
	}
	switch {
	case in.SQL == "":
		return limit, shape{}, porterhouse.Errorf(porterhouse.Invalid, "the argument \"sql\" is missing: give one statement, such as SELECT 1")
	case in.MaxRows < 0:
		return limit, shape{}, porterhouse.Errorf(porterhouse.Invalid, "max_rows must be from 1 to %d", limit.mostRows)
	case in.MaxBytes < 0 || in.MaxBytes > 0 && in.MaxBytes < leastBytes:
		return limit, shape{}, porterhouse.Errorf(porterhouse.Invalid, "max_bytes must be from %d to %d", leastBytes, limit.mostBytes)
	}
	if limit.rows == 0 {
		limit.rows = config.Rows
	}
	if limit.bytes == 0 {
		limit.bytes, limit.tokens = config.Bytes, config.Tokens
		if in.MaxRows > 0 { // asked for, so meant
			limit.bytes, limit.tokens = 2*limit.bytes, 2*limit.tokens
		}
	}
	limit.rows, limit.bytes = min(limit.rows, limit.mostRows), min(limit.bytes, limit.mostBytes)
	form, ok := shapes[in.Format]
	if !ok {
		return limit, shape{}, porterhouse.Errorf(porterhouse.Invalid, "there is no format %q; use compact, json or markdown", echo(in.Format))
	}
	return limit, form, nil
}

// statementError is a failure of the person's own statement: what is told of it
// may point into its text.
type statementError struct {
	sql, database string
	err           error
}

func (e *statementError) Error() string { return e.err.Error() }
func (e *statementError) Unwrap() error { return e.err }
