package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"porterhouse"
)

// checkParts are what one check looks at.
type checkParts struct{ providers, clusters, clients bool }

// checkReport is all that a check found.
type checkReport struct {
	Providers []provided `json:"providers,omitempty"`
	Clusters  []examined `json:"clusters,omitempty"`
	Clients   *doorway   `json:"clients,omitempty"`
}

// checkFlags are those of a check.
type checkFlags struct {
	config, cluster, admin, password string
	hosts                            []string
	within                           time.Duration
	asJSON, apply, yes               bool
}

func (f *checkFlags) define(set *flag.FlagSet) {
	set.StringVar(&f.config, "config", "porterhouse.yaml", "the configuration `file`")
	set.StringVar(&f.cluster, "cluster", "", "look at this cluster only, by its `name` in the configuration")
	hostFlag(set, &f.hosts)
	withinFlag(set, &f.within)
	set.BoolVar(&f.asJSON, "json", false, "print JSON")
	set.BoolVar(&f.apply, "apply", false, "run the SQL, after showing it")
	set.StringVar(&f.admin, "admin", "", "the `name` of the administrator who runs it")
	set.StringVar(&f.password, "password", "", "the administrator's password: - for standard input, or env:NAME")
	set.BoolVar(&f.yes, "yes", false, "run it without asking")
}

// hostFlag reads addresses into hosts.
func hostFlag(set *flag.FlagSet, hosts *[]string) {
	set.Func("host", "an `address` (or network, or name) from which Porterhouse comes to ClickHouse, each of its replicas: the accounts may then come from there only", func(host string) error {
		if !isHostClause(host) {
			return errors.New("want an IP address, a network such as 10.0.0.0/24, or a name")
		}
		*hosts = append(*hosts, host)
		return nil
	})
}

// withinFlag reads how long a look may take.
func withinFlag(set *flag.FlagSet, within *time.Duration) {
	*within = lookTime
	set.Func("within", fmt.Sprintf("how `long` the look at one cluster may take, such as 10s (default %v)", lookTime), func(text string) (err error) {
		if *within, err = time.ParseDuration(text); err != nil || *within <= 0 {
			return errors.New("want how long the look may take, such as 10s")
		}
		return nil
	})
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

// isHostClause reports whether HOST IP or HOST NAME takes it.
func isHostClause(text string) bool {
	_, noAddress := netip.ParseAddr(text)
	_, noNetwork := netip.ParsePrefix(text)
	return noAddress == nil || noNetwork == nil || hostName.MatchString(text)
}

// problem tells which flags do not go together; "": all do.
func (f *checkFlags) problem() string {
	switch {
	case !f.apply && (f.admin != "" || f.password != "" || f.yes):
		return "--admin, --password and --yes are for --apply"
	case f.apply && (f.admin == "" || f.password == ""):
		return "--apply needs an administrator: --admin NAME --password env:NAME, or --password - for standard input"
	case f.apply && f.asJSON && !f.yes:
		return "with --json nothing is shown before it is run: say --yes as well"
	case f.apply && f.password == "-" && !f.yes:
		return "with the password on standard input nobody can be asked: say --yes as well, or --password env:NAME"
	}
	return ""
}

// run looks at the parts and tells what is found.
func (parts checkParts) run(ctx context.Context, t terminal, args []string) error {
	set := t.flags("check", "[flags]")
	var f checkFlags
	f.define(set)
	others, err := parse(set, args, 0, len(args))
	if err != nil {
		return err
	}
	problem := f.problem()
	if len(others) > 0 {
		problem = stray(others[0])
	}
	if problem != "" {
		fmt.Fprintf(t.stderr, "porterhouse check: %s\n", problem)
		return errUsage
	}
	c, p, err := t.look(f.config)
	if err != nil {
		return err
	}
	all, found, err := parts.look(ctx, t, f, examination{Config: c, setup: p, hosts: f.hosts, within: f.within})
	if err == nil && f.asJSON {
		err = json.NewEncoder(t.stdout).Encode(all)
	}
	return errors.Join(err, found, p.store.Close())
}

// look looks at each part, and tells of it unless all is told as JSON. found is how the
// command shall end when nothing else fails.
func (parts checkParts) look(ctx context.Context, t terminal, f checkFlags, e examination) (all checkReport, found, err error) {
	if parts.providers {
		if all.Providers, err = visitProviders(ctx, entrance{e.Config, e.setup}); err != nil {
			return all, nil, err
		}
		found = providersVerdict(all.Providers)
		if !f.asJSON {
			printProviders(e.Config, all.Providers, t.stdout)
			fmt.Fprintln(t.stdout)
		}
	}
	if parts.clusters {
		if all.Clusters, err = e.clusters(ctx, t, f); err != nil {
			return all, nil, err
		}
		found = worse(found, verdict(all.Clusters))
	}
	if parts.clients {
		way, err := mcpWayTo(e.Config, f.cluster)
		if err != nil {
			return all, nil, err
		}
		at := newDoorway(e.Config, way).visit(ctx)
		all.Clients = &at
		found = worse(found, at.verdict())
		if !f.asJSON {
			at.print(t.stdout)
		}
	}
	return all, found, nil
}

// worse is the one of two ends that says more: findings, and then that nobody could
// tell.
func worse(a, b error) error {
	if a == nil || errors.Is(b, errFindings) {
		return b
	}
	return a
}

// clusters looks at the clusters, and does what is agreed on.
func (e examination) clusters(ctx context.Context, t terminal, f checkFlags) ([]examined, error) {
	names := e.clusterNames()
	if f.cluster != "" {
		if !slices.Contains(names, f.cluster) {
			return nil, fmt.Errorf("there is no cluster %q in the configuration: --cluster takes one of %q", f.cluster, names)
		}
		names = []string{f.cluster}
	}
	e.admin = f.admin
	who := administrator{user: f.admin, agreed: f.yes, answers: bufio.NewReader(t.stdin), terminal: t}
	if f.apply {
		password, err := t.read("password", f.password)
		if err != nil {
			return nil, fmt.Errorf("the administrator's password: %w", err)
		}
		who.password = porterhouse.NewSecret(password)
	}
	var all []examined
	for _, name := range names {
		x, err := e.cluster(ctx, name, f, who)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// cluster looks at one, and once more after something was run.
func (e examination) cluster(ctx context.Context, name string, f checkFlags, who administrator) (examined, error) {
	x, err := e.examine(ctx, name)
	if err != nil {
		return x, err
	}
	tell := func() {
		if !f.asJSON {
			x.print(who.stdout)
			fmt.Fprintln(who.stdout)
		}
	}
	tell()
	if !f.apply {
		return x, nil
	}
	ran, err := who.apply(ctx, e.Clusters[name], x.Plan)
	if !ran || err != nil {
		return x, err
	}
	e.ran = true
	if x, err = e.examine(ctx, name); err != nil {
		return x, err
	}
	if !f.asJSON {
		fmt.Fprintf(who.stdout, "After that was run:\n\n")
	}
	tell()
	return x, nil
}
