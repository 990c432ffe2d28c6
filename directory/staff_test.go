package directory_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/directory"
)

// With the grants that we print, and no others, neither the provisioner nor the
// gateway can make, change, or become anybody beyond the prefix, or get more rights.
func TestStaffCannot(t *testing.T) {
	e := settle(t)
	e.ensure(t, wanted(t, "ph_alice", "analyst"))
	e.must(t, "CREATE USER etl IDENTIFIED BY 'x'")
	e.must(t, "CREATE USER phony IDENTIFIED BY 'x'")
	e.must(t, "CREATE DATABASE other")
	e.must(t, "CREATE TABLE other.own (a Int32) ENGINE = Memory")
	e.must(t, "GRANT SELECT ON other.own TO etl")
	e.must(t, "GRANT secret TO etl")
	provisioner, gateway := login(t, e, provisionerUser, staffPassword), login(t, e, gatewayUser, staffPassword)
	victims := []string{"default", "etl", "phony", gatewayUser, provisionerUser}
	var both []string // what neither may do
	for _, victim := range victims {
		both = append(both,
			"ALTER USER "+victim+" IDENTIFIED BY 'taken'", "ALTER USER "+victim+" HOST ANY", "ALTER USER "+victim+" SETTINGS readonly = 0",
			"ALTER USER "+victim+" DEFAULT ROLE ALL", "ALTER USER "+victim+" GRANTEES ANY", "ALTER USER "+victim+" RENAME TO ph_x", "ALTER USER ph_alice, "+victim+" HOST ANY",
			"DROP USER "+victim, "DROP USER IF EXISTS "+victim, "CREATE USER OR REPLACE "+victim, "EXECUTE AS '"+victim+"' SELECT 1", "EXECUTE AS "+victim+" SELECT 1",
			"GRANT IMPERSONATE ON "+victim+" TO "+gatewayUser, "GRANT IMPERSONATE ON "+victim+" TO "+provisionerUser,
			"GRANT secret TO "+victim, "GRANT admins TO "+victim,
			"GRANT SELECT ON *.* TO "+victim, "GRANT CREATE USER ON ph_* TO "+victim, "GRANT CREATE USER ON * TO "+victim, "GRANT ROLE ADMIN ON *.* TO "+victim,
			"GRANT CURRENT GRANTS ON *.* TO ph_x, "+victim,
		)
		if victim != gatewayUser && victim != provisionerUser {
			both = append(both, "CREATE USER IF NOT EXISTS ph_y, "+victim+"2")
		}
	}
	both = append(both,
		"CREATE USER other", "CREATE USER ph", "CREATE USER Ph_x", "CREATE USER `pH_`", "CREATE USER ` ph_x`", "CREATE USER PH_x", "CREATE ROLE ph_role", "CREATE ROLE mine",
		"DROP ROLE analyst", "DROP ROLE porterhouse_account", "ALTER ROLE analyst SETTINGS readonly = 0", "ALTER ROLE porterhouse_account RENAME TO x",
		"GRANT SELECT ON *.* TO porterhouse_account", "GRANT SELECT ON app.* TO ph_alice", "GRANT ALL ON *.* TO ph_alice",
		"CREATE SETTINGS PROFILE p", "ALTER SETTINGS PROFILE people SETTINGS max_threads = 0", "DROP SETTINGS PROFILE people", "CREATE QUOTA q", "CREATE ROW POLICY r ON app.t USING 1",
		"GRANT IMPERSONATE ON * TO ph_alice", "GRANT IMPERSONATE ON ph* TO "+gatewayUser, "GRANT IMPERSONATE ON p* TO "+provisionerUser,
		"INSERT INTO other.own SELECT 1", "SELECT * FROM other.own", "DROP TABLE other.own", "CREATE TABLE app.x (a Int32) ENGINE = Memory",
		"SELECT * FROM system.query_log", "SYSTEM SHUTDOWN", "SYSTEM RELOAD CONFIG", "REVOKE secret FROM etl", "REVOKE SELECT ON other.own FROM etl", "REVOKE ALL FROM etl", "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
		"SELECT * FROM remote('127.0.0.1', 'other.own')", "CREATE VIEW app.v DEFINER = default SQL SECURITY DEFINER AS SELECT * FROM other.own",
		"SELECT 1 PARALLEL WITH CREATE USER other",
	)
	users := func() string {
		return e.tell(t, "SELECT arraySort(groupArray((name, auth_type, host_ip, default_roles_all, default_roles_list))) FROM system.users WHERE name NOT LIKE 'ph\\\\_%'") +
			e.tell(t, "SELECT arraySort(groupArray((ifNull(user_name, ''), ifNull(role_name, ''), granted_role_name))) FROM system.role_grants WHERE ifNull(user_name, '') NOT LIKE 'ph\\_%'") +
			e.tell(t, "SELECT arraySort(groupArray((ifNull(user_name, ''), ifNull(role_name, ''), access_type, ifNull(access_object, '')))) FROM system.grants WHERE NOT startsWith(ifNull(access_object, ''), 'ph_')")
	}
	before := users()
	for who, s := range map[string]session{"provisioner": provisioner, "gateway": gateway} {
		for _, sql := range both {
			if allowedAnyway(who, sql) {
				continue
			}
			if _, err := s.text(t, sql); err == nil {
				t.Errorf("the %s can: %s", who, sql)
			} else if code := codeOf(err); code == 62 {
				t.Errorf("this attack does not parse: %s: %v", sql, err)
			}
		}
	}
	for _, sql := range []string{ // what the provisioner may, and the gateway not
		"CREATE USER ph_x", "ALTER USER ph_alice IDENTIFIED BY 'taken'", "ALTER USER ph_alice HOST ANY", "DROP USER ph_alice",
		"GRANT analyst TO ph_alice", "REVOKE analyst FROM ph_alice", "GRANT analyst TO " + gatewayUser, "GRANT porterhouse_account TO etl",
		"GRANT IMPERSONATE ON ph_bob TO " + gatewayUser, "SELECT name FROM system.users", "SHOW USERS", "SHOW CREATE USER ph_alice",
	} {
		if _, err := gateway.text(t, sql); err == nil {
			t.Errorf("the gateway can: %s", sql)
		}
	}
	if after := users(); after != before {
		t.Errorf("something was changed nevertheless:\n%s\n%s", before, after)
	}
}

