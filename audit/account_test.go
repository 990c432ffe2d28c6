package audit

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"porterhouse"
)

func creation() AccountEvent {
	return AccountEvent{
		ID: "a-1", Action: "create", Who: alice, At: porterhouse.Entry{Cluster: "main", Door: "mcp"}, Account: "ph_alice",
		Roles: []string{"analyst", "o'ps"}, Reason: "no such account",
		SQL: "CREATE USER `ph_alice` IDENTIFIED WITH sha256_hash BY 'C0FFEE' HOST NONE DEFAULT ROLE `analyst`",
	}
}

// A line says who, which account, which roles, why and with which statement, and
// no secret; it is a link of the chain as any other.
func TestAccountLine(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	if err := l.Account(creation()); err != nil {
		t.Fatal(err)
	}
	failed := creation()
	failed.Err = &porterhouse.Error{
		Kind: porterhouse.Refused, Public: "no: password='hunter2'",
		Err: fmt.Errorf("private: %w", &porterhouse.Exception{Code: 493, Name: "ACCESS_ENTITY_ALREADY_EXISTS"}),
	}
	if err := l.Account(failed); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	intact(t, c.Path)

	lines := ofKind(entries(t, c.Path), "account")
	if len(lines) != 2 {
		t.Fatalf("%d lines of the kind account, want 2", len(lines))
	}
	want := entry{
		"kind": "account", "id": "a-1", "action": "create",
		"issuer": alice.Issuer, "subject": alice.Subject, "user": alice.User, "token": alice.TokenID, "client": alice.Client,
		"door": "mcp", "cluster": "main", "account": "ph_alice", "roles": []any{"analyst", "o'ps"},
		"reason": "no such account", "sql_masked": true,
		"sql": "CREATE USER `ph_alice` IDENTIFIED WITH sha256_hash BY '[masked]' HOST NONE DEFAULT ROLE `analyst`",
	}
	for _, name := range []string{"seq", "time", "prev", "mac"} {
		want[name] = lines[0][name]
	}
	if diff := cmp.Diff(want, lines[0]); diff != "" {
		t.Error(diff)
	}
	if got := lines[1]; got["error"] != "refused" || got["code"] != 493.0 || got["code_name"] != "ACCESS_ENTITY_ALREADY_EXISTS" {
		t.Errorf("the failure is told as %v", got)
	}
	for _, secret := range []string{"C0FFEE", "hunter2", "private", "the-raw-token"} {
		if strings.Contains(string(read(t, c.Path)), secret) {
			t.Errorf("the record holds %q", secret)
		}
	}
}

// A changed account line is found as a changed question is.
func TestAccountLineIsVerified(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	if err := l.Account(creation()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	write(t, c.Path, []byte(strings.Replace(string(read(t, c.Path)), "ph_alice", "ph_mallo", 1)))
	report, err := Verify(Check{Files: []string{c.Path}, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	if !report.has(Changed) {
		t.Errorf("the change was not found:\n%s", report)
	}
}

// Very many roles do not fill the disk.
func TestAccountLineIsBounded(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	e := creation()
	for i := range 5000 {
		e.Roles = append(e.Roles, fmt.Sprintf("role-%d-%s", i, strings.Repeat("x", 1000)))
	}
	if err := l.Account(e); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	line := ofKind(entries(t, c.Path), "account")[0]
	if roles := line["roles"].([]any); len(roles) != maxList || line["roles_count"] != 5002.0 {
		t.Errorf("%d roles named, %v counted", len(roles), line["roles_count"])
	}
	if info, err := os.Stat(c.Path); err != nil || info.Size() > 64<<10 {
		t.Errorf("the record has %d bytes (%v)", info.Size(), err)
	}
}

// No record, no change.
func TestNoAccountWithoutRecord(t *testing.T) {
	l := mustOpen(t, config(t))
	mustClose(t, l)
	err := l.Account(creation())
	var e *porterhouse.Error
	if !errors.As(err, &e) || e.Kind != porterhouse.Unavailable || !strings.Contains(e.Public, "no account was changed") {
		t.Errorf("want an Unavailable error that says that nothing was changed, have %v", err)
	}
}
