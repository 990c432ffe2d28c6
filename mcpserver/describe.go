package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"porterhouse"
)

// maxTables is how many tables one call describes, and sampleRows how many rows
// of each it shows on request.
const (
	maxTables  = 20
	sampleRows = 3
)

// describeInput is what the tool describe_tables takes.
type describeInput struct {
	Tables  []string `json:"tables"`
	Samples bool     `json:"samples"`
	Cluster string   `json:"cluster"`
}

// runDescribe describes tables with two questions, and one more for each sample.
func runDescribe(ctx context.Context, c *call, arguments json.RawMessage) error {
	in, err := decode[describeInput](arguments)
	if err != nil {
		return err
	}
	if err := c.choose(in.Cluster, ""); err != nil {
		return err
	}
	if len(in.Tables) == 0 || len(in.Tables) > maxTables {
		return porterhouse.Errorf(porterhouse.Invalid, "give 1 to %d tables, such as [\"shop.orders\"]; have %d", maxTables, len(in.Tables))
	}
	var wanted []tableName
	for _, text := range in.Tables {
		name, err := parseTableName(text)
		if err != nil {
			return err
		}
		wanted = append(wanted, name)
	}
	tables, err := findTables(ctx, c, wanted)
	if err != nil {
		return err
	}
	for _, t := range tables {
		describe(c, t)
		if in.Samples {
			showSample(ctx, c, t)
		}
	}
	return missing(ctx, c, wanted, tables)
}

// describe writes a table, unless the answer is full.
func describe(c *call, t *table) {
	if len(*c.text) > c.server.config.Bytes {
		c.printf("%s: NOT SHOWN, the answer is full; ask for fewer tables at once.\n", t.tableName)
		return
	}
	c.printf("%s (%s", t.tableName, plain(t.engine))
	if t.rows != "" {
		c.printf(", %s rows", t.rows)
	}
	if bytes, err := strconv.ParseUint(t.bytes, 10, 64); err == nil {
		c.printf(", %s", size(bytes))
	}
	c.printf(")%s\n", remark(t.comment, 1000))
	for _, key := range [][2]string{{"primary key", t.primary}, {"sorting key", t.sorting}, {"partition key", t.partition}} {
		if key[1] != "" && (key[0] != "sorting key" || t.sorting != t.primary) {
			c.printf("  %s: %s\n", key[0], plain(key[1]))
		}
	}
	for i, col := range t.columns {
		if len(*c.text) > c.server.config.Bytes {
			c.printf("  NOT ALL: %d further columns have no room; system.columns has them.\n", len(t.columns)-i)
			break
		}
		c.printf("  %s %s", quoteName(col.name), plain(col.kind))
		if col.defaults != "" {
			c.printf(" %s", shorten([]byte(plain(col.defaults)), maxType))
		}
		c.printf("%s\n", remark(col.comment, 400))
	}
}

// sampleBytes is the room for the sample of one table.
const sampleBytes = 4_000

// sampleShape shows rows below the names of their columns: the types stand above.
var sampleShape = shape{porterhouse.TSVRows, sampleHead, compactRow, sampleWrap, true}

func sampleHead(dst []byte, columns []porterhouse.Column) []byte {
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, '\t')
		}
		dst = append(dst, escapeTSV(c.Name)...)
	}
	return append(dst, '\n')
}

func sampleWrap(dst []byte, s status, head, rows []byte) []byte {
	dst = fmt.Appendf(dst, "  sample of %s:", count(s.rows, "row"))
	for _, note := range s.notes {
		dst = append(append(dst, ' '), note...)
	}
	return append(append(append(dst, '\n'), head...), rows...)
}

// showSample shows a few rows. That they cannot be read is part of the answer: a
// table may be visible where its rows are not.
func showSample(ctx context.Context, c *call, t *table) {
	if len(*c.text) > c.server.config.Bytes {
		return
	}
	answer, err := c.ask(ctx, porterhouse.Query{
		SQL:    fmt.Sprintf("SELECT * FROM {database:Identifier}.{table:Identifier} LIMIT %d", sampleRows),
		Params: map[string]string{"database": paramEscapes.Replace(t.database), "table": paramEscapes.Replace(t.name)},
		Format: porterhouse.TSVRows,
		Limits: porterhouse.Limits{Rows: sampleRows, Bytes: longestRow, Time: c.server.config.SampleTime},
	})
	if err == nil {
		limit := bounds{rows: sampleRows, mostRows: sampleRows, bytes: sampleBytes, mostBytes: sampleBytes}
		err = c.collect("", answer, sampleShape, limit, new(atomic.Int64))
	}
	if err != nil {
		kind, public := porterhouse.Explain(err)
		c.printf("  no sample (%s): %s\n", kind, shorten([]byte(plain(tidy(public))), 300))
	}
}

// missing names the wanted tables that were not found, with near names.
func missing(ctx context.Context, c *call, wanted []tableName, found []*table) error {
	for _, w := range wanted {
		if slices.ContainsFunc(found, func(t *table) bool {
			return t.name == w.name && (w.database == "" || t.database == w.database)
		}) {
			continue
		}
		rows, _, err := c.lookup(ctx, nearTablesSQL, map[string]string{"name": w.name, "full": w.String()})
		hint, err := didYouMean(rows, w.name, "search_schema finds tables by words.", err)
		if err != nil {
			return err
		}
		c.printf("%s: there is no such table that you may see; %s\n", echo(w.String()), hint)
	}
	return nil
}

// size is a number of bytes for people.
func size(bytes uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	value, unit := float64(bytes), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
