package e2e

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// trial is one line of the table: what is tried, and what it says for it.
type trial struct {
	name string
	try  func(m *modeTrial) string
}

const whoAmI = "SELECT currentUser()"

var whoSheIs = []trial{
	{"MCP: `currentUser()`", func(m *modeTrial) string { return m.told(m.tokens["carol"], whoAmI) }},
	{"HTTP: `currentUser()`", func(m *modeTrial) string { return m.sent(post(whoAmI)) }},
	{"query_log of a read shows", func(m *modeTrial) string { return m.logged("SELECT count() FROM own.rows") }},
	{"query_log of an INSERT shows", func(m *modeTrial) string { return m.logged("INSERT INTO own.inbox VALUES (1, 'x')") }},
	{"session_log shows", func(m *modeTrial) string {
		m.exec("SYSTEM FLUSH LOGS")
		return m.text("SELECT arrayStringConcat(arraySort(groupUniqArray(user)), ', ') FROM system.session_log WHERE type = 'LoginSuccess' AND user != 'default'")
	}},
	{"the audit record shows", func(m *modeTrial) string {
		m.both("SELECT 'recorded'")
		shown := map[string]bool{}
		for _, line := range m.records() {
			if sql, _ := line["sql"].(string); strings.Contains(sql, "recorded") {
				shown[fmt.Sprintf("%v, account %v", line["user"], line["account"])] = true
			}
		}
		return theOnly(m, shown)
	}},
}

var whatBoundsHer = []trial{
	{"rights: a table that she may not read", func(m *modeTrial) string { return m.both("SELECT * FROM hidden.t") }},
	{"row policy `who = currentUser()`", func(m *modeTrial) string { return m.both("SELECT DISTINCT who FROM own.rows") }},
	{"row policy of a role that she has", func(m *modeTrial) string { return m.both("SELECT team FROM own.teams ORDER BY team") }},
	{"a limit of the person's own at ClickHouse, which the text would lift", func(m *modeTrial) string {
		return m.toBoth("guest1", m.tokens["guest1"], "SELECT number FROM numbers(10) SETTINGS max_result_rows = 0")
	}},
	{"that limit, met", func(m *modeTrial) string {
		return m.toBoth("guest1", m.tokens["guest1"], "SELECT number FROM numbers(10)")
	}},
	{"a quota of the person's own at ClickHouse, used up", func(m *modeTrial) string { return m.usedUp("guest2", 10) }},
	{"a limit of Porterhouse's for the person (`limits.rules`), used up", func(m *modeTrial) string { return m.usedUp("guest3", 3) }},
	{"a role for one request (`role=`)", func(m *modeTrial) string { return m.sent(post("SELECT * FROM safe.secret", "role=extra")) }},
	{"a read is held to reading by ClickHouse (`readonly`)", func(m *modeTrial) string { return m.sent(post("SELECT getSetting('readonly')", "readonly=1")) }},
}

var whatIsCarried = []trial{
	{"every output format (Parquet here)", func(m *modeTrial) string {
		if said := m.sent(post("SELECT 1 FORMAT Parquet")); !strings.HasPrefix(said, "PAR1") {
			return said
		}
		return "yes"
	}},
	{"settings in the URL that shape an answer", func(m *modeTrial) string {
		return m.sent(post("SELECT toUInt64(1) AS n FORMAT JSONCompactEachRow", "output_format_json_quote_64bit_integers=1"))
	}},
	{"settings in the text that shape an answer", func(m *modeTrial) string {
		return m.sent(post("SELECT toUInt64(1) AS n FORMAT JSONCompactEachRow SETTINGS output_format_json_quote_64bit_integers = 1"))
	}},
	{"INSERT with data", func(m *modeTrial) string {
		m.exec("TRUNCATE TABLE own.inbox")
		if said := m.done(request{target: "/?query=INSERT+INTO+own.inbox+FORMAT+CSV", body: "1,a\n2,b\n"}); said != "done" {
			return said
		}
		return m.text("SELECT count() FROM own.inbox") + " rows"
	}},
	{"CREATE and DROP", func(m *modeTrial) string {
		return m.done(post("CREATE TABLE own.t (n UInt8) ENGINE = Memory"), post("DROP TABLE own.t"))
	}},
	{"external tables", func(m *modeTrial) string {
		r := formOf("SELECT sum(n) FROM mine", part{"mine_structure", "", "n UInt8"}, part{"mine_format", "", "CSV"}, part{"mine", "f", "1\n2\n"})
		return m.sent(r)
	}},
	{"a session: SET, then its effect", func(m *modeTrial) string {
		if said := m.done(post("SET max_threads = 3", "session_id=s")); said != "done" {
			return said
		}
		return m.sent(post("SELECT getSetting('max_threads')", "session_id=s"))
	}},
	{"a session: a temporary table, filled from its own", func(m *modeTrial) string {
		return m.done(post("CREATE TEMPORARY TABLE mine (n UInt8)", "session_id=t"), post("INSERT INTO mine SELECT 1", "session_id=t"))
	}},
	{"the client leaves: at ClickHouse the query", func(m *modeTrial) string { return m.left() }},
	{"a mistake in the text", func(m *modeTrial) string { return m.both("SELECT no_such_column") }},
}

