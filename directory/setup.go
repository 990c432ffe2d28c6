package directory

import (
	"slices"

	"porterhouse/clickhouse"
)

// Grants returns the statements that an operator runs once, as an administrator,
// to set up the gateway, the provisioner and the marker role; roles are those that
// the rules may give. A password stands as <…>, which ClickHouse does not take: the
// operator writes the configured one there. Beyond these the two accounts need, and
// should have, nothing.
func (p *Provisioner) Grants(roles ...string) []string {
	gateway := clickhouse.QuoteName(p.config.Gateway)
	return append([]string{
		// A role that somebody gives the gateway must not count by itself.
		"CREATE USER IF NOT EXISTS " + gateway + p.on + " IDENTIFIED BY <the gateway's password> DEFAULT ROLE NONE",
		"GRANT" + p.on + " SELECT(query, query_id, user) ON system.processes TO " + gateway,
		"CREATE USER IF NOT EXISTS " + clickhouse.QuoteName(p.config.Admin.User()) + p.on + " IDENTIFIED BY <the provisioner's password>",
	}, p.OwnGrants(roles...)...)
}

// OwnGrants are those of Grants that make the marker role, and give the provisioner what
// it needs; there is no password in them.
func (p *policy) OwnGrants(roles ...string) []string {
	provisioner, marker := clickhouse.QuoteName(p.config.Admin.User()), clickhouse.QuoteName(p.config.Marker)
	statements := []string{
		"CREATE ROLE IF NOT EXISTS " + marker + p.on,
	}
	statements = append(statements, p.rightsOverUsers(provisioner)...)
	for _, table := range []string{"users", "role_grants", "grants", "settings_profile_elements"} {
		statements = append(statements, "GRANT"+p.on+" SELECT ON system."+table+" TO "+provisioner)
	}
	// Where SELECT on these tables needs no grant, seeing their rows does.
	statements = append(statements, "GRANT"+p.on+" SHOW USERS, SHOW ROLES, SHOW SETTINGS PROFILES ON *.* TO "+provisioner)
	if p.on != "" {
		statements = append(statements, "GRANT"+p.on+" CLUSTER ON *.* TO "+provisioner)
	}
	handed := slices.Sorted(slices.Values(append([]string{p.config.Marker}, roles...)))
	return append(statements, "GRANT"+p.on+" "+quotedNames(slices.Compact(handed))+" TO "+provisioner+" WITH ADMIN OPTION")
}

// rightsOverUsers are those to make and change users of the prefix, or, without
// one, any but those that matter most.
func (p *policy) rightsOverUsers(provisioner string) []string {
	const over = " CREATE USER, ALTER USER, DROP USER ON "
	on := p.config.Prefix + "*"
	statements := []string{"GRANT" + p.on + over + on + " TO " + provisioner}
	if p.config.Mode == ExecuteAs {
		statements = append(statements, "GRANT"+p.on+" IMPERSONATE ON "+on+" TO "+provisioner+" WITH GRANT OPTION")
	}
	if p.config.Prefix != "" {
		return statements
	}
	for _, name := range []string{alwaysDenied, p.config.Gateway, p.config.Admin.User()} {
		user := clickhouse.QuoteName(name)
		statements = append(statements, "REVOKE"+p.on+over+user+" FROM "+provisioner)
		if p.config.Mode == ExecuteAs {
			statements = append(statements, "REVOKE"+p.on+" IMPERSONATE ON "+user+" FROM "+provisioner)
		}
	}
	return statements
}
