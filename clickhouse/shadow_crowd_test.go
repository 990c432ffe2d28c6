package clickhouse_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/statement"
)

// crowd is what people of all sorts ask: statements that are made up, but always the same
// ones.
type crowd struct{ *rand.Rand }

func (c crowd) one(of []string) string { return of[c.IntN(len(of))] }

// Who asks: with roles, row policies, a quota that is used up, a profile's limits, and nothing
// at all.
var crowdPeople = []string{"alice", "alice", "alice", "bob", "bob", "carol", "quoted", "bounded", "nobody", "masked", "narrow"}

var crowdInit = []string{
	"CREATE TABLE app.d (a Int32, name LowCardinality(String), at DateTime64(3, 'Asia/Tokyo'), amount Decimal(18, 4), tags Array(String), more Map(String, UInt8), x Nullable(Int64)) ENGINE = MergeTree ORDER BY a",
	"INSERT INTO app.d SELECT number % 400, 'n' || toString(number % 13), toDateTime64(number * 1000.5, 3), number / 7, [toString(number % 3), 'z'], map('k', number % 5), if(number % 4 = 0, NULL, number) FROM numbers(2000)",
	"CREATE TABLE app.columns_only (a Int32, b Int32) ENGINE = MergeTree ORDER BY a", "INSERT INTO app.columns_only SELECT number, number FROM numbers(50)",
	"CREATE VIEW app.definer DEFINER = CURRENT_USER SQL SECURITY DEFINER AS SELECT count() AS n FROM app.hidden",
	"CREATE VIEW app.invoker SQL SECURITY INVOKER AS SELECT count() AS n FROM app.hidden",
	"CREATE VIEW app.own SQL SECURITY INVOKER AS SELECT who FROM app.mine WHERE who = currentUser()",
	"CREATE ROLE seller", "CREATE ROLE manager", "GRANT seller TO manager", "GRANT SELECT ON app.d TO seller", "GRANT SELECT ON app.definer TO reader",
	"GRANT SELECT ON app.invoker TO reader", "GRANT SELECT ON app.own TO reader", "GRANT SELECT(a) ON app.columns_only TO reader",
	"CREATE ROW POLICY small ON app.d USING a < 100 TO reader", "CREATE ROW POLICY all_of_it ON app.d USING 1 TO manager",
	person("carol"), person("quoted"), person("bounded") + " SETTINGS max_rows_to_read = 1500, max_threads = 1", person("nobody"),
	person("masked") + " SETTINGS join_use_nulls = 1, max_block_size = 100", person("narrow"),
	"GRANT reader, manager TO carol, narrow", "SET DEFAULT ROLE reader TO narrow", "GRANT reader TO quoted, bounded, masked", "GRANT seller TO bob, masked",
	"GRANT SELECT ON system.numbers TO carol, quoted, bounded, masked, narrow, nobody",
	"CREATE QUOTA used_up FOR INTERVAL 100 year MAX queries = 1 TO quoted",
	"GRANT IMPERSONATE ON carol TO " + gateway, "GRANT IMPERSONATE ON quoted TO " + gateway, "GRANT IMPERSONATE ON bounded TO " + gateway,
	"GRANT IMPERSONATE ON nobody TO " + gateway, "GRANT IMPERSONATE ON masked TO " + gateway, "GRANT IMPERSONATE ON narrow TO " + gateway,
}

