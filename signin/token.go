package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/audit"
)

// Tokens of a provider, for somebody who signed in:
//
//	the login, as the store has it ─▶ ended? ─▶ nothing, whatever is remembered
//	  │
//	remembered? ───────────────────────────────▶ that one
//	  │ no
//	lease of the login, the one of recheck.go
//	  │
//	Provider.Tokens ─▶ a token ─▶ what it gave for the next time is stored, then the audit record is written and the token remembered
//	                ─▶ no      ─▶ to the person? Provider.Recheck tells: the login ends, or only this is not to be had
//	                ─▶ away    ─▶ nobody can tell
//
// Tokens are in memory alone: each replica gets its own, one at a time.
type tokens struct {
	rechecks *rechecks

	mu         sync.Mutex
	remembered map[tokenFor]told
	tidied     time.Time // when those that have ended were taken out
}

// tokenFor is of which login a token is, and for what.
type tokenFor struct{ login, purpose string }

// told is what a provider said: a token, or why there is none.
type told struct {
	token porterhouse.Secret
	err   error
	until time.Time // when it is asked again
}

const (
	maxTokens    = 10_000           // that are remembered; who falls out is asked for again
	tokenTime    = 8 * time.Second  // for the provider: together with askTime less than renewTime
	failureLife  = 10 * time.Second // how long nobody asks again in vain
	longestToken = time.Hour        // that one is remembered, however long it lives
	unknownToken = time.Minute      // that one is remembered whose end nobody knows
	tokenMargin  = 30 * time.Second // before its end a token is not used any more; at most a quarter of its life
)

func newTokens(r *rechecks) *tokens {
	return &tokens{rechecks: r, remembered: map[tokenFor]told{}}
}

// run is SignIn.Token.
func (t *tokens) run(ctx context.Context, who porterhouse.Principal, purpose string) (porterhouse.Secret, error) {
	if who.Login == "" {
		return porterhouse.Secret{}, nil
	}
	waiting, cancel := context.WithTimeoutCause(ctx, waitTime, errBusy)
	defer cancel()
	wanted := tokenFor{who.Login, purpose}
	for {
		p, err := t.standing(ctx, who, wanted)
		if err != nil || p.Tokens[purpose] == nil {
			return porterhouse.Secret{}, err
		}
		if known, ok := t.recall(wanted); ok {
			return known.token, known.err
		}
		var now told
		ours, err := t.rechecks.holding(ctx, who.Login, func(ctx context.Context) { now = t.renew(ctx, wanted, who.Client) })
		if ours {
			return now.token, now.err
		}
		if err == nil {
			err = pause(waiting)
		}
		if err != nil {
			return porterhouse.Secret{}, err
		}
	}
}

// standing makes sure that the login has not ended, on any replica, and is theirs.
func (t *tokens) standing(ctx context.Context, who porterhouse.Principal, wanted tokenFor) (Provider, error) {
	l, p, err := t.rechecks.logins.load(ctx, wanted.login)
	if is(err, porterhouse.Unauthenticated) {
		t.forget(wanted)
	}
	if err != nil {
		return Provider{}, err
	}
	if l.principal().Key() != who.Key() || l.Proof != who.Proof {
		return Provider{}, ended(errors.New("it is somebody else's"))
	}
	return p, nil
}

// renew asks the provider, for whoever has the lease and came by a client, and remembers
// what it says.
func (t *tokens) renew(ctx context.Context, wanted tokenFor, client string) told {
	if known, ok := t.recall(wanted); ok { // whoever had the lease before has asked
		return known
	}
	r := t.rechecks
	l, p, err := r.logins.load(ctx, wanted.login)
	if err != nil {
		return told{err: err}
	}
	event := audit.AccessEvent{Action: "forward", Who: l.principal(), Client: client, For: p.For[wanted.purpose], Cluster: wanted.purpose, Reason: "refresh token"}
	next := l
	granted, err := t.ask(ctx, &next, p, wanted.purpose)
	if is(err, porterhouse.Unauthenticated, porterhouse.Refused) {
		if no := r.ask(ctx, &next, p); no != nil {
			return told{err: errors.Join(r.dismiss(ctx, l, p, no), t.record(event, err))}
		}
	}
	lost := r.logins.replace(ctx, l, next) // what the provider gave for the next time is in it
	if unwritten := t.record(event, err); lost == nil {
		lost = unwritten
	}
	if lost != nil {
		return told{err: lost}
	}
	if err != nil {
		err = t.explain(ctx, l, p, err)
	}
	return t.remember(wanted, granted, err)
}

// ask gets a token. What the provider gave for the next time is the login's, also beside
// an error.
func (t *tokens) ask(ctx context.Context, l *login, p Provider, purpose string) (Granted, error) {
	get := p.Tokens[purpose]
	if get == nil {
		return Granted{}, porterhouse.Errorf(porterhouse.Refused, "%s has no tokens for this purpose any more", p.label())
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	granted, kept, err := get(ctx, l.principal(), l.Kept)
	if kept != (Kept{}) {
		l.Kept = kept
	}
	return granted, err
}

// record writes that the provider was asked, before anybody has what it gave.
func (t *tokens) record(e audit.AccessEvent, outcome error) error {
	e.Err = outcome
	return t.rechecks.audit.Access(e)
}

// explain says why there is no token, to the person and to the operator.
func (t *tokens) explain(ctx context.Context, l login, p Provider, err error) error {
	t.rechecks.log.LogAttrs(ctx, slog.LevelWarn, "a provider gives no token to be shown to ClickHouse",
		slog.String("provider", p.Name), slog.String("login", l.id), slog.String("user", l.User), slog.Any("cause", err))
	if is(err, porterhouse.Unauthenticated, porterhouse.Refused) {
		return &porterhouse.Error{Kind: porterhouse.Refused, Err: err,
			Public: fmt.Sprintf("%s gives no token for ClickHouse on your behalf, although you are signed in: sign in again, and tell the operator of this server if it stays so", p.label())}
	}
	t.rechecks.counts.away.Add(1)
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Err: err,
		Public: fmt.Sprintf("%s cannot be asked for the token that ClickHouse needs; try again in a minute", p.label())}
}

// recall returns what is remembered.
func (t *tokens) recall(wanted tokenFor) (told, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.remembered[wanted]
	return known, ok && t.rechecks.logins.now().Before(known.until)
}

func (t *tokens) forget(wanted tokenFor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.remembered, wanted)
}

// remember keeps what a provider said, for as long as it is good.
func (t *tokens) remember(wanted tokenFor, granted Granted, err error) told {
	now := t.rechecks.logins.now()
	said := told{granted.Token, err, granted.until(now)}
	if err != nil {
		said = told{err: err, until: now.Add(failureLife)}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.tidied) >= unknownToken {
		maps.DeleteFunc(t.remembered, func(_ tokenFor, was told) bool { return !now.Before(was.until) })
		t.tidied = now
	}
	for other := range t.remembered {
		if len(t.remembered) < maxTokens {
			break
		}
		delete(t.remembered, other) // whichever comes first
	}
	t.remembered[wanted] = said
	return said
}

// until is how long a token is good to be used: shortly before its own end it is not.
func (g Granted) until(now time.Time) time.Time {
	if g.Expires.IsZero() {
		return now.Add(unknownToken)
	}
	left := g.Expires.Sub(now)
	return now.Add(min(left-min(left/4, tokenMargin), longestToken))
}
