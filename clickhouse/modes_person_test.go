package clickhouse_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"porterhouse"
	"porterhouse/clickhouse"
)

// In every way the session is the person's: name, rights, row policies, roles.
func TestModesArePeople(t *testing.T) {
	w := newTown(t)
	w.each(t, func(t *testing.T, way string) {
		alice := user(way, "alice")
		w.says(t, way, "alice", passing("SELECT currentUser(), authenticatedUser()", nil), 200, alice+"\t"+alice+"\n")
		w.says(t, way, "alice", passing("SELECT currentUser()", func(_ *porterhouse.Query, p *porterhouse.Passage) { p.ReadOnly = true }), 200, alice+"\n")
		own := map[bool]string{true: "", false: "alice\n"}[way == "static"]
		w.says(t, way, "alice", passing("SELECT who FROM app.mine", nil), 200, own)

		rows, err := read(t.Context(), w.ways[way], w.as(t, way, "alice"), question("SELECT currentUser()"))
		if err != nil || rows.Text != alice+"\n" {
			t.Errorf("rows: %q, %v", rows.Text, err)
		}
		if way != "static" {
			w.says(t, way, "bob", passing("SELECT count() FROM app.t", nil), 500, "bob: Not enough privileges")
		}
		roles := func(names ...string) func(*porterhouse.Query, *porterhouse.Passage) {
			return func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Roles = names }
		}
		w.says(t, way, "alice", passing("SELECT arraySort(currentRoles())", nil), 200, "['reader','writer']\n")
		w.says(t, way, "alice", passing("SELECT currentRoles()", roles("writer")), 200, "['writer']\n")
		w.says(t, way, "alice", passing("SELECT arraySort(currentRoles())", roles("writer", "reader")), 200, "['reader','writer']\n")
		w.says(t, way, "alice", passing("SELECT count() FROM app.t", roles("writer")), 500, "Not enough privileges")
		w.says(t, way, "alice", passing("SELECT 1", roles("nobody&user=default")), 404, "no role `nobody&user=default`")
	})
}

// A read cannot write, whatever its text says, and no SETTINGS clause lifts that.
func TestReadsCannotWrite(t *testing.T) {
	w := newTown(t)
	w.each(t, func(t *testing.T, way string) {
		for _, sql := range []string{
			"INSERT INTO app.t SELECT 1, 'written'",
			"INSERT INTO app.t SETTINGS readonly = 0 SELECT 1, 'written'",
			"CREATE TABLE app.u (a Int8) ENGINE = Memory",
			"CREATE TABLE app.u ENGINE = Memory AS SELECT 1 SETTINGS readonly = 0",
		} {
			w.says(t, way, "alice", passing(sql, nil), 500, "(READONLY)")
			if _, err := read(t.Context(), w.ways[way], w.as(t, way, "alice"), question(sql)); err == nil {
				t.Errorf("%s ran as a question for rows", sql)
			}
		}
	})
	if n, err := w.Text(t.Context(), "SELECT count() FROM app.t"); err != nil || n != "0" {
		t.Errorf("%s rows, %v", n, err)
	}
}

// query_log says who asked, in our words only: neither a second log_comment, nor one
// in other letters or escapes, gets through.
func TestAttribution(t *testing.T) {
	w := newTown(t)
	w.each(t, func(t *testing.T, way string) {
		var ids []string
		for _, forged := range [][]porterhouse.Setting{
			nil,
			{{Name: "log_comment", Value: "forged"}},
			{{Name: "max_threads", Value: "1&log_comment=forged"}, {Name: "log_comment", Value: "forged"}, {Name: "log_comment", Value: ""}},
		} {
			q := passing("SELECT getSetting('log_comment')", func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Settings = forged })
			if len(forged) == 3 {
				w.says(t, way, "alice", q, 400, "expected 'eof' before: '&log_comment=forged'") // one value, and no number
				continue
			}
			ids = append(ids, q.ID)
			w.says(t, way, "alice", q, 200, q.Comment+"\n")
		}
		for _, name := range []string{"LOG_COMMENT", "log%5fcomment", "log_comment=x&log_comment"} {
			q := passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
				p.Settings = []porterhouse.Setting{{Name: name, Value: "forged"}}
			})
			w.says(t, way, "alice", q, 404, "Unknown setting")
		}
		if err := w.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err != nil {
			t.Fatal(err)
		}
		got, err := w.Text(t.Context(), fmt.Sprintf("SELECT DISTINCT user, log_comment LIKE '{\"rid\":\"test-%%' FROM system.query_log WHERE query_id IN ('%s')", strings.Join(ids, "', '")))
		if want := user(way, "alice") + "\t1"; err != nil || got != want {
			t.Errorf("the log has %q, %v; want %q", got, err, want)
		}
	})
}

func saysNothing(net.Conn, *http.Request, <-chan struct{}) bool { return false }

