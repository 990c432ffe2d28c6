package clickhouse_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/sandbox"
)

func TestQuery(t *testing.T) {
	h := open(t)
	t.Run("identity", func(t *testing.T) { testIdentity(t, h) })
	t.Run("parameters", func(t *testing.T) { testParameters(t, h) })
	t.Run("values", func(t *testing.T) { testValues(t, h) })
	t.Run("statements", func(t *testing.T) { testStatements(t, h) })
	t.Run("limits", func(t *testing.T) { testLimits(t, h) })
	t.Run("economy", func(t *testing.T) { testEconomy(t, h) })
	t.Run("log", func(t *testing.T) { testQueryLog(t, h) })
	t.Run("names", func(t *testing.T) { testNames(t, h) })
	t.Run("separators", func(t *testing.T) { testSeparators(t, h) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, h) })
	t.Run("check", func(t *testing.T) { testCheck(t, h) })
}

func testIdentity(t *testing.T, h *house) {
	for _, name := range []string{"alice", "bob"} {
		r, err := read(t.Context(), h.Client, account(t, name), question("SELECT currentUser(), authenticatedUser()"))
		if want := name + "\t" + gateway + "\n"; err != nil || r.Text != want {
			t.Errorf("as %s: %q, %v; want %q", name, r.Text, err, want)
		}
	}
}

// What a Query says reaches ClickHouse, also inside EXECUTE AS.
func testParameters(t *testing.T, h *house) {
	q := question("SELECT {x y:String}, {n:UInt8}, currentDatabase(), getSetting('max_execution_time'), getSetting('max_memory_usage'), getSetting('log_comment')")
	q.SQL = strings.Replace(q.SQL, "x y", "text", 1)
	q.Params = map[string]string{"text": "a&b=c\\n'é ", "n": "7"}
	q.Database = "app"
	q.Limits.Time = 1500*time.Millisecond + 1
	q.Limits.Memory = 1 << 30
	q.Comment = `{"rid":"' & = é"}`
	want := strings.Join([]string{"a&b=c\\n\\'é ", "7", "app", "1.501", "1073741824", `{"rid":"\' & = é"}`}, "\t") + "\n"
	// ClickHouse reads a parameter as TabSeparated, so \n in it is a line break,
	// which it prints as \n again.
	if r := h.read(t, q); r.Text != want {
		t.Errorf("got %q, want %q", r.Text, want)
	}
}

