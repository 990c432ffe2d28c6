package mcpserver

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// values are one of each kind of value that could lose something on the way.
var values = []string{
	"toFloat64(nan)", "toFloat32(-inf)", "toFloat32(0.1)", "1e300", "toInt256('-57896044618658097711785492504343953926634992332820282019728792003956564819968')",
	"toUInt256('115792089237316195423570985008687907853269984665640564039457584007913129639935')", "toUInt64(18446744073709551615)", "toInt64(-9223372036854775808)",
	"toDecimal256('1234567890.12345678901234567890', 20)", "toDecimal32(1.5, 4)", "toBool(1)", "toDate('1970-01-01')", "toDate32('2299-12-31')",
	"toDateTime('2026-07-28 12:00:00', 'Asia/Tokyo')", "toDateTime64('2026-07-28 12:00:00.123456789', 9, 'UTC')", "toDateTime64('1900-01-01 00:00:00.001', 3, 'UTC')",
	"toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "toIPv4('127.0.0.1')", "toIPv6('2001:db8::1')", "CAST('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)')",
	"NULL", "CAST(NULL, 'Nullable(String)')", "''", "'\\\\N'", "' '", "'a|b\\\\|c'", "'tab\\t newline\\n return\\r back\\b feed\\f null\\0 slash\\\\ quote\\' double\" '",
	"'é€😀\\u{202e}'", "unhex('C3A9')", "toFixedString('ab', 4)", "toLowCardinality('low')", "(1, 'a\\tb', NULL)", "tuple(1 AS n, 'x' AS s)", "[[1, 2], [], [3]]",
	"['a\\'b', 'c\\td']", "map('k', [1, 2], 'l', [])", "CAST((1, 'x'), 'Tuple(a UInt8, b String)')", "CAST('{\"a\":{\"b\":[1,null,\"x\"]}}', 'JSON')",
	"CAST(1, 'Dynamic')", "CAST('v', 'Variant(String, UInt8)')", "toIntervalDay(3)", "(1.5, 2.5)::Point", "<escaped> & \"x\"",
}

// TestValues: in every format a value is the very text that ClickHouse prints when
// it is asked directly.
func TestValues(t *testing.T) {
	h := newHouse(t)
	var columns []string
	for i, v := range values {
		if strings.HasPrefix(v, "<") {
			v = "'" + v + "'"
		}
		columns = append(columns, fmt.Sprintf("%s AS c%d", v, i))
	}
	sql := "SELECT " + strings.Join(columns, ", ")
	const settings = " SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_denormals = 1, output_format_json_quote_decimals = 1"
	tsv, err := h.sandbox.Text(t.Context(), sql+" FORMAT TSV")
	check(t, err)
	jsonRow, err := h.sandbox.Text(t.Context(), sql+settings+" FORMAT JSONCompactEachRow")
	check(t, err)
	tsv, jsonRow = strings.TrimSuffix(tsv, "\n"), strings.TrimSpace(jsonRow)
	eras(t, func(t *testing.T, newer bool) {
		a := h.agent(t, "alice", newer)
		row := func(format string) string {
			text, failed := a.call("query", map[string]any{"sql": sql, "format": format})
			if failed {
				t.Fatal(text)
			}
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if format == "json" {
				return lines[1]
			}
			return lines[len(lines)-1]
		}
		if diff := cmp.Diff(strings.Split(tsv, "\t"), strings.Split(row("compact"), "\t")); diff != "" {
			t.Errorf("compact:\n%s", diff)
		}
		if diff := cmp.Diff(jsonRow, row("json")); diff != "" {
			t.Errorf("json:\n%s", diff)
		}
		markdown := strings.TrimSuffix(strings.TrimPrefix(row("markdown"), "| "), " |")
		if diff := cmp.Diff(strings.Split(tsv, "\t"), splitMarkdown(markdown)); diff != "" {
			t.Errorf("markdown:\n%s", diff)
		}
	})
}

