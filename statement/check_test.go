package statement_test

import (
	"slices"
	"strings"
	"testing"

	"porterhouse/statement"
)

// kinds lists the hazards of a report, with the names of those that have one.
func kinds(r statement.Report) string {
	var all []string
	for _, h := range r.Hazards {
		if h.Name != "" {
			all = append(all, string(h.Kind)+":"+h.Name)
		} else {
			all = append(all, string(h.Kind))
		}
	}
	return strings.Join(all, " ")
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		sql, verb string
		read      bool
		hazards   string
	}{
		// Reads.
		{"SELECT 1", "SELECT", true, ""},
		{"select 1 ; ; -- done", "SELECT", true, ""},
		{"\ufeffSELECT\u00a01", "SELECT", true, ""},
		{"/* why */ WITH 1 AS x SELECT x", "SELECT", true, ""},
		{"WITH t AS (SELECT 1 AS a) FROM t SELECT a", "SELECT", true, ""},
		{"FROM t SELECT count()", "SELECT", true, ""},
		{"((SELECT 1)) UNION ALL (SELECT 2)", "SELECT", true, ""},
		{"SHOW TABLES FROM db LIKE '%x%'", "SHOW", true, ""},
		{"SHOW SETTINGS LIKE 'max%'", "SHOW", true, ""},
		{"DESC t", "DESCRIBE", true, ""},
		{"DESCRIBE TABLE (SELECT 1)", "DESCRIBE", true, ""},
		{"EXISTS TABLE t", "EXISTS", true, ""},
		{"EXPLAIN SELECT 1", "EXPLAIN", true, ""},
		{"EXPLAIN PLAN indexes = 1, actions=1 WITH 1 AS x SELECT x", "EXPLAIN", true, ""},
		{"SELECT * FROM numbers(5) AS a, values('x Int', 1) AS b, view(SELECT 1) AS c", "SELECT", true, ""},
		{"SELECT * FROM db.view_of_mine(day = '2024-01-01')", "SELECT", true, ""},
		{"SELECT format, Settings['max_threads'] FROM system.query_log ORDER BY format DESC", "SELECT", true, ""},
		{"SELECT extract(YEAR FROM toDate(d)), trim(BOTH 'x' FROM lower(s)) FROM t", "SELECT", true, ""},
		{"SELECT a IS NOT DISTINCT FROM lower(b) FROM t", "SELECT", true, ""},
		{"SELECT x FROM t ARRAY JOIN mapKeys(m) AS k, splitByChar(',', s) AS v", "SELECT", true, ""},
		{"SELECT t.settings x, t.format y FROM t", "SELECT", true, ""},
		{"SELECT upper(file), file FROM t WHERE x IN range(5)", "SELECT", true, ""},
		{"SELECT arrayMap(file -> 'x', files), arrayMap(x -> x || upper(file), t.file) FROM t", "SELECT", true, ""},
		{"SELECT arrayMap(x -> x, {a:Identifier}), arrayMap(x -> x, a)[1], (file) FROM t", "SELECT", true, ""},
		{"SELECT 1 SETTINGS final = 1, join_use_nulls", "SELECT", true, ""},
		{"SELECT * FROM (EXPLAIN indexes = 1 SELECT 1)", "SELECT", true, ""},
		{"SELECT any(explain), (explain), (explain LIKE 'x') FROM (EXPLAIN WITH 1 AS x SELECT x)", "SELECT", true, ""},

		// Nothing, or more than one.
		{"", "", false, "empty"},
		{" -- x\n;;", "", false, "empty"},
		{";SELECT 1", "SELECT", true, "empty"},
		{"SELECT 1; SELECT 2", "SELECT", true, "multiple"},
		{"SELECT 1; DROP TABLE t; SELECT 2", "DROP", false, "multiple write"},

		// Writes.
		{"INSERT INTO t VALUES (1)", "INSERT", false, "write"},
		{"WITH 1 AS select INSERT INTO t SELECT 1", "INSERT", false, "write"},
		{"with x as (select 1) insert/**/into t select * from x", "INSERT", false, "write"},
		{"EXPLAIN INSERT INTO t SELECT 1", "INSERT", false, "write"},
		{"SELECT * FROM (EXPLAIN AST DROP TABLE t)", "SELECT", false, "write"},
		{"FROM t INSERT INTO t SELECT *", "SELECT", false, "write"},
		{"SET readonly = 0", "SET", false, "write setting:readonly"},
		{"CHECK TABLE t", "CHECK", false, "write"},
		{"1 + 1", "", false, "unsure"},

		// Clauses.
		{"EXECUTE AS bob SELECT 1", "EXECUTE", false, "execute_as write"},
		{"SELECT 1 parallel -- x\n with SELECT 2", "SELECT", false, "parallel_with"},
		{"SELECT 1 INTO OUTFILE 'x'", "SELECT", false, "into_outfile"},
		{"SELECT 1 FORMAT JSON", "SELECT", true, "format"},
		{"SELECT 1 format `JSON` SETTINGS final=1;", "SELECT", true, "format"},
		{`SELECT 1\G`, "SELECT", true, "format"},

		// Settings.
		{"SELECT 1 SETTINGS max_rows_to_read = 0", "SELECT", true, "setting:max_rows_to_read"},
		{"SELECT (SELECT 1 SETTINGS final = 1, `max_threads` = 9)", "SELECT", true, "setting:max_threads"},
		{"SELECT 1 SETTINGS final = format, readonly = 0", "SELECT", true, "setting:readonly"},
		{"SELECT 1 SETTINGS readonly", "SELECT", true, "setting:readonly"},
		{`SELECT 1 SETTINGS "fin\x61l" = 1`, "SELECT", false, "unsure"},
		{"SELECT 1 SETTINGS a.final = 1", "SELECT", true, "setting:a"},
		{"SELECT 1 SETTINGS final.a = 1", "SELECT", true, "setting:final"},

		// Reach.
		{"SELECT * FROM url('http://x')", "SELECT", true, "table_function:url"},
		{"SELECT * FROM numbers(1) AS array JOIN brandNew(1)", "SELECT", true, "table_function:brandnew"},
		{"SELECT * FROM (t, brandNew(1))", "SELECT", true, "table_function:brandnew"},
		{"SELECT * FROM a JOIN b ON f(a.x, b.x), brandNew(1)", "SELECT", true, "table_function:brandnew"},
		{"SELECT * FROM (SELECT * FROM brandNew(1))", "SELECT", true, "table_function:brandnew"},
		{"SELECT (WITH 1 AS x FROM brandNew(x) SELECT 1)", "SELECT", true, "table_function:brandnew"},
		{"DESCRIBE TABLE brandNew(1)", "DESCRIBE", true, "table_function:brandnew"},
		{"DESC s3('x')", "DESCRIBE", true, "table_function:s3"},
		{"SELECT `file`('/etc/passwd')", "SELECT", true, "function:file"},
		{"SELECT * FROM \u201cfile\u201d('x')", "SELECT", true, "table_function:file"},
		{"SELECT * APPLY(file) FROM t", "SELECT", true, "function:file"},
		{"SELECT * APPLY file FROM t", "SELECT", true, "function:file"},
		{"SELECT arrayMap((`file`), ['x'])", "SELECT", true, "function:file"},
		{"SELECT arrayMap(ALL file, ['/etc/passwd'])", "SELECT", true, "function:file"},
		{"SELECT arrayMap()(file, ['/etc/passwd'])", "SELECT", true, "function:file"},
		{"SELECT arrayMap()((file), ['/etc/passwd'])", "SELECT", true, "function:file"},
		{"SELECT arrayMap(/*x*/ ALL /*y*/ `file`, ['/etc/hostname'])", "SELECT", true, "function:file"},
		{"SELECT arrayFilter(DISTINCT ((file)), a)", "SELECT", true, "function:file"},
		{"SELECT arraySort(ALL (file), a)", "SELECT", true, "function:file"},
		{"SELECT mapApply(x -> 1)(1)(\"file\", m)", "SELECT", true, "function:file"},
		{"SELECT arrayMap(x -> x, file) FROM t", "SELECT", true, "function:file"},
		{"SELECT arrayMap(ALL {f:Identifier}, a)", "SELECT", false, "unsure"},
		{"SELECT arrayMap()(DISTINCT ({f:Identifier}), a)", "SELECT", false, "unsure"},
		{"SELECT arraySimilarity(a, a, b, b)", "SELECT", true, "function:arraysimilarity"},
		{"EXPLAIN QUERY TREE SELECT 1", "EXPLAIN", false, "unsure"},
		{"SELECT * FROM (EXPLAIN QUERY TREE passes = 1 SELECT 1)", "SELECT", false, "unsure"},
		{"EXPLAIN SYNTAX oneline = 1, `run_query_tree_passes` = 1 SELECT 1", "EXPLAIN", false, "unsure"},
		{"SELECT aiGenerate('x'), AIClassify('x')", "SELECT", true, "function:aigenerate function:aiclassify"},
		{"SELECT DICTGETSTRING('d', 'a', 1)", "SELECT", true, "function:dictgetstring"},

		{"SELECT url('x'), extract(DAY FROM remote('x'))", "SELECT", true, "table_function:url table_function:remote"},
		{"SELECT * FROM (((SELECT 1)) UNION ALL FROM brandNew(1) SELECT 1)", "SELECT", true, "table_function:brandnew"},
		{"SELECT EXISTS(FROM brandNew(1) SELECT 1)", "SELECT", true, "table_function:brandnew"},
		{"SELECT * FROM a SAMPLE 1/2 OFFSET 1/2, brandNew(1)", "SELECT", true, "table_function:brandnew"},
		{"SELECT * FROM where, brandNew(1)", "SELECT", true, "table_function:brandnew"},
		{"SELECT * FROM a.where, brandNew(1)", "SELECT", true, "table_function:brandnew"},

		// What cannot be read with certainty.
		{"SELECT $a$ , 1", "", false, "unsure"},
		{"SELECT $ 1", "", false, "unsure"},
		{"SELECT arrayMap({f: Identifier}, ['x'])", "SELECT", false, "unsure"},
		{`SELECT "fil\x65"('x')`, "SELECT", false, "unsure"},
		{"SELECT /* a /* b */ */ 1", "", false, "unsure"},
		{"SELECT 'x", "", false, "unsure"},
		{"SELECT (1", "SELECT", false, "unsure"},
		{"SELECT 1]", "SELECT", false, "unsure"},
		{"SELECT (1]", "SELECT", false, "unsure"},
		{"SELECT '\x00'", "", false, "unsure"},
	} {
		r := statement.Check(test.sql)
		if r.Verb != test.verb || r.Read != test.read || kinds(r) != test.hazards {
			t.Errorf("Check(%q)\n got %q read=%v %s\nwant %q read=%v %s", test.sql, r.Verb, r.Read, kinds(r), test.verb, test.read, test.hazards)
		}
	}
}

