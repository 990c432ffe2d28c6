package e2e

import (
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
	modes := append(slices.Clone(modes), interserver, forward)
	trials := slices.Concat(whoSheIs, whatBoundsHer, whatIsCarried, whatGoesWrong)
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
	if !t.Failed() {
		checkPage(t, modesFile, modesPage(trials, modes, told))
	}
}

const modesHead = `# What each access mode carries

The access mode of a cluster (` + "`clusters.NAME.access.mode`" + `) is how Porterhouse becomes the person there; [decision 013](decisions/013-access-modes.md) tells why there
are several. This page is what the end-to-end test (` + "`e2e`: `TestModes`" + `) saw in each of them, at a real ClickHouse 26.7, signed in as Carol
(` + "`make modes`" + ` runs it; PORTERHOUSE_UPDATE=1 writes the page). ` + "`forward`" + ` was tried with a stand-in for Altinity's Antalya before that ClickHouse: it verifies
signature, issuer, audience and time of a token itself, and lets its owner in. Where a line is about a statement that both doors carry, both were asked, and what the MCP door
says is told when it is something else. Of what was refused the table has the HTTP status ("by name" is Porterhouse, before ClickHouse sees it), and what was said is below it.

`

// modeTrial is Carol, in front of one site.
type modeTrial struct {
	*site
	client *http.Client
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
		"CREATE TABLE own.teams (team String) ENGINE = MergeTree ORDER BY team", "INSERT INTO own.teams VALUES ('blue'), ('red')",
		"CREATE ROLE reds", "CREATE ROW POLICY reds ON own.teams USING team = 'red' TO reds", "GRANT reds TO carol",
		"CREATE DATABASE hidden", "CREATE TABLE hidden.t (n UInt8) ENGINE = Memory")
	for name, bound := range guests {
		m.exec("CREATE USER "+name+" IDENTIFIED WITH "+m.letIn, "GRANT IMPERSONATE ON "+name+" TO "+m.gateway.User)
		if bound != "" {
			m.exec(bound)
		}
		m.tokens[name] = m.tokenOf(name, "1h")
	}
	m.exec("CREATE USER `the last`") // until somebody is made, the engine does not know of a new quota
	m.client = m.site.client()
	return m
}

// guests are people who are bounded, each by what is run for them.
var guests = map[string]string{
	"guest1": "ALTER USER guest1 SETTINGS max_result_rows = 5 CONST",
	"guest2": "CREATE QUOTA few FOR INTERVAL 1 HOUR MAX queries = 5 TO guest2",
	"guest3": "", // the configuration bounds them
	"guest4": "",
	"guest5": "",
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

// as is what the HTTP door says to somebody.
func (m *modeTrial) as(person string, r request) string {
	m.t.Helper()
	return m.bearing(person, m.tokens[person], r)
}

func (m *modeTrial) bearing(person, token string, r request) string {
	m.t.Helper()
	got, err := way{m.plain, person, token}.say(m.t.Context(), m.client, r)
	if err != nil {
		m.t.Fatal(err)
	}
	if got.status != http.StatusOK {
		return fmt.Sprintf("**%d**: %s", got.status, ofTheMoment.ReplaceAllString(strings.TrimSpace(got.body), ""))
	}
	return strings.ReplaceAll(strings.TrimSpace(got.body), "\n", ", ")
}

// ofTheMoment is what ClickHouse says of itself in an exception, how much of something is
// used up and until when, and which request it was.
var ofTheMoment = regexp.MustCompile(` \(version [^()]*(\([^()]*\))?\)| Interval will end at [-0-9: ]+\.|: queries = \d+/\d+|; it begins anew in [^.]*|,"request_id":"[^"]*"`)

// both is what both doors say to Carol.
func (m *modeTrial) both(sql string) string { return m.toBoth("carol", m.tokens["carol"], sql) }

// toBoth is what the HTTP door says to somebody, and what the MCP door does if that is
// something else.
func (m *modeTrial) toBoth(person, token, sql string) string {
	m.t.Helper()
	said, told := m.bearing(person, token, post(sql)), m.told(token, sql)
	_, text, isError := strings.Cut(said, "DB::Exception: ")
	if end := strings.LastIndex(text, ". ("); end >= 0 {
		text = text[:end]
	}
	if said == told || isError && strings.HasPrefix(told, "**error**") && strings.Contains(told, text) {
		return said
	}
	return said + "<br>MCP: " + told
}

// told is what the MCP door says to the bearer of a token.
func (m *modeTrial) told(token, sql string) string {
	m.t.Helper()
	a, err := m.agent(token, stateless)
	if err != nil {
		m.t.Fatal(err)
	}
	defer a.http.CloseIdleConnections()
	rows, err := a.rows(m.t.Context(), sql)
	if told, ok := errors.AsType[*toolError](err); ok {
		return "**error**: " + ofTheMoment.ReplaceAllString(strings.ReplaceAll(strings.TrimSpace(told.text), "\n", " "), "")
	}
	if refused, ok := errors.AsType[*statusError](err); ok {
		return fmt.Sprintf("**%d**: %s", refused.code, ofTheMoment.ReplaceAllString(strings.TrimSpace(refused.body), ""))
	}
	if err != nil {
		m.t.Fatalf("%s: %v", sql, err)
	}
	var values []string
	for _, row := range rows {
		values = append(values, fmt.Sprint(row[0]))
	}
	return strings.Join(values, ", ")
}

// logged is whom the query log shows of a statement.
func (m *modeTrial) logged(sql string) string {
	m.t.Helper()
	if said := m.sent(post(sql, "log_comment=look")); strings.HasPrefix(said, "**") {
		return said
	}
	verb, _, _ := strings.Cut(sql, " ")
	of := " FROM system.query_log WHERE log_comment LIKE '%look%' AND query LIKE '%" + verb + "%'"
	m.eventually("it is in the log, with its end", 20*time.Second, func() bool { // which is written after the answer
		m.exec("SYSTEM FLUSH LOGS")
		return m.text("SELECT countIf(type = 'QueryStart') > 0 AND countIf(type = 'QueryStart') = countIf(type = 'QueryFinish')"+of) == "1"
	})
	return m.text("SELECT arrayStringConcat(arraySort(groupUniqArray(if(is_internal, 'inner row: ', '') || user)), ', ')" + of + " AND type = 'QueryFinish'")
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