// allowedAnyway are attacks that change nothing for whom they are meant.
func allowedAnyway(who, sql string) bool {
	return strings.HasPrefix(sql, "EXECUTE AS") && strings.Contains(sql, map[string]string{"provisioner": provisionerUser, "gateway": gatewayUser}[who])
}

// What a provisioner that was taken over can do, because ClickHouse bounds it no
// further: none of it makes a stranger's account one of ours, or gives the gateway a
// right that counts.
func TestProvisionerTakenOver(t *testing.T) {
	e := settle(t)
	e.must(t, "CREATE USER etl")
	thief := login(t, e, provisionerUser, staffPassword)
	for _, sql := range []string{
		"GRANT porterhouse_account TO etl", "GRANT analyst TO " + gatewayUser,
		"CREATE USER ph_renamed IDENTIFIED WITH no_authentication DEFAULT ROLE porterhouse_account", "ALTER USER ph_renamed RENAME TO renamed",
	} {
		if _, err := thief.text(t, sql); err != nil {
			t.Fatalf("%s: ClickHouse bounds it better than the documents say: %v", sql, err)
		}
	}
	for _, user := range []string{"etl", "renamed"} {
		if got, err := e.Origin(t.Context(), name(t, user)); err != nil || got != directory.Local {
			t.Errorf("%s is taken for %s (%v)", user, got, err)
		}
	}
	if _, err := login(t, e, gatewayUser, staffPassword).text(t, "SELECT count() FROM app.t"); codeOf(err) != 497 {
		t.Errorf("a role that was given to the gateway counts by itself: %v", err)
	}
}

