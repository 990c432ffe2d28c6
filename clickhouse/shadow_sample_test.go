package clickhouse_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// What is compared is a plain read, as its account and nothing more, within limits that are
// no wider than its person's.
func TestShadowNeverWidens(t *testing.T) {
	as := account(t, "alice")
	as.Token, as.Roles, as.Profile = porterhouse.NewSecret("token"), []string{"r"}, "p"
	for _, test := range []struct {
		name   string
		change func(as *porterhouse.Account, q *porterhouse.Query, p *porterhouse.Passage)
		want   bool
	}{
		{"a read", func(_ *porterhouse.Account, _ *porterhouse.Query, _ *porterhouse.Passage) {}, true},
		{"an agent's read", func(_ *porterhouse.Account, q *porterhouse.Query, _ *porterhouse.Passage) { q.Passage = nil }, true},
		{"a write", func(_ *porterhouse.Account, q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.Read = false }, false},
		{"a write that was taken for a read", func(_ *porterhouse.Account, q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.Verb = "INSERT" }, false},
		{"what changes the session", func(_ *porterhouse.Account, q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.State = true }, false},
		{"data", func(_ *porterhouse.Account, _ *porterhouse.Query, p *porterhouse.Passage) {
			p.Data = strings.NewReader("x")
		}, false},
		{"data that the statement takes", func(_ *porterhouse.Account, q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.Input = true }, false},
		{"tables", func(_ *porterhouse.Account, _ *porterhouse.Query, p *porterhouse.Passage) {
			p.Tables = func(func(porterhouse.Table, error) bool) {}
		}, false},
		{"a session", func(_ *porterhouse.Account, _ *porterhouse.Query, p *porterhouse.Passage) {
			p.Session = &porterhouse.Session{ID: "s", Owner: "o"}
		}, false},
		{"roles", func(_ *porterhouse.Account, _ *porterhouse.Query, p *porterhouse.Passage) { p.Roles = []string{"r"} }, false},
		{"a password", func(as *porterhouse.Account, _ *porterhouse.Query, _ *porterhouse.Passage) {
			as.Password = porterhouse.NewSecret("x")
		}, false},
		{"a long text", func(_ *porterhouse.Account, q *porterhouse.Query, _ *porterhouse.Passage) {
			q.SQL += strings.Repeat(" ", 70_000)
		}, false},
		{"a large parameter", func(_ *porterhouse.Account, q *porterhouse.Query, _ *porterhouse.Passage) {
			q.Params = map[string]string{"p": strings.Repeat("x", 70_000)}
		}, false},
		{"the time", func(_ *porterhouse.Account, q *porterhouse.Query, _ *porterhouse.Passage) { q.SQL = "SELECT now()" }, false},
	} {
		who, q := as, passing("SELECT 1", nil)
		q.Class.Verb, q.Limits = "SELECT", porterhouse.Limits{Time: 5 * time.Second, Memory: 1 << 20}
		test.change(&who, &q, q.Passage)
		acts, again, ok := clickhouse.Compared(who, q)
		if ok != test.want {
			t.Errorf("%s: %t", test.name, ok)
		}
		if ok && (acts.User != as.User || !acts.Token.IsZero() || acts.Roles != nil || again.Limits.Time != 5*time.Second || again.Limits.Memory != 1<<20 || !again.Class.Read || !again.Passage.ReadOnly) {
			t.Errorf("%s: as %+v, %+v", test.name, acts, again)
		}
	}
	slow := reading("SELECT 1")
	if _, again, _ := clickhouse.Compared(as, slow); again.Limits.Time != 10*time.Second || again.Passage.Settings[0] != (porterhouse.Setting{Name: "max_execution_time", Value: "10"}) {
		t.Errorf("%+v", again)
	}
}

