package statement_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"porterhouse/statement"
)

// heads are texts and where ClickHouse sees data in them: behind '¦'; where the
// statement ends, behind '‖', or there too. Without '¦' there is no data.
var heads = []string{
	// Which byte is the first of the data.
	"INSERT INTO raw FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw FORMAT RawBLOB‖\n¦abc",
	"INSERT INTO raw FORMAT RawBLOB‖\n¦  abc",
	"INSERT INTO raw FORMAT RawBLOB‖ \t\f\r\n¦\nabc",
	"INSERT INTO raw FORMAT RawBLOB‖\r¦\rabc",
	"INSERT INTO raw FORMAT RawBLOB‖\n¦;abc",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦;abc",
	"INSERT INTO raw FORMAT RawBLOB;abc",
	"INSERT INTO raw FORMAT RawBLOB;",
	"INSERT INTO raw FORMAT RawBLOB¦/* x */ abc",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦-- x\nabc",
	"INSERT INTO raw FORMAT RawBLOB¦\vabc",
	"INSERT INTO raw FORMAT RawBLOB¦\u00a0abc",
	"INSERT INTO raw FORMAT RawBLOB¦\x00abc",
	"INSERT INTO raw FORMAT RawBLOB¦'abc",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦$$abc $x$",
	"INSERT INTO raw FORMAT RawBLOB‖\n¦\x00\xff'\"`$(/*",
	"INSERT INTO raw FORMAT `RawBLOB`¦abc",
	"INSERT INTO raw FORMAT \"RawBLOB\"‖ ¦abc",
	"INSERT INTO raw FORMAT “RawBLOB”‖ ¦abc",
	"INSERT INTO raw FORMAT 'RawBLOB' abc",
	"INSERT INTO raw FORMAT $$RawBLOB$$ abc",
	"INSERT INTO raw FORMAT {f:Identifier} abc",
	"INSERT INTO raw FORMAT rawblob‖\n¦abc",
	"insert into raw format RawBLOB‖\n¦abc",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦SETTINGS log_comment='forged' abc",
	"INSERT INTO raw FORMAT RawBLOB‖\n¦SETTINGS log_comment='forged'\nabc",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦FORMAT TSV abc",

	// What may stand before.
	"/* a */ -- b\n INSERT/**/INTO/**/raw/**/FORMAT/**/RawBLOB‖ ¦abc",
	"\ufeffINSERT\u00a0INTO\u3000raw FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO TABLE raw FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO h.raw FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO `h` . \"raw\" FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO {t:Identifier} FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO h.{t:Identifier} FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw(s) FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw (s,) FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw (* EXCEPT(q)) FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw (COLUMNS('s')) FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw (raw.s) FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO format FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO values (values) FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO settings SETTINGS final=1 FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS final=1 FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS final FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS final, max_threads = 2 FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS async_insert = DEFAULT FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS max_threads = {x:UInt8} FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS log_comment = $$a FORMAT x$$, insert_quorum_parallel = true FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS log_comment = ' FORMAT RawBLOB abc', max_threads = +1 FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS additional_table_filters = {'h.n': 'a = 1'} FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SETTINGS FORMAT RawBLOB abc",
	"INSERT INTO raw SETTINGS final=1, FORMAT RawBLOB abc",
	"INSERT INTO raw SETTINGS final=1 max_threads=2 FORMAT RawBLOB abc",
	"INSERT INTO raw SETTINGS final='a' 'b' FORMAT RawBLOB abc",
	"INSERT INTO raw SETTINGS final=(SELECT 1) FORMAT RawBLOB‖ ¦abc", // ClickHouse refuses the value
	"INSERT INTO FUNCTION null('s String') FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO TABLE FUNCTION null('s String') (s) FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO FUNCTION null('s String') PARTITION BY s FORMAT RawBLOB abc",
	"WITH 1 AS x INSERT INTO raw FORMAT RawBLOB‖ ¦abc",
	"WITH 1 AS insert, (SELECT 2) AS y INSERT INTO raw FORMAT RawBLOB‖ ¦abc",
	"WITH x AS (SELECT 1) SELECT insert INTO raw FORMAT RawBLOB abc",
	"INSERT INTO raw",
	"INSERT INTO raw (s)",
	"INSERT INTO raw RawBLOB abc",
	"INSERT raw FORMAT RawBLOB abc",
	"INSERT INTO TABLE FORMAT RawBLOB abc",
	"INSERT INTO a.b.c FORMAT RawBLOB abc",
	"INSERT INTO $a$ FORMAT RawBLOB abc, and some more $a$ FORMAT RawBLOB abc",
	"(INSERT INTO raw FORMAT RawBLOB abc)",
	"EXPLAIN AST INSERT INTO raw FORMAT RawBLOB abc",
	"EXECUTE AS default INSERT INTO raw FORMAT RawBLOB abc",
	"CREATE TABLE h.c (a UInt8) ENGINE = Memory PARALLEL WITH INSERT INTO raw FORMAT RawBLOB abc",
	"INSERT INTO raw RETURNING (SELECT 1) FORMAT RawBLOB abc",

	// VALUES.
	"INSERT INTO raw VALUES‖ ¦('abc')",
	"INSERT INTO raw VALUES¦('abc')",
	"INSERT INTO raw values‖\n\t\r\n\u00a0¦('abc'), ('\x00')",
	"INSERT INTO raw VALUES /* x */‖ ¦('abc'), -- y\n ('def')",
	"INSERT INTO raw VALUES -- x‖\n ¦('abc')",
	"INSERT INTO raw VALUES‖ ¦('abc'); and what not",
	"INSERT INTO raw VALUES;",
	"INSERT INTO raw VALUES ; ('abc')",
	"INSERT INTO raw (s) SETTINGS final=1 VALUES‖ ¦('abc')",
	"INSERT INTO raw FORMAT Values‖ ¦('abc')",

	// Data that a SELECT reads.
	"INSERT INTO raw SELECT * FROM input('s String') FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SELECT concat(s) FROM input('s String') WHERE s != '' FORMAT RawBLOB‖\n¦abc",
	"INSERT INTO raw (s) SELECT s FROM (SELECT * FROM input('s String')) AS x FORMAT RawBLOB abc", // not told, behind a name
	"INSERT INTO raw SELECT s FROM input('s String') SETTINGS final=1 FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw (SELECT * FROM input('s String')) FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw (s) (SELECT * FROM input('s String')) FORMAT RawBLOB‖ ¦abc",
	"WITH 1 AS x INSERT INTO raw SELECT s FROM input('s String') FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw WITH 1 AS x SELECT s FROM input('s String') FORMAT RawBLOB‖ ¦abc",
	"INSERT INTO raw SELECT 'x' FORMAT RawBLOB",
	"INSERT INTO raw SELECT 'x' FORMAT RawBLOB;",
	"INSERT INTO raw SELECT 'x' FORMAT RawBLOB abc",
	"INSERT INTO raw SELECT 'x' AS input FORMAT RawBLOB abc",
	"INSERT INTO raw WITH input (s) AS (SELECT 'y') SELECT s FROM input FORMAT RawBLOB abc",
	"INSERT INTO raw SELECT 'x'",
	"INSERT INTO raw (SELECT 'x') FORMAT RawBLOB abc",
	"INSERT INTO raw SELECT s FROM input (s) FORMAT RawBLOB abc",
	"INSERT INTO raw SELECT DISTINCT ON ((SELECT s FROM input('s String'))) format RawBLOB FROM n PARALLEL WITH SELECT 1",
	"INSERT INTO raw SELECT s FROM input('s String') UNION ALL SELECT TOP 5 format RawBLOB FROM n PARALLEL WITH SELECT 1",
	"INSERT INTO raw SELECT s FROM input('s String') UNION ALL SELECT format RawBLOB FROM n PARALLEL WITH SELECT 1",
	"INSERT INTO raw SELECT s FROM input('s String') FORMAT format‖ ¦RawBLOB PARALLEL WITH SELECT 1",
	"INSERT INTO raw FROM INFILE 'nowhere' FORMAT RawBLOB abc",

	// What ClickHouse takes for SQL where data is due.
	"INSERT INTO raw FORMAT RawBLOB PARALLEL WITH SELECT 1",
	"INSERT INTO raw FORMAT RawBLOB\n/* x */ -- y\n\u00a0parallel/**/\n wiTH SELECT 1",
	"INSERT INTO raw FORMAT RawBLOB /* a comment that is long enough */ PARALLEL WITH SELECT 1",
	"INSERT INTO raw VALUES PARALLEL WITH SELECT 1",
	"INSERT INTO raw VALUES /**/ PARALLEL # x\nWITH SELECT 1",
	"INSERT INTO raw SELECT * FROM input('s String') FORMAT RawBLOB PARALLEL WITH SELECT 1",
	"INSERT INTO raw FORMAT RawBLOB /* /* */ PARALLEL WITH SELECT 1 --*/ */",
	"INSERT INTO raw FORMAT RawBLOB /* /* */ PARALLEL WITH SELECT 1",
	"INSERT INTO raw FORMAT RawBLOB PARALLEL /* /* */ WITH SELECT 1 --*/ */",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦parallel without abc",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦parallel$ with abc",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦parallel, with abc",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦parallel with_",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦parallel",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦'' PARALLEL WITH SELECT 1",
	"INSERT INTO raw FORMAT RawBLOB‖ ¦/* PARALLEL WITH SELECT 1",
}

