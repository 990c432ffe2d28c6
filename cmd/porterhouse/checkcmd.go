package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"porterhouse/identity"
)

const checkUsage = `[--config FILE] [--cluster NAME] [--host ADDRESS]… [--within TIME] [--json]
       [--apply --admin NAME --password -|env:NAME [--yes]]
       porterhouse check idp --config FILE [--token -|env:NAME]
       porterhouse check cluster|clients [the flags of check]
       porterhouse check grants --config FILE [--host ADDRESS]… [ROLE…]
       porterhouse check authenticator --config FILE

check looks at everything: the identity providers, the clusters, and what MCP clients
would see. It changes nothing, unless --apply is said: then it shows what it would run
at the clusters, asks, and runs it as that administrator. check idp asks each identity
provider what it says of itself, and tells what does not fit; with a token it also says
what whoami says. check cluster looks at what works at each ClickHouse, and prints
what is to be done there; check clients at our own public URL, as clients do, with
--cluster at that of one cluster. check grants prints the SQL that gives the gateway and
the provisioner what they need, and nothing else, whatever is there now. The roles are
those that groups give beside the ones that the configuration names. check authenticator
prints the file by which ClickHouse's servers ask us who is there; the secret path is in
it.`

// checkCommand tells what would go wrong before somebody meets it.
func checkCommand(ctx context.Context, t terminal, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return checkParts{providers: true, clusters: true, clients: true}.run(ctx, t, args)
	}
	verbs := checkVerbs()
	if verb := verbs[args[0]]; verb != nil {
		return verb(ctx, t, args[1:])
	}
	fmt.Fprintf(t.stderr, "usage: porterhouse check %s\n", checkUsage)
	return errUsage
}

// checkVerbs are the parts that can be looked at alone.
func checkVerbs() map[string]func(context.Context, terminal, []string) error {
	return map[string]func(context.Context, terminal, []string) error{
		"idp": checkProviders, "cluster": checkParts{clusters: true}.run, "clients": checkParts{clients: true}.run,
		"grants": checkGrants, "authenticator": checkAuthenticator,
	}
}

// stray tells what an argument that is no flag has to do with a check.
func stray(argument string) string {
	if checkVerbs()[argument] != nil {
		return fmt.Sprintf("say %s first, before the flags: porterhouse check %s --config FILE", argument, argument)
	}
	return fmt.Sprintf("nothing is known of the argument %q: the parts are idp, cluster, clients, grants and authenticator", argument)
}

// errFindings is the end of a check that found something to do; it has said what.
var errFindings = errors.New("something is to be done, see above")

func checkProviders(ctx context.Context, t terminal, args []string) error {
	f := t.flags("check idp", "[flags]")
	config := f.String("config", "porterhouse.yaml", "the configuration `file`")
	source := f.String("token", "", "a token to try: - for standard input, or env:NAME")
	if _, err := parse(f, args, 0, 0); err != nil {
		return err
	}
	token := ""
	if *source != "" {
		var err error
		if token, err = t.read("token", *source); err != nil {
			return err
		}
	}
	c, p, err := t.look(*config)
	if err != nil {
		return err
	}
	err = tellProviders(ctx, entrance{c, p}, t.stdout)
	if token == "" {
		return errors.Join(err, p.store.Close())
	}
	answer, failed := whois(ctx, c, p, mcpResource(c, ""), token)
	if failed == nil {
		fmt.Fprintln(t.stdout)
		answer.print(t.stdout)
		failed = answer.verdict()
	}
	return errors.Join(err, failed, p.store.Close())
}

// provided is what was found about one identity provider.
type provided struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Findings []finding `json:"findings"`
}

// visitProviders asks each provider what it says of itself, and whether people can sign
// in there.
func visitProviders(ctx context.Context, e entrance) ([]provided, error) {
	outbound, err := identity.NewOutbound(e.outbound())
	if err != nil {
		return nil, err
	}
	arrivals, err := arrivalsOf(e)
	if err != nil {
		return nil, err
	}
	var all []provided
	for _, s := range e.processors() {
		all = append(all, provided{s.Name, s.Type, visit{outbound, s, arrivals[s.Name], e.SignIn.isOn()}.findings(ctx)})
	}
	return all, nil
}