// splitMarkdown reads a row of a table as a reader of Markdown does.
func splitMarkdown(row string) (cells []string) {
	const bar = "\x00"
	for cell := range strings.SplitSeq(strings.ReplaceAll(row, `\|`, bar), " | ") {
		cells = append(cells, strings.ReplaceAll(cell, bar, "|"))
	}
	return cells
}

// TestAnswers compares whole answers with testdata/answers.txtar. Each file there
// is named after the arguments, which its first line holds as JSON.
func TestAnswers(t *testing.T) {
	h := newHouse(t)
	archive, err := txtar.ParseFile("testdata/answers.txtar")
	check(t, err)
	a := h.agent(t, "alice", true)
	for i, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			arguments, want, _ := strings.Cut(string(f.Data), "\n")
			tool, arguments, _ := strings.Cut(arguments, " ")
			var in map[string]any
			check(t, json.Unmarshal([]byte(arguments), &in))
			got, failed := a.call(tool, in)
			if strings.HasPrefix(f.Name, "error") != failed {
				t.Errorf("failed: %t", failed)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			archive.Files[i].Data = []byte(tool + " " + arguments + "\n" + got)
		})
	}
	if os.Getenv("UPDATE") != "" {
		check(t, os.WriteFile("testdata/answers.txtar", txtar.Format(archive), 0o644))
	}
}

// TestCutByRows: the default, what the caller asks, and what the gate allows.
func TestCutByRows(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", true)
	for _, c := range []struct {
		max, have int
		want      string
	}{
		{0, 200, "200 rows, complete.\n"},
		{0, 201, "200 rows, NOT ALL. Cut at 200 rows. Aggregate in SQL, narrow with WHERE, or page with ORDER BY … LIMIT … OFFSET, or set max_rows (up to 5000).\n"},
		{1, 1, "1 row, complete.\n"},
		{1, 2, "1 row, NOT ALL. Cut at 1 row. "},
		{5000, 5000, "5000 rows, complete.\n"},
		{5000, 5001, "5000 rows, NOT ALL. Cut at 5000 rows. Aggregate in SQL, narrow with WHERE, or page with ORDER BY … LIMIT … OFFSET.\n"},
		{1 << 40, 5001, "5000 rows, NOT ALL. "},
	} {
		args := map[string]any{"sql": fmt.Sprintf("SELECT number FROM numbers(%d)", c.have)}
		if c.max > 0 {
			args["max_rows"] = c.max
		}
		text, failed := a.call("query", args)
		if failed || !strings.HasPrefix(text, c.want) {
			t.Errorf("max_rows %d of %d: %.200s", c.max, c.have, text)
		}
		rows := strings.Count(text, "\n") - 2
		if want := strings.Fields(c.want)[0]; fmt.Sprint(rows) != want {
			t.Errorf("max_rows %d of %d: %d rows in the text", c.max, c.have, rows)
		}
	}
}

// TestCutByBytes: an answer keeps to its size, ends with a whole row and says so.
func TestCutByBytes(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", false)
	sql := "SELECT number, repeat('x|', 50) AS text FROM numbers(5000)"
	for _, format := range []string{"compact", "json", "markdown"} {
		for _, size := range []int{1000, 200_000} {
			text, failed := a.call("query", map[string]any{"sql": sql, "format": format, "max_rows": 5000, "max_bytes": size})
			note := fmt.Sprintf("Cut at %d bytes of text. Select fewer columns, aggregate in SQL, narrow with WHERE, or page with ORDER BY … LIMIT … OFFSET, or set max_bytes (up to 1000000).", size)
			if failed || !strings.Contains(text, note) {
				t.Errorf("%s at %d: %.300s", format, size, text)
			}
			if len(text) > size+400 || len(text) < size-400 { // the note comes on top
				t.Errorf("%s at %d: %d bytes", format, size, len(text))
			}
			if format == "json" {
				checkJSONAnswer(t, text)
			}
		}
	}
}

