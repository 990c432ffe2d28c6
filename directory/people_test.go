package directory

import (
	"strings"
	"testing"

	"porterhouse"
)

// Each processor's people have rules of their own.
func TestDirectoriesAreTriedInOrder(t *testing.T) {
	rules := []Rules{
		{Processor: "corp", UserName: "{localpart}", Domains: []string{"corp.example"}, LocalUsers: all},
		{Processor: "corp", UserName: "ext_{localpart}", Domains: []string{"partner.example"}, LocalUsers: all},
		{Processor: "github", UserName: "gh_{user}", LocalUsers: all},
		{UserName: "x_{user}", LocalUsers: all},
	}
	for _, test := range []struct{ name, proof, user, want string }{
		{"the first", "corp", "alice@corp.example", "alice"},
		{"the second, by the domain", "corp", "alice@partner.example", "ext_alice"},
		{"the third, by the processor", "github", "alice", "gh_alice"},
		{"the last, for all others", "tokens", "alice", "x_alice"},
		{"the last, for who is proved by nothing that has a name", "", "alice", "x_alice"},
		{"the last is not for those whom others are for", "corp", "alice@evil.example", ""},
		{"names of processors have a case", "Corp", "alice@corp.example", "x_alice@corp.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			who := porterhouse.Principal{Issuer: "a", Subject: "1", User: test.user, Proof: test.proof}
			account, err := directory(t, cluster(t, nil, rules...)).Account(t.Context(), who, here)
			if test.want == "" {
				refusedFor(t, account, err, "not let in")
			} else if err != nil || account.User.String() != test.want {
				t.Errorf("acts as %q, %v; want %q", account.User, err, test.want)
			}
		})
	}
}

func TestOnlyPeopleOfTheProcessor(t *testing.T) {
	rules := whole
	rules.Processor = "corp"
	who := known("a", "1")
	who.Proof = "github"
	account, err := directory(t, cluster(t, nil, rules)).Account(t.Context(), who, here)
	refusedFor(t, account, err, `proved by "github"`)
}

// A user that we did not make is reached only where it is listed: else whoever
// chooses a preferred_username is the account of the nightly load.
func TestLocalUsers(t *testing.T) {
	for _, test := range []struct {
		name  string
		list  []string
		user  string
		reach bool
	}{
		{"nobody is listed", nil, "etl", false},
		{"another is", []string{"alice"}, "etl", false},
		{"by name", []string{"alice", "etl"}, "etl", true},
		{"a longer name", []string{"etl"}, "etl_nightly", false},
		{"by prefix", []string{"etl_*"}, "etl_nightly", true},
		{"what precedes the prefix", []string{"etl_*"}, "etl", false},
		{"the prefix within", []string{"etl_*"}, "x_etl_nightly", false},
		{"in another case", []string{"etl_*"}, "ETL_nightly", false},
		{"in full width", []string{"etl"}, "ｅｔｌ", false},
		{"all", []string{"*"}, "etl", true},
		{"all, but for those that are denied", []string{"*"}, "ops_root", false},
		{"all, but for default", []string{"*", "default"}, "default", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := directory(t, cluster(t, []string{"ops_*"}, Rules{LocalUsers: test.list, AllowUnicodeNames: true}))
			account, err := d.Account(t.Context(), person(test.user), here)
			if reached := err == nil; reached != test.reach {
				t.Errorf("%q acts as %q, %v", test.user, account.User, err)
			}
			if kind, _ := porterhouse.Explain(err); err != nil && kind != porterhouse.Refused {
				t.Errorf("the answer is %s: %v", kind, err)
			}
		})
	}
}

func TestARefusedLocalUserIsNotBound(t *testing.T) {
	c := cluster(t, nil, Rules{})
	account, err := directory(t, c).Account(t.Context(), person("etl"), here)
	refusedFor(t, account, err, "not made by us")
	if keys, err := c.Store.Keys(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("kept are %q, %v", keys, err)
	}
}

func TestAllow(t *testing.T) {
	rules := whole
	rules.Allow = []string{"ph_*", "alice"}
	d := directory(t, cluster(t, nil, rules))
	for user, allowed := range map[string]bool{"ph_bob": true, "alice": true, "bob": false, "Alice": false, "ph": false} {
		account, err := d.Account(t.Context(), person(user), here)
		if !allowed {
			refusedFor(t, account, err, "none of those")
		} else if err != nil {
			t.Errorf("%q: %v", user, err)
		}
	}
}

// A local user keeps the roles that ClickHouse gives it, and nothing is said of
// others.
func TestALocalUserHasNoRolesOfOurs(t *testing.T) {
	rules := whole
	rules.CommonRoles, rules.DefaultProfile, rules.GroupRoles = []string{"reader"}, "strict", true
	who := known("a", "1")
	who.Groups = []string{"admin"}
	c := cluster(t, nil, rules)
	account, err := directory(t, c).Account(t.Context(), who, here)
	if err != nil || account.Roles != nil || account.Profile != "" {
		t.Errorf("the account is %+v, %v", account, err)
	}
	if kept, err := (&Bindings{Store: c.Store}).List(t.Context(), "main"); err != nil || len(kept) != 1 || kept[0].Told {
		t.Errorf("kept are %+v, %v", kept, err)
	}
}

func TestRulesThatAreNeverReached(t *testing.T) {
	corp := Rules{Processor: "corp", Domains: []string{"a.example", "b.example"}}
	for _, test := range []struct {
		name   string
		rules  []Rules
		reason string
	}{
		{"none at all", nil, "no rules"},
		{"the same processor twice", []Rules{{Processor: "corp"}, {Processor: "corp"}}, "rules 2 are never reached"},
		{"for all others twice", []Rules{{}, {Processor: "corp"}, {}}, "rules 3 are never reached"},
		{"domains that are fewer", []Rules{corp, {Processor: "corp", Domains: []string{"B.example"}}}, "rules 2 are never reached"},
		{"domains behind all domains", []Rules{{Processor: "corp"}, corp}, "rules 2 are never reached"},
		{"domains that are others", []Rules{corp, {Processor: "corp", Domains: []string{"c.example"}}}, ""},
		{"all domains behind some", []Rules{corp, {Processor: "corp"}}, ""},
		{"another processor", []Rules{corp, {Processor: "github"}, {}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(cluster(t, nil, test.rules...))
			if test.reason == "" && err != nil {
				t.Error(err)
			} else if test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)) {
				t.Errorf("%v, want an error with %q", err, test.reason)
			}
		})
	}
}

func TestListsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		reason string
	}{
		{"an empty denied name", func(c *Config) { c.Deny = []string{"admin", ""} }, "of the deny list: it is empty"},
		{"a denied name with a star within", func(c *Config) { c.Deny = []string{"*admin"} }, "not its only one"},
		{"an empty denied role", func(c *Config) { c.DenyRoles = []string{""} }, "of the deny list of roles"},
		{"an empty local user", func(c *Config) { c.Directories[0].LocalUsers = []string{""} }, "name 1 of the local users"},
		{"an empty allowed name", func(c *Config) { c.Directories[0].Allow = []string{"a", ""} }, "name 2 of the allow list"},
		{"a lifetime of less than nothing", func(c *Config) { c.Lifetime = -1 }, "cannot live"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := cluster(t, nil, Rules{})
			test.change(&c)
			if _, err := New(c); err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("%v, want an error with %q", err, test.reason)
			}
		})
	}
}
