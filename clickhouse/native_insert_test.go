package clickhouse_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"porterhouse"
	"porterhouse/clickhouse"
)

// The formats in which rows come from ClickHouse and go back.
var insertFormats = []string{
	"Native", "Parquet", "Arrow", "ArrowStream", "ORC", "Avro", "RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes", "MsgPack", "BSONEachRow",
	"CSV", "CSVWithNames", "CSVWithNamesAndTypes", "TSV", "TSVWithNames", "TSVWithNamesAndTypes", "TSKV", "Values", "CustomSeparated", "JSONStringsEachRow",
	"JSON", "JSONEachRow", "JSONCompactEachRow", "JSONCompactEachRowWithNamesAndTypes", "JSONColumns", "JSONCompact", "JSONObjectEachRow", "Npy",
}

// Every format arrives as it was written; the length of every second one is not known.
func TestInsertFormats(t *testing.T) {
	l := openLane(t)
	rows := "SELECT toInt32(number * 7 - 3) AS a, concat('\\n\\t\\' ', toString(number), '\\0') AS word FROM numbers(300)"
	l.text(t, "CREATE TABLE app.m (a Int32, word String) ENGINE = Memory")
	for i, format := range insertFormats {
		table, from, want := "app.m", rows, rows
		if format == "Npy" { // has one column, whose name it does not tell
			table, from, want = "app.m (a)", "SELECT toInt32(number) AS a FROM numbers(300)", "SELECT toInt32(number) AS a, '' AS word FROM numbers(300)"
		}
		data := string(l.raw(t, from+" FORMAT "+format))
		want = l.text(t, "SELECT count(), sum(cityHash64(*)) FROM ("+want+")")
		q := insert("INSERT INTO "+table+" FORMAT "+format, data)
		if i%2 == 1 {
			q.Passage.Size = -1 // nobody knows
		}
		l.text(t, "TRUNCATE TABLE app.m")
		s := l.does(t, q)
		if got := l.text(t, "SELECT count(), sum(cityHash64(*)) FROM app.m"); got != want {
			t.Errorf("%s: count and sum are %q, want %q", format, got, want)
		}
		if s.Summary.Written != 300 || s.Summary.Sent != int64(len(data)) {
			t.Errorf("%s: the summary is %+v", format, s.Summary)
		}
	}
}

// raw asks as the admin for exactly what ClickHouse answers.
func (l *lane) raw(t testing.TB, sql string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.HTTP, strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(l.User, l.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %.200s", sql, response.StatusCode, err, body)
	}
	return body
}

