package directory_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/directory"
	"porterhouse/kv"
)

// loseTheStore goes on with another one, that is empty, as another process.
func (h *house) loseTheStore(t testing.TB) {
	t.Helper()
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	h.config.Store = store
	h.Directory = h.neighbour(t, h.another(t, filepath.Join(t.TempDir(), "audit.jsonl")))
}

func (h *house) release(t testing.TB, account string) {
	t.Helper()
	bindings := &directory.Bindings{Store: h.config.Store}
	if _, err := bindings.Release(t.Context(), "main", account); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(11 * time.Second) // a refusal is remembered
}

// someone is another subject whose name is the same.
func someone(who porterhouse.Principal) porterhouse.Principal {
	who.Subject = "somebody else"
	return who
}

// An account that was made for somebody is given to nobody because the store has
// forgotten whom: neither to a stranger of that name, nor to the person, whom we
// cannot tell from one.
func TestAccountsOutliveTheStore(t *testing.T) {
	h := newHouse(t)
	alice := token("alice", 1, "ch-analyst")
	agent := alice
	agent.Client = "claude"
	h.acts(t, alice, "ph_alice", "analyst,support")
	h.acts(t, agent, "ph_alice#agent", "analyst")
	h.loseTheStore(t)

	h.refuses(t, someone(alice), "porterhouse users release")
	h.refuses(t, someone(agent), "porterhouse users release")
	h.refuses(t, alice, "porterhouse users release")
	if _, _, err := h.Explain(t.Context(), alice, door); err == nil || !strings.Contains(err.Error(), "users release") {
		t.Errorf("explained as %v", err)
	}
	h.acts(t, token("bob", 1), "ph_bob", "support")

	h.release(t, "ph_alice")
	h.acts(t, alice, "ph_alice", "analyst,support")
	h.refuses(t, someone(alice), "another person")
	h.refuses(t, agent, `"ph_alice#agent"`)
	h.release(t, "ph_alice#agent")
	h.acts(t, agent, "ph_alice#agent", "analyst")
}

// A release is good for one person, and lasts until that one comes.
func TestAReleaseIsGoodOnce(t *testing.T) {
	h := newHouse(t)
	alice := token("alice", 1)
	h.acts(t, alice, "ph_alice", "support")
	h.release(t, "ph_alice")
	h.Directory = h.neighbour(t, h.Provisioner)
	h.acts(t, someone(alice), "ph_alice", "support")
	h.Directory = h.neighbour(t, h.Provisioner)
	h.refuses(t, alice, "another person")
}

// Between our looking and our claiming, a Porterhouse with another store can have
// made the account: what was found a while ago is not enough.
func TestAnAccountThatOthersMade(t *testing.T) {
	h := newHouse(t)
	h.acts(t, token("bob", 1), "ph_bob", "support") // all users were looked at
	other := house{estate: h.estate, config: h.config}
	other.loseTheStore(t)
	other.acts(t, token("alice", 1, "ch-analyst"), "ph_alice", "analyst,support")
	h.refuses(t, someone(token("alice", 1)), "porterhouse users release")
}

// An account that was dropped is made anew; one that was bound and not made, as
// before a crash, is made.
func TestBoundButNotMade(t *testing.T) {
	h := newHouse(t)
	alice := token("alice", 1)
	h.acts(t, alice, "ph_alice", "support")
	h.must(t, "DROP USER ph_alice")
	h.Directory = h.neighbour(t, h.another(t, filepath.Join(t.TempDir(), "audit.jsonl")))
	h.acts(t, alice, "ph_alice", "support")
	h.must(t, "DROP USER ph_alice")
	h.loseTheStore(t)
	h.acts(t, someone(alice), "ph_alice", "support")
}

// A store that forgets by itself is allowed to.
func TestAllowOrphans(t *testing.T) {
	h := newHouse(t)
	h.acts(t, token("alice", 1), "ph_alice", "support")
	h.config.AllowOrphans = true
	h.loseTheStore(t)
	h.acts(t, someone(token("alice", 1)), "ph_alice", "support")
}

