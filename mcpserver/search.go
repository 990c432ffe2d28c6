package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"porterhouse"
)

// pageSize is how many tables and databases one page of a search shows, and
// pageColumns how many columns of each table.
const (
	pageSize    = 15
	pageColumns = 8
)

// searchInput is what the tool search_schema takes.
type searchInput struct {
	Words    string `json:"words"`
	Database string `json:"database"`
	Kind     string `json:"kind"`
	Page     int    `json:"page"`
	Cluster  string `json:"cluster"`
}

// runSearch finds tables and columns by words, with one question.
func runSearch(ctx context.Context, c *call, arguments json.RawMessage) error {
	in, err := decode[searchInput](arguments)
	if err != nil {
		return err
	}
	if err := c.choose(in.Cluster, ""); err != nil {
		return err
	}
	words := stems(in.Words)
	switch {
	case len(words) == 0:
		return porterhouse.Errorf(porterhouse.Invalid, "the argument \"words\" has no word in it: give what to look for, such as: daily token usage")
	case !slices.Contains([]string{"", "database", "table", "column"}, in.Kind):
		return porterhouse.Errorf(porterhouse.Invalid, "there is no kind %q; use database, table or column", echo(in.Kind))
	case in.Page < 0 || in.Page > 1000:
		return porterhouse.Errorf(porterhouse.Invalid, "page must be from 1 to 1000")
	}
	page := max(in.Page, 1)
	params := map[string]string{
		"words": strings.Join(words, " "), "database": in.Database, "kind": in.Kind,
		"limit": strconv.Itoa(pageSize), "skip": strconv.Itoa((page - 1) * pageSize), "columns": strconv.Itoa(pageColumns),
	}
	rows, _, err := c.lookup(ctx, searchSQL, params)
	switch {
	case err != nil:
		return err
	case len(rows) == 0 && page > 1:
		return beyondLastPage(ctx, c, params, in, page)
	case len(rows) == 0:
		return noMatch(ctx, c, in)
	}
	return showHits(c, rows, in, page)
}

// beyondLastPage tells how many matches there are before an empty page.
func beyondLastPage(ctx context.Context, c *call, params map[string]string, in searchInput, page int) error {
	params["skip"], params["limit"] = "0", "1"
	rows, _, err := c.lookup(ctx, searchSQL, params)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return noMatch(ctx, c, in)
	}
	total, err := strconv.Atoi(rows[0][8])
	if err != nil {
		return fmt.Errorf("mcpserver: number of matches: %w", err)
	}
	c.printf("Page %d is beyond the last: %s for %q, on %s.\n",
		page, count(total, "hit"), echo(in.Words), count((total+pageSize-1)/pageSize, "page"))
	return nil
}

// noMatch tells that nothing was found, and of a database that is not there.
func noMatch(ctx context.Context, c *call, in searchInput) error {
	c.printf("No match for %q among what you may see.", echo(in.Words))
	if in.Database != "" {
		rows, err := likeDatabases(ctx, c, in.Database)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(rows, func(row []string) bool { return row[0] == in.Database }) {
			hint, err := didYouMean(rows, in.Database, "leave the argument \"database\" out to search everywhere.", nil)
			c.printf(" There is no database %q that you may see; %s\n", echo(in.Database), hint)
			return err
		}
	}
	c.printf(" Try other or fewer words, or list everything with: SELECT database, name, comment FROM system.tables\n")
	return nil
}

// maxWords bounds a search; further words are left out.
const maxWords = 8

// stems splits text into words as names are split: at everything that is neither
// letter nor digit, and where camelCase goes up. They are in lower case, without
// the ending of a plural, so that they begin both the singular and the plural.
func stems(text string) (words []string) {
	var b strings.Builder
	end := func() {
		if word := stem(b.String()); word != "" && !slices.Contains(words, word) && len(words) < maxWords {
			words = append(words, word)
		}
		b.Reset()
	}
	var last rune
	for _, r := range text {
		letter := unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
		if !letter || unicode.IsUpper(r) && (unicode.IsLower(last) || unicode.IsNumber(last)) {
			end()
		}
		if letter {
			b.WriteRune(unicode.ToLower(r))
		}
		last = r
	}
	end()
	return words
}

// stem takes off the ending of an English plural.
func stem(word string) string {
	switch {
	case len(word) < 4 || !strings.HasSuffix(word, "s"):
		return word
	case strings.HasSuffix(word, "ies") && len(word) > 4:
		return strings.TrimSuffix(word, "ies")
	case strings.HasSuffix(word, "ss"), strings.HasSuffix(word, "us"), strings.HasSuffix(word, "is"):
		return word
	case strings.HasSuffix(word, "sses"), strings.HasSuffix(word, "xes"), strings.HasSuffix(word, "ches"), strings.HasSuffix(word, "shes"):
		return strings.TrimSuffix(word, "es")
	}
	return strings.TrimSuffix(word, "s")
}

