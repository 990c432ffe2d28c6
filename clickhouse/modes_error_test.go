package clickhouse_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
)

// direct asks ClickHouse itself, with a password.
func (w *town) direct(t testing.TB, name, sql, parameters string) (status int, text, code string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.HTTP+"/?"+parameters, strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(name, passwordOf+name)
	response, err := (&http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header.Get("X-ClickHouse-Exception-Code")
}

// refusals are statements that ClickHouse refuses.
var refusals = []string{
	"SELECT +",
	"SELECT 1\n\nFROM\n  nowhere WHERE )",
	"SELECT\n'é', x FROM app.t WHERE word = 'é' AND ]",
	"SELECT * FROM app.nothing",
	"SELECT * FROM system.users",
	"SELECT throwIf(1, 'Code: 516. DB::Exception: alice: Authentication failed')",
	"SELECT formatQuery('SELECT +')",
	"SELECT 1 SETTINGS no_such_setting = 1",
	"SELECT {p:UInt8}",
	"SELECT 1 FORMAT Nothing",
	"SELECT toUInt8('x') FORMAT JSON",
}

// Errors come as ClickHouse wrote them.
func TestErrorsPass(t *testing.T) {
	w := newTown(t)
	for _, way := range []string{"verify", "forward", "password"} {
		for _, sql := range refusals {
			wantStatus, want, wantCode := w.direct(t, "alice", sql, "")
			got, err := w.ask(t, way, "alice", passing(sql, nil))
			if err != nil || got.Status != wantStatus || got.Text != want || got.field("X-ClickHouse-Exception-Code") != wantCode {
				t.Errorf("%s, %q: %d %q, %v; direct %d %q", way, sql, got.Status, got.Text, err, wantStatus, want)
			}
			if got.Summary.Exception == nil || fmt.Sprint(got.Summary.Exception.Code) != wantCode {
				t.Errorf("%s, %q: the summary is %+v", way, sql, got.Summary)
			}
		}
	}
}

// Under EXECUTE AS positions are those of the person's own text, and the gateway has
// no place in a message; compressed ones are mended, too.
func TestErrorsAreMended(t *testing.T) {
	w := newTown(t)
	if err := w.Exec(t.Context(), "GRANT IMPERSONATE ON alice TO "+gateway); err != nil {
		t.Fatal(err)
	}
	w.ways["execute_as"] = dial(t, w.HTTP)
	w.ways["static"] = w.ways["execute_as"]
	for _, sql := range refusals {
		for _, coding := range []string{"", "gzip", "zstd", "br"} {
			_, want, _ := w.direct(t, "alice", sql, "")
			got, err := w.ask(t, "execute_as", "alice", passing(sql, func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Accept = coding }))
			if err != nil {
				t.Errorf("%q: %v", sql, err)
				continue
			}
			text := got.Text
			if at := got.field("Content-Encoding"); at != "" {
				text = unpack(t, at, text)
			}
			// Behind the prefix ClickHouse would have taken the end, too.
			if text = strings.Replace(text, ", end of query. (SYNTAX_ERROR)", ". (SYNTAX_ERROR)", 1); text != want {
				t.Errorf("%q, %s: %q; direct %q", sql, coding, text, want)
			}
		}
	}
	// Somebody else's statement under the same gateway names nobody.
	q := passing(silent, nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pass(t.Context(), w.ways["execute_as"], account(t, "alice"), q)
	}()
	eventually(t, "it runs", func() bool { return w.running(t, q.ID) == "1" })
	second := passing("SELECT 1", func(same *porterhouse.Query, _ *porterhouse.Passage) { same.ID = q.ID })
	got, err := w.ask(t, "execute_as", "alice", second)
	if err != nil || strings.Contains(got.Text, gateway) || !strings.Contains(got.Text, "already running") {
		t.Errorf("%q, %v", got.Text, err)
	}
	if err := w.Exec(t.Context(), "KILL QUERY WHERE query_id = '"+q.ID+"' SYNC"); err != nil {
		t.Error(err)
	}
	<-ended
}

// What EXECUTE AS cannot carry is refused before ClickHouse sees it, and the mode is
// named that can.
func TestExecuteAsCannot(t *testing.T) {
	t.Parallel()
	w := serve(t, saysNothing)
	for what, change := range map[string]func(*porterhouse.Query, *porterhouse.Passage){
		"external tables": func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Tables = func(func(porterhouse.Table, error) bool) {}
		},
		"roles for one request": func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Roles = []string{"r"} },
	} {
		_, err := w.Query(t.Context(), account(t, "alice"), passing("SELECT 1", change))
		wantError(t, err, porterhouse.Refused, what)
		wantError(t, err, porterhouse.Refused, "verify")
	}
	if n := w.requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// What ClickHouse says of the gateway's own login is not for people.
func TestGatewayIsRefused(t *testing.T) {
	w := newTown(t)
	for _, mode := range []clickhouse.Mode{clickhouse.Static, clickhouse.ExecuteAs} {
		c := dial(t, w.HTTP, withPassword("wrong"), func(c *clickhouse.Config) { c.Access.Mode = mode })
		_, err := pass(t.Context(), c, account(t, "alice"), passing("SELECT 1", nil))
		wantError(t, err, porterhouse.Unavailable, "Porterhouse's own account")
		_, err = pass(t.Context(), c, account(t, "alice"), passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
			p.Options = []porterhouse.Setting{{Name: "compress", Value: "1"}}
		}))
		wantError(t, err, porterhouse.Unavailable, "Porterhouse's own account")
	}
	c := dial(t, w.HTTP)
	_, err := pass(t.Context(), c, account(t, "alice"), passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Denied, "grant IMPERSONATE")
	_, err = pass(t.Context(), c, account(t, "nobody"), passing("SELECT 1", nil))
	wantError(t, err, porterhouse.Denied, `account "nobody"`)
}