// Data that is not what was announced, or breaks off, inserts nothing.
func TestInsertIsWhole(t *testing.T) {
	l := openLane(t)
	row := "1,word\n"
	long := strings.Repeat(row, 100_000)
	for _, c := range []struct {
		name string
		data io.Reader
		size int64
		kind porterhouse.Kind
		says string
	}{
		{"shorter", strings.NewReader(long), int64(len(long) + len(row)), porterhouse.Canceled, "nothing of it was inserted"},
		{"longer", strings.NewReader(long), int64(len(long) - len(row)), porterhouse.Canceled, "nothing of it was inserted"},
		{"broken", io.MultiReader(strings.NewReader(long), iotest.ErrReader(io.ErrUnexpectedEOF)), int64(len(long) + 10), porterhouse.Canceled, "nothing of it was inserted"},
		{"broken at its end", io.MultiReader(strings.NewReader(long), iotest.ErrReader(io.ErrUnexpectedEOF)), int64(len(long)), porterhouse.Canceled, "nothing of it was inserted"},
		{"broken, of unknown size", io.MultiReader(strings.NewReader(long), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, porterhouse.Canceled, "nothing of it was inserted"},
		{"short, broken, of unknown size", io.MultiReader(strings.NewReader(row), iotest.ErrReader(errors.New("gone"))), -1, porterhouse.Canceled, "nothing of it was inserted"},
		{"the reader's own error", iotest.ErrReader(porterhouse.Errorf(porterhouse.Invalid, "the gzip is broken")), 10, porterhouse.Invalid, "the gzip is broken"},
		{"too long", strings.NewReader(row), 1 << 30, porterhouse.Limited, "longer than the 1073741824 bytes"},
	} {
		q := insert("INSERT INTO app.t FORMAT CSV", "")
		q.Passage.Data, q.Passage.Size = c.data, c.size
		_, err := l.as(t.Context(), t, "alice", q)
		t.Log(c.name)
		wantError(t, err, c.kind, c.says)
	}
	if got := l.text(t, "SELECT count() FROM app.t"); got != "0" {
		t.Errorf("%s rows arrived", got)
	}
	q := insert("SET max_threads = 1", "something")
	q.Class = porterhouse.Class{Verb: "SET", State: true}
	l.refuses(t, q, porterhouse.Invalid, "something follows the statement")
}

// What a client does not know the length of waits in a file without a name.
// What all clients share of such files is bounded, and what one person has of it, at
// whichever cluster, as whichever account.
func TestInsertOfUnknownLength(t *testing.T) {
	spool := clickhouse.NewSpool()
	l := openLane(t, func(c *clickhouse.Config) { c.Spool = spool })
	elsewhere := newLane(t, l.Server, func(c *clickhouse.Config) { c.Spool = spool })
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var data bytes.Buffer
	for range 200_000 {
		data.WriteString("1,word\n")
	}
	q := insert("INSERT INTO app.t FORMAT CSV", "")
	q.Passage.Size = -1
	q.Passage.Data = io.MultiReader(bytes.NewReader(data.Bytes()), readerFunc(func([]byte) (int, error) {
		if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
			t.Errorf("the directory has %v, %v", found, err)
		}
		return 0, io.EOF
	}))
	if s := l.does(t, q); s.Summary.Written != 200_000 {
		t.Errorf("the summary is %+v", s.Summary)
	}
	if used := l.Spooled("", 0); used != 0 {
		t.Errorf("%d bytes are still counted", used)
	}
	for _, full := range []struct {
		person string
		most   int64
		kind   porterhouse.Kind
		says   string
	}{
		{"others", 16 << 30, porterhouse.Unavailable, "no room"},
		{"somebody", 4 << 30, porterhouse.Limited, "your INSERTs"},
	} {
		q.Passage.Person, q.Passage.Owner = "somebody", "somebody here"
		elsewhere.Spooled(full.person, full.most-100_000)
		q.Passage.Data = bytes.NewReader(data.Bytes())
		l.refuses(t, q, full.kind, full.says)
		if used := l.Spooled("", 0); used != full.most-100_000 {
			t.Errorf("%d bytes are counted", used)
		}
		q.Passage.Person = "somebody else"
		q.Passage.Data = bytes.NewReader(data.Bytes())
		if full.person == "somebody" {
			l.does(t, q)
		}
		elsewhere.Spooled(full.person, -(full.most - 100_000))
	}
	t.Setenv("TMPDIR", dir+"/nowhere")
	q.Passage.Data = bytes.NewReader(data.Bytes())
	l.refuses(t, q, porterhouse.Unavailable, "no room")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// What an INSERT says of itself goes with it.
func TestInsertSettings(t *testing.T) {
	l := openLane(t)
	set := func(q porterhouse.Query, settings ...string) porterhouse.Query {
		for i := 0; i < len(settings); i += 2 {
			q.Passage.Settings = append(q.Passage.Settings, porterhouse.Setting{Name: settings[i], Value: settings[i+1]})
		}
		return q
	}
	l.text(t, "CREATE TABLE app.once (a Int32) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 10")
	for range 2 {
		l.does(t, set(insert("INSERT INTO app.once FORMAT CSV", "1\n"), "insert_deduplication_token", "it's \\ one"))
	}
	l.does(t, set(insert("INSERT INTO app.once FORMAT CSV", "a;b\n"), "format_csv_delimiter", ";", "input_format_allow_errors_num", "1"))
	l.does(t, set(insert("INSERT INTO app.once FORMAT CSV", "2\n"), "async_insert", "1", "wait_for_async_insert", "1"))
	if got := l.text(t, "SELECT arraySort(groupArray(a)) FROM app.once"); got != "[1,2]" {
		t.Errorf("the rows are %s", got)
	}
	// SETTINGS behind FORMAT would be settings that nobody has looked at.
	s := l.says(t, set(insert("INSERT INTO app.once FORMAT CSV", "SETTINGS log_queries = 0\n3\n"), "allow_settings_after_format_in_insert", "1"))
	if s.Status == http.StatusOK {
		t.Errorf("what follows FORMAT was not read as data")
	}
	s = l.says(t, set(insert("INSERT INTO app.once FORMAT CSV", "4\n"), "no_such_setting", "1"))
	if s.Status != http.StatusNotFound || !strings.Contains(s.Text, "Unknown setting 'no_such_setting'") {
		t.Errorf("an unknown setting: %d %s", s.Status, s.Text)
	}
	// One of the operator's own.
	q := set(change("INSERT", "INSERT INTO app.once SELECT throwIf(getSetting('SQL_tenant') != 'it\\'s\\n')"), "SQL_tenant", "it's\n")
	l.does(t, q)
	// No data is no rows, in every form.
	for _, sql := range []string{"INSERT INTO app.once FORMAT CSV", "INSERT INTO app.once VALUES"} {
		l.does(t, insert(sql, ""))
		l.does(t, change("INSERT", sql))
	}
}

// A quota that counts by the client's key counts by the client's key.
func TestLaneQuotaKey(t *testing.T) {
	l := openLane(t)
	l.text(t, "CREATE QUOTA keyed KEYED BY client_key FOR INTERVAL 1 hour MAX queries = 1000 TO alice")
	if s := l.says(t, change("INSERT", whose)); !strings.Contains(s.Text, "QUOTA_REQUIRES_CLIENT_KEY") {
		t.Errorf("without a key it says %+v", s)
	}
	for _, key := range []string{"one", "two"} {
		q := in("s", change("SET", "SET max_threads = 3"))
		q.Passage.QuotaKey = key
		l.does(t, q)
	}
	// The proof whose the connection is does not count: it reads no table.
	if got := l.text(t, "SELECT quota_key, queries FROM system.quotas_usage WHERE quota_name = 'keyed' ORDER BY quota_key"); got != "one\t1\ntwo\t1" {
		t.Errorf("the quota has counted %q", got)
	}
}

// A client that goes away while its data comes leaves nothing.
func TestInsertClientGone(t *testing.T) {
	l := openLane(t)
	for _, size := range []int64{1 << 20, -1} {
		ctx, cancel := context.WithCancel(t.Context())
		in, out := io.Pipe()
		q := insert("INSERT INTO app.t FORMAT CSV", "")
		q.Passage.Data, q.Passage.Size = in, size
		q.Passage.Stop = func() { out.CloseWithError(errors.New("nobody waits")) }
		go func() {
			_, _ = out.Write([]byte("1,word\n")) // until Stop
			cancel()
		}()
		_, err := l.as(ctx, t, "alice", q)
		wantError(t, err, porterhouse.Canceled, "canceled")
	}
	if got := l.text(t, "SELECT count() FROM app.t"); got != "0" {
		t.Errorf("%s rows arrived", got)
	}
}
