package clickhouse_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// direct asks ClickHouse's HTTP interface, logged in as alice herself.
func (l *lane) direct(t *testing.T, q porterhouse.Query) said {
	t.Helper()
	v := url.Values{"user": {"alice"}, "password": {"a"}, "database": {q.Database}, "query_id": {q.ID + "-direct"}, "role": q.Passage.Roles}
	for _, s := range q.Passage.Settings {
		v.Add(s.Name, s.Value)
	}
	for name, value := range q.Params {
		v.Add("param_"+name, value)
	}
	var body io.Reader = strings.NewReader(q.SQL)
	if q.Passage.Data != nil {
		body = io.MultiReader(body, strings.NewReader("\n"), q.Passage.Data)
	}
	response, err := http.Post(l.HTTP+"/?"+v.Encode(), "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	s := said{Status: response.StatusCode, Fields: map[string]string{}, Text: string(text)}
	for name, values := range response.Header {
		s.Fields[name] = values[0]
	}
	return s
}

// comparable are the header fields that both ways have, and which say the same.
var comparable = []string{"Content-Type", "X-ClickHouse-Server-Display-Name", "X-ClickHouse-Timezone", "X-ClickHouse-Exception-Code"}

// changing is what differs between two runs of one statement.
var changing = regexp.MustCompile(`"elapsed_ns":"\d+","memory_usage":"\d+"`)

// A client cannot tell this way from ClickHouse's HTTP interface: the same status, the
// same header, the same words.
func TestLaneSaysWhatHTTPSays(t *testing.T) {
	l := openLane(t)
	type with func(*porterhouse.Query)
	setting := func(name, value string) with {
		return func(q *porterhouse.Query) {
			q.Passage.Settings = append(q.Passage.Settings, porterhouse.Setting{Name: name, Value: value})
		}
	}
	param := func(name, value string) with {
		return func(q *porterhouse.Query) { q.Params = map[string]string{name: value} }
	}
	database := func(name string) with { return func(q *porterhouse.Query) { q.Database = name } }
	roles := func(names ...string) with { return func(q *porterhouse.Query) { q.Passage.Roles = names } }
	data := func(text string) with {
		return func(q *porterhouse.Query) {
			q.Class.Data, q.Passage.Data, q.Passage.Size = true, strings.NewReader(text), int64(len(text))
		}
	}
	for _, c := range []struct {
		verb, sql string
		with      []with
	}{
		{"SET", "SET max_threads = 2", nil},
		{"SET", "SET no_such = 2", nil},
		{"SET", "SET max_threads = 'many'", nil},
		{"USE", "USE app", nil},
		{"USE", "USE nowhere", nil},
		{"CREATE", "CREATE TABLE app.x (a Int8) ENGINE = Memory", nil},
		{"CREATE", "CREATE TABLE app.t (a Int8) ENGINE = Memory", nil},
		{"CREATE", "CREATE TABLE other.x (a Int8) ENGINE = Memory", nil},
		{"CREATE", "CREATE TABLE x (a Int8) ENGINE = Memory", []with{database("app")}},
		{"DROP", "DROP TABLE IF EXISTS app.x", nil},
		{"DROP", "DROP TABLE app.no_such", nil},
		{"DROP", "DROP TABLE", nil},
		{"ALTER", "ALTER TABLE app.t ADD COLUMN b Int8", nil},
		{"CREATE", "CREATE USER eve", nil},
		{"GRANT", "GRANT SELECT ON app.* TO eve", nil},
		{"INSERT", "INSERT INTO app.t VALUES", []with{data(" (1, 'a'), (2, 'b')")}},
		{"INSERT", "INSERT INTO app.t VALUES", []with{data("(1, 'a'), (2,")}},
		{"INSERT", "INSERT INTO app.t VALUES", []with{data("(1 + 1, upper('a'))")}},
		{"INSERT", "INSERT INTO app.t FORMAT CSV", []with{data("1,a\n2,b\n")}},
		{"INSERT", "INSERT INTO app.t FORMAT CSV", []with{data("")}},
		{"INSERT", "INSERT INTO app.t FORMAT NoSuch", []with{data("1")}},
		{"INSERT", "INSERT INTO app.t FORMAT RowBinary", []with{data("\n\n\n\n\x01\n")}},
		{"INSERT", "INSERT INTO app.t FORMAT RowBinary", []with{data("abc")}},
		{"INSERT", "INSERT INTO app.t FORMAT JSONEachRow", []with{data(`{"a": 1, "word": "x"}`)}},
		{"INSERT", "INSERT INTO app.t FORMAT JSONEachRow", []with{data(`{"a": 1, "nope": "x"}`), setting("input_format_skip_unknown_fields", "0")}},
		{"INSERT", "INSERT INTO other.t FORMAT CSV", []with{data("1\n")}},
		{"INSERT", "INSERT INTO app.t (a, nope) FORMAT CSV", []with{data("1,2\n")}},
		{"INSERT", "INSERT INTO app.t SELECT number, 'x' FROM system.numbers LIMIT 5", nil},
		{"INSERT", "INSERT INTO app.t SELECT a, word FROM app.t LIMIT 0", nil},
		{"INSERT", "INSERT INTO app.t SELECT {n:Int32}, {s:String}", []with{func(q *porterhouse.Query) {
			q.Params = map[string]string{"n": "7", "s": `it's \\ a\ttab`}
		}}},
		{"INSERT", "INSERT INTO app.t SELECT {n:Int32}, ''", []with{param("n", "x")}},
		{"INSERT", "INSERT INTO app.t SELECT {n:Int32}, ''", nil},
		{"INSERT", "INSERT INTO app.t SELECT 1, ''", []with{setting("no_such", "1")}},
		{"INSERT", "INSERT INTO app.t SELECT 1, ''", []with{setting("max_threads", "x")}},
		{"INSERT", "INSERT INTO app.t SELECT 1, getSetting('SQL_x')", []with{setting("SQL_x", `it's \ x`)}},
		{"INSERT", "INSERT INTO t SELECT 1, ''", []with{database("app")}},
		{"INSERT", "INSERT INTO t SELECT 1, ''", []with{database("nowhere")}},
		{"INSERT", "INSERT INTO app.t SELECT 1, ''", []with{roles("writer")}},
		{"INSERT", "INSERT INTO app.t SELECT 1, ''", []with{roles("reader")}},
		{"INSERT", "INSERT INTO app.t SELECT a, word FROM app.t LIMIT 0", []with{roles("reader", "writer")}},
		{"INSERT", "INSERT INTO app.t SELECT 1, ''", []with{roles("stranger")}},
		{"INSERT", "INSERT INTO app.t SELECT 1, ''", []with{roles("no` such\\")}},
		{"INSERT", "INSERT INTO app.t SELECT throwIf(1, 'a\nb\\'c'), ''", nil},
		{"INSERT", "INSERT INTO app.t SELECT number, '' FROM system.numbers", []with{setting("max_rows_to_read", "10")}},
	} {
		ask := func() porterhouse.Query {
			q := change(c.verb, c.sql)
			for _, w := range c.with {
				w(&q)
			}
			return q
		}
		l.text(t, "DROP TABLE IF EXISTS app.x")
		want := l.direct(t, ask())
		l.text(t, "DROP TABLE IF EXISTS app.x")
		got := l.says(t, ask())
		if words(got.Text) != words(want.Text) || got.Status != want.Status {
			t.Errorf("%s: %d %s\nwant %d %s", c.sql, got.Status, got.Text, want.Status, want.Text)
		}
		for _, name := range comparable {
			field := want.Fields[http.CanonicalHeaderKey(name)]
			if field == "" || got.Fields["X-ClickHouse-Exception-Code"] == "81" {
				continue // before a query has begun either way says less
			}
			if got.Fields[name] != field {
				t.Errorf("%s: %s is %q, want %q", c.sql, name, got.Fields[name], field)
			}
		}
		if got.Status == http.StatusOK {
			sums := [2]string{got.Fields["X-ClickHouse-Summary"], want.Fields["X-Clickhouse-Summary"]}
			if a, b := changing.ReplaceAllString(sums[0], ""), changing.ReplaceAllString(sums[1], ""); a != b {
				t.Errorf("%s: the summary is\n%s, want\n%s", c.sql, a, b)
			}
		}
	}
}

// version is named where a statement began, over HTTP.
var version = regexp.MustCompile(` \(version [\d.]+\)`)

func words(text string) string { return strings.TrimSpace(version.ReplaceAllString(text, "")) }

// Every code has the name and the status that ClickHouse's HTTP interface gives it.
func TestCodesOverHTTP(t *testing.T) {
	l := openLane(t)
	names := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(clickhouse.ErrorNames), "\n") {
		code, name, _ := strings.Cut(line, " ")
		names[code] = name
	}
	for _, line := range strings.Split(l.text(t, "SELECT code, name FROM system.errors"), "\n") {
		code, name, _ := strings.Cut(line, "\t")
		if names[code] != name {
			t.Errorf("the code %s has the name %q, want %q", code, names[code], name)
		}
		number, err := strconv.Atoi(code)
		if err != nil {
			t.Fatal(err)
		}
		q := change("SELECT", fmt.Sprintf("SELECT throwIf(1, 'x', toInt16(%d)) SETTINGS allow_custom_error_code_in_throwif = 1", number))
		if s := l.direct(t, q); s.Status != clickhouse.StatusOf(int32(number)) {
			t.Errorf("the code %s has the status %d, want %d", code, clickhouse.StatusOf(int32(number)), s.Status)
		}
	}
}

