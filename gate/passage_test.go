package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// So many questions begin in a window, however they come, and one that is refused for
// another reason costs nothing.
func TestQueriesPerWindowCannotBeLifted(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode, Rule{Name: "six", Queries: 6, Window: 24 * time.Hour, Per: PerRule})
		for _, q := range []porterhouse.Query{
			passing("SELECT 1"), passing("", data("SELECT 1")), passing("INSERT INTO scratch.t FORMAT CSV", data("1\n")),
			passing("SELECT 1", func(q *porterhouse.Query) { q.ID, q.Passage.ReadOnly = "mine", true }),
			passing("SELECT 1", with(porterhouse.Setting{Name: "max_threads", Value: "1"}), in("a session")),
			passing("SELECT no_such_column"),
			passing("SELECT 1"), passing("SET max_threads = 1"), passing("INSERT INTO scratch.t SELECT 1"),
		} {
			_, err := h.send(carol, passing("DROP TABLE scratch.t SETTINGS log_queries = 0"))
			if kind, _ := porterhouse.Explain(err); kind != porterhouse.Refused && kind != porterhouse.Limited {
				t.Errorf("what is refused anyway: %v", err)
			}
			q.Passage.Comment = "limits"
			_, err = h.send(carol, q)
			if codeIn(err) == codeQuotaExceeded {
				isLimited(t, err, retryOf(err), `the limit "six" lets 6 questions begin in 1 day for everybody together`)
			}
		}
		if n := h.record.Stats().Questions; n != 6 {
			t.Errorf("%d questions were asked", n)
		}
		if _, err := h.send(alice, passing("SELECT 1")); codeIn(err) != codeQuotaExceeded {
			t.Errorf("alice shares it: %v", err)
		}
	})
}

// Of all who share a rule so many questions run at once, at whatever door.
func TestQuestionsAtOnceCannotBeLifted(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode, Rule{Name: "one at a time", Queue: Queue{Running: 1, Wait: time.Minute}, Per: PerRule})
		answer, err := h.Query(t.Context(), carol, passing("SELECT number FROM numbers(10000000)"))
		check(t, err)
		for name, q := range map[string]porterhouse.Query{
			"plainly":      passing("SELECT 1"),
			"by a setting": passing("SELECT 1", with(porterhouse.Setting{Name: "max_concurrent_queries_for_user", Value: "100"})),
			"in a session": passing("SELECT 1", in("another")),
			"by its id":    passing("SELECT 1", func(q *porterhouse.Query) { q.ID = "mine" }),
			"by a write":   passing("INSERT INTO scratch.t SELECT 1"),
		} {
			_, err := h.send(alice, q)
			if name == "by a setting" && codeIn(err) == codeSettingConstraint {
				continue
			}
			if codeIn(err) != codeTooManyQueries || !strings.Contains(err.Error(), `the limit "one at a time" lets 1 questions run at once for everybody together`) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err = io.Copy(io.Discard, answer.Body)
		check(t, errors.Join(err, answer.Body.Close()))
		if text, err := h.send(alice, passing("SELECT 1")); text != "1\n" {
			t.Errorf("afterwards: %q, %v", text, err)
		}
	})
}

// An upload is cut when it has used up the window, and what is known to be too long is
// not begun. What was cut does not arrive.
func TestUploadsCountToo(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode, Rule{Name: "100 KB", Bytes: 100_000, Window: 24 * time.Hour})
		rows := strings.Repeat("1\n", 100_000)
		sized := passing("INSERT INTO scratch.t FORMAT CSV", data(rows))
		sized.Passage.Size = int64(len(rows))
		_, err := h.send(carol, sized)
		isLimited(t, err, 0, "this upload alone has 200000")
		_, err = h.send(carol, passing("INSERT INTO scratch.t FORMAT CSV", data(rows[:1000])))
		check(t, err)
		_, err = h.send(carol, passing("INSERT INTO scratch.t FORMAT CSV", func(q *porterhouse.Query) {
			q.Passage.Data, q.Passage.Size = iotest.HalfReader(strings.NewReader(rows)), -1
		}))
		isLimited(t, err, retryOf(err), `the limit "100 KB"`)
		h.isQuiet(t)
		if n, err := h.db.Text(t.Context(), "SELECT count() FROM scratch.t"); err != nil || n != "500" {
			t.Errorf("%s rows arrived, %v", n, err)
		}
	})
}

