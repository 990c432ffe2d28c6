package main

import (
	"context"
	"fmt"
	"strings"
)

// workload is one statement, and what a right answer to it holds.
type workload struct {
	name    string
	sql     string
	rows    int
	columns int
	want    []string // every value, row by row, as ClickHouse prints it
}

// The two ends of what an agent asks: the smallest answer, where only the way
// there and back costs, and a full one of mixed types.
const (
	selectOne  = "SELECT 1"
	tenColumns = `SELECT number AS id, toDate('2026-01-01') + number % 365 AS day, ` +
		`toDateTime('2026-01-01 00:00:00', 'UTC') + number * 60 AS ts, concat('user_', toString(number)) AS name, ` +
		`number * 1.25 AS amount, number % 7 AS dow, if(number % 2 = 0, 'web', 'mobile') AS channel, ` +
		`cityHash64(number) AS h, toDecimal64(number / 3, 2) AS price, lower(hex(sipHash64(number))) AS token ` +
		`FROM `
	columns = 10
	fewRows = 500
)

func workloads() []*workload {
	return []*workload{
		{name: "select1", sql: selectOne, rows: 1, columns: 1},
		{name: "rows500", sql: tenColumns + "numbers(500)", rows: fewRows, columns: columns},
	}
}

// learn asks ClickHouse itself what the right answer is.
func (w *workload) learn(ctx context.Context, db *database) error {
	rows, err := db.rows(ctx, w.sql)
	if err != nil {
		return err
	}
	w.want = nil
	for _, row := range rows {
		w.want = append(w.want, row...)
	}
	if len(rows) != w.rows || len(w.want) != w.rows*w.columns {
		return fmt.Errorf("workload %s: ClickHouse answers %d rows and %d values, not %d and %d",
			w.name, len(rows), len(w.want), w.rows, w.rows*w.columns)
	}
	return nil
}

// check tells whether text holds every value, each after the one before it,
// whatever stands between them. Formats of others print dates and fractions in
// their own ways: with loose, only the last column has to be there.
func (w *workload) check(text string, loose bool) error {
	for i, value := range w.want {
		if loose && i%w.columns != w.columns-1 {
			continue
		}
		at := strings.Index(text, value)
		if at < 0 {
			return fmt.Errorf("row %d, column %d: the value %q is missing or out of its place", i/w.columns+1, i%w.columns+1, value)
		}
		text = text[at+len(value):]
	}
	return nil
}
