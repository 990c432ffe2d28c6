package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"porterhouse/clickhouse"
)

// Case is a cluster: what was found there, and how it is meant to be.
type Case struct {
	Cluster string // our name of it
	Facts   clickhouse.Facts
	Others  []clickhouse.Facts // of the cluster's other servers, which should be alike; none: there is one
	Access  clickhouse.Access  // Mode: how people are to get in; Auto: by what works best
	Shadow  clickhouse.Mode    // the mode with which that one is compared; "": with none

	LocalUsers []string // users made by hand to whom the rules lead: names, or beginnings with a * behind them
	Hosts      []string // the addresses that all replicas of ours come from; none: nobody has said, so the SQL limits nothing
	Admin      string   // who will run the SQL; "": nobody has said
	Ran        bool     // the SQL of an earlier plan was run just now
	Here       []string // the address of the one that asks, to be suggested for Hosts
	OnCluster  string   // ClickHouse's own name of the cluster whose servers each keep their users; "": none

	Provisioner  string   // its account; "": accounts are made by hand
	Prefix       string   // of the accounts that it makes
	Provisioning []string // the statements that it needs; see directory.Provisioner.OwnGrants
	Provisioned  error    // what does not fit about it; see directory.Provisioner.CheckOwn

	Authenticator string // how ClickHouse's configuration calls us; "": it does not ask us
	AskUs         string // the file that tells ClickHouse to ask us

	Tokens *Tokens // which ones ClickHouse is shown; nil: none
}

// exam is the examination of a Case.
type exam struct {
	Case
	on      string // " ON CLUSTER '…'", or nothing
	account string // the gateway's: as configured, or one of its own in the place of that
	plan    *Plan
}

// What an examination looks at, one after the other.
type (
	road    struct{ *exam } // is there a ClickHouse, and is it always there?
	machine struct{ *exam } // the server itself, whoever comes
	draft   struct{ *exam } // writes statements
	entry   struct{ draft } // how people get in
	holder  struct{ draft } // what our accounts hold, and then group: are the servers alike?
)

// Examine makes the plan.
func Examine(c Case) Plan {
	plan := c.examine()
	if c.Shadow != "" {
		plan.Shadow = c.compared(plan)
	}
	return plan
}

// examine makes the plan for the mode alone.
func (c Case) examine() Plan {
	f := c.Facts
	plan := Plan{Cluster: c.Cluster, URL: f.URL, Version: f.Server.Version}
	e := newExam(c, &plan)
	if way := (road{e}); way.reach() {
		of := draft{e}
		entry{of}.way()
		machine{e}.server()
		holder{of}.gateway()
		holder{of}.provisioner()
		way.steady()
		of.everywhere()
	}
	group{e}.alike()
	plan.sort()
	return plan
}

func newExam(c Case, plan *Plan) *exam {
	e := &exam{Case: c, account: c.Facts.Gateway.User, plan: plan}
	if e.account != "" && c.ruling() != "" {
		e.account = c.ownAccount()
	}
	if c.OnCluster != "" {
		e.on = " ON CLUSTER " + clickhouse.QuoteString(c.OnCluster)
	}
	return e
}

func (e *exam) fine(name, format string, args ...any) {
	e.add(Finding{Severity: Fine, Name: name, Text: fmt.Sprintf(format, args...)})
}

func (e *exam) add(f Finding) {
	if f.Text != "" {
		e.plan.Findings = append(e.plan.Findings, f)
	}
}

// run adds a statement, unless it is there already.
func (e *exam) run(why string, parts ...Part) { e.runs(Statement{Parts: parts, Why: why}) }

func (e *exam) runs(s Statement) {
	if !slices.ContainsFunc(e.plan.SQL, s.same) {
		e.again(s)
	}
}

// again adds a statement. One that cannot be shown as it is, is told instead: what
// nobody can read, nobody can agree to.
func (e *exam) again(s Statement) {
	if shown := s.String(); strings.ContainsFunc(shown, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		e.add(Finding{Wrong, "unprintable", "a statement is left out, because there is a name in it that cannot be shown: " + strconv.QuoteToASCII(shown),
			"find out who made that name, and run the statement by hand if it is meant", ""})
		return
	}
	e.plan.SQL = append(e.plan.SQL, s)
}

// gatewayName is the gateway's account in SQL.
func (e *exam) gatewayName() string { return clickhouse.QuoteName(e.account) }

// localUsers sorts the users made by hand: those that are named one by one, the
// beginnings of the names of others, and those that nobody may act as, whatever the
// configuration says.
func (c Case) localUsers() (names, prefixes, refused []string) {
	for _, user := range c.LocalUsers {
		prefix, isPrefix := strings.CutSuffix(user, "*")
		switch {
		case c.leadsToStaff(prefix, isPrefix):
			refused = append(refused, user)
		case isPrefix:
			prefixes = append(prefixes, prefix)
		default:
			names = append(names, user)
		}
	}
	return names, prefixes, refused
}

// leadsToStaff reports whether a name, or what begins so, is the user default, the
// gateway or the provisioner. Of a bare * all are.
func (c Case) leadsToStaff(name string, isPrefix bool) bool {
	return slices.ContainsFunc([]string{"default", c.Facts.Gateway.User, c.Provisioner}, func(staff string) bool {
		return staff != "" && (staff == name || isPrefix && strings.HasPrefix(staff, name))
	})
}