// closing returns the last closing line of the record, and its opening line.
func (h *house) closing(t *testing.T) (open, closed map[string]any) {
	t.Helper()
	h.isQuiet(t) // the closing line comes before the place is free
	text, err := os.ReadFile(h.file)
	check(t, err)
	for line := range strings.Lines(string(text)) {
		l := map[string]any{}
		check(t, json.Unmarshal([]byte(line), &l))
		switch l["kind"] {
		case "open":
			open = l
		case "close":
			closed = l
		}
	}
	return open, closed
}

// The record of a Passage says what came beside the statement and what became of it;
// data is not in it. The client's query_id and its comment are in ClickHouse's log,
// beside our own.
func TestRecordOfAPassage(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode)
		q := passing("", data("INSERT INTO scratch.t FORMAT CSV\n1\n2\n3\n"), in("tab-1"), with(porterhouse.Setting{Name: "max_threads", Value: "1"}))
		q.ID, q.Passage.Comment = "the client's own", "panel 7"
		_, err := h.send(carol, q)
		check(t, err)
		open, closed := h.closing(t)
		if rows, counted := closed["rows"]; counted {
			t.Errorf("%v rows, which nobody counted", rows)
		}
		got := fmt.Sprint(open["query_id"], "|", open["sql"], "|", open["session"], "|", open["settings"], "|", closed["outcome"], "|", closed["sent"], "|", closed["written"])
		if got != "the client's own|INSERT INTO scratch.t FORMAT CSV|tab-1|[[max_threads 1]]|answered|6|3" || open["id"] == open["query_id"] || open["id"] != closed["id"] {
			t.Errorf("the record says %s", got)
		}
		logged := h.logged(t, "SELECT log_comment FROM system.query_log WHERE query_id = 'the client\\'s own' AND type = 'QueryFinish'")
		var c struct{ Rid, Sub, Comment string }
		if err := json.Unmarshal([]byte(logged), &c); err != nil || c.Rid != open["id"] || c.Sub != "carol" || c.Comment != "panel 7" {
			t.Errorf("ClickHouse logged %q: %v", logged, err)
		}

		_, err = h.send(carol, passing("SELECT no_such_column FROM numbers(1)"))
		if !isException(err, 47) {
			t.Errorf("an exception: %v", err)
		}
		if _, closed = h.closing(t); closed["outcome"] != "error" || closed["code_name"] != "UNKNOWN_IDENTIFIER" || closed["error"] != "failed" {
			t.Errorf("of an exception the record says %v", closed)
		}
	})
}

// A client that goes away in the middle of its upload leaves nothing running and no
// place taken, and the record says so.
func TestClientGoneWhileUploading(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode)
		_, err := h.send(carol, passing("INSERT INTO scratch.t FORMAT CSV", func(q *porterhouse.Query) {
			q.Passage.Data = io.MultiReader(strings.NewReader(strings.Repeat("1\n", 10_000)), iotest.ErrReader(io.ErrUnexpectedEOF))
			q.Passage.Size = -1
		}))
		if kind, text := porterhouse.Explain(err); kind != porterhouse.Canceled || !strings.Contains(text, "broke off") {
			t.Errorf("told: %v", err)
		}
		if _, closed := h.closing(t); closed["error"] != "canceled" || closed["sent"] != 20_000.0 {
			t.Errorf("the record says %v", closed)
		}
		h.isQuiet(t)
		if n, err := h.db.Text(t.Context(), "SELECT count() FROM scratch.t"); err != nil || n != "0" {
			t.Errorf("%s rows arrived, %v", n, err)
		}
	})
}