func TestCheckPositions(t *testing.T) {
	sql := "/* é */ SELECT file('x'),\n * FROM url('y') SETTINGS readonly = 0 FORMAT JSON; DROP TABLE t"
	var found []string
	for _, h := range statement.Check(sql).Hazards {
		found = append(found, string(h.Kind)+" "+strings.Fields(sql[h.At-1:])[0])
	}
	want := []string{"function file('x'),", "table_function url('y')", "setting readonly", "format FORMAT", "multiple DROP", "write DROP"}
	if !slices.Equal(found, want) {
		t.Errorf("hazards begin at\n%q, want\n%q", found, want)
	}
}

func TestCheckHasBounds(t *testing.T) {
	nested := "SELECT " + strings.Repeat("(", 1001) + "1" + strings.Repeat(")", 1001)
	if r := statement.Check(nested); r.Read || kinds(r) != "unsure" {
		t.Errorf("1001 brackets: read %v, %s", r.Read, kinds(r))
	}
	many := "SELECT 1" + strings.Repeat(", file('x')", 1000)
	r := statement.Check(many)
	if last := r.Hazards[len(r.Hazards)-1]; len(r.Hazards) > 100 || last.Kind != statement.Unsure || r.Read {
		t.Errorf("1000 hazards: %d told, read %v, the last is %+v", len(r.Hazards), r.Read, last)
	}
	long := "SELECT " + strings.Repeat("x", 1<<20) + "()"
	if r := statement.Check("FROM " + strings.Repeat("x", 1<<20) + "() SELECT 1"); len(r.Hazards) != 1 || len(r.Hazards[0].Reason) > 1000 {
		t.Errorf("a name of 1 MiB: %d hazards", len(r.Hazards))
	}
	if r := statement.Check(long); len(r.Hazards) != 0 {
		t.Errorf("a name of 1 MiB: %s", kinds(r))
	}
}

// TestNoFunctionAsValue puts what may stand before a function that is a value there.
func TestNoFunctionAsValue(t *testing.T) {
	for _, higher := range []string{"arrayMap", "`arrayFilter`", "arraySort", "ARRAYFOLD", "mapApply", "mapFilter"} {
		for _, before := range []string{"(", "( ALL ", "(DISTINCT ", "(all/**/", "(/**/", "((", "(((", "()(", "(1)(", "(x -> 1)((", "()()(", "(ALL (", "(DISTINCT (", "()(ALL (("} {
			for _, name := range []string{"file", "`file`", "\"FILE\"", "dictGet", "aiGenerate", "`getClientHTTPHeader`", "\"fil\\x65\"", "{f:Identifier}"} {
				sql := "SELECT " + higher + before + name + strings.Repeat(")", strings.Count(before, "(")-strings.Count(before, ")")-1) + ", a)"
				if r := statement.Check(sql); len(r.Hazards) != 1 || r.Hazards[0].Kind != statement.Function && r.Hazards[0].Kind != statement.Unsure {
					t.Errorf("%s: %s", sql, kinds(r))
				}
			}
		}
	}
}
