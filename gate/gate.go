// Package gate is the one way in: every door hands its questions to
// [Gate.Query], and nothing reaches ClickHouse around it.
//
//	Query ─▶ statement check ─▶ account ─▶ a place in the person's queue
//	      ─▶ audit record opened ─▶ ClickHouse ─▶ the open answer, back to the door
//	                                               └ its end closes the record
//
// A step that fails ends the question: what was not recorded is not asked, and
// what is refused is recorded as refused. In this version only reads pass.
package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/directory"
)

// Config is what a Gate is made of. Audit, People and the clients live as long
// as the process; the Gate itself is made anew when its rules change.
type Config struct {
	Clusters map[string]Cluster // by name; at least one
	Audit    *audit.Log
	People   *People
}

// Cluster is one ClickHouse cluster, the rules that map people to its accounts, and
// what each door lets pass to it.
type Cluster struct {
	Client    *clickhouse.Client
	Directory *directory.Directory
	Doors     map[string]Door // by porterhouse.Entry.Door; a door that is not here is closed
}

// Gate is the one way in. It is safe for concurrent use.
type Gate struct {
	clusters map[string]Cluster
	doors    map[porterhouse.Entry]door
	audit    *audit.Log
	people   *People
}

// New checks c and returns its Gate.
func New(c Config) (*Gate, error) {
	switch {
	case len(c.Clusters) == 0:
		return nil, errors.New("gate: no cluster is configured")
	case c.Audit == nil:
		return nil, errors.New("gate: no audit log: without a record nothing may be asked")
	case c.People == nil:
		return nil, errors.New("gate: no People to count questions in")
	}
	g := &Gate{clusters: c.Clusters, doors: map[porterhouse.Entry]door{}, audit: c.Audit, people: c.People}
	for name, cluster := range c.Clusters {
		if name == "" || cluster.Client == nil || cluster.Directory == nil {
			return nil, fmt.Errorf("gate: cluster %q needs a name, a client and a directory", name)
		}
		for at, d := range cluster.Doors {
			if err := d.check(); err != nil {
				return nil, fmt.Errorf("gate: cluster %q, door %q: %w", name, at, err)
			}
			g.doors[porterhouse.Entry{Cluster: name, Door: at}] = door{d, newRules(d.Allow)}
		}
	}
	return g, nil
}

// Query checks q, finds the account of who, records the question and runs it.
// Close the answer's Body in every case: that ends the record and, before the
// answer's end, stops the statement.
//
// An error is a *porterhouse.Error: Invalid or Refused by the statement check,
// Denied or Refused by the directory, Limited by the person's queue, Unavailable
// when the record cannot be written, or what ClickHouse answered.
func (g *Gate) Query(ctx context.Context, who porterhouse.Principal, q porterhouse.Query) (*porterhouse.Answer, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, &porterhouse.Error{Kind: porterhouse.Internal, Public: "no query id could be made", Err: err}
	}
	q.ID = id.String()
	question := audit.Question{ID: q.ID, Who: who, Via: q.Via, SQL: q.SQL, Database: q.Database, Params: q.Params}

	door, open := g.doors[q.Via.Entry]
	if !open {
		return nil, g.refuse(question, porterhouse.Errorf(porterhouse.Invalid, "there is no cluster named %q at this door", q.Via.Cluster))
	}
	q.Limits = tighten(q.Limits, door.Limits)
	cluster, account, err := g.admit(ctx, door, who, q)
	if err != nil {
		return nil, g.refuse(question, err)
	}
	question.Account = account.User.String()
	q.Comment = comment(who, q)

	leave, err := g.people.enter(ctx, who.Key(), door.Queue)
	if err != nil {
		return nil, g.refuse(question, err)
	}
	record, err := g.open(question, leave, cluster.Client)
	if err != nil {
		leave()
		return nil, err
	}
	answer, err := cluster.Client.Query(ctx, account, q)
	if err != nil {
		record.close(audit.Outcome{Duration: time.Since(record.since), Err: err})
		return nil, err
	}
	answer.Body = &recordedBody{ReadCloser: answer.Body, record: record, summary: answer.Summary}
	return answer, nil
}

// admit is everything that is decided before the question is recorded as asked.
func (g *Gate) admit(ctx context.Context, door door, who porterhouse.Principal, q porterhouse.Query) (Cluster, porterhouse.Account, error) {
	cluster := g.clusters[q.Via.Cluster]
	if err := door.rules.check(q); err != nil {
		return Cluster{}, porterhouse.Account{}, err
	}
	account, err := cluster.Directory.Account(ctx, who, q.Via.Entry)
	return cluster, account, err
}

// Account tells which ClickHouse account who acts as at the entry.
func (g *Gate) Account(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error) {
	cluster, ok := g.clusters[at.Cluster]
	if !ok {
		return porterhouse.Account{}, porterhouse.Errorf(porterhouse.Invalid, "there is no cluster named %q", at.Cluster)
	}
	return cluster.Directory.Account(ctx, who, at)
}

// Limits are the widest that an answer can have at the entry.
func (g *Gate) Limits(at porterhouse.Entry) porterhouse.Limits { return g.doors[at].Limits }

// tighten fills the zero fields of asked from most, and lowers the larger ones to it.
func tighten(asked, most porterhouse.Limits) porterhouse.Limits {
	return porterhouse.Limits{
		Rows:   lower(asked.Rows, most.Rows),
		Bytes:  lower(asked.Bytes, most.Bytes),
		Time:   lower(asked.Time, most.Time),
		Memory: lower(asked.Memory, most.Memory),
	}
}

func lower[T int64 | time.Duration](asked, most T) T {
	if asked <= 0 {
		return most
	}
	return min(asked, most)
}
