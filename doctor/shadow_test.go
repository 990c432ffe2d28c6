package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"porterhouse/clickhouse"
	"porterhouse/doctor"
)

// comparing is a cluster where nothing is amiss, in one mode, with whatever the three that
// can be compared need beside.
func comparing(mode, shadow clickhouse.Mode) doctor.Case {
	c := healthy()
	c.Access.Mode, c.Shadow = mode, shadow
	c.Facts.Native.Secret = works
	c.Facts.Gateway.Grants[2].Columns = []string{"query", "query_id", "user", "Settings"}
	c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "KILL QUERY", On: "*.*", Realm: clickhouse.Killing})
	return c
}

// without takes a right from the gateway.
func without(c *doctor.Case, right string) {
	c.Facts.Gateway.Grants = slices.DeleteFunc(c.Facts.Gateway.Grants, func(g clickhouse.Grant) bool { return g.Right == right })
}

// What the mode lacks that is compared is told apart from what the cluster's own does, and
// neither plan takes away what the other needs.
func TestShadow(t *testing.T) {
	const byName, bySecret, byTicket = clickhouse.ExecuteAs, clickhouse.Interserver, clickhouse.Verify
	for _, test := range []struct {
		name         string
		mode, shadow clickhouse.Mode
		change       func(*doctor.Case)
		own, other   []string // that is wrong
		sql          []string // beginnings of it
	}{
		{"all is there", bySecret, byName, func(c *doctor.Case) { without(c, "KILL QUERY") }, nil, nil, nil},
		{"the other way round", byName, bySecret, func(c *doctor.Case) { without(c, "KILL QUERY") }, nil, nil, nil},
		{"what tickets need", byName, byTicket, func(*doctor.Case) {}, nil, nil, nil},
		{"what tickets need, held too far", byName, byTicket, func(c *doctor.Case) { c.Facts.Gateway.Grants[3].Option = true }, nil, nil,
			[]string{"GRANT IMPERSONATE ON `alice`", "GRANT IMPERSONATE ON `team_`*", "GRANT SELECT(query, query_id, user) ON", "REVOKE KILL QUERY ON *.*", "ALTER USER `gw` HOST", "GRANT KILL QUERY", "GRANT SELECT(query, query_id, user, Settings)", "GRANT KILL QUERY"}},
		{"nobody granted IMPERSONATE", bySecret, byName, func(c *doctor.Case) { without(c, "KILL QUERY"); without(c, "IMPERSONATE") }, nil, []string{"gateway-lacks", "gateway-lacks"},
			[]string{"GRANT IMPERSONATE ON `alice`", "GRANT IMPERSONATE ON `team_`*", "GRANT SELECT(query, query_id, user)", "ALTER USER `gw` HOST"}},
		{"nor the right to stop", byName, byTicket, func(c *doctor.Case) { without(c, "KILL QUERY") }, nil, []string{"gateway-lacks"},
			[]string{"GRANT KILL QUERY", "GRANT SELECT(query, query_id, user, Settings)", "ALTER USER `gw` HOST"}},
		{"the secret is another", byName, bySecret, func(c *doctor.Case) { without(c, "KILL QUERY"); c.Facts.Native.Secret = broken }, nil, []string{"secret"}, nil},
		{"EXECUTE AS is off", byTicket, byName, func(c *doctor.Case) { c.Facts.ExecuteAs.Known = fails(clickhouse.SwitchedOff) }, nil, []string{"execute-as"}, nil},
		{"ClickHouse is away", bySecret, byName, func(c *doctor.Case) { c.Facts.Reached = fails(clickhouse.NobodyListens) }, []string{"reached"}, nil, nil},
		{"a mistake of both", byName, byTicket, func(c *doctor.Case) { c.Facts.Gateway.ReadOnly = 1 }, []string{"gateway-readonly"}, nil, []string{"ALTER USER `gw` SETTINGS NONE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := comparing(test.mode, test.shadow)
			test.change(&c)
			plan := doctor.Examine(c)
			if own, other := wrongs(plan), wrongs(*plan.Shadow); !slices.Equal(own, test.own) || !slices.Equal(other, test.other) || plan.Shadow.Mode != test.shadow {
				t.Errorf("wrong are %q, and in %s %q: %+v", own, plan.Shadow.Mode, other, plan.Shadow.Findings)
			}
			if isWrong := plan.Worst() == doctor.Wrong; isWrong != (len(test.own)+len(test.other) > 0) {
				t.Errorf("the worst is %s", plan.Worst())
			}
			sql := plan.Statements()
			if len(sql) != len(test.sql) {
				t.Fatalf("to be run is %v", sql)
			}
			for i, s := range sql {
				if !strings.HasPrefix(s.String(), test.sql[i]) {
					t.Errorf("statement %d is %s, not %s", i, s, test.sql[i])
				}
			}
		})
	}
	if plan := doctor.Examine(healthy()); plan.Shadow != nil {
		t.Errorf("nothing is compared, and there is a plan for it: %+v", plan.Shadow)
	}
}

// wrongs are the names of what is wrong in the plan itself.
func wrongs(p doctor.Plan) (names []string) {
	for _, f := range p.Findings {
		if f.Severity == doctor.Wrong {
			names = append(names, f.Name)
		}
	}
	return names
}

// From nothing, the gateway gets what both modes need.
func TestSetupForBothModes(t *testing.T) {
	c := comparing(clickhouse.Interserver, clickhouse.Verify)
	var all []string
	for _, s := range c.Setup().SQL {
		all = append(all, s.String())
	}
	for _, want := range []string{"GRANT KILL QUERY ON *.* TO `gw`", "ALTER USER `alice` ADD IDENTIFIED WITH http SERVER 'porterhouse'"} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("it has no %s: %q", want, all)
		}
	}
}
