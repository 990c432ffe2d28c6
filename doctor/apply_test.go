package doctor_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/doctor"
	"porterhouse/sandbox/fake"
)

// apply does what an administrator does with the SQL of a plan.
func (h house) apply(statements []doctor.Statement) {
	h.Helper()
	password := porterhouse.NewSecret(fake.Password)
	for _, s := range statements {
		sql, err := s.Fill(map[doctor.Password]porterhouse.Secret{doctor.GatewayPassword: password, doctor.ProvisionerPassword: password})
		if err != nil {
			h.Fatal(err)
		}
		h.run(sql)
	}
}

// as asks the real server as one of the accounts.
func (h house) as(user, sql string) string {
	h.Helper()
	request, err := http.NewRequestWithContext(h.Context(), http.MethodPost, h.HTTP, strings.NewReader(sql))
	if err != nil {
		h.Fatal(err)
	}
	request.SetBasicAuth(user, fake.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.Fatal(err)
	}
	return string(text)
}

// treasure is what the gateway must not get at.
var treasure = []string{
	"CREATE DATABASE IF NOT EXISTS vault", "CREATE TABLE IF NOT EXISTS vault.gold (a UInt8) ENGINE = Memory", "INSERT INTO vault.gold VALUES (79)",
	"CREATE USER IF NOT EXISTS boss IDENTIFIED WITH sha256_password BY 'x'", "GRANT ACCESS MANAGEMENT ON *.* TO boss", "GRANT SELECT ON vault.gold TO boss",
	"CREATE ROLE IF NOT EXISTS analyst",
}

// byItself is what whoever has the gateway's password would try. Each is refused, but
// for those that are of no use.
var byItself = []string{
	"SELECT * FROM vault.gold", "SELECT count() FROM vault.gold", "DESCRIBE TABLE vault.gold", "SHOW CREATE TABLE vault.gold", "CHECK TABLE vault.gold",
	"INSERT INTO vault.gold VALUES (1)", "TRUNCATE TABLE vault.gold", "DROP TABLE vault.gold", "ALTER TABLE vault.gold ADD COLUMN b UInt8", "OPTIMIZE TABLE vault.gold",
	"CREATE TABLE vault.mine (a UInt8) ENGINE = Memory", "CREATE DATABASE mine", "CREATE VIEW vault.v AS SELECT 1", "CREATE TEMPORARY TABLE t (a UInt8)", "CREATE FUNCTION f AS (x) -> x",
	"CREATE USER evil", "CREATE ROLE evil", "ALTER USER porterhouse GRANTEES ANY", "ALTER USER porterhouse HOST ANY", "ALTER USER alice IDENTIFIED BY 'x'", "DROP USER alice",
	"GRANT SELECT ON vault.gold TO porterhouse", "GRANT IMPERSONATE ON alice TO alice", "GRANT analyst TO porterhouse", "GRANT IMPERSONATE ON boss TO porterhouse",
	"CREATE ROW POLICY p ON vault.gold USING 1 TO ALL", "CREATE QUOTA q", "CREATE SETTINGS PROFILE s SETTINGS readonly = 0",
	"EXECUTE AS 'default' SELECT 1", "EXECUTE AS 'boss' SELECT * FROM vault.gold", "EXECUTE AS 'porterhouse_provisioner' SELECT 1", "EXECUTE AS 'alice' SELECT * FROM vault.gold",
	"SELECT * FROM system.users", "SELECT * FROM system.grants", "SELECT * FROM system.query_log", "SELECT * FROM system.processes", "SELECT query, user, Settings FROM system.processes", "SELECT address FROM system.processes",
	"SHOW USERS", "SHOW ACCESS", "SHOW CREATE USER boss", "SHOW GRANTS FOR boss",
	"SELECT * FROM remote('127.0.0.1', vault.gold)", "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')", "SELECT * FROM file('x', CSV, 'a String')", "SELECT * FROM s3('http://127.0.0.1:1/b/k', CSV, 'a String')",
	"INSERT INTO FUNCTION file('x', CSV, 'a String') VALUES ('x')", "SELECT * FROM merge('vault', 'gold')", "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
	"SYSTEM SHUTDOWN", "SYSTEM DROP DNS CACHE", "SYSTEM FLUSH LOGS", "SYSTEM RELOAD CONFIG",
	"SET ROLE analyst", "BACKUP TABLE vault.gold TO Disk('default', 'x')", "CREATE NAMED COLLECTION n AS a = 1", "ATTACH DATABASE vault",
}

