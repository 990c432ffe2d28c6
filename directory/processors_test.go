package directory_test

import (
	"testing"

	"porterhouse/directory"
)

// Two processors of one provider have rules of their own. The groups that one of
// them told give no role by the rules of the other.
func TestGroupsAreForTheRulesOfTheirProcessor(t *testing.T) {
	h := newHouse(t)
	open := corp()
	open.Processor, open.RolesFilter, open.RolesTransform = "open", "", nil
	h.config.Directories = []directory.Rules{corp(), open}
	h.Directory = h.neighbour(t, h.Provisioner)

	// By the filter of corp the group "analyst" gives nothing.
	h.acts(t, token("alice", 2, "analyst"), "ph_alice", "support")
	older := token("alice", 1)
	older.Proof = "open"
	h.acts(t, older, "ph_alice", "support")
	if got := h.roles(t, "ph_alice"); got != "porterhouse_account,support" {
		t.Errorf("an older token of another processor added a role: %s", got)
	}
	older.Groups = []string{"analyst"} // it tells the group itself
	h.acts(t, older, "ph_alice", "analyst,support")
	newer := token("alice", 3, "analyst")
	newer.Proof = "open"
	h.acts(t, newer, "ph_alice", "analyst,support")
}
