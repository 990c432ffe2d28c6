package directory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/kv"
	"porterhouse/sandbox"
)

// The staff of the tests, and its password.
const (
	gatewayUser     = "gw_porter"
	provisionerUser = "gw_provisioner"
	staffPassword   = `it's a pass\word`
)

// estate is a ClickHouse that was set up with the printed grants and nothing else,
// and a Provisioner for it.
type estate struct {
	*sandbox.Server
	*directory.Provisioner
	clock    *clock
	record   string     // path of the Provisioner's audit record
	recorder *audit.Log // that writes it
}

// clock is the time as a test says.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += by
}

// settle starts a ClickHouse of which the Provisioner may hand out the roles
// analyst, support and a'b, by mistake also admins, but not secret.
func settle(t testing.TB, changes ...func(*directory.ProvisionerConfig)) *estate {
	t.Helper()
	e := &estate{clock: &clock{}, record: filepath.Join(t.TempDir(), "audit.jsonl")}
	e.Server = sandbox.ForTest(t, sandbox.Options{Init: []string{
		"CREATE DATABASE app", "CREATE TABLE app.t (a Int32) ENGINE = MergeTree ORDER BY a", "INSERT INTO app.t VALUES (1), (2), (3)",
		"CREATE ROLE analyst", "CREATE ROLE support", "CREATE ROLE `a'b`", "CREATE ROLE secret", "CREATE ROLE admins",
		"GRANT SELECT ON app.* TO analyst", "GRANT CREATE USER ON *.* TO admins",
		"CREATE SETTINGS PROFILE people SETTINGS max_threads = 2",
	}})
	e.Provisioner = e.another(t, e.record, changes...)
	for _, sql := range e.Grants("analyst", "support", "a'b") {
		e.must(t, withPasswords(sql))
	}
	return e
}

func withPasswords(sql string) string {
	password := clickhouse.QuoteString(staffPassword)
	return strings.NewReplacer("<the gateway's password>", password, "<the provisioner's password>", password).Replace(sql)
}

// another makes a Provisioner for the same ClickHouse, as another process would
// have one.
func (e *estate) another(t testing.TB, record string, changes ...func(*directory.ProvisionerConfig)) *directory.Provisioner {
	t.Helper()
	c := e.config(t)
	log, err := audit.Open(audit.Config{Path: record, Key: auditKey, Replica: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	if record == e.record {
		e.recorder = log
	}
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := clickhouse.NewAdmin(clickhouse.Config{URL: e.HTTP, User: provisionerUser, Password: porterhouse.NewSecret(staffPassword)})
	if err != nil {
		t.Fatal(err)
	}
	c.Admin, c.Audit, c.Store = admin, log, store
	for _, change := range changes {
		change(&c)
	}
	p, err := directory.NewProvisioner(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// config is that of a Provisioner without connections that work.
func (e *estate) config(t testing.TB) directory.ProvisionerConfig {
	return directory.ProvisionerConfig{
		Admin: login(t, e, provisionerUser, "").Admin, Audit: e.recorder, Cluster: "main", Gateway: gatewayUser, Prefix: "ph_",
		Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})), Now: e.clock.now,
	}
}

var auditKey = porterhouse.NewSecret(strings.Repeat("k", 32))

type testWriter struct{ testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.Logf("%s", p)
	return len(p), nil
}

// must runs a statement as the administrator.
func (e *estate) must(t testing.TB, sql string) {
	t.Helper()
	if err := e.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// tell asks the administrator's question.
func (e *estate) tell(t testing.TB, sql string) string {
	t.Helper()
	answer, err := e.Text(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// roles are the roles of a user, sorted, with commas.
func (e *estate) roles(t testing.TB, user string) string {
	t.Helper()
	return e.tell(t, "SELECT arrayStringConcat(arraySort(groupArray(granted_role_name)), ',') FROM system.role_grants WHERE user_name = "+clickhouse.QuoteString(user)+" FORMAT TSVRaw")
}

// as runs a question as a user, through the gateway.
func (e *estate) as(t testing.TB, user, sql string) (string, error) {
	t.Helper()
	return login(t, e, gatewayUser, staffPassword).text(t, "EXECUTE AS "+clickhouse.QuoteString(user)+" "+sql)
}

// session logs in as a user of ClickHouse.
type session struct{ *clickhouse.Admin }

func login(t testing.TB, e *estate, user, password string) session {
	t.Helper()
	admin, err := clickhouse.NewAdmin(clickhouse.Config{URL: e.HTTP, User: user, Password: porterhouse.NewSecret(password)})
	if err != nil {
		t.Fatal(err)
	}
	return session{admin}
}

// text is the first value of an answer.
func (s session) text(t testing.TB, sql string) (string, error) {
	t.Helper()
	rows, err := s.Rows(t.Context(), sql, "")
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0][0], nil
}

// wanted is an account as some rules may want it.
func wanted(t testing.TB, user string, roles ...string) directory.Wanted {
	t.Helper()
	slices.Sort(roles)
	return directory.Wanted{
		Account: porterhouse.Account{User: name(t, user), Roles: roles},
		Who: porterhouse.Principal{
			Issuer: "https://idp.example.com", Subject: "sub of " + user, User: user + "@example.com", Proof: "corp", Groups: []string{"g1", "g2"},
		},
		At: porterhouse.Entry{Cluster: "main", Door: "mcp"},
	}
}

func name(t testing.TB, user string) porterhouse.UserName {
	t.Helper()
	parsed, err := porterhouse.ParseUserName(user)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// ensure fails the test when the account cannot be made.
func (e *estate) ensure(t testing.TB, w directory.Wanted) {
	t.Helper()
	if err := e.Ensure(t.Context(), w); err != nil {
		t.Fatalf("%s: %v", w.Account.User, err)
	}
}

// recorded are the lines of the audit record that are about accounts.
func (e *estate) recorded(t testing.TB) (lines []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(e.record)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatal(err)
		}
		if fields["kind"] == "account" {
			lines = append(lines, fields)
		}
	}
	return lines
}

// actions are the actions of the record from a line on, with spaces.
func (e *estate) actions(t testing.TB, from int) string {
	t.Helper()
	var list []string
	for _, line := range e.recorded(t)[from:] {
		list = append(list, line["action"].(string))
	}
	return strings.Join(list, " ")
}

func kindOf(err error) porterhouse.Kind {
	if err == nil {
		return ""
	}
	kind, _ := porterhouse.Explain(err)
	return kind
}

// codeOf is the code of ClickHouse's exception in err; 0: there is none, -1: it is another error.
func codeOf(err error) int {
	if err == nil {
		return 0
	}
	if exception, ok := errors.AsType[*porterhouse.Exception](err); ok {
		return exception.Code
	}
	return -1
}
