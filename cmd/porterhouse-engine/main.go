// Command porterhouse-engine serves ClickHouse's HTTP and native protocols from
// libchdb.so, a ClickHouse engine that npm delivers: for a machine where no
// ClickHouse server can be installed. Package sandbox starts it.
//
//	porterhouse-engine -lib libchdb.so -config config.xml -path data/ -start start.sql
//
// config.xml is one that `clickhouse server` understands, too: it names the
// ports, the users' file and the logs. The engine serves until SIGTERM or SIGINT.
//
// The library holds clickhouse-local, which can listen but leaves out some of
// what a server does. patches.go lists what is missing and puts it back, in
// memory and only in a build that it knows.
//
// This is a program of its own because loading a library makes a Go binary
// dynamic, and because ClickHouse takes over the signal handlers of its process.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// options are what the command line says.
type options struct {
	library string
	config  string
	path    string
	start   string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "porterhouse-engine:", err)
		os.Exit(1)
	}
}

func run() error {
	o, err := parseOptions()
	if err != nil {
		return err
	}
	if err := prepareSystemDatabase(o.path); err != nil {
		return fmt.Errorf("preparing the system database in %s: %w", o.path, err)
	}
	return serve(o)
}

func parseOptions() (options, error) {
	var o options
	flag.StringVar(&o.library, "lib", "", "path of libchdb.so (required)")
	flag.StringVar(&o.config, "config", "", "path of config.xml (required)")
	flag.StringVar(&o.path, "path", "", "directory of the data (required)")
	flag.StringVar(&o.start, "start", "", "path of an SQL file to run before the ports open (required)")
	flag.Parse()
	if flag.NArg() > 0 {
		return o, fmt.Errorf("%q is not a flag; see -help", flag.Arg(0))
	}
	for _, path := range []*string{&o.library, &o.config, &o.path, &o.start} {
		if *path == "" {
			return o, errors.New("-lib, -config, -path and -start are required; see -help")
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return o, err
		}
		*path = absolute
	}
	return o, nil
}
