package gate

import (
	"context"
	"slices"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/statement"
)

// asking is one question on its way through the gate.
type asking struct {
	gate    *Gate
	id      string // of the record
	who     porterhouse.Principal
	q       porterhouse.Query
	given   []porterhouse.Setting // beside the statement, by the client
	account porterhouse.Account

	door    *door
	cluster *Cluster
	bounds  *bounds
	uploads uploads
}

// admit is everything that is decided before the question is recorded as asked, but
// for its places in the queues.
func (a *asking) admit(ctx context.Context) (err error) {
	if err := a.enter(); err != nil {
		return err
	}
	class, err := a.judge()
	if err != nil {
		return err
	}
	if a.account, err = a.cluster.account(ctx, &a.who, a.q.Via.Entry); err != nil {
		return err
	}
	a.fill(class)
	if err := a.bounds.tab.look(a.uploadSize()); err != nil {
		return err
	}
	return a.cluster.equip(ctx, &a.who, &a.account)
}

// enter finds the door, if it is one for who asks, and looks at what can be seen without
// reading.
func (a *asking) enter() error {
	if !a.gate.reaches(&a.who, a.q.Via.Entry) {
		return notThere(a.gate.Reach(a.who, a.q.Via.Door))
	}
	a.door, a.cluster = a.gate.doors[a.q.Via.Entry], a.gate.clusters[a.q.Via.Cluster]
	a.bounds = a.door.bounds(&a.who, a.q.Limits, a.gate.windows)
	a.q.Limits = a.bounds.limits
	if err := checkSizes(&a.q); err != nil {
		return err
	}
	if a.q.Passage == nil {
		a.q.ID = a.id
		return nil
	}
	own := *a.q.Passage // the gate's own, because it is about to change
	a.q.Passage, a.given = &own, own.Settings
	if a.q.ID == "" {
		a.q.ID = a.id
	}
	return a.door.judge.settings(own.Settings)
}

// judge finds out what the statement is, and refuses it if it may not pass.
func (a *asking) judge() (porterhouse.Class, error) {
	data := false
	if a.q.Passage != nil {
		var err error
		if data, err = a.gate.heads.settle(&a.q); err != nil {
			return porterhouse.Class{}, err
		}
	} else if len(a.q.SQL) > maxSQL {
		return porterhouse.Class{}, errTooLong
	}
	report := statement.Check(a.q.SQL)
	if err := a.door.judge.text(report, a.readOnly(), a.whyReadOnly()); err != nil {
		return porterhouse.Class{}, err
	}
	return porterhouse.Class{
		Verb: report.Verb, Read: report.Read, State: report.State, Silent: report.Silent,
		Data: data, Input: report.Input, Format: report.Format, FormatAt: formatAt(report),
	}, nil
}

// formatAt is where FORMAT stands, as a 1-based byte; 0: nowhere.
func formatAt(report statement.Report) int {
	for _, hazard := range report.Hazards {
		if hazard.Kind == statement.FormatClause {
			return hazard.At
		}
	}
	return 0
}

// readOnly reports whether nothing but reading passes.
func (a *asking) readOnly() bool {
	return a.who.ReadOnly || !a.door.Pass.Writes || a.q.Passage != nil && a.q.Passage.ReadOnly
}

// whyReadOnly says why, where it is not the door's nature.
func (a *asking) whyReadOnly() string {
	switch {
	case a.q.Passage == nil:
		return ""
	case a.who.ReadOnly:
		return "; what you came in with is for reading only"
	case !a.door.Pass.Writes:
		return "; this door is for reading only"
	}
	return "; this request asks for reading only, as one by GET does: send it with POST"
}

// fill writes into the question what the gate has found out.
func (a *asking) fill(class porterhouse.Class) {
	a.q.Class = class
	a.q.Comment = comment(a.id, &a.who, &a.q)
	p := a.q.Passage
	if p == nil {
		return
	}
	p.ReadOnly = a.readOnly() // ClickHouse is to hold it, too
	if class.Read {
		p.Own = shaping(a.q.SQL)
	}
	if class.Data || p.Tables != nil {
		p.Settings = slices.Concat(p.Settings, a.door.judge.literals())
	}
	p.Person = person(&a.who)
	p.Owner = owner(&a.who, a.q.Via.Cluster, a.account.User)
	if p.Session != nil {
		session := *p.Session
		session.Owner = p.Owner
		p.Session = &session
	}
	a.uploads.tab = a.bounds.tab
	a.uploads.meter(p)
}

// uploadSize is how many bytes come beside the statement, as far as that is known.
func (a *asking) uploadSize() int64 {
	if a.q.Passage == nil {
		return 0
	}
	return a.q.Passage.Size
}

// question is what the record says of it. The account is the one that ClickHouse sees.
func (a *asking) question() audit.Question {
	q := audit.Question{ID: a.id, Who: a.who, Via: a.q.Via, SQL: a.q.SQL, Database: a.q.Database, Params: a.q.Params}
	if a.cluster != nil {
		q.Account = a.cluster.Client.UserOf(a.account)
	}
	if a.q.ID != a.id {
		q.QueryID = a.q.ID
	}
	if p := a.q.Passage; p != nil {
		q.Roles, q.Settings, q.Format = p.Roles, a.given, string(a.q.Format)
		if p.Session != nil {
			q.Session = p.Session.ID
		}
	}
	return q
}

// reason says why a question failed, to whoever asked.
func (a *asking) reason(err error, after time.Duration) error {
	return a.bounds.explain(a.uploads.reason(err), after)
}