// A client that goes away while it waits for a place has not been asked for anything.
func TestClientGoneInTheQueue(t *testing.T) {
	h := newStreet(t, clickhouse.ExecuteAs, Rule{Name: "one", Queue: Queue{Running: 1, Waiting: 5, Wait: time.Minute}, Queries: 2, Window: 24 * time.Hour})
	answer, err := h.Query(t.Context(), carol, passing("SELECT number FROM numbers(100000000)"))
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = h.Query(ctx, carol, passing("SELECT 'mark_gone'"))
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Canceled {
		t.Errorf("gone: %v", err)
	}
	check(t, answer.Body.Close())
	h.isQuiet(t)
	if h.asked(t, "mark_gone") {
		t.Error("ClickHouse was asked")
	}
	if _, err := h.send(carol, passing("SELECT 1")); err != nil {
		t.Errorf("waiting in vain was counted: %v", err)
	}
}

// What is for reading only stays so, whatever the request says; and what does not
// belong into a request never gets to ClickHouse.
func TestPassagesThatAreRefused(t *testing.T) {
	h := newStreet(t, clickhouse.ExecuteAs)
	reader := carol
	reader.ReadOnly = true
	long := strings.Repeat("x", 2000)
	for name, c := range map[string]struct {
		who  porterhouse.Principal
		q    porterhouse.Query
		code int
	}{
		"a write by a reader":        {reader, passing("INSERT INTO scratch.t SELECT 1"), codeReadOnly},
		"data by a reader":           {reader, passing("INSERT INTO scratch.t FORMAT CSV", data("1\n")), codeReadOnly},
		"a write that is to read":    {carol, passing("INSERT INTO scratch.t SELECT 1", func(q *porterhouse.Query) { q.Passage.ReadOnly = true }), codeReadOnly},
		"readonly lifted":            {reader, passing("INSERT INTO scratch.t SELECT 1", with(porterhouse.Setting{Name: "readonly", Value: "0"})), codeSettingConstraint},
		"another log_comment":        {carol, passing("SELECT 1", with(porterhouse.Setting{Name: "log_comment", Value: "{}"})), codeSettingConstraint},
		"no name of a setting":       {carol, passing("SELECT 1", with(porterhouse.Setting{Name: "a&b"})), codeUnknownSetting},
		"a long query_id":            {carol, passing("SELECT 1", func(q *porterhouse.Query) { q.ID = long }), codeInvalidRequest},
		"a query_id with a break":    {carol, passing("SELECT 1", func(q *porterhouse.Query) { q.ID = "a\r\nb" }), codeInvalidRequest},
		"a session without a name":   {carol, passing("SELECT 1", in("")), codeInvalidRequest},
		"a session with a long name": {carol, passing("SELECT 1", in(long)), codeInvalidRequest},
		"a long role":                {carol, passing("SELECT 1", func(q *porterhouse.Query) { q.Passage.Roles = []string{long} }), codeInvalidRequest},
		"many roles":                 {carol, passing("SELECT 1", func(q *porterhouse.Query) { q.Passage.Roles = make([]string, 1000) }), codeInvalidRequest},
		"many settings":              {carol, passing("SELECT 1", with(make([]porterhouse.Setting, 1000)...)), codeInvalidRequest},
		"a long format":              {carol, passing("SELECT 1", func(q *porterhouse.Query) { q.Format = porterhouse.Format(long) }), codeInvalidRequest},
		"two statements":             {carol, passing("SELECT 1;", data("SELECT 2")), codeSyntax},
		"somebody else":              {carol, passing("EXECUTE AS", data("bob SELECT 1")), codeAccessDenied},
		"nobody's account":           {porterhouse.Principal{Issuer: "test", Subject: "eve", User: "eve@evil.com"}, passing("SELECT 1"), codeUnknownUser},
	} {
		if _, err := h.send(c.who, c.q); codeIn(err) != c.code {
			t.Errorf("%s: %v; want code %d", name, err, c.code)
		}
	}
	if n := h.record.Stats().Questions; n != 0 {
		t.Errorf("%d questions were asked", n)
	}
}