// crowdValues are expressions over number, of the engine's types.
var crowdValues = []string{
	"number", "toInt8(number % 100)", "toUInt16(number)", "-toInt32(number)", "toInt64(number) - 9223372036854775807", "toInt128(number) * toInt128('100000000000000000000')", "toUInt256(number)",
	"number / 7", "toFloat32(number) * 1.1", "toBFloat16(number)", "if(number % 3 = 0, nan, inf)", "number / 0", "sqrt(number)", "exp(number % 700)",
	"toDecimal32(number, 3)", "toDecimal64(number / 3, 6)", "toDecimal128(number, 20)", "toDecimal256(number, 50)",
	"toDate(number)", "toDate32(number) - 20000", "toDateTime(number, 'UTC')", "toDateTime(number * 86400)", "toDateTime64(number, 6, 'Europe/Berlin')", "toIntervalDay(number)",
	"toString(number)", "repeat('x', number % 50)", "char(number % 256, 200, 0)", "toFixedString(toString(number % 10), 4)", "concat('é', toString(number), '\\t\\n')", "hex(number)",
	"toUUID('00000000-0000-0000-0000-0000000000' || leftPad(toString(number % 100), 2, '0'))", "toIPv4(toUInt32(number))", "toIPv6('2001:db8::' || hex(number % 65536))",
	"CAST(number % 2 + 1, 'Enum8(\\'a\\' = 1, \\'b\\' = 2)')", "number % 2 = 0", "nullIf(number, 3)", "CAST(NULL, 'Nullable(String)')", "toLowCardinality(toString(number % 5))",
	"range(number % 5)", "[[number], []]", "(number, 'x', NULL)", "CAST((number, 'x'), 'Tuple(a UInt64, b String)')", "map('k', number, 'j', 2)", "[(number, map('a', [1.5]))]", "arrayMap(i -> i * i, range(number % 4))",
	"CAST(number, 'Variant(UInt64, String)')", "CAST(toString(number), 'Dynamic')", "CAST('{\"a\":' || toString(number) || ',\"b\":[1,2]}', 'JSON')", "(number / 2, 1.5)::Point", "tuple()",
	"cityHash64(number)", "sipHash128(number)", "JSONExtractInt('{\"a\":' || toString(number) || '}', 'a')", "extractAll('a1b2', '\\\\d')", "bitXor(number, 5)", "formatDateTime(toDateTime(number, 'UTC'), '%Y')",
	"currentUser()", "currentDatabase()", "currentRoles()", "arraySort(enabledRoles())", "defaultRoles()", "timezone()", "getSetting('max_threads')", "getSetting('join_use_nulls')", "hasColumnInTable('app', 't', 'a')",
}

var crowdAggregates = []string{
	"count()", "sum(number)", "avg(number / 3)", "min(number)", "max(toString(number))", "uniqExact(number % 11)", "uniq(number)", "quantileExact(0.5)(number)", "arraySort(groupArray(number % 4))",
	"stddevPop(number)", "corr(number, number * number)", "sum(number / 7)", "argMax(number, number)", "groupBitXor(number)", "sumMap(map('k', number))", "topK(1)(number % 2)", "sumKahan(number / 3)", "any(1)",
}

