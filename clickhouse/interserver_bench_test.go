package clickhouse_test

import (
	"io"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// BenchmarkInterserver measures an answer that is printed here, over connections that
// are kept, against clickhouse-go with a kept connection and a login of its own.
func BenchmarkInterserver(b *testing.B) {
	h := openCluster(b)
	for name, sql := range map[string]string{
		"one row":     "SELECT 1",
		"500 rows":    "SELECT number, number + 1, toString(number), 4, 5, 6, 7, 8, 9, 10 FROM numbers(500)",
		"100000 rows": "SELECT number, toString(number), number / 7 FROM numbers(100000)",
	} {
		b.Run(name+"/interserver", func(b *testing.B) {
			as := account(b, "alice")
			for b.Loop() {
				answer, err := h.Query(b.Context(), as, question(sql))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, answer.Body); err != nil {
					b.Fatal(err)
				}
				answer.Body.Close()
			}
		})
		b.Run(name+"/clickhouse-go", func(b *testing.B) { withDriver(b, h, sql) })
	}
}

// withDriver reads all values with clickhouse-go.
func withDriver(b *testing.B, h *house, sql string) {
	conn, err := driver.Open(&driver.Options{Addr: []string{h.Native}, Auth: driver.Auth{Username: h.User, Password: h.Password}})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for b.Loop() {
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
