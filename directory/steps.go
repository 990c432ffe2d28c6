package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/clickhouse"
)

// step is one statement that brings an account nearer to what is wanted.
type step struct {
	action string // as the audit record names it
	sql    string
	roles  []string // that it is about
	reason string
}

// course is what is to be done about an account.
type course struct {
	steps   []step
	creates bool     // the account is not there
	lacking []string // wanted roles that we cannot give
}

// draft is one account as it is to be, and what it is compared with.
type draft struct {
	*policy
	name     string
	give     []string // roles
	settings []string
	login    login
	census   *census
}

// plan compares an account with how it is wanted. The order of the steps is that
// of safety: what is taken away goes first, and nobody acts as an account before
// all else is done. The error says why the account is none of ours.
func (p *policy) plan(w Wanted, c *census, l login) (course, error) {
	give, lacking := p.sort(w.Account.Roles, c)
	d := draft{p, w.Account.User.String(), give, p.settingsOf(w), l, c}
	switch p.origin(d.name, c) {
	case Missing:
		return course{d.begin(), true, lacking}, nil
	case Ours:
		return course{d.mend(), false, lacking}, nil
	case Privileged:
		return course{}, errors.New("it holds access management, by a grant or by a role: nobody acts as it")
	}
	return course{}, fmt.Errorf("there is such a user, without the role %s that tells those we made", p.config.Marker)
}

// begin returns the steps that make an account. A role that CREATE USER names as
// default is granted by it, too: so there is never a user of ours without the marker
// role, not even for a moment.
func (d draft) begin() []step {
	roles := append([]string{d.config.Marker}, d.give...)
	return append([]step{
		{"create", "CREATE USER " + d.user(roles), roles, "there is no such user"},
		{"alter", d.alterUser() + " DEFAULT ROLE ALL", nil, "roles that come later count as well"},
	}, d.impersonate()...)
}

// mend returns the steps from an account as it is to how it is wanted.
func (d draft) mend() (steps []step) {
	r := d.census.users[d.name]
	var take, lacks []string
	for _, role := range r.roles {
		if d.census.handed[role] && !slices.Contains(d.give, role) {
			take = append(take, role)
		}
	}
	for _, role := range d.give {
		if !r.has(role) {
			lacks = append(lacks, role)
		}
	}
	if len(take) > 0 {
		steps = append(steps, d.revoke(take, "the rules do not give these roles"))
	}
	if clauses, why := d.alterations(r); len(clauses) > 0 {
		steps = append(steps, step{"alter", d.alterUser() + strings.Join(clauses, ""), nil, why})
	}
	if len(lacks) > 0 {
		steps = append(steps, step{"grant", "GRANT" + d.on + " " + quotedNames(lacks) + " TO " + clickhouse.QuoteName(d.name), lacks, "the rules give these roles"})
	}
	steps = append(steps, d.impersonate()...)
	if d.on != "" && len(steps) > 0 {
		return append(d.guard(), steps...)
	}
	return steps
}

// guard makes sure that the user of that name is ours on every server of the
// cluster, of which the census has seen one. Where there is none, it is made; where
// somebody else made it, setting the marker as default role fails, for it lacks it.
func (d draft) guard() []step {
	marker := []string{d.config.Marker}
	return []step{
		{"create", "CREATE USER IF NOT EXISTS " + d.user(marker), marker, "a server of the cluster may lack the user"},
		{"alter", d.alterUser() + " DEFAULT ROLE " + quotedNames(marker), nil, "it must be ours on every server"},
		{"alter", d.alterUser() + " DEFAULT ROLE ALL", nil, "so it is"},
	}
}

// alterations returns the clauses of ALTER USER that are due, each with a space
// before it.
func (d draft) alterations(r *resident) (clauses []string, why string) {
	var reasons []string
	add := func(reason, clause string) {
		reasons, clauses = append(reasons, reason), append(clauses, " "+clause)
	}
	if r.method != d.login.method {
		add("one could log in by "+r.method, "IDENTIFIED WITH "+d.login.clause)
	}
	if r.hosts != d.login.hosts {
		add("the hosts were others", "HOST "+d.login.hostClause)
	}
	if !r.allRoles {
		add("not all roles were default", "DEFAULT ROLE ALL")
	}
	if !sameSettings(r.settings, d.settings) {
		add("the settings were others", "SETTINGS "+settingsClause(d.settings))
	}
	return clauses, strings.Join(reasons, "; ")
}

// revoke takes roles away.
func (d draft) revoke(roles []string, why string) step {
	return step{"revoke", "REVOKE" + d.on + " " + quotedNames(roles) + " FROM " + clickhouse.QuoteName(d.name), roles, why}
}

// impersonate lets the gateway act as exactly this user.
func (d draft) impersonate() []step {
	if d.config.Mode != ExecuteAs || d.census.gateway.covers(d.name) {
		return nil
	}
	sql := "GRANT" + d.on + " IMPERSONATE ON " + clickhouse.QuoteName(d.name) + " TO " + clickhouse.QuoteName(d.config.Gateway)
	return []step{{"impersonate", sql, nil, "the gateway could not act as it"}}
}

// estrange keeps the gateway from acting as the user: also as one of that name whom
// somebody else makes later.
func (d draft) estrange(why string) []step {
	if !d.census.gateway.covers(d.name) {
		return nil
	}
	sql := "REVOKE" + d.on + " IMPERSONATE ON " + clickhouse.QuoteName(d.name) + " FROM " + clickhouse.QuoteName(d.config.Gateway)
	return []step{{"revoke", sql, nil, why}}
}

// user is what follows CREATE USER.
func (d draft) user(roles []string) string {
	return clickhouse.QuoteName(d.name) + d.on + " IDENTIFIED WITH " + d.login.clause + " HOST " + d.login.hostClause +
		" DEFAULT ROLE " + quotedNames(roles) + " SETTINGS " + settingsClause(d.settings)
}

func (d draft) alterUser() string { return "ALTER USER " + clickhouse.QuoteName(d.name) + d.on }

func quotedNames(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = clickhouse.QuoteName(name)
	}
	return strings.Join(quoted, ", ")
}

// changedMeanwhile reports whether an error says that the accounts are not as the
// census had them: somebody else was faster, or dropped something.
func changedMeanwhile(err error) bool {
	exception, ok := errors.AsType[*porterhouse.Exception](err)
	return ok && slices.Contains([]int{alreadyExists, unknownUser, unknownRole, notGranted}, exception.Code)
}

// Codes of ClickHouse's exceptions.
const (
	noProfile     = 180
	unknownUser   = 192
	alreadyExists = 493 // ACCESS_ENTITY_ALREADY_EXISTS
	unknownRole   = 511
	notGranted    = 512 // SET_NON_GRANTED_ROLE
)
