package clickhouse_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// logTables are where ClickHouse writes down who asked.
var logTables = []string{"query_log", "session_log"}

// Each log of ClickHouse's shows the same people in the same number of rows, by each way:
// the table in doc/cluster-secret.md. With PORTERHOUSE_SOAK=1 a thousand statements
// are run, and the bytes that they leave are told.
func TestLogs(t *testing.T) {
	h := newHolder(t)
	h.ways["static"] = dial(t, h.HTTP, func(c *clickhouse.Config) {
		c.Password, c.Access.Mode = porterhouse.NewSecret("gateway"), clickhouse.Static
	})
	statements := 20
	if os.Getenv("PORTERHOUSE_SOAK") != "" {
		statements = 1000
	}
	for _, test := range []struct {
		way      string
		writes   bool
		query    string // user, initial_user, authenticated_user, rows for each statement
		sessions string // user, logins, logouts, those for each statement
		running  string // user and initial_user in system.processes
	}{
		{"interserver", false, "alice alice  2", "alice LoginSuccess 1; alice Logout 1", "alice alice"},
		{"execute_as", false, "alice alice gw_porter 2; gw_porter gw_porter gw_porter 2", "gw_porter LoginSuccess 1; gw_porter Logout 1", "alice alice; gw_porter gw_porter"},
		{"execute_as", true, "alice alice gw_porter 2", "alice Logout 1; gw_porter LoginSuccess 1", ""}, // she goes, who came as the gateway
		{"verify", false, "alice alice alice 2", "alice LoginSuccess 1; alice Logout 1", "alice alice"},
		{"static", false, "gw_porter gw_porter gw_porter 2", "gw_porter LoginSuccess 1; gw_porter Logout 1", "gw_porter gw_porter"},
	} {
		t.Run(fmt.Sprintf("%s, writes: %t", test.way, test.writes), func(t *testing.T) {
			if test.running != "" {
				h.isShown(t, test.way, test.running)
			}
			h.once(t, test.way, test.writes) // what comes once, comes before
			h.empty(t)
			for range statements {
				h.once(t, test.way, test.writes)
			}
			for _, log := range []struct{ table, sql, want string }{
				{"query_log", "SELECT concat(user, ' ', initial_user, ' ', authenticated_user) AS who, count() FROM system.query_log WHERE log_comment LIKE '%\"rid\"%'", test.query},
				{"session_log", "SELECT concat(user, ' ', toString(type)) AS who, count() FROM system.session_log WHERE user IN ('alice', '" + gateway + "')", test.sessions},
			} {
				var got string
				if !settles(func() bool { // the last line is written after the answer
					h.flush(t)
					got = h.perStatement(t, log.sql, statements)
					return got == log.want
				}) {
					t.Errorf("%s: %q, want %q", log.table, got, log.want)
				}
			}
			for _, table := range logTables {
				h.weigh(t, table)
			}
		})
	}
}

