package directory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/directory"
)

// A new person has an account with their roles, in which nobody can log in and as
// which the gateway acts; the record says so before; and the second time nothing is done.
func TestNewAccount(t *testing.T) {
	e := settle(t)
	if err := e.Check(t.Context()); err != nil {
		t.Fatalf("what the printed grants give is found wanting: %v", err)
	}
	w := wanted(t, "ph_alice@example.com", "analyst", "a'b")
	w.Account.Profile = "people"
	e.ensure(t, w)
	if got := e.roles(t, "ph_alice@example.com"); got != "a'b,analyst,porterhouse_account" {
		t.Errorf("roles %s", got)
	}
	got := e.tell(t, "SHOW CREATE USER `ph_alice@example.com`")
	if want := "CREATE USER `ph_alice@example.com` IDENTIFIED WITH no_authentication HOST NONE SETTINGS PROFILE people"; strings.ReplaceAll(got, "`people`", "people") != want {
		t.Errorf("it is %s", got)
	}
	if got, err := e.as(t, "ph_alice@example.com", "SELECT concat(currentUser(), ' ', toString(sum(a)), ' ', toString(getSetting('max_threads'))) FROM app.t"); err != nil || got != "ph_alice@example.com 6 2" {
		t.Errorf("she reads %q (%v)", got, err)
	}
	if _, err := login(t, e, "ph_alice@example.com", "").text(t, "SELECT 1"); err == nil {
		t.Error("anybody can log in to the account")
	}
	if got := e.actions(t, 0); got != "create alter impersonate" {
		t.Errorf("the record has %q", got)
	}
	line := e.recorded(t)[0]
	if line["subject"] != "sub of ph_alice@example.com" || line["account"] != "ph_alice@example.com" || line["door"] != "mcp" ||
		fmt.Sprint(line["roles"]) != "[porterhouse_account a'b analyst]" || !strings.Contains(line["reason"].(string), "proved by corp, groups: g1, g2") {
		t.Errorf("the record says %v", line)
	}
	e.ensure(t, w)
	e.clock.advance(time.Hour)
	e.ensure(t, w)
	if again := e.actions(t, 3); again != "" {
		t.Errorf("an account that is as wanted was changed: %s", again)
	}
}

// Groups change, and roles with them, at once; roles that are not ours to take stay.
func TestRolesFollow(t *testing.T) {
	e := settle(t)
	e.ensure(t, wanted(t, "ph_bob", "analyst"))
	e.must(t, "GRANT secret TO ph_bob")
	for _, step := range []struct {
		roles []string
		want  string
	}{
		{[]string{"analyst", "support"}, "analyst,porterhouse_account,secret,support"},
		{[]string{"a'b"}, "a'b,porterhouse_account,secret"},
		{nil, "porterhouse_account,secret"},
		{[]string{"analyst"}, "analyst,porterhouse_account,secret"},
		{[]string{"secret"}, "porterhouse_account,secret"},
	} {
		e.ensure(t, wanted(t, "ph_bob", step.roles...))
		if got := e.roles(t, "ph_bob"); got != step.want {
			t.Errorf("wanted %q: has %s, want %s", step.roles, got, step.want)
		}
	}
	e.ensure(t, wanted(t, "ph_bob", "analyst"))
	if got, err := e.as(t, "ph_bob", "SELECT count() FROM app.t"); err != nil || got != "3" {
		t.Errorf("roles that came later do not count: %q, %v", got, err)
	}
}

// What others changed is found within the Lifetime, and mended; not before it.
func TestDriftIsMended(t *testing.T) {
	e := settle(t)
	w := wanted(t, "ph_carol", "analyst")
	w.Account.Profile = "people"
	e.ensure(t, w)
	for _, drift := range []struct{ name, sql, want string }{
		{"a role granted", "GRANT support TO ph_carol", "revoke"},
		{"a role revoked", "REVOKE analyst FROM ph_carol", "grant"},
		{"a password", "ALTER USER ph_carol IDENTIFIED BY 'open sesame'", "alter"},
		{"a second way to log in", "ALTER USER ph_carol ADD IDENTIFIED BY 'open sesame'", "alter"},
		{"hosts", "ALTER USER ph_carol HOST ANY", "alter"},
		{"default roles", "ALTER USER ph_carol DEFAULT ROLE NONE", "alter"},
		{"settings", "ALTER USER ph_carol SETTINGS max_threads = 64", "alter"},
		{"no settings", "ALTER USER ph_carol SETTINGS NONE", "alter"},
		{"the gateway's right", "REVOKE IMPERSONATE ON ph_carol FROM " + gatewayUser, "impersonate"},
		{"the user", "DROP USER ph_carol", "create alter"}, // the grant to the gateway outlives it
	} {
		before := len(e.recorded(t))
		if drift.name == "a second way to log in" && strings.Contains(e.tell(t, "SHOW CREATE USER ph_carol"), "no_authentication") {
			continue // ClickHouse refuses to add one to no_authentication
		}
		e.must(t, drift.sql)
		e.ensure(t, w)
		if got := e.actions(t, before); got != "" {
			t.Errorf("%s: found at once (%s), so each call asks ClickHouse", drift.name, got)
		}
		e.clock.advance(time.Minute)
		e.ensure(t, w)
		if got := e.actions(t, before); got != drift.want {
			t.Errorf("%s: mended by %q, want %q", drift.name, got, drift.want)
		}
		if got := e.roles(t, "ph_carol"); got != "analyst,porterhouse_account" {
			t.Errorf("%s: roles are %s", drift.name, got)
		}
	}
}