// crowdTables are statements over tables, with their joins, windows, policies and denials.
var crowdTables = []string{
	"SELECT * FROM app.t", "SELECT * FROM app.d", "SELECT count(), sum(amount) FROM app.d", "SELECT who FROM app.mine", "SELECT count() FROM app.hidden", "SELECT a FROM app.columns_only", "SELECT b FROM app.columns_only", "SELECT * FROM app.columns_only",
	"SELECT n FROM app.definer", "SELECT n FROM app.invoker", "SELECT who FROM app.own", "SELECT count() FROM app.d WHERE a IN (SELECT a FROM app.t WHERE word = '3')",
	"SELECT d.name, count(), sum(t.f) FROM app.t AS t JOIN app.d AS d ON t.a = d.a GROUP BY d.name", "SELECT t.a, d.name FROM app.t AS t LEFT JOIN app.d AS d ON t.a = d.a AND d.a > 5 ORDER BY t.a LIMIT 50 BY t.a",
	"SELECT t.a, d.a FROM app.t AS t FULL JOIN app.d AS d ON t.a = d.a + 900", "SELECT count() FROM app.t AS x CROSS JOIN app.mine AS y", "SELECT a FROM app.t SEMI LEFT JOIN app.d USING a", "SELECT a FROM app.t ANTI LEFT JOIN app.d USING a",
	"SELECT a, row_number() OVER (PARTITION BY word ORDER BY a), sum(f) OVER (PARTITION BY word ORDER BY a ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM app.t", "SELECT a, lagInFrame(a) OVER (ORDER BY a), rank() OVER (ORDER BY word) FROM app.t",
	"SELECT word, count() FROM app.t GROUP BY word WITH TOTALS", "SELECT word, a % 3 AS m, count() FROM app.t GROUP BY word, m WITH ROLLUP", "SELECT word, a % 3 AS m, count() FROM app.t GROUP BY word, m WITH CUBE", "SELECT tag, count() FROM app.d ARRAY JOIN tags AS tag GROUP BY tag",
	"SELECT more['k'], count() FROM app.d GROUP BY 1", "SELECT toStartOfHour(at) AS h, count(), uniq(name) FROM app.d GROUP BY h ORDER BY h", "WITH (SELECT max(a) FROM app.t) AS top SELECT a, top - a FROM app.t WHERE a > top - 10",
	"SELECT a FROM app.t UNION ALL SELECT a FROM app.d", "SELECT a FROM app.t INTERSECT SELECT a FROM app.d", "SELECT a FROM app.t EXCEPT SELECT a FROM app.d", "SELECT DISTINCT word FROM app.t", "SELECT a FROM app.t PREWHERE a > 500 WHERE word = '1'",
	"SELECT sum(x), avg(x), count(x) FROM app.d", "SELECT * FROM (SELECT who FROM app.mine) AS m JOIN (SELECT currentUser() AS who) AS u USING who", "SELECT a FROM app.nothing", "SELECT nothing FROM app.t", "SELECT a FROM nowhere.t", "SELECT a + 'x' FROM app.t",
	"SELECT throwIf(a = 900) FROM app.t", "SELECT toInt32(word || 'x') FROM app.t", "SELECT intDiv(1, a) FROM app.t", "SELECT a FROM app.t WHERE", "SELEC 1", "SELECT noSuchFunction(1)", "SELECT (SELECT a FROM app.t)", "SELECT number FROM numbers(90000)",
	"SELECT * FROM t", "SELECT max(a) FROM app.t SETTINGS max_threads = 2", "SELECT b.a FROM app.t AS a LEFT JOIN (SELECT 1::Int32 AS a) AS b USING a SETTINGS join_use_nulls = 1", "SELECT a FROM app.t LIMIT 3 OFFSET 5 FORMAT TSV", "SELECT a FROM app.t WHERE a < 9 FORMAT JSONCompact",
	"SHOW DATABASES", "SHOW TABLES FROM app", "SHOW CREATE TABLE app.t", "SHOW GRANTS", "SHOW CURRENT ROLES", "DESCRIBE TABLE app.d", "DESCRIBE TABLE app.hidden", "EXISTS TABLE app.t", "EXISTS TABLE app.hidden", "EXPLAIN SELECT a FROM app.t", "EXPLAIN SYNTAX SELECT 1 + 1",
	"SELECT name FROM system.columns WHERE database = 'app'", "SELECT name FROM system.databases", "SELECT * FROM system.grants", "SELECT role_name FROM system.current_roles", "SELECT name, type FROM system.columns WHERE table = 'd'", "SELECT * FROM system.one",
	"SELECT merge.a FROM merge('app', '^t$') AS merge", "SELECT * FROM values('a Int8, b String', (1, 'x'), (2, 'y'))", "SELECT * FROM generateSeries(1, 5)", "SELECT count() FROM url('http://127.0.0.1:1/')", "SELECT * FROM file('nothing.csv')", "SELECT * FROM remote('127.0.0.1', 'app.t')",
}

// statement makes one up.
func (c crowd) statement() string {
	switch c.IntN(6) {
	case 0, 1:
		rows := 1 + c.IntN(200)
		sql := fmt.Sprintf("SELECT %s AS x, %s AS y, %s AS z FROM numbers(%d)", c.one(crowdValues), c.one(crowdValues), c.one(crowdValues), rows)
		return sql + c.one([]string{"", "", " WHERE number % 3 = 1", " ORDER BY number DESC", " ORDER BY number LIMIT 5", " WHERE 0"})
	case 2:
		return fmt.Sprintf("SELECT toString(%s) AS k, %s, %s FROM numbers(%d) GROUP BY k%s", c.one(crowdValues), c.one(crowdAggregates), c.one(crowdAggregates), 1+c.IntN(3000), c.one([]string{"", " WITH TOTALS", " HAVING count() > 1", " ORDER BY k"}))
	}
	return c.one(crowdTables)
}

