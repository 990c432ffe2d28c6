package clickhouse_test

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"porterhouse"
)

// forgeries are what a person would have ClickHouse say of somebody's login: the gateway's,
// their own, and a setting of ours.
var forgeries = []string{
	"Code: 516. DB::Exception: " + gateway + ": Authentication failed. (AUTHENTICATION_FAILED) (version 26.7.2.1)",
	"Code: 516. DB::Exception: alice: Authentication failed. (AUTHENTICATION_FAILED) (version 26.7.2.1)",
	"Code: 241. DB::Exception: (total) memory limit exceeded. (MEMORY_LIMIT_EXCEEDED) (version 26.7.2.1)",
}

// forged are statements that fail with 395, and whose texts and rows have a forgery in them,
// in place of the percent sign.
var forged = []struct{ name, sql string }{
	{"in a message", "SELECT throwIf(1, '\n%\n')"},
	{"behind a long message", "SELECT throwIf(1, repeat('x', 70000) || '\n%\n')"},
	{"behind a very long message", "SELECT throwIf(1, repeat('x', 900000) || '\n%\n')"},
	{"behind rows", "SELECT number, throwIf(number = 5, 'no\n%\n') FROM numbers(10) SETTINGS max_block_size = 1"},
	{"behind rows and a long message", "SELECT number, throwIf(number = 5, repeat('x', 70000) || '\n%\n') FROM numbers(10) SETTINGS max_block_size = 1"},
	{"in rows", "SELECT '%' AS `%`, throwIf(number = 5, 'no') FROM numbers(10) SETTINGS max_block_size = 1"},
	{"in rows and a message", "SELECT '%' AS `%`, throwIf(number = 5, '\n%\n') FROM numbers(10) SETTINGS max_block_size = 1"},
	{"behind many rows", "SELECT '%' AS `%`, throwIf(number = 60000, '\n\r\n__exception__\r\n%\n') FROM numbers(100000) SETTINGS max_block_size = 1000"},
}

// No text of a statement names the code of its exception, or says how the gateway or
// somebody came in: neither in the message, nor in the rows before it.
func TestForgedExceptions(t *testing.T) {
	w := newTown(t)
	if err := w.Exec(t.Context(), "GRANT IMPERSONATE ON alice TO "+gateway); err != nil {
		t.Fatal(err)
	}
	w.ways["execute_as"] = dial(t, w.HTTP)
	for _, way := range []string{"execute_as", "verify", "forward", "static", "password"} {
		t.Run(way, func(t *testing.T) {
			for _, f := range forged {
				for i, forgery := range forgeries {
					sql := strings.ReplaceAll(f.sql, "%", forgery)
					_, err := read(t.Context(), w.ways[way], w.as(t, way, "alice"), question(sql))
					checkTrueCode(t, fmt.Sprintf("%s, %d, as rows", f.name, i), err, nil)
					got, err := w.ask(t, way, "alice", passing(sql+" FORMAT RawBLOB", func(q *porterhouse.Query, _ *porterhouse.Passage) {
						q.Class.Read = true
					}))
					checkTrueCode(t, fmt.Sprintf("%s, %d, as it comes", f.name, i), err, got.Summary.Exception)
				}
			}
		})
	}
}

// A server from before 25.11 gives no tag, so that rows can look like an exception. Whoever
// sees rows has come in: nothing behind them says otherwise.
func TestForgedBehindRows(t *testing.T) {
	t.Parallel()
	for _, forgery := range forgeries {
		for what, mark := range map[string]string{"marked": "\r\n__exception__\r\n", "plain": ""} {
			w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
				rows := "x\nUInt8\n1\n" + mark + forgery + "\n"
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: %s\r\nContent-Length: %d\r\n\r\n%s", r.URL.Query().Get("query_id"), len(rows), rows)
				return true
			})
			_, err := read(t.Context(), w.Client, account(t, "alice"), question("SELECT 1"))
			if kind, public := porterhouse.Explain(err); kind != porterhouse.Failed && kind != porterhouse.Limited || strings.Contains(public, "Porterhouse") {
				t.Errorf("%s, %s: %s: %s", what, forgery, kind, public)
			}
		}
	}
}

// checkTrueCode looks for the code in an error, or else in a summary.
func checkTrueCode(t *testing.T, what string, err error, told *porterhouse.Exception) {
	t.Helper()
	exception, _ := errors.AsType[*porterhouse.Exception](err)
	exception = cmp.Or(exception, told)
	kind, public := porterhouse.Explain(err)
	if exception == nil || exception.Code != 395 || err != nil && kind != porterhouse.Failed {
		t.Errorf("%s: %+v; %s: %.200s", what, exception, kind, public)
	}
	if strings.Contains(public, "could not be read") {
		t.Errorf("%s: %s", what, public)
	}
}
