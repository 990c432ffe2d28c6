package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/authenticator"
	"porterhouse/clickhouse"
	"porterhouse/doctor"
)

// examined is a cluster: what was found there, and what is to be done.
type examined struct {
	doctor.Plan
	Facts clickhouse.Facts `json:"facts"`
}

// examination looks at clusters as they are.
//
//	configuration ─▶ clickhouse.Probe ─▶ what is wanted ─▶ doctor.Examine
type examination struct {
	Config
	setup
	hosts  []string      // from which all replicas come; none: nobody has said
	within time.Duration // bounds the look at one cluster as a whole
	admin  string        // who runs the SQL; "": nobody has said
	ran    bool          // it was, just now
	roles  []string      // that groups give beside those that the rules name
}

// lookTime bounds the look at one cluster unless --within does: somebody sits there and waits.
const lookTime = 2 * time.Second

// examine looks at one cluster, and changes nothing.
func (e examination) examine(ctx context.Context, name string) (examined, error) {
	ctx, cancel := context.WithTimeout(ctx, e.within)
	defer cancel()
	all, err := e.look(ctx, name)
	if err != nil {
		return examined{}, fmt.Errorf("cluster %s: %w", name, err)
	}
	facts := all[0]
	of := e.wanted(name)
	of.Facts, of.Others = facts, all[1:]
	if p := e.provisioners[name]; p != nil && facts.Provisioner != nil && facts.Provisioner.Login.Works() {
		of.Provisioned = p.CheckOwn(ctx)
	}
	return examined{doctor.Examine(of), facts}, nil
}

