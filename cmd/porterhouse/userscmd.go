package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"porterhouse"
	"porterhouse/directory"
)

const usersUsage = `list --config FILE [--cluster NAME]
       porterhouse users release ACCOUNT | --orphans …
       porterhouse users absent --days N …
       porterhouse users disable|drop ACCOUNT …

list says whose each account is. release takes it from its person, so that the next
one whom the rules lead there has it, with all that is granted to it; that is also
how somebody gets an account that we made and of which the store knows nobody, as it
does after it was lost. release --orphans releases all such accounts at once: then
everybody is who comes first under their name. absent reports accounts that we made and nobody has wanted for so long; only those can be disabled
or dropped. All of it is in the audit record.

With kv.file the store is the server's while that runs: stop it, or use Redis.`

// usersCommand is for what an operator does about accounts.
func usersCommand(ctx context.Context, t terminal, args []string) error {
	verbs := map[string]func(context.Context, terminal, *desk, []string) error{
		"list": listUsers, "release": releaseUser, "absent": absentUsers, "disable": retireUser, "drop": retireUser,
	}
	if len(args) == 0 || verbs[args[0]] == nil {
		fmt.Fprintf(t.stderr, "usage: porterhouse users %s\n", usersUsage)
		return errUsage
	}
	d := &desk{verb: args[0], flags: t.flags("users "+args[0], "[flags]")}
	d.path = d.flags.String("config", "porterhouse.yaml", "the configuration `file`")
	d.cluster = d.flags.String("cluster", "", "the cluster; \"\": the only one, or default_cluster")
	return verbs[args[0]](ctx, t, d, args[1:])
}

// desk is what the verbs share.
type desk struct {
	verb          string
	flags         *flag.FlagSet
	path, cluster *string
}

// open opens what a change needs: the audit record too. The record is one of its
// own, as a file has one writer.
func (d *desk) open(t terminal) (p setup, cluster string, err error) {
	c, err := loadConfig(*d.path, t.env)
	if err != nil {
		return setup{}, "", err
	}
	if cluster = *d.cluster; cluster == "" {
		cluster = usualCluster(c)
	}
	if cluster == "" {
		return setup{}, "", fmt.Errorf("there are several clusters, so name one of them: --cluster %s", strings.Join(c.clusterNames(), ", or "))
	}
	if _, known := c.Clusters[cluster]; !known {
		return setup{}, "", fmt.Errorf("there is no cluster %q", cluster)
	}
	c.Audit.File = ownRecord(c.Audit.File, "users")
	log, err := LogConfig{Level: "warn", Format: "text"}.logger(t.stderr)
	if err != nil {
		return setup{}, "", err
	}
	p, err = openProcess(c, log, time.Now)
	return p, cluster, err
}

// with runs work between open and close.
func (d *desk) with(ctx context.Context, t terminal, work func(p setup, cluster string) error) error {
	p, cluster, err := d.open(t)
	if err != nil {
		return err
	}
	return errors.Join(work(p, cluster), p.close(ctx))
}

func bindings(p setup) *directory.Bindings {
	return &directory.Bindings{Store: p.store, Audit: p.audit, Now: p.now}
}

func listUsers(ctx context.Context, t terminal, d *desk, args []string) error {
	if _, err := parse(d.flags, args, 0, 0); err != nil {
		return err
	}
	return d.with(ctx, t, func(p setup, cluster string) error {
		all, err := bindings(p).List(ctx, cluster)
		if err != nil {
			return err
		}
		out := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ACCOUNT\tNAME\tISSUER\tSUBJECT\tSINCE\tGROUPS")
		for _, b := range all {
			if !b.Released.IsZero() {
				b.User, b.Since = "(released)", b.Released
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%q\n", b.Account, b.User, b.Issuer, b.Subject, day(b.Since, "-"), b.Groups)
		}
		return out.Flush()
	})
}

func releaseUser(ctx context.Context, t terminal, d *desk, args []string) error {
	all := d.flags.Bool("orphans", false, "all accounts that we made and that the store knows nobody of")
	names, err := parse(d.flags, args, 0, 1)
	if err != nil {
		return err
	}
	if *all != (len(names) == 0) {
		fmt.Fprintln(t.stderr, "usage: porterhouse users release ACCOUNT, or --orphans")
		return errUsage
	}
	return d.with(ctx, t, func(p setup, cluster string) error {
		if *all {
			return releaseOrphans(ctx, t, p, cluster)
		}
		name, err := porterhouse.ParseUserName(names[0])
		if err != nil {
			return err
		}
		return release(ctx, t, p, cluster, name)
	})
}

func release(ctx context.Context, t terminal, p setup, cluster string, account porterhouse.UserName) error {
	was, err := bindings(p).Release(ctx, cluster, account.String())
	if err != nil {
		return err
	}
	whose := fmt.Sprintf("was that of %s (%s at %s)", was.User, was.Subject, was.Issuer)
	if was.Issuer == "" {
		whose = "was that of nobody known"
	}
	return tellReleased(t, account, whose)
}

func tellReleased(t terminal, account porterhouse.UserName, whose string) error {
	_, err := fmt.Fprintf(t.stdout, "the account %s %s and is nobody's now: the next whom the rules lead there has it\n", account, whose)
	return err
}

// releaseOrphans lets people in again after the store was lost.
func releaseOrphans(ctx context.Context, t terminal, p setup, cluster string) error {
	provisioner := p.provisioners[cluster]
	if provisioner == nil {
		return errNoProvisioner
	}
	accounts, err := provisioner.Accounts(ctx)
	if err != nil {
		return err
	}
	orphans, err := bindings(p).Orphans(ctx, cluster, accounts)
	if err != nil {
		return err
	}
	for _, account := range orphans {
		released, err := bindings(p).ReleaseOrphan(ctx, cluster, account.String())
		if released {
			err = tellReleased(t, account, "was that of nobody known")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errNoProvisioner is told where accounts are made by hand.
var errNoProvisioner = errors.New("accounts are not made here (provision): those of people who are gone are yours to drop")

func absentUsers(ctx context.Context, t terminal, d *desk, args []string) error {
	days := d.flags.Int("days", 90, "for how many days nobody has wanted them")
	if _, err := parse(d.flags, args, 0, 0); err != nil {
		return err
	}
	return d.with(ctx, t, func(p setup, cluster string) error {
		provisioner := p.provisioners[cluster]
		if provisioner == nil {
			return errNoProvisioner
		}
		absent, err := provisioner.Absent(ctx, *days)
		for _, a := range absent {
			fmt.Fprintf(t.stdout, "%s\tlast wanted %s\n", a.Account, a.Seen.UTC().Format(time.DateOnly))
		}
		return err
	})
}

func retireUser(ctx context.Context, t terminal, d *desk, args []string) error {
	names, err := parse(d.flags, args, 1, 1000)
	if err != nil {
		return err
	}
	return d.with(ctx, t, func(p setup, cluster string) error {
		provisioner := p.provisioners[cluster]
		if provisioner == nil {
			return errNoProvisioner
		}
		retire := provisioner.Disable
		if d.verb == "drop" {
			retire = provisioner.Drop
		}
		for _, text := range names {
			name, err := porterhouse.ParseUserName(text)
			if err != nil {
				return err
			}
			if err := retire(ctx, name); err != nil {
				return err
			}
			fmt.Fprintf(t.stdout, "%s: %s done\n", name, d.verb)
		}
		return nil
	})
}
