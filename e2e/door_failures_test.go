package e2e

import (
	"fmt"
	"strings"
)

// failures are errors of ClickHouse's before the first byte of an answer.
func failures() (all []exchange) {
	for name, sql := range map[string]string{
		"syntax":                "SELEC 1",
		"syntax in the middle":  "SELECT 1 +",
		"syntax, far in":        "SELECT\n  1,\n  2,\n  3 3 3",
		"unknown table":         "SELECT * FROM scratch.nothing",
		"unknown database":      "SELECT * FROM nowhere.nothing",
		"unknown column":        "SELECT nonsense FROM numbers(1)",
		"unknown function":      "SELECT nonsense(1)",
		"unknown setting":       "SELECT 1 SETTINGS nonsense = 1",
		"unknown format":        "SELECT 1 FORMAT Nonsense",
		"types":                 "SELECT 1 + 'a'",
		"arguments":             "SELECT length()",
		"rights":                "SELECT * FROM safe.secret",
		"rights, a column":      "SELECT password FROM safe.secret",
		"a thrown one":          "SELECT throwIf(1)",
		"a thrown one in words": "SELECT throwIf(1, 'an ü and \\n a line')",
		"division":              "SELECT intDiv(1, 0)",
		"parsing":               "SELECT toUInt8('x')",
		"memory, in the text":   "SELECT 1 SETTINGS max_memory_usage = 1000000",
		"rows":                  "SELECT count() FROM numbers(1000000) SETTINGS max_rows_to_read = 10",
		"result":                "SELECT number FROM numbers(1000000) SETTINGS max_result_rows = 10",
		"depth":                 "SELECT " + strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000),
		"a subquery":            "SELECT (SELECT number FROM numbers(2))",
		"an aggregate":          "SELECT sum(sum(number)) FROM numbers(1)",
		"a null byte":           "SELECT 1\x00",
		"an open string":        "SELECT 'a",
		"an open comment":       "SELECT 1 /* a",
		"bytes that are no UTF": "SELECT '\xff\xfe' FORMAT TSVRaw",
		"CREATE USER":           "CREATE USER evil",
	} {
		all = append(all, one("failure: "+name, post(sql)))
	}
	return append(all,
		one("failure: memory", post("SELECT groupArray(number) FROM numbers(100000000)", "max_memory_usage=1000000")),
		one("failure in JSON", post("SELECT throwIf(1) FORMAT JSON")),
		one("failure in the format", post("SELECT throwIf(1) FORMAT JSON", "http_write_exception_in_output_format=1")),
		one("failure at the end of waiting", post("SELECT number, throwIf(number = 90000) FROM numbers(100000)", "wait_end_of_query=1")),
		one("failure of time", post("SELECT sleepEachRow(1) FROM numbers(3)", "max_execution_time=1&max_block_size=1")),
		one("failure by a parameter that is odd", post("SELECT 1", "%zz=1")),
	)
}

// failuresInTheMiddle are errors after the first bytes of the answer have left.
func failuresInTheMiddle() (all []exchange) {
	const sql = "SELECT number, throwIf(number = 500000) FROM numbers(1000000)"
	add := func(format, how string) {
		name := "failure in the middle of " + format + how
		if strings.Contains(how, "in_output_format") {
			name = "failure in the format, in the middle of " + format
		}
		all = append(all, one(name,
			post(sql, "max_threads=1&output_format_write_statistics=0&output_format_parallel_formatting=0&default_format="+format+how).with("Accept-Encoding: gzip")))
	}
	for _, format := range []string{"TSV", "JSON", "XML", "Native", "Parquet"} {
		for _, how := range []string{"", "&http_write_exception_in_output_format=1", "&compress=1", "&enable_http_compression=0", "&wait_end_of_query=1"} {
			add(format, how)
		}
	}
	for _, format := range []string{"CSV", "JSONEachRow", "JSONCompact", "RowBinary", "Values", "Vertical", "Arrow"} {
		add(format, "&enable_http_compression=0")
	}
	return all
}

