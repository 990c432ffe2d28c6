package directory

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/audit"
)

var here = porterhouse.Entry{Cluster: "main", Door: "mcp"}

// known is somebody of an issuer whose name is alice, as long as nothing else is said.
func known(issuer, subject string) porterhouse.Principal {
	return porterhouse.Principal{Issuer: issuer, Subject: subject, User: "alice"}
}

func refusedFor(t *testing.T, account porterhouse.Account, err error, reason string) {
	t.Helper()
	if err == nil || !account.User.IsZero() {
		t.Fatalf("acts as %q, %v", account.User, err)
	}
	kind, public := porterhouse.Explain(err)
	if kind != porterhouse.Refused || !strings.Contains(err.Error(), reason) {
		t.Errorf("the answer is %s: %v; want a refusal with %q", kind, err, reason)
	}
	if strings.Contains(public, reason) {
		t.Errorf("the reason is told: %s", public)
	}
}

// Whoever comes second under the same name is somebody else.
func TestTwoPeopleNeverHaveOneAccount(t *testing.T) {
	first := known("https://idp.example.com", "1")
	for _, second := range []struct {
		name string
		who  porterhouse.Principal
	}{
		{"the same name at another issuer", known("https://other.example.com", "1")},
		{"the same name after a new hire", known("https://idp.example.com", "2")},
		{"the same subject at another issuer", porterhouse.Principal{Issuer: "https://other.example.com", Subject: "1", User: "alice"}},
		{"the name in capitals, made small", porterhouse.Principal{Issuer: "https://idp.example.com", Subject: "3", User: "ALICE"}},
	} {
		t.Run(second.name, func(t *testing.T) {
			rules := whole
			rules.LowerCase = true
			d := directory(t, cluster(t, nil, rules))
			if account, err := d.Account(t.Context(), first, here); err != nil || account.User.String() != "alice" {
				t.Fatalf("the first acts as %q, %v", account.User, err)
			}
			account, err := d.Account(t.Context(), second.who, here)
			refusedFor(t, account, err, "another person")
			if account, err := d.Account(t.Context(), first, here); err != nil || account.User.String() != "alice" {
				t.Errorf("after that the first acts as %q, %v", account.User, err)
			}
		})
	}
}

func TestBindingsOutliveTheProcess(t *testing.T) {
	c := cluster(t, nil, whole)
	if _, err := directory(t, c).Account(t.Context(), known("a", "1"), here); err != nil {
		t.Fatal(err)
	}
	again := directory(t, c)
	account, err := again.Account(t.Context(), known("b", "1"), here)
	refusedFor(t, account, err, "another person")
	if _, err := again.Account(t.Context(), known("a", "1"), here); err != nil {
		t.Error(err)
	}
	if _, err := again.Account(t.Context(), known("b", "1"), porterhouse.Entry{Cluster: "other"}); err != nil {
		t.Errorf("in another cluster: %v", err)
	}
}

// Of many who come at once one has the account, in every process.
func TestOneOfManyHasTheAccount(t *testing.T) {
	c := cluster(t, nil, whole)
	processes := []*Directory{directory(t, c), directory(t, c), directory(t, c)}
	for round := range 20 {
		var winners atomic.Int32
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				who := known("https://idp.example.com", fmt.Sprint(i))
				who.User = fmt.Sprint("alice", round)
				account, err := processes[i%len(processes)].Account(t.Context(), who, here)
				if err == nil && account.User.String() == who.User {
					winners.Add(1)
				} else if kind, _ := porterhouse.Explain(err); kind != porterhouse.Refused {
					t.Errorf("%d of round %d acts as %q, %v", i, round, account.User, err)
				}
			})
		}
		wg.Wait()
		if winners.Load() != 1 {
			t.Fatalf("in round %d, %d people have one account", round, winners.Load())
		}
	}
}