// victim runs a statement as the administrator until stop is called, which reports
// whether it ran until then.
func (h house) victim() (stop func() (alive bool)) {
	h.Helper()
	ctx, cancel := context.WithCancel(h.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = h.Text(ctx, "SELECT count() FROM system.numbers SETTINGS log_comment = 'victim', max_execution_time = 60") // it is cut off
	}()
	count := func() string {
		n, err := h.Text(h.Context(), "SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'victim'")
		if err != nil {
			h.Fatal(err)
		}
		return n
	}
	for count() == "0" {
		if h.Context().Err() != nil {
			h.Fatal("the victim never ran")
		}
	}
	return func() bool {
		alive := count() == "1"
		h.run("KILL QUERY WHERE Settings['log_comment'] = 'victim' AND query NOT LIKE 'KILL%' SYNC")
		cancel()
		<-ended
		return alive
	}
}

// tries returns what of byItself the gateway can do.
func (h house) tries() (done []string) {
	h.Helper()
	for _, sql := range byItself {
		if answer := h.as(fake.Gateway, sql); !strings.HasPrefix(answer, "Code: ") {
			done = append(done, sql+": "+answer)
		}
	}
	stop := h.victim()
	answer := h.as(fake.Gateway, "KILL QUERY WHERE user = 'default' SYNC")
	if !stop() {
		done = append(done, "stopping somebody else's statement: "+answer)
	}
	return done
}

// The SQL of each persona's plan runs as it stands on a server that knows it, and then
// nothing is left to do; the gateway may act as Alice, and by itself it can do nothing.
func TestPlansApply(t *testing.T) {
	h := open(t)
	for _, name := range []string{"26.7", "helpless", "readonly", "ungranted", "stale-password"} {
		t.Run(name, func(t *testing.T) {
			h := house{h.Server, t}
			p, _ := fake.Named(name)
			s := h.dress(p)
			h.run(treasure...)
			h.apply(doctor.Examine(h.look(s)).SQL)
			h.settled(s)
			if name == "ungranted" {
				h.closed()
			}
		})
	}
	t.Run("from nothing", func(t *testing.T) {
		h := house{h.Server, t}
		p, _ := fake.Named("26.7")
		s := h.dress(p)
		setup := h.look(s)
		h.run(fake.Undress()...)
		h.run(append(treasure, "CREATE USER alice IDENTIFIED WITH no_authentication")...)
		setup.Access.Mode = clickhouse.ExecuteAs
		h.apply(setup.Setup().SQL)
		h.settled(s)
		h.closed()
		h.apply(setup.Setup().SQL) // they can be run again
		h.settled(s)
	})
}

// closed wants the gateway's account shut to whoever comes from elsewhere, or would get
// something from it.
func (h house) closed() {
	h.Helper()
	made, err := h.Text(h.Context(), "SHOW CREATE USER "+fake.Gateway+" FORMAT TSVRaw")
	if err != nil {
		h.Fatal(err)
	}
	for _, part := range []string{"HOST LOCAL" /* so ClickHouse calls 127.0.0.1 */, "DEFAULT ROLE NONE", "GRANTEES NONE"} {
		if !strings.Contains(made, part) {
			h.Errorf("it has no %s: %s", part, made)
		}
	}
}

// settled wants that there is nothing left to do.
func (h house) settled(s *fake.Server) {
	h.Helper()
	after := doctor.Examine(h.look(s))
	if after.Worst() == doctor.Wrong || len(after.SQL) > 0 || after.Mode != clickhouse.ExecuteAs {
		h.Errorf("after the SQL was run: %+v", after)
	}
	if answer := h.as(fake.Gateway, "EXECUTE AS 'alice' SELECT currentUser()"); answer != "alice\n" {
		h.Errorf("as Alice: %s", answer)
	}
	for _, done := range h.tries() {
		h.Errorf("the gateway can, by itself: %s", done)
	}
}

// An almighty gateway can do much of it: so the test would see it.
func TestTriesSeeTooMuch(t *testing.T) {
	h := open(t)
	p, _ := fake.Named("almighty")
	h.dress(p)
	h.run(treasure...)
	done := strings.Join(h.tries(), "\n")
	for _, sql := range []string{"EXECUTE AS 'boss' SELECT * FROM vault.gold: 79", "CREATE USER evil: "} {
		if !strings.Contains(done, sql) {
			t.Errorf("it could not do %s, but:\n%s", sql, done)
		}
	}
}
