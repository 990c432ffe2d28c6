package directory

import (
	"slices"
	"strings"

	"porterhouse/clickhouse"
)

// accessManagement are the rights by which one gets more rights, or becomes
// somebody else. SHOW ACCESS is none.
var accessManagement = []string{
	"ALL", "ACCESS MANAGEMENT", "ROLE ADMIN", "IMPERSONATE", "SET DEFINER", "ALLOW SQL SECURITY NONE",
	"CREATE USER", "ALTER USER", "DROP USER", "CREATE ROLE", "ALTER ROLE", "DROP ROLE",
	"CREATE ROW POLICY", "ALTER ROW POLICY", "DROP ROW POLICY", "CREATE MASKING POLICY", "ALTER MASKING POLICY", "DROP MASKING POLICY",
	"CREATE QUOTA", "ALTER QUOTA", "DROP QUOTA", "CREATE SETTINGS PROFILE", "ALTER SETTINGS PROFILE", "DROP SETTINGS PROFILE",
}

// readGrants reads who holds access management, and over whom.
var readGrants = "SELECT ifNull(user_name, ''), ifNull(role_name, ''), toString(access_type), ifNull(access_object, ''), is_wildcard, is_partial_revoke\n" +
	" FROM system.grants WHERE toString(access_type) IN (" + literals(accessManagement) + ")"

func literals(list []string) string {
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = clickhouse.QuoteString(text)
	}
	return strings.Join(quoted, ", ")
}

// reach is over which users a right was granted.
type reach struct{ given, taken []object }

// object is one user, or with wildcard all whose names begin so.
type object struct {
	name     string
	wildcard bool
}

func (o object) covers(name string) bool {
	if o.wildcard {
		return strings.HasPrefix(name, o.name)
	}
	return o.name == name
}

// newObject reads one as system.grants shows it: with no name it is everybody.
func newObject(name string, wildcard bool) object {
	return object{name, wildcard || name == ""}
}

// covers reports whether name is one of them.
func (r reach) covers(name string) bool {
	is := func(o object) bool { return o.covers(name) }
	return slices.ContainsFunc(r.given, is) && !slices.ContainsFunc(r.taken, is)
}

// takeRoles takes in who has which role. Holding one WITH ADMIN OPTION is access
// management: it can be given to anybody.
func (g *registry) takeRoles(c *census, rows [][]string) {
	c.handed, c.powerful, c.privileged, c.inherited = map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string][]string{}
	for _, row := range rows {
		user, role, granted, administers := row[0], row[1], row[2], row[3] == "1"
		if user == "" {
			c.inherited[role] = append(c.inherited[role], granted)
			c.powerful[role] = c.powerful[role] || administers
			continue
		}
		if administers {
			c.privileged[user] = true
		}
		if administers && user == g.config.Admin.User() && granted != g.config.Marker {
			c.handed[granted] = true
		}
		if r := c.users[user]; r != nil {
			r.roles = append(r.roles, granted)
		}
	}
}

// takeGrants takes in who holds access management, and draws the conclusions.
func (g *registry) takeGrants(c *census, rows [][]string) {
	for _, row := range rows {
		user, role, right, on, revoked := row[0], row[1], row[2], newObject(row[3], row[4] == "1"), row[5] == "1"
		switch {
		case user == g.config.Gateway && right == "IMPERSONATE" && revoked:
			c.gateway.taken = append(c.gateway.taken, on)
		case user == g.config.Gateway && right == "IMPERSONATE":
			c.gateway.given = append(c.gateway.given, on)
		case revoked:
		case user != "":
			c.privileged[user] = true
		default:
			c.powerful[role] = true
		}
	}
	for c.spread() {
	}
	for name, r := range c.users {
		if g.isStaff(name) || slices.ContainsFunc(r.roles, c.isPowerful) {
			c.privileged[name] = true
		}
	}
}

// spread makes roles powerful that have a powerful one, and reports whether there
// was a new one.
func (c *census) spread() (more bool) {
	for role, has := range c.inherited {
		if !c.powerful[role] && slices.ContainsFunc(has, c.isPowerful) {
			c.powerful[role], more = true, true
		}
	}
	return more
}

func (c *census) isPowerful(role string) bool { return c.powerful[role] }
