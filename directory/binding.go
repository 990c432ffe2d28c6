package directory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/kv"
)

// Binding says whose an account is, and what the newest proof of that person told.
type Binding struct {
	Cluster string
	Account string
	Shared  bool   `json:",omitempty"` // it is everybody's whom the rules lead to it; the next three are empty then
	Issuer  string `json:",omitempty"`
	Subject string `json:",omitempty"`
	User    string `json:",omitempty"` // the name that the person had at first
	Since   time.Time
	// Released makes it a mark that the account is nobody's since then, and that the
	// next to come may have it; all but Cluster and Account is empty.
	Released time.Time `json:",omitzero"`

	Told   bool      `json:",omitempty"` // whether a proof has told the groups
	Issued time.Time `json:",omitzero"`  // the newest proof that did; zero: it had no date
	Proof  string    `json:",omitempty"` // the processor that proved it, whose rules the groups are for
	Groups []string  `json:",omitempty"`
}

// Bindings are kept in a Store, for good. An operator lists them and releases
// those of people who are gone.
type Bindings struct {
	Store kv.Store
	Audit *audit.Log       // nil: recorded nowhere
	Now   func() time.Time // nil: time.Now
}

// bindingPrefix begins the keys of bindings.
const bindingPrefix = "account\x00"

func bindingKey(cluster, account string) string { return bindingPrefix + cluster + "\x00" + account }

// List returns the bindings of a cluster, by account; of all clusters when it is "".
// The error tells those that cannot be read; the others are there nevertheless.
func (b *Bindings) List(ctx context.Context, cluster string) ([]Binding, error) {
	prefix := bindingPrefix
	if cluster != "" {
		prefix = bindingKey(cluster, "")
	}
	keys, err := b.Store.Keys(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var all []Binding
	var failed []error
	for _, key := range keys {
		one, _, err := b.read(ctx, key)
		switch {
		case err == nil:
			all = append(all, one)
		case !errors.Is(err, kv.ErrNotFound): // else released since it was found
			failed = append(failed, err)
		}
	}
	return all, errors.Join(failed...)
}

// read returns a binding and the bytes that it is stored as; these also when they
// cannot be understood.
func (b *Bindings) read(ctx context.Context, key string) (Binding, []byte, error) {
	raw, err := b.Store.Get(ctx, key)
	if err != nil {
		return Binding{}, nil, err
	}
	var one Binding
	if err := json.Unmarshal(raw, &one); err != nil || bindingKey(one.Cluster, one.Account) != key {
		return Binding{}, raw, &porterhouse.Error{
			Kind:   porterhouse.Internal,
			Public: "what is kept of your account cannot be read; tell the operator of this server",
			Err:    fmt.Errorf("the binding under %q is no binding of it (%v): release it", key, err),
		}
	}
	return one, raw, nil
}

// claim is somebody's wish to have an account.
type claim struct {
	who     porterhouse.Principal
	cluster string
	account string
	shared  bool
	groups  bool // whether the groups matter
	idle    bool // look only
	// made asks whether the account is there already by our making; nil: that does
	// not matter.
	made func(context.Context) (bool, error)
}

// claim gives an account to somebody who is the first to come, or has it already;
// another is refused, and so is whoever comes first to an account that was made
// for somebody unknown. What a newer proof tells of the groups is kept. The binding
// is returned as it is then, and whether its groups are others than they were.
func (b *Bindings) claim(ctx context.Context, c claim) (is Binding, changed bool, err error) {
	key := bindingKey(c.cluster, c.account)
	for {
		was, raw, err := b.read(ctx, key)
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return Binding{}, false, err
		}
		if raw == nil {
			switch claimed, err := b.orphaned(ctx, c); {
			case err != nil:
				return Binding{}, false, err
			case claimed:
				continue
			}
		}
		is, err := was.after(c, b.since(c))
		if err != nil {
			return Binding{}, false, err
		}
		value, err := json.Marshal(is)
		if err != nil {
			return Binding{}, false, fmt.Errorf("directory: the binding of the account %q: %w", c.account, err)
		}
		changed := !was.isNobodys() && !sameGroups(was.Groups, is.Groups)
		if c.idle || bytes.Equal(raw, value) {
			return is, changed, nil
		}
		if done, err := b.keep(ctx, c, is, was.isNobodys(), raw, value); done || err != nil {
			return is, changed, err
		}
	}
}

// keep writes a binding where raw was before, and reports whether it still was. One
// that begins is recorded first.
func (b *Bindings) keep(ctx context.Context, c claim, is Binding, begins bool, raw, value []byte) (bool, error) {
	event := is.event("bind")
	event.Who, event.Reason = c.who, "the first to come has the account"
	if begins {
		if err := b.record(event); err != nil {
			return false, err
		}
	}
	done, err := b.Store.Swap(ctx, bindingKey(c.cluster, c.account), raw, value, 0)
	if !begins || done {
		return done, err
	}
	event.Err = err
	if err == nil {
		event.Err = errors.New("somebody else came at the same moment")
	}
	return false, errors.Join(err, b.record(event))
}

