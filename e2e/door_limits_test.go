package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// rules bound one of the crowd each, by one kind of limit.
const rules = `limits:
  rules:
    - {name: a second, people: [person00@example.com], time: 1s}
    - {name: an answer, people: [person01@example.com], answer: 100 KiB}
    - {name: one at once, people: [person02@example.com], concurrent: 1}
    - {name: a question a day, people: [person03@example.com], queries: 1, window: 24h}
    - {name: bytes a day, people: [person04@example.com], bytes: 100 KiB, window: 24h}
`

const (
	longest = "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"
	largest = "SELECT number, repeat('x', 1000) FROM numbers(2000)" // 2 MB
)

// No limit is lifted by anything that a request can say, in any mode: neither in the
// text, nor beside it, nor before it.
func TestLimitsCannotBeLifted(t *testing.T) {
	everyMode(t, func(t *testing.T, s *site) {
		tokens := s.gatherCrowd()
		s.reconfigure(siteLimits, rules)
		as := func(person int) way { return way{s.plain, personOf(person), tokens[person]} }
		for name, test := range map[string]func(*testing.T, *site, way){
			"time": timeHolds, "answer": answerHolds, "at once": atOnceHolds, "queries": queriesHold, "bytes": bytesHold,
		} {
			person := map[string]int{"time": 0, "answer": 1, "at once": 2, "queries": 3, "bytes": 4}[name]
			t.Run(name, func(t *testing.T) { test(t, s.inTest(t), as(person)) })
		}
	})
}

// timeHolds: whatever is said, nothing takes longer, and nothing goes on.
func timeHolds(t *testing.T, s *site, w way) {
	var work sync.WaitGroup
	slots := make(chan struct{}, 12)
	for name, r := range s.attempts(w, longest, "max_execution_time", "1000") {
		work.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			got, err := w.send(ctx, s.client(), r)
			if ctx.Err() != nil || err == nil && got.status == http.StatusOK && !got.broken && !strings.Contains(got.body, "__exception__") {
				t.Errorf("%s: %d %.200q, %v", name, got.status, got.body, err)
			}
		})
	}
	work.Wait()
	s.eventually("nothing goes on", 20*time.Second, func() bool { return s.running("cityHash64") == "0" })
	got, err := w.send(t.Context(), s.client(), post(longest))
	if err != nil || got.status != http.StatusRequestTimeout && !strings.Contains(got.body, "a second") && !strings.Contains(got.body, "TIMEOUT_EXCEEDED") {
		t.Errorf("plainly: %d %q, %v", got.status, got.body, err)
	}
}

// answerHolds: whatever is said, no answer is longer, and none that is cut looks whole.
func answerHolds(t *testing.T, s *site, w way) {
	for name, r := range s.attempts(w, largest, "max_result_bytes", "0") {
		if !r.answersRows() {
			continue
		}
		got, err := w.send(t.Context(), s.client(), r)
		if len(got.body) > 100<<10+1000 || err == nil && got.status == http.StatusOK && !got.broken && !strings.Contains(got.body, "__exception__") {
			t.Errorf("%s: %d, %d bytes, broken %v, %v", name, got.status, len(got.body), got.broken, err)
		}
	}
	if got, err := w.send(t.Context(), s.client(), post("SELECT repeat('x', 100000)")); err != nil || got.status != http.StatusOK || len(got.body) != 100_001 {
		t.Errorf("what may pass: %d, %d bytes, %v", got.status, len(got.body), err)
	}
}

// atOnceHolds: while one question runs there is no second one, whatever it says.
func atOnceHolds(t *testing.T, s *site, w way) {
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = w.send(ctx, s.client(), post(longest)) }() // it is left
	s.eventually("the first one runs", 20*time.Second, func() bool { return s.running("cityHash64") != "0" })
	s.allLimited(w, "one at once", "max_concurrent_queries_for_user", "0")
	leave()
	<-ended
	s.eventually("there is a place again", 20*time.Second, func() bool { return s.answers(w) })
}

