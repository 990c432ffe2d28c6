// Command porterhouse lets people and their AI agents into ClickHouse as
// themselves.
//
//	porterhouse serve --config porterhouse.yaml   the server
//	porterhouse demo                              a ClickHouse with sample data, and the server in front of it
//	porterhouse login [URL]                       sign in at a Porterhouse, in the browser
//	porterhouse logout [URL]                      and out again
//	porterhouse token [URL]                       an access token of that login, for scripts
//	porterhouse stdio --url URL                   MCP over standard input and output, with that login
//	porterhouse stdio --config porterhouse.yaml   the same without a server, for one person
//	porterhouse token create|list|revoke          API tokens
//	porterhouse whoami --config F --token -       whom a token proves, and why, and which account follows
//	porterhouse check                             what would go wrong, and what to do
//	porterhouse check --apply --admin NAME …      and do it at the clusters
//	porterhouse users …                           whose the accounts are, and accounts of people who are gone
//	porterhouse audit verify FILE…                whether an audit record is whole
//	porterhouse version
//
// main parses, builds and waits; everything else is in the rooms that
// doc/ARCHITECTURE.md describes. One function, build, makes what a configuration
// says; one type, process, holds what outlives a configuration.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
)

// version is set by the linker.
var version = "unknown"

// terminal is the world outside: what a command reads and writes.
type terminal struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    func(string) (string, bool)
}

// command is one word after "porterhouse".
type command struct {
	name  string
	usage string
	about string
	run   func(ctx context.Context, t terminal, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "--config FILE", "run the server", serveCommand},
		{"demo", "[--json] [--port N] [--dir DIR]", "a real ClickHouse with real data, and the server in front of it", demoCommand},
		{"login", loginUsage, "sign in at a Porterhouse: in the browser, or with a code", loginCommand},
		{"logout", logoutUsage, "end that login, here and at the server", logoutCommand},
		{"stdio", stdioUsage, "MCP on standard input and output: with that login, or without a server", stdioCommand},
		{"token", "[URL] | create|list|revoke …", "print an access token of that login; or make, list and revoke API tokens", tokenCommand},
		{"whoami", whoamiUsage, "whom a token proves, which account follows, and why; changes nothing", whoamiCommand},
		{"check", "[idp|cluster|clients|grants|authenticator] …", "what would go wrong at providers, clusters and clients, and what to do", checkCommand},
		{"users", "list|release|absent|disable|drop …", "whose the accounts are; accounts of people who are gone", usersCommand},
		{"audit", auditUsage, "tell whether an audit record is whole and unchanged", auditCommand},
		{"version", "", "print the version", versionCommand},
	}
}

// garbagePercent lets the heap grow to five times what is live before it is
// collected: that is some 20 MB, and a third less CPU for each request, because
// decoding JSON-RPC leaves much garbage. $GOGC overrules it.
const garbagePercent = 400

// tune fits the runtime to what we do: little work for each request, and much
// handing over between goroutines. On half of the processors a request takes less
// CPU, and ClickHouse on the same machine is left the others (decision 006).
// $GOMAXPROCS overrules it.
func tune() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(garbagePercent)
	}
	if _, set := os.LookupEnv("GOMAXPROCS"); !set {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
}

func main() {
	tune()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	code := run(ctx, terminal{os.Stdin, os.Stdout, os.Stderr, os.LookupEnv}, os.Args[1:])
	stop()
	os.Exit(code)
}

// errUsage is a mistake on the command line, told already.
var errUsage = errors.New("usage")

// run carries out one command line and returns its exit code: 0 well, 1 failed,
// 2 not understood, 3 somebody else could not be asked.
func run(ctx context.Context, t terminal, args []string) int {
	if len(args) == 0 {
		printUsage(t.stderr)
		return 2
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		printUsage(t.stdout)
		return 0
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		switch err := c.run(ctx, t, args[1:]); {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		case ctx.Err() != nil && errors.Is(err, context.Canceled):
			fmt.Fprintf(t.stderr, "porterhouse %s: stopped before it was done\n", c.name)
			return 1
		default:
			fmt.Fprintf(t.stderr, "porterhouse %s: %s\n", c.name, harmless(err.Error()))
			if errors.Is(err, errCannotTell) {
				return 3
			}
			return 1
		}
	}
	fmt.Fprintf(t.stderr, "porterhouse: there is no command %q\n", args[0])
	printUsage(t.stderr)
	return 2
}

// harmless is text of several lines in which a server may have had its say, without
// what would command the terminal.
func harmless(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return strings.Join(lines, "\n")
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "Porterhouse lets people and their AI agents into ClickHouse as themselves.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  porterhouse %-62s %s\n", strings.TrimSpace(c.name+" "+c.usage), c.about)
	}
}

// flags makes the flag set of one command, which tells mistakes to t.
func (t terminal) flags(name, usage string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(t.stderr)
	f.Usage = func() {
		fmt.Fprintf(t.stderr, "usage: porterhouse %s %s\n", name, usage)
		f.PrintDefaults()
	}
	return f
}

// parse reads the flags among args, wherever they stand, and returns the other
// arguments: least to most of them.
func parse(f *flag.FlagSet, args []string, least, most int) (others []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errUsage // the flag package has told it
		}
		if f.NArg() == 0 {
			break
		}
		others, args = append(others, f.Arg(0)), f.Args()[1:]
	}
	switch n := len(others); {
	case n > most:
		fmt.Fprintf(f.Output(), "porterhouse %s: nothing is known of the argument %q\n", f.Name(), others[most])
	case n < least:
		fmt.Fprintf(f.Output(), "porterhouse %s: an argument is missing\n", f.Name())
	default:
		return others, nil
	}
	f.Usage()
	return nil, errUsage
}

func versionCommand(_ context.Context, t terminal, _ []string) error {
	_, err := fmt.Fprintf(t.stdout, "porterhouse %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
