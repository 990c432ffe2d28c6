package doctor_test

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/doctor"
)

var (
	works  = clickhouse.Finding{Outcome: clickhouse.Works}
	broken = clickhouse.Finding{Outcome: clickhouse.Fails, Cause: clickhouse.HungUp, Said: "EOF"}
)

func fails(cause clickhouse.Cause) clickhouse.Finding {
	return clickhouse.Finding{Outcome: clickhouse.Fails, Cause: cause, Said: "so it says"}
}

// healthy is a cluster where nothing is amiss.
func healthy() doctor.Case {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	return doctor.Case{
		Cluster: "main", LocalUsers: []string{"alice", "team_*"}, Hosts: []string{"gw.example.com", "10.0.0.7", "10.0.0.0/24"}, Authenticator: "porterhouse", AskUs: "<file/>\n",
		Access: clickhouse.Access{Mode: clickhouse.ExecuteAs},
		Facts: clickhouse.Facts{
			URL: "https://ch.example.com:8443", At: at, Reached: works, Person: "alice",
			TLS:    &clickhouse.TLSFact{Version: "TLS 1.3", Issuer: "CN=An authority", Until: at.AddDate(1, 0, 0)},
			Server: clickhouse.ServerFacts{Version: "26.7.2.1", Build: clickhouse.Official, Uptime: 48 * time.Hour, Timezone: "UTC"},
			Gateway: clickhouse.AccountFacts{User: "gw", Login: works, GrantsOf: works, Complete: true, Grants: []clickhouse.Grant{
				{Right: "IMPERSONATE", On: "alice", Realm: clickhouse.Impersonation}, {Right: "IMPERSONATE", On: "team_*", Realm: clickhouse.Impersonation},
				{Right: "SELECT", Columns: []string{"query", "query_id", "user"}, On: "system.processes", Realm: clickhouse.Reading},
			}},
			ExecuteAs:   clickhouse.ExecuteAsFacts{Known: works, Person: works, FormatKept: works},
			OpenDefault: fails(clickhouse.LoginRefused), Native: clickhouse.NativeFacts{Reached: works, Login: works},
		},
	}
}

// ownAccount is what gives the gateway an account of its own: nothing is taken from
// the one that it has.
var ownAccount = []string{"CREATE USER IF NOT EXISTS `porterhouse` IDENTIFIED WITH sha256_password BY <the gateway's password> HOST ", "GRANT IMPERSONATE ON `alice` TO `porterhouse`",
	"GRANT IMPERSONATE ON `team_`* TO `porterhouse`", "GRANT SELECT(query, query_id, user) ON system.processes TO `porterhouse`"}

