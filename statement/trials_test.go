package statement_test

import (
	"strings"

	"porterhouse/statement"
)

// The statements on which verdicts are compared with what the engine does are
// made of these: every table in every place where a table may stand, every
// expression, every SETTINGS, every verb; and a third of them is spelled once more,
// with comments wherever there was space.

// tables stand in for {T}.
var tables = []string{
	"app.t", "`app`.`t`", "“app”.t", "app /**/ . -- x\n t", "system.one", "{t:Identifier}", "numbers(3)", "`numbers`(3)", "numbers_mt(2)", "zeros(2)",
	"generateSeries(1, 3)", "values('a UInt8', 1, 2)", "null('a UInt8')", "merge('app', '^t$')", "view(SELECT 1 AS a)",
	"format(TSV, 'a UInt8', '1')", "primes(2)", "app.named(x = 1)", "(SELECT 1 AS a)", "(FROM numbers(1) SELECT 1 AS a)",
	"(SELECT 1 AS a UNION ALL SELECT 2)", "(EXPLAIN SELECT 1)", "secret.t", "nowhere.t", "brandNew(1)",
	"url('http://{canary}/', TSV, 'a String')", "file('{file}', LineAsString)", "remote('127.0.0.1:1', system.one)",
	"dictionary('app.lookup')", "mergeTreeIndex('app', 't')", "viewIfPermitted(SELECT 1 AS a ELSE null('a UInt8'))",
	"executable('x.sh', TSV, 'a String')", "eval('SELECT 1')",
}

// tablePlaces are where a table may stand.
var tablePlaces = []string{
	"SELECT count() FROM {T}", "select count() from {T} limit 1", "FROM {T} SELECT count()",
	"SELECT count() FROM app.t AS x CROSS JOIN {T} AS y", "SELECT count() FROM app.t AS x, {T} AS y",
	"SELECT count() FROM app.t AS x JOIN app.t AS z ON x.id = z.id, {T} AS y",
	"SELECT count() FROM app.t AS array JOIN {T} AS y ON 1", "SELECT count() FROM app.t AS where, {T} AS y",
	"SELECT count() FROM (SELECT * FROM {T})", "SELECT count() FROM (app.t AS x CROSS JOIN {T} AS y)",
	"SELECT (SELECT count() FROM {T})", "WITH c AS (SELECT * FROM {T}) SELECT count() FROM c",
	"SELECT 1 IN (SELECT 1 FROM {T})", "SELECT count() FROM app.t WHERE EXISTS(SELECT * FROM {T})",
	"SELECT 1 UNION ALL SELECT count() FROM {T}", "(SELECT count() FROM {T}) UNION ALL (FROM {T} SELECT count())",
	"SELECT count() FROM view(SELECT * FROM {T})", "DESCRIBE TABLE {T}", "DESC {T}", "EXPLAIN SELECT * FROM {T}",
	"EXPLAIN PIPELINE SELECT * FROM {T}", "EXPLAIN indexes = 1 SELECT * FROM {T}", "EXPLAIN AST SELECT * FROM {T}",
	"SHOW TABLES FROM app WHERE 1 IN (SELECT 1 FROM {T})",
	"SELECT count() FROM {T} WHERE 1 GROUP BY 1 ORDER BY 1 LIMIT 1",
}

// expressions stand in for {E}.
var expressions = []string{
	"1", "'it''s'", `'a\'b'`, "$$a 'b'$$", "‘curly’", "x'41'", "1_000", "-1.5e-3", "{p:UInt8}", "NULL", "[1, 2][1]", "(1, 2).1", "map('a', 1)['a']",
	"upper('a')", "`upper`('a')", "“upper”('a')", "upper/**/('a')", "CAST(1 AS String)", "1::String", "toDate('2024-01-01') + INTERVAL 1 DAY",
	"extract(YEAR FROM toDate('2024-01-01'))", "trim(BOTH 'x' FROM lower('xAx'))", "substring('abc' FROM 2 FOR 1)", "'a' IS NOT DISTINCT FROM lower('A')",
	"arrayMap(upper, ['a'])", "arrayMap(file -> 'x', ['a'])", "arraySort(x -> -x, [1, 2])", "if(1, 'a', 'b')", "CASE WHEN 1 THEN 'a' ELSE 'b' END",
	"1 BETWEEN 0 AND 2", "'a' LIKE '%a%'", "1 IN (1, 2)", "format('{}', 'a')", "currentUser()", "formatQuery('SELECT 1')", "tokenizeQuery('x')", "@@version",
	"(SELECT 1)", "file('{file}')", "`file`('{file}')", "arrayMap(file, ['{file}'])", "dictGet('app.lookup', 's', 1)", "hasColumnInTable('app', 't', 'id')",
	"getClientHTTPHeader('Host')", "brandNew(1)",
}

