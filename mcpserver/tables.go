package mcpserver

import (
	"context"
	"strings"

	"porterhouse"
)

// tableName is a table as the caller names it; database may be "".
type tableName struct{ database, name string }

// String writes the name as SQL needs it.
func (t tableName) String() string {
	if t.database == "" {
		return quoteName(t.name)
	}
	return quoteName(t.database) + "." + quoteName(t.name)
}

// parseTableName reads database.table, where each part may be in backticks.
func parseTableName(text string) (tableName, error) {
	first, rest, ok := cutName(strings.TrimSpace(text))
	if ok && rest == "" {
		return tableName{name: first}, nil
	}
	second, rest, ok2 := cutName(strings.TrimPrefix(rest, "."))
	if !ok || !ok2 || rest != "" {
		return tableName{}, porterhouse.Errorf(porterhouse.Invalid, "%q is not the name of a table: write database.table, with backticks around names that have a dot", echo(text))
	}
	return tableName{first, second}, nil
}

// cutName takes the first part off a dotted name; it must not be empty.
func cutName(text string) (part, rest string, ok bool) {
	if quoted, found := strings.CutPrefix(text, "`"); found {
		part, rest, ok = strings.Cut(quoted, "`")
		return part, rest, ok && part != ""
	}
	at := strings.IndexByte(text, '.')
	if at < 0 {
		at = len(text)
	}
	return text[:at], text[at:], at > 0
}

// quoteName writes a name as SQL needs it, on one line: in backticks unless it is
// a simple one.
func quoteName(name string) string {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return "`" + plain(strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name)) + "`"
		}
	}
	return name
}

// table is what ClickHouse tells of a table.
type table struct {
	tableName
	engine, comment             string
	primary, sorting, partition string // keys, as expressions; "" for none
	rows, bytes                 string // "" where the engine does not count
	columns                     []column
}

type column struct{ name, kind, comment, defaults string }

// The names of the wanted tables travel as JSON in a parameter. has() is for
// speed: by it ClickHouse looks at no other table.
const (
	tablesSQL = `WITH JSONExtract({wanted:String}, 'Array(Tuple(String, String))') AS wanted
		SELECT database, name, engine, comment, primary_key, sorting_key, partition_key, total_rows, total_bytes
		FROM system.tables
		WHERE has(wanted.2, name) AND arrayExists(w -> w.1 IN ('', database) AND w.2 = name, wanted)
		ORDER BY arrayFirstIndex(w -> w.1 IN ('', database) AND w.2 = name, wanted), database`
	columnsSQL = `WITH JSONExtract({wanted:String}, 'Array(Tuple(String, String))') AS wanted
		SELECT database, table, name, type, comment, trim(concat(default_kind, ' ', default_expression))
		FROM system.columns
		WHERE has(wanted.2, table) AND arrayExists(w -> w.1 IN ('', database) AND w.2 = table, wanted)
		ORDER BY database, table, position`
)

// findTables finds the wanted tables among those that the person may see, with two
// questions. A name without a database finds the tables of every database.
func findTables(ctx context.Context, c *call, wanted []tableName) ([]*table, error) {
	pairs := make([][2]string, len(wanted))
	for i, w := range wanted {
		pairs[i] = [2]string{w.database, w.name}
	}
	params := map[string]string{"wanted": string(marshal(pairs))}
	rows, _, err := c.lookup(ctx, tablesSQL, params)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var tables []*table
	byName := make(map[tableName]*table)
	for _, r := range rows {
		t := &table{tableName{r[0], r[1]}, r[2], r[3], r[4], r[5], r[6], r[7], r[8], nil}
		tables, byName[t.tableName] = append(tables, t), t
	}
	rows, _, err = c.lookup(ctx, columnsSQL, params)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if t := byName[tableName{r[0], r[1]}]; t != nil {
			t.columns = append(t.columns, column{r[2], r[3], r[4], r[5]})
		}
	}
	return tables, nil
}
