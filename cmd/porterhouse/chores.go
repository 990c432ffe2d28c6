package main

import (
	"context"
	"errors"
	"time"

	"porterhouse/directory"
)

// How often the regular work is done.
const (
	flushEvery  = time.Minute
	retireEvery = time.Hour
)

// chores does what is due now and then, until ctx ends.
func (p *process) chores(ctx context.Context) {
	flush, retire := time.NewTicker(flushEvery), time.NewTicker(retireEvery)
	defer flush.Stop()
	defer retire.Stop()
	p.retireAll(ctx)
	for {
		select {
		case <-ctx.Done():
			p.flush()
			return
		case <-flush.C:
			p.flush()
		case <-retire.C:
			p.retireAll(ctx)
		}
	}
}

// flush records the logins that were counted and not told yet.
func (p *process) flush() {
	if g := p.generation.Load(); g != nil {
		for _, door := range g.authenticators {
			door.Flush()
		}
	}
}

// retireAll retires the accounts of people who are gone, where that is configured.
func (p *process) retireAll(ctx context.Context) {
	g := p.enter()
	defer g.leave()
	c := g.config
	for _, name := range c.clusterNames() {
		provision := c.Clusters[name].Provision
		if provision == nil || provision.DisableAfter == 0 {
			continue
		}
		if err := p.retire(ctx, name, g.reach.provisioners[name], provision); err != nil && ctx.Err() == nil {
			p.log.Warn("accounts of people who are gone could not be looked for; it is tried again in an hour", "cluster", name, "error", err)
		}
	}
}

// retire disables what nobody has wanted for long, and drops what nobody has wanted
// for longer. What cannot be retired keeps nothing else from it.
func (p *process) retire(ctx context.Context, cluster string, provisioner *directory.Provisioner, o *ProvisionConfig) error {
	absent, err := provisioner.Absent(ctx, days(o.DisableAfter))
	if err != nil {
		return err
	}
	var failed []error
	now := p.now()
	for _, a := range absent {
		do, done := provisioner.Disable, "disabled"
		if o.drops(a, now) {
			do, done = provisioner.Drop, "dropped"
		}
		if err := do(ctx, a.Account); err != nil {
			failed = append(failed, err)
			continue
		}
		if done == "dropped" || now.Sub(a.Reported) < retireEvery { // a disabled one is met again each hour
			p.log.Warn("nobody has wanted this account for long", "account", a.Account.String(), "cluster", cluster, "seen", a.Seen, "done", done)
		}
	}
	return errors.Join(failed...)
}

// minReported is how long an account was reported and disabled before it is
// dropped, however long nobody has wanted it: after a long stop of ours, or the day
// that drop_after is configured, it can still be missed.
const minReported = 24 * time.Hour

// drops reports whether an absent account is dropped now.
func (o *ProvisionConfig) drops(a directory.Absence, now time.Time) bool {
	return o.DropAfter > 0 && now.Sub(a.Seen) >= o.DropAfter && now.Sub(a.Reported) >= minReported
}

// days is a time in whole days; at least one.
func days(d time.Duration) int { return max(1, int(d/(24*time.Hour))) }

// lookAtProvisioners says in the log of the start what would keep accounts from
// being made, or more from being kept safe.
func (s *server) lookAtProvisioners(ctx context.Context) {
	g := s.process.enter()
	defer g.leave()
	for name, provisioner := range g.reach.provisioners {
		if provisioner == nil {
			continue
		}
		if err := provisioner.Check(ctx); err != nil && ctx.Err() == nil {
			s.process.log.Warn("the provisioner is not as it should be; porterhouse check grants prints what it needs", "cluster", name, "findings", err)
		}
	}
}
