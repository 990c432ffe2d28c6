package clickhouse_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

func TestExceptions(t *testing.T) {
	h := open(t, func(c *clickhouse.Config) { c.MaxConnections = 4 })
	for _, sql := range []string{
		"CREATE USER reader SETTINGS readonly = 1, max_execution_time = 5 MAX 20",
		"GRANT IMPERSONATE ON reader TO " + gateway,
		"GRANT IMPERSONATE ON ghost* TO " + gateway,
		"CREATE USER carol",
		"GRANT CREATE TEMPORARY TABLE, REMOTE ON *.* TO alice",
		"CREATE QUOTA ten FOR INTERVAL 1 hour MAX read_rows = 10 TO bob",
	} {
		if err := h.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("before the first byte", func(t *testing.T) { testExceptionsBefore(t, h) })
	t.Run("positions", func(t *testing.T) { testPositions(t, h) })
	t.Run("after the first byte", func(t *testing.T) { testExceptionsAfter(t, h) })
	t.Run("time", func(t *testing.T) { testTimeLimit(t, h) })
	t.Run("names", func(t *testing.T) { testCodeNames(t, h) })
	before := h.Stats().ConnectionsOpened
	for range 20 {
		if _, err := h.Query(t.Context(), account(t, "alice"), question("SELECT "+strings.Repeat("nope", 200))); err == nil {
			t.Fatal("no error")
		}
	}
	if opened := h.Stats().ConnectionsOpened - before; opened > 1 {
		t.Errorf("20 exceptions took %d connections", opened)
	}
}

func testExceptionsBefore(t *testing.T, h *house) {
	for _, test := range []struct {
		as, sql string
		memory  int64
		kind    porterhouse.Kind
		code    int
		public  string // that it says
	}{
		{"alice", "SELECT * FROM system.users", 0, porterhouse.Denied, 497, "ClickHouse 497 (ACCESS_DENIED): alice: Not enough privileges"},
		{"alice", "SELECT * FROM app.tt", 0, porterhouse.Failed, 60, "ClickHouse 60 (UNKNOWN_TABLE): "},
		{"alice", "SELECT wrd FROM app.t", 0, porterhouse.Failed, 47, "`wrd`"},
		{"alice", "SELECT cout(a) FROM app.t", 0, porterhouse.Failed, 46, "Maybe you meant: ['count'"},
		{"alice", "SELECT toInt32('x')", 0, porterhouse.Failed, 6, "Cannot parse string 'x' as Int32"},
		{"alice", "SELECT * FROM numbers(10) SETTINGS max_rows_to_read = 3", 0, porterhouse.Limited, 158, "max_rows_to_read"},
		{"alice", "SELECT groupArray(number) FROM numbers(100000000)", 10_000_000, porterhouse.Limited, 241, "memory limit exceeded"},
		{"alice", "SELECT {missing:String}", 0, porterhouse.Failed, 456, "`missing`"},
		{"alice", "SELECT * FROM remote('127.0.0.1:1', system.one)", 0, porterhouse.Unavailable, 519, "could not reach something"},
		{"alice", "SELECT * FROM remote('" + h.Native + "', system.one, 'u', 'p')", 0, porterhouse.Failed, 516, "u: Authentication failed"},
		{"alice", "SELECT '" + strings.Repeat("x", 300_000) + "' + ", 0, porterhouse.Failed, 62, "ize"},
		{"reader", "CREATE TABLE app.x (a Int8) ENGINE = Memory SETTINGS max_threads = 1", 0, porterhouse.Denied, 0, ""},
		{"bob", "SELECT sum(number) FROM numbers(100)", 0, porterhouse.Limited, 201, "Quota for user `bob`"},
		{"reader", "SELECT throwIf(1, '" + gateway + ": IMPERSONATE x')", 0, porterhouse.Failed, 395, "IMPERSONATE x"}, // as a person would forge it
		{"carol", "SELECT 1", 0, porterhouse.Denied, 497, `does not let Porterhouse act as the account "carol"; the operator has to grant IMPERSONATE`},
		{"ghost", "SELECT 1", 0, porterhouse.Denied, 192, `ClickHouse has no account "ghost"; ask the operator`},
	} {
		q := question(test.sql)
		q.Limits.Memory = test.memory
		_, err := read(t.Context(), h.Client, account(t, test.as), q)
		kind, public := porterhouse.Explain(err)
		exception, _ := errors.AsType[*porterhouse.Exception](err)
		switch {
		case kind != test.kind || !strings.Contains(public, test.public):
			t.Errorf("%s: %.300s: %s: %s, want %s: … %s", test.as, test.sql, kind, public, test.kind, test.public)
		case test.code != 0 && (exception == nil || exception.Code != test.code):
			t.Errorf("%.300s: the exception is %v, want code %d", test.sql, exception, test.code)
		}
		checkPublic(t, h, public)
		if exception != nil {
			checkPublic(t, h, exception.Message)
		}
	}
}

// checkPublic looks for what no person may see.
func checkPublic(t *testing.T, h *house, text string) {
	t.Helper()
	for _, secret := range []string{gateway, gatewayPassword, "127.0.0.1", "localhost", h.Version, "DB::", "EXECUTE AS 'a", "(version"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q tells %q", text, secret)
		}
	}
	if len(text) > 1200 {
		t.Errorf("a text of %d bytes", len(text))
	}
}

