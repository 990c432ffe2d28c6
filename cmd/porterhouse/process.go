package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/identity"
	"porterhouse/kv"
	"porterhouse/mcpserver"
	"porterhouse/ticket"
)

// process is what lives as long as the process: it outlives every generation
// of rules.
type process struct {
	log       *slog.Logger
	now       func() time.Time // the clock of every room
	audit     *audit.Log
	people    *gate.People
	windows   *gate.Windows
	tokens    *identity.Tokens // nil: there are no API tokens
	providers *identity.Providers
	store     kv.Store
	forgetful bool // the store does not know whom our accounts were made for
	accounts  *directory.State
	ownKey    func(ctx context.Context, id string) (*ecdsa.PublicKey, error) // that verifies our own tokens; nil: there are none
	desks     map[string]*ticket.Desk                                        // of the clusters whose ClickHouse asks us, by cluster
	signing   *signing                                                       // nil: nobody can sign in here
	passwords *passwords                                                     // of ClickHouse's own users
	mcp       *mcpserver.State

	clients      map[string]*clickhouse.Client     // by cluster
	provisioners map[string]*directory.Provisioner // by cluster; none where accounts are made by hand
	metrics      *metrics

	generation atomic.Pointer[generation] // the current one; nil before the first
}

// openProcess opens the audit record, the store, the tokens and the pools of
// clients, all by one clock. It asks nobody anything yet. The record is opened last, and
// the store before it: what fails before them leaves nothing that would have to be closed.
func openProcess(c Config, log *slog.Logger, now func() time.Time) (*process, error) {
	p := &process{
		log: log, now: now, people: &gate.People{}, accounts: directory.NewState(0), forgetful: c.KV.Memory,
		desks: make(map[string]*ticket.Desk), passwords: newPasswords(now), mcp: mcpserver.NewState(mcpserver.StateConfig{Version: version, Log: log, Now: now}),
		clients: make(map[string]*clickhouse.Client), provisioners: make(map[string]*directory.Provisioner),
	}
	var err error
	for name, cluster := range c.Clusters {
		config, err := cluster.client(log)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", name, err)
		}
		if config.Access.Mode == clickhouse.Verify {
			config.Access.Mint = p.mint(name, cluster.Authenticator.name())
		}
		if p.clients[name], err = clickhouse.New(config); err != nil {
			return nil, fmt.Errorf("cluster %s: %w", name, err)
		}
	}
	if c.Tokens.File != "" {
		if p.tokens, err = identity.NewTokens(c.Tokens.identity(log, now)); err != nil {
			return nil, err
		}
	}
	if p.providers, err = c.providers(log, now); err != nil {
		return nil, err
	}
	if p.store, err = c.KV.open(c.Audit, now); err != nil {
		return nil, err
	}
	p.windows = gate.NewWindows(c.KV.windows(p.store, log, now))
	if p.audit, err = audit.Open(c.Audit.log(log, now)); err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	for name := range c.Clusters {
		if p.provisioners[name], err = c.provisioner(name, p); err == nil && c.Clusters[name].Authenticator != nil {
			p.desks[name], err = c.desk(name, p.store, now)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("cluster %s: %w", name, err), p.audit.Close(), p.store.Close())
		}
	}
	p.metrics = newMetrics(p)
	return p, nil
}

// close lets go of everything: statements under way are stopped first, and
// their ends still reach the record. It gives up waiting when ctx ends: that a
// ClickHouse does not answer is no failure of ours.
func (p *process) close(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(p.clients)) {
		if err := p.clients[name].Close(ctx); err != nil {
			p.log.Warn("ClickHouse was not let go of in order", "cluster", name, "error", err)
		}
		if provisioner := p.provisioners[name]; provisioner != nil {
			if err := provisioner.Close(ctx); err != nil {
				p.log.Warn("the provisioner was not let go of in order", "cluster", name, "error", err)
			}
		}
	}
	return errors.Join(p.audit.Close(), p.store.Close())
}

// run does the regular work of the audit record, of the signing keys and of the windows
// until ctx ends.
func (p *process) run(ctx context.Context) (wait func()) {
	var wg sync.WaitGroup
	if p.signing != nil {
		wg.Go(func() { p.signing.run(ctx, p.log) })
	}
	wg.Go(func() { tidy(ctx) })
	wg.Go(func() {
		if err := p.windows.Run(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("windows are not shared with the other replicas any more; each counts alone", "error", err)
		}
	})
	wg.Go(func() {
		if err := p.audit.Run(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("the audit record's regular work ended; new questions are still recorded", "error", err)
		}
	})
	return wg.Wait
}

// shutdownTime is how long running requests may go on after a signal.
const shutdownTime = 10 * time.Second
