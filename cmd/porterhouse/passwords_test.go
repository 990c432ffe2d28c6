package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
	"porterhouse/directory"
	"porterhouse/gate"
	"porterhouse/kv"
)

// vault is a loginOf whose ClickHouse knows one password, "right", of everybody.
type vault struct {
	loginOf
	clock time.Time
	asked atomic.Int64
	away  atomic.Bool
	slow  time.Duration // of each answer
}

func openVault(t *testing.T) *vault {
	t.Helper()
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	people, err := directory.New(directory.Config{
		Directories: []directory.Rules{{UserName: "{user}", LocalUsers: []string{"*"}}}, Store: store, Gateway: "gw", Deny: []string{"admin*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &vault{clock: time.Now()}
	v.loginOf = loginOf{newPasswords(func() time.Time { return v.clock }), "main", v.look, people}
	return v
}

func (v *vault) look(_ context.Context, _ porterhouse.UserName, password porterhouse.Secret) error {
	v.asked.Add(1)
	time.Sleep(v.slow)
	switch {
	case v.away.Load():
		return porterhouse.Errorf(porterhouse.Unavailable, "ClickHouse does not answer")
	case password.Reveal() != "right":
		return porterhouse.Errorf(porterhouse.Unauthenticated, "wrong")
	}
	return nil
}

func (v *vault) try(user, password, remote string) (porterhouse.Principal, porterhouse.Kind) {
	name, err := porterhouse.ParseUserName(user)
	if err != nil {
		panic(err)
	}
	who, err := v.prove(context.Background(), name, porterhouse.NewSecret(password), remote)
	if err == nil {
		return who, ""
	}
	kind, _ := porterhouse.Explain(err)
	return who, kind
}

const home, elsewhere = "192.0.2.1:1234", "198.51.100.7:1234"

// Whoever knows a password is that user at that cluster, and nobody else.
func TestPasswords(t *testing.T) {
	v := openVault(t)
	who, kind := v.try("bob", "right", home)
	want := porterhouse.Principal{Issuer: gate.PasswordIssuer("main"), Subject: "bob", User: "bob", Proof: gate.Password, Token: porterhouse.NewSecret("right"), Issued: v.clock}
	if kind != "" || fmt.Sprintf("%#v", who) != fmt.Sprintf("%#v", want) || who.Token.Reveal() != "right" {
		t.Errorf("%s, %+v", kind, who)
	}
	for _, test := range []struct{ name, user, password string }{
		{"a wrong one", "bob", "wrong"},
		{"none", "bob", ""},
		{"one that is far too long", "bob", strings.Repeat("right", 1000)},
		{"default, which often needs none", "default", "right"},
		{"default in other letters", "Default", "right"},
		{"the gateway's", "gw", "right"},
		{"one that the configuration denies", "admin_2", "right"},
	} {
		before := v.asked.Load()
		if _, kind := v.try(test.user, test.password, home); kind != porterhouse.Unauthenticated {
			t.Errorf("%s: %q", test.name, kind)
		}
		if asked := v.asked.Load() > before; asked != (test.password == "wrong") {
			t.Errorf("%s: was ClickHouse asked? %v", test.name, asked)
		}
	}
}

// A right password is asked about once in a while, for that user alone; a wrong one always.
func TestPasswordsAreRememberedForSeconds(t *testing.T) {
	v := openVault(t)
	ask := func(user, password string, want int64) {
		t.Helper()
		if v.try(user, password, home); v.asked.Load() != want {
			t.Errorf("ClickHouse was asked %d times, want %d", v.asked.Load(), want)
		}
	}
	ask("bob", "right", 1)
	ask("bob", "right", 1)
	ask("alice", "right", 2)
	ask("bob", "wrong", 3)
	ask("bob", "wrong", 4)
	v.clock = v.clock.Add(passwordLife)
	ask("bob", "right", 5)
	for digest := range v.right {
		if strings.Contains(string(digest[:]), "right") {
			t.Error("the password itself is remembered")
		}
	}
	other := v.loginOf
	other.cluster = "other"
	bob, _ := porterhouse.ParseUserName("bob")
	if other.digest(bob, porterhouse.NewSecret("right")) == v.digest(bob, porterhouse.NewSecret("right")) {
		t.Error("what one cluster said counts at another")
	}
}

// Guessing comes to an end, in one network; others, and whoever is known, go on. That
// ClickHouse is away is nobody's guess.
func TestPasswordGuessing(t *testing.T) {
	v := openVault(t)
	v.try("bob", "right", home)
	v.away.Store(true)
	for range 2 * wrongAtOnce {
		if _, kind := v.try("carol", "right", home); kind != porterhouse.Unavailable {
			t.Fatalf("while ClickHouse is away: %q", kind)
		}
	}
	v.away.Store(false)
	for i := range wrongAtOnce {
		if _, kind := v.try("bob", fmt.Sprint(i), home); kind != porterhouse.Unauthenticated {
			t.Fatalf("guess %d: %q", i, kind)
		}
	}
	before := v.asked.Load()
	name, _ := porterhouse.ParseUserName("alice")
	_, err := v.prove(t.Context(), name, porterhouse.NewSecret("right"), home)
	var told *porterhouse.Error
	if !errors.As(err, &told) || told.Kind != porterhouse.Limited || told.RetryAfter <= 0 || v.asked.Load() != before {
		t.Errorf("after %d guesses: %v; ClickHouse was asked %d times more", wrongAtOnce, err, v.asked.Load()-before)
	}
	if _, kind := v.try("bob", "right", home); kind != "" {
		t.Errorf("who is known, from the same network: %q", kind)
	}
	if _, kind := v.try("alice", "right", elsewhere); kind != "" {
		t.Errorf("from another network: %q", kind)
	}
	v.clock = v.clock.Add(wrongInterval)
	if _, kind := v.try("carol", "right", home); kind != "" {
		t.Errorf("a while later: %q", kind)
	}
}

// Guesses at the same moment are not many more than one after another, however long
// ClickHouse takes to answer each.
func TestPasswordGuessingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := openVault(t)
		v.slow = time.Second
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() { v.try("bob", fmt.Sprint(i), home) })
		}
		wg.Wait()
		if asked := v.asked.Load(); asked > wrongAtOnce+triesAtOnce {
			t.Errorf("of 200 guesses at once ClickHouse was asked about %d", asked)
		}
	})
}

// Neither passwords nor networks without end take memory without end.
func TestPasswordsAreBounded(t *testing.T) {
	v := openVault(t)
	for i := range maxRemembered + 100 {
		v.remember([32]byte{byte(i), byte(i >> 8), byte(i >> 16)})
		v.guessesOf(fmt.Sprint(i)).wrong.AllowN(v.clock, 1)
	}
	if len(v.right) > maxRemembered || len(v.networks) > maxRemembered+1 {
		t.Errorf("%d passwords and %d networks are remembered", len(v.right), len(v.networks))
	}
	v.clock = v.clock.Add(time.Hour)
	v.remember([32]byte{1})
	v.guessesOf("new")
	if len(v.right) != 1 || len(v.networks) > 2 {
		t.Errorf("an hour later %d passwords and %d networks are remembered", len(v.right), len(v.networks))
	}
}

func TestNetworkOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1", "[::ffff:192.0.2.1]:1": "192.0.2.1", "[2001:db8:1:2:3::4]:1": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64", "@": "",
	} {
		if got := networkOf(remote); got != want {
			t.Errorf("%s is of the network %q, want %q", remote, got, want)
		}
	}
}