// unmarked takes the marks off a text of heads.
func unmarked(marked string) (text string, want statement.Head) {
	before, data, found := strings.Cut(marked, "¦")
	sql, blank, _ := strings.Cut(before, "‖")
	text = sql + blank + data
	if !found {
		return text, statement.Head{End: len(text), From: len(text)}
	}
	return text, statement.Head{End: len(sql), From: len(sql + blank), Data: true}
}

func TestReadHead(t *testing.T) {
	for _, marked := range heads {
		text, want := unmarked(marked)
		got := statement.ReadHead(text, true)
		got.Format = ""
		if got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"INSERT INTO t FORMAT CSV 1": "CSV", "INSERT INTO t FORMAT `JSONEachRow` {}": "JSONEachRow",
		"INSERT INTO t VALUES (1)": "Values", "SELECT 1 FORMAT CSV": "", "INSERT INTO t SELECT 1": "",
	} {
		if got := statement.ReadHead(text, true).Format; got != want {
			t.Errorf("%q has the format %q, want %q", text, got, want)
		}
	}
}

// TestReadHeadOfTheBeginning cuts every text at every byte: what is told of the
// beginning holds for the whole.
func TestReadHeadOfTheBeginning(t *testing.T) {
	for _, marked := range heads {
		text, _ := unmarked(marked)
		text += " xxxxxxxxxx"
		whole, told := statement.ReadHead(text, true), false
		for cut := range len(text) {
			got := statement.ReadHead(text[:cut], false)
			if got.End >= 0 && got != whole {
				t.Errorf("%q is told to be %+v, and is %+v with %q behind it", text[:cut], got, whole, text[cut:])
			}
			told = told || got.End >= 0
		}
		if whole.Data && !told && !strings.Contains(marked, "¦/* PARALLEL") { // a comment that never ends

			t.Errorf("%q: the data is not seen before the end", text)
		}
	}
}

