package e2e

import (
	"net/http"
	"strings"
)

// shapes are the ways in which a request can carry a statement, and the paths.
func shapes() []exchange {
	get := func(target string) request { return request{method: http.MethodGet, target: target} }
	const one1 = "/?query=SELECT+1"
	return []exchange{
		one("GET", get(one1)),
		one("GET in a format", get(one1+"&default_format=JSONEachRow")),
		one("GET of nothing", get("/")),
		one("GET of an empty query", get("/?query=")),
		one("GET with a user and no query", get("/?database=scratch")),
		one("GET that writes", get("/?query="+escape("CREATE TABLE scratch.by_get (n UInt8) ENGINE = Memory"))),
		one("GET that sets", get("/?query="+escape("SELECT 1 SETTINGS max_threads = 1")+"&max_block_size=10")),
		one("HEAD", request{method: http.MethodHead, target: one1}),
		one("HEAD of a failure", request{method: http.MethodHead, target: "/?query=SELECT+nonsense"}),
		one("HEAD of nothing", request{method: http.MethodHead, target: "/"}),
		one("POST in the URL, without a body", request{target: one1}),
		one("POST in chunks", request{body: "SELECT 1", stream: true}),
		one("POST in both", post(", 2, 'body'", "query=SELECT+1")),
		one("POST in both, cut in the middle of a word", post("CT 1", "query="+escape("SELE"))),
		one("POST of nothing", request{}),
		one("POST of nothing, in chunks", request{stream: true}),
		one("POST of blanks", post(" \n\t")),
		one("POST of a comment", post("-- nothing")),
		one("POST with a semicolon", post("SELECT 1;")),
		one("POST with a semicolon and more", post("SELECT 1; ;")),
		one("POST of a large statement", post("SELECT length('"+strings.Repeat("x", 200_000)+"')")),
		one("POST of too large a statement", post("SELECT length('"+strings.Repeat("x", 300_000)+"')")),
		one("POST with max_query_size", post("SELECT length('"+strings.Repeat("x", 200)+"')", "max_query_size=100")),
		one("POST as a form", post("query=SELECT+1").with("Content-Type: application/x-www-form-urlencoded")),
		one("POST as JSON", post("SELECT 1").with("Content-Type: application/json")),
		one("PUT", request{method: http.MethodPut, target: one1}),
		one("DELETE", request{method: http.MethodDelete, target: one1}),
		one("PATCH", request{method: http.MethodPatch, target: one1}),
		one("OPTIONS", request{method: http.MethodOptions, target: "/"}),
		one("/ping", get("/ping")),
		one("/ping by HEAD", request{method: http.MethodHead, target: "/ping"}),
		one("/ping by POST", request{target: "/ping"}),
		one("/replicas_status", get("/replicas_status")),
		one("/replicas_status, verbose", get("/replicas_status?verbose=1")),
		one("/query?", get("/query?query=SELECT+1")),
		one("/?query without a slash", get("?query=SELECT+1")),
		one("path that is none", get("/no/such/path")),
		one("path that is none, by POST", request{target: "/no/such/path", body: "SELECT 1"}),
		one("path with dots", get("/../?query=SELECT+1")),
		one("path with two slashes", get("//?query=SELECT+1")),
	}
}

