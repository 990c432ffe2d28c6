package doctor

import (
	"errors"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/clickhouse"
)

// need is one right that an account has to have.
type need struct {
	right   string
	columns []string // nil: the right has none
	on      string   // as in SQL
	why     string
}

// What the gateway reads of system.processes to stop a statement: its own, which
// the name of the person tells apart, or other people's.
var (
	ownStatements = []string{"query", "query_id", "user"}
	allStatements = []string{"query", "query_id", "user", "Settings"}
)

// needs are the rights of the gateway in the modes that it may have to work in, and
// there should be no others.
func (e draft) needs() []need { return e.needsIn(e.modes()) }

func (e draft) needsIn(modes []clickhouse.Mode) (needs []need) {
	for _, mode := range modes {
		stop := need{"SELECT", allStatements, "system.processes", "so that the gateway finds what it has to stop"}
		switch mode {
		case clickhouse.ExecuteAs:
			stop.columns = ownStatements
			needs = append(needs, append(e.people(), stop)...)
		case clickhouse.Verify, clickhouse.Forward:
			needs = append(needs, need{"KILL QUERY", nil, "*.*", "so that the gateway stops statements whose client has gone"}, stop)
		case clickhouse.Static:
			needs = append(needs, stop)
		}
	}
	return needs
}

// modes are the plan's, and what may take its place.
func (e *exam) modes() []clickhouse.Mode {
	mode := e.plan.Mode
	if mode == "" && !e.Facts.Gateway.Login.Works() {
		mode = clickhouse.ExecuteAs // what works is not known yet: most likely that
	}
	if e.maySwitchToVerify() && mode != clickhouse.Verify {
		return []clickhouse.Mode{mode, clickhouse.Verify}
	}
	return []clickhouse.Mode{mode}
}

// people are the rights to act as users that were made by hand: by exact name, or by
// prefix. For those that the provisioner makes, it gives the right itself, one by one.
func (e draft) people() (needs []need) {
	names, prefixes, _ := e.localUsers()
	for _, name := range names {
		needs = append(needs, need{"IMPERSONATE", nil, clickhouse.QuoteName(name), "so that the gateway may act as " + name})
	}
	for _, prefix := range prefixes {
		needs = append(needs, need{"IMPERSONATE", nil, clickhouse.QuoteName(prefix) + "*", "so that the gateway may act as whoever's name begins with " + prefix})
	}
	return needs
}

// grant is the statement that gives the gateway a right.
func (e draft) grant(n need) Statement {
	return Statement{Parts: text("GRANT" + e.on + " " + n.right + columnList(n.columns) + " ON " + n.on + " TO " + e.gatewayName()), Why: n.why}
}

func columnList(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return "(" + strings.Join(columns, ", ") + ")"
}

// met reports whether an account's grants have what is needed.
func (n need) met(grants []clickhouse.Grant) bool {
	return slices.ContainsFunc(grants, func(g clickhouse.Grant) bool {
		isAll := g.Realm == clickhouse.Everything && g.Right != "NONE"
		return !g.Revoked && (g.Right == n.right || isAll) && n.within(g) && (g.Columns == nil || subset(n.columns, g.Columns) && n.columns != nil)
	})
}

// within reports whether what a grant is on has in it what the need is on.
func (n need) within(g clickhouse.Grant) bool {
	if g.On == "*.*" || g.On == "*" || g.On == n.on {
		return true
	}
	if database, isDatabase := strings.CutSuffix(g.On, ".*"); isDatabase {
		return strings.HasPrefix(n.on, database+".")
	}
	name, isPrefix, ok := g.Names()
	own, ownPrefix, _ := clickhouse.Grant{On: n.on}.Names()
	return ok && n.right == "IMPERSONATE" && (isPrefix && strings.HasPrefix(own, name) || name == own && !ownPrefix)
}

func subset(some, of []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(of, s) })
}

