package statement_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"porterhouse/statement"
)

// lifted reads more rows than limits allow, and says so when it may.
const lifted = "SELECT if(count() > 10000, 'LIFTED', '') FROM numbers(100000) WHERE number < 50000"

// deep nests brackets deeper than any parser goes.
var deep = strings.Repeat("(", 100_000)

// limits are what the product sends with a question, in essence.
var limits = map[string]string{"max_rows_to_read": "10000", "max_execution_time": "10"}

// fileText is in a file of the server's machine.
const fileText = "the-content-of-a-file"

// pinned is the version of the engine on which the attacks were seen to bite.
const pinned = "26.7.2."

// TestAttacks sends every attack that passes the check, and looks at what it did.
func TestAttacks(t *testing.T) {
	e := startEngine(t)
	e.plant(t)
	refused := 0
	for _, a := range attacks {
		if r := statement.Check(e.filled(a.sql)); !r.Read || len(r.Hazards) > 0 {
			refused++
			continue
		}
		if harm := e.harm(t, a); harm != "" {
			t.Errorf("%s: the check passes %.200q, and it did harm: %s", a.name, a.sql, harm)
		}
	}
	e.noFunctions(t)
	t.Logf("%d attacks: %d refused, %d harmless", len(attacks), refused, len(attacks)-refused)
}

// TestAttacksBite proves that the test above can fail: it sends the attacks that
// bite although the check refuses them, and sees the harm.
func TestAttacksBite(t *testing.T) {
	e := startEngine(t)
	if !strings.HasPrefix(e.Version, pinned) {
		t.Skipf("ClickHouse %s: the attacks were tried on %s*", e.Version, pinned)
	}
	e.plant(t)
	biting := 0
	for _, a := range attacks {
		if !a.bites {
			continue
		}
		biting++
		t.Run(a.name, func(t *testing.T) {
			if harm := e.harm(t, a); harm == "" {
				t.Errorf("%.200q does no harm, even without the check", a.sql)
			}
		})
	}
	t.Logf("%d of %d attacks do harm when nobody checks them", biting, len(attacks))
}

// plant puts the file there that nobody should read.
func (e *engine) plant(t *testing.T) {
	t.Helper()
	e.file = filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(e.file, []byte(fileText), 0o600); err != nil {
		t.Fatal(err)
	}
}

// filled puts the canary and the file into an attack's text.
func (e *engine) filled(sql string) string {
	return strings.NewReplacer("{canary}", e.canary.address, "{file}", e.file).Replace(sql)
}

// harm runs an attack without a check, and says what came of it: "" for nothing.
func (e *engine) harm(t *testing.T, a attack) string {
	t.Helper()
	settings := map[string]string{}
	for _, some := range []map[string]string{limits, a.settings} {
		for name, value := range some {
			settings[name] = e.filled(value)
		}
	}
	if e.before == "" {
		e.before = e.state(t)
	}
	before, visits := e.before, e.canary.visits.Load()
	status, answer := e.asAlice(t, e.filled(a.sql), settings)
	e.before = e.state(t)
	switch after := e.before; {
	case after != before:
		return "the server's state is another: " + difference(before, after)
	case e.canary.visits.Load() != visits:
		return "a connection went out"
	case strings.Contains(answer, secretText):
		return "the answer holds what is not hers"
	case strings.Contains(answer, fileText):
		return "the answer holds the content of a file"
	case status == 200 && strings.Contains(answer, "LIFTED"):
		return "a limit or a row policy was lifted"
	case status == 200 && (strings.Contains(answer, "I am gw") || strings.Contains(answer, "I am default")):
		return "it ran as somebody else: " + answer
	}
	return ""
}

// state lists what a statement could have changed, one thing a line. Functions
// are missing, because ClickHouse takes long to list them: see noFunctions.
func (e *engine) state(t *testing.T) string {
	t.Helper()
	return e.admin(t, `SELECT line FROM (
		SELECT 'user ' || name || ' ' || toString(auth_type) || toString(default_roles_list) AS line FROM system.users
		UNION ALL SELECT 'grant ' || toString(tuple(*)) FROM system.grants
		UNION ALL SELECT 'role ' || name FROM system.roles
		UNION ALL SELECT 'policy ' || name FROM system.row_policies
		UNION ALL SELECT 'quota ' || name FROM system.quotas
		UNION ALL SELECT 'profile ' || name FROM system.settings_profiles
		UNION ALL SELECT 'database ' || name FROM system.databases
		UNION ALL SELECT 'table ' || database || '.' || name || ' ' || create_table_query || ' ' || toString(ifNull(total_rows, 0)) FROM system.tables WHERE database != 'system'
		UNION ALL SELECT 'part ' || database || '.' || table || ' ' || name FROM system.parts WHERE active AND database != 'system'
		UNION ALL SELECT 'mutation ' || mutation_id FROM system.mutations
		UNION ALL SELECT 'collection ' || name FROM system.named_collections
	) ORDER BY line`)
}

// noFunctions fails when somebody has made a function.
func (e *engine) noFunctions(t *testing.T) {
	t.Helper()
	if names := e.column(t, "SELECT name FROM system.functions WHERE origin != 'System'"); len(names) > 0 {
		t.Errorf("a statement that passes has made the functions %q", names)
	}
}

// difference is what only one of two states has.
func difference(before, after string) string {
	var lines []string
	for _, way := range []struct{ sign, from, to string }{{"- ", before, after}, {"+ ", after, before}} {
		for line := range strings.SplitSeq(way.from, "\n") {
			if !strings.Contains(way.to, line) {
				lines = append(lines, way.sign+line)
			}
		}
	}
	return strings.Join(lines, "\n")
}