var whatGoesWrong = []trial{
	{"a token of nobody", func(m *modeTrial) string { return m.toBoth("carol", "nobodys", whoAmI) }},
	{"a token of Porterhouse's own", func(m *modeTrial) string {
		return m.toBoth("guest4", m.token("guest4@example.com"), whoAmI)
	}},
	{"a token that Porterhouse takes and ClickHouse does not", func(m *modeTrial) string {
		if m.company == nil {
			return "no token goes on"
		}
		return m.toBoth("carol", m.company.token(m.t, "carol", "1h", "https://else.example.com"), whoAmI)
	}},
	{"a token that ClickHouse takes for somebody else", func(m *modeTrial) string {
		if m.company == nil {
			return "no token goes on"
		}
		return m.toBoth("guest5", m.company.otherwise("guest5", "alice"), whoAmI)
	}},
	{"her token ends between two questions, and then she has a new one", func(m *modeTrial) string {
		brief := m.tokenOf("carol", "5s")
		ended := time.Now().Add(5 * time.Second)
		surely := ended.Add(-2 * time.Second) // a token says in whole seconds when it ends
		if before, want := m.both(whoAmI), m.toBoth("carol", brief, whoAmI); before != want && time.Now().Before(surely) {
			m.t.Errorf("before it has ended: %s, not %s", before, want)
		}
		pause(m.t.Context(), time.Until(ended)) // asking meanwhile would be too many wrong tokens
		return m.toBoth("carol", brief, whoAmI) + "; then " + m.both(whoAmI)
	}},
	{"somebody whom ClickHouse does not know", func(m *modeTrial) string {
		m.exec("DROP USER bob")
		defer m.exec("CREATE USER bob IDENTIFIED WITH " + m.letIn)
		return m.toBoth("bob", m.tokens["bob"], whoAmI)
	}},
	{"somebody whose account is dropped between two questions", func(m *modeTrial) string {
		before := m.toBoth("alice", m.tokens["alice"], whoAmI)
		m.exec("DROP USER alice")
		said := m.toBoth("alice", m.tokens["alice"], whoAmI)
		m.exec("CREATE USER alice IDENTIFIED WITH " + m.letIn)
		if again := m.toBoth("alice", m.tokens["alice"], whoAmI); again != before {
			m.t.Errorf("made anew, she gets %s", again)
		}
		return said
	}},
	{"somebody whose account is dropped in the middle of a session", func(m *modeTrial) string {
		if said := m.as("alice", post("SET max_threads = 3", "session_id=d")); said != "" {
			return said
		}
		m.exec("DROP USER alice")
		said := m.as("alice", post("SET max_threads = 4", "session_id=d"))
		m.exec("CREATE USER alice IDENTIFIED WITH " + m.letIn)
		if again := m.as("alice", post("SELECT 'back'")); again != "back" {
			m.t.Errorf("made anew, she gets %s", again)
		}
		return cmp.Or(said, "goes on")
	}},
	{"the gateway's password is wrong", func(m *modeTrial) string {
		return m.while("ALTER USER "+m.gateway.User+" IDENTIFIED BY 'another'", func() string { return m.both(whoAmI) })
	}},
	{"the gateway may not be her any more", func(m *modeTrial) string {
		return m.while("REVOKE IMPERSONATE ON carol FROM "+m.gateway.User, func() string { return m.both(whoAmI) })
	}},
	{"the cluster's secret is not what it was", func(m *modeTrial) string {
		if m.mode != interserver {
			return "it has none"
		}
		m.write("cluster.secret", "another")
		said := ""
		m.eventually("the other secret is used", 20*time.Second, func() bool { said = m.both(whoAmI); return !strings.Contains(said, "carol") })
		m.write("cluster.secret", clusterSecret)
		m.eventually("the right one is, again", 20*time.Second, func() bool { return m.both(whoAmI) == "carol" })
		return said
	}},
	{"and when that is mended, without a restart", func(m *modeTrial) string { return m.both(whoAmI) }},
}

// usedUp asks as somebody until that is too much, which it is after so many questions.
func (m *modeTrial) usedUp(person string, within int) string {
	m.t.Helper()
	const sql = "SELECT max(number) FROM numbers(10)" // a question that reads nothing is outside of quotas
	for range within {
		if m.as(person, post(sql)) != "9" {
			return m.toBoth(person, m.tokens[person], sql)
		}
	}
	return "goes on"
}

// theOnly is the only thing that was shown.
func theOnly(m *modeTrial, shown map[string]bool) string {
	m.t.Helper()
	if len(shown) != 1 {
		m.t.Errorf("it shows %v", shown)
	}
	for text := range shown {
		return text
	}
	return ""
}
