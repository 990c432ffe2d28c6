package directory_test

import (
	"strings"
	"testing"
)

// Whom the prefix covers, the provisioner can change: with the right password it is
// them. So nobody who matters more than people may be among them.
func TestNobodyWithAccessManagementIsWithinThePrefix(t *testing.T) {
	e := settle(t)
	e.must(t, "CREATE USER ph_team_etl")
	if err := e.Check(t.Context()); err != nil {
		t.Fatalf("a user without rights: %v", err)
	}
	e.must(t, "CREATE USER ph_boss IDENTIFIED BY 'secret'")
	e.must(t, "GRANT admins TO ph_boss")
	if err := e.Check(t.Context()); err == nil || !strings.Contains(err.Error(), `could become "ph_boss"`) {
		t.Errorf("found %v", err)
	}
	e.must(t, "DROP USER ph_boss")
	if err := e.Check(t.Context()); err != nil {
		t.Errorf("after that: %v", err)
	}
}
