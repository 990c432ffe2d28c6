package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse/sandbox/fake"
)

// attempt is something that whoever has the gateway's password would try, beside being the
// people whom the gateway is for. An administrator can do it; the gateway must not.
type attempt struct {
	what, sql string
	undo      string // what is run after it has worked for the administrator; "": nothing is left
	code      string // of the refusal; "": 497, a right is missing
}

// boss is an administrator, who is none of the gateway's people.
const boss = "the_boss"

// loot is what there is to be had.
func (c checked) loot() {
	c.Helper()
	c.exec("CREATE DATABASE loot",
		"CREATE TABLE loot.t (n UInt8, s String) ENGINE = MergeTree ORDER BY n", "INSERT INTO loot.t VALUES (1, 'secret')",
		"CREATE VIEW loot.v AS SELECT * FROM loot.t",
		fmt.Sprintf("CREATE DICTIONARY loot.d (n UInt64, s String) PRIMARY KEY n SOURCE(CLICKHOUSE(USER '%s' PASSWORD '%s' TABLE 't' DB 'loot')) LAYOUT(FLAT()) LIFETIME(0)", c.real.User, c.real.Password),
		"CREATE TABLE loot.j (n UInt8, s String) ENGINE = Join(ANY, LEFT, n)",
		"CREATE NAMED COLLECTION loot AS url = '"+c.real.HTTP+"/ping', format = 'LineAsString'",
		"CREATE ROLE looter", "GRANT SELECT ON loot.* TO looter",
		"CREATE USER "+boss+" IDENTIFIED WITH sha256_password BY '"+fake.Password+"'", "GRANT CURRENT GRANTS ON *.* TO "+boss+" WITH GRANT OPTION", "GRANT looter TO "+boss,
		"INSERT INTO FUNCTION file('"+c.file("loot.tsv")+"', 'TSV', 's String') SELECT 'secret'", "SYSTEM FLUSH LOGS",
	)
}

// file is the path of a file that the engine may read and write.
func (c checked) file(name string) string { return filepath.Join(filepath.Dir(c.config), name) }

// bucket is a store of one object, which everybody may read.
func (c checked) bucket() string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Unix(1, 0), strings.NewReader("secret\n"))
	}))
	c.Cleanup(s.Close)
	return s.URL + "/bucket/key"
}

// readings are attempts to see something.
func (c checked) readings() []attempt {
	return []attempt{
		{what: "a table", sql: "SELECT * FROM loot.t"},
		{what: "a view", sql: "SELECT * FROM loot.v"},
		{what: "a table behind IN", sql: "SELECT 1 WHERE (1, 'secret') IN loot.t"},
		{what: "a table in a subquery", sql: "SELECT (SELECT count() FROM loot.t)"},
		{what: "a table by merge()", sql: "SELECT * FROM merge('loot', '^t$')", code: "636"}, // it finds none
		{what: "a table by loop()", sql: "SELECT * FROM loop(loot, t) LIMIT 1"},
		{what: "a table by its index", sql: "SELECT * FROM mergeTreeIndex(loot, t)"},
		{what: "a table by joinGet", sql: "SELECT joinGet('loot.j', 's', toUInt8(1))"},
		{what: "a table by a role", sql: "SET ROLE looter", code: "512"}, // none that it has
		{what: "a table's columns", sql: "DESCRIBE TABLE loot.t"},
		{what: "a table's definition", sql: "SHOW CREATE TABLE loot.t"},
		{what: "a table's health", sql: "CHECK TABLE loot.t"},
		{what: "whether there is a table", sql: "EXISTS loot.t"},
		{what: "a table's plan", sql: "EXPLAIN PLAN SELECT * FROM loot.t"},
		{what: "a table's estimate", sql: "EXPLAIN ESTIMATE SELECT * FROM loot.t"},
		{what: "a dictionary", sql: "SELECT dictGet('loot.d', 's', toUInt64(1))"},
		{what: "a dictionary's rows", sql: "SELECT * FROM dictionary('loot.d')"},
		{what: "a named collection", sql: "SELECT * FROM url(loot)"},
		{what: "people's accounts", sql: "SELECT * FROM system.users"},
		{what: "people's rights", sql: "SELECT * FROM system.grants"},
		{what: "people's names", sql: "SHOW USERS"},
		{what: "people's roles", sql: "SELECT * FROM system.role_grants"},
		{what: "what people have asked", sql: "SELECT query FROM system.query_log"},
		{what: "by what people ask", sql: "SELECT client_name FROM system.processes"},
		{what: "where people come from", sql: "SELECT address FROM system.processes"},
		{what: "all of what people ask", sql: "SELECT * FROM system.processes"},
		{what: "an account's definition", sql: "SHOW CREATE USER " + boss},
		{what: "an account's rights", sql: "SHOW GRANTS FOR " + boss},
		{what: "file()", sql: "SELECT * FROM file('" + c.file("loot.tsv") + "', 'TSV', 's String')"},
		{what: "file() to write", sql: "INSERT INTO FUNCTION file('" + c.file("mine.tsv") + "', 'TSV', 's String') SELECT 'x' SETTINGS engine_file_truncate_on_insert = 1"},
		{what: "url()", sql: "SELECT * FROM url('" + c.real.HTTP + "/ping', 'LineAsString', 's String')"},
		{what: "remote()", sql: fmt.Sprintf("SELECT * FROM remote('%s', 'loot', 't', '%s', '%s')", c.real.Native, c.real.User, c.real.Password)},
		{what: "s3()", sql: "SELECT * FROM s3('" + c.bucket() + "', NOSIGN, 'TSV', 's String')"},
		{what: "introspection", sql: "SELECT addressToSymbol(toUInt64(0)) SETTINGS allow_introspection_functions = 1"},
		{what: "being an administrator", sql: "EXECUTE AS " + boss + " SELECT * FROM loot.t"},
		{what: "being default", sql: "EXECUTE AS " + c.real.User + " SELECT * FROM loot.t"},
	}
}

