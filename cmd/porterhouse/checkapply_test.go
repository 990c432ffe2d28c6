package main

import (
	"bufio"
	"net/netip"
	"os"
	"strings"
	"testing"

	"porterhouse/doctor"
	"porterhouse/sandbox/fake"
)

// configure replaces a part of the configuration.
func (c checked) configure(old, by string) {
	c.Helper()
	text, err := os.ReadFile(c.config)
	if err != nil || !strings.Contains(string(text), old) {
		c.Fatalf("%v: the configuration has no %q", err, old)
	}
	if err := os.WriteFile(c.config, []byte(strings.Replace(string(text), old, by, 1)), 0o600); err != nil {
		c.Fatal(err)
	}
}

// applies runs check --apply, as an administrator whose password is in the environment.
func (c checked) applies(admin, password string) (out, told string) {
	c.Helper()
	_, out, told = c.check("", "--apply", "--admin", admin, "--password", "env:"+password, "--yes")
	return out, told
}

// Somebody who may grant names a table like the place of a password, and grants it to the
// gateway: the REVOKE takes it away, and no password is in it.
func TestApplyTellsNoPasswordByName(t *testing.T) {
	c := openChecked(t)
	c.dress("26.7")
	c.exec("GRANT SELECT ON mallory.`"+string(doctor.GatewayPassword)+"` TO "+fake.Gateway, "GRANT SELECT(`"+string(doctor.ProvisionerPassword)+"`) ON mallory.t TO "+fake.Gateway)
	if out, told := c.applies(c.real.User, "ADMIN"); !strings.Contains(out, "After that was run:") || strings.Contains(told, "failed") {
		t.Errorf("%s%s", out, told)
	}
	c.exec("SYSTEM FLUSH LOGS")
	if logged := c.text("SELECT query FROM system.query_log WHERE query LIKE 'REVOKE%mallory%' FORMAT TSVRaw"); strings.Contains(logged, fake.Password) || strings.Count(logged, "password>") < 2 {
		t.Errorf("query_log has:\n%s", logged)
	}
	if left := c.text("SELECT count() FROM system.grants WHERE user_name = '" + fake.Gateway + "' AND database = 'mallory'"); left != "0" {
		t.Errorf("the gateway still holds %s of them", left)
	}
}

// The administrator who runs the SQL keeps all rights, although the configuration has
// that account as the gateway.
func TestApplyLeavesTheAdministrator(t *testing.T) {
	c := openChecked(t)
	c.dress("26.7")
	c.exec("DROP USER IF EXISTS boss, porterhouse_gateway", "CREATE USER boss IDENTIFIED BY '"+fake.Password+"'", "GRANT CURRENT GRANTS ON *.* TO boss WITH GRANT OPTION")
	c.configure("user: "+fake.Gateway+",", "user: boss,")
	before := c.text("SHOW GRANTS FOR boss FORMAT TSVRaw")
	out, told := c.applies("boss", "PASSWORD")
	if after := c.text("SHOW GRANTS FOR boss FORMAT TSVRaw"); after != before {
		t.Errorf("boss had\n%s\nand has\n%s", before, after)
	}
	if !strings.Contains(out, "WRONG   the gateway is boss, the administrator who runs this") || strings.Contains(out, "REVOKE ") || strings.Contains(told, "failed") {
		t.Errorf("%s%s", out, told)
	}
}

// A right that was given by hand, to act as users by a beginning that has to be quoted, is
// the one that the configuration names.
func TestApplyLeavesQuotedPrefixes(t *testing.T) {
	c := openChecked(t)
	c.dress("26.7")
	c.configure(leastUsers, "users: {local_users: {allow: ['ana-*', alice]}}\n")
	c.exec("GRANT IMPERSONATE ON `ana-`* TO " + fake.Gateway)
	if out, told := c.applies(c.real.User, "ADMIN"); strings.Contains(out, "IMPERSONATE ON `ana-`") || strings.Contains(told, "failed") {
		t.Errorf("%s%s", out, told)
	}
	c.exec("REVOKE IMPERSONATE ON `ana-`* FROM " + fake.Gateway)
	c.applies(c.real.User, "ADMIN")
	if held := c.text("SHOW GRANTS FOR " + fake.Gateway + " FORMAT TSVRaw"); !strings.Contains(held, "IMPERSONATE ON `ana-`*") {
		t.Errorf("the gateway has\n%s", held)
	}
}