func TestRelease(t *testing.T) {
	c := cluster(t, nil, whole)
	now := time.Now()
	c.Now = func() time.Time { return now }
	d := directory(t, c)
	bindings := &Bindings{Store: c.Store}
	if _, err := d.Account(t.Context(), known("a", "1"), here); err != nil {
		t.Fatal(err)
	}
	_, err := d.Account(t.Context(), known("b", "1"), here)
	if err == nil {
		t.Fatal("the second has the account too")
	}

	all, err := bindings.List(t.Context(), "main")
	if err != nil || len(all) != 1 || all[0].Account != "alice" || all[0].Issuer != "a" || !all[0].Since.Equal(now) {
		t.Fatalf("the bindings are %+v, %v", all, err)
	}
	if was, err := bindings.Release(t.Context(), "main", "alice"); err != nil || was.Subject != "1" {
		t.Fatalf("released %+v, %v", was, err)
	}
	if was, err := bindings.Release(t.Context(), "main", "alice"); err != nil || was.Issuer != "" || was.Released.IsZero() {
		t.Errorf("released again: %+v, %v", was, err)
	}
	if _, err := d.Account(t.Context(), known("b", "1"), here); err == nil {
		t.Error("a refusal is not remembered at all")
	}
	now = now.Add(refusalLife)
	if _, err := d.Account(t.Context(), known("b", "1"), here); err != nil {
		t.Errorf("after the release: %v", err)
	}
	now = now.Add(defaultLifetime)
	account, err := d.Account(t.Context(), known("a", "1"), here)
	refusedFor(t, account, err, "another person")
}

func TestSharedAccounts(t *testing.T) {
	shared := Rules{Processor: "shared", UserName: "alice", AllowShared: true, CommonRoles: []string{"reader"}, LocalUsers: all}
	c := cluster(t, nil, shared, whole)
	through := func(processor, subject string) (porterhouse.Account, error) {
		who := known("a", subject)
		who.Proof = processor
		return directory(t, c).Account(t.Context(), who, here)
	}
	for _, subject := range []string{"1", "2"} {
		if account, err := through("shared", subject); err != nil || account.User.String() != "alice" {
			t.Errorf("person %s acts as %q, %v", subject, account.User, err)
		}
	}
	account, err := through("other", "1")
	refusedFor(t, account, err, "shared one until now")

	c.Store = cluster(t, nil).Store
	if _, err := through("other", "1"); err != nil {
		t.Fatal(err)
	}
	account, err = through("shared", "2")
	refusedFor(t, account, err, "alone")
}

func TestSharedAccountsNeedNoStore(t *testing.T) {
	c := cluster(t, nil, Rules{UserName: "analyst", AllowShared: true, LocalUsers: all})
	c.Store = nil
	if _, err := directory(t, c).Account(t.Context(), known("a", "1"), here); err != nil {
		t.Error(err)
	}
	c.Directories = []Rules{whole}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "without a store") {
		t.Errorf("without a store: %v", err)
	}
}

