package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse/audit"
	"porterhouse/authserver"
	"porterhouse/blocks"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/kv"
	"porterhouse/mcpserver"
	"porterhouse/proxy"
	"porterhouse/signin"
)

// process is what lives as long as the process: it outlives every generation
// of rules.
type process struct {
	log       *slog.Logger
	now       func() time.Time // the clock of every room
	audit     *audit.Log
	people    *gate.People
	windows   *gate.Windows
	room      *blocks.Room      // for what we print ourselves, of all clusters
	spool     *clickhouse.Spool // for data of unknown length, of all clusters
	compared  *blocks.Room      // for what is compared, of all clusters
	store     kv.Store
	forgetful bool // the store does not know whom our accounts were made for
	accounts  *directory.State
	ownKey    func(ctx context.Context, id string) (*ecdsa.PublicKey, error) // that verifies our own tokens; nil: there are none
	signing   *signing                                                       // nil: nobody can sign in here
	passwords *passwords                                                     // of ClickHouse's own users
	mcp       *mcpserver.State
	strangers *proxy.Strangers
	signIns   *signin.Limits
	grants    *authserver.Limits

	metrics *metrics
	reloads reloads

	generation atomic.Pointer[generation] // the one in force; nil before the first

	stock  stock  // the parts of all reaches
	counts ledger // of parts and generations
}

// openProcess opens the audit record and the store, and connects to all that c leads to,
// by one clock. It asks nobody anything yet. The record is opened after the store: what
// fails before it leaves nothing that would have to be closed.
func openProcess(c Config, log *slog.Logger, now func() time.Time) (setup, error) {
	p := &process{
		log: log, now: now, people: &gate.People{}, room: clickhouse.NewRoom(), spool: clickhouse.NewSpool(), compared: clickhouse.NewShadowRoom(), accounts: directory.NewState(0), forgetful: c.KV.Memory, passwords: newPasswords(now),
		strangers: proxy.NewStrangers(), signIns: signin.NewLimits(), grants: authserver.NewLimits(now),
		mcp: mcpserver.NewState(mcpserver.StateConfig{Version: version, Log: log, Now: now}),
	}
	var err error
	if p.store, err = c.KV.open(c.Audit, now); err != nil {
		return setup{}, err
	}
	p.windows = gate.NewWindows(c.KV.windows(p.store, log, now))
	record := c.Audit.log(log, now)
	record.Settings = c.fingerprint()
	if p.audit, err = audit.Open(record); err != nil {
		return setup{}, errors.Join(err, p.store.Close())
	}
	r, err := p.connect(c, nil)
	if err != nil {
		return setup{}, errors.Join(err, p.audit.Close(), p.store.Close())
	}
	p.metrics = newMetrics(p)
	return setup{p, r}, nil
}

// close lets go of everything: statements under way are stopped first, and
// their ends still reach the record. It gives up waiting when ctx ends.
func (p *process) close(ctx context.Context) error {
	for held, name := range p.stock.all() {
		held.close(ctx, name, p.log)
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
