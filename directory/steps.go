package directory

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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

// plan compares an account with how it is wanted. The order of the steps is that
// of safety: what is taken away goes first, and nobody acts as an account before
// all else is done. The error says why the account is none of ours.
func (p *Provisioner) plan(w Wanted, c *census, l login) (course, error) {
	name := w.Account.User.String()
	give, lacking := p.sort(w.Account.Roles, c)
	settings := p.settingsOf(w)
	switch p.origin(name, c) {
	case Missing:
		// A role that the statement names as default is granted by it, too. So there is
		// never a user of ours without the marker role, not even for a moment.
		roles := append([]string{p.config.Marker}, give...)
		steps := []step{
			{"create", p.createUser(name, l, roles, settings), roles, "there is no such user"},
			{"alter", p.alterUser(name) + " DEFAULT ROLE ALL", nil, "roles that come later count as well"},
		}
		return course{append(steps, p.impersonate(name, c)...), true, lacking}, nil
	case Ours:
		return course{p.mend(name, c, l, give, settings), false, lacking}, nil
	case Privileged:
		return course{}, errors.New("it holds access management, by a grant or by a role: nobody acts as it")
	}
	return course{}, fmt.Errorf("there is such a user, without the role %s that tells those we made", p.config.Marker)
}

// sort tells the roles that we may give from those that we cannot: because they do
// not exist, or are not ours to hand out, or carry access management.
func (p *Provisioner) sort(roles []string, c *census) (give, lacking []string) {
	for _, role := range roles {
		if c.handed[role] && !c.powerful[role] {
			give = append(give, role)
		} else if role != p.config.Marker {
			lacking = append(lacking, role)
		}
	}
	return give, lacking
}

// mend returns the steps from an account as it is to how it is wanted.
func (p *Provisioner) mend(name string, c *census, l login, give, settings []string) (steps []step) {
	r := c.users[name]
	var take, lacks []string
	for _, role := range r.roles {
		if c.handed[role] && !slices.Contains(give, role) {
			take = append(take, role)
		}
	}
	for _, role := range give {
		if !r.has(role) {
			lacks = append(lacks, role)
		}
	}
	if len(take) > 0 {
		steps = append(steps, step{"revoke", "REVOKE" + p.on + " " + quotedNames(take) + " FROM " + clickhouse.QuoteName(name), take, "the rules do not give these roles"})
	}
	if clauses, why := p.alterations(r, l, settings); len(clauses) > 0 {
		steps = append(steps, step{"alter", p.alterUser(name) + strings.Join(clauses, ""), nil, why})
	}
	if len(lacks) > 0 {
		steps = append(steps, step{"grant", "GRANT" + p.on + " " + quotedNames(lacks) + " TO " + clickhouse.QuoteName(name), lacks, "the rules give these roles"})
	}
	steps = append(steps, p.impersonate(name, c)...)
	if p.on != "" && len(steps) > 0 {
		return slices.Concat(p.guard(name, r, l, settings), steps)
	}
	return steps
}

// guard makes sure that the user of that name is ours on every server of the
// cluster, of which the census has seen one. Where there is none, it is made; where
// somebody else made it, setting the marker as default role fails, for it lacks it.
func (p *Provisioner) guard(name string, r *resident, l login, settings []string) []step {
	create := strings.Replace(p.createUser(name, l, []string{p.config.Marker}, settings), "CREATE USER", "CREATE USER IF NOT EXISTS", 1)
	return []step{
		{"create", create, []string{p.config.Marker}, "a server of the cluster may lack the user"},
		{"alter", p.alterUser(name) + " DEFAULT ROLE " + clickhouse.QuoteName(p.config.Marker), nil, "it must be ours on every server"},
		{"alter", p.alterUser(name) + " DEFAULT ROLE ALL", nil, "so it is"},
	}
}

// alterations returns the clauses of ALTER USER that are due, each with a space
// before it.
func (p *Provisioner) alterations(r *resident, l login, settings []string) (clauses []string, why string) {
	var reasons []string
	add := func(reason, clause string) {
		reasons, clauses = append(reasons, reason), append(clauses, " "+clause)
	}
	if r.method != l.method {
		add("one could log in by "+r.method, "IDENTIFIED WITH "+l.clause)
	}
	if r.hosts != l.hosts {
		add("the hosts were others", "HOST "+l.hostClause)
	}
	if !r.allRoles {
		add("not all roles were default", "DEFAULT ROLE ALL")
	}
	if !sameSettings(r.settings, settings) {
		add("the settings were others", "SETTINGS "+settingsClause(settings))
	}
	return clauses, strings.Join(reasons, "; ")
}

