package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"porterhouse"
)

// Difference is a statement that two modes answered differently. It has nothing of the
// statement's text, nor of its rows.
type Difference struct {
	At      time.Time
	Kind    DifferenceKind
	QueryID string    // of the person's own statement
	Record  string    // id of its audit record
	Account string    // in ClickHouse
	Modes   [2]Mode   // the cluster's, and the one it is compared with
	Saw     [2]string // what each of them shows, in words
}

// DifferenceKind says in what two answers differ: the first of these that does.
type DifferenceKind string

// The kinds of difference.
const (
	DiffersInUser    DifferenceKind = "user"    // somebody else asks
	DiffersInRoles   DifferenceKind = "roles"   // with other roles
	DiffersInRights  DifferenceKind = "rights"  // one may not what the other may
	DiffersInError   DifferenceKind = "error"   // another exception, or one and none
	DiffersInColumns DifferenceKind = "columns" // their number, names or types
	DiffersInRows    DifferenceKind = "rows"    // how many there are
	DiffersInValues  DifferenceKind = "values"  // what is in them
)

// ShadowReport is what came of comparing two modes so far.
type ShadowReport struct {
	Counts map[ShadowOutcome]uint64
	Last   []Difference // at most 100, the newest at the end; the log has told of each
}

// Shadow returns what came of Config.Shadow so far; false: nothing is compared.
func (c *Client) Shadow() (ShadowReport, bool) {
	s := c.shadow
	if s == nil {
		return ShadowReport{}, false
	}
	s.report.mu.Lock()
	defer s.report.mu.Unlock()
	return ShadowReport{maps.Clone(s.report.counts), slices.Clone(s.report.last)}, true
}

// shadowReport counts outcomes, tells of them in the log, and keeps the last differences.
type shadowReport struct {
	modes [2]Mode
	log   *slog.Logger

	mu     sync.Mutex
	counts map[ShadowOutcome]uint64
	told   map[ShadowOutcome]uint64 // with the last summary
	last   []Difference
	failed bool // so did the last comparisons
}

// maxDifferences is how many are kept.
const maxDifferences = 100

func (r *shadowReport) count(o ShadowOutcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[ShadowOutcome]uint64{}
	}
	r.counts[o]++
}

func (r *shadowReport) keep(d Difference) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.last) == maxDifferences {
		r.last = slices.Delete(r.last, 0, 1)
	}
	r.last = append(r.last, d)
}

// differs returns in what b differs from v; "": in nothing. Columns of which nobody told
// differ from none.
func (v view) differs(b view) DifferenceKind {
	switch {
	case v.who != b.who:
		return DiffersInUser
	case v.roles != b.roles:
		return DiffersInRoles
	case v.refused != b.refused || v.code != b.code:
		if v.lacksRights() || b.lacksRights() {
			return DiffersInRights
		}
		return DiffersInError
	case v.width > 0 && b.width > 0 && (v.width != b.width || v.names != b.names || v.types != b.types):
		return DiffersInColumns
	case v.rows != b.rows:
		return DiffersInRows
	case v.values != b.values:
		return DiffersInValues
	}
	return ""
}

// lacksRights reports whether the account was refused because of what it may do.
func (v view) lacksRights() bool {
	return v.refused && (v.code == 0 || aboutRights[v.code] || rules[v.code].kind == porterhouse.Denied)
}

// words tell what a view shows that differs from another one.
func (v view) words(kind DifferenceKind, from view) string {
	switch {
	case kind == DiffersInUser:
		return "the user " + v.who
	case kind == DiffersInRoles:
		return "the roles " + shorten(v.roles)
	case v.refused && v.code == 0:
		return "ClickHouse does not let the account in"
	case v.refused:
		return fmt.Sprintf("refused, with the code %d (%s)", v.code, errorName(int32(v.code)))
	case kind == DiffersInColumns && v.width != from.width:
		return fmt.Sprintf("%d columns", v.width)
	case kind == DiffersInColumns && v.names != from.names:
		return fmt.Sprintf("%d columns, of other names", v.width)
	case kind == DiffersInColumns:
		return fmt.Sprintf("%d columns, of other types", v.width)
	case kind == DiffersInValues:
		return fmt.Sprintf("%d rows, of other values", v.rows)
	}
	return fmt.Sprintf("%d rows", v.rows)
}

// tell tells of a difference.
func (r *shadowReport) tell(job comparison, a, b view) {
	kind := a.differs(b)
	d := Difference{
		At: time.Now(), Kind: kind, QueryID: job.queryID, Record: job.record, Account: job.as.User.String(),
		Modes: r.modes, Saw: [2]string{a.words(kind, b), b.words(kind, a)},
	}
	r.keep(d)
	r.log.Warn("shadow: two access modes differ", "kind", kind, "query_id", d.QueryID, "record", d.Record, "account", d.Account,
		"mode", d.Modes[0], "saw", d.Saw[0], "shadow", d.Modes[1], "shadow_saw", d.Saw[1])
}

// tellFailure tells of the first comparison that failed, and not of each one after it.
func (r *shadowReport) tellFailure(o ShadowOutcome, job comparison, err error) {
	r.mu.Lock()
	before := r.failed
	r.failed = o == ShadowFailed || before && o != ShadowSame && o != ShadowDifferent
	r.mu.Unlock()
	if o == ShadowFailed && !before {
		r.log.Warn("shadow: access modes cannot be compared; until one can, more of these are only counted",
			"record", job.record, "mode", r.modes[0], "shadow", r.modes[1], "error", plainly(err))
	}
}

// plainly is err in our own words: its private half can have what ClickHouse has sent, and
// names of columns can be data.
func plainly(err error) string {
	own, ok := errors.AsType[*porterhouse.Error](err)
	if _, away := errors.AsType[unsent](err); ok && away {
		return own.Public + " (" + string(networkCause(err)) + ")"
	}
	if ok {
		return own.Public
	}
	return err.Error() // of blocks and of a viewer, which have none
}

// run tells, every so often and at the end, what has been compared since.
func (r *shadowReport) run(ctx context.Context, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			r.summary()
			return
		case <-ticks.C:
			r.summary()
		}
	}
}

func (r *shadowReport) summary() {
	r.mu.Lock()
	defer r.mu.Unlock()
	attributes := []any{"mode", r.modes[0], "shadow", r.modes[1]}
	compared := false
	for _, o := range ShadowOutcomes {
		n := r.counts[o] - r.told[o]
		compared = compared || n > 0 && o != ShadowSkipped
		attributes = append(attributes, string(o), n)
	}
	r.told = maps.Clone(r.counts)
	if compared {
		r.log.Info("shadow: access modes compared", attributes...)
	}
}