// TestHeadsAgreeWithClickHouse sends every text, as one body and cut into URL and
// body, and looks which bytes ClickHouse took for data.
func TestHeadsAgreeWithClickHouse(t *testing.T) {
	e := startEngine(t)
	for _, sql := range []string{
		"CREATE DATABASE h", "CREATE TABLE h.n (a Int32) ENGINE = Memory", "CREATE TABLE h.raw (s String) ENGINE = Memory",
		"CREATE TABLE h.format (s String) ENGINE = Memory", "CREATE TABLE h.settings (s String) ENGINE = Memory",
		"CREATE TABLE h.values (values String) ENGINE = Memory",
	} {
		e.admin(t, sql)
	}
	inserted := func(query, body string) string {
		parameters := url.Values{"database": {"h"}, "param_t": {"raw"}, "param_f": {"RawBLOB"}, "param_x": {"1"}}
		if query != "" {
			parameters.Set("query", query)
		}
		e.admin(t, "TRUNCATE ALL TABLES FROM h")
		status, answer := e.post(t, parameters, body, e.User, e.Password)
		if status != 200 {
			return answer[:min(len(answer), 200)]
		}
		return e.admin(t, "SELECT arraySort(groupArray(hex(s))) FROM (SELECT s FROM h.raw UNION ALL SELECT s FROM h.format UNION ALL SELECT s FROM h.settings UNION ALL SELECT values FROM h.values)")
	}
	agreed, refused := 0, 0
	for _, marked := range heads {
		text, _ := unmarked(marked)
		head, there := statement.ReadHead(text, true), inserted("", text)
		if !head.Data {
			continue // what ClickHouse does with it is for Check to judge
		}
		if strings.HasPrefix(there, "Code: ") || strings.Contains(text, "FUNCTION null") {
			refused++
		} else if data := text[head.From:]; head.Format != "Values" && there != fmt.Sprintf("['%X']", data) && (data != "" || there != "[]") {
			t.Errorf("%q: we say that the data is %q, ClickHouse inserted %s", text, data, there)
		} else {
			agreed++
		}
		// As it is sent on: the statement, a line break, the data.
		for name, again := range map[string]string{
			"in the URL":  inserted(text[:head.End], text[head.From:]),
			"in one body": inserted("", text[:head.End]+"\n"+text[head.From:]),
		} {
			if again != there && !strings.HasPrefix(there, "Code: ") {
				t.Errorf("%q inserts %s, and %s with its statement %s", text, there, again, name)
			}
		}
	}
	t.Logf("%d texts with data agree, %d are refused by ClickHouse", agreed, refused)
	if agreed < 50 {
		t.Errorf("only %d texts were compared", agreed)
	}
}

