package clickhouse_test

import (
	"io"
	"slices"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"porterhouse/clickhouse"
)

// BenchmarkInterserver measures an answer that is printed here, over connections that
// are kept, against clickhouse-go with a kept connection and a login of its own, which
// reads the values. They take turns, so that a busy machine hurts both, and the median turns
// count; the metric share is how fast ours is beside it. Where it is below the goal, it says so.
func BenchmarkInterserver(b *testing.B) {
	h := openCluster(b)
	conn, err := driver.Open(&driver.Options{Addr: []string{h.Native}, Auth: driver.Auth{Username: h.User, Password: h.Password}})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for _, test := range []struct{ name, sql string }{
		{"SELECT 1", "SELECT 1"},
		{"500 x 10", "SELECT number, number + 1, toString(number), 4, 5, 6, 7, 8, 9, 10 FROM numbers(500)"},
		{"100000 x 3", "SELECT number, toString(number), number / 7 FROM numbers(100000)"},
	} {
		b.Run(test.name, func(b *testing.B) {
			var ours, theirs []time.Duration
			for b.Loop() {
				begin := time.Now()
				byInterserver(b, h, test.sql)
				between := time.Now()
				byDriver(b, conn, test.sql)
				ours, theirs = append(ours, between.Sub(begin)), append(theirs, time.Since(between))
			}
			share := float64(median(theirs)) / float64(median(ours))
			b.ReportMetric(float64(median(ours).Microseconds()), "ours-µs")
			b.ReportMetric(float64(median(theirs).Microseconds()), "clickhouse-go-µs")
			b.ReportMetric(share, "share")
			if share < shareGoal {
				b.Logf("%s: a share of %.2f, and the goal is %.2f", test.name, share, shareGoal)
			}
		})
	}
}

// shareGoal is how fast an answer has to be that is printed here, beside clickhouse-go.
const shareGoal = 0.8

func median(of []time.Duration) time.Duration { return slices.Sorted(slices.Values(of))[len(of)/2] }

// byInterserver asks and reads the answer, as text.
func byInterserver(b *testing.B, h *house, sql string) {
	answer, err := h.Query(b.Context(), account(b, "alice"), question(sql))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		b.Fatal(err)
	}
	answer.Body.Close()
}

// byDriver asks and reads all values.
func byDriver(b *testing.B, conn driver.Conn, sql string) {
	rows, err := conn.Query(b.Context(), sql)
	if err != nil {
		b.Fatal(err)
	}
	row := make([]any, len(rows.ColumnTypes()))
	for i, kind := range rows.ColumnTypes() {
		row[i] = newOf(kind.ScanType().Kind().String())
	}
	for rows.Next() {
		if err := rows.Scan(row...); err != nil {
			b.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
}

// newOf returns where a value of the kind is put.
func newOf(kind string) any {
	switch kind {
	case "uint8":
		return new(uint8)
	case "uint64":
		return new(uint64)
	case "float64":
		return new(float64)
	}
	return new(string)
}

// BenchmarkAuto measures what a question costs that the mode is found, and not said: which
// lane it takes, and what of our settings the server lacks.
func BenchmarkAuto(b *testing.B) {
	for _, mode := range []clickhouse.Mode{clickhouse.ExecuteAs, clickhouse.Auto} {
		b.Run(string(mode), func(b *testing.B) { clickhouse.AskForLanes(b, mode, account(b, "alice")) })
	}
}
