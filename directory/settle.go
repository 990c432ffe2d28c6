package directory

import (
	"cmp"
	"context"
	"errors"
	"time"

	"porterhouse"
	"porterhouse/audit"
)

const (
	refusalLife = 10 * time.Second // how long a refusal is remembered, and recorded once
	patience    = 5                // how often an account is begun anew because its groups changed meanwhile
)

// inquiry is one search for an account.
type inquiry struct {
	who     porterhouse.Principal
	at      porterhouse.Entry
	because *trail // nil unless somebody wants to know
	idle    bool   // look only
}

// wish is an account as the rules want it, and what it rests on.
type wish struct {
	Wanted
	local   bool    // not ours to see to
	binding Binding // of the person's own account
}

// lead finds the account for all who wait for it, and remembers it.
func (d *Directory) lead(ctx context.Context, f *flight, m placed) (porterhouse.Account, error) {
	defer d.state.land(f)
	account, err := d.settle(ctx, m, f.inquiry)
	life := d.lifetime
	if errors.Is(err, errOrphan) {
		d.provisioner.config.Log.Warn("somebody was kept from an account", "cluster", f.home.cluster, "user", f.who.User, "issuer", f.who.Issuer, "reason", reasonOf(err))
	}
	if isRefused(err) {
		err = errors.Join(err, d.recordRefusal(f.inquiry, m, err))
		life = min(life, refusalLife)
	}
	d.state.count(err)
	f.err = err
	if err == nil || isRefused(err) {
		d.state.remember(f.asked, d.state.answer(f, account, err, d.now().Add(life)))
	}
	return account, err
}

func isRefused(err error) bool {
	kind, _ := porterhouse.Explain(err)
	return err != nil && kind == porterhouse.Refused
}

// recordRefusal writes down that somebody was kept from an account, and why.
func (d *Directory) recordRefusal(in inquiry, m placed, refused error) error {
	if d.audit == nil {
		return nil
	}
	return d.audit.Account(audit.AccountEvent{
		Action:  "refuse",
		Who:     in.who,
		At:      in.at,
		Account: m.user.String(),
		Reason:  reasonOf(refused),
		Err:     refused,
	})
}

// reasonOf is the private half of a refusal.
func reasonOf(err error) string {
	var refused *porterhouse.Error
	if errors.As(err, &refused) && refused.Err != nil {
		return refused.Err.Error()
	}
	return err.Error()
}

// settle carries out what is wanted. What another process made of the account
// meanwhile is seen when its binding has changed; then it is done over, so that the
// last to see to it knew the newest groups.
func (d *Directory) settle(ctx context.Context, m placed, in inquiry) (porterhouse.Account, error) {
	for range patience {
		w, err := d.want(ctx, m, in)
		if err != nil || w.local {
			return w.Account, err
		}
		if err := d.provisioner.Ensure(ctx, w.Wanted); err != nil {
			return porterhouse.Account{}, err
		}
		same, err := d.bindings.stands(ctx, w.binding)
		if err != nil {
			return porterhouse.Account{}, err
		}
		if same {
			return w.Account, nil
		}
	}
	return porterhouse.Account{}, porterhouse.Errorf(porterhouse.Unavailable, "your groups change faster than they can be carried out; try again later")
}

// want finds out what the account should be.
func (d *Directory) want(ctx context.Context, m placed, in inquiry) (wish, error) {
	local, err := d.isLocal(ctx, m, in)
	if err != nil {
		return wish{}, err
	}
	w := wish{local: local, Wanted: Wanted{Account: porterhouse.Account{User: m.user}, Who: in.who, At: in.at, Shared: m.rules.shared}}
	if w.binding, err = d.bind(ctx, m, in, local); err != nil {
		return wish{}, err
	}
	if local {
		in.because.say("the roles and the profile of a local user are left as they are")
		return w, nil
	}
	w.Account.Roles, w.Account.Profile = m.rules.roles.of(w.binding.groupsFor(in.who), in.because), m.rules.profile
	if p := m.persona; p != nil {
		w.Persona, w.Constraints = true, p.constraints
		w.Account.Roles = p.narrow(w.Account.Roles, in.because)
		w.Account.Profile = cmp.Or(p.profile, m.rules.profile)
	}
	return w, nil
}

// bind makes the account the person's, or finds that it is. A persona takes the
// person's own account too: its roles follow from the groups kept there.
func (d *Directory) bind(ctx context.Context, m placed, in inquiry, local bool) (Binding, error) {
	if d.bindings == nil {
		return Binding{}, nil
	}
	c := claim{who: in.who, cluster: in.at.Cluster, account: m.base.String(), shared: m.rules.shared, idle: in.idle, made: d.made(m, m.base)}
	c.groups = !local && m.rules.roles.byGroup
	own, changed, err := d.bindings.claim(ctx, c)
	if err != nil {
		return Binding{}, refused(in, err)
	}
	if changed && !in.idle {
		d.state.version(home{c.cluster, c.account}).Add(1)
	}
	in.because.binding(own, in.who, c)
	if m.persona == nil {
		return own, nil
	}
	c.account, c.groups, c.made = m.user.String(), false, d.made(m, m.user)
	its, _, err := d.bindings.claim(ctx, c)
	if err != nil {
		return Binding{}, refused(in, err)
	}
	in.because.binding(its, in.who, c)
	return own, nil
}
