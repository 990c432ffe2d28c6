package audit

import (
	"strings"
	"testing"
	"time"
)

// Each text holds the secret hunter2-s3cr3t; none may be left of it, and what an
// auditor needs stays.
func TestMask(t *testing.T) {
	tests := []struct{ name, text, keeps string }{
		// IDENTIFIED
		{"create user", `CREATE USER bob IDENTIFIED BY 'hunter2-s3cr3t'`, "CREATE USER bob IDENTIFIED BY '[masked]'"},
		{"alter user, lower case", `alter user bob identified with sha256_password by 'hunter2-s3cr3t' host ip '10.0.0.1'`, "alter user bob identified with"},
		{"hash and salt", `CREATE USER b IDENTIFIED WITH sha256_hash BY 'hunter2-s3cr3t' SALT 'hunter2-s3cr3t'`, "SALT '[masked]'"},
		{"several methods", `CREATE USER b IDENTIFIED BY 'a', BY 'hunter2-s3cr3t'`, ""},
		{"comment in between", `CREATE USER b IDENTIFIED /* it's */ BY -- don't
			'hunter2-s3cr3t'`, ""},
		{"escapes", `CREATE USER b IDENTIFIED BY 'it\'s hunter2-s3cr3t' HOST ANY`, "HOST ANY"},
		{"doubled quotes", `CREATE USER b IDENTIFIED BY 'it''s hunter2-s3cr3t' HOST ANY`, "HOST ANY"},
		{"double quotes, which ClickHouse refuses", `CREATE USER b IDENTIFIED BY "hunter2-s3cr3t" HOST ANY`, "HOST ANY"},
		{"no quotes, which ClickHouse refuses", `CREATE USER b IDENTIFIED BY hunter2 HOST ANY`, "HOST ANY"},
		{"heredoc", `CREATE USER b IDENTIFIED BY $x$hunter2-s3cr3t$x$ HOST ANY`, "HOST ANY"},
		{"curly quotes", `CREATE USER b IDENTIFIED BY‘hunter2-s3cr3t’ HOST ANY`, "HOST ANY"},
		{"no closing quote", `CREATE USER b IDENTIFIED BY 'hunter2-s3cr3t`, ""},
		{"a list of methods", `CREATE USER x IDENTIFIED BY 'hunter2', sha256_password BY 's3cr3t' HOST ANY`, "HOST ANY"},
		{"a list that begins without a secret", `CREATE USER x IDENTIFIED WITH kerberos, sha256_password BY 'hunter2-s3cr3t'`, ""},
		{"ssh key", `CREATE USER x IDENTIFIED WITH ssh_key BY KEY 'hunter2-s3cr3t' TYPE 'ssh-rsa', KEY 'hunter2-s3cr3t' TYPE 'ssh-rsa'`, "BY KEY "},
		{"brackets, which ClickHouse refuses", `CREATE USER x IDENTIFIED BY ('hunter2-s3cr3t')`, ""},
		{"as MySQL says it", `ALTER USER x IDENTIFIED WITH mysql_native_password AS 'hunter2-s3cr3t'`, ""},
		{"no-break space", "CREATE USER b IDENTIFIED\u00a0BY\u00a0'hunter2-s3cr3t'", ""},

		// words that speak of a secret
		{"dictionary", `CREATE DICTIONARY d (id UInt64) PRIMARY KEY id SOURCE(MYSQL(HOST 'db1' USER 'root' PASSWORD 'hunter2-s3cr3t' DB 'app'))`, "HOST 'db1' USER 'root'"},
		{"http dictionary", `SOURCE(HTTP(URL 'http://h/' CREDENTIALS(USER 'u' PASSWORD 'hunter2-s3cr3t') HEADERS(HEADER(NAME 'X-Key' VALUE 'hunter2-s3cr3t'))))`, "URL 'http://h/'"},
		{"named collection", `CREATE NAMED COLLECTION c AS url = 'https://b.s3/', access_key_id = 'hunter2-s3cr3t', secret_access_key = 'hunter2-s3cr3t'`, "url = 'https://b.s3/'"},
		{"settings", `CREATE TABLE t (a Int8) ENGINE = Kafka SETTINGS kafka_sasl_password = 'hunter2-s3cr3t', kafka_topic_list = 'topic'`, "kafka_topic_list = 'topic'"},
		{"an expression", `SELECT * FROM mysql(c, password = concat('hunter2', '-s3cr3t'))`, "mysql(c, password = concat("},
		{"set password", `SET PASSWORD FOR 'bob' = 'hunter2-s3cr3t'`, ""},
		{"a condition", `SELECT name FROM users WHERE api_key = 'hunter2-s3cr3t' AND region = 'eu'`, "AND region = 'eu'"},
		{"quoted name", "SELECT 1 FROM t WHERE `auth-token` = 'hunter2-s3cr3t' OR \"pwd\" = 'hunter2-s3cr3t'", "FROM t"},
		{"in brackets", `SELECT 1 FROM t WHERE (password) = ('hunter2-s3cr3t')`, "FROM t"},
		{"in brackets, a list", `SELECT 1 FROM t WHERE (password) IN ('a', 'hunter2-s3cr3t')`, "FROM t"},
		{"array", `SELECT 1 FROM t WHERE token IN ['a', 'hunter2-s3cr3t']`, "FROM t"},
		{"nested words", `SELECT f(password = g(secret, 'a') || 'hunter2-s3cr3t')`, "SELECT f("},

		// by position
		{"s3", `SELECT * FROM s3('https://b.s3/x.csv', 'hunter2-s3cr3t', 'hunter2-s3cr3t', 'CSV')`, "s3('https://b.s3/x.csv', "},
		{"s3Cluster", `SELECT * FROM s3Cluster('c', 'https://b.s3/x.csv', 'hunter2-s3cr3t', 'hunter2-s3cr3t')`, "s3Cluster('c', 'https://b.s3/x.csv', "},
		{"backup", `BACKUP TABLE t TO S3('https://b.s3/', 'hunter2-s3cr3t', 'hunter2-s3cr3t')`, "S3('https://b.s3/', "},
		{"mysql", `SELECT * FROM mysql('db1:3306', 'app', 'users', 'root', 'hunter2-s3cr3t')`, "mysql('db1:3306', 'app', 'users', "},
		{"MySQL database", `CREATE DATABASE m ENGINE = MySQL('db1:3306', 'app', 'root', 'hunter2-s3cr3t')`, "MySQL('db1:3306', 'app', "},
		{"postgresql", `SELECT * FROM postgresql('db1:5432', 'app', 'users', 'root', 'hunter2-s3cr3t', 'public')`, "postgresql('db1:5432', 'app', 'users', "},
		{"remote", `SELECT * FROM remoteSecure('h1', 'app.users', 'bob', 'hunter2-s3cr3t')`, "remoteSecure('h1', 'app.users', "},
		{"remote, database and table", `SELECT * FROM remote('h1', app, users, 'bob', 'hunter2-s3cr3t')`, "remote('h1', app, users, "},
		{"mongodb", `SELECT * FROM mongodb('h:27017', 'app', 'c', 'bob', 'hunter2-s3cr3t', 'a String')`, "mongodb('h:27017', 'app', 'c', "},
		{"redis engine", `CREATE TABLE t (k String) ENGINE = Redis('h:6379', 0, 'hunter2-s3cr3t') PRIMARY KEY k`, "Redis('h:6379', 0, "},
		{"azure", `SELECT * FROM azureBlobStorage('https://a.blob/', 'c', 'b', 'account', 'hunter2-s3cr3t')`, "'https://a.blob/', 'c', 'b', "},
		{"iceberg", `SELECT * FROM icebergS3('https://b.s3/t', 'hunter2-s3cr3t', 'hunter2-s3cr3t')`, "icebergS3('https://b.s3/t', "},
		{"quoted function", "SELECT * FROM `mysql`('db1', 'app', 'users', 'root', 'hunter2-s3cr3t')", "('db1', 'app', 'users', "},
		{"space and comment before the bracket", "SELECT * FROM mysql /* x */ ('db1', 'app', 'users', 'root', 'hunter2-s3cr3t')", "('db1', 'app', 'users', "},
		{"other white space before the bracket", "SELECT * FROM mysql\f\v\u00a0('db1', 'app', 'users', 'root', 'hunter2-s3cr3t')", "('db1', 'app', 'users', "},
		{"nested call", `SELECT * FROM mysql('db1', f('a,b', 1), 'users', 'root', concat('hunter2', '-s3cr3t'))`, "f('a,b', 1), 'users', "},
		{"encrypt", `SELECT encrypt('aes-256-gcm', text, 'hunter2-s3cr3t') FROM t WHERE a = 'b'`, "FROM t WHERE a = 'b'"},
		{"headers", `SELECT * FROM url('https://h/', 'CSV', 'a String', headers('X-Auth'='hunter2-s3cr3t'))`, "url('https://h/', 'CSV', 'a String', "},

		// in strings
		{"user info", `SELECT * FROM url('https://bob:hunter2-s3cr3t@h:8443/x?a=b')`, "url('https://[masked]@h:8443/x?a=b')"},
		{"user info with a slash and an at sign", `SELECT * FROM mongodb('mongodb://bob:hunter2/@-s3cr3t@h/app', 'c')`, "@h/app"},
		{"token as user", `SELECT * FROM url('https://hunter2-s3cr3t@h/x')`, "@h/x')"},
		{"two URLs", `SELECT 'http://a:hunter2-s3cr3t@h1/, http://a:hunter2-s3cr3t@h2/'`, "@h1/, http://[masked]@h2/"},
		{"connection string", `SELECT * FROM odbc('DSN=pg;Uid=bob;Pwd=hunter2-s3cr3t;', 't')`, "odbc('DSN=pg;Uid=bob;Pwd=[masked]', 't')"},
		{"azure connection string", `SELECT * FROM azureBlobStorage('AccountName=a;AccountKey=hunter2-s3cr3t==', 'c', 'b')`, "AccountName=a;AccountKey=[masked]"},
		{"signed URL", `SELECT * FROM url('https://h/x?X-Amz-Date=1&X-Amz-Signature=hunter2-s3cr3t')`, "https://h/x?X-Amz-Date=1&"},
		{"bearer", `SELECT f('Authorization: Bearer hunter2-s3cr3t')`, "SELECT f('Authorization:"},
		{"bearer alone", `SELECT 'Bearer  hunter2-s3cr3t' AS x`, "AS x"},
		{"basic", `SELECT 'Basic hunter2s3cr3thunter2-s3cr3t=='`, "SELECT 'Basic [masked]'"},
		{"header name", `SELECT map('X-Api-Key', 'hunter2-s3cr3t')`, "map('X-Api-Key', "},
		{"JSON", `SELECT '{"user":"bob","password" : "hunter2-s3cr3t"}'`, `SELECT '{"user":"bob",`},
		{"SQL in a string", `SELECT * FROM eval('SELECT * FROM mysql(\'h\',\'d\',\'t\',\'u\',\'hunter2-s3cr3t\')')`, "SELECT * FROM mysql("},
		{"statement in a string", `SELECT 'CREATE USER b IDENTIFIED BY hunter2-s3cr3t'`, "CREATE USER b IDENTIFIED"},
		{"heredoc in a string", `SELECT $$ password = 'hunter2-s3cr3t' $$, 'kept'`, "'kept'"},

		// in comments
		{"comment", "SELECT 1 -- password hunter2-s3cr3t\nFROM t", "FROM t"},
		{"block comment", "SELECT 1 /* token: hunter2-s3cr3t */ FROM t", "*/ FROM t"},
		{"nested comment", "SELECT 1 /* /* */ pwd: hunter2-s3cr3t */ FROM t", "*/ FROM t"},
		{"hash comment", "SELECT 1 # https://b:hunter2-s3cr3t@h/\nFROM t", "@h/\nFROM t"},
		{"statement that was commented out", "-- SELECT * FROM mysql('h','d','t','u','hunter2-s3cr3t')\nSELECT 1", "\nSELECT 1"},
		{"an apostrophe in a comment", "SELECT 1 -- don't\n, f(password = 'hunter2-s3cr3t')", "\n, f(password = "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, found := mask(test.text)
			if !found || strings.Contains(got, "hunter2") || strings.Contains(got, "s3cr3t") || !strings.Contains(got, test.keeps) {
				t.Errorf("want %q kept and the secret gone:\n%s\n%s", test.keeps, test.text, got)
			}
		})
	}
}

