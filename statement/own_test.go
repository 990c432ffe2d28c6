package statement_test

import (
	"fmt"
	"net/url"
	"testing"

	"porterhouse/statement"
)

func TestOwnSettings(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT 1": "[]",
		"SELECT 1 SETTINGS a = 1, `b` = 'x y', c, d = -1.5, e = true, f=false":                                               "[{a 1} {b x y} {c 1} {d -1.5} {e 1} {f 0}]",
		"SELECT 1 SETTINGS a = 0x10, b = 1e3, c = -1e3, d = 1_000, e = .5":                                                   "[{e .5}]",
		"SELECT 1 SETTINGS a = 1 FORMAT CSV":                                                                                 "[{a 1}]",
		"SELECT 1 SETTINGS a = 1 FORMAT CSV SETTINGS b = 2;":                                                                 "[{a 1} {b 2}]",
		"SELECT 1 SETTINGS a = 'it''s', b = [1, 2], c = {'x': 'y'}, d = {p:UInt8}, e = DEFAULT, f = $$x$$, g = '\\n', h = 1": "[{h 1}]",
		"SELECT * FROM (SELECT 1 SETTINGS a = 1)":                                                                            "[]",
		"SELECT * FROM (SELECT 1 SETTINGS a = 1) SETTINGS b = 2":                                                             "[{b 2}]",
		"SELECT 1 SETTINGS a = 1 UNION ALL SELECT 2 SETTINGS b = 2":                                                          "[]",
		"(SELECT 1) UNION ALL (SELECT 2) SETTINGS b = 2":                                                                     "[]",
		"SELECT * FROM (SELECT 1 UNION ALL SELECT 2) SETTINGS b = 2":                                                         "[{b 2}]",
		"SELECT * EXCEPT (a) FROM t SETTINGS b = 2":                                                                          "[{b 2}]",
		"SELECT settings, 1 AS settings, t.settings FROM t":                                                                  "[]",
		"SELECT settings x FROM t":                                                                                           "[]",
		"SELECT 1 SETTINGS a = 1; SELECT 2":                                                                                  "[]",
		"SELECT 'x":                                                                                                          "[]",
		"SELECT 1 SETTINGS":                                                                                                  "[]",
		"SELECT 1 SETTINGS a =":                                                                                              "[]",
		"SELECT 1 SETTINGS a = -":                                                                                            "[]",
		"SELECT 1 SETTINGS ‘a’ = 1, b = ‘c’":                                                                                 "[]",
	} {
		if got := fmt.Sprint(statement.OwnSettings(sql)); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

// TestOwnSettingsFormatTheAnswer compares the answer to a SELECT with that to the same
// inside EXECUTE AS, with its own settings beside it, and without.
func TestOwnSettingsFormatTheAnswer(t *testing.T) {
	e := startEngine(t)
	e.admin(t, "GRANT IMPERSONATE ON reader TO gw")
	lost := 0
	for format, sql := range map[string]string{
		"CSV":           "SELECT NULL SETTINGS format_csv_null_representation = 'Q'",
		"TSV":           "SELECT toDateTime('2020-01-01 00:00:00', 'UTC') SETTINGS date_time_output_format = 'unix_timestamp'",
		"TSVWithNames":  "SELECT toDateTime(0) AS t, timezone() SETTINGS session_timezone = 'Asia/Tokyo'",
		"CSVWithNames":  "SELECT true AS t SETTINGS bool_true_representation = 'Q' FORMAT CSV",
		"JSONCompact":   "SELECT 1 AS x SETTINGS output_format_write_statistics = 0",
		"TSVRaw":        "SELECT 1 / 3 SETTINGS output_format_float_precision = 3, max_threads = 1",
		"Values":        "SELECT toDecimal32(1.5, 4) SETTINGS output_format_decimal_trailing_zeros",
		"JSONEachRow":   "SELECT number FROM numbers(9) SETTINGS limit = 2",
		"PrettyCompact": "SELECT 1 AS x SETTINGS output_format_pretty_row_numbers = 0",
	} {
		direct, inside := url.Values{"default_format": {format}}, url.Values{"default_format": {format}, "query": {"EXECUTE AS 'reader' "}}
		_, want := e.post(t, direct, sql, "reader", "reader")
		if _, got := e.post(t, inside, sql, "gw", gatewayPassword); got != want {
			lost++
		}
		for _, s := range statement.OwnSettings(sql) {
			inside.Set(s.Name, s.Value)
		}
		if _, got := e.post(t, inside, sql, "gw", gatewayPassword); got != want {
			t.Errorf("%s\nanswers %q inside EXECUTE AS, with its settings beside it, and %q directly", sql, got, want)
		}
	}
	if lost < 5 {
		t.Errorf("only %d answers need the settings beside the text: is there still a reason for OwnSettings?", lost)
	}
}
