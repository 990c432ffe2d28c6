package clickhouse_test

import (
	"fmt"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
)

// What really differs between two modes at a ClickHouse that is set up so is found, and
// nothing else is.
func TestShadowFindsWhatDiffers(t *testing.T) {
	w := newTwoWays(t,
		"CREATE TABLE app.logins (who String, n Int32) ENGINE = MergeTree ORDER BY who",
		"INSERT INTO app.logins VALUES ('alice', 1), ('bob', 2), ('"+gateway+"', 3)",
		"CREATE ROW POLICY login ON app.logins USING who = authenticatedUser() OR authenticatedUser() = '' AND who = currentUser() TO ALL EXCEPT default",
		"CREATE VIEW app.asks AS SELECT authenticatedUser() AS login", "GRANT SELECT ON app.asks TO alice",
		"GRANT SELECT ON app.logins TO alice",
		person("nowhere")+" HOST NONE", person("held")+" SETTINGS readonly = 1", person("east")+" SETTINGS session_timezone = 'Asia/Kolkata'", person("ungranted"), person("ticketless"),
		"ALTER USER ticketless IDENTIFIED WITH no_authentication",
		"GRANT IMPERSONATE ON nowhere TO "+gateway, "GRANT IMPERSONATE ON held TO "+gateway, "GRANT IMPERSONATE ON east TO "+gateway, "GRANT IMPERSONATE ON ticketless TO "+gateway,
		"GRANT reader TO nowhere, held, ungranted, ticketless",
	)
	const byName, bySecret, byTicket = clickhouse.ExecuteAs, clickhouse.Interserver, clickhouse.Verify
	for _, test := range []struct {
		name         string
		mode, shadow clickhouse.Mode
		as           string
		q            porterhouse.Query
		want         clickhouse.DifferenceKind
	}{
		{"nobody granted IMPERSONATE", bySecret, byName, "ungranted", reading("SELECT a FROM app.t"), clickhouse.DiffersInRights},
		{"an account that may come from nowhere", byName, bySecret, "nowhere", reading("SELECT a FROM app.t"), clickhouse.DiffersInRights},
		{"an account that no ticket lets in", bySecret, byTicket, "ticketless", reading("SELECT a FROM app.t"), clickhouse.DiffersInRights},
		{"an account whose profile says readonly = 1", byName, bySecret, "held", reading("SELECT a FROM app.t"), clickhouse.DiffersInRights},
		{"a setting that readonly refuses", byName, byTicket, "alice", reading("SELECT a FROM app.t SETTINGS readonly = 0"), clickhouse.DiffersInRights},
		{"a row policy that looks at the login", byTicket, byName, "alice", reading("SELECT n FROM app.logins"), clickhouse.DiffersInValues},
		{"the same, by its secret", bySecret, byName, "alice", reading("SELECT n FROM app.logins"), clickhouse.DiffersInValues},
		{"a view that tells of the login", byTicket, byName, "alice", reading("SELECT login FROM app.asks"), clickhouse.DiffersInValues},
		{"a zone in a profile", bySecret, byName, "east", reading("SELECT toUnixTimestamp('2020-01-01 00:00:00')"), clickhouse.DiffersInValues},
		{"a zone in a statement", byTicket, byName, "alice", reading("SELECT toHour(toDateTime(0)) SETTINGS session_timezone = 'Asia/Tokyo'"), clickhouse.DiffersInValues},
		{"what the setting itself tells", bySecret, byName, "alice", reading("SELECT getSetting('readonly')"), clickhouse.DiffersInValues},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log logged
			c := w.client(t, test.mode, test.shadow, log.into)
			if o := outcome(t, c, test.as, test.q); o != clickhouse.ShadowDifferent || last(c).Kind != test.want {
				t.Errorf("%s, %+v; want %s", o, last(c), test.want)
			}
			if host := " host=" + strings.TrimPrefix(w.url, "http://"); strings.Count(log.String(), host) != strings.Count(log.String(), "two access modes differ") {
				t.Errorf("the log does not say%s once a line:\n%s", host, &log)
			}
			if o := outcome(t, c, "bob", reading("SELECT * FROM app.mine")); o != clickhouse.ShadowSame {
				t.Errorf("somebody else: %s, %+v", o, last(c))
			}
		})
	}
	t.Run("what the gateway's account has", func(t *testing.T) { testGatewayLeaks(t, w) })
}

// testGatewayLeaks gives the gateway's own account what people do not have.
func testGatewayLeaks(t *testing.T, w *twoWays) {
	for _, test := range []struct {
		alter, back, sql string
		want             clickhouse.DifferenceKind
	}{
		{"SETTINGS join_use_nulls = 1", "SETTINGS NONE", "SELECT b.a FROM app.t AS a LEFT JOIN (SELECT 1::Int32 AS a) AS b ON a.a = b.a", clickhouse.DiffersInColumns},
		{"SETTINGS max_rows_to_read = 10", "SETTINGS NONE", "SELECT a FROM app.t", clickhouse.DiffersInError},
		{"DEFAULT DATABASE app", "DEFAULT DATABASE NONE", "SELECT a FROM t", clickhouse.DiffersInError},
	} {
		for _, sql := range []string{test.alter, test.back} {
			c := w.client(t, clickhouse.Verify, clickhouse.ExecuteAs)
			if err := w.Exec(t.Context(), fmt.Sprintf("ALTER USER %s %s", gateway, sql)); err != nil {
				t.Fatal(err)
			}
			o := outcome(t, c, "alice", reading(test.sql))
			if sql == test.back && o != clickhouse.ShadowSame || sql != test.back && (o != clickhouse.ShadowDifferent || last(c).Kind != test.want) {
				t.Errorf("%s: %s, %+v", sql, o, last(c))
			}
		}
	}
}
