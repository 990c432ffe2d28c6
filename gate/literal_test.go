package gate

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/statement"
)

// Data is never SQL where what reaches outside is refused: not as VALUES, not in an
// external table, and no setting makes it so.
func TestDataIsNotRun(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode)
		check(t, h.db.Exec(t.Context(), "CREATE TABLE scratch.words (word String) ENGINE = MergeTree ORDER BY word"))
		check(t, h.db.Exec(t.Context(), "GRANT CREATE TEMPORARY TABLE ON *.* TO author"))
		secret := filepath.Join(t.TempDir(), "secret.txt")
		check(t, os.WriteFile(secret, []byte("the-content-of-a-file"), 0o600))
		run := "(file('" + secret + "'))"
		for _, q := range []porterhouse.Query{
			passing("INSERT INTO scratch.words VALUES " + run),
			passing("INSERT INTO scratch.words VALUES ('a'), "+run, in("a session")),
			passing("INSERT INTO scratch.words FORMAT Values", data(run)),
			passing("INSERT INTO scratch.words SELECT w FROM input('w String') FORMAT Values", data(run)),
			passing("INSERT INTO scratch.words SETTINGS async_insert = 1, wait_for_async_insert = 1 VALUES " + run),
			passing("INSERT INTO scratch.words SETTINGS input_format_values_interpret_expressions = 1 VALUES " + run),
			passing("INSERT INTO scratch.words VALUES "+run, with(porterhouse.Setting{Name: "input_format_values_deduce_templates_of_expressions", Value: "1"})),
			passing("INSERT INTO scratch.words SELECT * FROM format(Values, 'w String', '(file(''" + secret + "''))')"),
			passing("INSERT INTO scratch.words SELECT w FROM x", func(q *porterhouse.Query) {
				table := porterhouse.Table{Name: "x", Data: bytes.NewReader([]byte(run)), Fields: []porterhouse.Setting{{Name: "structure", Value: "w String"}, {Name: "format", Value: "Values"}}}
				q.Passage.Tables = func(yield func(porterhouse.Table, error) bool) { yield(table, nil) }
			}),
		} {
			if text, err := h.send(carol, q); err == nil {
				t.Errorf("%q passed: %q", q.SQL, text)
			}
		}
		_, err := h.send(carol, passing("INSERT INTO scratch.words VALUES ('(file(1))'), (''), ('it''s')"))
		check(t, err)
		if n, err := h.db.Text(t.Context(), "SELECT count() FROM scratch.words WHERE word = '' OR word LIKE '(file%' OR word = 'it\\'s'"); err != nil || n != "3" {
			t.Errorf("%s of the literals arrived, %v", n, err)
		}
		if n, err := h.db.Text(t.Context(), "SELECT count() FROM scratch.words WHERE word LIKE '%content%'"); err != nil || n != "0" {
			t.Errorf("%s rows have the file, %v", n, err)
		}
	})
}

// Who may reach outside may write expressions, and so may whom the operator lets.
func TestLiterals(t *testing.T) {
	free := newJudge(Pass{Sources: true}, Allow{})
	allowed := newJudge(Pass{Settings: statement.Ordinary}, Allow{Settings: []string{"input_format_values_interpret_expressions"}})
	if n, m := len(free.literals()), len(allowed.literals()); n != 0 || m != 1 {
		t.Errorf("%d and %d settings", n, m)
	}
}