// values are expressions whose values are easily lost or changed on the way.
var values = []string{
	"nan, inf, -inf, -0.0, 0.1 + 0.2, toFloat32(1e38), 5e-324, 1.7976931348623157e308",
	"toInt256('-57896044618658097711785492504343953926634992332820282019728792003956564819968'), toUInt256(-1), toInt128(-1), toUInt64(18446744073709551615), toInt64('-9223372036854775808')",
	"toDecimal32('1.10', 2), toDecimal64('-0.000001', 6), toDecimal128('1e20', 10), toDecimal256('123456789012345678901234567890123456789012345678901234567890.12345', 5)",
	"toDateTime64('2299-12-31 23:59:59.99999999', 8, 'UTC'), toDateTime64('1900-01-01 00:00:00', 3, 'Asia/Kolkata'), toDateTime64('2262-04-12 00:00:00', 8, 'UTC')",
	"toDateTime('2024-03-31 02:30:00', 'Europe/Berlin'), toDate('2149-06-06'), toDate32('2299-12-31'), toDateTime(0, 'America/New_York')",
	"'tab\\tnewline\\nreturn\\rback\\\\slash\\0nul\\'quote\"double'",
	"'\\xff\\xfe\\x80 not UTF-8' AS a, unhex('C3'), toFixedString('ab', 4), char(1, 2, 27, 127)",
	"'é ü 漢字 🙂 \\xE2\\x80\\xAE', 'http://a/b?c=d&e', '__exception__', '\\r\\n__exception__\\r\\n'",
	"generateUUIDv4() = toUUID('00000000-0000-0000-0000-000000000000'), toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0'), toIPv4('255.255.255.255'), toIPv6('2001:db8::ff00:42:8329')",
	"CAST('b' AS Enum8('a' = 1, 'b' = 2)), CAST('x\\ty' AS Enum16('x\\ty' = -300)), true, CAST(NULL AS Nullable(UInt8)), NULL",
	"map('k', 1, 'k\\t', 2), map(1, [1, 2], 3, []), map('a', map('b', 'c\\n'))",
	"toLowCardinality('low'), CAST(NULL AS LowCardinality(Nullable(String))), CAST('' AS LowCardinality(String))",
	"[1, 2, 3], [['a\\tb'], []], [(1, 'x\\'y')], [NULL, 1], arrayMap(x -> [[x]], range(3)), []",
	"(1, 'a\\nb', [NULL]), tuple(), CAST((1, 'x') AS Tuple(id UInt64, `na me` String)), ((1, 2), 3)",
	`'{"a": 9007199254740993, "b": [1, {"c": null}], "é": "\\n"}'::JSON, '{}'::JSON`,
	"1::Variant(UInt64, String), 'v'::Variant(UInt64, String), 18446744073709551615::UInt64::Dynamic",
	"INTERVAL 3 DAY, toIntervalNanosecond(5), (1.5, -2.5)::Point, [(0., 0.), (1., 1.)]::Ring",
	"sumState(toUInt64(1)), uniqState(1), CAST(1 AS SimpleAggregateFunction(sum, UInt64))",
	"toBFloat16(1.5), toTime('12:34:56'), 0x10, 1e100, 123456789012345678901234567890",
}

// ClickHouse's text reaches the caller as ClickHouse prints it to anybody.
func testValues(t *testing.T, h *house) {
	const jsonSettings = " SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_denormals = 1, output_format_json_quote_decimals = 1"
	for _, value := range values {
		for format, settings := range map[porterhouse.Format]string{porterhouse.TSVRows: "", porterhouse.JSONRows: jsonSettings} {
			q := question("SELECT " + value)
			q.Format = format
			r := h.read(t, q)
			want, err := h.Text(t.Context(), q.SQL+settings+" FORMAT "+strings.TrimSuffix(string(format), "WithNamesAndTypes"))
			if err != nil {
				t.Errorf("%s: asked directly: %v", value, err)
				continue
			}
			if r.Text != want+"\n" {
				t.Errorf("%s in %s:\n got %q\nwant %q", value, format, r.Text, want+"\n")
			}
			if r.Summary.Rows != 1 || r.Summary.Cut != "" || r.Summary.Bytes != int64(len(r.Text)) {
				t.Errorf("%s: the summary says %+v", value, r.Summary)
			}
		}
		testColumns(t, h, value)
	}
}

// testColumns checks names and types, in both formats, against those that
// ClickHouse's JSON has.
func testColumns(t *testing.T, h *house, value string) {
	direct, err := h.Text(t.Context(), "SELECT "+value+" FORMAT JSONCompact SETTINGS output_format_json_validate_utf8 = 1")
	if err != nil {
		t.Errorf("%s: %v", value, err)
		return
	}
	var want struct{ Meta []porterhouse.Column }
	if err := json.Unmarshal([]byte(direct), &want); err != nil {
		t.Fatal(err)
	}
	for _, format := range []porterhouse.Format{porterhouse.TSVRows, porterhouse.JSONRows} {
		q := question("SELECT " + value)
		q.Format = format
		if got := h.read(t, q).Columns; !slices.Equal(got, want.Meta) {
			t.Errorf("%s in %s: columns\n got %q\nwant %q", value, format, got, want.Meta)
		}
	}
}

