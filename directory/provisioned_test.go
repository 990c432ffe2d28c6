package directory_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/directory"
	"porterhouse/kv"
)

// house is a Directory with its Provisioner, in front of a ClickHouse.
type house struct {
	*estate
	*directory.Directory
	config directory.Config
}

// corp are rules by which people of a processor have accounts that we make.
func corp() directory.Rules {
	return directory.Rules{
		Processor: "corp", UserName: "ph_{user}", GroupRoles: true, RolesFilter: "ch-.*", RolesTransform: []string{"s/^ch-//"},
		CommonRoles: []string{"support"}, DefaultProfile: "people", LocalUsers: []string{"ph_team_*"},
		Personas: []directory.Persona{{Suffix: "#agent", Clients: []string{"claude"}, Roles: []string{"analyst"}}},
	}
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{estate: settle(t)}
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	h.config = directory.Config{
		Directories: []directory.Rules{corp()}, Gateway: gatewayUser, Provisioner: h.Provisioner, Store: store, Now: h.clock.now,
	}
	h.Directory = h.neighbour(t, h.Provisioner)
	return h
}

// neighbour is the Directory of another process.
func (h *house) neighbour(t testing.TB, p *directory.Provisioner) *directory.Directory {
	t.Helper()
	c := h.config
	c.Provisioner = p
	d, err := directory.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var begin = time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)

// token is what a token of somebody says that was issued at that minute.
func token(user string, minute int, groups ...string) porterhouse.Principal {
	return porterhouse.Principal{
		Issuer: "https://idp.example.com", Subject: "sub of " + user, User: user, Proof: "corp",
		Issued: begin.Add(time.Duration(minute) * time.Minute), Groups: groups,
	}
}

var door = porterhouse.Entry{Cluster: "main", Door: "mcp"}

// acts fails the test when somebody has another account than was thought.
func (h *house) acts(t testing.TB, who porterhouse.Principal, user, roles string) {
	t.Helper()
	account, err := h.Directory.Account(t.Context(), who, door)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(account.Roles, ","); account.User.String() != user || got != roles {
		t.Errorf("acts as %q with the roles %s, want %q with %s", account.User, got, user, roles)
	}
}

func (h *house) refuses(t testing.TB, who porterhouse.Principal, reason string) {
	t.Helper()
	account, err := h.Directory.Account(t.Context(), who, door)
	kind, _ := porterhouse.Explain(err)
	if err == nil || kind != porterhouse.Refused || !strings.Contains(err.Error(), reason) {
		t.Errorf("%q acts as %q, %v; want a refusal with %q", who.User, account.User, err, reason)
	}
}

// Groups become roles, and whoever had them yesterday has them no more, whichever
// token is shown.
func TestRolesOfTheNewestToken(t *testing.T) {
	h := newHouse(t)
	h.acts(t, token("alice", 1, "ch-analyst", "sales"), "ph_alice", "analyst,support")
	if got := h.roles(t, "ph_alice"); got != "analyst,porterhouse_account,support" {
		t.Errorf("ClickHouse has %s", got)
	}
	h.acts(t, token("alice", 3), "ph_alice", "support")
	h.acts(t, token("alice", 1, "ch-analyst", "sales"), "ph_alice", "support")
	h.acts(t, token("alice", 2, "ch-analyst"), "ph_alice", "support")
	if got := h.roles(t, "ph_alice"); got != "porterhouse_account,support" {
		t.Errorf("an older token added a role: %s", got)
	}
	h.acts(t, token("alice", 4, "ch-analyst"), "ph_alice", "analyst,support")
	h.acts(t, token("alice", 3), "ph_alice", "analyst,support")
	if got := h.roles(t, "ph_alice"); got != "analyst,porterhouse_account,support" {
		t.Errorf("an older token took a role: %s", got)
	}
}

// An agent has fewer rights than its person, and what the person loses it loses.
func TestAgentsHaveLess(t *testing.T) {
	h := newHouse(t)
	agent := token("alice", 1, "ch-analyst", "ch-a'b")
	agent.Client = "claude"
	h.acts(t, agent, "ph_alice#agent", "analyst")
	if got, err := h.as(t, "ph_alice#agent", "SELECT count() FROM app.t"); err != nil || got != "3" {
		t.Errorf("it reads %q, %v", got, err)
	}
	if _, err := h.as(t, "ph_alice#agent", "SELECT 1 SETTINGS readonly = 0"); err == nil {
		t.Error("it may write")
	}
	h.acts(t, token("alice", 2), "ph_alice", "support")
	h.acts(t, agent, "ph_alice#agent", "")
	if _, err := h.as(t, "ph_alice#agent", "SELECT count() FROM app.t"); err == nil {
		t.Error("it reads on what its person may not any more")
	}
}

