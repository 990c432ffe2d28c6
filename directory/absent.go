package directory

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/kv"
)

// Absence is an account of ours that nobody has wanted for long.
type Absence struct {
	Account  porterhouse.UserName
	Seen     time.Time // when it was last wanted, to a day; or when it was first found, if that is not known
	Reported time.Time // when it was first reported, since then
}

// presence is what Store keeps of an account.
type presence struct {
	Seen     time.Time `json:"seen"`
	Reported time.Time `json:"reported,omitzero"` // by Absent for the first time, since then
}

// noteEvery is how often Store is told that an account is wanted.
const noteEvery = 24 * time.Hour

// presences are what Store knows of accounts.
type presences struct{ *policy }

func (p *presences) key(name string) string {
	return "presence/" + p.config.Cluster + "/" + name
}

// note keeps that an account was wanted, once a day, and returns when it did; last
// is when it did before. That Store is away keeps nobody out.
func (p *presences) note(ctx context.Context, name string, last time.Time) time.Time {
	now := p.config.Now()
	if p.config.Store == nil || now.Sub(last) < noteEvery {
		return last
	}
	if err := p.keep(ctx, name, presence{Seen: now}); err != nil {
		p.config.Log.Warn("nobody will remember that an account was wanted", "account", name, "error", err)
		return last
	}
	return now
}

func (p *presences) keep(ctx context.Context, name string, is presence) error {
	text, err := json.Marshal(is)
	if err != nil {
		return err
	}
	return p.config.Store.Put(ctx, p.key(name), text, 0)
}

func (p *presences) read(ctx context.Context, name string) (is presence, err error) {
	text, err := p.config.Store.Get(ctx, p.key(name))
	if err != nil {
		return is, err
	}
	return is, json.Unmarshal(text, &is)
}

var errNoStore = porterhouse.Errorf(porterhouse.Invalid, "nothing keeps when accounts were wanted: configure a store")

// Absent reports the accounts of ours that nobody has wanted for so many days, by
// name. Only an account that was reported can be disabled or dropped. An account
// of which nothing is known is absent so many days after it was first looked for.
func (p *Provisioner) Absent(ctx context.Context, days int) (list []Absence, err error) {
	switch {
	case p.config.Store == nil:
		return nil, errNoStore
	case days < 1:
		return nil, porterhouse.Errorf(porterhouse.Invalid, "people are absent after a day or more, not after %d days", days)
	}
	c, err := p.census(ctx, porterhouse.UserName{}, p.ticks.Add(1))
	if err != nil {
		return nil, err
	}
	now := p.config.Now().UTC().Round(0)
	for _, name := range slices.Sorted(maps.Keys(c.users)) {
		user, err := porterhouse.ParseUserName(name)
		if err != nil || p.origin(name, c) != Ours {
			continue
		}
		is, err := p.report(ctx, name, now, time.Duration(days)*24*time.Hour)
		if err != nil {
			return nil, err
		}
		if !is.Reported.IsZero() {
			list = append(list, Absence{user, is.Seen, is.Reported})
		}
	}
	return list, nil
}

// report keeps that an account is first looked for now, or first reported; of one
// that is not absent for so long, Reported is zero.
func (p *presences) report(ctx context.Context, name string, now time.Time, absent time.Duration) (presence, error) {
	is, err := p.read(ctx, name)
	isUnknown := errors.Is(err, kv.ErrNotFound)
	if isUnknown {
		is, err = presence{Seen: now}, nil
	}
	isGone := now.Sub(is.Seen) >= absent
	if err == nil && (isUnknown || isGone && is.Reported.IsZero()) {
		if isGone {
			is.Reported = now
		}
		err = p.keep(ctx, name, is)
	}
	if !isGone {
		is.Reported = time.Time{} // for fewer days, and not for so many
	}
	return is, err
}

// Disable takes from an account that Absent reported the roles that are ours to
// take, and keeps the gateway from acting as it. When the person comes back, Ensure
// restores it.
func (p *Provisioner) Disable(ctx context.Context, name porterhouse.UserName) error {
	return p.retire(ctx, name, func(d draft, why string) []step {
		var take []string
		for _, role := range d.census.users[d.name].roles {
			if d.census.handed[role] {
				take = append(take, role)
			}
		}
		steps := d.estrange(why)
		if len(take) > 0 {
			steps = append(steps, d.revoke(take, why))
		}
		return steps
	})
}

// Drop drops an account that Absent reported. When the person comes back, Ensure
// makes another one.
func (p *Provisioner) Drop(ctx context.Context, name porterhouse.UserName) error {
	return p.retire(ctx, name, func(d draft, why string) []step {
		drop := step{"drop", "DROP USER IF EXISTS " + clickhouse.QuoteName(d.name) + d.on, nil, why}
		return append(d.estrange(why), drop)
	})
}

// retire does the steps, if the account is ours, was reported, and was not wanted since.
func (p *Provisioner) retire(ctx context.Context, name porterhouse.UserName, steps func(d draft, why string) []step) error {
	if err := p.within(name); err != nil {
		return err
	}
	if p.config.Store == nil {
		return errNoStore
	}
	c, err := p.census(ctx, name, p.ticks.Add(1))
	if err != nil {
		return err
	}
	if origin := p.origin(name.String(), c); origin != Ours {
		return p.refuse(name, fmt.Errorf("it is %s, not ours to retire", origin))
	}
	is, err := p.presences.read(ctx, name.String())
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	if is.Reported.IsZero() {
		return porterhouse.Errorf(porterhouse.Refused, "the account %q was not reported as absent, or was wanted since", name)
	}
	w := Wanted{Account: porterhouse.Account{User: name}, At: porterhouse.Entry{Cluster: p.config.Cluster}}
	d := draft{policy: p.policy, name: name.String(), census: c}
	err = explain(p.carryOut(ctx, w, rand.Text(), steps(d, "nobody has wanted it since "+is.Seen.UTC().Format(time.DateOnly))))
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.made, name)
	return err
}