// gateway says what the gateway's account lacks, and what it has too much of.
func (e holder) gateway() {
	g := e.Facts.Gateway
	switch why := e.ruling(); {
	case g.User == "":
		e.add(Finding{Careful, "gateway-login", "the gateway has no account, so nobody stops statements whose client has gone", "give it one: user and password of the cluster", ""})
		return
	case why != "":
		e.apart(why)
	case g.Login.Failed(clickhouse.LoginRefused):
		e.refused()
	case !g.Login.Works():
		e.add(Finding{Wrong, "gateway-login", "the gateway could not log in", "see what ClickHouse says", g.Login.Said})
	case !g.GrantsOf.Works():
		e.add(Finding{Careful, "gateway-rights", "what the gateway may do cannot be seen", "see what ClickHouse says", g.GrantsOf.Said})
	default:
		e.rights()
		e.settings()
	}
	if len(e.Hosts) == 0 && len(e.Here) > 0 && len(e.plan.SQL) > 0 {
		e.add(Finding{Fine, "gateway-hosts", "the SQL does not say from where the gateway may come", "say --host for each address of Porterhouse; this machine's is " + strings.Join(e.Here, ", "), ""})
	}
	if _, _, refused := e.localUsers(); len(refused) > 0 {
		e.add(Finding{Careful, "local-users", "users.local_users.allow leads to default, to the gateway or to the provisioner: " + strings.Join(refused, ", "),
			"name the people's own users, or a longer beginning; the SQL here lets the gateway act as none of these", ""})
	}
}

// rights compares what the gateway holds with what it needs.
func (e holder) rights() {
	g := e.Facts.Gateway
	tooMuch := e.excess("run the REVOKE below")
	var lacking []need
	for _, n := range e.needs() {
		if !n.met(g.Grants) {
			lacking = append(lacking, n)
		}
	}
	for _, n := range lacking {
		e.add(Finding{Wrong, "gateway-lacks", "the gateway lacks " + n.right + columnList(n.columns) + " ON " + n.on, "run the GRANT below, " + n.why, ""})
	}
	if len(lacking) == 0 && len(tooMuch)+len(g.Roles) == 0 {
		e.fine("gateway-rights", "the gateway %s holds what it needs, and nothing else", g.User)
		e.upkeep()
		return
	}
	for _, n := range e.needs() { // before anything is taken: when one fails, nothing was
		e.runs(e.grant(n))
	}
	e.takeAway(tooMuch)
	for _, n := range e.needs() {
		if slices.ContainsFunc(tooMuch, func(g clickhouse.Grant) bool { return g.Right == n.right }) {
			e.again(e.grant(n)) // the REVOKE may have taken it, too
		}
	}
	e.harden()
}

// refused says what to do where the gateway's login is refused.
func (e holder) refused() {
	g := e.Facts.Gateway
	switch {
	case e.Ran:
		e.add(Finding{Wrong, "gateway-login", "ClickHouse still refuses the gateway's login, after the SQL was run: most likely " + g.User + " may not come from here",
			"look at the HOST of " + g.User + " (SHOW CREATE USER), or run check where Porterhouse runs", g.Login.Said})
	case e.elsewhere():
		e.add(Finding{Wrong, "gateway-login", "ClickHouse refuses the gateway's login, and this machine (" + strings.Join(e.Here, ", ") + ") is none of those of --host, so from here nobody can tell why",
			"run check where Porterhouse runs, or name this machine by another --host. The SQL makes the user where there is none, and adds no password to one that is there", g.Login.Said})
		e.makeGateway()
	default:
		e.add(Finding{Wrong, "gateway-login", "ClickHouse refuses the gateway's login: there is no user " + g.User + ", its password is another, or it may not come from here",
			"run the SQL below, or put the right password into the configuration. The SQL adds the configured password beside the one that the user has, so nothing else that uses it is shut out", g.Login.Said})
		e.makeGateway()
	}
}

// settings says what of the gateway's profile gets in the way: under EXECUTE AS each
// overrides what people's own profiles say, which matters where it is a limit.
func (e holder) settings() {
	g := e.Facts.Gateway
	if g.ReadOnly > 0 && e.plan.Mode != clickhouse.Static {
		e.add(Finding{Wrong, "gateway-readonly", "the gateway's own profile holds it to reading", "take readonly off: with it, it can neither act as somebody nor stop a statement", ""})
	}
	var limits []string
	for _, s := range g.Changed {
		if isLimit(s.Name) {
			limits = append(limits, s.Name)
		}
	}
	if len(limits) > 0 && e.plan.Mode == clickhouse.ExecuteAs {
		slices.Sort(limits)
		e.add(Finding{Careful, "gateway-settings", "the gateway's profile sets " + strings.Join(limits, ", ") + ": under EXECUTE AS this overrides what people's own profiles say", "give the gateway an empty profile", ""})
	}
	if g.ReadOnly > 0 || len(limits) > 0 {
		e.run("so that no setting of the gateway's own is in people's way; a profile that users.xml gives it stays", text("ALTER USER "+e.gatewayName()+e.on+" SETTINGS NONE")...)
	}
}

