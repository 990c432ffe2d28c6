package clickhouse_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// holder is a ClickHouse of somebody who holds the cluster's secret, and could do without:
// the same people can be reached in three ways. What doc/cluster-secret.md says is tried
// here.
type holder struct {
	*town
}

// holderWays are the ways in which people are themselves.
var holderWays = []string{"interserver", "execute_as", "verify"}

func newHolder(t *testing.T) *holder {
	t.Helper()
	w := &town{ways: map[string]*clickhouse.Client{}}
	config := w.openAuthenticator(t)
	w.Server = sandbox.ForTest(t, sandbox.Options{
		ExtraConfig: config + "<remote_servers><mcp><secret>s3cret</secret><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></mcp></remote_servers>",
		Init: []string{
			"CREATE USER " + gateway + " IDENTIFIED WITH sha256_password BY 'gateway' DEFAULT ROLE NONE",
			"GRANT SELECT(query, query_id, user, Settings) ON system.processes TO " + gateway, "GRANT KILL QUERY ON *.* TO " + gateway,
			"CREATE USER boss IDENTIFIED WITH no_authentication", "GRANT ACCESS MANAGEMENT ON *.* TO boss",
			"CREATE DATABASE app", "CREATE TABLE app.mine (who String) ENGINE = MergeTree ORDER BY who", "INSERT INTO app.mine VALUES ('alice'), ('carol')",
			"CREATE TABLE app.theirs (who String) ENGINE = MergeTree ORDER BY who", "INSERT INTO app.theirs VALUES ('alice'), ('carol')",
			"CREATE TABLE app.sink (a UInt8) ENGINE = Null",
			"CREATE ROLE reader", "GRANT SELECT ON app.* TO reader", "GRANT INSERT ON app.sink TO reader", "CREATE ROLE optional",
			"CREATE SETTINGS PROFILE narrow SETTINGS max_rows_to_read = 100 CONST, max_result_rows = 50 MAX 50",
			person("alice"), person("carol") + " SETTINGS PROFILE 'narrow'", person("dora"),
			"CREATE ROW POLICY named ON app.theirs USING who = 'carol' TO carol", "CREATE ROW POLICY own ON app.mine USING who = currentUser() TO ALL EXCEPT default",
			"CREATE QUOTA counted FOR INTERVAL 1 hour MAX queries = 3 TO dora",
			person("erin"), // the engine learns of a quota or a policy when the next user is made
			"GRANT reader TO alice, carol, dora", "GRANT optional TO alice", "ALTER USER alice DEFAULT ROLE reader",
			"GRANT SELECT ON system.numbers TO alice, carol, dora",
			"GRANT IMPERSONATE ON alice, IMPERSONATE ON carol, IMPERSONATE ON dora TO " + gateway,
		},
	})
	own := func(c *clickhouse.Config) { c.Password = porterhouse.NewSecret("gateway") }
	w.ways["execute_as"] = dial(t, w.HTTP, own, func(c *clickhouse.Config) { c.Access.Native = w.Native })
	w.ways["verify"] = dial(t, w.HTTP, own, w.verify)
	w.ways["interserver"] = dial(t, w.HTTP, own, func(c *clickhouse.Config) {
		c.Access = clickhouse.Access{Mode: clickhouse.Interserver, Native: w.Native, Cluster: "mcp", Secret: porterhouse.NewSecret("s3cret")}
	})
	return &holder{w}
}

// each tries something in each way.
func (h *holder) each(t *testing.T, test func(t *testing.T, ask func(name, sql string) (string, error))) {
	for _, way := range holderWays {
		t.Run(way, func(t *testing.T) {
			test(t, func(name, sql string) (string, error) {
				r, err := read(t.Context(), h.ways[way], account(t, name), question(sql))
				return r.Text, err
			})
		})
	}
}

// Whoever comes in by any of the ways is held by what ClickHouse has for them: row
// policies, by their name and by currentUser(), their profile, their quota and their default roles.
func TestPeopleAreHeld(t *testing.T) {
	h := newHolder(t)
	h.each(t, func(t *testing.T, ask func(name, sql string) (string, error)) {
		for _, test := range []struct{ name, sql, want string }{
			{"alice", "SELECT currentUser()", "alice\n"},
			{"alice", "SELECT who FROM app.mine", "alice\n"},
			{"carol", "SELECT who FROM app.mine", "carol\n"},
			{"carol", "SELECT who FROM app.theirs", "carol\n"},
			{"alice", "SELECT arraySort(enabledRoles())", "['reader']\n"}, // not those that are no default
		} {
			if got, err := ask(test.name, test.sql); err != nil || got != test.want {
				t.Errorf("%s, %s: %q, %v", test.name, test.sql, got, err)
			}
		}
		_, err := ask("carol", "SELECT sum(number) FROM numbers(1000)")
		wantError(t, err, porterhouse.Limited, "Limit for rows") // of the profile
		_, err = ask("carol", "SELECT number FROM numbers(60)")
		wantError(t, err, porterhouse.Limited, "Limit for result exceeded")
		_, err = ask("dora", "SELECT name FROM system.users")
		wantError(t, err, porterhouse.Denied, "dora: Not enough privileges")
	})
}