// A process that died between two statements leaves an account that the next one completes.
func TestHalfMadeAccount(t *testing.T) {
	e := settle(t)
	e.must(t, "CREATE USER ph_dora IDENTIFIED WITH no_authentication HOST NONE DEFAULT ROLE porterhouse_account, analyst")
	e.ensure(t, wanted(t, "ph_dora", "analyst", "support"))
	if got := e.actions(t, 0); got != "alter grant impersonate" {
		t.Errorf("completed by %q", got)
	}
	if got, err := e.as(t, "ph_dora", "SELECT count() FROM app.t"); err != nil || got != "3" {
		t.Errorf("it reads %q (%v)", got, err)
	}
}

// Users that somebody else made, and holders of access management, are reached by no name.
func TestOrigins(t *testing.T) {
	e := settle(t)
	for _, sql := range []string{
		"CREATE USER ph_etl IDENTIFIED WITH no_authentication", "CREATE USER etl",
		"CREATE USER marked", "GRANT porterhouse_account TO marked",
		"CREATE USER ph_admin", "GRANT porterhouse_account, admins TO ph_admin",
		"CREATE ROLE boss", "GRANT admins TO boss", "CREATE USER ph_boss DEFAULT ROLE NONE", "GRANT porterhouse_account, boss TO ph_boss", "ALTER USER ph_boss DEFAULT ROLE NONE",
		"CREATE USER ph_giver", "GRANT porterhouse_account TO ph_giver", "GRANT analyst TO ph_giver WITH ADMIN OPTION",
		"CREATE USER ph_mask", "GRANT porterhouse_account TO ph_mask", "GRANT IMPERSONATE ON etl TO ph_mask",
		"CREATE USER ph_definer", "GRANT porterhouse_account TO ph_definer", "GRANT SET DEFINER ON etl TO ph_definer",
		"CREATE USER ph_rower", "GRANT porterhouse_account TO ph_rower", "GRANT CREATE ROW POLICY ON app.* TO ph_rower",
		"CREATE USER ph_all", "GRANT porterhouse_account TO ph_all", "GRANT ACCESS MANAGEMENT ON *.* TO ph_all",
	} {
		e.must(t, sql)
	}
	e.ensure(t, wanted(t, "ph_eve"))
	for user, want := range map[string]directory.Origin{
		"ph_eve": directory.Ours, "ph_nobody": directory.Missing, "nobody": directory.Missing, "ph_etl": directory.Local, "etl": directory.Local,
		"marked": directory.Local, "ph_admin": directory.Privileged, "ph_boss": directory.Privileged, "ph_giver": directory.Privileged,
		"ph_mask": directory.Privileged, "ph_definer": directory.Privileged, "ph_rower": directory.Privileged, "ph_all": directory.Privileged,
		"default": directory.Privileged, gatewayUser: directory.Privileged, provisionerUser: directory.Privileged,
	} {
		if got, err := e.Origin(t.Context(), name(t, user)); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", user, got, err, want)
		}
		if want == directory.Ours || user == "ph_nobody" {
			continue
		}
		before, lines := e.tell(t, "SELECT count() FROM system.users")+e.roles(t, user), len(e.recorded(t))
		if err := e.Ensure(t.Context(), wanted(t, user, "analyst", "support")); kindOf(err) != porterhouse.Refused {
			t.Errorf("%s is not refused but %v", user, err)
		}
		if after := e.tell(t, "SELECT count() FROM system.users") + e.roles(t, user); after != before || len(e.recorded(t)) != lines {
			t.Errorf("%s was changed: %s is now %s", user, before, after)
		}
	}
}

