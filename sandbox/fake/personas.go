package fake

import (
	"slices"
	"strings"
	"time"
)

// slow is how long Slow takes for each answer: longer than somebody who asks one
// thing after the other has.
const slow = 700 * time.Millisecond

// Personas are all of them, by what an operator would call them.
func Personas() []Persona {
	return slices.Concat(byAge(), byVendor(), byRights(), byHealth())
}

// Named returns the persona of that name, and whether there is one.
func Named(name string) (Persona, bool) {
	all := Personas()
	i := slices.IndexFunc(all, func(p Persona) bool { return p.Name == name })
	if i < 0 {
		return Persona{}, false
	}
	return all[i], true
}

// byAge are ClickHouse's own builds, from old to new, all with a gateway as it should
// be.
func byAge() []Persona {
	return []Persona{
		{Name: "21.8", About: "21.8 LTS, whose exceptions read otherwise, and which knows few of the settings of these days",
			Version: "21.8.15.7", Build: " (official build)", ExecuteAs: NoSyntax, Setup: noImpersonation()},
		{Name: "22.8", About: "22.8 LTS, the last one whose native protocol is too old for interserver",
			Version: "22.8.21.38", Build: " (official build)", ExecuteAs: NoSyntax, Setup: noImpersonation()},
		{Name: "old", About: "22.9, the oldest one that interserver works with",
			Version: "22.9.7.34", Build: " (official build)", ExecuteAs: NoSyntax, Setup: noImpersonation(), HasSecret: true},
		{Name: "no-secret", About: "23.3 LTS, whose operator has not given the cluster's secret",
			Version: "23.3.22.3", Build: " (official build)", ExecuteAs: NoSyntax, Setup: noImpersonation()},
		{Name: "23.8", About: "23.8 LTS, without EXECUTE AS",
			Version: "23.8.16.40", Build: " (official build)", ExecuteAs: NoSyntax, Setup: noImpersonation(), HasSecret: true},
		{Name: "25.11-off", About: "25.11, where EXECUTE AS is off as it comes",
			Version: "25.11.2.24", Build: " (official build)", ExecuteAs: OldSwitchOff, Setup: noImpersonation()},
		{Name: "26.1-off", About: "26.1, whose operator set the switch where only 26.2 looks for it",
			Version: "26.1.3.52", Build: " (official build)", ExecuteAs: OldSwitchOff, Setup: noImpersonation()},
		{Name: "26.2-off", About: "26.2, where the switch has moved and is off",
			Version: "26.2.5.45", Build: " (official build)", ExecuteAs: SwitchedOff, Setup: noImpersonation()},
		{Name: "26.3-format", About: "26.3 before .14.32, where EXECUTE AS drops the FORMAT of the text",
			Version: "26.3.3.20", Build: " (official build)", ExecuteAs: DropsFormat, Provisions: true, Setup: wellMade()},
		{Name: "26.7", About: "26.7 as it should be",
			Version: "26.7.2.1", Provisions: true, Setup: wellMade()},
	}
}

// byVendor are builds of others. That Cloud and Aiven do not parse EXECUTE AS is
// assumed: their documents say that it is not there, and not how it is missed.
func byVendor() []Persona {
	return []Persona{
		{Name: "cloud", About: "ClickHouse Cloud: no EXECUTE AS, and tokens",
			Version: "25.12.1.1497", ExecuteAs: NoSyntax, Tokens: true,
			Setup: slices.Concat(noImpersonation(), []string{"ALTER USER " + Gateway + " SETTINGS cloud_mode = 1"})},
		{Name: "antalya", About: "Altinity's Antalya with token processors, and EXECUTE AS off",
			Version: "25.8.9.20207.altinityantalya", Build: " (altinity build)", ExecuteAs: OldSwitchOff, Tokens: true, Setup: noImpersonation()},
		{Name: "altinity", About: "Altinity's stable build with EXECUTE AS brought back into 25.8",
			Version: "25.8.13.10041.altinitystable", Build: " (altinity build)", Provisions: true, Setup: wellMade()},
		{Name: "aiven", About: "a 26.3 out of which EXECUTE AS was compiled",
			Version: "26.3.4.12", ExecuteAs: NoSyntax, Setup: noImpersonation()},
	}
}