// look looks at all servers of a cluster at once. The first of what it returns is one at
// which the gateway can log in, if there is one, or else one that was reached.
func (e examination) look(ctx context.Context, name string) ([]clickhouse.Facts, error) {
	servers := e.Clusters[name].servers()
	all, errs := make([]clickhouse.Facts, len(servers)), make([]error, len(servers))
	var work sync.WaitGroup
	for i, server := range servers {
		config, err := e.config(server)
		if err != nil {
			return nil, err
		}
		config.Trial.Within = e.within
		work.Go(func() { all[i], errs[i] = clickhouse.Probe(ctx, config) })
	}
	work.Wait()
	rank := func(f clickhouse.Facts) int {
		switch {
		case f.Gateway.Login.Works():
			return 0
		case f.Reached.Works():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(all, func(a, b clickhouse.Facts) int { return rank(a) - rank(b) })
	return all, errors.Join(errs...)
}

// config says how to look at a server: as the gateway and as the provisioner, for the
// first person whom the configuration names.
func (e examination) config(cluster ClusterConfig) (clickhouse.Config, error) {
	config, err := cluster.client(slog.New(slog.DiscardHandler))
	if err != nil {
		return config, err
	}
	if cluster.Provision != nil {
		config.Trial.Provisioner, config.Trial.ProvisionerPassword = cluster.Provision.User, cluster.Provision.Password
	}
	for _, user := range localUsersOf(e.rules()) {
		if strings.HasSuffix(user, "*") || user == "default" || slices.Contains(cluster.withoutPassword(), user) {
			continue
		}
		if config.Trial.Person, err = porterhouse.ParseUserName(user); err != nil {
			return config, fmt.Errorf("users.local_users.allow: %w", err)
		}
		break
	}
	return config, nil
}

// wanted is the cluster as the configuration has it, without what was found there.
func (e examination) wanted(name string) doctor.Case {
	cluster := e.Clusters[name]
	of := doctor.Case{
		Cluster: name, Access: clickhouse.Access{Mode: cluster.mode(), Tokens: len(e.processors()) > 0 && !givesAccounts(e.Config, name)}, LocalUsers: localUsersOf(e.rules()), Hosts: e.hosts,
		Shadow: cluster.shadow().Mode,
	}
	of.Facts.Gateway.User = cluster.User
	of.Tokens = e.tokens(name)
	of.Admin, of.Ran = e.admin, e.ran
	of.Here = addressTowards(cluster.servers()[0].URL)
	if a := cluster.Authenticator; a != nil {
		of.Authenticator = a.name()
		of.AskUs = "<!-- What porterhouse check authenticator prints, with the secret path in it. -->\n"
	}
	if p := e.provisioners[name]; p != nil {
		of.Provisioner, of.Prefix, of.OnCluster = cluster.Provision.User, cluster.Provision.Prefix, cluster.Provision.OnCluster
		of.Provisioning = p.OwnGrants(append(rolesOf(e.rules()), e.roles...)...)
	}
	return of
}

// authenticatorFile is the file by which ClickHouse asks us, with the secret path.
func authenticatorFile(a *AuthenticatorConfig) (string, error) {
	scheme := "http"
	if a.TLS != nil {
		scheme = "https"
	}
	return authenticator.ClickHouseConfig(a.name(), scheme+"://"+a.Listen+a.path().Reveal())
}

// addressTowards is our own address on the way to a cluster, as it is when nobody in
// between changes it. None: nobody can tell.
func addressTowards(cluster string) []string {
	to, err := url.Parse(cluster)
	if err != nil {
		return nil
	}
	// UDP: this asks the routes, and sends nothing.
	c, err := net.DialTimeout("udp", net.JoinHostPort(to.Hostname(), "9"), time.Second)
	if err != nil {
		return nil
	}
	defer c.Close()
	from, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return nil
	}
	return []string{from.Addr().Unmap().WithZone("").String()}
}

// levels are the severities as they are printed.
var levels = map[doctor.Severity]level{doctor.Fine: fine, doctor.Careful: careful, doctor.Wrong: wrong}

// print tells everything, for people.
func (x examined) print(w io.Writer) {
	fmt.Fprintf(w, "Cluster %s, %s\n", x.Cluster, visible(x.URL))
	for _, server := range x.Servers {
		fmt.Fprintf(w, "  server %s: %s\n", visible(server.URL), visible(stateOf(server)))
	}
	printPlan(w, "access mode", x.Plan)
	if x.Shadow != nil {
		fmt.Fprintln(w)
		printPlan(w, "shadow mode", *x.Shadow)
	}
}

// printPlan tells what is so in a mode, and what is to be done for it.
func printPlan(w io.Writer, what string, plan doctor.Plan) {
	if plan.Mode != "" {
		fmt.Fprintf(w, "  %s %s: %s\n", what, plan.Mode, visible(plan.Why))
	}
	for _, f := range plan.Findings {
		fmt.Fprintf(w, "  %-7s %s\n", levels[f.Severity], visible(f.Text))
		if f.Remedy != "" {
			fmt.Fprintf(w, "          → %s\n", visible(f.Remedy))
		}
		if f.Said != "" && f.Severity != doctor.Fine {
			fmt.Fprintf(w, "          It says: %s\n", visible(f.Said))
		}
	}
	if len(plan.SQL) > 0 {
		fmt.Fprintf(w, "\n  To be run as an administrator of cluster %s (check --apply --admin NAME does it):\n\n", plan.Cluster)
	}
	for _, s := range plan.SQL {
		fmt.Fprintf(w, "    -- %s\n    %s;\n", visible(s.Why), visible(s.String()))
	}
	for _, file := range plan.Files {
		fmt.Fprintf(w, "\n  %s in /etc/clickhouse-server of each server: %s\n\n", file.Path, visible(file.Why))
		for line := range strings.Lines(file.Text) {
			fmt.Fprintf(w, "    %s", line)
		}
	}
}

// stateOf is what was found of one server of several, on one line.
func stateOf(s doctor.ServerState) string {
	if !s.Reached {
		return "not reached"
	}
	return fmt.Sprintf("version %s, %s, would take the access mode %s", cmp.Or(s.Version, "unknown"), cmp.Or(s.TLS, "without TLS"), cmp.Or(string(s.Mode), "none"))
}

// notReached are clusters that could not be looked at, as it was told of each.
type notReached []string

// Error implements error.
func (n notReached) Error() string {
	if len(n) == 1 {
		return "cluster " + n[0] + " was not reached, see above"
	}
	return "the clusters " + strings.Join(n, ", ") + " were not reached, see above"
}

// Is tells run that it may be better another time.
func (n notReached) Is(target error) bool { return target == errCannotTell }

// verdict is how a command ends that has looked at clusters: 3 when one could not be
// looked at, and nothing else is amiss.
func verdict(clusters []examined) error {
	var away notReached
	for _, x := range clusters {
		switch {
		case x.Worst() != doctor.Wrong:
		case !x.Facts.Reached.Works() && !x.Facts.Reached.Failed(clickhouse.NotClickHouse, clickhouse.Expired, clickhouse.Untrusted, clickhouse.WrongName):
			away = append(away, x.Cluster)
		default:
			return errFindings
		}
	}
	if len(away) > 0 {
		return away
	}
	return nil
}
