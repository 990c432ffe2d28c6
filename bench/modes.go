package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// measureModes adds to r what MCP's query costs in the access mode verify, beside a
// process of ours in execute_as: in front of the same ClickHouse, in the same rounds.
// Verify has to reach the shares that execute_as has to.
func (s *site) measureModes(ctx context.Context, o options, r *report, log io.Writer) (err error) {
	if s.demo == nil {
		r.Skipped = append(r.Skipped, "MCP in verify beside execute_as, which needs servers of our own (no -url)")
		return nil
	}
	dir, err := os.MkdirTemp("", "porterhouse-bench-modes-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, err := newGateways(ctx, o, dir, s.database, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	other, err := g.start(ctx, executeAs, s.database.url, s.native)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.stop()) }()
	return s.compareModes(ctx, o, modeTargets(s, o.account, other, g.token), r, log)
}

// modeTargets are the statement straight to ClickHouse, and as a person's: by one server
// in verify, by another in execute_as.
func modeTargets(s *site, account string, other *gateway, token string) []*target {
	var mine []string // the account's own token, so that both servers do the same
	for _, p := range s.people {
		if p.account == account {
			mine = append(mine, p.token)
		}
	}
	return append(straightTargets(s.database, account),
		ourTarget(string(verify)+", MCP "+sessionEra, sessions, s.endpoint, mine, fewRows),
		ourTarget(string(executeAs)+", MCP "+sessionEra, sessions, other.mcp, []string{token}, fewRows),
		ourTarget(string(verify)+", MCP "+statelessEra, stateless, s.endpoint, mine, fewRows),
		ourTarget(string(executeAs)+", MCP "+statelessEra, stateless, other.mcp, []string{token}, fewRows))
}

// compareModes lets all of them have their turns. Behind each target in verify comes the
// one that it is held against.
func (s *site) compareModes(ctx context.Context, o options, targets []*target, r *report, log io.Writer) error {
	blocks, err := s.blocksOf(ctx, o, targets)
	if err != nil {
		return err
	}
	l := load{database: s.database, warm: o.warm, slice: o.slice}
	if err := l.rounds(ctx, o.rounds, blocks, func(round int) { fmt.Fprintf(log, "access modes, round %d of %d\n", round+1, o.rounds) }); err != nil {
		return err
	}
	if r.Modes, err = summarize(ctx, s.database, blocks); err != nil {
		return err
	}
	var ours []row
	for _, b := range blocks {
		for i := 2; i < len(b); i += 2 {
			ours = append(ours, b[i].row(b[0]))
			r.Figures = append(r.Figures, beside(b[i], b[i+1]))
		}
	}
	r.Figures = append(r.Figures, theGoals().shares(ours)...)
	return nil
}

// beside is the throughput of a cell, held against that of another.
func beside(c, other *cell) figure {
	return figure{
		Name:     fmt.Sprintf("%s, %s, concurrency %d: throughput", c.target.name, c.workload.name, c.concurrency),
		Measured: c.row(other).Ratio, Goal: 1, Unit: "× execute_as", AtLeast: true,
	}
}
