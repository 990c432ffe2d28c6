package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// The cluster of the tests.
const (
	clusterName   = "mcp"
	clusterSecret = "the cluster's <secret> & "
)

// remoteServers makes a ClickHouse one of the cluster, with a secret as XML has it.
func remoteServers(secret string) string {
	return "<remote_servers><" + clusterName + "><secret>" + secret + "</secret>" +
		"<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></" + clusterName + "></remote_servers>"
}

// openCluster starts a ClickHouse with a cluster and some people, and a client that acts
// with the cluster's secret.
func openCluster(t testing.TB, changes ...func(*clickhouse.Config)) *house {
	t.Helper()
	server := sandbox.ForTest(t, sandbox.Options{
		ExtraConfig: remoteServers("the cluster's &lt;secret&gt; &amp; "),
		Init: []string{
			"CREATE USER " + gateway + " IDENTIFIED WITH no_authentication",
			"CREATE DATABASE app", "CREATE TABLE app.t (a Int32, word String) ENGINE = MergeTree ORDER BY a", "CREATE TABLE app.secret (a Int32) ENGINE = MergeTree ORDER BY a",
			"CREATE TABLE app.states (s AggregateFunction(sum, UInt8)) ENGINE = Memory",
			"CREATE TABLE app.mine (who String) ENGINE = MergeTree ORDER BY who", "INSERT INTO app.mine VALUES ('alice'), ('bob')",
			"CREATE ROW POLICY own ON app.mine USING who = currentUser() TO ALL EXCEPT default",
			"CREATE ROLE reader", "GRANT SELECT ON app.t TO reader", "GRANT SELECT ON app.mine TO reader",
			"CREATE USER alice IDENTIFIED WITH no_authentication", "CREATE USER bob IDENTIFIED WITH no_authentication", "CREATE USER `it's \\\\ @ \"é` IDENTIFIED WITH no_authentication",
			"CREATE USER nohost IDENTIFIED WITH no_authentication HOST NONE", "CREATE USER tokyo IDENTIFIED WITH no_authentication SETTINGS session_timezone = 'Asia/Tokyo'",
			"CREATE USER held IDENTIFIED WITH no_authentication SETTINGS readonly = 2 CONST, max_rows_to_read = 1000 CONST",
			"GRANT reader TO alice, bob", "GRANT INSERT, CREATE TABLE ON app.* TO alice", "GRANT SELECT ON system.numbers TO alice, bob, held",
		},
	})
	with := func(c *clickhouse.Config) {
		c.Password = porterhouse.Secret{}
		c.Access = clickhouse.Access{Mode: clickhouse.Interserver, Native: server.Native, Cluster: clusterName, Secret: porterhouse.NewSecret(clusterSecret)}
	}
	return &house{server, dial(t, server.HTTP, append([]func(*clickhouse.Config){with}, changes...)...)}
}

func TestInterserver(t *testing.T) {
	h := openCluster(t)
	t.Run("person", func(t *testing.T) { testClusterPerson(t, h) })
	t.Run("parameters", func(t *testing.T) { testParameters(t, h) })
	t.Run("values", func(t *testing.T) { testClusterValues(t, h) })
	t.Run("limits", func(t *testing.T) { testClusterLimits(t, h) })
	t.Run("economy", func(t *testing.T) { testEconomy(t, h) })
	t.Run("log", func(t *testing.T) { testClusterLog(t, h) })
	t.Run("rights", func(t *testing.T) { testClusterRights(t, h) })
	t.Run("zone", func(t *testing.T) { testClusterZone(t, h) })
	t.Run("formats", func(t *testing.T) { testClusterFormats(t, h) })
	t.Run("totals", func(t *testing.T) { testClusterTotals(t, h) })
	t.Run("exceptions", func(t *testing.T) { testClusterExceptions(t, h) })
	t.Run("insert", func(t *testing.T) { testClusterInsert(t, h) })
	t.Run("refusals", func(t *testing.T) { testClusterRefusals(t, h) })
	t.Run("stop", func(t *testing.T) { testClusterStop(t, h) })
	t.Run("timeout", func(t *testing.T) { testClusterTimeout(t, h) })
	t.Run("who", func(t *testing.T) { testClusterStrangers(t, h) })
}

