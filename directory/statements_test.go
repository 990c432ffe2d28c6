package directory_test

import (
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/directory"
)

// A dry run tells the statements and runs none.
func TestPlan(t *testing.T) {
	e := settle(t)
	w := wanted(t, "ph_alice", "analyst", "nowhere")
	w.Account.Profile = "people"
	w.Constraints.ReadOnly = true
	got, err := e.Plan(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CREATE USER `ph_alice` IDENTIFIED WITH no_authentication HOST NONE DEFAULT ROLE `porterhouse_account`, `analyst` SETTINGS PROFILE 'people', readonly = '2' CONST",
		"ALTER USER `ph_alice` DEFAULT ROLE ALL",
		"GRANT IMPERSONATE ON `ph_alice` TO `gw_porter`",
		"-- not to be given: nowhere",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("have\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := e.tell(t, "SELECT count() FROM system.users WHERE name = 'ph_alice'"); n != "0" || len(e.recorded(t)) != 0 {
		t.Error("the dry run did something")
	}
	e.ensure(t, w)
	if got, err = e.Plan(t.Context(), w); err != nil || len(got) != 1 || !strings.HasPrefix(got[0], "-- ") {
		t.Errorf("of an account that is as wanted: %q (%v)", got, err)
	}
	if _, err := e.Plan(t.Context(), wanted(t, "etl")); kindOf(err) != porterhouse.Refused {
		t.Errorf("outside the prefix: %v", err)
	}
}

// On a cluster each statement goes to all its servers, in the place where
// ClickHouse wants that; and before an account is changed, it is seen to be ours on
// all of them. The sandbox is one server, so the statements are only parsed.
func TestOnCluster(t *testing.T) {
	e := settle(t)
	p := e.another(t, e.record+".2", func(c *directory.ProvisionerConfig) { c.OnCluster = "it's main" })
	e.must(t, "CREATE USER ph_bob IDENTIFIED WITH no_authentication HOST NONE DEFAULT ROLE porterhouse_account, support")
	var statements []string
	for _, user := range []string{"ph_alice", "ph_bob"} {
		statements = append(statements, e.plan(t, p, user)...)
	}
	for _, sql := range p.Grants("analyst") {
		statements = append(statements, withPasswords(sql))
	}
	for _, sql := range statements {
		parsed := e.tell(t, "SELECT formatQuery("+clickhouse.QuoteString(sql)+") FORMAT TSVRaw")
		if !strings.Contains(parsed, "ON CLUSTER `it's main`") {
			t.Errorf("%s is read as %s", sql, parsed)
		}
	}
	want := []string{
		"CREATE USER IF NOT EXISTS `ph_bob`", "ALTER USER `ph_bob` ON CLUSTER 'it\\'s main' DEFAULT ROLE `porterhouse_account`", "ALTER USER `ph_bob` ON CLUSTER 'it\\'s main' DEFAULT ROLE ALL",
		"REVOKE ON CLUSTER 'it\\'s main' `support` FROM", "ALTER USER", "GRANT ON CLUSTER 'it\\'s main' `analyst` TO", "GRANT ON CLUSTER 'it\\'s main' IMPERSONATE ON `ph_bob`",
	}
	for i, sql := range e.plan(t, p, "ph_bob") {
		if !strings.HasPrefix(sql, want[i]) {
			t.Errorf("statement %d is %s, want %s", i+1, sql, want[i])
		}
	}
	// Where the user is somebody else's, the statement that looks fails.
	e.must(t, "CREATE USER ph_stranger")
	if err := e.Exec(t.Context(), "ALTER USER ph_stranger DEFAULT ROLE porterhouse_account"); err == nil || !strings.Contains(err.Error(), "Code: 512") {
		t.Errorf("a stranger passes for one of ours: %v", err)
	}
}

// What would not be safe is no configuration.
func TestProvisionerConfig(t *testing.T) {
	e := settle(t)
	for want, change := range map[string]func(*directory.ProvisionerConfig){
		"no connection":       func(c *directory.ProvisionerConfig) { c.Admin = nil },
		"no audit record":     func(c *directory.ProvisionerConfig) { c.Audit = nil },
		"is not named":        func(c *directory.ProvisionerConfig) { c.Gateway = "" },
		"one of its own":      func(c *directory.ProvisionerConfig) { c.Gateway = provisionerUser },
		"without a prefix":    func(c *directory.ProvisionerConfig) { c.Prefix = "" },
		"something else than": func(c *directory.ProvisionerConfig) { c.Prefix = "ph_* TO gw; --" },
		"could change it":     func(c *directory.ProvisionerConfig) { c.Prefix = "gw_" },
		"or default":          func(c *directory.ProvisionerConfig) { c.Prefix = "def" },
		"access mode":         func(c *directory.ProvisionerConfig) { c.Mode = "magic" },
		"hosts of the":        func(c *directory.ProvisionerConfig) { c.Mode = directory.Interserver },
		"is any host":         func(c *directory.ProvisionerConfig) { c.Mode, c.GatewayHosts = directory.Interserver, []string{"::/0"} },
		"neither an address":  func(c *directory.ProvisionerConfig) { c.Mode, c.GatewayHosts = directory.Interserver, []string{"%"} },
		"authenticator's":     func(c *directory.ProvisionerConfig) { c.Mode = directory.HTTP },
		"no name of a setting": func(c *directory.ProvisionerConfig) {
			c.Settings = map[string]string{"a = 1, readonly": "0"}
		},
		"control character": func(c *directory.ProvisionerConfig) { c.Settings = map[string]string{"join_algorithm": "a\x00b"} },
		"only 2":            func(c *directory.ProvisionerConfig) { c.Settings = map[string]string{"readonly": "1"} },
		"negative":          func(c *directory.ProvisionerConfig) { c.Lifetime = -time.Second },
	} {
		c := e.config(t)
		change(&c)
		if _, err := directory.NewProvisioner(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want an error that says %q", err, want)
		}
	}
}

// The number of accounts that are known at a time is bounded.
func TestManyAccountsAreForgotten(t *testing.T) {
	e := settle(t, func(c *directory.ProvisionerConfig) { c.MaxAccounts = 2 })
	for range 2 {
		for _, user := range []string{"ph_a", "ph_b", "ph_c", "ph_d"} {
			e.ensure(t, wanted(t, user, "analyst"))
		}
	}
	if got := e.actions(t, 0); strings.Count(got, "create") != 4 || strings.Count(got, "impersonate") != 4 {
		t.Errorf("the record has %q", got)
	}
}

// However short the Lifetime, each call ends.
func TestShortLifetime(t *testing.T) {
	e := settle(t, func(c *directory.ProvisionerConfig) { c.Lifetime = 1 })
	e.ensure(t, wanted(t, "ph_a", "analyst"))
	e.ensure(t, wanted(t, "ph_a"))
	if got, err := e.Origin(t.Context(), name(t, "ph_a")); err != nil || got != directory.Ours {
		t.Error(got, err)
	}
}