// question makes a question of an agent or of a client, with what such a one sends beside it.
func (c crowd) question() porterhouse.Query {
	sql := c.statement()
	class := porterhouse.Class{Verb: "SELECT", Read: true, Format: statement.Check(sql).Format, FormatAt: strings.Index(sql, "FORMAT") + 1}
	if c.IntN(2) == 0 && class.Format == "" {
		q := reading(sql)
		q.Database = c.one([]string{"", "", "app"})
		return q
	}
	return passing(sql, func(q *porterhouse.Query, p *porterhouse.Passage) {
		q.Class, q.Database = class, c.one([]string{"", "app"})
		p.Settings = [][]porterhouse.Setting{
			nil, nil, {{Name: "join_use_nulls", Value: "1"}}, {{Name: "max_threads", Value: "1"}}, {{Name: "session_timezone", Value: "America/New_York"}},
			{{Name: "max_block_size", Value: "50"}, {Name: "max_execution_time", Value: "60"}}, {{Name: "extremes", Value: "1"}}, {{Name: "group_by_use_nulls", Value: "1"}},
		}[c.IntN(8)]
	})
}

// compareCrowd has people ask n times, and returns what came of comparing it.
func compareCrowd(t *testing.T, w *twoWays, client *clickhouse.Client, n int) (r clickhouse.ShadowReport) {
	t.Helper()
	var asked atomic.Int64
	var askers sync.WaitGroup
	var texts sync.Map // by query id, of people's own statements
	defer func() {
		for _, d := range r.Last {
			sql, _ := texts.Load(d.QueryID)
			t.Errorf("%s\n%+v", sql, d)
		}
	}()
	for seed := range uint64(3) {
		askers.Go(func() {
			c := crowd{rand.New(rand.NewPCG(6, seed))}
			for asked.Add(1) <= int64(n) {
				for total(client)+30 < uint64(asked.Load()) && t.Context().Err() == nil {
					time.Sleep(time.Millisecond) // of a queue of 64
				}
				q := c.question()
				texts.Store(q.ID, q.SQL)
				asks(t.Context(), client, account(t, c.one(crowdPeople)), q)
			}
		})
	}
	askers.Wait()
	for deadline := time.Now().Add(time.Minute); total(client) < uint64(n) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	r, _ = client.Shadow()
	return r
}

// Nothing differs where both modes are set up as they should be, whatever people ask.
func TestShadowOfACrowd(t *testing.T) { testCrowd(t, 500) }

func TestShadowOfACrowdSoak(t *testing.T) {
	if os.Getenv("PORTERHOUSE_SOAK") == "" {
		t.Skip("5,000 statements in two modes: set PORTERHOUSE_SOAK=1")
	}
	testCrowd(t, 5000)
}

func testCrowd(t *testing.T, n int) {
	w := newTwoWays(t, crowdInit...)
	since := time.Now()
	r := compareCrowd(t, w, w.client(t, clickhouse.Interserver, clickhouse.ExecuteAs), n)
	t.Logf("%v in %v", r.Counts, time.Since(since))
	bounds := map[clickhouse.ShadowOutcome]int{ // at most; of what is not here, none
		clickhouse.ShadowSame:     n,
		clickhouse.ShadowUnstable: n / 100,
		clickhouse.ShadowSkipped:  n / 100,
		clickhouse.ShadowDropped:  n / 9, // one asks of whom a quota is used up
	}
	for outcome, count := range r.Counts {
		if count > uint64(bounds[outcome]) {
			t.Errorf("of %d statements %d were %s, and at most %d may be", n, count, outcome, bounds[outcome])
		}
	}
	if sum := r.Counts[clickhouse.ShadowSame] + r.Counts[clickhouse.ShadowDropped]; sum < uint64(n)*98/100 {
		t.Errorf("only %d of %d were the same, or not asked again", sum, n)
	}
}
