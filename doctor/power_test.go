package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"porterhouse/clickhouse"
	"porterhouse/doctor"
	"porterhouse/sandbox/fake"
)

// shown is the SQL of a plan, as it is shown.
func shown(plan doctor.Plan) (all []string) {
	for _, s := range plan.SQL {
		all = append(all, s.String())
	}
	return all
}

// Where the gateway is somebody else's account, or one that others need, the plan makes
// one of its own and takes nothing away.
func TestGatewayOfItsOwn(t *testing.T) {
	role := func(c *doctor.Case) { c.Facts.Gateway.Roles = []string{"boss"} }
	for _, test := range []struct {
		name   string
		change func(*doctor.Case)
		apart  bool
	}{
		{"the administrator", func(c *doctor.Case) { c.Admin = "gw"; role(c) }, true},
		{"another administrator", func(c *doctor.Case) { c.Admin = "boss"; role(c) }, false},
		{"default", func(c *doctor.Case) { c.Facts.Gateway.User = "default"; role(c) }, true},
		{"default, refused", func(c *doctor.Case) {
			c.Facts.Gateway.User, c.Facts.Gateway.Login = "default", fails(clickhouse.LoginRefused)
		}, true},
		{"the administrator, refused", func(c *doctor.Case) { c.Admin, c.Facts.Gateway.Login = "gw", fails(clickhouse.LoginRefused) }, true},
		{"access management", func(c *doctor.Case) {
			c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "CREATE USER", On: "*.*", Realm: clickhouse.Management})
		}, true},
		{"access management that was taken out", func(c *doctor.Case) {
			role(c)
			c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "CREATE USER", On: "*.*", Realm: clickhouse.Management, Revoked: true})
		}, false},
		{"roles of which nobody knows", func(c *doctor.Case) { role(c); c.Facts.Gateway.Complete = false }, true},
		{"its settings", func(c *doctor.Case) { c.Admin = "gw"; c.Facts.Gateway.ReadOnly = 1 }, true},
	} {
		c := healthy()
		test.change(&c)
		plan := doctor.Examine(c)
		sql := shown(plan)
		if !test.apart {
			if len(sql) == 0 || slices.ContainsFunc(sql, func(s string) bool { return strings.Contains(s, "CREATE USER") }) {
				t.Errorf("%s: it runs %q", test.name, sql)
			}
			continue
		}
		if !slices.EqualFunc(sql, ownAccount, strings.HasPrefix) || plan.Findings[0].Name != "gateway-account" {
			t.Errorf("%s: it runs %q, and says %+v", test.name, sql, plan.Findings[0])
		}
	}
}

// An account of its own has a name that nobody has; and nothing is taken from a
// provisioner that is somebody else's.
func TestAccountsOfOthers(t *testing.T) {
	c := healthy()
	provisioned(&c)
	c.Facts.Gateway.User, c.Admin, c.Provisioner = "porterhouse", "porterhouse", "porterhouse_gateway"
	if sql := shown(doctor.Examine(c)); len(sql) == 0 || !strings.HasPrefix(sql[0], "CREATE USER IF NOT EXISTS `porterhouse_gateway_2` ") {
		t.Errorf("it runs %q", sql)
	}
	for _, change := range []func(*doctor.Case){
		func(c *doctor.Case) { c.Admin = "prov" },
		func(c *doctor.Case) { c.Provisioner, c.Facts.Provisioner.User = "default", "default" },
		func(c *doctor.Case) {
			c.Facts.Provisioner.Grants = append(c.Facts.Provisioner.Grants, clickhouse.Grant{Right: "ALL", On: "*.*", Realm: clickhouse.Everything})
		},
	} {
		c := healthy()
		provisioned(&c)
		change(&c)
		c.Provisioned = &strangeError{}
		if plan := doctor.Examine(c); len(plan.SQL) > 0 || plan.Findings[0].Name != "provisioner-account" {
			t.Errorf("it runs %q, and says %+v", shown(plan), plan.Findings[0])
		}
		if setup := c.Setup(); c.Admin+c.Provisioner != "prov" && slices.ContainsFunc(shown(setup), func(s string) bool { return strings.Contains(s, "ALTER USER `"+c.Provisioner) }) {
			t.Errorf("the set-up runs %q", shown(setup))
		}
	}
}

type strangeError struct{}

func (*strangeError) Error() string { return "it holds too much" }

// On a real server, too: whoever is almighty stays so, and the new gateway has what it
// needs.
func TestOwnAccountApplies(t *testing.T) {
	h := open(t)
	p, _ := fake.Named("almighty")
	s := h.dress(p)
	h.run("CREATE ROLE IF NOT EXISTS analyst")
	grants := func() string {
		text, err := h.Text(t.Context(), "SHOW GRANTS FOR "+fake.Gateway+" FORMAT TSVRaw")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	before := grants()
	const own = "porterhouse_gateway"
	h.apply(doctor.Examine(h.look(s)).SQL)
	if after := grants(); after != before || !strings.Contains(before, "CREATE USER") {
		t.Errorf("it had\n%s\nand has\n%s", before, after)
	}
	if answer := h.as(own, "EXECUTE AS 'alice' SELECT currentUser()"); answer != "alice\n" {
		t.Errorf("as Alice: %s", answer)
	}
}

// A login that is refused from where none of ours is says nothing about its password, and
// neither does one that is refused after the SQL was run: nothing is added.
func TestRefusedFromElsewhere(t *testing.T) {
	for _, test := range []struct {
		hosts, here []string
		ran, adds   bool
	}{
		{nil, []string{"10.0.0.9"}, false, true}, {nil, []string{"10.0.0.9"}, true, false},
		{[]string{"10.0.0.7"}, []string{"10.0.0.9"}, false, false}, {[]string{"10.0.0.9"}, []string{"10.0.0.9"}, false, true},
		{[]string{"10.0.0.0/24"}, []string{"10.0.0.9"}, false, true}, {[]string{"10.1.0.0/24"}, []string{"10.0.0.9"}, false, false},
		{[]string{"10.0.0.7", "gw.example.com"}, []string{"10.0.0.9"}, false, true}, {[]string{"10.0.0.7"}, nil, false, true},
	} {
		c := healthy()
		c.Facts.Gateway.Login, c.Facts.Gateway.Grants = fails(clickhouse.LoginRefused), nil
		c.Hosts, c.Here, c.Ran = test.hosts, test.here, test.ran
		sql := strings.Join(shown(doctor.Examine(c)), "\n")
		if strings.Contains(sql, "ADD IDENTIFIED") != test.adds || test.ran && sql != "" || strings.Count(sql, "ADD IDENTIFIED") > 1 {
			t.Errorf("%+v: it runs\n%s", test, sql)
		}
		for line := range strings.Lines(sql) {
			if strings.HasPrefix(line, "ALTER USER") && strings.Contains(line, "HOST") && test.hosts == nil {
				t.Errorf("%+v: HOST, of which nobody has spoken: %s", test, line)
			}
		}
	}
}
