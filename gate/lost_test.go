package gate

import (
	"fmt"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
)

// What comes by input(…) arrives, or is refused; it is never lost without a word.
func TestInputIsNotLost(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode)
		check(t, h.db.Exec(t.Context(), "GRANT CREATE TEMPORARY TABLE ON *.* TO author"))
		want := 0
		for _, sql := range []string{
			"INSERT INTO scratch.t SELECT n FROM input('n UInt64') FORMAT CSV",
			"INSERT INTO scratch.t SELECT n FROM (SELECT n FROM input('n UInt64')) WHERE 1 FORMAT CSV",
		} {
			if _, err := h.send(carol, passing(sql, data("1\n2\n"))); err == nil {
				want += 2
			} else if kind, text := porterhouse.Explain(err); mode == clickhouse.ExecuteAs && (kind != porterhouse.Refused || !strings.Contains(text, "input(…)")) {
				t.Errorf("%s: %v", sql, err)
			}
		}
		if n, err := h.db.Text(t.Context(), fmt.Sprintf("SELECT count() = %d FROM scratch.t", want)); err != nil || n != "1" {
			t.Errorf("%d rows were taken, and others arrived: %v", want, err)
		}
	})
}

// Where all are one account nobody stops what another asks, by its query_id or at all.
func TestNobodyKillsWhereAllAreOne(t *testing.T) {
	h := newStreet(t, clickhouse.Static)
	for _, sql := range []string{
		"KILL QUERY WHERE 1 ASYNC", "kill /* */ query WHERE query_id = 'x' SYNC", "KILL QUERY WHERE user = 'everybody' TEST", "KILL MUTATION WHERE 1",
	} {
		_, err := h.send(carol, passing(sql))
		if kind, text := porterhouse.Explain(err); kind != porterhouse.Refused || !strings.Contains(text, "one account") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