// parameters are what stands beside a statement.
func parameters() []exchange {
	const where = "SELECT currentDatabase(), currentUser(), currentRoles()"
	return []exchange{
		one("param of a number", post("SELECT {n:UInt8} + 1", "param_n=41")),
		one("param of a string", post("SELECT {s:String}", "param_s="+escape(`it's a\ttab and \\ and ü`))),
		one("param of an array", post("SELECT {a:Array(String)}", "param_a="+escape(`['x','y\'z']`))),
		one("param of an identifier", post("SELECT count() FROM {t:Identifier}", "param_t=scratch.vault")),
		one("param of a date and time", post("SELECT {d:DateTime('UTC')}", "param_d="+escape("2026-01-02 03:04:05"))),
		one("param that is null", post("SELECT {n:Nullable(UInt8)}", `param_n=%5CN`)),
		one("param that is empty", post("SELECT {s:String}", "param_s=")),
		one("param that is missing", post("SELECT {n:UInt8}")),
		one("param that does not fit", post("SELECT {n:UInt8}", "param_n=abc")),
		one("param that nobody asks for", post("SELECT 1", "param_n=1")),
		one("param twice", post("SELECT {n:UInt8}", "param_n=1&param_n=2")),
		one("param of a form", formOf("SELECT {n:UInt8}, {s:String}", part{name: "param_n", text: "5"}, part{name: "param_s", text: `a\tb`})),
		one("query of a form", formOf("", part{name: "query", text: "SELECT 1"})),
		one("database", post(where, "database=scratch")),
		one("database in a header", post(where).with("X-ClickHouse-Database: scratch")),
		one("database in both", post(where, "database=safe").with("X-ClickHouse-Database: scratch")),
		one("database that is none", post(where, "database=nowhere")),
		one("database that is empty", post(where, "database=")),
		one("format in a header", post(where).with("X-ClickHouse-Format: JSONCompactEachRow")),
		one("format in both", post(where, "default_format=CSV").with("X-ClickHouse-Format: JSONCompactEachRow")),
		one("format everywhere", post(where+" FORMAT TSVRaw", "default_format=CSV").with("X-ClickHouse-Format: JSONCompactEachRow")),
		one("format that is none", post(where, "default_format=Nonsense")),
		one("role", post(where, "role=extra")),
		one("role and its rights", post("SELECT * FROM safe.secret", "role=extra")),
		one("role is missing", post("SELECT * FROM safe.secret")),
		one("roles", post(where, "role=extra&role=analyst")),
		one("role that is none", post(where, "role=nobody")),
		one("role of another", post(where, "role=colleague")),
		one("quota_key", post("SELECT 1", "quota_key=me")),
		one("quota_key in a header", post("SELECT 1").with("X-ClickHouse-Quota: me")),
		one("query_id", post("SELECT queryID()", "query_id=chosen-by-the-client")),
		one("query_id in a header", post("SELECT 1").with("X-ClickHouse-Query-Id: in-a-header")),
		one("query_id with odd letters", post("SELECT 1", "query_id="+escape(`a"b'c ü/\`))),
		one("wait_end_of_query", post("SELECT number FROM numbers(100000)", "wait_end_of_query=1")),
		one("buffer_size", post("SELECT number FROM numbers(100000)", "buffer_size=65536")),
		one("buffer_size and wait_end_of_query", post("SELECT number FROM numbers(100000)", "buffer_size=10&wait_end_of_query=1")),
		one("http_wait_end_of_query", post("SELECT 1", "http_wait_end_of_query=1")),
		one("progress", post("SELECT sum(number) FROM numbers(10000000)", "send_progress_in_http_headers=1&http_headers_progress_interval_ms=0&wait_end_of_query=1")),
		one("CORS", post("SELECT 1", "add_http_cors_header=1")),
		one("Referer and User-Agent", post("SELECT 1").with("Referer: http://example.com/")),
		one("content_disposition", post("SELECT 1", "http_response_headers="+escape("{'X-Mine':'1'}"))),
		one("setting", post("SELECT getSetting('max_block_size')", "max_block_size=12345")),
		one("setting in the text", post("SELECT getSetting('max_block_size') SETTINGS max_block_size = 12345")),
		one("setting in both", post("SELECT getSetting('max_block_size') SETTINGS max_block_size = 2", "max_block_size=12345")),
		one("setting of a format", post("SELECT 1.0, 18446744073709551615", "output_format_json_quote_64bit_integers=0&default_format=JSONEachRow")),
		one("setting of totals", post("SELECT number % 2 AS k, count() FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k", "extremes=1&default_format=JSONCompact&output_format_write_statistics=0")),
		one("setting that is none", post("SELECT 1", "no_such_setting=1")),
		one("setting of a wrong value", post("SELECT 1", "max_threads=many")),
		one("setting that is empty", post("SELECT 1", "max_threads=")),
		one("setting of the operator's own", post("SELECT getSetting('SQL_mine')", "SQL_mine="+escape("'x'"))),
		one("setting of time zone", post("SELECT toString(toDateTime(0)), timezone()", "session_timezone=Asia/Tokyo")),
		one("settings that bound", post("SELECT count() FROM numbers(1000)", "max_rows_to_read=100")),
		one("settings that cut", post("SELECT number FROM numbers(1000)", "max_result_rows=10&result_overflow_mode=break&max_block_size=10")),
		one("stacktrace", post("SELECT nonsense", "stacktrace=0")),
		one("log_comment", post("SELECT 1", "log_comment=mine")),
		one("parameter without a name", post("SELECT 1", "=1")),
		one("parameters without a value", post("SELECT 1", "max_threads")),
		one("parameter of clickhouse-go", post("SELECT 1", "client_protocol_version=54460&default_format=Native")),
	}
}

// statements are those that do more than read, and some that read otherwise.
func statements() []exchange {
	table := func(name, then string, more ...request) exchange {
		steps := []request{post("DROP TABLE IF EXISTS scratch.t"), post("CREATE TABLE scratch.t (n UInt32, s String) ENGINE = MergeTree ORDER BY n"), post(then)}
		steps = append(steps, more...)
		return exchange{name, append(steps, post("SELECT * FROM scratch.t ORDER BY n, s"))}
	}
	insert := func(name, sql, data string, parameters ...string) exchange {
		return table(name, "SELECT 1", post(data, append(parameters, "query="+escape(sql))...))
	}
	return []exchange{
		table("INSERT of values", "INSERT INTO scratch.t VALUES (1, 'one'), (2, 'two')"),
		table("INSERT of values with functions", "INSERT INTO scratch.t VALUES (1 + 1, concat('a', 'b'))"),
		table("INSERT from SELECT", "INSERT INTO scratch.t SELECT number, 'x' FROM numbers(3)"),
		table("INSERT by WITH", "INSERT INTO scratch.t WITH 5 AS five SELECT five, 'with'"),
		table("INSERT of lines in the body", "INSERT INTO scratch.t FORMAT TSV\n1\tone\n2\ttwo\n"),
		table("INSERT of no lines", "INSERT INTO scratch.t FORMAT TSV\n"),
		table("INSERT of JSON with SETTINGS", "INSERT INTO scratch.t SETTINGS input_format_skip_unknown_fields = 1 FORMAT JSONEachRow {\"n\":1,\"s\":\"one\",\"x\":0}"),
		table("INSERT that cannot be read", "INSERT INTO scratch.t FORMAT TSV\nnonsense\n"),
		table("INSERT into nothing", "INSERT INTO scratch.nothing VALUES (1)"),
		table("INSERT without rights", "INSERT INTO flights.flights VALUES (1)"),
		table("INSERT of a wrong column", "INSERT INTO scratch.t (x) VALUES (1)"),
		insert("INSERT in the URL, data in the body", "INSERT INTO scratch.t FORMAT TSV", "1\tone\n2\ttwo\n"),
		insert("INSERT in the URL, no data", "INSERT INTO scratch.t FORMAT TSV", ""),
		insert("INSERT in the URL, VALUES in the body", "INSERT INTO scratch.t VALUES", "(1,'one'),(2,'two')"),
		insert("INSERT in the URL, its first data too", "INSERT INTO scratch.t VALUES (1,'one'),", "(2,'two')"),
		insert("INSERT in the URL, half of it", "INSERT INTO scratch", ".t VALUES (1,'one')"),
		insert("INSERT by input()", "INSERT INTO scratch.t SELECT n + 1, upper(s) FROM input('n UInt32, s String') FORMAT TSV", "1\tone\n"),
		insert("INSERT asynchronously", "INSERT INTO scratch.t FORMAT TSV", "1\tone\n", "async_insert=1&wait_for_async_insert=1"),
		insert("INSERT with a deduplication token", "INSERT INTO scratch.t FORMAT TSV", "1\tone\n", "insert_deduplication_token=x"),
		insert("INSERT with errors allowed", "INSERT INTO scratch.t FORMAT TSV", "x\tone\n2\ttwo\n", "input_format_allow_errors_num=1"),
		insert("INSERT that answers", "INSERT INTO scratch.t FORMAT TSV", "1\tone\n", "wait_end_of_query=1"),
		table("INSERT in chunks", "SELECT 1", request{target: "/?query=" + escape("INSERT INTO scratch.t FORMAT TSV"), body: strings.Repeat("7\tseven\n", 1000), stream: true}),
		table("ALTER", "ALTER TABLE scratch.t ADD COLUMN x UInt8 DEFAULT 3"),
		table("TRUNCATE", "TRUNCATE TABLE scratch.t"),
		table("OPTIMIZE", "OPTIMIZE TABLE scratch.t FINAL"),
		table("DELETE", "DELETE FROM scratch.t WHERE n = 1"),
		table("DESCRIBE", "DESCRIBE TABLE scratch.t"),
		table("SHOW CREATE", "SHOW CREATE TABLE scratch.t"),
		table("EXISTS", "EXISTS TABLE scratch.t"),
		table("CHECK", "CHECK TABLE scratch.t"),
		table("DROP of nothing", "DROP TABLE scratch.nothing"),
		table("CREATE again", "CREATE TABLE scratch.t (n UInt8) ENGINE = Memory"),
		table("CREATE without rights", "CREATE TABLE flights.mine (n UInt8) ENGINE = Memory"),
		one("EXPLAIN", post("EXPLAIN SELECT 1")),
		one("EXPLAIN AST", post("EXPLAIN AST SELECT 1")),
		one("SHOW TABLES", post("SHOW TABLES FROM safe")),
		one("WITH", post("WITH 1 AS x SELECT x")),
		one("FROM first", post("FROM numbers(2) SELECT number")),
		one("UNION", post("SELECT * FROM (SELECT 1 AS n UNION ALL SELECT 2) ORDER BY n")),
		one("USE", post("USE scratch")),
		one("SET", post("SET max_threads = 1")),
		one("SET of nothing", post("SET no_such_setting = 1")),
		one("GRANT without rights", post("GRANT SELECT ON *.* TO bob")),
		one("KILL of nothing", post("KILL QUERY WHERE query_id = 'nobody'")),
		one("SYSTEM without rights", post("SYSTEM FLUSH LOGS")),
	}
}