// Nobody reaches a user that we did not make by being called like it.
func TestUsersThatWeDidNotMake(t *testing.T) {
	h := newHouse(t)
	for _, sql := range []string{
		"CREATE USER ph_etl", "CREATE USER ph_team_a", "CREATE USER ph_team_root", "GRANT admins TO ph_team_root",
		"CREATE USER ph_mine", "GRANT porterhouse_account, admins TO ph_mine",
	} {
		h.must(t, sql)
	}
	h.refuses(t, token("etl", 1), "not listed")
	h.refuses(t, token("team_root", 1), "could become others")
	h.refuses(t, token("mine", 1), "could become others")
	h.acts(t, token("team_a", 1, "ch-analyst"), "ph_team_a", "")
	if got := h.roles(t, "ph_team_a"); got != "" {
		t.Errorf("a local user was given %s", got)
	}
	agent := token("team_a", 1)
	agent.Client = "claude"
	h.refuses(t, agent, "by hand")
	h.must(t, "CREATE USER `ph_team_a#agent`")
	h.clock.advance(2 * time.Minute)
	h.acts(t, agent, "ph_team_a#agent", "")
}

// A name that the provisioner may not make is refused before it is anybody's.
func TestNamesBeyondThePrefix(t *testing.T) {
	h := newHouse(t)
	h.config.Directories[0].UserName = "{user}"
	h.Directory = h.neighbour(t, h.Provisioner)
	h.refuses(t, token("alice", 1), `does not begin with "ph_"`)
	h.refuses(t, token(provisionerUser, 1), "is one that nobody may act as")
	h.refuses(t, token(gatewayUser, 1), "is one that nobody may act as")
	if keys, err := h.config.Store.Keys(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("kept are %q, %v", keys, err)
	}
}

func TestTheMarkerIsNoGroups(t *testing.T) {
	h := newHouse(t)
	h.acts(t, token("alice", 1, "ch-porterhouse_account", "ch-default", "ch-analyst"), "ph_alice", "analyst,support")
}

// Explain tells the roles and makes no account.
func TestExplainMakesNothing(t *testing.T) {
	h := newHouse(t)
	account, lines, err := h.Explain(t.Context(), token("alice", 1, "ch-analyst"), door)
	if err != nil || !slices.Equal(account.Roles, []string{"analyst", "support"}) || account.Profile != "people" {
		t.Errorf("the account is %+v, %v", account, err)
	}
	if text := strings.Join(lines, "\n"); !strings.Contains(text, `"ph_alice" is missing in ClickHouse`) {
		t.Errorf("it says %s", text)
	}
	if got := h.tell(t, "SELECT count() FROM system.users WHERE name = 'ph_alice'"); got != "0" {
		t.Error("it made the account")
	}
	h.acts(t, token("alice", 3), "ph_alice", "support")
	account, lines, err = h.Explain(t.Context(), token("alice", 1, "ch-analyst"), door)
	if err != nil || !slices.Equal(account.Roles, []string{"support"}) {
		t.Errorf("the account is %+v, %v", account, err)
	}
	if text := strings.Join(lines, "\n"); !strings.Contains(text, "this token is older") {
		t.Errorf("it says %s", text)
	}
}

// Tokens of one person that are shown at once to several processes leave the roles
// of the newest, every time.
func TestTokensAtOnce(t *testing.T) {
	h := newHouse(t)
	processes := []*directory.Directory{h.Directory}
	for i := range 2 {
		processes = append(processes, h.neighbour(t, h.another(t, filepath.Join(t.TempDir(), fmt.Sprint("audit", i)))))
	}
	for round := range 4 {
		var wg sync.WaitGroup
		for i := range 12 {
			groups := []string{"ch-analyst"}
			if i == 11 {
				groups = []string{"ch-a'b"}
			}
			wg.Go(func() {
				who := token("alice", 20*round+i, groups...)
				if _, err := processes[i%len(processes)].Account(t.Context(), who, door); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := h.roles(t, "ph_alice"); got != "a'b,porterhouse_account,support" {
			t.Errorf("in round %d, ClickHouse has %s", round, got)
		}
	}
}

// interrupted is a store of a process that is held up just after it wrote.
type interrupted struct {
	kv.Store
	once sync.Once
	then func()
}

func (s *interrupted) Swap(ctx context.Context, key string, old, new []byte, life time.Duration) (bool, error) {
	done, err := s.Store.Swap(ctx, key, old, new, life)
	s.once.Do(s.then)
	return done, err
}

// A process that was held up with the roles of an older token notices that another
// one has had a newer one since.
func TestAProcessThatWasHeldUp(t *testing.T) {
	h := newHouse(t)
	other := h.neighbour(t, h.another(t, filepath.Join(t.TempDir(), "audit")))
	h.config.Store = &interrupted{Store: h.config.Store, then: func() {
		if _, err := other.Account(t.Context(), token("alice", 2), door); err != nil {
			t.Error(err)
		}
	}}
	h.Directory = h.neighbour(t, h.Provisioner)
	h.acts(t, token("alice", 1, "ch-analyst"), "ph_alice", "support")
	if got := h.roles(t, "ph_alice"); got != "porterhouse_account,support" {
		t.Errorf("ClickHouse has %s", got)
	}
}
