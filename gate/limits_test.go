package gate

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/statement"
)

// carol may write to the database scratch.
var carol = porterhouse.Principal{Issuer: "test", Subject: "carol", User: "carol@example.com", Client: "a driver"}

// newStreet is a house whose door is for clients of ClickHouse's own interface, with
// rules; people come in as themselves, by the access mode, or by their own password.
func newStreet(t *testing.T, mode clickhouse.Mode, rules ...Rule) *house {
	t.Helper()
	h := newHouse(t, func(c *Config) {
		c.Windows = NewWindows(WindowsConfig{})
		main := c.Clusters["main"]
		main.Passwords, main.Deny = true, []string{"porterhouse"}
		main.Doors["http"] = Door{
			Limits: porterhouse.Limits{Time: 20 * time.Second}, Rules: rules,
			Queue: Queue{Running: 20, Waiting: 20, Wait: time.Minute},
			Pass:  Pass{Writes: true, Format: true, Settings: statement.Ordinary},
		}
		c.Clusters["main"] = main
	})
	for _, sql := range []string{
		"CREATE USER everybody IDENTIFIED BY 'of everybody'",
		"GRANT analyst, author TO everybody",
		"GRANT KILL QUERY ON *.* TO everybody",
		"GRANT SELECT(query, query_id, user, Settings) ON system.processes TO everybody",
		"CREATE TABLE scratch.t (n UInt64) ENGINE = MergeTree ORDER BY n",
	} {
		check(t, h.db.Exec(t.Context(), sql))
	}
	c := clickhouse.Config{User: h.gateway.User, Password: porterhouse.NewSecret(h.gateway.Password), Access: clickhouse.Access{Native: h.db.Native}}
	if mode == clickhouse.Static {
		c = clickhouse.Config{User: "everybody", Password: porterhouse.NewSecret("of everybody"), Access: clickhouse.Access{Mode: mode}}
	}
	h.clusters["main"].Client = clickhouse.Alone(h.connect(t, c))
	return h
}

// connect makes another client.
func (h *house) connect(t *testing.T, c clickhouse.Config) *clickhouse.Client {
	t.Helper()
	c.URL, c.HeaderTimeout = h.db.HTTP, time.Second
	client, err := clickhouse.New(c)
	check(t, err)
	t.Cleanup(func() { check(t, client.Close(context.Background())) })
	return client
}

// passing is a question as a client of ClickHouse's own interface asks it.
func passing(sql string, change ...func(*porterhouse.Query)) porterhouse.Query {
	q := porterhouse.Query{SQL: sql, Format: "TabSeparated", Passage: &porterhouse.Passage{}}
	q.Via.Entry = porterhouse.Entry{Cluster: "main", Door: "http"}
	for _, c := range change {
		c(&q)
	}
	return q
}

// with puts settings beside the statement.
func with(settings ...porterhouse.Setting) func(*porterhouse.Query) {
	return func(q *porterhouse.Query) { q.Passage.Settings = settings }
}

// in puts the question into a session.
func in(session string) func(*porterhouse.Query) {
	return func(q *porterhouse.Query) {
		q.Passage.Session = &porterhouse.Session{ID: session, Timeout: time.Minute}
	}
}

// data puts what follows beside the statement.
func data(text string) func(*porterhouse.Query) {
	return func(q *porterhouse.Query) { q.Passage.Data, q.Passage.Size = strings.NewReader(text), -1 }
}

// send asks and reads the answer to its end, however it ends. What ClickHouse refuses
// is an answer, too, and then an error here.
func (h *house) send(who porterhouse.Principal, q porterhouse.Query) (text string, err error) {
	answer, err := h.Query(context.Background(), who, q)
	if err != nil {
		return "", err
	}
	all, err := io.ReadAll(answer.Body)
	err = errors.Join(err, answer.Body.Close())
	if told := answer.Summary().Exception; err == nil && told != nil {
		err = told
	}
	return string(all), err
}

// everyWay runs a test in each of some access modes.
func everyWay(t *testing.T, test func(t *testing.T, mode clickhouse.Mode)) {
	for _, mode := range []clickhouse.Mode{clickhouse.ExecuteAs, clickhouse.Static} {
		t.Run(string(mode), func(t *testing.T) { test(t, mode) })
	}
}

const endlessly = "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"

// The attempts to take longer than a rule allows. Each is refused, or ends in time.
func attemptsAtTime() map[string]porterhouse.Query {
	return map[string]porterhouse.Query{
		"plainly":                    passing(endlessly),
		"in the text":                passing(endlessly + " SETTINGS max_execution_time = 0"),
		"in a subquery":              passing("SELECT * FROM (" + endlessly + " SETTINGS max_execution_time = 1000)"),
		"beside it":                  passing(endlessly, with(porterhouse.Setting{Name: "max_execution_time", Value: "1000"})),
		"beside it, its other kinds": passing(endlessly, with(porterhouse.Setting{Name: "timeout_overflow_mode", Value: "break"}, porterhouse.Setting{Name: "max_execution_time_leaf", Value: "0"})),
		"by a profile":               passing(endlessly, with(porterhouse.Setting{Name: "profile", Value: "default"})),
		"behind SET":                 passing(endlessly, in("a session")),
		"INSERT … SELECT":            passing("INSERT INTO scratch.t " + endlessly),
		"INSERT … SELECT, lifted":    passing("INSERT INTO scratch.t SETTINGS max_execution_time = 0 " + endlessly),
		"in a body":                  passing("", data(endlessly)),
		"as an external user":        passing(endlessly, func(q *porterhouse.Query) { q.ID = "mine"; q.Limits.Time = time.Hour }),
		"slowly, row by row":         passing("SELECT sleepEachRow(0.05) FROM numbers(1000) SETTINGS max_block_size = 1"),
	}
}