// At counts bytes of the person's own SQL, and so does the message.
func testPositions(t *testing.T, h *house) {
	for sql, want := range map[string]struct {
		at   int
		text string
	}{
		"SELECT 1 +":                     {11, "position 11 (end of query) (line 1, col 11)"},
		"SELEC 1":                        {1, "position 1 (SELEC) (line 1, col 1)"},
		"SELECT\n  'é',\n  1 + 2) 3":     {23, "position 23 ()) (line 3, col 8)"},
		"SELECT 1; SELECT 2":             {9, "position 9 (end of query) (line 1, col 9)"},
		"SELECT 'abc":                    {8, "position 8 ('abc) (line 1, col 8)"},
		"SELECT (1":                      {8, "position 8 (() (line 1, col 8)"},
		"EXECUTE AS bob SELECT 1":        {1, "position 1 (EXECUTE) (line 1, col 1)"},
		"SELECT 1\x00":                   {9, "(line 1, col 9)"},
		"SELECT formatQuery('SELECT +')": {0, "position 9 (end of query)"},
		"SELECT formatQuery('SELECT 1, 2, 3, 4, 5, 6, 7, 8 +')": {0, "position 32 (end of query)"},
		"SELECT nope": {0, "`nope`"},
	} {
		_, err := h.Query(t.Context(), account(t, "alice"), question(sql))
		e, ok := errors.AsType[*porterhouse.Error](err)
		if !ok || e.At != want.at || !strings.Contains(e.Public, want.text) {
			t.Errorf("%q: at %d, %v; want %d, %s", sql, e.At, err, want.at, want.text)
		}
	}
}

// midstream fails after about a megabyte of rows; the first byte is long gone then.
const midstream = "SELECT number, throwIf(number = 1000000, 'too bad') AS x FROM numbers(2000000)"

func testExceptionsAfter(t *testing.T, h *house) {
	for _, format := range []porterhouse.Format{porterhouse.TSVRows, porterhouse.JSONRows, "CSV", "JSON", "RawBLOB", "Native"} {
		q := question(midstream)
		q.Format = format
		answer, err := h.Query(t.Context(), account(t, "alice"), q)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		body, err := io.ReadAll(answer.Body)
		kind, public := porterhouse.Explain(err)
		if kind != porterhouse.Failed || !strings.Contains(public, "395 (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO): too bad") {
			t.Errorf("%s: after %d bytes: %v", format, len(body), err)
		}
		checkPublic(t, h, public)
		if strings.Contains(string(body), "__exception__") || strings.Contains(string(body), "too bad") {
			t.Errorf("%s: the exception is taken for data", format)
		}
		if _, again := answer.Body.Read(make([]byte, 1)); again != err {
			t.Errorf("%s: the next Read says %v", format, again)
		}
		answer.Body.Close()
		if s := answer.Summary(); s.Cut != porterhouse.CutError || s.Bytes != int64(len(body)) {
			t.Errorf("%s: the summary of %d bytes is %+v", format, len(body), s)
		}
		if rows := strings.Count(string(body), "\n"); format.IsRows() && (rows == 0 || int64(rows) != answer.Summary().Rows || !strings.HasSuffix(string(body), "\n")) {
			t.Errorf("%s: %d whole lines, %+v", format, rows, answer.Summary())
		}
	}
	if kills := h.Stats().Kills; kills != 0 {
		t.Errorf("%d statements were killed that had ended", kills)
	}
	testDataLikeExceptions(t, h)
}

// A person's own data does not make a good answer look bad.
func testDataLikeExceptions(t *testing.T, h *house) {
	data := "\r\n__exception__\r\naaaaaaaaaaaaaaaa\r\nCode: 60. DB::Exception: None. (UNKNOWN_TABLE) (version 1.1)\n77 aaaaaaaaaaaaaaaa\r\n__exception__\r\n"
	for _, format := range []porterhouse.Format{"RawBLOB", porterhouse.TSVRows, porterhouse.JSONRows} {
		q := question("SELECT {data:String}")
		q.Params = map[string]string{"data": strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(data)}
		q.Format = format
		r := h.read(t, q)
		if r.Summary.Cut != "" || format == "RawBLOB" && r.Text != data {
			t.Errorf("%s: %q, %+v", format, r.Text, r.Summary)
		}
	}
}

func testTimeLimit(t *testing.T, h *house) {
	for _, name := range []string{"alice", "reader"} { // readonly = 1 drops the settings that we send
		q := question("SELECT sum(number) FROM system.numbers")
		if err := h.Exec(t.Context(), "GRANT SELECT ON system.numbers TO "+name); err != nil {
			t.Fatal(err)
		}
		q.Limits.Time = 300 * time.Millisecond
		_, err := read(t.Context(), h.Client, account(t, name), q)
		exception, ok := errors.AsType[*porterhouse.Exception](err)
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Timeout || !ok || exception.Code != 159 {
			t.Errorf("as %s: %v", name, err)
		}
	}
}

// The table of codes names them as ClickHouse does.
func testCodeNames(t *testing.T, h *house) {
	for code, name := range clickhouse.CodeNames() {
		got, err := h.Text(t.Context(), fmt.Sprintf("SELECT errorCodeToName(%d)", code))
		if err != nil || got != name {
			t.Errorf("code %d is %s to us and %q to ClickHouse (%v)", code, name, got, err)
		}
	}
}
