package clickhouse_test

import (
	"io"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"porterhouse/clickhouse"
)

// BenchmarkInterserver measures an answer that is printed here, over connections that
// are kept, against clickhouse-go with a kept connection and a login of its own, which
// reads the values. They take turns, so that a busy machine hurts both; the metric share is
// how fast ours is beside it, and has to be 0.8 or more.
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
			var ours, theirs time.Duration
			for b.Loop() {
				begin := time.Now()
				byInterserver(b, h, test.sql)
				between := time.Now()
				byDriver(b, conn, test.sql)
				ours += between.Sub(begin)
				theirs += time.Since(between)
			}
			b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "ours-µs")
			b.ReportMetric(float64(theirs.Microseconds())/float64(b.N), "clickhouse-go-µs")
			b.ReportMetric(float64(theirs)/float64(ours), "share")
		})
	}
}

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