// tellProviders says what was found about the providers, and how the command ends.
func tellProviders(ctx context.Context, e entrance, w io.Writer) error {
	all, err := visitProviders(ctx, e)
	if err != nil {
		return err
	}
	printProviders(e.Config, all, w)
	return providersVerdict(all)
}

func printProviders(c Config, all []provided, w io.Writer) {
	if len(all) == 0 {
		fmt.Fprintln(w, "There are no token processors (token_processors, enable_token_auth): people have API tokens only.")
		return
	}
	fmt.Fprintf(w, "Tokens for the MCP door must be for one of %q (aud).\n", []string(mcpResource(c, "").Audiences))
	if c.ClickHouseHTTP.isOpen() {
		fmt.Fprintf(w, "Tokens for the HTTP door must be for one of %q.\n", []string(httpDoor{c}.resource().Audiences))
	}
	tellRedirects(c, w)
	for _, p := range all {
		fmt.Fprintf(w, "\n%s (%s)\n", p.Name, p.Type)
		for _, found := range p.Findings {
			fmt.Fprintf(w, "  %-7s %s\n", found.level, visible(found.text))
		}
	}
}

// providersVerdict is how a command ends that has visited providers.
func providersVerdict(all []provided) error {
	for _, p := range all {
		if slices.ContainsFunc(p.Findings, func(f finding) bool { return f.level >= wrong }) {
			return errFindings
		}
	}
	return nil
}

// visible is text of others without what would command the terminal.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// checkGrants prints the statements for an administrator of each cluster. Where
// the provisioner can log in already, it says what does not fit.
func checkGrants(ctx context.Context, t terminal, args []string) error {
	f := t.flags("check grants", "[flags] [ROLE…]")
	config := f.String("config", "porterhouse.yaml", "the configuration `file`")
	var hosts []string
	hostFlag(f, &hosts)
	roles, err := parse(f, args, 0, 1000)
	if err != nil {
		return err
	}
	c, p, err := t.look(*config)
	if err != nil {
		return err
	}
	for _, name := range c.clusterNames() {
		fmt.Fprintf(t.stdout, "-- Cluster %s: run this as an administrator of it.\n", name)
		plan := examination{Config: c, setup: p, hosts: hosts, roles: roles}.wanted(name).Setup()
		for _, statement := range plan.SQL {
			fmt.Fprintf(t.stdout, "%s;\n", statement)
		}
		for _, f := range plan.Findings {
			fmt.Fprintf(t.stderr, "cluster %s: %s: %s\n", name, visible(f.Text), visible(f.Remedy))
			err = errFindings
		}
		if provisioner := p.provisioners[name]; provisioner != nil {
			if found := provisioner.Check(ctx); found != nil {
				fmt.Fprintf(t.stderr, "cluster %s, as it is now:\n%v\n", name, found)
				err = errFindings
			}
		}
	}
	return errors.Join(err, p.store.Close())
}

// checkAuthenticator prints what belongs into /etc/clickhouse-server/config.d.
func checkAuthenticator(_ context.Context, t terminal, args []string) error {
	f := t.flags("check authenticator", "[flags]")
	config := f.String("config", "porterhouse.yaml", "the configuration `file`")
	if _, err := parse(f, args, 0, 0); err != nil {
		return err
	}
	c, err := loadPart(*config, t.env, func(secret string) bool { return strings.HasSuffix(secret, ".authenticator.path") })
	if err != nil {
		return err
	}
	for _, name := range c.clusterNames() {
		a := c.Clusters[name].Authenticator
		if a == nil {
			return fmt.Errorf("cluster %s has no authenticator (clusters.%s.authenticator)", name, name)
		}
		file, err := authenticatorFile(a)
		if err != nil {
			return fmt.Errorf("cluster %s: %w", name, err)
		}
		fmt.Fprintf(t.stdout, "<!-- Cluster %s: a file in config.d of each server, which only ClickHouse may read. The host in the uri is that of listen: let it be the one by which the servers reach us. -->\n%s", name, file)
	}
	return nil
}

// rolesOf are those that the rules name; by roles_filter and roles_transform alone
// there can be more.
func rolesOf(rules []namedRules) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.CommonRoles...)
		for _, m := range r.RolesMapping {
			all = append(all, m.To)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// localUsersOf are those that any of the rules may lead to.
func localUsersOf(rules []namedRules) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.LocalUsers...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