// Somebody makes the user after we looked and before we made it: it is theirs.
func TestTakenMeanwhile(t *testing.T) {
	e := settle(t)
	if got, err := e.Origin(t.Context(), name(t, "ph_frank")); err != nil || got != directory.Missing {
		t.Fatal(got, err)
	}
	e.must(t, "CREATE USER ph_frank IDENTIFIED BY 'mine'")
	if err := e.Ensure(t.Context(), wanted(t, "ph_frank", "analyst")); kindOf(err) != porterhouse.Refused {
		t.Errorf("want it refused, have %v", err)
	}
	if got := e.roles(t, "ph_frank"); got != "" {
		t.Errorf("it was given the roles %s", got)
	}
	if got := e.tell(t, "SELECT count() FROM system.grants WHERE access_type = 'IMPERSONATE' AND access_object = 'ph_frank'"); got != "0" {
		t.Error("the gateway may act as it")
	}
}

// A role that does not exist, is not ours to give, or carries access management is
// a warning, once; the person has the others.
func TestRolesThatCannotBeGiven(t *testing.T) {
	e := settle(t)
	e.must(t, "GRANT admins TO "+provisionerUser+" WITH ADMIN OPTION")
	if err := e.Check(t.Context()); err == nil || !strings.Contains(err.Error(), `"admins"`) {
		t.Errorf("Check finds nothing wrong with handing out access management: %v", err)
	}
	w := wanted(t, "ph_gina", "admins", "analyst", "no such role", "porterhouse_account", "secret")
	for range 3 {
		e.ensure(t, w)
		e.clock.advance(time.Hour)
	}
	if got := e.roles(t, "ph_gina"); got != "analyst,porterhouse_account" {
		t.Errorf("roles %s", got)
	}
	if got := e.actions(t, 0); got != "warning create alter impersonate" {
		t.Errorf("the record has %q", got)
	}
	if got := fmt.Sprint(e.recorded(t)[0]["roles"]); got != "[admins no such role secret]" {
		t.Errorf("the warning names %s", got)
	}
}

// No settings profile, no account; nobody goes without its limits.
func TestMissingProfile(t *testing.T) {
	e := settle(t)
	w := wanted(t, "ph_hans", "analyst")
	w.Account.Profile = "nowhere"
	if err := e.Ensure(t.Context(), w); kindOf(err) != porterhouse.Refused {
		t.Errorf("want it refused, have %v", err)
	}
	if got := e.tell(t, "SELECT count() FROM system.users WHERE name = 'ph_hans'"); got != "0" {
		t.Error("there is an account")
	}
	e.ensure(t, wanted(t, "ph_hans"))
	w.Account.Roles = []string{"analyst", "support"}
	if err := e.Ensure(t.Context(), w); kindOf(err) != porterhouse.Refused {
		t.Errorf("want it refused, have %v", err)
	}
	if got := e.roles(t, "ph_hans"); got != "porterhouse_account" {
		t.Errorf("it got the roles %s without its profile", got)
	}
	last := e.recorded(t)[len(e.recorded(t))-1]
	if last["error"] == nil || last["code"] != 180.0 {
		t.Errorf("the failure is not in the record: %v", last)
	}
}

// ClickHouse itself keeps an agent's account to its constraints, and lets our own
// settings pass.
func TestConstraints(t *testing.T) {
	e := settle(t, func(c *directory.ProvisionerConfig) {
		c.Settings = map[string]string{"max_bytes_before_external_sort": "1000000", "join_algorithm": "hash"}
	})
	e.must(t, "GRANT INSERT ON app.t TO analyst")
	w := wanted(t, "ph_ina#agent", "analyst")
	w.Persona = true
	w.Constraints = directory.Constraints{ReadOnly: true, Limits: porterhouse.Limits{Rows: 1000, Bytes: 1 << 20, Time: 1500 * time.Millisecond, Memory: 1 << 30}}
	e.ensure(t, w)
	for sql, code := range map[string]int{
		"INSERT INTO app.t SELECT 4": 164,
		"SELECT number FROM system.numbers LIMIT 5 SETTINGS max_result_rows = 0":  452,
		"SELECT 1 SETTINGS max_execution_time = 100":                              452,
		"SELECT 1 SETTINGS readonly = 0":                                          164,
		"SELECT 1 SETTINGS max_memory_usage = 0":                                  452,
		"SELECT 1 SETTINGS join_algorithm = 'parallel_hash'":                      452,
		"SELECT count() FROM app.t":                                               0,
		"SELECT throwIf(getSetting('log_comment') = '') FROM app.t":               395,
		"SELECT throwIf(toUInt64(getSetting('max_execution_time')) != 2, 'time')": 0,
	} {
		_, err := e.as(t, "ph_ina#agent", sql)
		if got := codeOf(err); got != code {
			t.Errorf("%s: code %d, want %d (%v)", sql, got, code, err)
		}
	}
	e.clock.advance(time.Hour)
	before := len(e.recorded(t))
	e.ensure(t, w)
	if got := e.actions(t, before); got != "" {
		t.Errorf("constraints that are as wanted were set again: %s", got)
	}
	w.Constraints.Limits.Rows = 5
	e.ensure(t, w)
	if got := e.actions(t, before); got != "alter" {
		t.Errorf("other limits: %q", got)
	}
}

