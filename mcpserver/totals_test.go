package mcpserver

import (
	"strings"
	"testing"
)

// TestTotals: what WITH TOTALS adds is no row, and is neither lost nor taken for
// data.
func TestTotals(t *testing.T) {
	h := newHouse(t)
	h.exec(t, "CREATE VIEW IF NOT EXISTS shop.by_customer AS SELECT customerName, count() AS orders FROM shop.orders GROUP BY customerName WITH TOTALS",
		"GRANT SELECT ON shop.by_customer TO alice")
	a := h.agent(t, "alice", true)
	const groups = "SELECT number % 6 AS k, count() AS n FROM numbers(60) GROUP BY k WITH TOTALS ORDER BY k"
	for name, c := range map[string]struct {
		args map[string]any
		want string // "": an error
	}{
		"compact":           {map[string]any{"sql": groups}, "6 rows, complete. Behind the rows: totals.\nk:UInt8\tn:UInt64\n0\t10\n1\t10\n2\t10\n3\t10\n4\t10\n5\t10\n\ntotals:\n0\t60\n"},
		"markdown":          {map[string]any{"sql": groups, "format": "markdown"}, "6 rows, complete. Behind the rows: totals.\n| k | n |\n|---|---|\n| 0 | 10 |\n| 1 | 10 |\n| 2 | 10 |\n| 3 | 10 |\n| 4 | 10 |\n| 5 | 10 |\n\ntotals:\n| 0 | 60 |\n"},
		"json":              {map[string]any{"sql": groups, "format": "json"}, `{"row_count":6,"complete":true,"note":"ClickHouse has no totals in this format; ask for compact to see those of WITH TOTALS.",`},
		"one column":        {map[string]any{"sql": "SELECT count() AS n FROM numbers(6) GROUP BY number % 2 WITH TOTALS"}, "2 rows, complete. Behind the rows: totals.\nn:UInt64\n3\n3\n\ntotals:\n6\n"},
		"no rows":           {map[string]any{"sql": "SELECT count() AS n FROM numbers(6) GROUP BY number WITH TOTALS HAVING n > 1"}, "0 rows, complete. Behind the rows: totals.\nn:UInt64\n\ntotals:\n0\n"},
		"just so many rows": {map[string]any{"sql": groups, "max_rows": 6}, "6 rows, complete. Behind the rows: totals.\n"},
		"too many rows":     {map[string]any{"sql": groups, "max_rows": 5}, "5 rows, NOT ALL. Cut at 5 rows."},
		"one column of text": {map[string]any{"sql": "SELECT toString(number) AS k FROM numbers(6) GROUP BY k with /* all */ Totals"},
			"Error invalid: the totals of WITH TOTALS cannot be told from rows where the answer is one column of text; select a second column, such as count()\n"},
		"a view":             {map[string]any{"sql": "SELECT * FROM shop.by_customer"}, "7 rows, complete. Behind the rows: totals.\n"},
		"one text of a view": {map[string]any{"sql": "SELECT customerName FROM shop.by_customer"}, "9 rows, complete. The last row but one is empty: if this reads a view WITH TOTALS"},
		"empty texts":        {map[string]any{"sql": "SELECT arrayJoin(['', 'with totals', '']) AS s"}, "Error invalid: the totals of"},
		"no totals":          {map[string]any{"sql": "SELECT arrayJoin(['', '', 'a', 'b']) AS s"}, "4 rows, complete.\ns:String\n\n\na\nb\n"},
		"long totals": {map[string]any{"sql": "SELECT number, anyLast(repeat('x', 30000)) AS s FROM numbers(1) GROUP BY number WITH TOTALS"},
			"1 row, complete. Behind the rows: totals. Their values are shortened (…).\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if text, _ := a.call("query", c.args); !strings.HasPrefix(text, c.want) || len(text) > 60_000 {
				t.Errorf("got %.400s\nwant %s", text, c.want)
			}
		})
	}
}