// Ordinary questions stay as they are.
func TestMaskLeavesQuestionsAlone(t *testing.T) {
	for _, text := range []string{
		"",
		"SELECT 1",
		"SELECT model, sum(input_tokens), sum(output_tokens) FROM usage WHERE model = 'claude' AND token_type = 'input' GROUP BY model",
		"SELECT origin, count() FROM flights.flights WHERE date >= '2001-01-01' AND origin IN ('JFK', 'LAX') LIMIT 20",
		"SELECT * FROM logs WHERE hasToken(message, 'error') AND message LIKE '%password%'",
		"SELECT name FROM system.columns WHERE name ILIKE '%secret%' OR comment = 'the basic plan'",
		"WITH 'a' AS x SELECT x, \"b\", `c`, $$d$$, ‘e’ -- plain\n/* a note: x = 'y' */",
		"SELECT count() FROM url('https://example.com:8443/a.csv', 'CSV', 'a String')",
		"SELECT 'mail bob@example.com', 'https://example.com/?mail=bob@example.com'",
		"SELECT 'compass', 'bypass', s3, mysql FROM t",
		"SELECT 'unterminated",
		"SELECT /* unterminated",
	} {
		if got, found := mask(text); found || got != text {
			t.Errorf("%s\nbecame\n%s", text, got)
		}
	}
}

