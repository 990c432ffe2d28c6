package e2e

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// The ways in which tools carry a token, as header lines.
type carrier func(user, token string) []string

func bearer(_, token string) []string { return []string{"Authorization: Bearer " + token} }
func bare(_, token string) []string   { return []string{"Authorization: " + token} }
func basic(user, token string) []string {
	return []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+token))}
}
func keyed(user, token string) []string {
	return []string{"X-ClickHouse-User: " + user, "X-ClickHouse-Key: " + token}
}

// tool is a program as it speaks to ClickHouse: what it sends first, when it looks at a
// schema, and when it asks.
type tool struct {
	name    string
	carries []carrier // every way that it can be told to use
	says    []request
}

// The parameters and headers that a library adds to each of its requests, as of its
// source: clickhouse-connect 1.7, client-v2 0.9, clickhouse-go 2.50, Altinity's plugin 3.
const (
	connectSession = "session_id=6f1a5c2e-9f1b-4d28-8f34-2d5a0f9f0c11"
	connectWaits   = connectSession + "&wait_end_of_query=1&send_progress_in_http_headers=1&http_headers_progress_interval_ms=120000"
	connectCodings = "Accept-Encoding: lz4,zstd,br,gzip,deflate"
	goParameters   = "client_protocol_version=54460&default_format=Native&max_execution_time=60"
)

var javaHeaders = []string{"Content-Type: text/plain", "X-ClickHouse-Database: default", "User-Agent: clickhouse-java-v2/0.9.4 (Linux; jvm:21.0.4) Apache-HttpClient/5.4.4"}

// tools are what people use.
var tools = []tool{
	{"Grafana, grafana-clickhouse-datasource over HTTP", []carrier{bearer, keyed, basic}, []request{
		post("SELECT displayName(), version(), revision(), timezone()", goParameters, "query_id=b0a6b9c4-0f0e-4b1b-9f53-0d4cb3d1c001").with("X-Grafana-User: carol", "X-Dashboard-Uid: d1", "X-Panel-Id: 2", "X-Id-Token: eyJhbGciOiJFUzI1NiJ9.e30.sig"),
		post("SELECT name FROM system.databases ORDER BY name", goParameters+"&compress=1"),
		post("SELECT toStartOfInterval(toDateTime(number), INTERVAL 5 second) AS time, count() AS n FROM numbers(100) GROUP BY time ORDER BY time", goParameters+"&compress=1"),
	}},
	{"Grafana, Altinity's plugin", []carrier{bearer, keyed, basic}, []request{
		{method: http.MethodGet, target: "/?query=" + escape("SELECT 1 FORMAT JSON") + "&output_format_write_statistics=0", headers: []string{"Accept: application/json, text/plain, */*", "X-Id-Token: eyJhbGciOiJFUzI1NiJ9.e30.sig"}},
		post("SELECT (intDiv(number, 5) * 5) * 1000 AS t, count() FROM numbers(100) GROUP BY t ORDER BY t FORMAT JSON", "output_format_write_statistics=0&database=default&add_http_cors_header=1").with("Accept-Encoding: gzip", "Content-Type: text/plain;charset=UTF-8"),
		post("SELECT timezone() AS timezone FORMAT JSON", "output_format_write_statistics=0"),
	}},
	{"JDBC v2 (DBeaver, Metabase, Tableau)", []carrier{bearer, bare, basic, keyed}, []request{
		post("SELECT currentUser() AS user, timezone() AS timezone, version() AS version LIMIT 1", "compress=1").with(javaHeaders...).with("X-ClickHouse-Format: RowBinaryWithNamesAndTypes", "X-ClickHouse-Query-Id: 5a3a5b8f-8d3e-4b6c-a1c8-000000000001"),
		post("SELECT name, type FROM system.columns WHERE database = {db:String} ORDER BY 1, 2", "query_id=5a3a5b8f-8d3e-4b6c-a1c8-000000000002&compress=1&param_db=scratch").with(javaHeaders...).with("X-ClickHouse-Format: RowBinaryWithNamesAndTypes", "X-ClickHouse-Query-Id: 5a3a5b8f-8d3e-4b6c-a1c8-000000000002"),
		post("SELECT 1", "enable_http_compression=1&session_timezone=Europe%2FBerlin&role=extra").with(javaHeaders...).with("Accept-Encoding: lz4", "X-ClickHouse-Format: RowBinaryWithNamesAndTypes"),
		formOf("", part{name: "param_n", text: "5"}, part{name: "query", text: "SELECT {n:UInt8}"}).with("X-ClickHouse-Format: TabSeparated", "X-ClickHouse-Database: default"),
	}},
	{"clickhouse-connect (Superset)", []carrier{bearer, basic}, []request{
		post("SELECT version(), timezone()\n FORMAT Native", connectWaits).with("User-Agent: superset clickhouse-connect/1.7.2 (lv:py/3.12.3)", "Content-Type: text/plain; charset=utf-8"),
		post("SELECT name, value, readonly as readonly FROM system.settings WHERE name = 'max_threads' LIMIT 10000\n FORMAT Native", connectWaits, "client_protocol_version=54405").with(connectCodings),
		post("SELECT name FROM system.databases ORDER BY name\n FORMAT Native", connectWaits, "enable_http_compression=1&database=default").with(connectCodings),
		post("SELECT team, count() FROM (SELECT 'a' AS team) GROUP BY team\n LIMIT 1000\n FORMAT Native", connectSession, "enable_http_compression=1").with(connectCodings),
		post("INSERT INTO FUNCTION null('n UInt8') FORMAT TSV\n1\n", connectSession).with("Content-Type: application/octet-stream"),
	}},
	{"dbt (user and password only)", []carrier{basic}, []request{
		post("SELECT 1\n FORMAT Native", connectWaits, "enable_http_compression=1&mutations_sync=3&alter_sync=3&insert_distributed_sync=1").with(connectCodings),
		post("CREATE OR REPLACE TABLE scratch.model ENGINE = MergeTree ORDER BY n AS SELECT number AS n FROM numbers(10)", connectSession, "mutations_sync=3"),
		post("INSERT INTO scratch.model (n) SELECT number + 10 FROM numbers(5) SETTINGS insert_quorum = 0", connectSession),
		post("EXCHANGE TABLES scratch.model AND scratch.nothing", connectSession),
		post("DROP TABLE IF EXISTS scratch.model", connectSession),
	}},
	{"curl and scripts", []carrier{bearer, basic, keyed, bare}, []request{
		{method: http.MethodGet, target: "/?query=SELECT%201"},
		{target: "/", body: "SELECT 1", headers: []string{"Content-Type: application/x-www-form-urlencoded"}},
	}},
}

