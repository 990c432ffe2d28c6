package doctor

import (
	"slices"
	"strings"

	"porterhouse/clickhouse"
)

// excesses say what it means that the gateway holds more than it needs, by realm.
var excesses = []struct {
	realm    clickhouse.Realm
	severity Severity
	text     string
}{
	{clickhouse.Everything, Wrong, "the gateway holds every right: whoever has its password, or makes it run a statement of their own, is an administrator"},
	{clickhouse.Management, Wrong, "the gateway holds access management, so it can give itself every right"},
	{clickhouse.Impersonation, Wrong, "the gateway may act as more users than the configuration names"},
	{clickhouse.Sources, Wrong, "the gateway can reach other hosts and files; remote() without a user name is the user default on the host that it names"},
	{clickhouse.Writing, Wrong, "the gateway can write by itself"},
	{clickhouse.Running, Wrong, "the gateway can command the server"},
	{clickhouse.Killing, Careful, "the gateway can stop other people's statements, which this mode does not need"},
	{clickhouse.Reading, Careful, "the gateway can read by itself"},
}

// excess says what the gateway holds beyond its needs, and returns it.
func (e holder) excess(remedy string) (tooMuch []clickhouse.Grant) {
	g := e.Facts.Gateway
	for _, about := range excesses {
		var grants []string
		for _, held := range g.Grants {
			if held.Realm == about.realm && !held.Revoked && !e.needed(held) {
				grants = append(grants, held.Right+columnList(held.Columns)+" ON "+held.On)
				tooMuch = append(tooMuch, held)
			}
		}
		if len(grants) > 0 {
			e.add(Finding{about.severity, "gateway-" + string(about.realm), about.text + ": " + strings.Join(grants, ", "), remedy, ""})
		}
	}
	if len(g.Roles) > 0 {
		e.add(Finding{Careful, "gateway-roles", "the gateway has roles, and what it needs is granted to itself: " + strings.Join(g.Roles, ", "), remedy, ""})
	}
	return tooMuch
}

// takeAway takes from the gateway what it has too much of.
func (e holder) takeAway(tooMuch []clickhouse.Grant) {
	for _, held := range tooMuch {
		e.run("the gateway does not need it", e.revoke(held, e.gatewayName())...)
	}
	if roles := e.Facts.Gateway.Roles; len(roles) > 0 {
		e.run("the gateway needs no role", text("REVOKE"+e.on+" "+quotedList(roles, clickhouse.QuoteName)+" FROM "+e.gatewayName())...)
	}
}

// needed reports whether a grant is one that the gateway is to have.
func (e holder) needed(held clickhouse.Grant) bool {
	if held.Option || held.Right == "NONE" {
		return held.Right == "NONE"
	}
	if held.Right == "IMPERSONATE" {
		return e.mayActAs(held)
	}
	if held.Right == "SELECT" && held.On == "system.processes" {
		return held.Columns != nil && subset(held.Columns, allStatements)
	}
	for _, n := range e.allowed() {
		if n.right == held.Right && n.on == held.On {
			return true
		}
	}
	return false
}

// mayActAs reports whether the users of a grant are such as the configuration leads
// to: named by it, or made by the provisioner.
func (e holder) mayActAs(held clickhouse.Grant) bool {
	name, isPrefix, ok := held.Names()
	if !ok || e.leadsToStaff(name, isPrefix) {
		return false
	}
	names, prefixes, _ := e.localUsers()
	if e.Provisioner != "" && e.Prefix != "" {
		prefixes = append(prefixes, e.Prefix)
	}
	return !isPrefix && slices.Contains(names, name) || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// revoke is the statement that takes a grant away from an account.
func (e draft) revoke(g clickhouse.Grant, account string) []Part {
	return text("REVOKE" + e.on + " " + g.Right + columnList(quotedColumns(g.Columns)) + " ON " + g.On + " FROM " + account)
}

func quotedColumns(columns []string) []string {
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = clickhouse.QuoteName(column)
	}
	return quoted
}
