package clickhouse_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// oldServer is a persona of an old version, and a client of it in the mode Static.
type oldServer struct {
	*clickhouse.Client
	requests atomic.Int64 // that the client has sent
}

// age lets a persona stand in front of the real server.
func age(t *testing.T, real *sandbox.Server, name string) *oldServer {
	t.Helper()
	target, err := url.Parse(dressed(t, real, name).URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"GRANT SELECT, INSERT ON app.* TO " + fake.Gateway, "GRANT SELECT ON system.numbers TO " + fake.Gateway,
		"GRANT SELECT(query, query_id, user, Settings) ON system.processes TO " + fake.Gateway,
		"CREATE OR REPLACE TABLE app.t (a Int32) ENGINE = Memory",
	} {
		if err := real.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	o := &oldServer{}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		o.requests.Add(1)
		r.SetURL(target)
	}})
	t.Cleanup(front.Close)
	o.Client = dial(t, front.URL, func(c *clickhouse.Config) {
		c.User, c.Password = fake.Gateway, porterhouse.NewSecret(fake.Password)
		c.Access.Mode = clickhouse.Static
	})
	return o
}

// old are the personas that do not know all that we send, and what differs.
var old = []struct {
	persona  string
	extra    int64 // requests, until it is known what has to be left out: two for each setting
	decimals string
	inserts  bool // takes an INSERT with data
}{
	{"21.8", 4, "[1.10]\n", false},
	{"22.8", 4, "[1.10]\n", true},
	{"no-secret", 2, "[\"1.10\"]\n", true}, // 23.3
	{"23.8", 2, "[\"1.10\"]\n", true},
}

// Old servers answer: what they do not know of our settings is left out, after one
// refusal of each, and not again with every statement.
func TestOldServersRows(t *testing.T) {
	t.Parallel()
	real := sandbox.ForTest(t, sandbox.Options{Init: []string{"CREATE DATABASE app"}})
	for _, test := range old {
		t.Run(test.persona, func(t *testing.T) {
			o, alice := age(t, real, test.persona), account(t, fake.Alice)
			decimals := question("SELECT toDecimal32(1.1, 2) AS d SETTINGS output_format_decimal_trailing_zeros = 1")
			decimals.Format = porterhouse.JSONRows
			for i, want := range []int64{1 + test.extra, 1, 1} {
				before := o.requests.Load()
				got, err := read(t.Context(), o.Client, alice, decimals)
				if err != nil || got.Text != test.decimals || o.requests.Load()-before != want {
					t.Errorf("the %d. question: %q, %v, by %d requests", i+1, got.Text, err, o.requests.Load()-before)
				}
				decimals.ID += "i"
			}
			if server, err := o.Check(t.Context(), "{}"); err != nil || !strings.HasPrefix(server.Version, "2") {
				t.Errorf("the check: %+v, %v", server, err)
			}
			own := alice
			own.Password = porterhouse.NewSecret(fake.Password)
			if got, err := read(t.Context(), o.Client, own, question("SELECT currentUser()")); err != nil || got.Text != fake.Alice+"\n" {
				t.Errorf("with a password of one's own: %q, %v", got.Text, err)
			}
		})
	}
}

