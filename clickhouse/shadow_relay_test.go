package clickhouse_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"porterhouse/clickhouse"
)

// relay stands before ClickHouse's HTTP interface, and has it answer another statement
// than the one that was to be compared: so one mode shows what the other does not.
type relay struct {
	url     string
	instead atomic.Pointer[func(sql string) string] // nil: as it is
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{}
	quiet := log.New(io.Discard, "", 0) // of answers that ClickHouse breaks off
	proxy := &httputil.ReverseProxy{ErrorLog: quiet, FlushInterval: -1, Transport: &http.Transport{DisableCompression: true}, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		instead := r.instead.Load()
		if instead == nil || !strings.HasPrefix(p.In.URL.Query().Get("query_id"), "shadow-") {
			return
		}
		sql, _ := io.ReadAll(p.In.Body)
		text := (*instead)(string(sql))
		p.Out.Body, p.Out.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// swap has ClickHouse answer a text that has something else in the place of from.
func (r *relay) swap(from, to string) {
	instead := func(sql string) string { return strings.Replace(sql, from, to, 1) }
	r.instead.Store(&instead)
}

// What a relay changes on one side is found, as what it is, and told without the text and
// without a value.
func TestShadowFindsWhatARelayChanges(t *testing.T) {
	w := newTwoWays(t)
	r := newRelay(t, w.HTTP)
	var told logged
	for _, mode := range []clickhouse.Mode{clickhouse.ExecuteAs, clickhouse.Verify} {
		for _, test := range []struct {
			name, sql, from, to string
			want                clickhouse.DifferenceKind // "": none
		}{
			{"another user", "SELECT 1", "currentUser()", "'mallory'", clickhouse.DiffersInUser},
			{"other roles", "SELECT 1", "enabledRoles()", "['reader', 'admin']", clickhouse.DiffersInRoles},
			{"the name of a column", "SELECT a AS secretname FROM app.t", "secretname", "othername", clickhouse.DiffersInColumns},
			{"the type of a column", "SELECT a FROM app.t", "SELECT a", "SELECT toInt64(a) AS a", clickhouse.DiffersInColumns},
			{"a column less", "SELECT a, word FROM app.t", ", word", "", clickhouse.DiffersInColumns},
			{"columns that change places", "SELECT a, word FROM app.t", "a, word", "word, a", clickhouse.DiffersInColumns},
			{"one value", "SELECT a FROM app.t", "a FROM", "if(a = 7, 4711, a)::Int32 AS a FROM", clickhouse.DiffersInValues},
			{"values that change places within rows", "SELECT word AS x, f AS y FROM app.t WHERE a < 2", "word AS x", "toString(1 - toInt8(word)) AS x", clickhouse.DiffersInValues},
			{"NULL for nothing", "SELECT '' :: Nullable(String) AS x", "''", "NULL", clickhouse.DiffersInValues},
			{"a row less", "SELECT a FROM app.t", "app.t", "app.t WHERE a != 7", clickhouse.DiffersInRows},
			{"a row twice", "SELECT a FROM app.t", "FROM app.t", "FROM app.t UNION ALL SELECT 7::Int32", clickhouse.DiffersInRows},
			{"a row for another", "SELECT a FROM app.t", "FROM app.t", "FROM app.t WHERE a != 7 UNION ALL SELECT 8::Int32", clickhouse.DiffersInValues},
			{"no rows", "SELECT a FROM app.t", "app.t", "app.t WHERE a < 0", clickhouse.DiffersInRows},
			{"an exception that is swallowed", "SELECT throwIf(number = 3) FROM numbers(9)", "= 3", "= 333", clickhouse.DiffersInError},
			{"an exception of one side", "SELECT throwIf(number = 90000) FROM numbers(90000)", "(90000)", "(95000)", clickhouse.DiffersInError},
			{"another exception", "SELECT no_such_column", "no_such_column", "noSuchFunction()", clickhouse.DiffersInError},
			{"rights that one side has", "SELECT count() FROM app.hidden", "app.hidden", "app.t", clickhouse.DiffersInRights},
			{"rights that the other has", "SELECT count() FROM app.t", "app.t", "app.hidden", clickhouse.DiffersInRights},
			{"the order of rows", "SELECT a FROM app.t ORDER BY a", "ORDER BY a", "ORDER BY a DESC", ""},
			{"how rows come in blocks", "SELECT a FROM app.t", "app.t", "app.t SETTINGS max_block_size = 10", ""},
			{"the last digits of a sum", "SELECT sum(f) AS s FROM app.t", "sum(f)", "sum(f) * 1.0000000000001", ""},
		} {
			t.Run(string(mode)+", "+test.name, func(t *testing.T) {
				r.swap(test.from, test.to)
				w.url = r.url
				c := w.client(t, clickhouse.Interserver, mode, told.into)
				o := outcome(t, c, "alice", reading(test.sql))
				d := last(c)
				if test.want == "" && o != clickhouse.ShadowSame || test.want != "" && (o != clickhouse.ShadowDifferent || d.Kind != test.want) {
					t.Errorf("%s, %+v; want %q", o, d, test.want)
				}
				if test.want != "" && (d.Account != "alice" || !strings.HasPrefix(d.QueryID, "test-") || d.Record != d.QueryID || d.Saw[0] == "" || d.Saw[1] == "") {
					t.Errorf("%+v", d)
				}
			})
		}
	}
	for _, never := range []string{"SELECT", "secretname", "othername", "4711", "app.", "no_such_column"} {
		if strings.Contains(told.String(), never) {
			t.Errorf("the log has %q:\n%s", never, told.String())
		}
	}
	if !strings.Contains(told.String(), "kind=rights") || !strings.Contains(told.String(), `saw="1000 rows" shadow=verify shadow_saw="999 rows"`) {
		t.Errorf("the log:\n%s", told.String())
	}
}

// What is another thing each time is no difference.
func TestShadowUnstable(t *testing.T) {
	w := newTwoWays(t)
	r := newRelay(t, w.HTTP)
	w.url = r.url
	c := w.client(t, clickhouse.Interserver, clickhouse.ExecuteAs)
	var n atomic.Int64
	instead := func(sql string) string {
		return strings.Replace(sql, "0 AS", strings.Repeat("1", int(n.Add(1)))+" AS", 1)
	}
	r.instead.Store(&instead)
	if o := outcome(t, c, "alice", reading("SELECT toString(0 AS x)")); o != clickhouse.ShadowUnstable {
		t.Errorf("%s, %+v", o, last(c))
	}
}
