package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// modesFile is the page that TestModes writes with PORTERHOUSE_UPDATE=1, and is held to.
const modesFile = "../doc/access-modes.md"

// What each access mode carries, who is whom in which log, and what is said when
// something about the way is wrong: the same is tried in all of them, through both
// doors, at a ClickHouse of their own. `make modes` runs this alone.
func TestModes(t *testing.T) {
	t.Parallel()
	modes := append(slices.Clone(modes), interserver)
	told := make(map[string]map[string]string, len(modes)) // by the name of the trial, by mode
	for _, c := range trials {
		told[c.name] = map[string]string{}
	}
	var mu sync.Mutex
	t.Run("modes", func(t *testing.T) {
		for _, mode := range modes {
			t.Run(mode, func(t *testing.T) {
				t.Parallel()
				m := newModeTrial(t, mode)
				for _, c := range trials {
					got := c.try(m)
					mu.Lock()
					told[c.name][mode] = got
					mu.Unlock()
				}
			})
		}
	})
	page := modesHead + "| | " + strings.Join(modes, " | ") + " |\n|" + strings.Repeat(" --- |", len(modes)+1) + "\n"
	for _, c := range trials {
		page += "| " + c.name
		for _, mode := range modes {
			page += " | " + cell(told[c.name][mode])
		}
		page += " |\n"
	}
	if !t.Failed() {
		checkPage(t, modesFile, page)
	}
}

const modesHead = `# What each access mode carries

The access mode of a cluster (` + "`clusters.NAME.access.mode`" + `) is how Porterhouse becomes the person there; [decision 013](decisions/013-access-modes.md) tells why there
are several. This page is what the end-to-end test (` + "`e2e`: `TestModes`" + `) saw in each of them, at a real ClickHouse 26.7, signed in as Carol
(` + "`make modes`" + ` runs it; PORTERHOUSE_UPDATE=1 writes the page). ` + "`forward`" + `, for servers that verify tokens themselves, carries what ` + "`verify`" + ` does.

`

// modeTrial is Carol, in front of one site.
type modeTrial struct {
	*site
	client *http.Client
	carol  *agent
}

func newModeTrial(t *testing.T, mode string) *modeTrial {
	m := &modeTrial{site: openSite(t, mode, "")}
	everybody := "alice, bob, carol, " + m.gateway.User
	m.exec("CREATE DATABASE own",
		"CREATE TABLE own.rows (who String, n UInt32) ENGINE = MergeTree ORDER BY n",
		"CREATE ROW POLICY own ON own.rows USING who = currentUser() TO "+everybody,
		"INSERT INTO own.rows VALUES ('carol', 1), ('carol', 2), ('alice', 3), ('"+m.gateway.User+"', 4)",
		"GRANT SELECT, INSERT ON own.* TO "+everybody,
		"CREATE TABLE own.inbox (n UInt32, text String) ENGINE = MergeTree ORDER BY n",
		"GRANT CREATE TABLE, DROP TABLE ON own.* TO carol",
		"CREATE DATABASE hidden", "CREATE TABLE hidden.t (n UInt8) ENGINE = Memory")
	m.client, m.carol = m.site.client(), m.mustAgent("carol", stateless)
	return m
}

// trial is one line of the table: what is tried, and what it says for it.
type trial struct {
	name string
	try  func(m *modeTrial) string
}

var trials = []trial{
	{"MCP: `currentUser()`", func(m *modeTrial) string { return m.asked("SELECT currentUser()") }},
	{"HTTP: `currentUser()`", func(m *modeTrial) string { return m.sent(post("SELECT currentUser()")) }},
	{"query_log of a read shows", func(m *modeTrial) string { return m.logged("SELECT count() FROM own.rows") }},
	{"query_log of an INSERT shows", func(m *modeTrial) string { return m.logged("INSERT INTO own.inbox VALUES (1, 'x')") }},
	{"session_log shows", func(m *modeTrial) string {
		m.exec("SYSTEM FLUSH LOGS")
		return m.text("SELECT arrayStringConcat(arraySort(groupUniqArray(user)), ', ') FROM system.session_log WHERE type = 'LoginSuccess' AND user != 'default'")
	}},
	{"rights: a table that she may not read", func(m *modeTrial) string { return m.sent(post("SELECT * FROM hidden.t")) }},
	{"row policy `who = currentUser()`", func(m *modeTrial) string {
		return m.sent(post("SELECT DISTINCT who FROM own.rows"))
	}},
	{"a role for one request (`role=`)", func(m *modeTrial) string { return m.sent(post("SELECT * FROM safe.secret", "role=extra")) }},
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
	{"a read is held to reading by ClickHouse (`readonly`)", func(m *modeTrial) string { return m.sent(post("SELECT getSetting('readonly')", "readonly=1")) }},
	{"the client leaves: at ClickHouse the query", func(m *modeTrial) string { return m.left() }},
	{"a mistake in the text", func(m *modeTrial) string { return m.sent(post("SELECT no_such_column")) }},
	{"somebody whom ClickHouse does not know", func(m *modeTrial) string {
		m.exec("DROP USER bob")
		defer m.exec("CREATE USER bob IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'")
		return m.as("bob", post("SELECT currentUser()"))
	}},
	{"somebody whose account is dropped in the middle of a session", func(m *modeTrial) string {
		if said := m.as("alice", post("SET max_threads = 3", "session_id=d")); said != "" {
			return said
		}
		m.exec("DROP USER alice")
		said := m.as("alice", post("SET max_threads = 4", "session_id=d"))
		m.exec("CREATE USER alice IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'")
		if again := m.as("alice", post("SELECT 'back'")); again != "back" {
			m.t.Errorf("made anew, she gets %s", again)
		}
		return cmp.Or(said, "goes on")
	}},
	{"the gateway's password is wrong, HTTP", func(m *modeTrial) string {
		return m.while("ALTER USER "+m.gateway.User+" IDENTIFIED BY 'another'", func() string { return m.sent(post("SELECT currentUser()")) })
	}},
	{"the gateway's password is wrong, MCP", func(m *modeTrial) string {
		return m.while("ALTER USER "+m.gateway.User+" IDENTIFIED BY 'another'", func() string { return m.asked("SELECT currentUser()") })
	}},
	{"the gateway may not be her any more", func(m *modeTrial) string {
		return m.while("REVOKE IMPERSONATE ON carol FROM "+m.gateway.User, func() string { return m.sent(post("SELECT currentUser()")) })
	}},
	{"the cluster's secret is not what it was", func(m *modeTrial) string {
		if m.mode != interserver {
			return ""
		}
		m.write("cluster.secret", "another")
		said := ""
		m.eventually("the other secret is used", 20*time.Second, func() bool { said = m.sent(post("SELECT currentUser()")); return said != "carol" })
		m.write("cluster.secret", clusterSecret)
		m.eventually("the right one is, again", 20*time.Second, func() bool { return m.sent(post("SELECT currentUser()")) == "carol" })
		return said
	}},
	{"and when that is mended, without a restart", func(m *modeTrial) string { return m.sent(post("SELECT currentUser()")) }},
}

