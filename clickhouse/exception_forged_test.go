package clickhouse_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
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

// chosen are statements that fail with a code of their own, which is all that they may have.
var chosen = []struct {
	name, sql string
	code      int
}{
	{"of a failed login", "SELECT throwIf(1, '\n%\n', toInt16(516))", 516},
	{"of a failed login, behind rows", "SELECT '%' AS `%`, throwIf(number = 5, '\n%\n', toInt16(516)) FROM numbers(10)", 516},
	{"of a server's trouble, behind rows", "SELECT '%' AS `%`, throwIf(number = 5, '\n%\n', toInt16(745)) FROM numbers(10)", 745},
	{"none", "SELECT throwIf(1, '\n%\n', toInt16(0))", 0},
	{"none, behind rows", "SELECT '%' AS `%`, throwIf(number = 5, '\n%\n', toInt16(0)) FROM numbers(10)", 0},
	{"below none", "SELECT throwIf(1, '\n%\n', toInt16(-5))", -5},
	{"below none, behind rows", "SELECT '%' AS `%`, throwIf(number = 5, '\n%\n', toInt16(-5)) FROM numbers(10)", -5},
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
				w.askForged(t, way, f.name, f.sql, "", 395)
			}
			for _, c := range chosen {
				w.askForged(t, way, "the code "+c.name, c.sql, " SETTINGS max_block_size = 1, allow_custom_error_code_in_throwif = 1", c.code)
			}
		})
	}
}

// askForged asks a statement with each forgery in it, at both doors.
func (w *town) askForged(t *testing.T, way, name, sql, settings string, code int) {
	t.Helper()
	for i, forgery := range forgeries {
		sql := strings.ReplaceAll(sql, "%", forgery) + settings
		_, err := read(t.Context(), w.ways[way], w.as(t, way, "alice"), question(sql))
		checkTrueCode(t, fmt.Sprintf("%s, %d, as rows", name, i), code, err, nil)
		got, err := w.ask(t, way, "alice", passing(sql+" FORMAT RawBLOB", func(q *porterhouse.Query, _ *porterhouse.Passage) {
			q.Class.Read = true
		}))
		checkTrueCode(t, fmt.Sprintf("%s, %d, as it comes", name, i), code, err, got.Summary.Exception)
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

// Whoever's statement has run has come in, also when ClickHouse has not sent the rows: then
// it names the format of the answer, which it does not of a login that failed.
func TestForgedCodeBehindRows(t *testing.T) {
	t.Parallel()
	w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
		answer := strings.Replace(head(r, "abcdefghijklmnop"), "200 OK", "403 Forbidden\r\nX-ClickHouse-Exception-Code: 516\r\nX-ClickHouse-Format: CSV", 1)
		_, err := io.WriteString(c, answer+chunk(forgeries[0]+"\nCode: 516. DB::Exception: Value passed to 'throwIf' function is non-zero (version 26.7.2.1)\n")+lastChunk)
		return err == nil
	})
	for _, q := range []porterhouse.Query{question("SELECT 1"), passing("SELECT 1", nil)} {
		_, err := w.Query(t.Context(), account(t, "alice"), q)
		if kind, public := porterhouse.Explain(err); err != nil && kind != porterhouse.Failed || err == nil && q.Passage == nil {
			t.Errorf("%s: %s", kind, public)
		}
	}
}

// Before 24.11 servers put their exception behind the rows as it is, and end the body as if
// all were well. However much of a person's text is in it, half an answer is not whole, and
// no word of the exception is a row.
func TestCutByPlainException(t *testing.T) {
	t.Parallel()
	const version = " (CANNOT_PARSE_TEXT) (version 23.8.1.1 (official build))\n"
	for name, exception := range map[string]string{
		"many beginnings":     "Code: 6. DB::Exception: Cannot parse '" + strings.Repeat("Code: ", 100) + "'." + version,
		"very many":           "Code: 6. DB::Exception: Cannot parse '" + strings.Repeat("Code: ", 2000) + "'." + version,
		"many whole ones":     "Code: 6. DB::Exception: Cannot parse '" + strings.Repeat("\nCode: 6. DB::Exception: ", 600) + "'." + version,
		"more than is held":   "Code: 6. DB::Exception: Cannot parse '" + strings.Repeat("Code: 6. DB::Exception: ", 2000) + "'." + version,
		"a long one":          "Code: 6. DB::Exception: Cannot parse '" + strings.Repeat("x", 40_000) + "'." + version,
		"behind places":       strings.Repeat("Code: ", 1000) + "Code: 6. DB::Exception: Cannot parse '" + strings.Repeat("Code: ", 1000) + "'." + version,
		"one in another":      "Code: 279. DB::NetException: All connection tries failed. Log:\n\nCode: 210. DB::NetException: Connection refused (shard-2:9000)." + version,
		"of Keeper":           "Code: 999. Coordination::Exception: Session expired." + version,
		"of the C++ library":  "std::exception. Code: 1001, type: std::length_error, e.what() = basic_string (version 23.8.1.1)\n",
		"of the Poco library": "Poco::Exception. Code: 1000, e.code() = 111, Connection refused (version 21.8.1.1)\n",
	} {
		for format, rows := range map[porterhouse.Format]string{porterhouse.TSVRows: "x\nUInt8\n1\n", porterhouse.JSONRows: "[\"x\"]\n[\"UInt8\"]\n[1]\n", "": "1\n"} {
			w := serve(t, func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
				_, err := io.WriteString(c, head(r, "")+chunk(rows)+chunk(exception)+lastChunk)
				return err == nil
			})
			checkPlainException(t, fmt.Sprintf("%s, %q", name, format), w.Client, format)
		}
	}
}

// checkPlainException asks in a format, or as a client of ClickHouse's own interface.
func checkPlainException(t *testing.T, what string, c *clickhouse.Client, format porterhouse.Format) {
	t.Helper()
	q := passing("SELECT x", nil)
	if format != "" {
		q = question("SELECT x")
		q.Format = format
	}
	answer, err := c.Query(t.Context(), account(t, "alice"), q)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	e, _ := errors.AsType[*porterhouse.Exception](err)
	if format == "" { // ClickHouse's own bytes go on, and the record says what is at their end
		e, err = answer.Summary().Exception, nil
	}
	if e == nil || err != nil && answer.Summary().Cut != porterhouse.CutError {
		t.Errorf("%s: %d bytes, and then %v", what, len(text), err)
	}
	if format != "" && strings.Count(string(text), "\n") != 1 {
		t.Errorf("%s: the rows are %.200q", what, text)
	}
}

// checkTrueCode looks for the code in an error, or else in a summary, and that nothing but
// the code is made of it.
func checkTrueCode(t *testing.T, what string, code int, err error, told *porterhouse.Exception) {
	t.Helper()
	exception, _ := errors.AsType[*porterhouse.Exception](err)
	exception = cmp.Or(exception, told)
	kind, public := porterhouse.Explain(err)
	want := porterhouse.Failed
	if code == 745 {
		want = porterhouse.Unavailable
	}
	if exception == nil || exception.Code != code || err != nil && kind != want {
		t.Errorf("%s: %+v; %s: %.200s", what, exception, kind, public)
	}
	if strings.Contains(public, "could not be read") || err != nil && strings.Contains(strings.ToLower(public), "the operator") {
		t.Errorf("%s: %s", what, public)
	}
}