// Where the server does not know no_authentication the account has a password
// that nobody knows, and no host.
func TestModes(t *testing.T) {
	for _, mode := range []struct {
		name   string
		change func(*directory.ProvisionerConfig)
		want   string
	}{
		{"interserver", func(c *directory.ProvisionerConfig) {
			c.Mode, c.GatewayHosts = directory.Interserver, []string{"10.1.2.3", "10.9.0.0/16", "127.0.0.1", "::1", "gw.example.com"}
		}, "IDENTIFIED WITH no_authentication HOST LOCAL, NAME 'gw.example.com', IP '10.1.2.3', '10.9.0.0/16'"},
		{"http", func(c *directory.ProvisionerConfig) { c.Mode, c.HTTPServer = directory.HTTP, "porter'house" },
			`IDENTIFIED WITH http SERVER 'porter\'house' SCHEME 'BASIC'`},
	} {
		t.Run(mode.name, func(t *testing.T) {
			e := settle(t, mode.change)
			if err := e.Check(t.Context()); err != nil {
				t.Error(err)
			}
			e.ensure(t, wanted(t, "ph_jim", "analyst"))
			if got := e.tell(t, "SHOW CREATE USER ph_jim FORMAT TSVRaw"); !strings.HasPrefix(strings.TrimPrefix(got, "CREATE USER ph_jim "), mode.want[:30]) {
				t.Errorf("it is %s, want %s", got, mode.want)
			}
			before := len(e.recorded(t))
			e.clock.advance(time.Hour)
			e.ensure(t, wanted(t, "ph_jim", "analyst"))
			if got := e.actions(t, before); got != "" {
				t.Errorf("an account that is as wanted was changed: %s: %v", got, e.recorded(t)[before:])
			}
			if got := e.tell(t, "SELECT count() FROM system.grants WHERE access_type = 'IMPERSONATE' AND user_name IS NOT NULL AND user_name != 'default'"); got != "0" {
				t.Error("somebody may impersonate people, and need not")
			}
		})
	}
}

// Whatever a name holds, exactly that account is made, found as it is, and changed.
func TestHostileNames(t *testing.T) {
	e := settle(t)
	e.must(t, "CREATE ROLE "+clickhouse.QuoteName("r'`\\\" --"))
	e.must(t, "GRANT "+clickhouse.QuoteName("r'`\\\" --")+" TO "+provisionerUser+" WITH ADMIN OPTION")
	names := []string{
		"ph_a'b", "ph_a''", "ph_a`b", `ph_a\b`, `ph_a\`, `ph_a\'`, "ph_a\\`", `ph_a"b`, "ph_a@corp.com", "ph_a@%", "ph_*", "ph_a b", "ph_a;b", "ph_a--",
		"ph_a/*", "ph_{x:String}", "ph_$$", "ph_ä", "ph_日本", "ph_a,default", "ph_x TO default", `ph_\x41`, `ph_\N`, `ph_\t`, "ph_a#agent", "ph_a` TO `default",
	}
	for _, user := range names {
		e.ensure(t, wanted(t, user, "r'`\\\" --"))
		e.ensure(t, wanted(t, user, "analyst"))
		if got := e.roles(t, user); got != "analyst,porterhouse_account" {
			t.Errorf("%s has the roles %s", user, got)
		}
		if got, err := e.as(t, user, "SELECT hex(currentUser())"); err != nil || got != fmt.Sprintf("%X", user) {
			t.Errorf("%s is %s (%v)", user, got, err)
		}
	}
	before := len(e.recorded(t))
	e.clock.advance(time.Hour)
	for _, user := range names {
		e.ensure(t, wanted(t, user, "analyst"))
	}
	if got := e.actions(t, before); got != "" {
		t.Errorf("accounts that are as wanted were changed: %s", got)
	}
	if got := e.tell(t, "SELECT count() FROM system.users WHERE startsWith(name, 'ph_')"); got != fmt.Sprint(len(names)) {
		t.Errorf("%s users for %d names", got, len(names))
	}
}