// Connections are nobody's: whoever asks is who asks, one after the other on one of them.
func testClusterPerson(t *testing.T, h *house) {
	for range 3 {
		for _, name := range []string{"alice", "bob", `it's \ @ "é`} {
			r, err := read(t.Context(), h.Client, account(t, name), question("SELECT currentUser() = {name:String}, user()"))
			if err == nil {
				t.Fatalf("a parameter that is not set: %+v", r)
			}
			q := question("SELECT currentUser() = {name:String}")
			q.Params = map[string]string{"name": strings.ReplaceAll(name, `\`, `\\`)}
			if r, err = read(t.Context(), h.Client, account(t, name), q); err != nil || r.Text != "true\n" && r.Text != "1\n" {
				t.Errorf("as %s: %q, %v", name, r.Text, err)
			}
		}
	}
	for _, name := range []string{"alice", "bob"} {
		r, err := read(t.Context(), h.Client, account(t, name), question("SELECT who FROM app.mine"))
		if err != nil || r.Text != name+"\n" {
			t.Errorf("%s sees the rows %q, %v", name, r.Text, err)
		}
	}
}

func testClusterValues(t *testing.T, h *house) {
	const settings = " SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_denormals = 1, output_format_json_quote_decimals = 1"
	for _, value := range values {
		value = strings.Replace(value, "sumState(toUInt64(1)), uniqState(1), ", "", 1) // see testClusterRefusals
		for _, format := range []porterhouse.Format{porterhouse.TSVRows, porterhouse.JSONRows} {
			q := question("SELECT " + value)
			q.Format = format
			r := h.read(t, q)
			want, err := h.Text(t.Context(), q.SQL+settings+" FORMAT "+strings.TrimSuffix(string(format), "WithNamesAndTypes"))
			if err != nil || r.Text != want+"\n" || r.Summary.Rows != 1 || r.Summary.Cut != "" || r.Summary.Bytes != int64(len(r.Text)) {
				t.Errorf("%s in %s:\n got %q, %+v\nwant %q, %v", value, format, r.Text, r.Summary, want+"\n", err)
			}
		}
		testColumns(t, h, value)
	}
}

func testClusterLimits(t *testing.T, h *house) {
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
		{"SELECT repeat(repeat('x', 10000), 1000) FROM numbers(3)", 0, 50_000, 0, porterhouse.CutBytes},
		{"SELECT repeat(repeat('x', 3000), 1000) FROM numbers(3)", 0, 7_000_000, 2, porterhouse.CutBytes},
		{"SELECT number FROM numbers(1000000)", 0, 0, 1_000_000, ""},
		{"SELECT 1 WHERE 0", 10, 0, 0, ""},
	} {
		q := question(test.sql)
		q.Limits.Rows, q.Limits.Bytes = test.rows, test.bytes
		r := h.read(t, q)
		lines := int64(strings.Count(r.Text, "\n"))
		if r.Summary.Rows != test.wantRows || r.Summary.Cut != test.cut || lines != test.wantRows || r.Summary.Bytes != int64(len(r.Text)) {
			t.Errorf("%s, limits %d rows, %d bytes: %d lines, %+v; want %d rows, cut %q", test.sql, test.rows, test.bytes, lines, r.Summary, test.wantRows, test.cut)
		}
	}
	for _, bytes := range []int64{1, 100, 70_000, 200_000} {
		q := passing("SELECT number FROM numbers(100000)", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Limits.Bytes = bytes })
		answer, err := h.Query(t.Context(), account(t, "alice"), q)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Limited || int64(len(text)) > bytes || answer.Summary().Cut != porterhouse.CutBytes {
			t.Errorf("%d bytes of at most %d, %v, %+v", len(text), bytes, err, answer.Summary())
		}
		answer.Body.Close()
	}
}

// The query log shows the person alone.
func testClusterLog(t *testing.T, h *house) {
	q := question("SELECT 'logged'")
	h.read(t, q)
	isLogged(t, h.Server, "SELECT user, initial_user, is_initial_query, query_id = '"+q.ID+"', Settings['readonly'], query FROM system.query_log WHERE type = 'QueryFinish' AND query NOT LIKE '%whose%' AND query NOT LIKE '%who this is%' AND log_comment = '"+q.Comment+"'",
		"alice\talice\t1\t1\t2\tSELECT \\'logged\\'")
}

// A read cannot write, whatever it says, and nobody has more rights than their own.
func testClusterRights(t *testing.T, h *house) {
	for sql, code := range map[string]int{
		"INSERT INTO app.t SELECT 1, 'x'":               164,
		"CREATE TABLE app.new (a Int8) ENGINE = Memory": 164,
		"SELECT 1 SETTINGS readonly = 0":                164,
		"SELECT * FROM app.secret":                      497,
		"SELECT * FROM nowhere.t":                       81,
		"SELECT nonsense":                               47,
		"SELEKT 1":                                      62,
		"SELECT throwIf(number = 3) FROM numbers(5)":    395,
	} {
		_, err := read(t.Context(), h.Client, account(t, "alice"), question(sql))
		exception, ok := errors.AsType[*porterhouse.Exception](err)
		if !ok || exception.Code != code || exception.Name == "" {
			t.Errorf("%s: %v, want the code %d", sql, err, code)
		}
	}
	q := question("SELECT 1 FROM system.numbers LIMIT 2000")
	if _, err := read(t.Context(), h.Client, account(t, "held"), q); err == nil || !strings.Contains(err.Error(), "158") {
		t.Errorf("an account's own limit: %v", err)
	}
}

// Times that name no zone are written in that of the person's sessions.
func testClusterZone(t *testing.T, h *house) {
	const sql = "SELECT toDateTime(0), toDateTime64(0, 1), toString(toDateTime(0))"
	r, err := read(t.Context(), h.Client, account(t, "tokyo"), question(sql))
	if want := "1970-01-01 09:00:00\t1970-01-01 09:00:00.0\t1970-01-01 09:00:00\n"; err != nil || r.Text != want {
		t.Errorf("%q, %v, want %q", r.Text, err, want)
	}
	p, err := pass(t.Context(), h.Client, account(t, "alice"), passing(sql, func(_ *porterhouse.Query, p *porterhouse.Passage) {
		p.Settings = []porterhouse.Setting{{Name: "session_timezone", Value: "America/St_Johns"}}
	}))
	if want := "1969-12-31 20:30:00\t1969-12-31 20:30:00.0\t1969-12-31 20:30:00\n"; err != nil || p.Text != want {
		t.Errorf("%q, %v, want %q", p.Text, err, want)
	}
}

// An answer to a Passage is what ClickHouse's HTTP interface says.
func testClusterFormats(t *testing.T, h *house) {
	const sql = "SELECT number AS n, toString(number) AS s, [1.5, nan] FROM numbers(3)"
	for _, format := range []string{"", "TSV", "TSVWithNames", "TabSeparatedWithNamesAndTypes", "TSVRaw", "JSONCompactEachRow", "JSONCompactEachRowWithNames", "JSONCompact"} {
		p, err := pass(t.Context(), h.Client, account(t, "alice"), passing(sql, func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Format = porterhouse.Format(format) }))
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		response, err := http.Post(h.HTTP+"/?default_format="+format+"&user="+h.User+"&password="+h.Password, "text/plain", strings.NewReader(sql))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		want, _, _ := strings.Cut(string(text), `"statistics"`)
		got, _, _ := strings.Cut(p.Text, `"statistics"`)
		if got != want || p.Status != response.StatusCode {
			t.Errorf("%s: %d %q, want %d %q", format, p.Status, got, response.StatusCode, want)
		}
		for _, name := range []string{"Content-Type", "X-ClickHouse-Format", "X-ClickHouse-Timezone", "X-ClickHouse-Server-Display-Name"} {
			if got, want := p.field(name), response.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", format, name, got, want)
			}
		}
	}
}

// Totals and extremes stand where ClickHouse prints them, and are no rows.
func testClusterTotals(t *testing.T, h *house) {
	const sql = "SELECT number % 2 AS k, count() FROM numbers(4) GROUP BY k WITH TOTALS ORDER BY k SETTINGS extremes = 1"
	q := question(sql)
	if r := h.read(t, q); r.Text != "0\t2\n1\t2\n\n0\t4\n\n0\t2\n1\t2\n" || r.Summary.Rows != 2 {
		t.Errorf("%q, %+v", r.Text, r.Summary)
	}
	q = question(sql)
	q.Format = porterhouse.JSONRows
	if r := h.read(t, q); r.Text != "[0, \"2\"]\n[1, \"2\"]\n" || r.Summary.Rows != 2 {
		t.Errorf("%q, %+v", r.Text, r.Summary)
	}
	p, err := pass(t.Context(), h.Client, account(t, "alice"), passing(sql+", limit = 1", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Format = "JSONCompact" }))
	want, textErr := h.Text(t.Context(), sql+", limit = 1 FORMAT JSONCompact")
	got, _, _ := strings.Cut(p.Text, `"statistics"`)
	want, _, _ = strings.Cut(want, `"statistics"`)
	if err != nil || textErr != nil || got != want {
		t.Errorf("%q, %v, want %q, %v", got, err, want, textErr)
	}
}

// What ClickHouse refuses is an answer to a Passage, and so is an exception behind rows.
func testClusterExceptions(t *testing.T, h *house) {
	nowhere := passing("SELECT 1", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Database = "nowhere" })
	if p, err := pass(t.Context(), h.Client, account(t, "alice"), nowhere); err != nil || p.Status != http.StatusNotFound || p.field("X-ClickHouse-Exception-Code") != "81" {
		t.Errorf("%+v, %v", p, err)
	}
	p, err := pass(t.Context(), h.Client, account(t, "alice"), passing("SELECT * FROM app.secret", nil))
	if err != nil || p.Status != http.StatusInternalServerError || p.field("X-ClickHouse-Exception-Code") != "497" || !strings.HasPrefix(p.Text, "Code: 497. DB::Exception: alice: Not enough privileges.") ||
		!strings.HasSuffix(p.Text, " (ACCESS_DENIED) (version "+h.Version+")\n") || p.Summary.Exception == nil || p.Summary.Exception.Code != 497 {
		t.Errorf("%+v, %v", p, err)
	}
	q := passing("SELECT throwIf(number = 100000) FROM numbers(200000) SETTINGS max_block_size = 1000, max_threads = 1", nil)
	answer, err := h.Query(t.Context(), account(t, "alice"), q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	tag := answer.Head.Fields[len(answer.Head.Fields)-1].Value
	if err == nil || !strings.Contains(string(text), "0\n\r\n__exception__\r\n"+tag+"\r\nCode: 395. ") || !strings.HasSuffix(string(text), tag+"\r\n__exception__\r\n") {
		t.Errorf("%.200q … %v", text[max(0, len(text)-400):], err)
	}
	if s := answer.Summary(); s.Exception == nil || s.Exception.Code != 395 || s.Cut != porterhouse.CutError {
		t.Errorf("%+v", s)
	}
	r, err := read(t.Context(), h.Client, account(t, "alice"), question(q.SQL))
	if exception, ok := errors.AsType[*porterhouse.Exception](err); !ok || exception.Code != 395 || strings.Contains(r.Text, "exception") || r.Summary.Cut != porterhouse.CutError {
		t.Errorf("%.50q, %v, %+v", r.Text, err, r.Summary)
	}
	if r := h.read(t, question("SELECT 1")); r.Text != "1\n" {
		t.Errorf("after an exception: %q", r.Text)
	}
}

// An INSERT brings its data in the statement's text, as the session lane does.
func testClusterInsert(t *testing.T, h *house) {
	insert := func(sql, data string, size int64) passed {
		q := writing(sql, strings.NewReader(data), size)
		q.Class.Verb, q.Class.Data = "INSERT", true
		p, err := pass(t.Context(), h.Client, account(t, "alice"), q)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		return p
	}
	rows := strings.Repeat("{\"a\":7,\"word\":\"x\"}\n", 30_000)
	for _, c := range []struct {
		sql, data string
		size      int64
		written   int64
	}{
		{"INSERT INTO app.t VALUES", "(1, 'a'), (2, 'b')", 18, 2},
		{"INSERT INTO app.t FORMAT JSONEachRow", rows, int64(len(rows)), 30_000},
		{"INSERT INTO app.t FORMAT JSONEachRow", rows, -1, 30_000},
		{"INSERT INTO app.t FORMAT CSV", "3,c\n", -1, 1},
		{"INSERT INTO app.t FORMAT CSV", "", -1, 0},
		{"INSERT INTO app.states FORMAT CSV", "", 0, 0},
	} {
		if p := insert(c.sql, c.data, c.size); p.Status != http.StatusOK || p.Text != "" || p.Summary.Written != c.written || p.Summary.Sent != int64(len(c.data)) {
			t.Errorf("%s: %+v", c.sql, p)
		}
	}
	if p := insert("INSERT INTO app.t FORMAT CSV", "x,c\n", 4); p.Status != http.StatusBadRequest || !strings.Contains(p.Text, "DB::") {
		t.Errorf("%+v", p)
	}
	q := writing("INSERT INTO app.t SELECT 8, currentUser()", nil, 0)
	q.Class.Verb = "INSERT"
	if p, err := pass(t.Context(), h.Client, account(t, "alice"), q); err != nil || p.Status != http.StatusOK {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := pass(t.Context(), h.Client, account(t, "bob"), q); err != nil || p.field("X-ClickHouse-Exception-Code") != "497" {
		t.Errorf("%+v, %v", p, err)
	}
	broken := writing("INSERT INTO app.t FORMAT CSV", io.MultiReader(strings.NewReader("1,x\n"), brokenReader{}), 100)
	broken.Class.Verb, broken.Class.Data = "INSERT", true
	if _, err := pass(t.Context(), h.Client, account(t, "alice"), broken); err == nil {
		t.Error("data that breaks off was inserted")
	}
	got, err := h.Text(t.Context(), "SELECT count(), countIf(word = 'alice') FROM app.t")
	if err != nil || got != "60004\t1" {
		t.Errorf("the table has %q, %v", got, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the client is gone") }

// What cannot be carried is refused by name, before ClickHouse sees it.
func testClusterRefusals(t *testing.T, h *house) {
	type change = func(*porterhouse.Query, *porterhouse.Passage)
	before := h.Stats()
	for want, c := range map[string]struct {
		sql    string
		change change
	}{
		"the format CSV":           {"SELECT 1", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Format = "CSV" }},
		"the format Native":        {"SELECT 1 FORMAT Native", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.Format = "Native" }},
		"changes its session (SET": {"SET max_threads = 1", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.State, q.Class.Verb = true, "SET" }},
		"input(…)":                 {"INSERT INTO app.t SELECT * FROM input('a Int32')", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.Input = true }},
		"role=":                    {"SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Roles = []string{"reader"} }},
		"session_check": {"SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Session = &porterhouse.Session{ID: "x", Owner: "y", Check: true}
		}},
		"compress": {"SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Options = []porterhouse.Setting{{Name: "compress", Value: "1"}}
		}},
		"wait_end_of_query": {"SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Options = []porterhouse.Setting{{Name: "wait_end_of_query", Value: "1"}}
		}},
		"session_timezone": {"SELECT 1 SETTINGS Session_Timezone = 'UTC'", nil},
		"date_time_output_format": {"SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Settings = []porterhouse.Setting{{Name: "date_time_output_format", Value: "iso"}}
		}},
		"output_format_tsv_crlf": {"SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Own = []porterhouse.Setting{{Name: "output_format_tsv_crlf_end_of_line", Value: "1"}}
		}},
	} {
		_, err := pass(t.Context(), h.Client, account(t, "alice"), passing(c.sql, c.change))
		if kind, public := porterhouse.Explain(err); kind != porterhouse.Refused || !strings.Contains(public, want) {
			t.Errorf("%s: %v, want %q", c.sql, err, want)
		}
	}
	if after := h.Stats(); after.Queries != before.Queries || after.Running != 0 {
		t.Errorf("%+v, before %+v", after, before)
	}
	_, err := read(t.Context(), h.Client, account(t, "alice"), question("SELECT 1, sumState(1) AS s"))
	if kind, public := porterhouse.Explain(err); kind != porterhouse.Refused || !strings.Contains(public, `"s" is of the type AggregateFunction(sum, UInt8)`) {
		t.Errorf("%v", err)
	}
	for _, as := range []porterhouse.Account{{}, account(t, gateway)} {
		if r, err := read(t.Context(), h.Client, as, question("SELECT currentUser()")); err == nil {
			t.Errorf("%v: %+v", as, r)
		}
	}
}

// An answer that nobody waits for stops its statement.
func testClusterStop(t *testing.T, h *house) {
	for name, end := range map[string]func(answer *porterhouse.Answer, cancel func()){
		"close":  func(answer *porterhouse.Answer, _ func()) { answer.Body.Close() },
		"cancel": func(_ *porterhouse.Answer, cancel func()) { cancel() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		q := question("SELECT number FROM system.numbers WHERE NOT ignore('" + name + "')")
		answer, err := h.Query(ctx, account(t, "alice"), q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, answer.Body, 1_000_000); err != nil {
			t.Fatal(err)
		}
		end(answer, cancel)
		h.awaitGone(t, q.ID)
		if _, err := io.ReadAll(answer.Body); err == nil {
			t.Errorf("%s: the answer is said to be whole", name)
		} else if kind, _ := porterhouse.Explain(err); kind != porterhouse.Canceled || answer.Summary().Cut != porterhouse.CutCaller {
			t.Errorf("%s: %v, %+v", name, err, answer.Summary())
		}
		answer.Body.Close()
		cancel()
	}
	if s := h.Stats(); s.Running != 0 {
		t.Errorf("%+v", s)
	}
}

// awaitGone waits until ClickHouse does not run a statement any more.
func (h *house) awaitGone(t *testing.T, id string) {
	t.Helper()
	eventually(t, "the statement is gone", func() bool {
		got, err := h.Text(t.Context(), "SELECT count() FROM system.processes WHERE query_id = '"+id+"'")
		return err == nil && got == "0"
	})
}

// A statement that takes too long is stopped, also before its first row.
func testClusterTimeout(t *testing.T, h *house) {
	q := passing("SELECT count() FROM system.numbers WHERE NOT ignore(sleepEachRow(0))", nil)
	q.Limits.Time = 300 * time.Millisecond
	client := dial(t, h.HTTP, func(c *clickhouse.Config) {
		c.Password = porterhouse.Secret{}
		c.Access = clickhouse.Access{Mode: clickhouse.Interserver, Native: h.Native, Cluster: clusterName, Secret: porterhouse.NewSecret(clusterSecret)}
		c.HeaderTimeout = time.Millisecond
	})
	_, err := client.Query(t.Context(), account(t, "alice"), q)
	if kind, public := porterhouse.Explain(err); kind != porterhouse.Timeout || !strings.Contains(public, "300ms") {
		t.Error(err)
	}
	h.awaitGone(t, q.ID)
}

// A wrong secret and an unknown person look alike to ClickHouse; we tell them apart.
func testClusterStrangers(t *testing.T, h *house) {
	for _, name := range []string{"nobody", "nohost"} {
		_, err := read(t.Context(), h.Client, account(t, name), question("SELECT 1"))
		if kind, public := porterhouse.Explain(err); kind != porterhouse.Denied || !strings.Contains(public, fmt.Sprintf("%q", name)) || !strings.Contains(public, "HOST") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, change := range []func(*clickhouse.Access){
		func(a *clickhouse.Access) { a.Secret = porterhouse.NewSecret("wrong") },
		func(a *clickhouse.Access) { a.Cluster = "wrong" },
	} {
		client := dial(t, h.HTTP, func(c *clickhouse.Config) {
			c.Password = porterhouse.Secret{}
			c.Access = clickhouse.Access{Mode: clickhouse.Interserver, Native: h.Native, Cluster: clusterName, Secret: porterhouse.NewSecret(clusterSecret)}
			change(&c.Access)
		})
		_, err := read(t.Context(), client, account(t, "alice"), question("SELECT 1"))
		if kind, public := porterhouse.Explain(err); kind != porterhouse.Unavailable || !strings.Contains(public, "access.secret") || strings.Contains(public, "wrong") {
			t.Error(err)
		}
		if _, err := client.Check(t.Context(), ""); err == nil {
			t.Error("with a wrong secret all is said to be well")
		}
	}
	server, err := h.Check(t.Context(), `{"check":true}`)
	if err != nil || server.Version != h.Version {
		t.Errorf("%+v, %v", server, err)
	}
}