// stands reports whether a binding is as it was, as far as an account follows from
// it. Where there are no bindings, nothing follows from them.
func (b *Bindings) stands(ctx context.Context, was Binding) (bool, error) {
	if b == nil {
		return true, nil
	}
	is, _, err := b.read(ctx, bindingKey(was.Cluster, was.Account))
	switch {
	case errors.Is(err, kv.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return is.Issuer == was.Issuer && is.Subject == was.Subject && is.Proof == was.Proof && sameGroups(is.Groups, was.Groups), nil
}

// isNobodys reports whether b gives the account to the next who comes: it is zero,
// or the mark of a release.
func (b Binding) isNobodys() bool { return b.Account == "" || !b.Released.IsZero() }

// after is what b becomes by a claim.
func (b Binding) after(c claim, since time.Time) (Binding, error) {
	if b.isNobodys() {
		b = Binding{Cluster: c.cluster, Account: c.account, Shared: c.shared, Since: since}
		if !c.shared {
			b.Issuer, b.Subject, b.User = c.who.Issuer, c.who.Subject, c.who.User
		}
	}
	switch {
	case b.Shared && !c.shared:
		return b, fmt.Errorf("the account %q was a shared one until now: release its binding, and the next person has it alone", b.Account)
	case !b.Shared && c.shared:
		return b, fmt.Errorf("the account %q is that of user %q of issuer %q alone, since %s: release its binding to share it", b.Account, b.User, b.Issuer, b.Since.Format(time.DateOnly))
	case !b.Shared && (b.Issuer != c.who.Issuer || b.Subject != c.who.Subject):
		return b, fmt.Errorf("the account %q is that of another person, user %q with the subject %q of issuer %q, since %s: release its binding if the two are the same, or the other is gone",
			b.Account, b.User, b.Subject, b.Issuer, b.Since.Format(time.DateOnly))
	}
	if c.groups {
		b.learn(c.who)
	}
	return b, nil
}

// The groups of a person that are kept; whatever is beyond gives no role.
const (
	maxGroups     = 1000
	maxGroupBytes = 32 << 10 // of all names
)

// countable returns the groups that count: the first ones, within the bounds. A
// name that is not UTF-8 cannot be kept as it is.
func countable(groups []string) []string {
	var kept []string
	size := 0
	for _, group := range groups {
		if size += len(group); len(kept) == maxGroups || size > maxGroupBytes {
			break
		}
		if utf8.ValidString(group) {
			kept = append(kept, group)
		}
	}
	return kept
}

// learn takes the groups of a newer proof. Of two proofs of the same moment, or
// without one, only what both tell counts.
func (b *Binding) learn(who porterhouse.Principal) {
	switch issued := who.Issued.UTC().Round(0); {
	case !b.Told || issued.After(b.Issued):
		b.Told, b.Issued, b.Proof, b.Groups = true, issued, who.Proof, countable(who.Groups)
	case issued.Equal(b.Issued):
		b.Groups = both(b.Groups, who.Groups)
	}
}

// groupsFor returns the groups that count for somebody who comes with another proof.
// What another processor told was meant for other rules: of that only what this
// proof tells as well.
func (b Binding) groupsFor(who porterhouse.Principal) []string {
	if b.Proof == who.Proof {
		return b.Groups
	}
	return both(b.Groups, who.Groups)
}

// both returns what is in both lists.
func both(one, other []string) []string {
	return slices.DeleteFunc(slices.Clone(one), func(group string) bool { return !slices.Contains(other, group) })
}

// sameGroups compares without regard to order.
func sameGroups(one, other []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(one))), slices.Compact(slices.Sorted(slices.Values(other))))
}

// since is when a new binding begins; zero: it only would.
func (b *Bindings) since(c claim) time.Time {
	if c.idle {
		return time.Time{}
	}
	return b.moment()
}

// moment is now, as it is stored.
func (b *Bindings) moment() time.Time {
	now := b.Now
	if now == nil {
		now = time.Now
	}
	return now().UTC().Round(0)
}

// event is what the audit record says of a binding.
func (b Binding) event(action string) audit.AccountEvent {
	return audit.AccountEvent{
		Action:  action,
		Who:     porterhouse.Principal{Issuer: b.Issuer, Subject: b.Subject, User: b.User},
		At:      porterhouse.Entry{Cluster: b.Cluster},
		Account: b.Account,
	}
}

func (b *Bindings) record(e audit.AccountEvent) error {
	if b.Audit == nil {
		return nil
	}
	return b.Audit.Account(e)
}
