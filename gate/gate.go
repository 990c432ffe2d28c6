// Package gate is the one way in: every door hands its questions to
// [Gate.Query], and nothing reaches ClickHouse around it.
//
//	Query ─▶ its cluster, if it is theirs ─▶ settings ─▶ where the statement ends ─▶ statement check ─▶ account
//	      ─▶ windows ─▶ a place in the person's queue, and in those of the rules
//	      ─▶ audit record opened ─▶ ClickHouse ─▶ the open answer, back to the door
//	                                  ▲                └ its end closes the record
//	                                  └ the data of an INSERT, as it comes
//
// A step that fails ends the question: what was not recorded is not asked, and
// what is refused is recorded as refused. What a door lets pass, and how much of it,
// is one Door; nothing that stands in a question can make that more.
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

// Config is what a Gate is made of. Audit, People, Windows and the clients live as
// long as the process; the Gate itself is made anew when its rules change.
type Config struct {
	Clusters map[string]Cluster // by name; at least one
	Audit    *audit.Log
	People   *People
	Windows  *Windows // needed by rules with a Window
}

// Cluster is one ClickHouse cluster, the rules that map people to its accounts, and
// what each door lets pass to it.
type Cluster struct {
	Client    *clickhouse.Cluster
	Directory *directory.Directory
	Doors     map[string]Door // by porterhouse.Entry.Door; a door that is not here is closed
	For       For             // who may reach it, by whatever door

	// Passwords lets people in who showed the password of a ClickHouse user (Password).
	// Deny are users who never come in so, beside default: the gateway's own and the
	// provisioner's; needed by Passwords.
	Passwords bool
	Deny      []string
	// Forward are the Proofs whose tokens ClickHouse may see, where the client's access
	// mode forwards them.
	Forward []string
	// Token is asked which token goes on for one of those: what they brought, if that is
	// for ClickHouse, or another. A zero Secret: there is none. Nil: none goes on.
	Token func(ctx context.Context, who porterhouse.Principal) (porterhouse.Secret, error)
}

// Gate is the one way in. It is safe for concurrent use.
type Gate struct {
	clusters map[string]*Cluster
	doors    map[porterhouse.Entry]*door
	audit    *audit.Log
	people   *People
	windows  *Windows
	heads    heads
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
	g := &Gate{
		clusters: map[string]*Cluster{}, doors: map[porterhouse.Entry]*door{},
		audit: c.Audit, people: c.People, windows: c.Windows,
	}
	known := map[string]Rule{}
	for name, cluster := range c.Clusters {
		switch {
		case name == "" || cluster.Client == nil || cluster.Directory == nil:
			return nil, fmt.Errorf("gate: cluster %q needs a name, a client and a directory", name)
		case cluster.Passwords && len(cluster.Deny) == 0:
			return nil, fmt.Errorf("gate: cluster %q lets people in by password: name the accounts that are for nobody, the gateway's first", name)
		}
		if err := cluster.For.check(); err != nil {
			return nil, fmt.Errorf("gate: cluster %q: %w", name, err)
		}
		g.clusters[name] = &cluster
		for at, d := range cluster.Doors {
			if err := g.addDoor(porterhouse.Entry{Cluster: name, Door: at}, d, known); err != nil {
				return nil, fmt.Errorf("gate: cluster %q, door %q: %w", name, at, err)
			}
		}
	}
	return g, nil
}

func (g *Gate) addDoor(at porterhouse.Entry, d Door, known map[string]Rule) error {
	ready, err := newDoor(d)
	if err != nil {
		return err
	}
	if ready.counts() && g.windows == nil {
		return errors.New("there are rules with windows, and no Windows to count in")
	}
	g.doors[at] = &ready
	return sameRules(known, d)
}

// Query checks q, finds the account of who, records the question and runs it.
// Close the answer's Body in every case: that ends the record and, before the
// answer's end, stops the statement.
//
// An error is a *porterhouse.Error: Denied where the cluster is not one that who reaches
// by this door, Invalid or Refused by the statement check or because of a setting,
// Denied or Refused by the directory, Limited by a queue or a
// window, Canceled when a Passage's Data broke off, Unavailable when the record cannot
// be written, or what ClickHouse answered.
func (g *Gate) Query(ctx context.Context, who porterhouse.Principal, q porterhouse.Query) (*porterhouse.Answer, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, &porterhouse.Error{Kind: porterhouse.Internal, Public: "no query id could be made", Err: err}
	}
	a := &asking{gate: g, id: id.String(), who: who, q: q}
	if err := a.admit(ctx); err != nil {
		return nil, g.refuse(a.question(), err)
	}
	leave, err := g.people.enter(ctx, a.bounds.places...)
	if err != nil {
		return nil, g.refuse(a.question(), err)
	}
	record, err := a.begin(leave)
	if err != nil {
		return nil, err
	}
	return a.run(ctx, record)
}

// begin charges the question and opens its record, which gives its places back.
func (a *asking) begin(leave func()) (opened *record, err error) {
	defer func() {
		if opened == nil { // also in a panic
			leave()
		}
	}()
	if err := a.bounds.tab.begin(a.uploadSize()); err != nil {
		return nil, a.gate.refuse(a.question(), err)
	}
	return a.gate.open(a.question(), leave, a.cluster.Client, a.q.ID)
}

// errBroken is what the record of a question says that ended in a panic, which goes on.
var errBroken = porterhouse.Errorf(porterhouse.Internal, "Porterhouse itself failed while it asked")

// run asks ClickHouse.
func (a *asking) run(ctx context.Context, record *record) (*porterhouse.Answer, error) {
	returned := false
	defer func() {
		if !returned {
			record.close(audit.Outcome{Duration: time.Since(record.since), Sent: a.uploads.sent.Load(), Err: errBroken})
		}
	}()
	answer, err := a.cluster.Client.Query(ctx, a.account, a.q)
	returned = true
	if err != nil {
		took := time.Since(record.since)
		err = a.reason(err, took)
		record.close(audit.Outcome{Duration: took, Sent: a.uploads.sent.Load(), Err: err})
		return nil, err
	}
	answer.Body = &recordedBody{ReadCloser: answer.Body, record: record, asking: a, summary: answer.Summary}
	return answer, nil
}

// Account tells which ClickHouse account who acts as at the entry.
func (g *Gate) Account(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error) {
	if !g.reaches(&who, at) {
		return porterhouse.Account{}, notThere(g.Reach(who, at.Door))
	}
	return g.clusters[at.Cluster].account(ctx, &who, at)
}

// Limits are the widest that an answer can have at the entry.
func (g *Gate) Limits(at porterhouse.Entry) porterhouse.Limits {
	if d, open := g.doors[at]; open {
		return d.Limits
	}
	return porterhouse.Limits{}
}