// once runs one statement of Alice's.
func (h *holder) once(t *testing.T, way string, writes bool) {
	t.Helper()
	if !writes {
		if _, err := read(t.Context(), h.ways[way], account(t, "alice"), question("SELECT 1")); err != nil {
			t.Fatal(err)
		}
		return
	}
	q := writing("INSERT INTO app.sink SELECT 1", nil, 0)
	q.Class.Verb = "INSERT"
	if got, err := pass(t.Context(), h.ways[way], account(t, "alice"), q); err != nil || got.Status != 200 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// isShown compares whom system.processes shows while a question of Alice's runs.
func (h *holder) isShown(t *testing.T, way, want string) {
	t.Helper()
	q := question("SELECT sleepEachRow(1) FROM numbers(100) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = read(ctx, h.ways[way], account(t, "alice"), q) // it ends when it is cancelled
	}()
	eventually(t, "it is in system.processes", func() bool {
		got, err := h.Text(t.Context(), "SELECT arrayStringConcat(arraySort(groupArray(concat(user, ' ', initial_user))), '; ') FROM system.processes WHERE Settings['log_comment'] LIKE '%"+q.ID+"%'")
		return err == nil && got == want
	})
	cancel()
	<-done
	eventually(t, "it has ended", func() bool {
		n, err := h.Text(t.Context(), "SELECT count() FROM system.processes WHERE Settings['log_comment'] LIKE '%"+q.ID+"%' AND user != 'default'")
		return err == nil && n == "0"
	})
	<-h.ways[way].Gone(q.ID)
}

// empty empties the logs, once whoever came has gone: the last lines are written after the answer.
func (h *holder) empty(t *testing.T) {
	t.Helper()
	for _, log := range []struct{ come, gone string }{
		{"system.query_log WHERE type = 'QueryStart'", "system.query_log WHERE type IN ('QueryFinish', 'ExceptionWhileProcessing')"},
		{"system.session_log WHERE type = 'LoginSuccess'", "system.session_log WHERE type = 'Logout'"},
	} {
		eventually(t, log.gone, func() bool {
			h.flush(t)
			away, err := h.Text(t.Context(), fmt.Sprintf("SELECT (SELECT count() FROM %s AND user IN ('alice', '%s')) = (SELECT count() FROM %s AND user IN ('alice', '%[2]s'))", log.come, gateway, log.gone))
			return err == nil && away == "1"
		})
	}
	for _, table := range logTables {
		if err := h.Exec(t.Context(), "TRUNCATE TABLE system."+table); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *holder) flush(t *testing.T) {
	t.Helper()
	if err := h.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err != nil {
		t.Fatal(err)
	}
}

// perStatement is who is in a log, and with how many rows for each statement.
func (h *holder) perStatement(t *testing.T, sql string, statements int) string {
	t.Helper()
	text, err := h.Text(t.Context(), sql+" GROUP BY who ORDER BY who")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(text) {
		who, count, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		var n int
		if _, err := fmt.Sscan(count, &n); err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprintf("%s %g", who, float64(n)/float64(statements)))
	}
	return strings.Join(found, "; ")
}

// weigh tells how much a log has become.
func (h *holder) weigh(t *testing.T, table string) {
	t.Helper()
	if err := h.Exec(t.Context(), "OPTIMIZE TABLE system."+table+" FINAL"); err != nil {
		t.Fatal(err)
	}
	text, err := h.Text(t.Context(), "SELECT sum(rows), sum(data_uncompressed_bytes), sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'system' AND table = '"+table+"'")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: rows, bytes, bytes on disk: %s", table, text)
}

// What the page says of keeping the logs short works: a TTL, by SQL and by the server's
// configuration, and dropping a month.
func TestRetention(t *testing.T) {
	const ttl = "<partition_by>toYYYYMM(event_date)</partition_by><ttl>event_date + INTERVAL 30 DAY DELETE</ttl>"
	server := sandbox.ForTest(t, sandbox.Options{ExtraConfig: "<text_log><database>system</database><table>text_log</table>" + ttl + "</text_log>"})
	text := func(sql string) string {
		t.Helper()
		got, err := server.Text(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	run := func(sql string) {
		t.Helper()
		if err := server.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the first time the table is made; the second, ClickHouse looks whether it is as the configuration has it
		run("SELECT 1") // so that there is a login to be written down
		run("SYSTEM FLUSH LOGS")
	}
	const made = "PARTITION BY toYYYYMM(event_date) ORDER BY (event_date, event_time) TTL event_date + toIntervalDay(30)"
	if got := text("SELECT engine_full FROM system.tables WHERE database = 'system' AND name = 'text_log'"); !strings.Contains(got, made) {
		t.Errorf("the configuration made %s", got)
	}
	const old = "SELECT count() FROM system.session_log WHERE event_date < today() - 100"
	insert := "INSERT INTO system.session_log (event_date, event_time, user) VALUES ('2020-01-15', '2020-01-15 00:00:00', 'gone')"
	run(insert)
	if text(old) != "1" {
		t.Error("there is no old row")
	}
	run("ALTER TABLE system.session_log MODIFY TTL event_date + INTERVAL 30 DAY DELETE")
	run("OPTIMIZE TABLE system.session_log FINAL")
	if text(old) != "0" {
		t.Error("the TTL leaves an old row")
	}
	run("ALTER TABLE system.session_log REMOVE TTL")
	run(insert)
	run("ALTER TABLE system.session_log DROP PARTITION 202001")
	if text(old) != "0" {
		t.Error("a month that was dropped is there")
	}
}