// doings are attempts to do something; gateway is who tries.
func doings(gateway string) []attempt {
	return []attempt{
		{what: "INSERT", sql: "INSERT INTO loot.t VALUES (2, 'x')", undo: "ALTER TABLE loot.t DELETE WHERE n = 2 SETTINGS mutations_sync = 2"},
		{what: "INSERT into nothing", sql: "INSERT INTO FUNCTION null('s String') SELECT 'x'"},
		{what: "CREATE DATABASE", sql: "CREATE DATABASE mine", undo: "DROP DATABASE mine"},
		{what: "CREATE TABLE", sql: "CREATE TABLE loot.mine (n UInt8) ENGINE = Memory", undo: "DROP TABLE loot.mine"},
		{what: "CREATE TABLE of another", sql: "CREATE TABLE loot.mine ENGINE = Memory AS SELECT * FROM loot.t", undo: "DROP TABLE loot.mine"},
		{what: "CREATE VIEW", sql: "CREATE VIEW loot.mine SQL SECURITY DEFINER AS SELECT 1", undo: "DROP TABLE loot.mine"},
		{what: "CREATE DICTIONARY", sql: "CREATE DICTIONARY loot.mine (n UInt64) PRIMARY KEY n SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(0)", undo: "DROP DICTIONARY loot.mine"},
		{what: "CREATE TEMPORARY TABLE", sql: "CREATE TEMPORARY TABLE mine (n UInt8)"},
		{what: "CREATE FUNCTION", sql: "CREATE FUNCTION mine AS (x) -> x", undo: "DROP FUNCTION mine"},
		{what: "CREATE NAMED COLLECTION", sql: "CREATE NAMED COLLECTION mine AS a = 1", undo: "DROP NAMED COLLECTION mine"},
		{what: "ALTER TABLE", sql: "ALTER TABLE loot.t MODIFY COMMENT 'mine'"},
		{what: "ALTER UPDATE", sql: "ALTER TABLE loot.t UPDATE s = 'secret' WHERE 1"},
		{what: "TRUNCATE", sql: "TRUNCATE TABLE loot.j"},
		{what: "OPTIMIZE", sql: "OPTIMIZE TABLE loot.t"},
		{what: "RENAME", sql: "RENAME TABLE loot.v TO loot.w", undo: "RENAME TABLE loot.w TO loot.v"},
		{what: "DROP", sql: "DROP VIEW loot.v", undo: "CREATE VIEW loot.v AS SELECT * FROM loot.t"},
		{what: "BACKUP", sql: "BACKUP TABLE loot.t TO Memory('b')"},
		{what: "SYSTEM FLUSH", sql: "SYSTEM FLUSH LOGS"},
		{what: "SYSTEM RELOAD", sql: "SYSTEM RELOAD DICTIONARY loot.d"},
		{what: "CREATE USER", sql: "CREATE USER evil", undo: "DROP USER evil"},
		{what: "ALTER USER of itself", sql: "ALTER USER " + gateway + " DEFAULT ROLE NONE"},
		{what: "ALTER USER of an administrator", sql: "ALTER USER " + boss + " SETTINGS max_threads = 1", undo: "ALTER USER " + boss + " SETTINGS NONE"},
		{what: "DROP USER", sql: "DROP USER IF EXISTS evil"},
		{what: "CREATE ROLE", sql: "CREATE ROLE evil", undo: "DROP ROLE evil"},
		{what: "CREATE ROW POLICY", sql: "CREATE ROW POLICY evil ON loot.t USING 1 TO NONE", undo: "DROP ROW POLICY evil ON loot.t"},
		{what: "CREATE QUOTA", sql: "CREATE QUOTA evil", undo: "DROP QUOTA evil"},
		{what: "CREATE SETTINGS PROFILE", sql: "CREATE SETTINGS PROFILE evil", undo: "DROP SETTINGS PROFILE evil"},
		{what: "GRANT to itself", sql: "GRANT SELECT ON loot.* TO " + gateway, undo: "REVOKE SELECT ON loot.* FROM " + gateway},
		{what: "GRANT of a role to itself", sql: "GRANT looter TO " + gateway, undo: "REVOKE looter FROM " + gateway},
		{what: "GRANT of being an administrator", sql: "GRANT IMPERSONATE ON " + boss + " TO " + gateway, undo: "REVOKE IMPERSONATE ON " + boss + " FROM " + gateway},
		{what: "GRANT of what it has", sql: "GRANT SELECT(query) ON system.processes TO " + boss},
		{what: "REVOKE", sql: "REVOKE SELECT ON loot.* FROM " + boss, undo: "GRANT SELECT ON loot.* TO " + boss + " WITH GRANT OPTION"},
		{what: "a statement behind EXECUTE AS", sql: "EXECUTE AS " + fake.Alice + " PARALLEL WITH CREATE USER evil", undo: "DROP USER evil"},
	}
}

