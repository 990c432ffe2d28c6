package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
)

// site is what is measured: a Porterhouse and the ClickHouse behind it.
type site struct {
	endpoint *url.URL // of MCP
	tokens   []string // of everybody, the one first who is the account of EXECUTE AS
	database *database

	people []person // the same, where their accounts are known
	door   *url.URL // of ClickHouse's HTTP interface, in the access mode verify; nil: not known
	native string   // where ClickHouse speaks its native protocol; "": not known

	demo *child // nil: it ran before us, and goes on after us
	dir  string // of the demo
}

// openSite starts the demo in an access mode, or takes the server that the options name.
func openSite(ctx context.Context, o options, mode accessMode) (*site, error) {
	s := &site{tokens: o.tokens}
	if o.url == "" {
		if err := s.startDemo(ctx, &o, mode); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if o.door != "" && s.demo == nil {
		s.people = []person{{o.account, o.tokens[0]}}
	}
	var err1, err2, err3 error
	s.endpoint, err1 = parseURL(o.url)
	if o.door != "" {
		s.door, err3 = parseURL(o.door)
	}
	s.database, err2 = newDatabase(o.clickhouse)
	if err2 == nil {
		s.database.pid, err2 = listener(s.database.url)
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// startDemo starts the demo in a directory of its own, and writes where it is
// into o.
func (s *site) startDemo(ctx context.Context, o *options, mode accessMode) (err error) {
	if s.dir, err = os.MkdirTemp("", "porterhouse-bench-"); err != nil {
		return err
	}
	child, d, err := startDemo(ctx, o.program, s.dir, mode)
	if err != nil {
		return err
	}
	s.demo = child
	for _, account := range slices.Sorted(maps.Keys(d.People)) {
		s.tokens = append(s.tokens, d.People[account])
		s.people = append(s.people, person{account, d.People[account]})
	}
	o.url, o.door, s.native = d.MCP, d.HTTP, d.ClickHouse.Native
	u, err := url.Parse(d.ClickHouse.HTTP)
	if err != nil {
		return fmt.Errorf("the demo's ClickHouse: %w", err)
	}
	u.User = url.UserPassword(d.ClickHouse.User, d.ClickHouse.Password)
	o.clickhouse = u.String()
	return nil
}

// close stops what openSite started and removes what it left.
func (s *site) close() error {
	var err error
	if s.demo != nil {
		err = s.demo.stop()
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// measure adds to r what work measures, on a site of its own in an access mode.
func measure(ctx context.Context, o options, mode accessMode, r *report, work func(*site) error) error {
	s, err := openSite(ctx, o, mode)
	if err != nil {
		return err
	}
	version, err := s.database.rows(ctx, "SELECT version()")
	if err == nil {
		r.Machine.ClickHouse = version[0][0]
		err = work(s)
	}
	return errors.Join(err, s.close())
}

// measureMCP adds what is measured of the MCP door to r.
func (s *site) measureMCP(ctx context.Context, o options, r *report, log io.Writer) error {
	life, err := s.database.connectionLife(ctx)
	if err != nil {
		return err
	}
	blocks, err := s.blocks(ctx, o)
	if err != nil {
		return err
	}
	if err := s.addFresh(ctx, o, r, log); err != nil {
		return err
	}
	l := load{database: s.database, warm: o.warm, slice: o.slice}
	err = l.rounds(ctx, o.rounds, blocks, func(round int) { fmt.Fprintf(log, "round %d of %d\n", round+1, o.rounds) })
	if err != nil {
		return err
	}
	if r.Rows, err = summarize(ctx, s.database, blocks); err != nil {
		return err
	}
	r.Figures = slices.Concat(theGoals().loadFigures(r.Rows, life), r.Figures)
	return nil
}

// addFresh adds the figures of servers started afresh to r. They come first in a
// run: they are quick, and what is missing on the machine shows at once.
func (s *site) addFresh(ctx context.Context, o options, r *report, log io.Writer) (err error) {
	if s.demo == nil {
		r.Skipped = append(r.Skipped, "memory, time to ready, tokens and size, which need a server of our own (no -url)")
		return nil
	}
	fmt.Fprintln(log, "servers started afresh")
	dir := filepath.Join(s.dir, "fresh")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	f, err := newFresh(ctx, o.program, dir, o.account, s.database, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if r.Machine.Version, err = f.output(ctx, "version"); err != nil {
		return err
	}
	r.Figures, err = f.figures(ctx, theGoals(), o.clients)
	return err
}

// method says how the table came to be.
func method(o options) string {
	return fmt.Sprintf("%d rounds of turns of %v, interleaved, one connection for each caller; answers/s and shares are medians of the rounds "+
		"(in parentheses: the least and the most), percentiles are over all of them. ClickHouse answers in %s, as Porterhouse asks it to, and at the HTTP door in its own default.", o.rounds, o.slice, answerFormat)
}

// blocks are all targets of the MCP door, the reference first.
func (s *site) blocks(ctx context.Context, o options) ([]block, error) {
	targets := straightTargets(s.database, o.account)
	targets = append(targets, ourTargets(s.endpoint, s.tokens)...)
	return s.blocksOf(ctx, o, append(targets, o.others...))
}

// blocksOf are those targets under each workload at each concurrency.
func (s *site) blocksOf(ctx context.Context, o options, targets []*target) ([]block, error) {
	for _, t := range targets {
		if t.protocol == straight {
			continue // it is ClickHouse itself, whose time has its own column
		}
		var err error
		if t.pid, err = listener(t.url); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	var blocks []block
	for _, w := range workloads() {
		if err := w.learn(ctx, s.database); err != nil {
			return nil, err
		}
		for _, n := range o.levels {
			var b block
			for _, t := range targets {
				b = append(b, &cell{target: t, workload: w, concurrency: n})
			}
			blocks = append(blocks, b)
		}
	}
	return blocks, nil
}
