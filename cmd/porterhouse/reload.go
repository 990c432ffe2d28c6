package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse/audit"
	"porterhouse/clickhouse"
)

// lookEvery is how often the files of the configuration are looked at. A change is read
// when two looks saw the same, so that nobody is caught while writing.
const lookEvery = time.Second

// reloader puts a new configuration in force while the server goes on:
//
//	SIGHUP, or a file has changed ─▶ read strictly ─▶ changes? ─▶ connect ─▶ build ─▶ replace
//	                                      │              └ none, or some that need a restart
//	the old one stays, and the log says so ◀─ whatever went wrong, anywhere before replace
//
// What is in force is always what one file said as a whole: a file of which a part would
// need a restart is not put in force at all. The files are that of the configuration, those
// of the secrets that it names, and those whose tag says so in Config.
type reloader struct {
	server *server
	path   string
	env    func(string) (string, bool)
	hangup <-chan os.Signal

	written Config   // in force, as it was read: port 0 is port 0 there
	files   []string // to look at
	read    stamps   // of the files when they were read last
	seen    stamps   // of the look before; nil: nothing had changed
	problem string   // of the last reading; "": none

	finishing sync.WaitGroup // generations that were replaced
}

// newReloader is for a server of the configuration c, read from the file at path and files.
func newReloader(s *server, c Config, path string, files []string, env func(string) (string, bool), hangup <-chan os.Signal) *reloader {
	return &reloader{server: s, path: path, env: env, hangup: hangup, written: c, files: files, read: stampsOf(files)}
}

// run reloads until ctx ends.
func (r *reloader) run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	defer r.finishing.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangup:
			r.reload(ctx, hungUp)
		case <-ticker.C:
			if r.settled(stampsOf(r.files)) {
				r.reload(ctx, "its files have changed")
			}
		}
	}
}

// settled reports whether the files are others than those that were read, and nobody is
// at work on them.
func (r *reloader) settled(now stamps) bool {
	if now.same(r.read) {
		r.seen = nil
		return false
	}
	settled := r.seen != nil && now.same(r.seen)
	r.seen = now
	return settled
}

// hungUp is the reason of a reload that somebody asked for.
const hungUp = "SIGHUP"

// reload reads the configuration, and puts it in force where that can be.
func (r *reloader) reload(ctx context.Context, reason string) {
	log, counts := r.server.process.log, &r.server.process.reloads
	// The stamps are those from before the reading: what changes meanwhile is seen later.
	r.read, r.seen = stampsOf(r.files), nil
	found, err := r.next(ctx, reason)
	counts.failing.Store(err != nil)
	if err != nil {
		counts.failed.Add(1)
		if problem := err.Error(); problem != r.problem || reason == hungUp {
			r.problem = problem
			log.Error("the configuration was not reloaded; the one before stays in force", "reason", reason, "error", err)
			r.recordFailure(found, reason)
		}
		return
	}
	r.problem = ""
	if found.none() {
		level := slog.LevelDebug
		if reason == hungUp {
			level = slog.LevelInfo // whoever sent it wants to know
		}
		log.Log(ctx, level, "the configuration is as it was", "reason", reason)
		return
	}
	counts.done.Add(1)
	log.Info("the configuration was reloaded", "reason", reason, "changed", strings.Join(found.keys, ", "))
}

// next reads the files, and puts what they say in force.
func (r *reloader) next(ctx context.Context, reason string) (changes, error) {
	if info := r.read[r.path]; info != nil && !info.Mode().IsRegular() {
		return changes{}, fmt.Errorf("configuration: %s is not a regular file, and can be read at the start only", r.path)
	}
	c, files, err := readConfig(r.path, r.env)
	r.files = files
	if err != nil {
		return changes{}, err
	}
	return r.put(ctx, c, reason)
}