// Statements that read and are not SELECT, and ones that answer nothing.
func testStatements(t *testing.T, h *house) {
	for sql, want := range map[string]struct {
		columns int
		rows    int64
	}{
		"SHOW TABLES FROM app":     {1, 1},
		"DESCRIBE app.t":           {7, 2},
		"EXISTS TABLE app.t":       {1, 1},
		"SHOW CREATE TABLE app.t":  {1, 1},
		"EXPLAIN AST SELECT 1":     {1, 5},
		"SELECT 1 WHERE 0":         {1, 0},
		"FROM numbers(3) SELECT *": {1, 3},
		"WITH 1 AS x SELECT x, x UNION ALL SELECT 2, 2 -- end": {2, 2},
		"SELECT ''": {1, 1},
		"SELECT number % 2 AS k, count() FROM numbers(4) GROUP BY k WITH TOTALS": {2, 2},
		"SELECT count() FROM numbers(4) GROUP BY number % 2 WITH TOTALS":         {1, 2},
		"SELECT '' FROM numbers(4) GROUP BY number % 2":                          {1, 2},
	} {
		for _, format := range []porterhouse.Format{porterhouse.TSVRows, porterhouse.JSONRows} {
			q := question(sql)
			q.Format = format
			r := h.read(t, q)
			if len(r.Columns) != want.columns || r.Summary.Rows != want.rows || r.Summary.Cut != "" {
				t.Errorf("%s in %s: %d columns and %+v, want %+v", sql, format, len(r.Columns), r.Summary, want)
			}
		}
	}
	q := question("SELECT 1 AS x, 'a' AS y")
	q.Format = "JSONCompact"
	var body struct{ Data [][]any }
	if r := h.read(t, q); r.Columns != nil || json.Unmarshal([]byte(r.Text), &body) != nil || len(body.Data) != 1 {
		t.Errorf("another format is not passed through: %+v", r)
	}
	q = question("-- nothing but this")
	if r := h.read(t, q); r.Columns != nil || r.Text != "" || r.Summary.Rows != 0 {
		t.Errorf("a statement without an answer gives %+v", r)
	}
}

func testLimits(t *testing.T, h *house) {
	const union = "SELECT * FROM (SELECT number FROM numbers(10) UNION ALL SELECT number FROM numbers(10) LIMIT 20 SETTINGS limit = 0)"
	for _, test := range []struct {
		sql         string
		rows, bytes int64
		wantRows    int64
		cut         porterhouse.Cut
	}{
		{"SELECT 1 FROM numbers(10)", 10, 0, 10, ""},
		{"SELECT 1 FROM numbers(11)", 10, 0, 10, porterhouse.CutRows},
		{"SELECT 1 FROM numbers(10)", 0, 20, 10, ""},
		{"SELECT 1 FROM numbers(10)", 0, 19, 9, porterhouse.CutBytes},
		{"SELECT 1 FROM system.numbers", 1000, 0, 1000, porterhouse.CutRows},
		{"SELECT 1 FROM system.numbers", 0, 100_000, 50_000, porterhouse.CutBytes},
		{union, 20, 0, 20, ""},
		{union, 19, 0, 19, porterhouse.CutRows},
		{"SELECT repeat(repeat('x', 10000), 1000) FROM numbers(3)", 0, 50_000, 0, porterhouse.CutBytes},
		{"SELECT repeat(repeat('x', 3000), 1000) FROM numbers(3)", 0, 7_000_000, 2, porterhouse.CutBytes},
		{"SELECT number FROM numbers(1000000)", 0, 0, 1_000_000, ""},
	} {
		for _, format := range []porterhouse.Format{porterhouse.TSVRows, porterhouse.JSONRows} {
			if format == porterhouse.JSONRows && test.bytes > 0 {
				continue // other bytes
			}
			q := question(test.sql)
			q.Format = format
			q.Limits.Rows, q.Limits.Bytes = test.rows, test.bytes
			r := h.read(t, q)
			lines := int64(strings.Count(r.Text, "\n"))
			if r.Summary.Rows != test.wantRows || r.Summary.Cut != test.cut || lines != test.wantRows || r.Summary.Bytes != int64(len(r.Text)) {
				t.Errorf("%s, limits %d rows, %d bytes: %d lines, %+v; want %d rows, cut %q",
					test.sql, test.rows, test.bytes, lines, r.Summary, test.wantRows, test.cut)
			}
		}
	}
	q := question("SELECT 'abc'")
	q.Format, q.Limits.Bytes = "RawBLOB", 2
	if r := h.read(t, q); r.Text != "ab" || r.Summary.Cut != porterhouse.CutBytes {
		t.Errorf("another format beyond its bytes: %+v", r)
	}
}

