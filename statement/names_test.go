package statement_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"porterhouse/statement"
)

// column returns the first column of an answer, as the admin.
func (e *engine) column(t *testing.T, sql string) []string {
	t.Helper()
	answer := e.admin(t, sql)
	if answer == "" {
		return nil
	}
	return strings.Split(answer, "\n")
}

// insideFunctions are the reviewed names of functions that stay inside.
func insideFunctions(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.ReadFile("testdata/functions_inside.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for name := range strings.FieldsSeq(string(file)) {
		names[name] = true
	}
	return names
}

// TestEveryNameIsPlaced asks a real ClickHouse for the names it knows. One that
// nobody has placed fails here: read its documentation, then put it into a table.
func TestEveryNameIsPlaced(t *testing.T) {
	e := startEngine(t)

	t.Run("table functions", func(t *testing.T) {
		names, inside := e.column(t, "SELECT name FROM system.table_functions ORDER BY name"), 0
		for _, name := range names {
			placed, in := statement.PlacedTableFunction(strings.ToLower(name))
			if !placed {
				t.Errorf("table function %s is not placed: put it into tableFunctions", name)
			}
			if in {
				inside++
			}
		}
		t.Logf("%d table functions: %d inside, the others refused", len(names), inside)
	})

	t.Run("functions", func(t *testing.T) {
		inside, outside := insideFunctions(t), 0
		names := e.column(t, "SELECT name FROM system.functions WHERE origin = 'System' ORDER BY name")
		for _, name := range names {
			switch out := statement.Outside(name); {
			case out && inside[name]:
				t.Errorf("function %s is placed twice", name)
			case out:
				outside++
			case !inside[name]:
				t.Errorf("function %s is not placed: put it into outwardFunctions or testdata/functions_inside.txt", name)
			}
		}
		t.Logf("%d functions: %d refused, the others inside", len(names), outside)
	})

	// What Check knows of functions that may take a function: see higherOrder.
	t.Run("higher-order functions", func(t *testing.T) {
		for _, name := range e.column(t, "SELECT name FROM system.functions WHERE higher_order = 1") {
			if !strings.HasPrefix(name, "array") && !strings.HasPrefix(name, "map") {
				t.Errorf("%s takes a function, and its name does not tell", name)
			}
		}
	})

	// A table function that is refused anywhere in a text must not be a harmless
	// scalar function too: that would be refused with it.
	t.Run("table functions that are functions", func(t *testing.T) {
		for _, name := range e.column(t, "SELECT lower(name) FROM system.table_functions WHERE lower(name) IN (SELECT lower(name) FROM system.functions)") {
			if _, in := statement.PlacedTableFunction(name); !in && !statement.Outside(name) {
				t.Errorf("%s is a harmless function that is refused for the table function of the same name", name)
			}
		}
	})
}

// guarded are the beginnings of names that no harmless setting may have: limits,
// rights, logs, what is written, where data comes from, how answers are printed.
var guarded = regexp.MustCompile(`^(max_|min_|limit|offset|timeout|readonly|profile|allow_|log_|dialect|workload|priority|` +
	`query_cache|use_query_cache|enable_analyzer|additional_|implicit_|ast_fuzzer|output_format_|input_format_|format_|` +
	`s3_|azure_|hdfs_|http_|url_|remote_|distributed_|insert_|async_|mutations_|compatibility|send_|receive_)|overflow_mode|_limit$`)

func TestSettingsAreHarmlessOrGuarded(t *testing.T) {
	e := startEngine(t)
	names := e.column(t, "SELECT name FROM system.settings WHERE NOT is_obsolete ORDER BY name")
	harmless := statement.HarmlessSettings()
	for name := range maps.Keys(harmless) {
		if !slices.Contains(names, name) {
			t.Errorf("harmless setting %s: ClickHouse does not have it, or no longer", name)
		}
		if guarded.MatchString(name) {
			t.Errorf("harmless setting %s is of a sort that is guarded", name)
		}
	}
	for _, name := range append(names, "profile", "SQL_custom", "brand_new_setting", "max_rows_to_read.x") {
		r := statement.Check("SELECT 1 SETTINGS " + name + " = 1")
		if refused := len(r.Hazards) > 0; refused == harmless[name] {
			t.Errorf("SETTINGS %s: refused %v, harmless %v", name, refused, harmless[name])
		}
	}
	t.Logf("%d settings: %d harmless, the others guarded", len(names), len(harmless))
}