// A rule's time ends a question, whatever it says, and nothing of it goes on.
func TestTimeCannotBeLifted(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode, Rule{Name: "a second", Time: time.Second})
		var work sync.WaitGroup
		_, err := h.send(carol, passing("SET max_execution_time = 1000", in("a session")))
		if kind, _ := porterhouse.Explain(err); err != nil && kind != porterhouse.Refused {
			t.Errorf("SET: %v", err)
		}
		for name, q := range attemptsAtTime() {
			work.Go(func() {
				since := time.Now()
				text, err := h.send(carol, q)
				kind, _ := porterhouse.Explain(err)
				switch {
				case err == nil || kind != porterhouse.Timeout && kind != porterhouse.Refused && !isException(err, codeTimeout):
					t.Errorf("%s: %q, %v", name, text, err)
				case time.Since(since) > 40*time.Second: // of the 50 s that the quickest takes
					t.Errorf("%s took %v", name, time.Since(since))
				case kind == porterhouse.Timeout && !strings.Contains(err.Error(), `the limit "a second"`):
					t.Errorf("%s: nobody says which limit: %v", name, err)
				}
			})
		}
		work.Wait()
		h.isQuiet(t)
	})
}

func isException(err error, code int) bool {
	e, ok := errors.AsType[*porterhouse.Exception](err)
	return ok && e.Code == code
}

// isQuiet fails unless ClickHouse soon runs nothing but the question whether it does.
func (h *house) isQuiet(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		running, err := h.db.Text(t.Context(), "SELECT groupArray(query) FROM system.processes WHERE user NOT IN ('default', '')")
		check(t, err)
		if running == "[]" && h.people.Stats().People == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still running: %s, %+v", running, h.people.Stats())
		}
	}
}

const million = "SELECT number FROM numbers(1000000)" // 6.9 MB

// The attempts to get more bytes than a rule allows.
func attemptsAtBytes() map[string]porterhouse.Query {
	return map[string]porterhouse.Query{
		"plainly":         passing(million),
		"in another form": passing(million + " FORMAT Native"),
		"in the text":     passing(million + " SETTINGS max_result_bytes = 0, result_overflow_mode = 'break'"),
		"beside it":       passing(million, with(porterhouse.Setting{Name: "max_result_bytes", Value: "0"}, porterhouse.Setting{Name: "output_format_parallel_formatting", Value: "0"})),
		"in few rows":     passing("SELECT repeat(repeat('x', 1000), 5000)"),
		"in one body":     passing("", data("SELECT repeat(repeat('x', 1000), 5000)")),
		"at wider limits": passing(million, func(q *porterhouse.Query) { q.Limits.Bytes = 1 << 40 }),
		"at the end of it": passing(million, func(q *porterhouse.Query) {
			q.Passage.Options = []porterhouse.Setting{{Name: "wait_end_of_query", Value: "1"}}
		}),
	}
}

// An answer is cut at the size that a rule gives it: the client sees that it is not
// whole, and the record says so.
func TestAnswerSizeCannotBeLifted(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		h := newStreet(t, mode, Rule{Name: "100 KB", Answer: 100_000})
		for name, q := range attemptsAtBytes() {
			text, err := h.send(carol, q)
			kind, _ := porterhouse.Explain(err)
			if err == nil || kind != porterhouse.Limited && kind != porterhouse.Refused || len(text) > 100_000 {
				t.Errorf("%s: %d bytes, %v", name, len(text), err)
			}
			if kind == porterhouse.Limited && (!strings.Contains(err.Error(), `the limit "100 KB" lets one answer have 100000 bytes`) || codeIn(err) != codeTooManyBytes) {
				t.Errorf("%s: nobody says which limit: %v", name, err)
			}
		}
		if text, err := h.send(carol, passing("SELECT repeat('x', 99999)")); err != nil || len(text) != 100_000 {
			t.Errorf("just as much as may be: %d bytes, %v", len(text), err)
		}
		h.isQuiet(t)
	})
}

// The bytes of a window are those of all answers together, running ones too.
func TestBytesPerWindowCannotBeLifted(t *testing.T) {
	everyWay(t, func(t *testing.T, mode clickhouse.Mode) {
		const most, buffer = 1_000_000, 64 << 10
		h := newStreet(t, mode, Rule{Name: "a megabyte", Bytes: most, Window: 24 * time.Hour})
		var mu sync.Mutex
		var work sync.WaitGroup
		total := 0
		for name, q := range attemptsAtBytes() {
			work.Go(func() {
				text, err := h.send(carol, q)
				mu.Lock()
				defer mu.Unlock()
				total += len(text)
				if kind, _ := porterhouse.Explain(err); err == nil || kind != porterhouse.Limited && kind != porterhouse.Refused {
					t.Errorf("%s: %d bytes, %v", name, len(text), err)
				}
			})
		}
		work.Wait()
		if total < most || total > most+len(attemptsAtBytes())*buffer {
			t.Errorf("%d bytes passed", total)
		}
		for name, q := range map[string]porterhouse.Query{
			"a read": passing("SELECT 1"), "a write": passing("INSERT INTO scratch.t FORMAT CSV", data("1\n")), "for another account": passing("SELECT 1"),
		} {
			_, err := h.send(carol, q)
			isLimited(t, err, retryOf(err), `"a megabyte"`)
			if retryOf(err) <= 0 || retryOf(err) > 24*time.Hour {
				t.Errorf("%s: to be tried again in %v", name, retryOf(err))
			}
		}
		h.isQuiet(t)
	})
}

func retryOf(err error) time.Duration {
	e := &porterhouse.Error{}
	errors.As(err, &e)
	return e.RetryAfter
}