// impersonate lets the gateway act as exactly this user.
func (p *Provisioner) impersonate(name string, c *census) []step {
	if p.config.Mode != ExecuteAs || c.gateway.covers(name) {
		return nil
	}
	sql := "GRANT" + p.on + " IMPERSONATE ON " + clickhouse.QuoteName(name) + " TO " + clickhouse.QuoteName(p.config.Gateway)
	return []step{{"impersonate", sql, nil, "the gateway could not act as it"}}
}

func (p *Provisioner) createUser(name string, l login, roles, settings []string) string {
	return "CREATE USER " + clickhouse.QuoteName(name) + p.on + " IDENTIFIED WITH " + l.clause + " HOST " + l.hostClause +
		" DEFAULT ROLE " + quotedNames(roles) + " SETTINGS " + settingsClause(settings)
}

func (p *Provisioner) alterUser(name string) string {
	return "ALTER USER " + clickhouse.QuoteName(name) + p.on
}

func quotedNames(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = clickhouse.QuoteName(name)
	}
	return strings.Join(quoted, ", ")
}

// checkSettings refuses settings that could not be written into a statement, or
// that would keep ours away.
func (c *ProvisionerConfig) checkSettings() error {
	for name, value := range c.Settings {
		switch {
		case !plainName.MatchString(name):
			return fmt.Errorf("%q is no name of a setting", name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return fmt.Errorf("the value of the setting %s holds a control character", name)
		case name == "readonly" && value != "2":
			return fmt.Errorf("readonly = %s: only 2 lets Porterhouse's own log_comment and time limit pass", value)
		}
	}
	return nil
}

// settingsOf returns the elements of an account's settings, as settingText writes
// them: the profile, then the constants by their name.
func (p *Provisioner) settingsOf(w Wanted) (elements []string) {
	if w.Account.Profile != "" {
		elements = append(elements, settingText(w.Account.Profile, "", "", "", "", ""))
	}
	constants := maps.Clone(p.config.Settings)
	if constants == nil {
		constants = map[string]string{}
	}
	constrain(constants, p.config.Constraints)
	constrain(constants, w.Constraints)
	for _, name := range slices.Sorted(maps.Keys(constants)) {
		elements = append(elements, settingText("", name, constants[name], "", "", "CONST"))
	}
	return elements
}

// constrain adds the settings that stand for c.
func constrain(constants map[string]string, c Constraints) {
	if c.ReadOnly {
		constants["readonly"] = "2"
	}
	for name, value := range map[string]int64{
		"max_result_rows":    c.Limits.Rows,
		"max_result_bytes":   c.Limits.Bytes,
		"max_memory_usage":   c.Limits.Memory,
		"max_execution_time": int64(math.Ceil(float64(c.Limits.Time) / float64(time.Second))), // 0 would be for ever
	} {
		if value > 0 {
			constants[name] = strconv.FormatInt(value, 10)
		}
	}
}

// settingsClause is what follows SETTINGS. It replaces all settings that the
// account had.
func settingsClause(elements []string) string {
	if len(elements) == 0 {
		return "NONE"
	}
	var list []string
	for _, element := range elements {
		if profile, ok := strings.CutPrefix(element, "profile "); ok {
			list = append(list, "PROFILE "+clickhouse.QuoteString(profile))
			continue
		}
		part := strings.Split(element, "\x00")
		list = append(list, part[0]+" = "+clickhouse.QuoteString(part[1])+" CONST")
	}
	return strings.Join(list, ", ")
}

func sameSettings(have, want []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(want)))
}

// reasonOf says why the account is as it is: what was found, and who said which
// groups.
func (w Wanted) reasonFor(s step) string {
	if w.Who.Proof == "" {
		return s.reason
	}
	reason := fmt.Sprintf("%s; proved by %s", s.reason, w.Who.Proof)
	if !w.Who.Issued.IsZero() {
		reason += " at " + w.Who.Issued.UTC().Format(time.RFC3339)
	}
	return reason + ", groups: " + strings.Join(w.Who.Groups, ", ")
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