// An answer of an old server is whole, or says that it is not; and an error of its is
// told as one of today's.
func TestOldServersErrors(t *testing.T) {
	t.Parallel()
	real := sandbox.ForTest(t, sandbox.Options{Init: []string{"CREATE DATABASE app"}})
	for _, test := range old {
		t.Run(test.persona, func(t *testing.T) {
			o, alice := age(t, real, test.persona), account(t, fake.Alice)
			failsLate(t, o.Client, alice)
			_, err := read(t.Context(), o.Client, alice, question("SELECT nosuch"))
			wantError(t, err, porterhouse.Failed, "nosuch")
			_, err = read(t.Context(), o.Client, alice, question("SELECT 1 SETTINGS http_write_exception_in_output_format = 0"))
			wantError(t, err, porterhouse.Failed, "Unknown setting http_write_exception_in_output_format") // theirs is told to them

			answer, err := o.Query(t.Context(), alice, question("SELECT number FROM system.numbers LIMIT 1000 SETTINGS max_block_size = 1"))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if stats := o.Stats(); stats.KillFailures > 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// failsLate asks what fails after many rows: before ClickHouse has sent the first of them
// (it keeps a megabyte), and after.
func failsLate(t *testing.T, client *clickhouse.Client, as porterhouse.Account) {
	t.Helper()
	for _, format := range []porterhouse.Format{porterhouse.TSVRows, porterhouse.JSONRows} {
		for _, last := range []string{"70000", "300000"} {
			q := question("SELECT number, throwIf(number = " + last + ", 'too bad') FROM system.numbers SETTINGS max_block_size = 10000")
			q.Format = format
			got, err := read(t.Context(), client, as, q)
			exception, _ := errors.AsType[*porterhouse.Exception](err)
			if exception == nil || exception.Code != 395 || !strings.Contains(exception.Message, "too bad") {
				t.Errorf("%s, at %s: %d bytes, %v", format, last, len(got.Text), err)
			}
			if strings.Contains(got.Text, "Code:") || strings.Contains(got.Text, "exception") {
				t.Errorf("%s, at %s: the exception is among the rows: …%.100s", format, last, got.Text[max(0, len(got.Text)-100):])
			}
		}
	}
}

// A failure after many rows is told on a server of today, too.
func TestLateFailure(t *testing.T) {
	t.Parallel()
	h := open(t)
	failsLate(t, h.Client, account(t, "alice"))
}

// An exception behind rows that ClickHouse had not sent yet comes with them, and with the
// status of an exception.
func TestExceptionBehindRows(t *testing.T) {
	t.Parallel()
	rows := strings.Repeat("Code: 1. DB::Exception: no, a row (version 1.1)\n", 5_000)
	for _, text := range []string{
		"Code: 395. DB::Exception: too bad. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO) (version 26.7.2.1)\n",
		"Code: 395, e.displayText() = DB::Exception: too bad (version 21.8.15.7 (official build))\n",
		"Code: 395. DB::Exception: too bad\nCode: 516. DB::Exception: alice: Authentication failed. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO) (version 26.7.2.1)\n",
	} {
		body := rows + text
		w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
			fmt.Fprintf(c, "HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Query-Id: %s\r\nX-ClickHouse-Exception-Code: 395\r\nContent-Length: %d\r\n\r\n%s", r.URL.Query().Get("query_id"), len(body), body)
			return true
		})
		_, err := read(t.Context(), w.Client, account(t, "alice"), question("SELECT 1"))
		if exception, ok := errors.AsType[*porterhouse.Exception](err); !ok || exception.Code != 395 || !strings.HasPrefix(exception.Message, "too bad") {
			t.Errorf("%s: %+v, %v", text, exception, err)
		}
	}
}

// What a client of the HTTP interface sends to an old server goes on as it is; what
// would be read there as something else than it is, is refused by name.
func TestOldServersPassages(t *testing.T) {
	t.Parallel()
	real := sandbox.ForTest(t, sandbox.Options{Init: []string{"CREATE DATABASE app"}})
	for _, test := range old {
		t.Run(test.persona, func(t *testing.T) {
			o, alice := age(t, real, test.persona), account(t, fake.Alice)
			ask := func(sql string, change func(q *porterhouse.Query)) (status int, text string, err error) {
				q := question(sql)
				q.Format, q.Passage, q.Class.Read = "", &porterhouse.Passage{}, true
				change(&q)
				answer, err := o.Query(t.Context(), alice, q)
				if err != nil {
					return 0, "", err
				}
				defer answer.Body.Close()
				body, err := io.ReadAll(answer.Body)
				return answer.Head.Status, string(body), err
			}
			if status, text, err := ask("SELECT 1 AS x FORMAT JSONEachRow", func(*porterhouse.Query) {}); status != http.StatusOK || text != "{\"x\":1}\n" || err != nil {
				t.Errorf("a read: %d %q %v", status, text, err)
			}
			before := o.requests.Load()
			status, text, err := ask("SELECT 1", func(q *porterhouse.Query) {
				q.Passage.Settings = []porterhouse.Setting{{Name: "http_write_exception_in_output_format", Value: "1"}}
			})
			if status != http.StatusNotFound || !strings.Contains(text, "Unknown setting http_write") || err != nil || o.requests.Load() != before+1 {
				t.Errorf("a setting of one's own: %d %q %v, by %d requests", status, text, err, o.requests.Load()-before)
			}
			_, _, err = ask("INSERT INTO app.t FORMAT CSV", func(q *porterhouse.Query) {
				q.Class.Read, q.Class.Verb, q.Class.Data = false, "INSERT", true
				q.Passage.Data, q.Passage.Size = strings.NewReader("3\n"), 2
			})
			rows, _ := real.Text(t.Context(), "SELECT count() FROM app.t")
			if test.inserts && (err != nil || rows != "1") {
				t.Errorf("an INSERT: %v, %s rows", err, rows)
			}
			if !test.inserts {
				wantError(t, err, porterhouse.Refused, "an INSERT with data cannot be sent to a ClickHouse older than 22.4")
				if rows != "0" {
					t.Errorf("%s rows of an INSERT that was refused", rows)
				}
			}
			status, text, err = ask("INSERT INTO app.t SELECT 7", func(q *porterhouse.Query) { q.Class.Read, q.Class.Verb = false, "INSERT" })
			if status != http.StatusOK || err != nil {
				t.Errorf("INSERT … SELECT: %d %q %v", status, text, err)
			}
		})
	}
}