// byRights are 26.7s on which somebody granted too much or too little.
func byRights() []Persona {
	return []Persona{
		{Name: "helpless", About: "a provisioner without rights", Version: "26.7.2.1", Provisions: true,
			Setup: slices.Concat(gateway(), []string{"CREATE USER " + Provisioner + " " + identified})},
		{Name: "almighty", About: "a gateway that holds access management and may be an administrator", Version: "26.7.2.1",
			Provisions: true,
			Setup: slices.Concat(wellMade(), []string{
				"CREATE USER " + Admin + " " + identified, "GRANT ACCESS MANAGEMENT ON *.* TO " + Admin,
				"GRANT CREATE USER, ALTER USER ON *.* TO " + Gateway, "GRANT IMPERSONATE ON * TO " + Gateway,
				"GRANT READ, WRITE ON REMOTE TO " + Gateway,
			})},
		{Name: "readonly", About: "a gateway whose profile says readonly = 1 and limits", Version: "26.7.2.1",
			Provisions: true,
			Setup:      slices.Concat(wellMade(), []string{"ALTER USER " + Gateway + " SETTINGS readonly = 1, max_result_rows = 7"})},
		{Name: "ungranted", About: "a gateway that may act as nobody", Version: "26.7.2.1",
			Provisions: true,
			Setup:      slices.Concat(wellMade(), []string{"REVOKE IMPERSONATE ON " + Alice + " FROM " + Gateway})},
		{Name: "stale-password", About: "a gateway whose password is another", Version: "26.7.2.1",
			Provisions: true,
			Setup:      slices.Concat(wellMade(), []string{"ALTER USER " + Gateway + " IDENTIFIED WITH sha256_password BY 'rotated'"})},
	}
}

// byHealth are servers that are not well, or none.
func byHealth() []Persona {
	return []Persona{
		{Name: "flapping", About: "hangs up on every other connection", Version: "26.7.2.1", Flaps: true, Provisions: true, Setup: wellMade()},
		{Name: "slow", About: "takes its time for each answer", Version: "26.7.2.1", Delay: slow, Provisions: true, Setup: wellMade()},
		{Name: "expired", About: "speaks TLS by a certificate that ended yesterday", Version: "26.7.2.1", OldCertificate: true, Provisions: true, Setup: wellMade()},
		{Name: "stranger", About: "somebody else's web server", Stranger: true},
	}
}

// identified is how the accounts of a persona log in.
const identified = "IDENTIFIED WITH sha256_password BY '" + Password + "'"

// Cluster and Secret are what personas with an interserver secret have.
const (
	Cluster = "cluster"
	Secret  = "the cluster's secret"
)

// SecretConfig is XML for the configuration of the real server behind a persona that
// HasSecret.
const SecretConfig = "<remote_servers><" + Cluster + "><secret>" + Secret + "</secret><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></" + Cluster + "></remote_servers>"

// gateway makes Alice, and a gateway that may act as her and look for its own
// statements.
func gateway() []string {
	return append(noImpersonation(), "GRANT IMPERSONATE ON "+Alice+" TO "+Gateway)
}

// noImpersonation is gateway where nobody can be impersonated.
func noImpersonation() []string {
	return []string{
		"CREATE USER " + Alice + " " + identified,
		"CREATE USER " + Gateway + " " + identified + " DEFAULT ROLE NONE",
		"GRANT SELECT(query, query_id, user) ON system.processes TO " + Gateway,
	}
}

// Marker is the role that tells the provisioner's accounts from others, and Prefix
// how their names begin.
const (
	Marker = "porterhouse_account"
	Prefix = "ph_"
)

// wellMade is gateway with a provisioner, bounded by the prefix of what it makes.
func wellMade() []string {
	statements := append(gateway(),
		"CREATE ROLE "+Marker,
		"CREATE USER "+Provisioner+" "+identified,
		"GRANT CREATE USER, ALTER USER, DROP USER ON "+Prefix+"* TO "+Provisioner,
		"GRANT IMPERSONATE ON "+Prefix+"* TO "+Provisioner+" WITH GRANT OPTION",
		"GRANT SHOW USERS, SHOW ROLES, SHOW SETTINGS PROFILES ON *.* TO "+Provisioner,
		"GRANT "+Marker+" TO "+Provisioner+" WITH ADMIN OPTION",
	)
	for _, table := range []string{"users", "role_grants", "grants", "settings_profile_elements"} {
		statements = append(statements, "GRANT SELECT ON system."+table+" TO "+Provisioner)
	}
	return statements
}

// Undress are the statements that take everything off again that a Setup makes, so
// that one real server can stand behind one persona after the other.
func Undress() []string {
	return []string{
		"DROP USER IF EXISTS " + strings.Join([]string{Alice, Gateway, Provisioner, Admin}, ", "),
		"DROP ROLE IF EXISTS " + Marker,
	}
}