// queriesHold: a window that is used up is used up, whatever is said.
func queriesHold(t *testing.T, s *site, w way) {
	if !s.answers(w) {
		t.Fatal("not even the first one is answered")
	}
	s.allLimited(w, "a question a day", "log_queries", "0")
}

// bytesHold: so is a window of bytes, also by what is written.
func bytesHold(t *testing.T, s *site, w way) {
	data := strings.Repeat("1\t2\n", 50_000)
	got, err := w.send(t.Context(), s.client(), request{target: "/?query=" + escape("INSERT INTO own.rows (nonce, n) FORMAT TSV"), body: data})
	if err == nil && got.status == http.StatusOK || s.text("SELECT count() FROM own.rows WHERE nonce = 1") != "0" {
		t.Errorf("200 KB were written: %d %s", got.status, got.body)
	}
	got, err = w.send(t.Context(), s.client(), post(largest))
	if len(got.body) > 100<<10+64<<10 || err == nil && got.status == http.StatusOK && !got.broken && !strings.Contains(got.body, "__exception__") {
		t.Errorf("2 MB were read: %d, %d bytes, %v", got.status, len(got.body), err)
	}
	s.allLimited(w, "bytes a day", "max_result_bytes", "0")
}

// allLimited makes all attempts, and each must meet the limit, or be refused for what it
// says.
func (s *site) allLimited(w way, limit, setting, value string) {
	s.t.Helper()
	told := 0
	for name, r := range s.attempts(w, "SELECT 1 AS lifted", setting, value) {
		got, err := w.send(s.t.Context(), s.client(), r)
		if err != nil || got.status == http.StatusOK {
			s.t.Errorf("%s: %d %q, %v", name, got.status, got.body, err)
		}
		if got.status == http.StatusTooManyRequests {
			if told++; !strings.Contains(got.body, limit) || got.headers.Get("Retry-After") == "" && got.headers.Get(codeHeader) == "" {
				s.t.Errorf("%s: nobody says which limit: %q", name, got.body)
			}
		}
	}
	if told < 10 {
		s.t.Errorf("only %d attempts came as far as the limit %q", told, limit)
	}
}

// answers reports whether a question is answered.
func (s *site) answers(w way) bool {
	s.t.Helper()
	got, err := w.send(s.t.Context(), s.client(), post("SELECT 1"))
	return err == nil && got.status == http.StatusOK
}

// answersRows reports whether the attempt would be answered by the rows of its statement.
func (r request) answersRows() bool {
	return !strings.Contains(r.body, "INSERT INTO") && !strings.Contains(r.body, "CREATE ") && !strings.Contains(r.body, "EXPLAIN")
}