// Groups come from the newest proof, in whatever order the proofs are shown.
func TestTheNewestProofTellsTheGroups(t *testing.T) {
	day := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	proof := func(hour int, groups ...string) porterhouse.Principal {
		who := known("a", "1")
		who.Groups = groups
		if hour > 0 {
			who.Issued = day.Add(time.Duration(hour) * time.Hour)
		}
		return who
	}
	for _, test := range []struct {
		name   string
		proofs []porterhouse.Principal
		want   []string
	}{
		{"the first", []porterhouse.Principal{proof(1, "a", "b")}, []string{"a", "b"}},
		{"a newer one adds and removes", []porterhouse.Principal{proof(1, "a", "b"), proof(2, "b", "c")}, []string{"b", "c"}},
		{"a newer one without groups", []porterhouse.Principal{proof(1, "a"), proof(2)}, nil},
		{"an older one adds nothing", []porterhouse.Principal{proof(2, "a"), proof(1, "a", "admin")}, []string{"a"}},
		{"an older one removes nothing", []porterhouse.Principal{proof(2, "a"), proof(1)}, []string{"a"}},
		{"an older one after a newer without groups", []porterhouse.Principal{proof(1, "admin"), proof(2), proof(1, "admin")}, nil},
		{"of the same moment what both tell", []porterhouse.Principal{proof(1, "a", "b"), proof(1, "b", "c")}, []string{"b"}},
		{"the same in the other order", []porterhouse.Principal{proof(1, "b", "c"), proof(1, "a", "b")}, []string{"b"}},
		{"without a date", []porterhouse.Principal{proof(0, "a", "b")}, []string{"a", "b"}},
		{"another without a date adds nothing", []porterhouse.Principal{proof(0, "a"), proof(0, "a", "admin")}, []string{"a"}},
		{"one without a date is the oldest", []porterhouse.Principal{proof(1, "a"), proof(0, "a", "admin")}, []string{"a"}},
		{"names that are not UTF-8", []porterhouse.Principal{proof(1, "a\xff", "b")}, []string{"b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bindings := &Bindings{Store: cluster(t, nil).Store}
			var is Binding
			for _, who := range test.proofs {
				var err error
				if is, _, err = bindings.claim(t.Context(), claim{who: who, cluster: "main", account: "alice", groups: true}); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(is.Groups, test.want) {
				t.Errorf("the groups are %q, want %q", is.Groups, test.want)
			}
			if same, err := bindings.stands(t.Context(), is); !same || err != nil {
				t.Errorf("what is kept is something else, %v", err)
			}
		})
	}
}

func TestGroupsAreBounded(t *testing.T) {
	var many, long []string
	for i := range 5000 {
		many = append(many, fmt.Sprint(i))
		long = append(long, strings.Repeat("\x01", 1000))
	}
	for _, groups := range [][]string{many, long} {
		who := known("a", "1")
		who.Issued, who.Groups = time.Now(), groups
		is, _, err := (&Bindings{Store: cluster(t, nil).Store}).claim(t.Context(), claim{who: who, cluster: "main", account: "alice", groups: true})
		if err != nil || len(is.Groups) == 0 || len(is.Groups) > maxGroups || is.Groups[0] != groups[0] {
			t.Errorf("of %d groups %d are kept, %v", len(groups), len(is.Groups), err)
		}
	}
}

// Proofs that come at once leave the groups of the newest.
func TestProofsAtOnce(t *testing.T) {
	bindings := &Bindings{Store: cluster(t, nil).Store}
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			who := known("a", "1")
			who.Issued, who.Groups = begin.Add(time.Duration(i)*time.Second), []string{fmt.Sprint(i)}
			if _, _, err := bindings.claim(t.Context(), claim{who: who, cluster: "main", account: "alice", groups: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := bindings.List(t.Context(), ""); err != nil || len(all) != 1 || !slices.Equal(all[0].Groups, []string{"49"}) {
		t.Errorf("the bindings are %+v, %v", all, err)
	}
}

func TestABindingThatCannotBeReadIsNobodys(t *testing.T) {
	for _, text := range []string{"{", "{}", "null", "[]", `{"Cluster":"main","Account":"bob"}`, ""} {
		c := cluster(t, nil, whole)
		if err := c.Store.Put(t.Context(), bindingKey("main", "alice"), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
		d := directory(t, c)
		account, err := d.Account(t.Context(), known("a", "1"), here)
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Internal {
			t.Errorf("%s: acts as %q, %v", text, account.User, err)
		}
		bindings := &Bindings{Store: c.Store}
		if _, err := bindings.List(t.Context(), "main"); err == nil {
			t.Errorf("%s is listed", text)
		}
		if _, err := bindings.Release(t.Context(), "main", "alice"); err != nil {
			t.Errorf("%s is not released: %v", text, err)
		}
		if _, err := d.Account(t.Context(), known("a", "1"), here); err != nil {
			t.Errorf("%s, after the release: %v", text, err)
		}
	}
}

// Who was given an account, who was kept from one, and what the operator did about
// it is in the record; what cannot be recorded is not done.
func TestBindingsAreRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	record, err := audit.Open(audit.Config{Path: path, Key: porterhouse.NewSecret(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	c := cluster(t, nil, whole)
	c.Audit = record
	d := directory(t, c)
	for range 3 {
		if _, err := d.Account(t.Context(), known("a", "1"), here); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Account(t.Context(), known("b", "1"), here); err == nil {
			t.Fatal("the second has the account too")
		}
	}
	bindings := &Bindings{Store: c.Store, Audit: record}
	if _, err := bindings.Release(t.Context(), "main", "alice"); err != nil {
		t.Fatal(err)
	}
	if err := record.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for action, times := range map[string]int{"bind": 1, "refuse": 1, "release": 1} {
		if found := strings.Count(string(text), `"action":"`+action+`"`); found != times {
			t.Errorf("%s is recorded %d times, want %d:\n%s", action, found, times, text)
		}
	}

	_, err = directory(t, c).Account(t.Context(), known("c", "1"), here)
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Unavailable {
		t.Errorf("without a record: %v", err)
	}
	if all, err := bindings.List(context.Background(), ""); err != nil || len(all) != 1 || all[0].Released.IsZero() {
		t.Errorf("without a record the bindings are %+v, %v", all, err)
	}
}