func TestSharedAccountsHaveNoOrphans(t *testing.T) {
	h := newHouse(t)
	h.config.Directories = []directory.Rules{{Processor: "corp", UserName: "ph_all", AllowShared: true, CommonRoles: []string{"support"}}}
	h.Directory = h.neighbour(t, h.Provisioner)
	h.acts(t, token("alice", 1), "ph_all", "support")
	h.loseTheStore(t)
	h.acts(t, token("bob", 1), "ph_all", "support")
}

// What another process claims and makes between our look into the store and our
// look at ClickHouse is no orphan.
func TestAnAccountThatAReplicaMakesMeanwhile(t *testing.T) {
	h := newHouse(t)
	other := h.neighbour(t, h.another(t, filepath.Join(t.TempDir(), "audit.jsonl")))
	h.config.Store = &heldUp{Store: h.config.Store, then: func() {
		if _, err := other.Account(t.Context(), token("alice", 1), door); err != nil {
			t.Error(err)
		}
	}}
	h.Directory = h.neighbour(t, h.Provisioner)
	h.acts(t, token("alice", 1), "ph_alice", "support")
}

// heldUp is a store of a process that is held up just after it read.
type heldUp struct {
	kv.Store
	once sync.Once
	then func()
}

func (s *heldUp) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.Store.Get(ctx, key)
	s.once.Do(s.then)
	return value, err
}

// Processes that share a store never take an account of one another for an orphan.
func TestReplicasHaveNoOrphans(t *testing.T) {
	h := newHouse(t)
	replicas := []*directory.Directory{h.Directory}
	for range 3 {
		replicas = append(replicas, h.neighbour(t, h.another(t, filepath.Join(t.TempDir(), "audit.jsonl"))))
	}
	for round := range 5 {
		var wg sync.WaitGroup
		for _, replica := range replicas {
			for person := range 3 {
				who := token(fmt.Sprintf("p%d-%d", round, person), 1)
				wg.Go(func() {
					if _, err := replica.Account(t.Context(), who, door); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
	}
}

// An operator finds the orphans, and no others.
func TestOrphans(t *testing.T) {
	h := newHouse(t)
	h.acts(t, token("alice", 1), "ph_alice", "support")
	h.acts(t, token("bob", 1), "ph_bob", "support")
	h.must(t, "CREATE USER ph_team_a")
	h.loseTheStore(t)
	h.acts(t, token("carol", 1), "ph_carol", "support")
	h.release(t, "ph_bob")
	accounts, err := h.Accounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	orphans, err := (&directory.Bindings{Store: h.config.Store}).Orphans(t.Context(), "main", accounts)
	if err != nil || fmt.Sprint(accounts, orphans) != "[ph_alice ph_bob ph_carol] [ph_alice]" {
		t.Errorf("of %v the orphans are %v, %v", accounts, orphans, err)
	}
}

// While an operator releases many orphans, people come to those that are released
// already, also by another operator: they keep what they got.
func TestReleasingOrphansTakesNothingAway(t *testing.T) {
	h := newHouse(t)
	alice := token("alice", 1)
	h.acts(t, alice, "ph_alice", "support")
	h.loseTheStore(t)
	bindings := &directory.Bindings{Store: h.config.Store}
	for i, want := range []bool{true, false} { // released; marked already
		if released, err := bindings.ReleaseOrphan(t.Context(), "main", "ph_alice"); err != nil || released != want {
			t.Errorf("release %d: %v, %v", i+1, released, err)
		}
	}
	h.acts(t, alice, "ph_alice", "support")
	if released, err := bindings.ReleaseOrphan(t.Context(), "main", "ph_alice"); err != nil || released {
		t.Errorf("an account that somebody has was released: %v, %v", released, err)
	}
	h.Directory = h.neighbour(t, h.Provisioner)
	h.refuses(t, someone(alice), "another person")
}