// What names something that changes by itself is not compared, and nothing else is left out.
func TestShadowVaries(t *testing.T) {
	for _, sql := range []string{
		"SELECT now()", "SELECT NOW ( )", "select Today()", "SELECT current_timestamp", "SELECT 1 + rand()", "SELECT randUniform(1, 2)", "SELECT `now`()", "SELECT \"rand\"()", "SELECT generateUUIDv4()", "SELECT queryID()",
		"SELECT * FROM system.processes", "SELECT * FROM system . query_log", "SELECT * FROM `system`.`parts`", "SELECT * FROM SYSTEM.METRICS", "SHOW PROCESSLIST", "SELECT hostName()", "SELECT rowNumberInAllBlocks()",
		"SELECT a FROM t WHERE at > now() - 5", "SELECT 1 FROM system.one, system.events",
	} {
		if !clickhouse.Varies(sql) {
			t.Errorf("%s does not vary", sql)
		}
	}
	for _, sql := range []string{
		"SELECT 1", "", "SELECT now FROM t", "SELECT today, random_id FROM t", "SELECT * FROM system.one", "SELECT * FROM system.numbers LIMIT 5", "SELECT system FROM t", "SELECT known(1)", "SELECT a.today FROM a", "SELECT 'é' FROM system.columns",
	} {
		if clickhouse.Varies(sql) {
			t.Errorf("%s varies", sql)
		}
	}
}

// The format that a text names becomes Native, where it is plain to see.
func TestShadowInNative(t *testing.T) {
	for _, test := range []struct{ sql, format, want string }{
		{"SELECT 1", "", "SELECT 1"},
		{"SELECT 1 FORMAT CSV", "CSV", "SELECT 1 FORMAT Native"},
		{"SELECT 1 format\n TSV SETTINGS max_threads = 1", "TSV", "SELECT 1 FORMAT Native SETTINGS max_threads = 1"},
		{"SELECT 1 FORMAT JSON;", "JSON", "SELECT 1 FORMAT Native;"},
		{"SELECT 1 FORMAT /* CSV */ CSV", "CSV", ""},
		{"SELECT 1 FORMAT `CSV`", "`CSV`", ""},
		{"SELECT 1 FORMATCSV", "CSV", ""},
		{"SELECT 1 FORMAT CSVWithNames", "CSV", ""},
	} {
		q := passing(test.sql, nil)
		q.Class = porterhouse.Class{Verb: "SELECT", Read: true, Format: test.format}
		if test.format != "" {
			q.Class.FormatAt = strings.Index(strings.ToUpper(test.sql), "FORMAT") + 1
		}
		_, again, ok := clickhouse.Compared(account(t, "alice"), q)
		if ok != (test.want != "") || again.SQL != test.want {
			t.Errorf("%s: %q, %t", test.sql, again.SQL, ok)
		}
	}
	q := passing("SELECT 1 FORMAT CSV", nil)
	for _, at := range []int{0, 1, 9, 15, 100, -5} { // where it does not stand
		q.Class = porterhouse.Class{Verb: "SELECT", Read: true, Format: "CSV", FormatAt: at}
		if _, again, ok := clickhouse.Compared(account(t, "alice"), q); ok {
			t.Errorf("at %d: %s", at, again.SQL)
		}
	}
}