// put puts c in force, if anything in it has changed and the record has a line of it.
func (r *reloader) put(ctx context.Context, c Config, reason string) (changes, error) {
	found := changesOf(r.written, c)
	switch {
	case found.none():
		return found, nil
	case len(found.restart) > 0:
		return found, fmt.Errorf("these keys need a restart, until which nothing of the new configuration holds: %s", strings.Join(found.restart, ", "))
	}
	p := r.server.process
	before, err := r.server.turn(c, func() error {
		return p.audit.Reload(audit.ReloadEvent{Reason: reason, Before: r.written.fingerprint(), After: found.fingerprint, Changed: found.keys})
	})
	if err != nil {
		return found, err
	}
	for _, weakening := range c.weakenings() {
		if !slices.Contains(r.written.weakenings(), weakening) {
			p.log.Warn("the configuration allows what is refused without it", "key", weakening)
		}
	}
	r.written = c
	r.finishing.Go(func() { p.finish(ctx, before) })
	r.finishing.Go(func() { r.server.lookAround(ctx) })
	return found, nil
}

// recordFailure writes that nothing new was put in force.
func (r *reloader) recordFailure(found changes, reason string) {
	p := r.server.process
	if err := p.audit.Reload(audit.ReloadEvent{
		Reason: reason, Before: r.written.fingerprint(), After: found.fingerprint, Changed: found.keys, Restart: found.restart, Failed: true,
	}); err != nil {
		p.log.Error("the audit record does not tell of a configuration that was not put in force", "error", err)
	}
}

// turn builds the generation of c and puts it in force, once record has told of it. It
// returns the one before, which still answers whoever it has begun to answer.
func (s *server) turn(c Config, record func() error) (before *generation, err error) {
	p := s.process
	c = s.addressed(c)
	r, err := p.connect(c, p.generation.Load().reach)
	if err != nil {
		return nil, err
	}
	g, err := build(c, setup{p, r})
	if err == nil {
		err = record()
	}
	if err != nil {
		p.letGo(context.Background(), r) // of what is new in it, which nobody has used
		return nil, err
	}
	newcomers(p.generation.Load().reach, r)
	handOver(p.generation.Load().reach, r)
	before = p.replace(g)
	handOver(before.reach, r) // what has begun meanwhile
	return before, nil
}

// handOver tells the clients of now which sessions with state were those of before.
func handOver(before, now *reach) {
	for server, client := range now.clients {
		if old := before.clients[server]; old != nil && old != client {
			clickhouse.HandOver(old, client)
		}
	}
}

// lookAround tells the log what is wrong with those whom the generation in force asks. All
// of them may be well later.
func (s *server) lookAround(ctx context.Context) {
	var looks sync.WaitGroup
	looks.Go(func() { s.lookAtClusters(ctx) })
	looks.Go(func() { s.lookAtProvisioners(ctx) })
	_ = s.lookAtSignIn(ctx) // the log has it; nobody gets in by a demonstration
	looks.Wait()
}

// addressed is c with the addresses that we listen on already, where the system chose a
// free port. Otherwise they are the same: a change of one needs a restart.
func (s *server) addressed(c Config) Config {
	c.Listen = s.config.Listen
	c.ClickHouseHTTP.Listen = s.config.ClickHouseHTTP.Listen
	if c.ClickHouseHTTP.TLS != nil {
		with := *c.ClickHouseHTTP.TLS
		with.Listen = s.config.ClickHouseHTTP.TLS.Listen
		c.ClickHouseHTTP.TLS = &with
	}
	return c
}

// reloads counts what became of new configurations.
type reloads struct {
	done, failed atomic.Uint64
	failing      atomic.Bool  // the last one could not be put in force
	at           atomic.Int64 // Unix time since when this one is in force
}

func (r *reloads) collect(send report) {
	failing := 0.0
	if r.failing.Load() {
		failing = 1
	}
	send(counter, "config_reloads_total", "Configurations that were put in force without a restart.", float64(r.done.Load()))
	send(counter, "config_reload_failures_total", "Configurations that could not be; the one before stayed in force.", float64(r.failed.Load()))
	send(gauge, "config_reload_failing", "1 while the files hold a configuration that could not be put in force.", failing)
	send(gauge, "config_loaded_seconds", "Unix time since when the configuration is in force.", float64(r.at.Load()))
}
