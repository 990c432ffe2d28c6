package directory

import (
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// Explain tells every rule that fired, and leaves nothing behind.
func TestExplain(t *testing.T) {
	rules := whole
	rules.Personas = []Persona{{Suffix: "#agent", Clients: []string{"claude"}}}
	c := cluster(t, nil, Rules{Processor: "github"}, rules)
	c.State = NewState(0)
	d := directory(t, c)
	who := agent("claude")
	who.Proof, who.Token = "corp", porterhouse.NewSecret("do not show this")

	account, lines, err := d.Explain(t.Context(), who, here)
	if err != nil || account.User.String() != "alice#agent" {
		t.Errorf("acts as %q, %v", account.User, err)
	}
	says(t, lines,
		`rules 1 are not for this person: they are for the processor "github", and the person was proved by "corp"`,
		`rules 2 are for this person, proved by the processor "corp"`,
		`the name "alice" gives the account "alice"`,
		`the client "claude" acts as the persona #agent`,
		`the user "alice#agent" is local in ClickHouse`,
		`the account "alice" is nobody's yet`,
		`the account "alice#agent" is nobody's yet`,
		`the roles and the profile of a local user are left as they are`,
	)
	if text := strings.Join(lines, "\n"); strings.Contains(text, "do not show") {
		t.Errorf("the token is shown: %s", text)
	}
	if keys, err := c.Store.Keys(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("kept are %q, %v", keys, err)
	}
	if stats := c.State.Stats(); stats != (Stats{Capacity: stats.Capacity}) {
		t.Errorf("the counts are %+v", stats)
	}

	if _, err := d.Account(t.Context(), who, here); err != nil {
		t.Fatal(err)
	}
	_, lines, err = d.Explain(t.Context(), who, here)
	if err != nil {
		t.Error(err)
	}
	says(t, lines, `the account "alice" is that of this person since `+time.Now().UTC().Format(time.DateOnly))
	account, lines, err = d.Explain(t.Context(), known("b", "1"), here)
	refusedFor(t, account, err, "another person")
	says(t, lines, `the name "alice" gives the account "alice"`)
}

func TestExplainNobody(t *testing.T) {
	d := directory(t, cluster(t, nil, whole))
	if _, lines, err := d.Explain(t.Context(), porterhouse.Principal{User: "alice"}, here); err == nil {
		t.Errorf("nobody is somebody: %q", lines)
	}
	account, _, err := d.Explain(t.Context(), person("default"), here)
	refusedFor(t, account, err, "nobody may act as")
}

// Of roles it tells where each comes from, and why another is not there.
func TestExplainRoles(t *testing.T) {
	because := &trail{}
	rules := roleRulesOf(t, Rules{
		GroupRoles: true, CommonRoles: []string{"reader"}, RolesMapping: []Mapping{{"0815", "ch-team-a"}},
		RolesFilter: "ch-.*", RolesTransform: []string{"s/^ch-//", "s/-/_/g"},
	})
	roles := rules.of([]string{"0815", "4711", "ch-admin"}, because)
	p := persona{suffix: "#agent", roles: names{exact: map[string]bool{"reader": true}}}
	p.narrow(roles, because)
	says(t, because.lines,
		`common_roles gives the role "reader"`,
		`roles_mapping makes "ch-team-a" of the group "0815"`,
		`roles_transform s/^ch-// makes "team-a" of "ch-team-a"`,
		`roles_transform s/-/_/g makes "team_a" of "team-a"`,
		`the group "0815" gives the role "team_a"`,
		`roles_filter leaves out the group "4711"`,
		`the group "ch-admin" gives no role: the role "admin" is on the list`,
		`the persona #agent does not have the role "team_a"`,
	)
}

// says fails the test when one of the sentences is missing, or they come in
// another order.
func says(t *testing.T, lines []string, sentences ...string) {
	t.Helper()
	rest := strings.Join(lines, "\n")
	for _, sentence := range sentences {
		_, after, found := strings.Cut(rest, sentence)
		if !found {
			t.Errorf("it does not say %q (any more); it says\n%s", sentence, strings.Join(lines, "\n"))
			return
		}
		rest = after
	}
}