// searchSQL makes one row of each database and of each table with its columns,
// and ranks them by how many of the words are found at all, then by how well: a
// name that is the word (5) counts more than one that has it as a word (3), that
// more than the beginning of a word (2), that more than the inside (1); and a
// name counts twice as much as a comment, that twice as much as the name of the
// database around it. The system tables show each person what that person may see.
//
// Texts are split at ASCII characters and by ASCII case only: the Unicode classes
// of re2 take longer to compile than all the rest.
const searchSQL = `WITH
	splitByChar(' ', {words:String}) AS words,
	(text, w) -> multiIf(position(text, w) = 0, 0, text = concat(' ', w, ' '), 5, position(text, concat(' ', w, ' ')) > 0, 3, position(text, concat(' ', w)) > 0, 2, 1) AS fit
SELECT
	if(table = '', 'database', 'table') AS kind, database, table,
	anyIf(type, part < 3), anyIf(comment, part < 3), anyIf(size, part < 3), countIf(part = 3) AS matching,
	toJSONString(arrayMap(c -> [c.3, c.4, c.5], arraySlice(arraySort(c -> (-c.1, c.2), groupArrayIf((arraySum(points), position, name, type, comment), part = 3)), 1, {columns:UInt8}))),
	count() OVER (),
	arrayMap((own, best) -> own + best, sumForEach(arrayMap(p -> if(part < 3, p, 0), points)), maxForEach(arrayMap(p -> if(part = 3, p, 0), points))) AS total
FROM (
	SELECT part, database, table, name, type, comment, position, size,
		splitByChar('\x01', lowerUTF8(replaceRegexpAll(replaceRegexpAll(text, '([a-z0-9])([A-Z])', '\\1 \\2'), '[\x02-/:-@\\[-\x60{-\x7f]+', ' '))) AS texts,
		if(seen, arrayMap(w -> fit(texts[1], w) * 4 + fit(texts[2], w) * 2, words), arrayMap(w -> 0, words)) AS direct,
		arrayMap((d, w) -> if(d > 0, d + fit(texts[3], w), 0), direct, words) AS points
	FROM (
		SELECT 1 AS part, name AS database, '' AS table, name, engine AS type, comment, 0 AS position, '' AS size,
			{kind:String} IN ('', 'database') AS seen, concat(' ', name, ' \x01 ', comment, ' \x01') AS text
		FROM system.databases
		WHERE {kind:String} IN ('', 'database')
		UNION ALL
		SELECT 2, database, name, name, engine, comment, 0, ifNull(toString(total_rows), ''),
			{kind:String} IN ('', 'table'), concat(' ', name, ' \x01 ', comment, ' \x01 ', database, ' ')
		FROM system.tables
		WHERE {kind:String} != 'database'
		UNION ALL
		SELECT 3, database, table, name, type, comment, position, '',
			1, concat(' ', name, ' \x01 ', comment, ' \x01')
		FROM system.columns
		WHERE {kind:String} IN ('', 'column')
	)
	WHERE if({database:String} = '', database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema'), database = {database:String})
		AND (part < 3 OR arrayExists(p -> p > 0, points))
)
GROUP BY database, table
HAVING arrayExists(t -> t > 0, total)
ORDER BY arrayCount(t -> t > 0, total) DESC, arraySum(total) DESC, kind, database, table
LIMIT {limit:UInt16} OFFSET {skip:UInt64}`

// showHits writes the page: each table with the columns that match.
func showHits(c *call, rows [][]string, in searchInput, page int) error {
	total := rows[0][8]
	c.printf("Matches %d to %d of %s for %q, best first.", (page-1)*pageSize+1, (page-1)*pageSize+len(rows), total, echo(in.Words))
	if all, err := strconv.Atoi(total); err == nil && all > page*pageSize {
		c.printf(" Next: page %d.", page+1)
	}
	c.printf("\n")
	for _, row := range rows {
		if err := showHit(c, row); err != nil {
			return err
		}
	}
	return nil
}

func showHit(c *call, row []string) error {
	kind, database, name, engine, comment, size, matching, columns := row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]
	if kind == "database" {
		c.printf("database %s%s\n", quoteName(database), remark(comment, maxComment))
		return nil
	}
	c.printf("%s.%s (%s", quoteName(database), quoteName(name), plain(engine))
	if size != "" {
		c.printf(", %s rows", size)
	}
	c.printf(")%s\n", remark(comment, maxComment))
	var best [][3]string // name, type and comment
	if err := json.Unmarshal([]byte(columns), &best); err != nil {
		return fmt.Errorf("mcpserver: columns of a search: %w", err)
	}
	for _, column := range best {
		c.printf("  %s %s%s\n", quoteName(column[0]), shorten([]byte(plain(column[1])), maxType), remark(column[2], maxComment))
	}
	if n, err := strconv.Atoi(matching); err == nil && n > pageColumns {
		c.printf("  (%d more columns match)\n", n-pageColumns)
	}
	return nil
}

// maxComment is as much of a comment as a search shows, in bytes.
const maxComment = 160

// remark is a comment on one line, after a dash, with at most so many bytes.
func remark(comment string, most int) string {
	if comment = strings.Join(strings.Fields(comment), " "); comment == "" {
		return ""
	}
	return " — " + string(shorten([]byte(plain(comment)), most))
}