// Without --host a user that is there may come from where it could, and has one more
// password after the first run and none more after the second.
func TestApplyAddsOnePassword(t *testing.T) {
	c := openChecked(t)
	c.dress("stale-password")
	for range 2 {
		c.applies(c.real.User, "ADMIN")
	}
	if made := c.text("SHOW CREATE USER " + fake.Gateway + " FORMAT TSVRaw"); strings.Count(made, "sha256_password") != 2 || strings.Contains(made, "HOST") && !strings.Contains(made, "HOST ANY") {
		t.Errorf("the gateway is %s", made)
	}
	c.dress("26.7")
	c.exec("DROP USER " + fake.Gateway)
	c.applies(c.real.User, "ADMIN")
	if made := c.text("SHOW CREATE USER " + fake.Gateway + " FORMAT TSVRaw"); strings.Count(made, "sha256_password") != 1 {
		t.Errorf("a new gateway is %s", made)
	}
}

// A gateway that may not come from here gets no password, which would not let it in, and
// so not one with each run.
func TestApplyAddsNoPasswordInVain(t *testing.T) {
	c := openChecked(t)
	for _, host := range []string{"IP '192.0.2.7'", "NONE", "IP '10.0.0.0/8', IP '2001:db8::/32'"} {
		c.dress("26.7")
		c.exec("ALTER USER " + fake.Gateway + " HOST " + host)
		for range 2 {
			if out, told := c.applies(c.real.User, "ADMIN"); !strings.Contains(out, "After that was run:") || !strings.Contains(told, "porterhouse may not come from 127.0.0.1, where this runs (HOST of the user)") {
				t.Errorf("%s: %s%s", host, out, told)
			}
		}
		if made := c.text("SHOW CREATE USER " + fake.Gateway + " FORMAT TSVRaw"); strings.Count(made, "sha256_password") != 1 {
			t.Errorf("%s: the gateway is %s", host, made)
		}
	}
	c.dress("stale-password")
	c.exec("ALTER USER " + fake.Gateway + " HOST LIKE '%', IP '192.0.2.7'") // nobody can tell
	c.applies(c.real.User, "ADMIN")
	if made := c.text("SHOW CREATE USER " + fake.Gateway + " FORMAT TSVRaw"); strings.Count(made, "sha256_password") != 2 {
		t.Errorf("the gateway is %s", made)
	}
}

// From where a user may come is read as ClickHouse reads it.
func TestOrigins(t *testing.T) {
	for _, test := range []struct {
		of   origins
		from string
		want bool
	}{
		{origins{}, "10.0.0.1", false}, // HOST NONE
		{origins{networks: []string{"::/0"}}, "10.0.0.1", true},
		{origins{networks: []string{"10.0.0.0/8"}}, "10.0.0.1", true},
		{origins{networks: []string{"10.0.0.0/8"}}, "11.0.0.1", false},
		{origins{networks: []string{"::ffff:10.0.0.0/104"}}, "10.0.0.1", true},
		{origins{networks: []string{"::ffff:10.0.0.0/104"}}, "11.0.0.1", false},
		{origins{networks: []string{"10.0.0.1"}}, "10.0.0.1", true},
		{origins{networks: []string{"::ffff:10.0.0.1"}}, "10.0.0.1", true},
		{origins{networks: []string{"10.0.0.2"}}, "10.0.0.1", false},
		{origins{networks: []string{"2001:db8::/32"}}, "2001:db8::1", true},
		{origins{networks: []string{"2001:db8::/32"}}, "10.0.0.1", false},
		{origins{networks: []string{"10.1.0.3/255.255.0.255"}}, "11.0.0.1", true}, // nobody can tell
		{origins{names: []string{"localhost"}}, "127.0.0.2", true},
		{origins{names: []string{"localhost"}}, "10.0.0.1", false},
		{origins{names: []string{"gateway.example.com"}}, "10.0.0.1", true}, // nobody can tell
		{origins{patterns: true}, "10.0.0.1", true},
	} {
		if got := test.of.mayHave(netip.MustParseAddr(test.from)); got != test.want {
			t.Errorf("%+v, from %s: %t", test.of, test.from, got)
		}
	}
}

// Each cluster has an answer of its own, also where all are there at once.
func TestEachClusterIsAskedFor(t *testing.T) {
	var stderr strings.Builder
	a := administrator{user: "boss", answers: bufio.NewReader(strings.NewReader("yes\nno\nyes\n")), terminal: terminal{stderr: &stderr}}
	for i, want := range []bool{true, false, true, false} {
		if ok, err := a.agree(doctor.Plan{Cluster: "main"}); ok != want || err != nil {
			t.Errorf("answer %d: %t %v", i+1, ok, err)
		}
	}
}