// The gateway is nobody's business, except where it stands for a mistake of the operator's.
func TestLaneNamesNoGateway(t *testing.T) {
	l := openLane(t)
	s := l.says(t, change("INSERT", "INSERT INTO app.t SELECT throwIf(1, 'it is "+gateway+" or so'), ''"))
	if !strings.Contains(s.Text, "it is alice or so") || strings.Contains(s.Summary.Exception.Message, gateway) {
		t.Errorf("it says %s and %v", s.Text, s.Summary.Exception)
	}
	wrong := &lane{l.Server, newLane(t, l.Server, withPassword("wrong"))}
	wrong.refuses(t, change("INSERT", whose), porterhouse.Unavailable, "Porterhouse's own account")
}

// What this lane has no words for is refused before it is asked, and after it if need be.
func TestLaneRefuses(t *testing.T) {
	l := openLane(t)
	tables := change("INSERT", "INSERT INTO app.t SELECT * FROM x")
	tables.Passage.Tables = func(func(porterhouse.Table, error) bool) {}
	rows := change("INSERT", "INSERT INTO app.t SELECT 1, ''")
	rows.Passage = nil
	endless := change("INSERT", "INSERT INTO app.t SELECT 1, ''")
	endless.Limits.Time = 0
	for _, c := range []struct {
		q    porterhouse.Query
		kind porterhouse.Kind
		says string
	}{
		{tables, porterhouse.Refused, "verify"},
		{rows, porterhouse.Internal, "by the way that has none"},
		{endless, porterhouse.Internal, "no time limit"},
		{change("KILL", "KILL QUERY WHERE 1"), porterhouse.Refused, "verify"},
		{change("SELECT", "SELECT 1"), porterhouse.Refused, "verify"},
		{change("SELECT", "SELECT 1 WHERE 0"), porterhouse.Refused, "verify"},
		{change("SELECT", "SELECT 1 SETTINGS extremes = 1"), porterhouse.Refused, "verify"},
	} {
		l.refuses(t, c.q, c.kind, c.says)
	}
	none := &lane{l.Server, newLane(t, l.Server, func(c *clickhouse.Config) { c.Access.Native = "" })}
	none.refuses(t, change("INSERT", whose), porterhouse.Refused, "access.native")
	// A client that only reads may not write.
	q := change("INSERT", whose)
	q.Passage.ReadOnly = true
	if s := l.says(t, q); !strings.Contains(s.Text, "READONLY") {
		t.Errorf("it says %+v", s)
	}
	// What is ours to set is not the client's, should anybody let it through.
	q = change("INSERT", whose)
	q.Passage.Settings = []porterhouse.Setting{{Name: "readonly", Value: "1"}, {Name: "log_comment", Value: "forged"}}
	l.does(t, q)
	l.text(t, "SYSTEM FLUSH LOGS")
	if got := l.text(t, "SELECT any(log_comment) FROM system.query_log WHERE query_id = '"+q.ID+"'"); strings.Contains(got, "forged") {
		t.Errorf("the log comment is %q", got)
	}
	// What ClickHouse tells of its work is no answer.
	q = change("INSERT", "INSERT INTO app.t SELECT 1, ''")
	q.Passage.Settings = []porterhouse.Setting{{Name: "send_logs_level", Value: "trace"}}
	l.does(t, q)
}