// sent is what the HTTP door says to Carol.
func (m *modeTrial) sent(r request) string { return m.as("carol", r) }

// done sends one after the other, and says what was refused, if something was.
func (m *modeTrial) done(requests ...request) string {
	m.t.Helper()
	for _, r := range requests {
		if said := m.sent(r); said != "" {
			return said
		}
	}
	return "done"
}

func (m *modeTrial) as(person string, r request) string {
	m.t.Helper()
	got, err := way{m.plain, person, m.tokens[person]}.say(m.t.Context(), m.client, r)
	if err != nil {
		m.t.Fatal(err)
	}
	if got.status != http.StatusOK {
		return fmt.Sprintf("**%d**: %s", got.status, versionText.ReplaceAllString(strings.TrimSpace(got.body), ""))
	}
	return strings.ReplaceAll(strings.TrimSpace(got.body), "\n", ", ")
}

// versionText is what ClickHouse says of itself in an exception.
var versionText = regexp.MustCompile(` \(version [^)]*\)`)

// asked is what the MCP door says to Carol.
func (m *modeTrial) asked(sql string) string {
	m.t.Helper()
	rows, err := m.carol.rows(m.t.Context(), sql)
	if told, ok := errors.AsType[*toolError](err); ok {
		return "**error**: " + strings.ReplaceAll(strings.TrimSpace(told.text), "\n", " ")
	}
	if err != nil || len(rows) != 1 {
		m.t.Fatalf("%s: %v, %v", sql, rows, err)
	}
	return fmt.Sprint(rows[0][0])
}

// logged is whom the query log shows of a statement.
func (m *modeTrial) logged(sql string) string {
	m.t.Helper()
	if said := m.sent(post(sql, "log_comment=look")); strings.HasPrefix(said, "**") {
		return said
	}
	m.exec("SYSTEM FLUSH LOGS")
	verb, _, _ := strings.Cut(sql, " ")
	return m.text(`SELECT arrayStringConcat(arraySort(groupUniqArray(if(is_internal, 'inner row: ', '') || user)), ', ')
		FROM system.query_log WHERE type = 'QueryFinish' AND log_comment LIKE '%look%' AND query LIKE '%` + verb + `%'`)
}

// left leaves in the middle of a query, and says what becomes of it.
func (m *modeTrial) left() string {
	m.t.Helper()
	const endless = "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"
	ctx, leave := context.WithCancel(m.t.Context())
	defer leave()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = m.through.send(ctx, m.client, post(endless)) // nobody waits for it
	}()
	m.eventually("it runs", 20*time.Second, func() bool { return m.running("cityHash64") != "0" })
	leave()
	<-done
	m.eventually("it has ended", 20*time.Second, func() bool { return m.running("cityHash64") == "0" })
	return "ends"
}

// while breaks something at ClickHouse, looks, and mends it.
func (m *modeTrial) while(broken string, look func() string) string {
	m.t.Helper()
	m.exec(broken)
	said := look()
	m.exec("ALTER USER "+m.gateway.User+" IDENTIFIED WITH sha256_password BY '"+m.gateway.Password+"'", "GRANT IMPERSONATE ON carol TO "+m.gateway.User)
	return said
}

// checkPage holds a page to what is written, or writes it.
func checkPage(t *testing.T, file, page string) {
	t.Helper()
	if os.Getenv("PORTERHOUSE_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != page {
		t.Errorf("%s does not say what is: PORTERHOUSE_UPDATE=1 writes it anew\n%s", file, firstDifference(string(written), page))
	}
}
