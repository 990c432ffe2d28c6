package statement_test

import (
	"strings"
	"testing"

	"porterhouse/statement"
)

// TestCheckWrites has statements that do more than read: what they are, and which
// hazards they have beside that, which is always "write".
func TestCheckWrites(t *testing.T) {
	const silent, rows, state = "silent", "rows", "silent state"
	for _, test := range []struct{ sql, verb, class, hazards string }{
		// What passes where writing passes.
		{"INSERT INTO t SELECT 1", "INSERT", silent, ""},
		{"INSERT INTO t (a, b) VALUES", "INSERT", silent, ""},
		{"INSERT INTO url (a, file) VALUES", "INSERT", silent, ""},
		{"INSERT INTO TABLE remote (a) SELECT 1", "INSERT", silent, ""},
		{"INSERT INTO t FORMAT CSV", "INSERT", silent, "format"},
		{"INSERT INTO t SETTINGS async_insert = 1, final FORMAT CSV", "INSERT", silent, "setting:async_insert format"},
		{"WITH 1 AS x INSERT INTO t SELECT x", "INSERT", silent, ""},
		{"INSERT INTO t SELECT lower(s) FROM input('s String') FORMAT CSV", "INSERT", silent, "format"},
		{"CREATE TABLE t (a DateTime64(3), url String DEFAULT lower(b), INDEX i a TYPE minmax) ENGINE = MergeTree ORDER BY a", "CREATE", silent, ""},
		{"CREATE OR REPLACE TABLE file (a Int8) ENGINE ReplicatedReplacingMergeTree('/x', '{replica}') ORDER BY a", "CREATE", silent, ""},
		{"CREATE TABLE IF NOT EXISTS url (a Int8) ENGINE = `Memory`", "CREATE", silent, ""},
		{"CREATE TABLE t ENGINE = Memory AS SELECT engine, engine = 'x' FROM system.tables", "CREATE", silent, ""},
		{"CREATE TABLE a AS b", "CREATE", silent, ""},
		{"CREATE TABLE a AS numbers(3)", "CREATE", silent, ""},
		{"CREATE VIEW v AS SELECT a FROM t", "CREATE", silent, ""},
		{"CREATE MATERIALIZED VIEW v TO t AS SELECT a FROM s", "CREATE", silent, ""},
		{"CREATE DATABASE d ENGINE = Atomic", "CREATE", silent, ""},
		{"CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(0)", "CREATE", silent, ""},
		{"CREATE USER u IDENTIFIED BY 'x'", "CREATE", silent, ""},
		{"CREATE SETTINGS PROFILE p TO u", "CREATE", silent, ""},
		{"create or replace settings profile p", "CREATE", silent, ""},
		{"ALTER TABLE t UPDATE a = lower(b) WHERE c", "ALTER", silent, ""},
		{"ALTER TABLE a ATTACH PARTITION 1 FROM b", "ALTER", silent, ""},
		{"DELETE FROM t WHERE a IN (SELECT b FROM c)", "DELETE", silent, ""},
		{"UPDATE t SET a = 1 WHERE b", "UPDATE", silent, ""},
		{"GRANT SELECT(a), INSERT ON t TO u", "GRANT", silent, ""},
		{"REVOKE ALL ON *.* FROM u, v", "REVOKE", silent, ""},
		{"SYSTEM FLUSH LOGS", "SYSTEM", silent, ""},
		{"OPTIMIZE TABLE t FINAL", "OPTIMIZE", silent, ""},

		// What answers with rows.
		{"CREATE TABLE t ON CLUSTER c (a Int8) ENGINE = Memory", "CREATE", rows, ""},
		{"DROP TABLE t ON /**/ cluster 'c'", "DROP", rows, ""},
		{"KILL QUERY WHERE 0", "KILL", rows, ""},
		{"CHECK TABLE t", "CHECK", rows, ""},
		{"SYSTEM UNFREEZE WITH NAME 'x'", "SYSTEM", rows, ""},
		{"SYSTEM SYNC FILESYSTEM CACHE", "SYSTEM", rows, ""},
		{"EXPLAIN INSERT INTO t SELECT 1", "INSERT", rows, ""},
		{"EXPLAIN AST SET max_threads = 1", "SET", rows, ""},

		// What changes the session.
		{"SET max_threads = 1, final = 0, SQL_x = 'y'", "SET", state, "setting:max_threads setting:SQL_x"},
		{"SET log_comment", "SET", state, "setting:log_comment"},
		{"SET final = 1, log_comment = 'x'", "SET", state, "setting:log_comment"},
		{"SET role = 1, log_comment = 'x'", "SET", state, "setting:role setting:log_comment"},
		{"SET time = 1, log_comment = 'x'", "SET", state, "setting:time setting:log_comment"},
		{"SET `log_comment` = 'x'", "SET", state, "setting:log_comment"},
		{"SET max_threads = DEFAULT, readonly = 0", "SET", state, "setting:max_threads setting:readonly"},
		{"SET \"log\\x5fcomment\" = 'x'", "SET", state, "unsure"},
		{"SET {x:Identifier} = 'x'", "SET", state, "unsure"},
		{"SET ROLE r", "SET", state, ""},
		{"SET ROLE 'r', s", "SET", state, ""},
		{"SET TIME ZONE 'UTC'", "SET", state, ""},
		{"SET TRANSACTION SNAPSHOT 1", "SET", state, ""},
		{"SET DEFAULT ROLE r TO u", "SET", silent, ""},
		{"ALTER USER u ADD SETTING log_queries = 0", "ALTER", silent, "setting:log_queries"},
		{"alter user u /**/ modify setting max_threads = 1 min 0, `log_queries` = 0, readonly", "ALTER", silent, "setting:max_threads setting:log_queries setting:readonly"},
		{"ALTER SETTINGS PROFILE p ADD SETTING \"log_queries\" = 0 ADD PROFILE 'a', 'b'", "ALTER", silent, "setting:log_queries"},
		{"ALTER USER u ADD SETTINGS log_queries = 0", "ALTER", silent, "setting:log_queries"},
		{"ALTER USER u DROP SETTING log_queries", "ALTER", silent, ""},
		{"ALTER TABLE t MODIFY SETTING index_granularity = 1", "ALTER", silent, ""},
		{"USE d", "USE", state, ""},
		{"BEGIN TRANSACTION", "BEGIN", state, ""},
		{"CREATE TEMPORARY TABLE t AS SELECT 1", "CREATE", state, ""},
		{"create or replace temporary table t (a Int8)", "CREATE", state, ""},
		{"DROP TEMPORARY TABLE t", "DROP", state, ""},

		// What reaches outside.
		{"INSERT INTO FUNCTION s3('x') SELECT 1", "INSERT", silent, "table_function:s3"},
		{"INSERT INTO TABLE FUNCTION remote('h', d.t) VALUES", "INSERT", silent, "table_function:remote"},
		{"INSERT INTO t SELECT * FROM url('http://x')", "INSERT", silent, "table_function:url"},
		{"INSERT INTO t SELECT file('x')", "INSERT", silent, "function:file"},
		{"CREATE TABLE t (a Int8) ENGINE = URL('http://x')", "CREATE", silent, "table_function:url source:URL"},
		{"CREATE TABLE t (a Int8) ENGINE = Kafka SETTINGS kafka_broker_list = 'x'", "CREATE", silent, "source:Kafka setting:kafka_broker_list"},
		{"CREATE TABLE t (a Int8) engine /**/ `Kafka`()", "CREATE", silent, "source:Kafka"},
		{"CREATE TABLE t ENGINE = File(CSV)", "CREATE", silent, "function:file source:File"},
		{"CREATE TABLE t AS o ENGINE File", "CREATE", silent, "source:File"},
		{"CREATE TABLE select ENGINE = Distributed(c, d, t)", "CREATE", silent, "source:Distributed"},
		{"CREATE TABLE t (a Int8) ENGINE = {e:Identifier}", "CREATE", silent, "unsure"},
		{"CREATE TABLE t (a Int8) ENGINE = \"Fil\\x65\"", "CREATE", silent, "unsure"},
		{"CREATE TABLE t AS brandNew(1)", "CREATE", silent, "table_function:brandnew"},
		{"CREATE TABLE t AS `file`('x')", "CREATE", silent, "function:file table_function:file"},
		{"CREATE TABLE t (a String DEFAULT file('x')) ENGINE = Memory", "CREATE", silent, "function:file"},
		{"CREATE DATABASE d ENGINE = PostgreSQL('h:1', 'd', 'u', 'p')", "CREATE", silent, "table_function:postgresql source:PostgreSQL"},
		{"CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 't')) LAYOUT(FLAT())", "CREATE", silent, "source:source"},
		{"ATTACH TABLE t (a Int8) ENGINE = Executable('x', CSV)", "ATTACH", silent, "table_function:executable source:Executable"},
		{"CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 's3')", "CREATE", silent, "setting:disk source:disk"},
		{"ALTER TABLE t FETCH PARTITION 1 FROM '/x'", "ALTER", silent, "source:fetch"},
		{"ALTER TABLE t UPDATE a = file('x') WHERE 1", "ALTER", silent, "function:file"},
		{"BACKUP TABLE t TO S3('x')", "BACKUP", rows, "source:BACKUP table_function:s3"},
		{"RESTORE TABLE t FROM Disk('b', 'x')", "RESTORE", rows, "source:RESTORE table_function:disk source:disk"},
		{"CREATE FUNCTION f AS x -> file(x)", "CREATE", silent, "function:file"},

		// What passes nowhere.
		{"INSERT INTO t FROM INFILE 'x' FORMAT CSV", "INSERT", silent, "from_infile format"},
		{"INSERT INTO t SELECT 1 PARALLEL WITH DROP TABLE t", "INSERT", silent, "parallel_with"},
		{"CREATE USER u EXECUTE AS v", "CREATE", silent, "execute_as"},
		{"COPY t FROM STDIN", "COPY", rows, "unsure"},
		{"PREPARE p AS SELECT 1", "PREPARE", rows, "unsure"},
		{"EXECUTE p", "EXECUTE", rows, "unsure"},
		{"brandNew", "BRANDNEW", rows, "unsure"},
	} {
		r := statement.Check(test.sql)
		hazards := strings.Join(strings.Fields(strings.Replace(" "+kinds(r)+" ", " write ", " ", 1)), " ")
		class := rows
		if r.Silent {
			class = silent
		}
		if r.State {
			class += " state"
		}
		if r.Read || r.Verb != test.verb || class != test.class || hazards != test.hazards {
			t.Errorf("Check(%q)\n got %q %s read=%v %s\nwant %q %s %s", test.sql, r.Verb, class, r.Read, hazards, test.verb, test.class, test.hazards)
		}
	}
	for _, sql := range []string{"SELECT 1", "SHOW TABLES", "EXISTS TEMPORARY TABLE t", "SELECT 1 SETTINGS final = 1"} {
		if r := statement.Check(sql); r.Silent || r.State || !r.Read {
			t.Errorf("Check(%q) is %+v", sql, r)
		}
	}
}
