package mcpserver

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// lookNear finds names that resemble the one that ClickHouse did not know, among
// those that the person may see: the question is asked as the person.
type lookNear func(ctx context.Context, c *call, own *statementError, unknown string) (hint string, err error)

// nearest has the searches, by the name of ClickHouse's error.
var nearest = map[string]lookNear{
	"UNKNOWN_IDENTIFIER":         nearestColumns,
	"UNKNOWN_TABLE":              nearestTables,
	"UNKNOWN_DATABASE":           nearestDatabases,
	"UNKNOWN_FUNCTION":           nearestFunctions,
	"UNKNOWN_AGGREGATE_FUNCTION": nearestFunctions,
}

// maxHintSQL is as much of the statement as is searched for tables' names.
const maxHintSQL = 8 << 10

// nearestColumns looks into the tables whose names stand in the statement. When
// no column there resembles the unknown one, it tells what columns there are.
func nearestColumns(ctx context.Context, c *call, own *statementError, unknown string) (string, error) {
	name := unknown[strings.LastIndexByte(unknown, '.')+1:]
	rows, _, err := c.lookup(ctx, `SELECT concat(database, '.', table) AS place, name, damerauLevenshteinDistance(lower(name), lower({name:String})) AS distance
		FROM system.columns
		WHERE positionCaseInsensitive({sql:String}, table) > 0
			AND (database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') OR position({sql:String}, database) > 0)
		ORDER BY place, position
		LIMIT 1000`,
		map[string]string{"name": name, "sql": own.sql[:min(len(own.sql), maxHintSQL)]})
	if err != nil {
		return "", err
	}
	var near, all []string
	for _, row := range rows {
		if resembles(row[2], name) {
			near = append(near, fmt.Sprintf("%s (%s)", inHint(row[1]), inHint(row[0])))
		}
		all = append(all, inHint(row[1]))
	}
	switch {
	case len(near) > 0:
		return "did you mean " + strings.Join(near[:min(len(near), maxNear)], ", ") + "?", nil
	case len(all) > maxColumns:
		return "columns there: " + strings.Join(all[:maxColumns], ", ") + " …; describe_tables shows all of them.", nil
	case len(all) > 0:
		return "columns there: " + strings.Join(all, ", ") + ".", nil
	}
	return "describe_tables shows the columns of a table.", nil
}

// maxNear and maxColumns bound how many names a hint has.
const (
	maxNear    = 5
	maxColumns = 40
)

// nearestTables compares with the table's name alone and with its full name.
func nearestTables(ctx context.Context, c *call, own *statementError, unknown string) (string, error) {
	rows, _, err := c.lookup(ctx, nearTablesSQL, map[string]string{
		"name": unknown[strings.LastIndexByte(unknown, '.')+1:], "full": unknown,
	})
	return didYouMean(rows, unknown, "search_schema finds tables by words.", err)
}

const nearTablesSQL = `SELECT concat(database, '.', name) AS place,
		least(damerauLevenshteinDistance(lower(name), lower({name:String})), damerauLevenshteinDistance(lower(place), lower({full:String}))) AS distance
	FROM system.tables
	WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')
	ORDER BY distance, place
	LIMIT 5`

func nearestDatabases(ctx context.Context, c *call, own *statementError, unknown string) (string, error) {
	rows, err := likeDatabases(ctx, c, unknown)
	return didYouMean(rows, unknown, "search_schema finds databases and tables by words.", err)
}

// likeDatabases has the databases with the names most like this one, and how far
// they are from it.
func likeDatabases(ctx context.Context, c *call, name string) (rows [][]string, err error) {
	rows, _, err = c.lookup(ctx, `SELECT name, damerauLevenshteinDistance(lower(name), lower({name:String})) AS distance
		FROM system.databases
		ORDER BY distance, name = {name:String} DESC, name
		LIMIT 5`,
		map[string]string{"name": name})
	return rows, err
}

func nearestFunctions(ctx context.Context, c *call, own *statementError, unknown string) (string, error) {
	rows, _, err := c.lookup(ctx, `SELECT name, damerauLevenshteinDistance(lower(name), lower({name:String})) AS distance
		FROM system.functions
		ORDER BY distance, name
		LIMIT 5`,
		map[string]string{"name": unknown})
	return didYouMean(rows, unknown, "system.functions lists the functions, with descriptions.", err)
}

// didYouMean names those of the rows (name, distance) that are close.
func didYouMean(rows [][]string, unknown, otherwise string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var near []string
	for _, row := range rows {
		if resembles(row[1], unknown) {
			near = append(near, inHint(row[0]))
		}
	}
	if len(near) == 0 {
		return otherwise, nil
	}
	return "did you mean " + strings.Join(near, ", ") + "?", nil
}

// inHint is a name, which somebody else may have chosen, as a hint shows it.
func inHint(name string) string { return echo(plain(name)) }

// resembles reports whether a distance, in edits, is small for a name.
func resembles(distance, name string) bool {
	edits, err := strconv.Atoi(distance)
	return err == nil && edits <= max(2, len(name)/3)
}