// A quota counts what its person asks, whichever way they come. Our own questions, who
// this is, read no table and do not count.
func TestQuotasHold(t *testing.T) {
	h := newHolder(t)
	asked := 0
	h.each(t, func(t *testing.T, ask func(name, sql string) (string, error)) {
		var err error
		for range 6 {
			if _, err = ask("dora", "SELECT count() FROM app.mine"); err != nil {
				break
			}
			asked++
		}
		wantError(t, err, porterhouse.Limited, "Quota for user `dora`")
	})
	if asked != 3 {
		t.Errorf("%d questions passed in the three ways together, and 3 may", asked)
	}
}

// Whoever has the secret is anybody whom ClickHouse lets in from there, an administrator
// too. Whoever has the gateway's password is nobody else, but whom its grants name.
func TestWhatASecretOpens(t *testing.T) {
	h := newHolder(t)
	write := func(way, name, sql string) error {
		q := writing(sql, nil, 0)
		q.Passage.Data, q.Class.Data, q.Class.Verb = nil, false, strings.Fields(sql)[0]
		got, err := pass(t.Context(), h.ways[way], account(t, name), q)
		if err == nil && got.Status != 200 {
			err = fmt.Errorf("%d: %s", got.Status, got.Text)
		}
		return err
	}
	if err := write("interserver", "boss", "CREATE USER made_with_the_secret"); err != nil {
		t.Errorf("the secret does not make an administrator: %v", err)
	}
	if err := write("execute_as", "boss", "CREATE USER made_with_the_password"); err == nil || !strings.Contains(err.Error(), "IMPERSONATE") {
		t.Errorf("the gateway acts as an administrator: %v", err)
	}
	if made, err := h.Text(t.Context(), "SELECT groupArray(name) FROM system.users WHERE name LIKE 'made%'"); err != nil || made != "['made_with_the_secret']" {
		t.Errorf("made were %s, %v", made, err)
	}
	if err := h.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err != nil { // before which there is no table of them
		t.Fatal(err)
	}
	alone := dial(t, h.HTTP, func(c *clickhouse.Config) { // with the gateway's password, as itself
		c.User, c.Password, c.Access.Mode = gateway, porterhouse.NewSecret("gateway"), clickhouse.Static
	})
	for _, sql := range []string{"SELECT * FROM app.mine", "SELECT count() FROM system.query_log", "SELECT * FROM remote('127.0.0.1', app.mine)", "SELECT name FROM system.users", "EXECUTE AS boss SELECT 1", "EXECUTE AS default SELECT 1"} {
		const accessDenied = 497
		got, err := read(t.Context(), alone, account(t, "alice"), question(sql))
		if said, _ := errors.AsType[*porterhouse.Exception](err); said == nil || said.Code != accessDenied {
			t.Errorf("the gateway alone: %s: %q %v", sql, got.Text, err)
		}
	}
}

// A FORMAT in a person's text is theirs where the session is; where we print, it is one
// that we print, or refused by name.
func TestFormatsInTexts(t *testing.T) {
	h := newHolder(t)
	for _, test := range []struct{ way, format, want string }{
		{"verify", "JSONEachRow", "{\"x\":1}\n"}, {"verify", "CSV", "1\n"},
		{"execute_as", "JSONEachRow", "{\"x\":1}\n"}, {"execute_as", "CSV", "1\n"},
		{"interserver", "JSONCompactEachRow", "[1]\n"}, {"interserver", "TSV", "1\n"},
		{"interserver", "JSONEachRow", ""}, {"interserver", "CSV", ""},
	} {
		q := passing("SELECT 1 AS x FORMAT "+test.format, nil)
		q.Class.Format = test.format
		got, err := pass(t.Context(), h.ways[test.way], account(t, "alice"), q)
		if test.want == "" {
			wantError(t, err, porterhouse.Refused, "the format "+test.format+" cannot be had")
		} else if err != nil || got.Text != test.want {
			t.Errorf("%s, %s: %q, %v", test.way, test.format, got.Text, err)
		}
	}
}

// The gateway's password is changed without a gap: for a while both are good.
func TestTwoPasswords(t *testing.T) {
	h := newHolder(t)
	ask := func(password string) error {
		c := dial(t, h.HTTP, func(c *clickhouse.Config) { c.Password = porterhouse.NewSecret(password) })
		_, err := read(t.Context(), c, account(t, "alice"), question("SELECT 1"))
		return err
	}
	for _, step := range []struct {
		sql      string
		old, new bool
	}{
		{"SELECT 1", true, false},
		{"ALTER USER " + gateway + " ADD IDENTIFIED WITH sha256_password BY 'another'", true, true},
		{"ALTER USER " + gateway + " RESET AUTHENTICATION METHODS TO NEW", false, true},
	} {
		if err := h.Exec(t.Context(), step.sql); err != nil {
			t.Fatal(err)
		}
		for password, good := range map[string]bool{"gateway": step.old, "another": step.new} {
			if err := ask(password); good != (err == nil) {
				t.Errorf("after %q, with the password %q: %v", step.sql, password, err)
			}
		}
	}
}