// checkJSONAnswer parses an answer in the format json.
func checkJSONAnswer(t *testing.T, text string) {
	t.Helper()
	var answer struct {
		Count    int  `json:"row_count"`
		Complete bool `json:"complete"`
		Note     string
		Columns  [][2]string
		Rows     [][]any
	}
	check(t, json.Unmarshal([]byte(text), &answer))
	if answer.Count != len(answer.Rows) || answer.Complete == (answer.Note != "") {
		t.Errorf("%d rows, said to be %d; complete %t, note %q", len(answer.Rows), answer.Count, answer.Complete, answer.Note)
	}
	for _, row := range answer.Rows {
		if len(row) != len(answer.Columns) {
			t.Fatalf("a row of %d values for %d columns", len(row), len(answer.Columns))
		}
	}
}

// TestLongRow: one row without room is shown with shortened values, or told of.
func TestLongRow(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", true)
	for name, c := range map[string]struct {
		args map[string]any
		want []string
	}{
		"a value": {map[string]any{"sql": "SELECT 7 AS n, repeat('é', 100000) AS text"},
			[]string{"1 row, NOT ALL. The first row alone has 200002 bytes", "substring(column, 1, 1000)", "\n7\té", "…(+"}},
		"many values": {map[string]any{"sql": "SELECT " + strings.TrimSuffix(strings.Repeat("repeat('ab\\t', 2000), ", 20), ", ")},
			[]string{"1 row, NOT ALL.", "…(+"}},
		"beyond what is read": {map[string]any{"sql": "SELECT 1, concat(repeat('x', 1000000), repeat('y', 1000000)), 2"},
			[]string{"The first row alone has more than 1048576 bytes"}},
		"in json": {map[string]any{"sql": "SELECT repeat('x', 100000)", "format": "json"},
			[]string{`{"row_count":0,"complete":false,"note":"The first row alone has 100004 bytes`}},
		"bars": {map[string]any{"sql": "SELECT repeat('|', 100000)", "format": "markdown"},
			[]string{"1 row, NOT ALL.", `\|\|`}},
		"later": {map[string]any{"sql": "SELECT if(number = 2, repeat('x', 100000), 'short') FROM numbers(5)"},
			[]string{"2 rows, NOT ALL. Cut at 50000 bytes", "short\nshort\n"}},
		"wide": {map[string]any{"sql": "SELECT " + wideColumns(3000)},
			[]string{"Error limited: the answer has 3000 columns, whose names and types alone need", "select fewer columns"}},
	} {
		t.Run(name, func(t *testing.T) {
			text, _ := a.call("query", c.args)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in %.400s", want, text)
				}
			}
			if len(text) > 51_000 {
				t.Errorf("%d bytes", len(text))
			}
			if c.args["format"] == "json" {
				checkJSONAnswer(t, text)
			}
		})
	}
}

func wideColumns(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d AS a_column_with_a_name_%d, ", i, i)
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// TestNotUTF8: bytes that JSON cannot carry are told of, not changed in silence.
func TestNotUTF8(t *testing.T) {
	h := newHouse(t)
	a := h.agent(t, "alice", true)
	if text := a.query("SELECT unhex('41ff42') AS raw"); text != "1 row, complete. Bytes that are not UTF-8 show as \uFFFD; hex(column) shows them all.\nraw:String\nA\uFFFDB\n" {
		t.Errorf("%q", text)
	}
}

// TestDatabase: the argument says where a table without a database is looked for.
func TestDatabase(t *testing.T) {
	h := newHouse(t)
	text, failed := h.agent(t, "alice", true).call("query", map[string]any{"sql": "SELECT count() FROM orders", "database": "shop"})
	if failed || !strings.HasSuffix(text, "\n1000\n") {
		t.Error(text)
	}
}

// TestFailsInTheMiddle: an error behind the first rows is an error, not an answer.
func TestFailsInTheMiddle(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.MaxBytes = 6 << 20 })
	text, failed := h.agent(t, "alice", true).call("query", map[string]any{"sql": "SELECT * FROM shop.fuse", "max_rows": 5000, "max_bytes": 6 << 20})
	if !failed || !strings.HasPrefix(text, "Error FUNCTION_THROW_IF_VALUE_IS_NON_ZERO (ClickHouse 395): the fuse blew") || strings.Contains(text, "xxx") {
		t.Errorf("failed %t: %.300s", failed, text)
	}
}
