package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"porterhouse"
)

// errand sees to one account. Of each name there is one at a time, for everybody
// who waits; it goes on when they do not.
type errand struct {
	wanted  Wanted
	before  made // what became of the account the last time
	done    chan struct{}
	lacking []string // wanted roles that could not be given
	err     error    // once done
}

const (
	// errandTime bounds one errand.
	errandTime = time.Minute
	// refusedTime is how long a refusal is remembered.
	refusedTime = 5 * time.Second
	// attempts is how often an errand looks again because others were faster, and
	// lagPause how much longer it waits each time: users that ClickHouse replicates
	// may be seen late.
	attempts = 6
	lagPause = 50 * time.Millisecond
)

// board joins the errand to an account, or begins it.
func (p *Provisioner) board(w Wanted) *errand {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.errands[w.Account.User]; e != nil {
		return e
	}
	w.Account.Roles = slices.Clone(w.Account.Roles) // it outlives the call
	e := &errand{wanted: w, before: p.made[w.Account.User], done: make(chan struct{})}
	p.errands[w.Account.User] = e
	go p.run(e)
	return e
}

// run carries an errand out and remembers what became of it.
func (p *Provisioner) run(e *errand) {
	ctx, cancel := context.WithTimeout(context.Background(), errandTime)
	defer cancel()
	name := e.wanted.Account.User
	begun := p.config.Now()
	e.err = p.see(ctx, e)
	noted := e.before.noted
	if e.err == nil {
		noted = p.note(ctx, name.String(), noted)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.errands, name)
	delete(p.made, name)
	m := made{wanted: e.wanted, until: begun.Add(p.config.Lifetime / 2), noted: noted, lacking: e.lacking, err: e.err}
	if kind, _ := porterhouse.Explain(e.err); e.err != nil {
		m.until = begun.Add(refusedTime)
		if kind != porterhouse.Refused {
			m.until = time.Time{} // asked again at once
		}
	}
	m.wanted.Who = porterhouse.Principal{} // not to be kept, least of all the token
	p.makeRoom()
	p.made[name] = m
	close(e.done)
}

// Close waits, until ctx ends, for the accounts that are being seen to, and lets go
// of the connections. Nothing may be asked of p after that.
func (p *Provisioner) Close(ctx context.Context) error {
	p.mu.RLock()
	underway := slices.Collect(maps.Values(p.errands))
	p.mu.RUnlock()
	var err error
	for _, e := range underway {
		select {
		case <-e.done:
		case <-ctx.Done():
			err = fmt.Errorf("directory: closed while accounts were being made or changed: %w", ctx.Err())
		}
	}
	return errors.Join(err, p.config.Admin.Close(ctx))
}

// makeRoom forgets what is outdated when there are too many accounts, and if that
// is not enough, any. The caller holds the lock.
func (p *Provisioner) makeRoom() {
	if len(p.made) < p.config.MaxAccounts {
		return
	}
	now := p.config.Now()
	maps.DeleteFunc(p.made, func(_ porterhouse.UserName, m made) bool { return !now.Before(m.until) })
	for name := range p.made {
		if len(p.made) < p.config.MaxAccounts {
			return
		}
		delete(p.made, name)
	}
}

// see makes an account as it is wanted. What a census says is enough to leave an
// account as it is, and to make one, because CREATE USER fails if there is one. To
// change or refuse one, it must have been taken since.
func (p *Provisioner) see(ctx context.Context, e *errand) error {
	w := e.wanted
	l, err := p.login(ctx)
	if err != nil {
		return err
	}
	id, begun := rand.Text(), p.ticks.Add(1)
	after := uint64(0)
	for attempt := 0; attempt < attempts; {
		c, err := p.census(ctx, w.Account.User, after)
		if err != nil {
			return err
		}
		course, refused := p.plan(w, c, l)
		if old := c.tick < begun; old && (refused != nil || len(course.steps) > 0 && !course.creates) {
			after = begun
			continue
		}
		if refused != nil {
			return p.refuse(w.Account.User, refused) // the Directory records it
		}
		if e.lacking = course.lacking; !slices.Equal(e.lacking, e.before.lacking) {
			p.warn(w, id, e.lacking)
		}
		if err = p.carryOut(ctx, w, id, course.steps); !changedMeanwhile(err) {
			return explain(err)
		}
		p.config.Log.Info("an account was changed by others meanwhile; looking again", "account", w.Account.User.String(), "error", err)
		after = p.ticks.Add(1)
		time.Sleep(time.Duration(attempt) * lagPause)
		attempt++
	}
	return &porterhouse.Error{
		Kind: porterhouse.Unavailable, Public: notMade,
		Err: fmt.Errorf("the account %q was changed by others each time", w.Account.User),
	}
}

// notMade is what a person is told when ClickHouse would not.
const notMade = "your ClickHouse account could not be made or changed; try again in a moment, and tell the operator if it lasts"

// explain makes the caller's error of a step's.
func explain(err error) error {
	exception, ok := errors.AsType[*porterhouse.Exception](err)
	switch {
	case !ok:
		return err
	case exception.Code == noProfile:
		return &porterhouse.Error{
			Kind: porterhouse.Refused, Err: err,
			Public: "the settings profile that your ClickHouse account must have does not exist; tell the operator",
		}
	}
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: notMade, Err: err}
}
