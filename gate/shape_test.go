package gate

import (
	"testing"

	"porterhouse/clickhouse"
	"porterhouse/statement"
)

// What a statement says itself of how its answer is written counts in every access mode.
func TestOwnSettingsShapeTheAnswer(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode)
		for sql, want := range map[string]string{
			"SELECT NULL SETTINGS format_csv_null_representation = 'Q' FORMAT CSV":                    "Q\n",
			"SELECT true SETTINGS bool_true_representation = 'yes', max_threads = 0x1":                "yes\n",
			"SELECT 1 / 4 AS x FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_floats = 1": "{\"x\":\"0.25\"}\n",
			"SELECT toDateTime(0) SETTINGS session_timezone = 'Asia/Tokyo'":                           "1970-01-01 09:00:00\n",
			"SELECT number FROM numbers(9) SETTINGS limit = 2, offset = 3":                            "3\n4\n",
			"SELECT * FROM (SELECT true SETTINGS bool_true_representation = 'yes')":                   "true\n",
		} {
			if text, err := h.send(carol, passing(sql)); err != nil || text != want {
				t.Errorf("%s: %q, %v; want %q", sql, text, err, want)
			}
		}
	})
}

// Where FORMAT stands is known, and that it stands nowhere.
func TestFormatAt(t *testing.T) {
	for sql, want := range map[string]int{
		"SELECT 1": 0, "SELECT 1 FORMAT CSV": 10, "SELECT 'FORMAT' /* FORMAT */ format TSV SETTINGS max_threads = 1": 30,
		"INSERT INTO t FORMAT CSV": 15,
	} {
		if got := formatAt(statement.Check(sql)); got != want {
			t.Errorf("%s: %d, want %d", sql, got, want)
		}
	}
}
