package statement

import "testing"

// A statement says itself in which format its answer or its data is.
func TestReportNamesTheFormat(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT 1":            "",
		"SELECT 1 FORMAT CSV": "CSV",
		"SELECT 1 format JSONCompact SETTINGS x = 1": "JSONCompact",
		"SELECT 1 SETTINGS limit = 1 FORMAT TSV;":    "TSV",
		"SELECT 1 FORMAT `CSV`":                      "`CSV`",
		"SELECT 1 \\G":                               `\G`,
		"SELECT format FROM t ORDER BY format DESC":  "",
		"SELECT 'FORMAT CSV' -- FORMAT CSV":          "",
		"INSERT INTO t FORMAT JSONEachRow":           "JSONEachRow",
		"SELECT * FROM (SELECT 1) FORMAT Native":     "Native",
	} {
		if got := Check(sql).Format; got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}
