package clickhouse_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"porterhouse/clickhouse"
)

// What SHOW GRANTS says is read as ClickHouse means it, whatever names have in them.
func TestParseGrants(t *testing.T) {
	t.Parallel()
	const reading, writing, impersonation = clickhouse.Reading, clickhouse.Writing, clickhouse.Impersonation
	for _, test := range []struct {
		line   string
		grants []clickhouse.Grant
		roles  []string
		unread bool
	}{
		{line: "GRANT KILL QUERY ON *.* TO gw", grants: []clickhouse.Grant{{Right: "KILL QUERY", On: "*.*", Realm: clickhouse.Killing}}},
		{line: "GRANT SELECT(a, `b, c)`), INSERT ON app.t TO gw WITH GRANT OPTION", grants: []clickhouse.Grant{
			{Right: "SELECT", Columns: []string{"a", "b, c)"}, On: "app.t", Option: true, Realm: reading},
			{Right: "INSERT", On: "app.t", Option: true, Realm: writing},
		}},
		{line: "GRANT SELECT ON `a TO b`.`c ON d` TO gw", grants: []clickhouse.Grant{{Right: "SELECT", On: "`a TO b`.`c ON d`", Realm: reading}}},
		{line: "GRANT IMPERSONATE ON ` WITH GRANT OPTION` TO gw", grants: []clickhouse.Grant{{Right: "IMPERSONATE", On: "` WITH GRANT OPTION`", Realm: impersonation}}},
		{line: "REVOKE IMPERSONATE ON default FROM gw", grants: []clickhouse.Grant{{Right: "IMPERSONATE", On: "default", Revoked: true, Realm: impersonation}}},
		{line: "GRANT READ ON S3(`s3://x, y/ ON .*`) TO gw", grants: []clickhouse.Grant{{Right: "READ", On: "S3(`s3://x, y/ ON .*`)", Realm: clickhouse.Sources}}},
		{line: "GRANT CREATE USER, CREATE TABLE, SYSTEM FLUSH LOGS, SOMETHING NEW, ALL ON *.* TO gw", grants: []clickhouse.Grant{
			{Right: "CREATE USER", On: "*.*", Realm: clickhouse.Management},
			{Right: "CREATE TABLE", On: "*.*", Realm: writing},
			{Right: "SYSTEM FLUSH LOGS", On: "*.*", Realm: clickhouse.Running},
			{Right: "SOMETHING NEW", On: "*.*", Realm: clickhouse.Running},
			{Right: "ALL", On: "*.*", Realm: clickhouse.Everything},
		}},
		{line: "GRANT reader, `a, TO writer` TO gw", roles: []string{"a, TO writer", "reader"}},
		{line: "GRANT reader TO gw WITH ADMIN OPTION", roles: []string{"reader"}, grants: []clickhouse.Grant{
			{Right: "ROLE ADMIN", On: "reader", Option: true, Realm: clickhouse.Management},
		}},
		{line: "GRANT SELECT ON app.*", unread: true},
		{line: "DENY SELECT ON app.* TO gw", unread: true},
		{line: "", unread: true},
	} {
		grants, roles, unread := clickhouse.ParseGrants([]string{test.line})
		if diff := cmp.Diff(test.grants, grants); diff != "" || !slices.Equal(roles, test.roles) || (len(unread) > 0) != test.unread {
			t.Errorf("%s: roles %q, unread %q, grants %s", test.line, roles, unread, diff)
		}
	}
}

// A grant names a user, the beginning of users, or neither.
func TestNamesOfGrants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		on, name   string
		prefix, ok bool
	}{
		{"alice", "alice", false, true},
		{"ph_*", "ph_", true, true},
		{"*", "", true, true},
		{"`ph_*`", "ph_*", false, true}, // a user who is called so
		{"`al``ice`", "al``ice", false, true},
		{"`a\\`b`", "a`b", false, true},
		{"`alice@corp.com`", "alice@corp.com", false, true},
		{"*.*", "", false, false},
		{"app.*", "", false, false},
		{"app.t", "", false, false},
		{"S3(`x`)", "", false, false},
	} {
		name, prefix, ok := clickhouse.Grant{On: test.on}.Names()
		if name != test.name || prefix != test.prefix || ok != test.ok {
			t.Errorf("%s: %q, %t, %t", test.on, name, prefix, ok)
		}
	}
}