// What is found is told, with what to do, and nothing else is.
func TestFindings(t *testing.T) {
	if plan := doctor.Examine(healthy()); plan.Worst() != doctor.Fine || len(plan.SQL)+len(plan.Files) > 0 {
		t.Fatalf("where nothing is amiss: %+v", plan)
	}
	for _, test := range []struct {
		name   string
		change func(*doctor.Case)
		want   []string // severity, name and a part of what is said; else all is fine
		sql    []string // all of it, or its beginnings
		files  int
	}{
		{"the certificate ends", func(c *doctor.Case) { c.Facts.TLS.Until = c.Facts.At.AddDate(0, 0, 7) }, []string{"careful tls ends on 2026-05-08"}, nil, 0},
		{"no TLS", func(c *doctor.Case) { c.Facts.TLS = nil }, []string{"careful tls in the clear"}, nil, 0},
		{"no TLS on this machine", func(c *doctor.Case) { c.Facts.TLS, c.Facts.URL = nil, "http://[::1]:8123" }, nil, nil, 0},
		{"the clock is ahead", func(c *doctor.Case) { c.Facts.Server.Ahead = time.Minute }, []string{"careful clock 1m0s apart"}, nil, 0},
		{"the clock is behind", func(c *doctor.Case) { c.Facts.Server.Ahead = -time.Minute }, []string{"careful clock 1m0s apart"}, nil, 0},
		{"nobody can tell the clock", func(c *doctor.Case) { c.Facts.Server.Ahead, c.Facts.Server.RoundTrip = 6*time.Second, 4*time.Second }, []string{"careful distance 4s there and back"}, nil, 0},
		{"just started", func(c *doctor.Case) { c.Facts.Server.Uptime = time.Second }, []string{"careful uptime 1s ago"}, nil, 0},
		{"an old version", func(c *doctor.Case) { c.Facts.Server.Version = "21.3.20.1" }, []string{"wrong version-old older than 21.8"}, nil, 0},
		{"an old version over the native protocol", func(c *doctor.Case) { cluster(c); c.Facts.Server.Version, c.Facts.Native.Secret = "22.9.7.34", works }, []string{"careful secret-holder"}, nil, 0},
		{"the oldest that will do", func(c *doctor.Case) { c.Facts.Server.Version = "21.8.1.1" }, nil, nil, 0},
		{"default without a password", func(c *doctor.Case) { c.Facts.OpenDefault = works }, []string{"wrong open-default needs no password"}, nil, 0},
		{"lost questions", func(c *doctor.Case) { c.Facts.QueryLog = broken }, []string{"careful unsteady some connections broke"}, nil, 0},
		{"late questions", func(c *doctor.Case) { c.Facts.QueryLog = fails(clickhouse.TooSlow) }, []string{"careful slow two seconds"}, nil, 0},
		{"an unknown obstacle", func(c *doctor.Case) { c.Facts.Reached = fails("?") }, []string{"wrong reached cannot be asked"}, nil, 0},

		{"nobody by that name", func(c *doctor.Case) { c.Facts.ExecuteAs.Person = fails(clickhouse.NoSuchUser) }, []string{"wrong person whom ClickHouse does not have"}, nil, 0},
		{"not granted, by a rule that names nobody", func(c *doctor.Case) {
			c.Facts.Person, c.Facts.ExecuteAs.Person = "ph_a`b", fails(clickhouse.NotGranted)
		},
			[]string{"wrong person may not act as ph_a`b"}, []string{"GRANT IMPERSONATE ON `ph_a\\`b` TO `gw`"}, 0},
		{"not granted, and never to be", func(c *doctor.Case) {
			c.Facts.Person, c.Facts.ExecuteAs.Person = "default", fails(clickhouse.NotGranted)
		}, nil, nil, 0},
		{"nobody said from where", func(c *doctor.Case) {
			c.Hosts, c.Here, c.Facts.Gateway.Roles = nil, []string{"10.0.0.7"}, []string{"r"}
		}, []string{"careful gateway-roles"}, []string{"GRANT", "GRANT", "GRANT", "REVOKE", "ALTER USER `gw` DEFAULT ROLE NONE GRANTEES NONE"}, 0},
		{"the native port is shut", func(c *doctor.Case) { c.Facts.Native.Reached = fails(clickhouse.NobodyListens) }, []string{"wrong native nobody listens there"}, nil, 0},
		{"no native port", func(c *doctor.Case) { c.Facts.Native.Reached = clickhouse.Finding{Cause: clickhouse.NotConfigured} }, []string{"careful native no native port is configured"}, nil, 0},
		{"compiled out", func(c *doctor.Case) { c.Facts.ExecuteAs.Known = fails(clickhouse.CompiledOut) }, []string{"wrong execute-as this build has no EXECUTE AS"}, nil, 0},

		{"a role", func(c *doctor.Case) { c.Facts.Gateway.Roles = []string{"reader", "a b"} }, []string{"careful gateway-roles reader, a b"},
			[]string{"GRANT ", "GRANT ", "GRANT ", "REVOKE `reader`, `a b` FROM `gw`", "ALTER USER `gw` HOST IP '10.0.0.0/24', IP '10.0.0.7', NAME 'gw.example.com' DEFAULT ROLE NONE GRANTEES NONE"}, 0},
		{"the right to hand on", func(c *doctor.Case) { c.Facts.Gateway.Grants[0].Option = true }, []string{"wrong gateway-impersonation IMPERSONATE ON alice"},
			[]string{"GRANT ", "GRANT ", "GRANT ", "REVOKE IMPERSONATE ON alice FROM `gw`", "GRANT IMPERSONATE ON `alice` TO `gw`", "GRANT IMPERSONATE ON `team_`* TO `gw`", "ALTER "}, 0},
		{"a longer prefix than is meant", func(c *doctor.Case) { c.Facts.Gateway.Grants[1].On = "te*" }, []string{"wrong gateway-impersonation IMPERSONATE ON te*"}, []string{"GRANT ", "GRANT ", "GRANT ", "REVOKE IMPERSONATE ON te* FROM `gw`", "GRANT ", "GRANT IMPERSONATE ON `team_`* TO `gw`", "ALTER "}, 0},
		{"all of system.processes", func(c *doctor.Case) { c.Facts.Gateway.Grants[2].Columns = nil }, []string{"careful gateway-reading SELECT ON system.processes"}, []string{"GRANT ", "GRANT ", "GRANT ", "REVOKE SELECT ON system.processes FROM `gw`", "GRANT SELECT(query, query_id, user) ON system.processes TO `gw`", "ALTER "}, 0},
		{"everything", func(c *doctor.Case) {
			c.Facts.Gateway.Grants = []clickhouse.Grant{{Right: "ALL", On: "*.*", Realm: clickhouse.Everything, Option: true}}
		}, []string{"wrong gateway-account holds every right", "wrong gateway-everything every right"}, ownAccount, 0},
		{"a part of a table", func(c *doctor.Case) {
			c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "INSERT", Columns: []string{"a", "b c"}, On: "app.t", Realm: clickhouse.Writing})
		}, []string{"wrong gateway-writing INSERT(a, b c) ON app.t"}, []string{"GRANT ", "GRANT ", "GRANT ", "REVOKE INSERT(`a`, `b c`) ON app.t FROM `gw`", "ALTER "}, 0},
		{"default by name", func(c *doctor.Case) {
			c.LocalUsers = append(c.LocalUsers, "default")
			c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "IMPERSONATE", On: "default", Realm: clickhouse.Impersonation})
		}, []string{"wrong gateway-impersonation IMPERSONATE ON default", "careful local-users provisioner: default"}, []string{"GRANT ", "GRANT ", "GRANT ", "REVOKE IMPERSONATE ON default FROM `gw`", "GRANT ", "GRANT ", "ALTER "}, 0},
		{"everybody in the configuration", func(c *doctor.Case) { c.LocalUsers = append(c.LocalUsers, "*", "gw", "d*") }, []string{"careful local-users provisioner: *, gw, d*"}, nil, 0},
		{"a prefix that leads to the provisioner", func(c *doctor.Case) {
			c.Provisioner, c.Prefix = "team_maker", "te" // without facts about it
		}, []string{"wrong gateway-impersonation IMPERSONATE ON team_*", "careful local-users provisioner: team_*"}, []string{"GRANT IMPERSONATE ON `alice`", "GRANT SELECT", "REVOKE IMPERSONATE ON team_* FROM `gw`", "GRANT IMPERSONATE ON `alice`", "ALTER "}, 0},
		{"what a REVOKE takes out", func(c *doctor.Case) {
			c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "SELECT", On: "x.*", Realm: clickhouse.Reading, Revoked: true})
		}, nil, nil, 0},
		{"on a cluster", func(c *doctor.Case) {
			c.OnCluster, c.Facts.Gateway.Roles, c.LocalUsers, c.Hosts = "it's", []string{"r"}, []string{"alice", "team_*"}, nil
		},
			[]string{"careful gateway-roles"}, []string{"GRANT ON CLUSTER 'it\\'s' IMPERSONATE ON `alice`", "GRANT ", "GRANT ", "REVOKE ON CLUSTER 'it\\'s' `r` FROM `gw`", "ALTER USER `gw` ON CLUSTER 'it\\'s' DEFAULT ROLE NONE GRANTEES NONE"}, 0},

		{"a provisioner with too much", func(c *doctor.Case) {
			provisioned(c)
			c.Provisioned = errors.Join(errors.New("it holds too much"), errors.New("and that"))
			c.Facts.Provisioner.Grants = append(c.Facts.Provisioner.Grants, clickhouse.Grant{Right: "ALTER USER", On: "*", Realm: clickhouse.Management})
		}, []string{"wrong provisioner-rights it holds too much", "wrong provisioner-rights and that"},
			[]string{"CREATE USER IF NOT EXISTS `prov`", "GRANT what it needs", "ALTER USER `prov` HOST ", "REVOKE ALTER USER ON * FROM `prov`", "GRANT what it needs"}, 0},
		{"a good provisioner", provisioned, nil, nil, 0},
		{"a provisioner that is not let in", func(c *doctor.Case) { provisioned(c); c.Facts.Provisioner.Login = fails(clickhouse.LoginRefused) }, []string{"wrong provisioner-login no user prov"}, []string{"CREATE USER IF NOT EXISTS `prov` IDENTIFIED BY <the provisioner's password>", "GRANT what it needs", "ALTER USER `prov` HOST "}, 0},
		{"a provisioner that could not log in", func(c *doctor.Case) { provisioned(c); c.Facts.Provisioner.Login = broken }, []string{"wrong provisioner-login could not log in"}, nil, 0},
		{"a provisioner of whom nothing could be read", func(c *doctor.Case) {
			provisioned(c)
			c.Provisioned = &porterhouse.Error{Kind: porterhouse.Unavailable, Err: io.ErrUnexpectedEOF}
		}, []string{"careful provisioner-rights could not be read"}, nil, 0},

		{"verify works", func(c *doctor.Case) { verify(c); c.Facts.Ticket = works }, nil, nil, 0},
		{"verify was not tried", func(c *doctor.Case) { verify(c) }, nil, nil, 0},
		{"verify is refused", func(c *doctor.Case) { verify(c); c.Facts.Ticket = fails(clickhouse.LoginRefused) }, []string{"wrong ticket does not ask us"},
			[]string{"ALTER USER `alice` ADD IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'"}, 1},
		{"verify, without the right to stop", func(c *doctor.Case) { verify(c); c.Facts.Gateway.Grants = c.Facts.Gateway.Grants[1:] }, []string{"wrong gateway-lacks KILL QUERY ON *.*"},
			[]string{"GRANT KILL QUERY ON *.* TO `gw`", "GRANT SELECT(query, query_id, user, Settings) ON system.processes TO `gw`", "ALTER "}, 0},
		{"verify, without a gateway", func(c *doctor.Case) { verify(c); c.Facts.Gateway = clickhouse.AccountFacts{} }, []string{"careful gateway-login nobody stops"}, nil, 0},
		{"auto, where the server may find verify", func(c *doctor.Case) {
			c.Access.Mode = clickhouse.Auto
			c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "KILL QUERY", On: "*.*", Realm: clickhouse.Killing})
		}, []string{"wrong gateway-lacks SELECT(query, query_id, user, Settings)"}, []string{"GRANT IMP", "GRANT IMP", "GRANT SELECT(query, query_id, user) ", "GRANT KILL", "GRANT SELECT(query, query_id, user, Settings) ", "ALTER "}, 0},
		{"auto, with nobody to ask", func(c *doctor.Case) {
			c.Access.Mode, c.Authenticator = clickhouse.Auto, ""
			c.Facts.Gateway.Grants = append(c.Facts.Gateway.Grants, clickhouse.Grant{Right: "KILL QUERY", On: "*.*", Realm: clickhouse.Killing})
		}, []string{"careful gateway-killing"}, []string{"GRANT IMP", "GRANT IMP", "GRANT SELECT(", "REVOKE KILL", "ALTER "}, 0},
		{"interserver", func(c *doctor.Case) { cluster(c); c.Facts.Native.Secret = works }, []string{"careful secret-holder anybody there"}, nil, 0},
		{"interserver, where EXECUTE AS is switched off", func(c *doctor.Case) {
			cluster(c)
			c.Facts.Native.Secret, c.Facts.ExecuteAs.Known = works, fails(clickhouse.SwitchedOff)
		}, []string{"careful execute-as would need no secret", "careful secret-holder"}, nil, 1},
		{"interserver with a wrong secret", func(c *doctor.Case) { cluster(c); c.Facts.Native.Secret = broken }, []string{"wrong secret the secret or the cluster's name is another"}, nil, 0},
		{"interserver with nobody to try", func(c *doctor.Case) { cluster(c) }, []string{"careful secret nobody to try it with"}, nil, 0},
		{"interserver without a port", func(c *doctor.Case) { cluster(c); c.Facts.Native.Reached = fails(clickhouse.NobodyListens) }, []string{"wrong native nobody listens"}, nil, 0},
		{"forward", func(c *doctor.Case) { verify(c); c.Access.Mode, c.Facts.Bearer = clickhouse.Forward, works }, nil, nil, 0},
		{"forward without tokens", func(c *doctor.Case) {
			verify(c)
			c.Access.Mode, c.Facts.Bearer = clickhouse.Forward, fails(clickhouse.Unknown)
		}, []string{"wrong bearer takes no tokens"}, nil, 0},
		{"static", func(c *doctor.Case) { verify(c); c.Access.Mode = clickhouse.Static }, []string{"careful way everybody is gw", "careful gateway-killing KILL QUERY"}, []string{"GRANT ", "REVOKE KILL QUERY ON *.* FROM `gw`", "ALTER "}, 0},
	} {
		c := healthy()
		test.change(&c)
		plan := doctor.Examine(c)
		var got []string
		for _, f := range plan.Findings {
			if f.Severity != doctor.Fine {
				got = append(got, string(f.Severity)+" "+f.Name+" "+f.Text)
			}
			if f.Severity != doctor.Fine && f.Remedy == "" {
				t.Errorf("%s: %s says nothing of what to do", test.name, f.Name)
			}
		}
		if !matches(got, test.want) {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
		var sql []string
		for _, s := range plan.SQL {
			sql = append(sql, s.String())
		}
		if !slices.EqualFunc(sql, test.sql, strings.HasPrefix) || len(plan.Files) != test.files {
			t.Errorf("%s: it runs %q, with %d files; want %q, %d", test.name, sql, len(plan.Files), test.sql, test.files)
		}
	}
}

