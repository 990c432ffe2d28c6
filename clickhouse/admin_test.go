package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// admin logs in to h as an account that may make users beginning with ph_.
func admin(t testing.TB, h *house) *clickhouse.Admin {
	t.Helper()
	for _, sql := range []string{
		"CREATE USER prov IDENTIFIED BY 'pw'", "GRANT CREATE USER, DROP USER ON ph_* TO prov",
		"GRANT IMPERSONATE ON ph_* TO prov WITH GRANT OPTION", "GRANT SELECT ON system.users TO prov", "GRANT SHOW USERS ON *.* TO prov",
	} {
		if err := h.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	a, err := clickhouse.NewAdmin(clickhouse.Config{URL: h.HTTP, User: "prov", Password: porterhouse.NewSecret("pw")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return a
}

// hostile are names that mean something else to whoever quotes carelessly.
var hostile = []string{
	"ph_plain", "ph_a'b", "ph_a''b", "ph_a`b", "ph_a``b", `ph_a\b`, `ph_a\\b`, `ph_a\'b`, "ph_a\\`b", `ph_a"b`, "ph_a@corp.com", "ph_a@%",
	"ph_a*", "ph_*", "ph_a b", "ph_a;b", "ph_a--b", "ph_a/*b", "ph_a{x:String}", "ph_a$$b", "ph_ä", "ph_日本", "ph_a,default", "ph_a` TO default --",
	`ph_a\x41`, `ph_a\u0041`, `ph_a\0`, `ph_a\N`, "ph_a%b", "ph_a_b", "ph_a#agent", "ph_a.b", "ph_x TO default", `ph_a\`,
}

// Whatever a name holds, the account of exactly that name is made, found and
// granted, and no other.
func TestQuotedNames(t *testing.T) {
	h := open(t)
	a := admin(t, h)
	for _, name := range hostile {
		quoted := clickhouse.QuoteName(name)
		for _, sql := range []string{
			"CREATE USER " + quoted + " HOST NONE",
			"GRANT IMPERSONATE ON " + quoted + " TO " + clickhouse.QuoteName(gateway),
		} {
			if err := a.Exec(t.Context(), sql, "test"); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		rows, err := a.Rows(t.Context(), "SELECT name FROM system.users WHERE name = "+clickhouse.QuoteString(name), "test")
		if err != nil || len(rows) != 1 || rows[0][0] != name {
			t.Errorf("the user %q is found as %q (%v)", name, rows, err)
		}
		if r, err := read(t.Context(), h.Client, account(t, name), question("SELECT currentUser()")); err != nil {
			t.Errorf("nobody can act as %q: %v", name, err)
		} else if want := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "\n"; r.Text != want {
			t.Errorf("as %q one is %q", name, r.Text)
		}
	}
	rows, err := a.Rows(t.Context(), "SELECT name FROM system.users WHERE startsWith(name, 'ph_')", "test")
	if err != nil || len(rows) != len(hostile) {
		t.Errorf("%d users for %d names (%v)", len(rows), len(hostile), err)
	}
}

// What ClickHouse refuses is told with its code; what nobody may see is not told.
func TestAdminErrors(t *testing.T) {
	h := open(t)
	a := admin(t, h)
	err := a.Exec(t.Context(), "CREATE USER etl", "test")
	exception, ok := errors.AsType[*porterhouse.Exception](err)
	if !ok || exception.Code != 497 {
		t.Errorf("a user that the provisioner may not make: %v", err)
	}
	if _, public := porterhouse.Explain(err); strings.Contains(public, "prov:") {
		t.Errorf("the person learns the provisioner's name: %q", public)
	}
	if a.User() != "prov" {
		t.Errorf("it says that it is %q", a.User())
	}
	gone, err := clickhouse.NewAdmin(clickhouse.Config{URL: "http://127.0.0.1:1", User: "prov"})
	if err != nil {
		t.Fatal(err)
	}
	if kind, _ := porterhouse.Explain(gone.Exec(t.Context(), "SELECT 1", "")); kind != porterhouse.Unavailable {
		t.Errorf("a ClickHouse that is away is %q", kind)
	}
}

// Values come back as they are; a statement carries its comment to the query log.
func TestAdminRows(t *testing.T) {
	a := admin(t, open(t))
	rows, err := a.Rows(t.Context(), `SELECT * FROM (SELECT 'a\tb', 'c\nd', 'e\\f', '', NULL, getSetting('log_comment') UNION ALL SELECT '2', '', '', '', NULL, '') ORDER BY 1 DESC`, `{"rid":"7"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%q", rows[0]), fmt.Sprintf("%q", []string{"a\tb", "c\nd", `e\f`, "", "N", `{"rid":"7"}`}); got != want || len(rows) != 2 {
		t.Errorf("have %s, want %s", got, want)
	}
}