// What ClickHouse would take for another user, statement or id, gets no further when
// it comes as a setting, however it is written.
func TestSettingsAreSettings(t *testing.T) {
	t.Parallel()
	w := serve(t, saysNothing)
	for _, name := range []string{"", "user", "password", "PASSWORD", "Query_ID", "query", "role", "quota_key", "session_id", "param_x", "Param_x", "database", "default_format", "decompress", "compress", "stacktrace"} {
		q := passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Settings = []porterhouse.Setting{{Name: name, Value: "x"}}
		})
		_, err := w.Query(t.Context(), account(t, "alice"), q)
		wantError(t, err, porterhouse.Refused, "no setting")
	}
	for _, name := range []string{"user", "query_id", "max_threads", "Compress"} {
		q := passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Options = []porterhouse.Setting{{Name: name, Value: "x"}}
		})
		_, err := w.Query(t.Context(), account(t, "alice"), q)
		wantError(t, err, porterhouse.Refused, "none that goes on")
	}
	long := passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
		p.Settings = []porterhouse.Setting{{Name: "max_threads", Value: strings.Repeat("%", 200<<10)}}
	})
	_, err := w.Query(t.Context(), account(t, "alice"), long)
	wantError(t, err, porterhouse.Invalid, "an address")
	q := passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Accept = "gzip\r\nX-ClickHouse-User: default" })
	_, err = w.Query(t.Context(), account(t, "alice"), q)
	wantError(t, err, porterhouse.Invalid, "Accept-Encoding")
	if n := w.requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// What is ours to set is set once, whatever else comes.
func TestOursIsOnce(t *testing.T) {
	t.Parallel()
	sent := make(chan url.Values, 1)
	w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
		sent <- r.URL.Query()
		io.WriteString(c, head(r, "")+lastChunk)
		return true
	}, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Static })
	q := passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
		p.Settings = []porterhouse.Setting{{Name: "log_comment", Value: "x"}, {Name: "readonly", Value: "0"}, {Name: "cancel_http_readonly_queries_on_client_close", Value: "0"}, {Name: "max_threads", Value: "1"}}
	})
	if _, err := pass(t.Context(), w.Client, account(t, "alice"), q); err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"query_id": {q.ID}, "log_comment": {q.Comment}, "readonly": {"2"},
		"cancel_http_readonly_queries_on_client_close": {"1"}, "max_threads": {"1"}, "quota_key": {"somebody"},
	}
	if diff := cmp.Diff(want, <-sent); diff != "" {
		t.Error(diff)
	}
}

// Settings, options, parameters and codings get to ClickHouse as the client sent them.
func TestPassageTravels(t *testing.T) {
	w := newTown(t)
	w.each(t, func(t *testing.T, way string) {
		w.says(t, way, "alice", passing("SELECT getSetting('max_threads'), {p:String}, currentDatabase() FORMAT TSV", func(q *porterhouse.Query, p *porterhouse.Passage) {
			q.Params, q.Database = map[string]string{"p": "a&b=c%20é"}, "app"
			p.Settings = []porterhouse.Setting{{Name: "max_threads", Value: "3"}, {Name: "max_threads", Value: "2"}}
		}), 200, "2\ta&b=c%20é\tapp\n")
		got, err := w.ask(t, way, "alice", passing("SELECT number FROM numbers(1000)", func(q *porterhouse.Query, p *porterhouse.Passage) {
			q.Format = "JSONEachRow"
			p.Accept = "gzip"
			p.Settings = []porterhouse.Setting{{Name: "enable_http_compression", Value: "1"}}
			p.Options = []porterhouse.Setting{{Name: "wait_end_of_query", Value: "1"}}
		}))
		if err != nil || got.field("Content-Encoding") != "gzip" || got.field("X-ClickHouse-Format") != "JSONEachRow" || !strings.HasPrefix(got.Text, "\x1f\x8b") || !strings.Contains(got.field("X-ClickHouse-Summary"), `"result_rows":"1000"`) {
			t.Errorf("%+v, %v", got, err)
		}
		table := porterhouse.Table{Name: "ext", Fields: []porterhouse.Setting{{Name: "structure", Value: "a Int32"}, {Name: "format", Value: "TSV"}}, Data: strings.NewReader("1\n2\n")}
		w.says(t, way, "alice", passing("SELECT sum(a) FROM ext", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Tables = func(yield func(porterhouse.Table, error) bool) { yield(table, nil) }
		}), 200, "3\n")
	})
}

// An INSERT arrives whole: with data of known and of unknown size, small and large.
func TestModesInsert(t *testing.T) {
	w := newTown(t)
	w.each(t, func(t *testing.T, way string) {
		large := bytes.Repeat([]byte("7\tsome words to fill a line\n"), 50<<20/28)
		for what, data := range map[string][]byte{"small": []byte("1\ta\n2\tb\n"), "large": large} {
			for _, size := range []int64{int64(len(data)), -1} {
				q := writing("INSERT INTO app.t FORMAT TSV", io.MultiReader(bytes.NewReader(data)), size)
				got, err := w.ask(t, way, "alice", q)
				if err != nil || got.Status != http.StatusOK || got.Summary.Sent != int64(len(data)) || got.Summary.Written != int64(bytes.Count(data, []byte("\n"))) {
					t.Errorf("%s: %d %q %+v, %v", what, got.Status, got.Text, got.Summary, err)
				}
			}
		}
		w.says(t, way, "alice", writing("INSERT INTO app.t VALUES (1, 'x'),", strings.NewReader("(2, 'y')"), 8), 200, "")
		n, err := w.Text(t.Context(), "SELECT count() FROM app.t")
		if want := fmt.Sprint(2*(2+len(large)/28) + 2); err != nil || n != want {
			t.Errorf("%s rows, %v; want %s", n, err, want)
		}
		if err := w.Exec(t.Context(), "TRUNCATE TABLE app.t"); err != nil {
			t.Fatal(err)
		}
		if way != "static" {
			w.says(t, way, "bob", writing("INSERT INTO app.t FORMAT TSV", strings.NewReader("1\ta\n"), 4), 500, "bob: Not enough privileges")
		}
	})
}