// sessionsOfClickHouse are exchanges in which state lives from one request to the next.
func sessionsOfClickHouse() []exchange {
	in := func(id string, statements ...string) (steps []request) {
		for _, sql := range statements {
			steps = append(steps, post(sql, "session_id="+id))
		}
		return steps
	}
	return []exchange{
		{"session with a temporary table", in("s-1", "DROP TEMPORARY TABLE IF EXISTS mine", "CREATE TEMPORARY TABLE mine (n UInt8)", "INSERT INTO mine VALUES (1), (2)", "SELECT sum(n) FROM mine", "DROP TABLE mine", "SELECT * FROM mine")},
		{"session with SET", in("s-2", "SET max_block_size = 777", "SELECT getSetting('max_block_size')")},
		{"session with USE", in("s-3", "USE scratch", "SELECT currentDatabase()")},
		{"session with SET ROLE", in("s-4", "SET ROLE extra", "SELECT currentRoles()", "SELECT * FROM safe.secret")},
		{"session without state", in("s-5", "SELECT 1", "SELECT 2")},
		one("session that must be there", post("SELECT 1", "session_id=never-begun&session_check=1")),
		{"session that is there", []request{post("SELECT 1", "session_id=s-6"), post("SELECT 2", "session_id=s-6&session_check=1")}},
		{"session that is closed", []request{post("SET max_block_size = 777", "session_id=s-7&close_session=1"), post("SELECT getSetting('max_block_size')", "session_id=s-7")}},
		one("session with a timeout", post("SELECT 1", "session_id=s-8&session_timeout=30")),
		one("session with too long a timeout", post("SELECT 1", "session_id=s-9&session_timeout=1000000")),
		one("session with an odd timeout", post("SELECT 1", "session_id=s-10&session_timeout=soon")),
		one("session with an empty name", post("SELECT 1", "session_id=")),
		one("session with an odd name", post("SELECT 1", "session_id="+escape(`a'b"c ü`))),
	}
}

// part is one of a form; with a file it is an external table.
type part struct{ name, file, text string }

// formOf is a request of parts; its border is always the same.
func formOf(query string, parts ...part) request {
	const border = "------------------------5e2ab0rder"
	var b strings.Builder
	for _, p := range parts {
		disposition := `form-data; name="` + p.name + `"`
		if p.file != "" {
			disposition += `; filename="` + p.file + `"`
		}
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n", border, disposition, p.text)
	}
	fmt.Fprintf(&b, "--%s--\r\n", border)
	return request{target: "/?query=" + escape(query), body: b.String(), headers: []string{"Content-Type: multipart/form-data; boundary=" + border}}
}

// externalTables are sent beside a statement.
func externalTables() []exchange {
	tables := func(name, sql, parameters string, parts ...part) exchange {
		r := formOf(sql, parts...)
		r.target += parameters
		return one("external "+name, r)
	}
	const count = "SELECT count(), sum(n), any(s) FROM mine"
	return []exchange{
		tables("table by structure", count, "&mine_structure="+escape("n UInt32, s String"), part{"mine", "mine.tsv", "1\tone\n2\ttwo\n"}),
		tables("table by types", "SELECT count(), sum(_1) FROM mine", "&mine_types=UInt32,String", part{"mine", "mine.tsv", "1\tone\n2\ttwo\n"}),
		tables("table in a format", count, "&mine_format=JSONEachRow&mine_structure="+escape("n UInt32, s String"), part{"mine", "mine.json", `{"n":1,"s":"one"}`}),
		tables("tables", "SELECT (SELECT sum(_1) FROM a), (SELECT sum(_1) FROM b)", "&a_types=UInt32&b_types=UInt32", part{"a", "a", "1\n2\n"}, part{"b", "b", "40\n"}),
		tables("table and a parameter", "SELECT count() FROM mine WHERE _1 = {n:UInt32}", "&mine_types=UInt32&param_n=2", part{"mine", "mine", "1\n2\n2\n"}),
		tables("table and a parameter in the form", "SELECT count() FROM mine WHERE _1 = {n:UInt32}", "&mine_types=UInt32", part{name: "param_n", text: "2"}, part{"mine", "mine", "1\n2\n2\n"}),
		tables("table joined", "SELECT v.n, mine._1 FROM scratch.vault AS v, mine", "&mine_types=UInt32", part{"mine", "mine", "5\n"}),
		tables("table that is large", "SELECT count(), sum(_1) FROM mine", "&mine_types=UInt32", part{"mine", "mine", strings.Repeat("7\n", 200_000)}),
		tables("table that is empty", "SELECT count() FROM mine", "&mine_types=UInt32", part{"mine", "mine", ""}),
		tables("table without a structure", "SELECT count() FROM mine", "", part{"mine", "mine", "1\n"}),
		tables("table that does not parse", "SELECT sum(_1) FROM mine", "&mine_types=UInt32", part{"mine", "mine", "abc\n"}),
		tables("table without a file name", "SELECT count() FROM mine", "&mine_types=UInt32", part{name: "mine", text: "1\n"}),
		tables("table in TEMPORARY INSERT", "SELECT * FROM mine ORDER BY _1", "&mine_types=UInt32", part{"mine", "mine", "3\n1\n2\n"}),
	}
}