// Check finds each right that is missing or too much.
func TestCheck(t *testing.T) {
	e := settle(t)
	for _, fault := range []struct{ do, undo, want string }{
		{"REVOKE DROP USER ON ph_* FROM " + provisionerUser, "GRANT DROP USER ON ph_* TO " + provisionerUser, "lacks DROP USER"},
		{"REVOKE IMPERSONATE ON ph_* FROM " + provisionerUser, "GRANT IMPERSONATE ON ph_* TO " + provisionerUser + " WITH GRANT OPTION", "lacks IMPERSONATE"},
		{"GRANT CREATE USER ON p* TO " + provisionerUser, "REVOKE CREATE USER ON p* FROM " + provisionerUser + "; ", "beyond its prefix"},
		{"GRANT ALTER USER ON * TO " + provisionerUser, "REVOKE ALTER USER ON * FROM " + provisionerUser, "beyond its prefix"},
		{"GRANT ROLE ADMIN ON *.* TO " + provisionerUser, "REVOKE ROLE ADMIN ON *.* FROM " + provisionerUser, "holds ROLE ADMIN"},
		{"GRANT SET DEFINER ON ph_x TO " + provisionerUser, "REVOKE SET DEFINER ON ph_x FROM " + provisionerUser, "holds SET DEFINER"},
		{"REVOKE porterhouse_account FROM " + provisionerUser, "GRANT porterhouse_account TO " + provisionerUser + " WITH ADMIN OPTION", "porterhouse_account WITH ADMIN OPTION"},
		{"GRANT SELECT ON app.* TO porterhouse_account", "REVOKE SELECT ON app.* FROM porterhouse_account", "carries rights"},
		{"GRANT analyst TO porterhouse_account", "REVOKE analyst FROM porterhouse_account", "has the role"},
		{"GRANT CREATE USER ON ph_* TO " + gatewayUser, "REVOKE CREATE USER ON ph_* FROM " + gatewayUser, "the gateway \"gw_porter\" holds CREATE USER"},
		{"GRANT IMPERSONATE ON * TO " + gatewayUser, "REVOKE IMPERSONATE ON * FROM " + gatewayUser, "may impersonate \"default\""},
		{"GRANT admins TO " + gatewayUser, "REVOKE admins FROM " + gatewayUser, "carries access management"},
	} {
		e.must(t, fault.do)
		if err := e.Check(t.Context()); err == nil || !strings.Contains(err.Error(), fault.want) {
			t.Errorf("%s: found %v, want %q", fault.do, err, fault.want)
		}
		e.must(t, strings.TrimSuffix(fault.undo, "; "))
		if strings.Contains(fault.do, "ALTER USER ON *") || strings.Contains(fault.do, "ON p*") { // the revoke took the narrower one, too
			e.must(t, "GRANT CREATE USER, ALTER USER, DROP USER ON ph_* TO "+provisionerUser)
		}
		if err := e.Check(t.Context()); err != nil {
			t.Fatalf("%s: still found after it was undone: %v", fault.do, err)
		}
	}
}

// Without a prefix we alone keep the provisioner from other people's users.
func TestUnbounded(t *testing.T) {
	e := settle(t, func(c *directory.ProvisionerConfig) { c.Prefix, c.AllowUnbounded = "", true })
	if err := e.Check(t.Context()); err != nil {
		t.Error(err)
	}
	e.must(t, "CREATE USER etl")
	e.ensure(t, wanted(t, "alice", "analyst"))
	if got, err := e.as(t, "alice", "SELECT count() FROM app.t"); err != nil || got != "3" {
		t.Errorf("alice reads %q (%v)", got, err)
	}
	for _, user := range []string{"etl", "default", gatewayUser, provisionerUser} {
		if err := e.Ensure(t.Context(), wanted(t, user)); kindOf(err) != porterhouse.Refused {
			t.Errorf("%s is not refused but %v", user, err)
		}
	}
	thief := login(t, e, provisionerUser, staffPassword)
	for _, sql := range []string{"ALTER USER default HOST ANY", "DROP USER " + gatewayUser, "ALTER USER " + provisionerUser + " HOST ANY", "EXECUTE AS default SELECT 1"} {
		if _, err := thief.text(t, sql); codeOf(err) != 497 {
			t.Errorf("the provisioner can %s (%v)", sql, err)
		}
	}
}