// sameForTools says that each tool gets what ClickHouse itself would answer it, however
// it carries the token.
func sameForTools(t *testing.T, s *site) {
	client := s.client()
	for _, tool := range tools {
		for i, said := range tool.says {
			want, err := s.straight.say(t.Context(), client, said)
			if err != nil {
				t.Fatal(err)
			}
			for j, carry := range tool.carries {
				way := way{url: []string{s.plain, s.secure}[j%2]}
				got, err := way.say(t.Context(), client, said.with(carry(s.account(), s.tokens["carol"])...))
				if err != nil {
					t.Fatalf("%s, request %d: %v", tool.name, i+1, err)
				}
				if differs := differences(want, got); differs != "" && !s.mayDiffer(tool.name, i+1) {
					t.Errorf("%s, request %d, token carried in way %d: %s", tool.name, i+1, j+1, differs)
				}
			}
		}
	}
}

// account is the name that may stand beside Carol's token.
func (s *site) account() string { return "carol" }

// mayDiffer tells which requests of tools the mode execute_as answers otherwise: roles
// cannot be chosen, and what does not read has fewer headers.
func (s *site) mayDiffer(tool string, number int) bool {
	return s.mode == executeAs && (strings.HasPrefix(tool, "dbt") && number > 1 ||
		strings.HasPrefix(tool, "JDBC") && number == 3 || strings.HasPrefix(tool, "clickhouse-connect") && number == 5)
}

// refusedAsByClickHouse holds how a bad token is answered to what ClickHouse says of a
// bad password, which makes clickhouse-connect ask for a new token.
func refusedAsByClickHouse(t *testing.T, s *site) {
	client := s.client()
	bad := way{s.db.HTTP, "carol", "nonsense"}
	want, err := bad.send(t.Context(), client, post("SELECT 1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, headers := range map[string][]string{
		"a bad token":                     bearer("", "nonsense"),
		"a bad token as a password":       basic("carol", "nonsense"),
		"a bad token as a key":            keyed("carol", "nonsense"),
		"a token beside another's name":   basic("alice", s.tokens["carol"]),
		"a token beside a name of nobody": basic("nobody", s.tokens["carol"]),
		"a password of ClickHouse's":      basic("carol", carolsPassword),
		"nothing":                         nil,
		"a name and no token":             keyed("carol", ""),
		"an empty Bearer":                 {"Authorization: Bearer "},
		"two credentials":                 append(bearer("", s.tokens["carol"]), keyed("carol", s.tokens["carol"])...),
	} {
		got, err := way{url: s.plain}.send(t.Context(), client, post("SELECT 1").with(headers...))
		if err != nil {
			t.Fatal(err)
		}
		if name == "two credentials" { // ClickHouse, too, calls this no failure of the password
			if got.status == http.StatusOK {
				t.Errorf("%s: HTTP %d %s", name, got.status, got.body)
			}
			continue
		}
		if got.status != want.status || got.headers.Get("X-ClickHouse-Exception-Code") != "516" || !strings.HasPrefix(got.body, "Code: 516. DB::Exception: ") ||
			!strings.Contains(got.body, "(AUTHENTICATION_FAILED)") || !strings.HasPrefix(got.headers.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: HTTP %d %v %s\nClickHouse: HTTP %d %v %s", name, got.status, got.headers, got.body, want.status, want.headers, want.body)
		}
	}
}
