package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"porterhouse/authenticator"
	"porterhouse/clickhouse"
	"porterhouse/identity"
)

const checkUsage = `idp --config FILE [--token -|env:NAME]
       porterhouse check grants --config FILE [ROLE…]
       porterhouse check authenticator --config FILE

check idp asks each identity provider what it says of itself, and tells what does
not fit; with a token it also says what whoami says. check grants prints the SQL
that gives the gateway and the provisioner what they need, and nothing else. The
roles are those that groups give beside the ones that the configuration names.
check authenticator prints the file by which ClickHouse's servers ask us who is
there; the secret path is in it.`

// checkCommand tells what would go wrong before somebody meets it.
func checkCommand(ctx context.Context, t terminal, args []string) error {
	verbs := map[string]func(context.Context, terminal, []string) error{"idp": checkProviders, "grants": checkGrants, "authenticator": checkAuthenticator}
	if len(args) > 0 && verbs[args[0]] != nil {
		return verbs[args[0]](ctx, t, args[1:])
	}
	fmt.Fprintf(t.stderr, "usage: porterhouse check %s\n", checkUsage)
	return errUsage
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
		if token, err = t.token(*source); err != nil {
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
	answer, failed := whois(ctx, c, p, c.mcpResource(), token)
	if failed == nil {
		fmt.Fprintln(t.stdout)
		answer.print(t.stdout)
		failed = answer.verdict()
	}
	return errors.Join(err, failed, p.store.Close())
}

// tellProviders says of each processor what its provider says of itself, and whether
// people can sign in there.
func tellProviders(ctx context.Context, e entrance, w io.Writer) error {
	c := e.Config
	if len(c.processors()) == 0 {
		fmt.Fprintln(w, "There are no token processors (token_processors, enable_token_auth): people have API tokens only.")
		return nil
	}
	outbound, err := identity.NewOutbound(c.outbound())
	if err != nil {
		return err
	}
	arrivals, err := arrivalsOf(e)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Tokens for the MCP door must be for one of %q (aud).\n", []string(c.mcpResource().Audiences))
	if c.ClickHouseHTTP.isOpen() {
		fmt.Fprintf(w, "Tokens for the HTTP door must be for one of %q.\n", []string(httpDoor{c}.resource().Audiences))
	}
	tellRedirects(c, w)
	worst := fine
	for _, s := range c.processors() {
		fmt.Fprintf(w, "\n%s (%s)\n", s.Name, s.Type)
		for _, found := range (visit{outbound, s, arrivals[s.Name], c.SignIn.isOn()}).findings(ctx) {
			fmt.Fprintf(w, "  %-7s %s\n", found.level, visible(found.text))
			worst = max(worst, found.level)
		}
	}
	if worst >= wrong {
		return errFindings
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
		for _, statement := range grants(c, name, p, roles...) {
			fmt.Fprintf(t.stdout, "%s;\n", statement)
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
		scheme := "http"
		if a.TLS != nil {
			scheme = "https"
		}
		file, err := authenticator.ClickHouseConfig(a.name(), scheme+"://"+a.Listen+a.path().Reveal())
		if err != nil {
			return err
		}
		fmt.Fprintf(t.stdout, "<!-- Cluster %s: a file in config.d of each server, which only ClickHouse may read. The host in the uri is that of listen: let it be the one by which the servers reach us. -->\n%s", name, file)
	}
	return nil
}

// grants are the statements that the gateway, and the provisioner if there is one,
// need; and those by which the users that were made by hand can be got into.
func grants(c Config, cluster string, p setup, roles ...string) []string {
	at := c.Clusters[cluster]
	gateway := clickhouse.QuoteName(at.User)
	on, statements := "", []string{
		"CREATE USER IF NOT EXISTS " + gateway + " IDENTIFIED BY <the gateway's password> DEFAULT ROLE NONE",
		"GRANT SELECT(query, query_id, user) ON system.processes TO " + gateway,
	}
	if provisioner := p.provisioners[cluster]; provisioner != nil {
		statements = provisioner.Grants(append(rolesOf(c.rules()), roles...)...)
		if name := at.Provision.OnCluster; name != "" {
			on = " ON CLUSTER " + clickhouse.QuoteString(name)
		}
	}
	if at.User == "" { // people log in by themselves, and nobody else does
		statements = nil
	} else if at.mode() != clickhouse.ExecuteAs {
		statements = append(statements, stopGrants(at, on, gateway)...)
	}
	switch at.mode() {
	case clickhouse.ExecuteAs:
		statements = append(statements, localGrants(c, on, gateway)...)
	case clickhouse.Verify:
		statements = append(statements, localLogins(c, on, at.Authenticator.name())...)
	}
	return statements
}

// stopGrants let the gateway stop statements whose client has gone, where they do not
// run under its own name, or are told apart by their log_comment.
func stopGrants(cluster ClusterConfig, on, gateway string) (statements []string) {
	if isOwnLogin(cluster.mode()) {
		statements = []string{"GRANT" + on + " KILL QUERY ON *.* TO " + gateway}
	}
	return append(statements, "GRANT"+on+" SELECT(query, query_id, user, Settings) ON system.processes TO "+gateway)
}

// localLogins let the users that were made by hand, and are named one by one, log in by
// our word. A password that one has stays before it, or it would be shown to us.
func localLogins(c Config, on, authenticator string) (statements []string) {
	for _, name := range localUsersOf(c.rules()) {
		if !strings.HasSuffix(name, "*") {
			statements = append(statements, "ALTER USER "+clickhouse.QuoteName(name)+on+" ADD IDENTIFIED WITH http SERVER "+clickhouse.QuoteString(authenticator)+" SCHEME 'BASIC'")
		}
	}
	return statements
}

// localGrants let the gateway act as the users that were made by hand, which are
// named one by one.
func localGrants(c Config, on, gateway string) (statements []string) {
	for _, name := range localUsersOf(c.rules()) {
		prefix, isPrefix := strings.CutSuffix(name, "*")
		user := clickhouse.QuoteName(name)
		if isPrefix {
			user = prefix + "*" // ClickHouse reads a prefix without quotes only
		}
		if name != "*" { // that would let the gateway become an administrator
			statements = append(statements, "GRANT"+on+" IMPERSONATE ON "+user+" TO "+gateway)
		}
	}
	return statements
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
