// Command bench measures what Porterhouse costs and prints the figures of the
// README, side by side, in one run, on the same engine.
//
//	porterhouse demo ──▶ the ClickHouse of everything here
//	  porterhouse serve ─▶ a fresh process ─▶ time to ready, memory at rest and at its peak, tokens
//	  the demo itself ───▶ the same statement, four ways, in rounds of short, interleaved turns
//	                         └▶ throughput, latency, CPU, and what ClickHouse says it was asked
//	  the HTTP door ─────▶ one process for each access mode: SELECT 1, downloads, INSERTs, idle
//	                       clients, broken answers; and before a ClickHouse that takes no time
//	  access modes ──────▶ MCP in verify and in execute_as, in the same rounds
//
// The rule: nothing is measured against a number of another day. The reference
// (the plain statement, straight to ClickHouse) runs in every round, right next
// to the others, and a share is taken round by round; the table has the median.
// Every answer is checked, the first of each caller to its last value.
//
// bench prints; it does not judge: a goal that is missed is marked, and the exit
// code stays 0. A call that fails ends the run with exit code 1.
//
// It can measure a server that runs already, and others beside it:
//
//	go run ./bench -url http://127.0.0.1:8080/mcp -token … -clickhouse http://default:…@127.0.0.1:8123 \
//	    -target 'rival|mcp|http://127.0.0.1:9000/mcp||run_query|query'
//	    -door http://127.0.0.1:8123 -peer chproxy=http://user:password@127.0.0.1:9090
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signalContext()
	defer stop()
	if helps, err := serveHelper(ctx, os.Args[1:], os.Stdout); helps {
		exit(err)
	}
	o, err := parseOptions(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2) // the flag package has told it
	}
	exit(run(ctx, o, os.Stdout, os.Stderr))
}

// signalContext ends when the program is told to.
func signalContext() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// exit ends the program, and says why when something failed.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures everything and prints it to out; log hears how far it is.
func run(ctx context.Context, o options, out, log io.Writer) error {
	r := &report{Machine: newMachine(), Method: method(o)}
	if o.measures(onlyMCP) {
		if err := measure(ctx, o, executeAs, r, func(s *site) error { return s.measureMCP(ctx, o, r, log) }); err != nil {
			return err
		}
	}
	if o.measures(onlyDoor) {
		if err := measure(ctx, o, verify, r, func(s *site) error { return s.measureDoor(ctx, o, r, log) }); err != nil {
			return err
		}
	}
	if o.measures(onlyModes) {
		if err := measure(ctx, o, verify, r, func(s *site) error { return s.measureModes(ctx, o, r, log) }); err != nil {
			return err
		}
	}
	if o.json != "" {
		if err := r.writeJSON(o.json); err != nil {
			return err
		}
	}
	return r.markdown(out)
}