// attempts are requests for sql that would lift a limit, if a setting could.
func (s *site) attempts(w way, sql, setting, value string) map[string]request {
	s.t.Helper()
	set := setting + "=" + value
	clause := " SETTINGS " + set
	all := map[string]request{
		"plainly":                        post(sql),
		"in the text":                    post(sql + clause),
		"in the text, twice":             post(sql + clause + ", " + set),
		"in the text, in capitals":       post(sql + " settings " + strings.ToUpper(setting) + " = " + value),
		"in the text, quoted":            post(sql + " SETTINGS `" + setting + "` = '" + value + "'"),
		"in the text, as a parameter":    post(sql+" SETTINGS "+setting+" = {x:UInt64}", "param_x="+value),
		"in the text, as DEFAULT":        post(sql + " SETTINGS " + setting + " = DEFAULT"),
		"in the text, behind a comment":  post(sql + " /* */ SETTINGS/**/" + set + " -- end"),
		"in the text, behind FORMAT":     post(sql + " FORMAT TSV SETTINGS " + set),
		"in a subquery":                  post("SELECT * FROM (" + sql + clause + ")"),
		"deep in subqueries":             post("SELECT * FROM (SELECT * FROM (SELECT * FROM (" + sql + clause + ")))"),
		"in a WITH":                      post("WITH a AS (" + sql + clause + ") SELECT * FROM a"),
		"in a UNION":                     post(sql + " UNION ALL " + sql + clause),
		"in a view":                      post("SELECT * FROM view(" + sql + clause + ")"),
		"in EXPLAIN":                     post("SELECT * FROM (EXPLAIN ANALYZE " + sql + clause + ")"),
		"before it, in one text":         post("SET " + set + "; " + sql),
		"beside it in parallel":          post("SET " + set + " PARALLEL WITH " + sql),
		"as somebody else":               post("EXECUTE AS carol " + sql),
		"in the URL":                     post(sql, set),
		"in the URL, twice":              post(sql, setting+"=1", set),
		"in the URL, escaped":            post(sql, fmt.Sprintf("%%%02x%s", setting[0], set[1:])),
		"in the URL, in capitals":        post(sql, strings.ToUpper(setting)+"="+value),
		"in the URL, with a break":       post(sql, set, "timeout_overflow_mode=break", "result_overflow_mode=break"),
		"in the URL, as a fraction":      post(sql, setting+"=1e-9"),
		"in the URL, by a profile":       post(sql, "profile=default"),
		"in the URL, by a role":          post(sql, "role=extra"),
		"in the URL, by a quota":         post(sql, "quota_key=another"),
		"in the URL, behind readonly":    post(sql, "readonly=0", set),
		"in the URL, as a statement":     {target: "/?query=" + escape(sql+clause)},
		"in the URL, by GET":             {method: http.MethodGet, target: "/?query=" + escape(sql) + "&" + set},
		"in both":                        {target: "/?query=" + escape(sql), body: clause},
		"in headers":                     post(sql).with("X-ClickHouse-Setting: "+set, "X-ClickHouse-"+setting+": "+value, "X-Porterhouse-Limits: none", "X-ClickHouse-Quota: another"),
		"from another address":           post(sql).with("X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7", "User-Agent: another"),
		"with an id":                     post(sql, "query_id=lifted-"+strconv.Itoa(len(sql)), "replace_running_query=1"),
		"waiting for the end":            post(sql, "wait_end_of_query=1", "buffer_size=1000000"),
		"with a log_comment":             post(sql, "log_comment="+escape(`{"rid":"another"}`)),
		"in gzip":                        post(zip(sql + clause)).with("Content-Encoding: gzip"),
		"in ClickHouse's own blocks":     {target: "/?decompress=1&query=" + escape(sql), body: "no block"},
		"in brotli, so it says":          post(sql + clause).with("Content-Encoding: br"),
		"in chunks":                      {target: "/?" + set, body: sql, stream: true},
		"in a form":                      formOf(sql, part{name: setting, text: value}, part{name: "param_x", text: "1"}),
		"in a form, with its statement":  formOf("", part{name: "query", text: sql + clause}),
		"in a form, with a table":        formOf(sql+clause, part{name: "mine", file: "mine", text: "1\n"}),
		"behind SET in a session":        post(sql, "session_id=lifting"),
		"INSERT … SELECT":                post("INSERT INTO own.rows (n) SELECT 1 FROM (" + sql + ")"),
		"INSERT … SELECT, lifted":        post("INSERT INTO own.rows (n) SETTINGS " + set + " SELECT 1 FROM (" + sql + ")"),
		"INSERT … SELECT, lifted within": post("INSERT INTO own.rows (n) SELECT 1 FROM (" + sql + clause + ")"),
		"INSERT, asynchronously":         post("INSERT INTO own.rows (n) SETTINGS async_insert=1, wait_for_async_insert=0 SELECT 1 FROM (" + sql + ")"),
		"CREATE TABLE … AS SELECT":       post("CREATE TEMPORARY TABLE mine ENGINE = Memory AS " + sql + clause),
	}
	for _, session := range []request{post("SET "+set, "session_id=lifting"), post("SET profile = 'default'", "session_id=lifting"), post("SET ROLE extra", "session_id=lifting")} {
		if _, err := w.send(s.t.Context(), s.client(), session); err != nil { // refused or not
			s.t.Error(err)
		}
	}
	return all
}

// zip is text in gzip.
func zip(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text) // into memory
	_ = z.Close()
	return b.String()
}