// straight asks the real ClickHouse, and returns the code of its exception; "": there was
// none.
func (c checked) straight(user, sql string) (code, said string) {
	c.Helper()
	request, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.real.HTTP, strings.NewReader(sql))
	if err != nil {
		c.Fatal(err)
	}
	request.SetBasicAuth(user, fake.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.Fatal(err)
	}
	return response.Header.Get("X-Clickhouse-Exception-Code"), strings.TrimSpace(string(text))
}

// powerless tries whatever the gateway might do on its own: none of it may work, and each
// for want of a right, because it does work for an administrator.
func (c checked) powerless(gateway string) {
	c.Helper()
	if _, said := c.straight(gateway, "SELECT currentUser()"); said != gateway {
		c.Errorf("the gateway itself is not let in: %s", said)
	}
	for _, a := range slices.Concat(c.readings(), doings(gateway)) {
		want := a.code
		if want == "" {
			want = "497"
		}
		if code, said := c.straight(gateway, a.sql); code != want {
			c.Errorf("%s: the gateway is told %q", a.what, said)
		}
		if code, said := c.straight(boss, a.sql); code != "" {
			c.Errorf("%s: even an administrator is told %q", a.what, said)
		}
		if a.undo != "" {
			c.exec(a.undo)
		}
	}
	if _, said := c.straight(gateway, "SHOW DATABASES"); said != "system" {
		c.Errorf("the gateway sees databases: %s", said)
	}
}

// A gateway that acts by EXECUTE AS stops its own statements, and nobody else's.
func TestGatewayStopsNobodyElse(t *testing.T) {
	c := openChecked(t)
	c.dress("26.7")
	c.loot()
	var ended sync.WaitGroup
	ended.Go(func() {
		c.straight(boss, "SELECT count() FROM numbers(1000000000000) WHERE cityHash64(number) = 0 /* endless */")
	})
	runs := func() bool {
		return c.text("SELECT count() FROM system.processes WHERE user = '"+boss+"' AND query LIKE '%endless%'") != "0"
	}
	for end := time.Now().Add(time.Minute); !runs(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the statement does not begin")
		}
	}
	const kill = "KILL QUERY WHERE user = '" + boss + "' AND query LIKE '%endless%' SYNC"
	if _, said := c.straight(fake.Gateway, kill); strings.Contains(said, "finished") || !runs() {
		t.Errorf("the gateway stopped it: %s", said)
	}
	c.exec(kill)
	ended.Wait()
}

// What this version of ClickHouse lets every account do, the gateway's too, is in
// doc/rough-edges.md: when one of these fails, its line there can go.
func TestPowersOfEverybody(t *testing.T) {
	c := openChecked(t)
	c.dress("26.7")
	c.loot()
	for what, sql := range map[string]string{
		"a file":                 "SELECT file('" + c.file("loot.tsv") + "')",
		"a table beside a table": "CREATE TABLE loot.x (n UInt8) ENGINE = Memory PARALLEL WITH CREATE TABLE loot.y (n UInt8) ENGINE = Memory",
	} {
		if code, said := c.straight(fake.Gateway, sql); code != "" {
			t.Errorf("%s: %s", what, said)
		}
	}
	for what, sql := range map[string]string{
		"reading that table":         "SELECT * FROM loot.x",
		"filling it from another":    "CREATE TABLE loot.z ENGINE = Memory AS SELECT * FROM loot.t PARALLEL WITH CREATE TABLE loot.w (n UInt8) ENGINE = Memory",
		"a view that reads another":  "CREATE VIEW loot.p AS SELECT * FROM loot.t PARALLEL WITH CREATE VIEW loot.q AS SELECT * FROM loot.t",
		"a table that is elsewhere":  "CREATE TABLE loot.u (s String) ENGINE = URL('http://127.0.0.1:1/', 'TSV') PARALLEL WITH CREATE TABLE loot.o (n UInt8) ENGINE = Memory",
		"users beside each other":    "CREATE USER evil PARALLEL WITH CREATE USER worse",
		"dropping beside each other": "DROP TABLE loot.t PARALLEL WITH DROP TABLE loot.v",
	} {
		if code, said := c.straight(fake.Gateway, sql); code != "497" {
			t.Errorf("%s: %s", what, said)
		}
	}
}