// What is asked again says that it is, and is the person's; what writes, fails or was
// refused here is not asked again.
func TestShadowAsksNothingElse(t *testing.T) {
	w := newTwoWays(t, "GRANT INSERT ON app.t TO reader")
	c := w.client(t, clickhouse.Verify, clickhouse.Interserver)
	for _, q := range []porterhouse.Query{
		writing("INSERT INTO app.t (a) SELECT 1", nil, 0),
		passing("INSERT INTO app.t (a) SELECT 1", func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.Verb = "INSERT"; q.Class.Read = false }),
	} {
		if o := outcome(t, c, "alice", q); o != clickhouse.ShadowSkipped {
			t.Errorf("a write: %s", o)
		}
	}
	n := total(c)
	asks(t.Context(), c, account(t, gateway), reading("SELECT 1")) // refused here
	bad := reading("SELECT 1")
	bad.ID = ""
	asks(t.Context(), c, account(t, "alice"), bad)
	if answer, err := c.Query(t.Context(), account(t, "alice"), reading("SELECT a FROM app.t")); err != nil { // given up
		t.Fatal(err)
	} else {
		answer.Body.Close()
	}
	q := reading("SELECT a FROM app.t WHERE a = 5")
	q.Comment = `{"rid":"record-1","sub":"alice"}`
	if o := outcome(t, c, "alice", q); o != clickhouse.ShadowSame || total(c) != n+1 {
		t.Errorf("%s, %d", o, total(c)-n)
	}
	const found = `SELECT user, currentDatabase() != '', query, log_comment, Settings['readonly'] FROM system.query_log WHERE query_id LIKE 'shadow-%' AND type = 'QueryFinish' AND query LIKE '%app.t%' ORDER BY log_comment`
	want := ""
	for _, mode := range []string{"interserver", "verify"} {
		want += fmt.Sprintf("alice\t1\tSELECT a FROM app.t WHERE a = 5\t{\"rid\":\"record-1\",\"shadow\":true,\"mode\":\"%s\"}\t2\n", mode)
	}
	isLogged(t, w.Server, found, strings.TrimSuffix(want, "\n"))
}

// What finds no place in the queue, or waits for too long, is dropped, and what is too large
// is not compared.
func TestShadowBounds(t *testing.T) {
	w := newTwoWays(t)
	c := w.client(t, clickhouse.Verify, clickhouse.Interserver)
	for sql, want := range map[string]clickhouse.ShadowOutcome{
		"SELECT number FROM numbers(100001)":                              clickhouse.ShadowTooLarge,
		"SELECT repeat('x', 1000000) FROM numbers(70)":                    clickhouse.ShadowTooLarge,
		"SELECT number FROM numbers(100000)":                              clickhouse.ShadowSame,
		"SELECT sumState(number) FROM numbers(9) GROUP BY number":         clickhouse.ShadowSkipped,
		"SELECT 1 SETTINGS output_format_native_write_json_as_string = 1": clickhouse.ShadowSame,
	} {
		if o := outcome(t, c, "alice", ofClient(sql)); o != want {
			t.Errorf("%s: %s, want %s", sql, o, want)
		}
	}
	shaped := passing("SELECT 1 AS x, '{\"a\":1}'::JSON AS j, 1::Dynamic AS d", func(q *porterhouse.Query, p *porterhouse.Passage) {
		q.Class.Verb = "SELECT"
		p.Settings = []porterhouse.Setting{{Name: "output_format_native_encode_types_in_binary_format", Value: "1"}, {Name: "output_format_native_use_flattened_dynamic_and_json_serialization", Value: "1"}, {Name: "output_format_native_write_json_as_string", Value: "1"}}
	})
	if o := outcome(t, c, "alice", shaped); o != clickhouse.ShadowSame {
		t.Errorf("settings that shape Native: %s", o)
	}
	idle := dial(t, w.HTTP, func(c *clickhouse.Config) { // nobody compares
		c.Access = clickhouse.Access{Mode: clickhouse.Verify, Mint: w.mint}
		c.Shadow = clickhouse.Shadow{Mode: clickhouse.ExecuteAs, Share: 1}
	})
	for range 70 {
		asks(t.Context(), idle, account(t, "alice"), reading("SELECT 1"))
	}
	idle.CompareLate(t.Context(), account(t, "alice"), reading("SELECT 1"), 31*time.Second)
	if r, _ := idle.Shadow(); r.Counts[clickhouse.ShadowDropped] != 7 {
		t.Errorf("%v", r.Counts)
	}
	idle.CompareLate(t.Context(), account(t, "alice"), reading("SELECT 1"), 20*time.Second)
	if r, _ := idle.Shadow(); r.Counts[clickhouse.ShadowSame] != 1 {
		t.Errorf("%v", r.Counts)
	}
}
