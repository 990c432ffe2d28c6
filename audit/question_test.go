package audit

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"porterhouse"
)

// What a client of ClickHouse's own interface chooses beside its statement is recorded,
// its secrets masked, and what it sent and wrote.
func TestQuestionWithAPassage(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	q := question("0198-a", "INSERT INTO t FORMAT CSV")
	q.QueryID, q.Roles, q.Session, q.Format = "my \"id\"", []string{"writers", "ünï"}, "tab-1", "JSON"
	q.Settings = []porterhouse.Setting{
		{Name: "max_threads", Value: "1"}, {Name: "max_threads", Value: "2"},
		{Name: "my_password", Value: "hunter2"}, {Name: "format_avro_schema_registry_url", Value: "http://u:hunter2@host/"},
	}
	e, err := l.Begin(q)
	if err != nil {
		t.Fatal(err)
	}
	exception := &porterhouse.Exception{Code: 27, Name: "CANNOT_PARSE_INPUT_ASSERTION_FAILED", Message: "hunter2"}
	failed := &porterhouse.Error{Kind: porterhouse.Failed, Public: "hunter2", Err: exception}
	if err := e.End(Outcome{Bytes: 7, Sent: 12, Written: 3, Duration: time.Millisecond, Err: failed}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	intact(t, c.Path)

	lines := entries(t, c.Path)
	open, closed := ofKind(lines, kindOpen)[0], ofKind(lines, kindClose)[0]
	for field, want := range map[string]string{
		"id": "0198-a", "query_id": `my "id"`, "roles": "[writers ünï]", "session": "tab-1", "format": "JSON",
		"settings": "[[max_threads 1] [max_threads 2] [my_password [masked]] [format_avro_schema_registry_url http://[masked]@host/]]",
	} {
		if got := fmt.Sprint(open[field]); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	if got := fmt.Sprintln(closed["outcome"], closed["error"], closed["code"], closed["code_name"], closed["bytes"], closed["sent"], closed["written"]); got != "error failed 27 CANNOT_PARSE_INPUT_ASSERTION_FAILED 7 12 3\n" {
		t.Errorf("it ended so: %s", got)
	}
}

// However much a client chooses, a line stays a line.
func TestLongPassages(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	q := question("0198-a", "SELECT 1")
	long := make([]byte, 100_000)
	q.QueryID, q.Session, q.Format = string(long), string(long), string(long)
	for range 1000 {
		q.Roles = append(q.Roles, string(long))
		q.Settings = append(q.Settings, porterhouse.Setting{Name: string(long), Value: string(long)})
	}
	if err := l.Refuse(q, errors.New("no")); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	line := ofKind(entries(t, c.Path), kindRefuse)[0]
	if n := len(line["settings"].([]any)); n != maxParams || line["settings_count"] != 1000.0 || line["roles_count"] != 1000.0 {
		t.Errorf("%d settings are kept, of %v, and %v roles", n, line["settings_count"], line["roles_count"])
	}
	if size := len(read(t, c.Path)); size > maxLine/2 {
		t.Errorf("%d bytes of record", size)
	}
}

// A time is written as its layout says.
func TestTimes(t *testing.T) {
	zone := time.FixedZone("", -5*3600-1800)
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, zone), time.Date(2027, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(2028, 2, 29, 9, 8, 7, 60_504_030, zone), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		if got, want := string(appendTime(nil, at)), at.UTC().Format(timeLayout); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
