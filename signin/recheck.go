package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"porterhouse"
	"porterhouse/audit"
)

// Asking a provider again:
//
//	fresh? ──────────────────────────────▶ as they were
//	  │ no
//	lease of the login (one replica, one caller; the others wait and look again)
//	  │
//	Provider.Recheck ─▶ yes   ─▶ as they are now, and what it gave us for the next time
//	                 ─▶ no    ─▶ the login ends
//	                 ─▶ away  ─▶ as they were, while the last yes is within Grace
//
// One at a time, because some providers end everything when a refresh token is used
// twice. Once begun it goes on without its caller: the new refresh token must be kept.
const (
	leaseStore = "lease/"
	leaseLife  = 40 * time.Second       // longer than renewing takes at most
	renewTime  = 30 * time.Second       // for the provider and the store
	askTime    = 20 * time.Second       // for the provider
	waitTime   = 25 * time.Second       // for somebody else who renews
	lookEvery  = 100 * time.Millisecond // whether they have
)

// rechecks asks providers again.
type rechecks struct {
	logins *logins
	audit  *audit.Log
	log    *slog.Logger
	counts *counts
}

// run is SignIn.Recheck.
func (r *rechecks) run(ctx context.Context, who porterhouse.Principal) (porterhouse.Principal, error) {
	waiting, cancel := context.WithTimeoutCause(ctx, waitTime, errBusy)
	defer cancel()
	for {
		l, p, err := r.logins.load(ctx, who.TokenID)
		if err != nil {
			return porterhouse.Principal{}, err
		}
		if l.principal().Key() != who.Key() {
			return porterhouse.Principal{}, ended(errors.New("it is somebody else's"))
		}
		if l.Held && r.fresh(l) {
			return r.standing(l, p)
		}
		var now porterhouse.Principal
		var told error
		ours, err := r.holding(ctx, l.id, func(ctx context.Context) { now, told = r.renew(ctx, l.id) })
		if ours {
			return now, told
		}
		if err == nil {
			err = pause(waiting)
		}
		if err != nil {
			return porterhouse.Principal{}, err
		}
	}
}

var errBusy = &porterhouse.Error{
	Kind:   porterhouse.Unavailable,
	Public: "the identity provider has not answered yet whether you may still sign in; try again in a moment",
}

// pause waits before the next look.
func pause(ctx context.Context) error {
	select {
	case <-time.After(lookEvery):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fresh reports whether the provider was asked a moment ago, whatever it said.
func (r *rechecks) fresh(l login) bool {
	return r.logins.now().Sub(l.Asked).Abs() < r.logins.lives.Fresh
}

// standing is a login whose provider need not be asked now.
func (r *rechecks) standing(l login, p Provider) (porterhouse.Principal, error) {
	if p.canRecheck(l.Kept) && r.logins.now().Sub(l.Confirmed) > r.logins.lives.Grace {
		return porterhouse.Principal{}, &porterhouse.Error{
			Kind:   porterhouse.Unavailable,
			Public: fmt.Sprintf("%s cannot be asked whether you may still sign in; try again in a minute", p.label()),
		}
	}
	return l.principal(), nil
}

// holding does work under the lease of a login, unless somebody else has it, and gives it
// back. Work goes on without the caller.
func (r *rechecks) holding(ctx context.Context, id string, work func(context.Context)) (ours bool, err error) {
	owner := secret()
	if ours, err = r.logins.store.Swap(ctx, leaseStore+id, nil, []byte(owner), leaseLife); err != nil || !ours {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTime)
	defer cancel()
	defer func() {
		if _, err := r.logins.store.Swap(ctx, leaseStore+id, []byte(owner), nil, 0); err != nil {
			r.log.Warn("a lease was not given back, and ends by itself", "login", id, "error", err)
		}
	}()
	work(ctx)
	return true, nil
}

// renew asks, for whoever has the lease.
func (r *rechecks) renew(ctx context.Context, id string) (porterhouse.Principal, error) {
	l, p, err := r.logins.load(ctx, id) // again: whoever had the lease before has perhaps asked
	if err != nil {
		return porterhouse.Principal{}, err
	}
	next := l
	next.Held = true
	if !r.fresh(l) {
		if err := r.ask(ctx, &next, p); err != nil {
			return porterhouse.Principal{}, r.dismiss(ctx, l, p, err)
		}
	}
	if err := r.logins.replace(ctx, l, next); err != nil {
		return porterhouse.Principal{}, err
	}
	return r.standing(next, p)
}

// ask brings a login up to date. The error is the provider's no; its absence is none.
func (r *rechecks) ask(ctx context.Context, l *login, p Provider) error {
	now := r.logins.now()
	l.Asked = now
	if !p.canRecheck(l.Kept) {
		l.Ends = earliest(l.Ends, l.Confirmed.Add(r.logins.lives.WithoutRecheck))
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	who, kept, err := p.Recheck(ctx, l.principal(), l.Kept)
	switch {
	case is(err, porterhouse.Unauthenticated, porterhouse.Refused):
		return err
	case err != nil:
		r.counts.away.Add(1)
		r.log.LogAttrs(ctx, slog.LevelWarn, "a provider could not be asked about a person",
			slog.String("provider", p.Name), slog.String("login", l.id), slog.Time("confirmed", l.Confirmed), slog.Any("cause", err))
		if kept != (Kept{}) { // it may have changed the refresh token before it went away
			l.Kept = kept
		}
		return nil
	case who.Key() != l.principal().Key() || who.Proof != p.Name:
		return porterhouse.Errorf(porterhouse.Refused, "the provider names somebody else")
	}
	r.counts.rechecked.Add(1)
	l.learn(who, kept, now)
	return nil
}

// dismiss ends a login because the provider says no.
func (r *rechecks) dismiss(ctx context.Context, l login, p Provider, no error) error {
	r.counts.denied.Add(1)
	r.log.LogAttrs(ctx, slog.LevelInfo, "a provider says no to a person who was signed in",
		slog.String("provider", p.Name), slog.String("login", l.id), slog.String("user", l.User), slog.Any("cause", no))
	recorded := r.audit.Access(audit.AccessEvent{Action: "recheck", Who: l.principal(), Token: l.id, Err: no})
	_, deleted := r.logins.store.Swap(ctx, l.key(), l.sealed, nil, 0)
	if err := errors.Join(recorded, deleted); err != nil {
		r.log.Error("the end of a login could not be recorded or stored", "login", l.id, "error", err)
	}
	return &porterhouse.Error{
		Kind:   porterhouse.Unauthenticated,
		Public: fmt.Sprintf("%s does not say any more that this is you; sign in again", p.label()),
		Err:    no,
	}
}