// TestDataIsNeverSQL puts INSERTs together anew, token by token, with another statement
// behind them. Where ReadHead says that this one is data, ClickHouse must not run it.
func TestDataIsNeverSQL(t *testing.T) {
	e := startEngine(t)
	e.admin(t, "CREATE TABLE scratch.raw (s String) ENGINE = Memory")
	random := rand.New(rand.NewPCG(5, 1))
	var sources [][]string
	for _, marked := range heads {
		text, _ := unmarked(marked)
		sources = append(sources, split(strings.ReplaceAll(text, "abc", "")))
	}
	for _, sql := range []string{
		"INSERT INTO raw SELECT DISTINCT ON (a) format CSV FROM input('s String')", "INSERT INTO raw SELECT TOP 5 format x FROM (SELECT 1 AS format)",
		"INSERT INTO raw WITH input (s) AS (SELECT 'y') SELECT s FROM input AS from", "INSERT INTO raw SELECT s FROM raw AS input(s), raw from",
		"INSERT INTO FUNCTION null('s String') PARTITION BY NOT format SELECT 'x' FROM from input(s) format", "WITH 1 AS format, input AS (SELECT 1) INSERT INTO raw SELECT 1 ORDER BY format DESC",
	} {
		sources = append(sources, split(sql))
	}
	told, accepted := 0, 0
	for range 6000 {
		text := spliced(random, sources)
		head := statement.ReadHead(text+behind, true)
		if !head.Data || head.From > len(text) {
			continue
		}
		told++
		if status, _ := e.post(t, url.Values{"database": {"scratch"}, "param_t": {"raw"}}, text+behind, e.User, e.Password); status == 200 {
			accepted++
		}
		if there := e.admin(t, "EXISTS TABLE scratch.evil"); there != "0" {
			t.Errorf("what was told to be data has been run: %q", text)
			e.admin(t, "DROP TABLE scratch.evil")
		}
	}
	if there := e.admin(t, "EXISTS TABLE scratch.evil"); there != "0" {
		t.Errorf("what was told to be data has been run")
	}
	t.Logf("%d texts were told to have data, ClickHouse took %d of them", told, accepted)
}

// behind is a statement that nobody has checked.
const behind = " PARALLEL WITH CREATE TABLE IF NOT EXISTS scratch.evil (a UInt8) ENGINE = Memory"