// expressionPlaces are where an expression may stand.
var expressionPlaces = []string{
	"SELECT {E}", "select {E} as x, 2", "SELECT {E} AS x FROM app.t", "SELECT count() FROM app.t WHERE {E} IS NOT NULL",
	"SELECT count() FROM app.t GROUP BY {E}", "SELECT id FROM app.t ORDER BY {E}, id LIMIT 1", "SELECT (SELECT {E})", "WITH {E} AS x SELECT x",
	"SELECT arrayMap(z -> {E}, [1])", "SELECT ({E}, 1)", "SELECT [{E}]", "SELECT count() FROM app.t ARRAY JOIN [{E}] AS y",
	"SELECT any(1) OVER (PARTITION BY {E}) FROM app.t", "SELECT * REPLACE({E} AS s) FROM app.t", "SELECT id FROM app.t LIMIT 1 BY {E}",
	"FROM (SELECT 1) SELECT {E}", "EXPLAIN SELECT {E}", "DESCRIBE (SELECT {E} AS x)", "SHOW TABLES FROM app WHERE isNull({E})",
}

// settings stand in for {S}.
var settings = []string{
	"final = 0", "`final` = 0", "“final” = 0", "final", "join_use_nulls = 1, final = 0", "union_default_mode = 'ALL'", "session_timezone = 'UTC'",
	"max_threads = 1", "max_rows_to_read = 0", "final = 0, max_threads = 1", "`max_threads` = 1", "readonly = 0", "log_queries = 1", "allow_ddl = 1",
	"date_time_output_format = 'iso'", "max_block_size = 10, final = 0",
}

// settingsPlaces are where SETTINGS may stand.
var settingsPlaces = []string{
	"SELECT 1 SETTINGS {S}", "SELECT count() FROM app.t settings {S}", "SELECT * FROM (SELECT 1 SETTINGS {S})", "SELECT 1 UNION ALL SELECT 2 SETTINGS {S}",
	"(SELECT 1 SETTINGS {S}) UNION ALL SELECT 2", "WITH c AS (SELECT 1 SETTINGS {S}) SELECT * FROM c", "SELECT * FROM view(SELECT 1 SETTINGS {S})",
	"EXPLAIN SELECT 1 SETTINGS {S}", "DESCRIBE app.t SETTINGS {S}", "SHOW TABLES FROM app SETTINGS {S}", "SELECT 1 SETTINGS {S} FORMAT CSV",
	"SELECT 1 FORMAT CSV SETTINGS {S}",
}

// statements are whole; the first ones read, the others do not.
var statements = []string{
	"SHOW DATABASES", "SHOW TABLES FROM app", "SHOW CREATE TABLE app.t", "SHOW COLUMNS FROM app.t", "SHOW GRANTS", "SHOW SETTINGS LIKE 'final'",
	"SHOW FUNCTIONS LIKE 'upper'", "SHOW DICTIONARIES FROM app", "SHOW CLUSTERS", "SHOW ENGINES", "EXISTS TABLE app.t", "EXISTS app.t", "EXISTS DATABASE app",
	"EXISTS VIEW app.named", "DESCRIBE app.t", "DESCRIBE SELECT 1", "EXPLAIN SELECT 1", "EXPLAIN SYNTAX SELECT 1", "EXPLAIN ESTIMATE SELECT * FROM app.t",
	"EXPLAIN ANALYZE SELECT 1", "EXPLAIN PLAN header = 1, actions = 1 SELECT 1", "SELECT 1 WITH TOTALS", "SELECT * FROM app.t LIMIT 1 WITH TIES",
	"SELECT format, file, parallel FROM app.t ORDER BY format DESC", "SELECT upper(file), concat(file, 'x') FROM app.t", "SELECT mapKeys(m), arrayStringConcat(a, ',') FROM app.t",
	"SELECT id FROM app.t INTERSECT SELECT 1", "SELECT id FROM app.t EXCEPT SELECT 1", "SELECT * EXCEPT (id) FROM app.t", "SELECT COLUMNS('^i') APPLY(toString) FROM app.t",
	"SELECT * APPLY(x -> toString(x)) FROM app.t", "SELECT count() FROM app.t FINAL", "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
	"SELECT sum(id) OVER w FROM app.t WINDOW w AS (ORDER BY id)", "SELECT id FROM app.t QUALIFY row_number() OVER () = 1", "SELECT 1 AS settings, settings FROM app.t",
	"SELECT number FROM numbers(3) ORDER BY number WITH FILL FROM 0 TO 9 STEP 2 INTERPOLATE", "SELECT s, format x FROM app.t", "SELECT arrayMax({a:Array(UInt8)})", "SELECT insert.id AS x FROM app.t, app.t AS insert", "SELECT * FROM app.t AS a(b)",
	"SELECT x FROM (SELECT [1, 2] AS y) ARRAY JOIN y AS x, upper('a') || 'x' AS z",

	"SELECT 1 FORMAT JSON", "SELECT 1 format `CSV`", "SELECT 1 INTO OUTFILE '/tmp/evil'", "SELECT 1 PARALLEL WITH SELECT 2", "EXECUTE AS alice SELECT 1",
	"INSERT INTO scratch.t SELECT 2, 'x'", "INSERT INTO scratch.t (id) SELECT 3", "WITH 1 AS x INSERT INTO scratch.t SELECT x, 'x'", "WITH 1 AS select INSERT INTO scratch.t SELECT 1, 'x'",
	"EXPLAIN INSERT INTO scratch.t SELECT 2, 'x'", "CREATE TABLE scratch.n (a UInt8) ENGINE = Memory", "CREATE TEMPORARY TABLE n (a UInt8)", "CREATE DATABASE n", "CREATE VIEW scratch.nv AS SELECT 1",
	"CREATE USER n", "CREATE ROLE n", "CREATE FUNCTION n AS x -> x", "GRANT SELECT ON app.* TO alice", "REVOKE SELECT ON app.* FROM alice", "ALTER TABLE scratch.t COMMENT COLUMN s 'x'",
	"ALTER TABLE scratch.t UPDATE s = 'y' WHERE 1", "ALTER USER alice HOST ANY", "DELETE FROM scratch.t WHERE id = 3", "UPDATE scratch.t SET s = 'x' WHERE 1", "TRUNCATE TABLE scratch.t",
	"DROP TABLE scratch.n", "DROP VIEW IF EXISTS scratch.nv", "DETACH TABLE scratch.t", "ATTACH TABLE scratch.t", "RENAME TABLE scratch.t TO scratch.r", "RENAME TABLE scratch.r TO scratch.t",
	"OPTIMIZE TABLE scratch.t", "CHECK TABLE scratch.t", "KILL QUERY WHERE 0", "SYSTEM FLUSH LOGS", "SYSTEM RELOAD CONFIG", "SET max_threads = 1", "SET ROLE NONE", "USE app",
	"BACKUP TABLE scratch.t TO Null", "WATCH scratch.t", "BEGIN TRANSACTION", "COMMIT", "ROLLBACK", "UNDROP TABLE scratch.n", "EXCHANGE TABLES scratch.t AND scratch.r", "MOVE USER alice TO memory",
	"(SHOW TABLES)", "(INSERT INTO scratch.t SELECT 2, 'x')", "FROM scratch.t INSERT INTO scratch.t SELECT *", "SELECT 1; SELECT 2", ";SELECT 1", "1 + 1", "VALUES (1)", "TABLE app.t",
}