// isLimit reports whether a setting bounds what somebody may do.
func isLimit(setting string) bool {
	for _, beginning := range []string{"max_", "min_", "timeout_", "allow_ddl", "force_"} {
		if strings.HasPrefix(setting, beginning) {
			return true
		}
	}
	return strings.HasSuffix(setting, "_overflow_mode")
}

// provisioner says what does not fit about whoever makes the accounts.
func (e holder) provisioner() {
	p := e.Facts.Provisioner
	if p == nil {
		return
	}
	switch why := e.tooPowerful(*p); {
	case why != "":
		e.add(provisionerOfOthers(p.User, why))
		return
	case p.Login.Failed(clickhouse.LoginRefused):
		e.add(Finding{Wrong, "provisioner-login", "ClickHouse refuses the provisioner's login: there is no user " + p.User + ", its password is another, or it may not come from here",
			"run the SQL below, or put the right password into the configuration (provision.password)", p.Login.Said})
	case !p.Login.Works():
		e.add(Finding{Wrong, "provisioner-login", "the provisioner could not log in", "see what ClickHouse says", p.Login.Said})
		return
	case e.Provisioned == nil:
		e.fine("provisioner", "the provisioner %s holds what it needs, and may change accounts that begin with %s only", p.User, e.Prefix)
		return
	case isAway(e.Provisioned):
		e.add(Finding{Careful, "provisioner-rights", "what the provisioner may do could not be read", "check again", e.Provisioned.Error()})
		return
	case isUnknownToServer(e.Provisioned):
		e.add(Finding{Wrong, "provisioner-version", "this version does not tell which rights are over a prefix, without which accounts are not made safely", "upgrade to 26.3 or later, or make the accounts by hand: leave provision out and name them in users.local_users.allow", e.Provisioned.Error()})
		return
	default:
		for _, text := range split(e.Provisioned) {
			e.add(Finding{Wrong, "provisioner-rights", text, "run the SQL below", ""})
		}
	}
	e.makeProvisioner() // first: when that fails, nothing was taken
	if e.boundProvisioner(p) {
		for _, sql := range e.Provisioning { // the REVOKE may have taken some of it, too
			e.again(Statement{Parts: text(sql), Why: "what the provisioner needs"})
		}
	}
}

// isAway reports whether an error is none of ClickHouse's own: it was not there to ask, or
// took too long.
func isAway(err error) bool {
	_, said := errors.AsType[*porterhouse.Exception](err)
	own, ok := errors.AsType[*porterhouse.Error](err)
	return ok && !said && (own.Kind == porterhouse.Unavailable || own.Kind == porterhouse.Timeout)
}

// isUnknownToServer reports whether the server does not have a column that we read.
func isUnknownToServer(err error) bool {
	const unknownIdentifier = 47
	exception, ok := errors.AsType[*porterhouse.Exception](err)
	return ok && exception.Code == unknownIdentifier
}

// boundProvisioner takes away what a provisioner has beyond its prefix. It reports
// whether there was something.
func (e holder) boundProvisioner(p *clickhouse.AccountFacts) (tookAway bool) {
	for _, g := range p.Grants {
		name, _, ok := g.Names()
		bounded := ok && e.Prefix != "" && strings.HasPrefix(name, e.Prefix)
		if g.Right == "ROLE ADMIN" && ok && name != "" { // over a role that it hands out
			continue
		}
		isPower := g.Realm == clickhouse.Management || g.Realm == clickhouse.Impersonation || g.Realm == clickhouse.Everything
		if isPower && !g.Revoked && !bounded && !strings.HasPrefix(g.Right, "SHOW ") && g.Right != "NONE" {
			e.run("the provisioner may change accounts of its prefix only", e.revoke(g, clickhouse.QuoteName(p.User))...)
			tookAway = true
		}
	}
	return tookAway
}

// split takes joined errors apart.
func split(err error) (texts []string) {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			texts = append(texts, split(e)...)
		}
		return texts
	}
	return []string{strings.TrimSpace(err.Error())}
}