// provisioned gives the cluster a provisioner.
func provisioned(c *doctor.Case) {
	c.Provisioner, c.Prefix, c.Provisioning = "prov", "ph_", []string{"GRANT what it needs"}
	c.Facts.Provisioner = &clickhouse.AccountFacts{User: "prov", Login: works, GrantsOf: works, Complete: true, Grants: []clickhouse.Grant{
		{Right: "CREATE USER", On: "ph_*", Realm: clickhouse.Management}, {Right: "SHOW USERS", On: "*.*", Realm: clickhouse.Management},
		{Right: "IMPERSONATE", On: "ph_*", Realm: clickhouse.Impersonation, Option: true}, {Right: "ROLE ADMIN", On: "analyst", Realm: clickhouse.Management},
	}}
}

// cluster makes it one in the mode interserver, where the gateway needs nothing.
func cluster(c *doctor.Case) {
	c.Access.Mode = clickhouse.Interserver
	c.Facts.Gateway.Grants = nil
}

// verify makes it a cluster in the mode verify.
func verify(c *doctor.Case) {
	c.Access.Mode = clickhouse.Verify
	c.Facts.Gateway.Grants = []clickhouse.Grant{
		{Right: "KILL QUERY", On: "*.*", Realm: clickhouse.Killing},
		{Right: "SELECT", Columns: []string{"Settings", "query", "query_id", "user"}, On: "system.processes", Realm: clickhouse.Reading},
	}
}