// between is a proxy to ClickHouse that can answer itself.
func between(t *testing.T, e *estate, answer func(sql string, w http.ResponseWriter) bool) *clickhouse.Admin {
	t.Helper()
	target, err := url.Parse(e.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || answer(string(body), w) {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	admin, err := clickhouse.NewAdmin(clickhouse.Config{URL: server.URL, User: provisionerUser, Password: porterhouse.NewSecret(staffPassword)})
	if err != nil {
		t.Fatal(err)
	}
	return admin
}

// A server that does not know no_authentication gets accounts with a hash that is
// nobody's password, and no host: never one without a password.
func TestOlderServer(t *testing.T) {
	e := settle(t)
	admin := between(t, e, func(sql string, w http.ResponseWriter) bool {
		older := strings.Contains(sql, "toTypeName(auth_type)")
		if older {
			fmt.Fprintln(w, `Array(Enum8(\'no_password\' = 0, \'plaintext_password\' = 1, \'sha256_password\' = 2))`)
		}
		return older
	})
	p := e.another(t, filepath.Join(t.TempDir(), "audit.jsonl"), func(c *directory.ProvisionerConfig) { c.Admin = admin })
	for _, user := range []string{"ph_old", "ph_older"} {
		if err := p.Ensure(t.Context(), wanted(t, user, "analyst")); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.tell(t, "SHOW CREATE USER ph_old"); !strings.HasPrefix(got, "CREATE USER ph_old IDENTIFIED WITH sha256_password") || !strings.Contains(got, "HOST NONE") {
		t.Errorf("it is %s", got)
	}
	first, second := e.plan(t, p, "ph_one"), e.plan(t, p, "ph_one")
	if !strings.Contains(first[0], "sha256_hash BY '") || first[0] == second[0] {
		t.Errorf("two accounts have one hash: %s, %s", first[0], second[0])
	}
}

func (e *estate) plan(t *testing.T, p *directory.Provisioner, user string) []string {
	t.Helper()
	statements, err := p.Plan(t.Context(), wanted(t, user, "analyst"))
	if err != nil {
		t.Fatal(err)
	}
	return statements
}

// A ClickHouse that is away, or goes away in the middle, is Unavailable; when it is
// back, the account is completed.
func TestClickHouseAway(t *testing.T) {
	e := settle(t)
	var away atomic.Bool
	away.Store(true)
	admin := between(t, e, func(sql string, w http.ResponseWriter) bool {
		if away.Load() && strings.HasPrefix(sql, "GRANT IMPERSONATE") {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	p := e.another(t, filepath.Join(t.TempDir(), "audit.jsonl"), func(c *directory.ProvisionerConfig) { c.Admin = admin })
	w := wanted(t, "ph_kim", "analyst")
	if err := p.Ensure(t.Context(), w); kindOf(err) != porterhouse.Unavailable {
		t.Errorf("want it unavailable, have %v", err)
	}
	if _, err := e.as(t, "ph_kim", "SELECT 1"); codeOf(err) != 497 {
		t.Errorf("the gateway acts as an account that is not complete: %v", err)
	}
	away.Store(false)
	if err := p.Ensure(t.Context(), w); err != nil {
		t.Error(err)
	}
	if got, err := e.as(t, "ph_kim", "SELECT count() FROM app.t"); err != nil || got != "3" {
		t.Errorf("it reads %q (%v)", got, err)
	}
	gone, err := clickhouse.NewAdmin(clickhouse.Config{URL: "http://127.0.0.1:1", User: provisionerUser})
	if err != nil {
		t.Fatal(err)
	}
	p = e.another(t, filepath.Join(t.TempDir(), "audit.jsonl"), func(c *directory.ProvisionerConfig) { c.Admin = gone })
	if err := p.Ensure(t.Context(), w); kindOf(err) != porterhouse.Unavailable {
		t.Errorf("want it unavailable, have %v", err)
	}
	if _, err := p.Origin(t.Context(), w.Account.User); kindOf(err) != porterhouse.Unavailable {
		t.Errorf("want it unavailable, have %v", err)
	}
}

// Whoever stops waiting is told so; the account is made for the others.
func TestCallerLeaves(t *testing.T) {
	e := settle(t)
	arrived, leave := make(chan struct{}), make(chan struct{})
	admin := between(t, e, func(sql string, _ http.ResponseWriter) bool {
		if strings.HasPrefix(sql, "CREATE USER") {
			close(arrived)
			<-leave
		}
		return false
	})
	p := e.another(t, filepath.Join(t.TempDir(), "audit.jsonl"), func(c *directory.ProvisionerConfig) { c.Admin = admin })
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- p.Ensure(ctx, wanted(t, "ph_lea")) }()
	<-arrived
	stays := make(chan error)
	go func() { stays <- p.Ensure(t.Context(), wanted(t, "ph_lea")) }()
	cancel()
	if err := <-left; kindOf(err) != porterhouse.Canceled {
		t.Errorf("who left is told %v", err)
	}
	close(leave)
	if err := <-stays; err != nil {
		t.Error(err)
	}
}

// No record, no change.
func TestNoRecordNoAccount(t *testing.T) {
	e := settle(t)
	if err := e.recorder.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Ensure(t.Context(), wanted(t, "ph_moe")); kindOf(err) != porterhouse.Unavailable {
		t.Errorf("want it unavailable, have %v", err)
	}
	if got := e.tell(t, "SELECT count() FROM system.users WHERE name = 'ph_moe'"); got != "0" {
		t.Error("there is an account of which no record tells")
	}
}

// People who stay away are reported, then disabled or dropped, and restored when
// they come back; nobody else is touched.
func TestAbsent(t *testing.T) {
	e := settle(t)
	e.must(t, "CREATE USER ph_local IDENTIFIED WITH no_authentication")
	for _, user := range []string{"ph_here", "ph_gone", "ph_left"} {
		e.ensure(t, wanted(t, user, "analyst"))
	}
	if list, err := e.Absent(t.Context(), 30); err != nil || len(list) != 0 {
		t.Fatalf("absent at once: %v (%v)", list, err)
	}
	if err := e.Drop(t.Context(), name(t, "ph_gone")); kindOf(err) != porterhouse.Refused {
		t.Errorf("dropped before it was reported: %v", err)
	}
	e.clock.advance(31 * 24 * time.Hour)
	e.ensure(t, wanted(t, "ph_here", "analyst"))
	list, err := e.Absent(t.Context(), 30)
	if err != nil || len(list) != 2 || list[0].Account.String() != "ph_gone" || list[1].Account.String() != "ph_left" {
		t.Fatalf("absent are %v (%v)", list, err)
	}
	reported := list[0].Reported
	e.clock.advance(time.Hour)
	if again, err := e.Absent(t.Context(), 30); err != nil || len(again) != 2 || reported.IsZero() || !again[0].Reported.Equal(reported) {
		t.Errorf("absent are %v (%v), first reported %v", again, err, reported)
	}
	if longer, err := e.Absent(t.Context(), 60); err != nil || len(longer) != 0 {
		t.Errorf("absent for 60 days: %v (%v)", longer, err)
	}
	before := len(e.recorded(t))
	if err := e.Disable(t.Context(), name(t, "ph_left")); err != nil {
		t.Fatal(err)
	}
	if err := e.Drop(t.Context(), name(t, "ph_gone")); err != nil {
		t.Fatal(err)
	}
	if got := e.actions(t, before); got != "revoke revoke revoke drop" {
		t.Errorf("the record has %q", got)
	}
	for _, user := range []string{"ph_here", "ph_local", "default", "nobody"} {
		if err := e.Drop(t.Context(), name(t, user)); kindOf(err) != porterhouse.Refused {
			t.Errorf("%s is dropped: %v", user, err)
		}
	}
	if got := e.tell(t, "SELECT arraySort(groupArray(name)) FROM system.users WHERE startsWith(name, 'ph_')"); got != "['ph_here','ph_left','ph_local']" {
		t.Errorf("left are %s", got)
	}
	if _, err := e.as(t, "ph_left", "SELECT 1"); codeOf(err) != 497 || e.roles(t, "ph_left") != "porterhouse_account" {
		t.Errorf("a disabled account has %s, and the gateway acts as it: %v", e.roles(t, "ph_left"), err)
	}
	for _, user := range []string{"ph_gone", "ph_left"} {
		e.ensure(t, wanted(t, user, "analyst"))
		if got, err := e.as(t, user, "SELECT count() FROM app.t"); err != nil || got != "3" {
			t.Errorf("%s came back and reads %q (%v)", user, got, err)
		}
	}
	if err := e.Drop(t.Context(), name(t, "ph_left")); kindOf(err) != porterhouse.Refused {
		t.Errorf("somebody who came back is dropped: %v", err)
	}
}