// doubts are statements that only read and that the check refuses all the same,
// each of a sort of its own: the price of erring on the safe side.
var doubts = []string{
	"SELECT count() FROM app.t GROUP BY parallel WITH TOTALS", // PARALLEL WITH, were it not for TOTALS
	"SELECT 1 AS execute, execute AS x",                       // EXECUTE AS, were it not for the comma
	"SELECT settings x FROM (SELECT 1 AS settings)",           // SETTINGS x, the short way to set x
	"SELECT 1 /* a /* b */ c */",                              // comments did not always nest
	"SELECT 1 AS $a",                                          // a heredoc that is not closed looks like this
	"SELECT 'a\x00b'",                                         // NUL ends a text for some programs
	"SELECT \"upp\\x65r\"('a')",                               // only ClickHouse can tell what is called
	"(EXPLAIN SELECT 1)",                                      // only SELECT is looked for in brackets
	"EXPLAIN AST SHOW TABLES",                                 // only SELECT is looked for behind EXPLAIN
	"EXPLAIN QUERY TREE SELECT 1",                             // it tells the columns of tables that may not be described
	"SELECT arrayMap(file -> file || 'x', ['a'])",             // a name that could be the function
	"SELECT arraySort(file) FROM (SELECT ['b', 'a'] AS file)", // a column that could be the function
	"WITH 1 AS as SELECT 2 AS x",                              // a name where the verb is looked for
	"WITH url(a) AS (SELECT 1 AS a) SELECT * FROM url",        // a name that is refused wherever it stands
	"SELECT * FROM named(x = 1) SETTINGS final = 0",           // a parameterized view without its database
}

// trials are all of them.
func trials() []string {
	var all []string
	cross := func(mark string, whats, places []string) {
		for _, place := range places {
			for _, what := range whats {
				all = append(all, strings.ReplaceAll(place, mark, what))
			}
		}
	}
	cross("{T}", tables, tablePlaces)
	cross("{E}", expressions, expressionPlaces)
	cross("{S}", settings, settingsPlaces)
	all = append(all, statements...)
	for i, sql := range all {
		if i%3 == 0 || i >= len(all)-len(statements) {
			all = append(all, respelled(sql))
		}
	}
	return append(all, doubts...)
}

// respelled puts a comment, which holds what a careless reader takes for SQL,
// wherever there was space, and ends the statement with a semicolon.
func respelled(sql string) string {
	text := strings.Builder{}
	text.WriteString("\ufeff-- INSERT INTO\n")
	for l := statement.NewLexer(sql); ; {
		switch token := l.Next(); {
		case token.Type == statement.EndOfStream:
			return text.String() + " ; -- ; DROP"
		case token.Significant():
			text.WriteString(sql[token.Begin:token.End])
		default:
			text.WriteString("/*';*/\u00a0# \"(\n")
		}
	}
}