// A statement stops with whoever asked for it, or when its time is up.
func TestLaneStops(t *testing.T) {
	l := openLane(t)
	t.Run("the client is gone", func(t *testing.T) {
		q := change("INSERT", slowly)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := l.as(ctx, t, "alice", q)
			done <- err
		}()
		l.waitFor(t, q.ID, "1")
		begun := time.Now()
		cancel()
		wantError(t, <-done, porterhouse.Canceled, "canceled")
		l.waitFor(t, q.ID, "0")
		t.Logf("it took %v", time.Since(begun))
	})
	t.Run("the time is up", func(t *testing.T) {
		quick := &lane{l.Server, newLane(t, l.Server, impatient)}
		q := change("INSERT", "INSERT INTO app.t SELECT sleepEachRow(1), '' FROM system.numbers LIMIT 1000 SETTINGS max_block_size = 3")
		q.Limits.Time = time.Second
		_, err := quick.as(t.Context(), t, "alice", q)
		wantError(t, err, porterhouse.Timeout, "within the 1s")
		l.waitFor(t, q.ID, "0")
	})
	t.Run("the server is paused", func(t *testing.T) {
		quick := &lane{l.Server, newLane(t, l.Server, impatient)}
		if err := l.Pause(); err != nil {
			t.Fatal(err)
		}
		q := change("INSERT", whose)
		q.Limits.Time = 100 * time.Millisecond
		_, err := quick.as(t.Context(), t, "alice", q)
		if err := l.Resume(); err != nil {
			t.Fatal(err)
		}
		if k, _ := porterhouse.Explain(err); k != porterhouse.Unavailable && k != porterhouse.Timeout {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("a session goes on", func(t *testing.T) {
		l.does(t, in("s", change("SET", "SET max_threads = 3")))
		l.does(t, in("s", change("USE", "USE app")))
		q := in("s", change("INSERT", slowly))
		q.Database = "other"
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := l.as(ctx, t, "alice", q)
			done <- err
		}()
		l.waitFor(t, q.ID, "1")
		cancel()
		wantError(t, <-done, porterhouse.Canceled, "canceled")
		l.does(t, in("s", change("INSERT", "INSERT INTO t SELECT throwIf(currentDatabase() != 'app' OR getSetting('max_threads') != 3), ''")))
	})
}

// Progress is told while a statement runs, in ClickHouse's words.
func TestLaneProgress(t *testing.T) {
	l := openLane(t)
	var lines []string
	q := change("INSERT", strings.Replace(slowly, "100000", "50", 1))
	q.Passage.Progress = func(line string) { lines = append(lines, line) }
	l.does(t, q)
	form := regexp.MustCompile(`^\{"read_rows":"\d+","read_bytes":"\d+","written_rows":"\d+","written_bytes":"\d+","elapsed_ns":"\d+"\}$`)
	if len(lines) < 2 || !form.MatchString(lines[len(lines)-1]) {
		t.Errorf("the lines are %q", lines)
	}
}