// A word that may announce a secret does not hide the question that follows it.
func TestMaskHidesNoQuestion(t *testing.T) {
	var tags strings.Builder
	for i := range 100 {
		tags.WriteString("1 AS $" + strings.Repeat("x", i+1) + "$, ")
	}
	for _, text := range []string{
		"SELECT 1 AS identified, count() FROM usage.events WHERE person = 'farid'",
		"SELECT 1 AS identified, 'farid' = person FROM usage.events",
		"SELECT 1 AS identified FROM usage.events WHERE person = 'farid'",
		"WITH 1 AS identified SELECT 'farid'",
		"CREATE USER x IDENTIFIED BY 'p' HOST IP 'farid'",
		"SELECT 1 `identified` FROM usage.events WHERE person = 'farid'",
		"WITH person AS identified SELECT count() FROM usage.events WHERE identified = 'farid'",
		"SELECT * FROM (SELECT 1 AS identified ORDER BY identified WITH FILL) WHERE person = 'farid'",
		"SELECT 1 AS identified ORDER BY identified WITH FILL, 'farid' = person",
		"SELECT 1 AS identified LIMIT 1 BY identified SETTINGS log_comment = 'farid'",
		"SELECT 1 AS password, count() FROM usage.events WHERE person = 'farid'",
		"SELECT token, secret, password FROM usage.events WHERE person = 'farid'",
		"WITH 1 AS token SELECT person = 'farid' FROM usage.events",
		"SELECT count() FROM usage.events WHERE (1 AS token) * (person = 'farid')",
		"SELECT count() FROM usage.events WHERE (1 AS `token`) * (person = 'farid')",
		"SELECT count() FROM usage.events WHERE token = 1 XOR person = 'farid'",
		"SELECT count() FROM usage.events GROUP BY api_key HAVING any(person) = 'farid'",
		"SELECT 'password' AS a, count() FROM usage.events WHERE person = 'farid'",
		"SELECT 'password', person = 'farid' FROM usage.events",
		"SELECT " + tags.String() + "count() FROM usage.events WHERE person = 'farid'",
	} {
		if got, _ := mask(text); !strings.Contains(got, "'farid'") {
			t.Errorf("%s\nbecame\n%s", text, got)
		}
	}
}