// A complete answer costs one statement and no connection.
func testEconomy(t *testing.T, h *house) {
	h.read(t, question("SELECT 0"))
	before := h.Stats()
	const times = 60
	for range times / 2 {
		h.read(t, question("SELECT 1"))
		h.read(t, question("SELECT number, toString(number) FROM numbers(5000)"))
	}
	after := h.Stats()
	if after.Queries-before.Queries != times || after.ConnectionsOpened != before.ConnectionsOpened || after.Kills != before.Kills {
		t.Errorf("%d answers took %+v, before %+v", times, after, before)
	}
	if after.Running != 0 {
		t.Errorf("%d answers are said to be open", after.Running)
	}
}

// The query log joins each statement to its comment: the gateway's row and the
// person's. A KILL has the comment of what it killed. A small answer is the work of
// one thread: none is started to format it.
func testQueryLog(t *testing.T, h *house) {
	q := question("SELECT 'logged'")
	h.read(t, q)
	cut := question("SELECT number FROM system.numbers")
	cut.Limits.Rows = 1
	h.read(t, cut)
	eventually(t, "the KILL is in the query log", func() bool {
		got, err := h.Text(t.Context(), "SYSTEM FLUSH LOGS query_log")
		if err != nil {
			t.Fatal(got, err)
		}
		kills, err := h.Text(t.Context(), fmt.Sprintf(
			"SELECT count() > 0 FROM system.query_log WHERE log_comment = '{\"rid\":\"%s\",\"kill\":true}' AND user = '%s' AND query_kind = 'KillQuery'", cut.ID, gateway))
		if err != nil {
			t.Fatal(err)
		}
		return kills == "1"
	})
	isLogged(t, h.Server, "SELECT user, initial_user, query_id = '"+q.ID+"', count(), max(length(thread_ids)) FROM system.query_log WHERE type = 'QueryFinish' AND log_comment = '"+
		strings.ReplaceAll(q.Comment, `'`, `\'`)+"' GROUP BY ALL ORDER BY user", "alice\talice\t0\t1\t1\n"+gateway+"\t"+gateway+"\t1\t1\t1")
}

// isLogged waits until a log says what it is to say: the last line of a statement is
// written after its answer.
func isLogged(t testing.TB, server *sandbox.Server, sql, want string) {
	t.Helper()
	var got string
	var err error
	if !settles(func() bool {
		if err = server.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err == nil {
			got, err = server.Text(t.Context(), sql)
		}
		return err == nil && got == want
	}) {
		t.Errorf("the log has %q, %v; want %q", got, err, want)
	}
}

// eventually waits until ok, and fails the test when that takes far too long.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !settles(ok) {
		t.Fatalf("never: %s", what)
	}
}

// settles says whether ok says yes within 20 seconds.
func settles(ok func() bool) bool {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

func testCheck(t *testing.T, h *house) {
	server, err := h.Check(t.Context(), `{"check":true}`)
	if err != nil || server.Version != h.Version {
		t.Errorf("Check says %+v, %v; want version %s", server, err, h.Version)
	}
	if err := h.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	config := func(password string) error {
		client := dial(t, h.HTTP, withPassword(password))
		_, err := client.Check(t.Context(), "")
		return err
	}
	if err := config(gatewayPassword); err != nil {
		t.Error(err)
	}
	err = config("wrong")
	kind, public := porterhouse.Explain(err)
	if kind != porterhouse.Unavailable || strings.Contains(public, gateway) || strings.Contains(public, "wrong") {
		t.Errorf("a wrong password gives %v", err)
	}
}