// matches reports whether each of got has a part of its own in want: severity and name
// at its beginning, and then what it says.
func matches(got, want []string) bool {
	return slices.EqualFunc(got, want, func(g, w string) bool {
		parts := strings.SplitN(w, " ", 3)
		return strings.HasPrefix(g, parts[0]+" "+parts[1]+" ") && (len(parts) < 3 || strings.Contains(g, parts[2]))
	})
}

// The set-up from nothing is that of the mode, and of both that auto may take.
func TestSetup(t *testing.T) {
	const asAlice, kill, byTicket = "GRANT IMPERSONATE ON `alice` TO `gw`", "GRANT KILL QUERY ON *.* TO `gw`", "ALTER USER `alice` ADD IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'"
	all := []string{asAlice, kill, byTicket}
	for _, test := range []struct {
		mode          clickhouse.Mode
		authenticator string
		want          []string
	}{
		{clickhouse.ExecuteAs, "porterhouse", all[:1]}, {clickhouse.Verify, "porterhouse", all[1:]}, {clickhouse.Forward, "", all[1:2]}, {clickhouse.Static, "", nil}, {clickhouse.Interserver, "", nil},
		{clickhouse.Auto, "", all[:1]}, {clickhouse.Auto, "porterhouse", all},
	} {
		c := doctor.Case{Access: clickhouse.Access{Mode: test.mode}, Authenticator: test.authenticator, LocalUsers: []string{"alice"}}
		c.Facts.Gateway.User = "gw"
		var got []string
		for _, s := range c.Setup().SQL {
			if slices.Contains(all, s.String()) {
				got = append(got, s.String())
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s, %q: %q", test.mode, test.authenticator, got)
		}
		c.Facts.Gateway.User = ""
		if test.mode != clickhouse.Verify && test.authenticator == "" && len(c.Setup().SQL) > 0 {
			t.Errorf("%s without a gateway: %+v", test.mode, c.Setup())
		}
	}
}

// Whatever was found, the plan is the same each time.
func TestSamePlan(t *testing.T) {
	c := healthy()
	c.Facts.Gateway.Roles = []string{"b", "a"}
	c.Facts.Gateway.Changed = append(c.Facts.Gateway.Changed, clickhouse.ChangedSetting{}, clickhouse.ChangedSetting{})
	c.Facts.Gateway.Changed[0].Name, c.Facts.Gateway.Changed[1].Name = "max_threads", "max_memory_usage"
	first := doctor.Examine(c)
	for range 20 {
		if again := doctor.Examine(c); !slices.Equal(again.Findings, first.Findings) || !reflect.DeepEqual(again.SQL, first.SQL) {
			t.Fatalf("%+v\n%+v", first, again)
		}
	}
	if first.Worst() != doctor.Careful {
		t.Errorf("the worst is %s", first.Worst())
	}
}
