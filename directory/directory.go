// Package directory turns a verified Principal into the ClickHouse account
// that the person acts as. It does not know how the person was proved.
//
//	Principal ─▶ rules of the processor ─▶ name ─▶ template ─▶ allow, deny ─▶ persona of the client
//	                                                                               │
//	Account ◀─ Provisioner ◀─ roles of the newest groups ◀─ binding ◀─ who made the user?
//
// The rule of the package: nobody reaches an account by the way their name is
// written. A name is never repaired; what could be read in two ways is refused.
// A user that we did not make is reached only where it is listed. And two people
// share an account only where the operator said AllowShared: whoever comes first
// has it, until the operator releases it. An account that we made, and of which it
// is not known for whom, is given to nobody before that.
//
// The roles of an account are one set, wherever the person comes in: those of the
// groups that the newest proof tells. An older token acts with these roles too; it
// neither adds one nor takes one away. A proof that tells no groups tells that
// there are none; of proofs without a date only what all of them tell counts.
package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/audit"
)

// Directory turns people into accounts. It is safe for concurrent use.
type Directory struct {
	rules        []*rules
	provisioner  *Provisioner
	bindings     *Bindings // nil: all accounts are shared, and nobody keeps whose they are
	state        *State
	generation   uint64
	allowOrphans bool
	audit        *audit.Log
	lifetime     time.Duration
	now          func() time.Time
}

// alwaysDenied has every right on a ClickHouse that nobody has hardened.
const alwaysDenied = "default"

const defaultLifetime = time.Minute

var errNobody = porterhouse.Errorf(porterhouse.Unauthenticated, "nobody was proved: sign in first")

// New checks the rules.
func New(c Config) (*Directory, error) {
	d := &Directory{
		provisioner:  c.Provisioner,
		state:        c.State,
		allowOrphans: c.AllowOrphans,
		audit:        c.Audit,
		lifetime:     c.Lifetime,
		now:          c.Now,
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.lifetime == 0 {
		d.lifetime = defaultLifetime
	}
	if d.state == nil {
		d.state = NewState(0)
	}
	if d.lifetime < 0 {
		return nil, fmt.Errorf("directory: accounts cannot live for %v: give a positive time, or 0 for %v", d.lifetime, defaultLifetime)
	}
	if err := d.parse(c); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	if c.Store != nil {
		d.bindings = &Bindings{Store: c.Store, Audit: c.Audit, Now: d.now}
	}
	d.generation = d.state.generations.Add(1)
	return d, nil
}

func (d *Directory) parse(c Config) error {
	denied, err := parseNames("the deny list", c.Deny, true)
	if err != nil {
		return err
	}
	deniedRoles, err := parseNames("the deny list of roles", c.DenyRoles, true)
	if err != nil {
		return err
	}
	denied.also(alwaysDenied, c.Gateway)
	deniedRoles.also(alwaysDenied)
	if p := c.Provisioner; p != nil {
		denied.also(p.config.Admin.User())
		deniedRoles.also(p.config.Marker)
	}
	if len(c.Directories) == 0 {
		return errors.New("there are no rules: nobody would have an account")
	}
	separators, processors := "", map[string]bool{}
	for i, rules := range c.Directories {
		r, err := parseRules(rules, deniedRoles)
		if err != nil {
			return fmt.Errorf("rules %d: %w", i+1, err)
		}
		for _, p := range r.personas {
			separators += p.suffix[:1]
		}
		processors[r.processor] = r.processor != ""
		d.rules = append(d.rules, r)
	}
	for _, r := range d.rules {
		r.denied, r.separators, r.others = denied, separators, processors
	}
	return checkTogether(d.rules, c)
}

// checkTogether looks at what the rules of c are together.
func checkTogether(rules []*rules, c Config) error {
	for i, r := range rules {
		example := r.template.fill("a", "a")
		if r.template.isConstant() && r.denied.has(example) {
			return fmt.Errorf("rules %d: the template %q is an account that nobody may act as", i+1, c.Directories[i].UserName)
		}
		for _, name := range append(slices.Clone(c.Directories[i].LocalUsers), example) {
			if at := strings.IndexAny(name, r.separators); at >= 0 {
				return fmt.Errorf("rules %d: the account %q has a %q, which begins the name of a persona: choose another separator for it", i+1, name, name[at])
			}
		}
		if !r.shared && c.Store == nil {
			return fmt.Errorf("rules %d: without a store nobody knows whose an account is: give one, or allow shared accounts", i+1)
		}
		for before, other := range rules[:i] {
			if other.covers(r) {
				return fmt.Errorf("rules %d are never reached: rules %d fit all that they fit", i+1, before+1)
			}
		}
	}
	return nil
}

// Account finds the ClickHouse account of who, and sees to it that it is there
// where that is our task. The error is Unauthenticated when who is nobody, Refused
// when the rules give the person no account, Unavailable when the store or
// ClickHouse cannot be asked.
func (d *Directory) Account(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error) {
	asked := ask(who, at)
	if a, known := d.state.recall(asked, d.generation, who, d.now()); known {
		return a.account, a.err
	}
	if who.Issuer == "" || who.Subject == "" {
		return porterhouse.Account{}, errNobody
	}
	m, err := d.place(who, nil)
	if err != nil {
		return porterhouse.Account{}, refusal(who, err)
	}
	mine := &flight{
		inquiry: inquiry{who: who, at: at}, home: home{at.Cluster, m.base.String()},
		asked: asked, generation: d.generation, done: make(chan struct{}),
	}
	return d.find(ctx, mine, m)
}

// Denies reports whether user is one of those that nobody acts as here, whatever
// proves them: default, the gateway, the provisioner, and those of the configuration.
func (d *Directory) Denies(user porterhouse.UserName) bool {
	return d.rules[0].denied.has(user.String()) // all rules have the same
}

// find waits for those who look for the same account, and looks itself if they did
// not find an answer to this question.
func (d *Directory) find(ctx context.Context, mine *flight, m placed) (porterhouse.Account, error) {
	for {
		f, leads := d.state.board(mine)
		if leads {
			return d.lead(ctx, f, m)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return porterhouse.Account{}, fmt.Errorf("directory: waiting for the account %q: %w", m.user, context.Cause(ctx))
		}
		if a, known := d.state.recall(mine.asked, d.generation, mine.who, d.now()); known {
			return a.account, a.err
		}
		if f.err != nil && f.asksAs(mine) && !isCanceled(f.err) {
			return porterhouse.Account{}, f.err
		}
	}
}

// refusal is the answer to somebody whom the rules give no account. What it is
// that they lack is the operator's to know.
func refusal(who porterhouse.Principal, reason error) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Refused,
		Public: "your name gives you no ClickHouse account here; ask the operator of this server which names do",
		Err:    fmt.Errorf("user %q of issuer %q: %w", who.User, who.Issuer, reason),
	}
}

// refused turns a reason why the rules give no account into a refusal; what is one
// already, or says that somebody could not be asked, stays as it is.
func refused(in inquiry, err error) error {
	var known *porterhouse.Error
	if errors.As(err, &known) || isCanceled(err) {
		return err
	}
	return refusal(in.who, err)
}

func isCanceled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
