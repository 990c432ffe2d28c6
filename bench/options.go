package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	program    string   // porterhouse itself
	clients    string   // directory of node_modules with gpt-tokenizer
	url        string   // of a server that runs already; "": the demo is started
	tokens     []string // of one or more people
	clickhouse string
	account    string
	others     []*target
	levels     []int
	rounds     int
	slice      time.Duration
	warm       time.Duration
	json       string

	only     string // "mcp", "door" or "modes"; "": all
	door     string // URL of the HTTP door of the server at url; "": it is not measured in the mode verify
	peers    []*target
	size     int64 // bytes of a download and of an INSERT
	idle     int   // clients that keep a connection and are quiet
	requests int   // of which none may break
}

// The words of -only.
const (
	onlyMCP   = "mcp"
	onlyDoor  = "door"
	onlyModes = "modes"
)

// maxCallers is the most at once.
const maxCallers = 1000

// parseOptions reads the command line; mistakes are told to log.
func parseOptions(args []string, log io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(log)
	f.StringVar(&o.program, "porterhouse", "./porterhouse", "the `program` to measure")
	f.StringVar(&o.clients, "clients", "e2e/npm", "`directory` with gpt-tokenizer in its node_modules, to count tokens")
	f.StringVar(&o.url, "url", "", "measure the server at this MCP `URL` instead of a demo of our own")
	f.Func("token", "a bearer `token` for -url; with several, callers take turns (repeatable)", func(s string) error {
		o.tokens = append(o.tokens, s)
		return nil
	})
	f.StringVar(&o.clickhouse, "clickhouse", "", "the ClickHouse behind -url, with its admin's login: `http://user:password@host:port`")
	f.StringVar(&o.account, "account", "alice", "the ClickHouse `account` that the token's person acts as")
	f.Func("target", "a further server, `"+targetForm+"`; what comes after URL may be missing, mcp2026 is the stateless protocol (repeatable)",
		func(s string) error {
			t, err := parseTarget(s)
			o.others = append(o.others, t)
			return err
		})
	f.StringVar(&o.only, "only", "", "measure only this `part`: mcp, door (ClickHouse's HTTP interface), or modes (MCP in verify beside execute_as)")
	f.StringVar(&o.door, "door", "", "the HTTP door of the server at -url, `http://host:port`, in the access mode verify")
	f.Func("peer", "another proxy in front of the same ClickHouse, as `name=http://user:password@host:port` (repeatable)", func(s string) error {
		t, err := parsePeer(s)
		o.peers = append(o.peers, t)
		return err
	})
	f.Int64Var(&o.size, "size", 1_000_000_000, "`bytes` of a download and of an INSERT at the HTTP door")
	f.IntVar(&o.idle, "idle", 5_000, "`clients` that keep a connection to the HTTP door and are quiet")
	f.IntVar(&o.requests, "requests", 100_000, "`requests` at the HTTP door of which none may break")
	levels := f.String("c", "1,8", "how many callers at once, each with its own connection: `numbers` with commas; Porterhouse bounds those of one person")
	f.IntVar(&o.rounds, "rounds", 5, "how often each target has its turn, per workload and -c")
	f.DurationVar(&o.slice, "slice", 1500*time.Millisecond, "how long a turn is measured")
	f.DurationVar(&o.warm, "warm", 200*time.Millisecond, "how long a turn warms up before that")
	f.BoolFunc("quick", "a few seconds of everything, to see that it runs: makes -rounds, -slice, -size … small that do not come after it", func(string) error {
		o.rounds, o.slice, o.warm, o.size, o.idle, o.requests = 1, 100*time.Millisecond, 10*time.Millisecond, 20_000_000, 50, 500
		return nil
	})
	f.StringVar(&o.json, "json", "", "also write everything to this `file`, as JSON")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	err := errors.Join(o.check(f.NArg()), o.parseLevels(*levels))
	if err != nil {
		fmt.Fprintln(log, "bench:", err)
	}
	return o, err
}

func (o *options) check(arguments int) error {
	switch {
	case arguments > 0:
		return errors.New("there are flags only; see -help")
	case !slices.Contains([]string{"", onlyMCP, onlyDoor, onlyModes}, o.only):
		return fmt.Errorf("-only %q: want %s, %s or %s", o.only, onlyMCP, onlyDoor, onlyModes)
	case o.size < 1 || o.idle < 1 || o.requests < 1:
		return errors.New("-size, -idle and -requests need a positive number")
	case o.rounds < 1 || o.slice <= 0 || o.warm < 0:
		return errors.New("-rounds, -slice and -warm need a positive number")
	case o.door != "" && len(o.tokens) == 0:
		return errors.New("-door needs a -token of the -account")
	case (o.url == "") != (o.clickhouse == ""):
		return errors.New("-url and -clickhouse belong together: a share needs both")
	}
	return nil
}

// measures reports whether a part is to be measured.
func (o *options) measures(part string) bool { return o.only == "" || o.only == part }

func (o *options) parseLevels(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 || n > maxCallers {
			return fmt.Errorf("-c %q: want numbers from 1 to %d with commas between them", text, maxCallers)
		}
		o.levels = append(o.levels, n)
	}
	return nil
}