// What is said of a parameter by its name, and within its value.
func TestMaskParam(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"date", "2026-07-26", "2026-07-26"},
		{"userPassword", "hunter2", hidden},
		{"url", "https://a:b@h/", "https://" + hidden + "@h/"},
		{"text", "it's pwd=hunter2", "it's pwd=" + hidden},
	}
	for _, test := range tests {
		if got := maskParam(test.name, test.value); got != test.want {
			t.Errorf("maskParam(%q, %q) = %q, want %q", test.name, test.value, got, test.want)
		}
	}
}

// Hostile texts take no longer than their length explains: a quadratic reader
// would need minutes for these.
func TestMaskIsLinear(t *testing.T) {
	const n = 1 << 20
	var tags strings.Builder
	for i := 0; tags.Len() < n; i++ {
		tags.WriteString("$" + strings.Repeat("x", i%50) + "y$ ")
	}
	texts := map[string]string{"tags": tags.String()}
	for _, piece := range []string{"'", "\"", "/*", "(", "mysql('',", "s3(", "://", "://@", "password", "a ", "$a$ ", "$", "\\", "'\\'", "`", "‘", "-", "--", "#", "'://:@"} {
		texts[piece] = strings.Repeat(piece, n/len(piece))
	}
	for name, text := range texts {
		start := time.Now()
		mask(text)
		leak(text, true)
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("1 MiB of %q took %v", name, took)
		}
	}
}

// Masking never panics, changes nothing without saying so, and finds a password
// that is planted behind any text without quotes.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{"", "SELECT 1", "IDENTIFIED BY 'x'", "mysql('a', 'b')", "$a$ $a$", "/* ' */", "‘’“”", "'\\", "\xff\xc3('", "a://b:c@d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, found := mask(text)
		if found != (got != text) && !strings.Contains(text, hidden) {
			t.Errorf("found is %v: %q became %q", found, text, got)
		}
		if strings.ContainsAny(text, "'\"`$/-#‘“") || strings.Contains(text, "planted") {
			return
		}
		if got, _ := mask(text + " password = 'planted'"); strings.Contains(got, "planted") {
			t.Errorf("a password is left: %q", got)
		}
		if got, _ := mask(text + ", mysql('h', 'd', 't', 'u', 'planted')"); strings.Contains(got, "planted") {
			t.Errorf("a password is left: %q", got)
		}
	})
}
