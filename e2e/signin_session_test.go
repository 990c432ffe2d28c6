package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse/sandbox/idp"
)

// A session goes on by refresh tokens. One that was used yields an access token for
// those who did not hear the answer, and soon afterwards is a thief's: then nobody's is
// good any more.
func TestSessionRefresh(t *testing.T) {
	t.Parallel() // it mostly waits
	h, at := signInHouse(t, "", settings{})
	a := h.newAsking(appID, nowhere)
	first := a.mustSignIn(at, idp.Alice)
	second := a.renew(first.refresh)
	if second.status != http.StatusOK || second.refresh == "" || second.refresh == first.refresh {
		t.Fatalf("renewed: %+v\n%s", second, h.lastLine())
	}
	if again := a.renew(first.refresh); again.status != http.StatusOK || again.access == "" || again.refresh != "" {
		t.Errorf("the answer was lost, and the same token yields %+v", again)
	}
	if !strings.Contains(h.whoami(second.access), idp.Alice.Email) {
		t.Errorf("the renewed token: %s", h.whoami(second.access))
	}
	forged := second.refresh[:len(second.refresh)-4] + "AAAA"
	if g := a.renew(forged); g.fault != "invalid_grant" {
		t.Errorf("a forged token: %+v", g)
	}
	third := a.renew(second.refresh)
	if third.refresh == "" {
		t.Fatalf("after a forged one: %+v", third)
	}
	h.eventually("a used refresh token is reuse", time.Minute, func() bool {
		time.Sleep(time.Second) // each attempt counts against the network
		return a.renew(second.refresh).fault == "invalid_grant"
	})
	if g := a.renew(third.refresh); g.fault != "invalid_grant" {
		t.Errorf("after the reuse its successor yields %+v", g)
	}
}

// What opens something stands in no log, no record and no store: not what clients and
// browsers bring, not what they are given.
func TestSignInLeavesNoSecrets(t *testing.T) {
	t.Parallel() // it mostly waits
	h, at := signInHouse(t, "", settings{})
	a := h.newAsking(h.register("A client", nowhere), nowhere)
	p := newHuman(t)
	h.toConsent(p, a.url(), at, idp.Alice)
	ours, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{clientSecret, a.verifier, a.state}
	for _, cookie := range p.http.Jar.Cookies(ours) {
		secrets = append(secrets, cookie.Value)
	}
	code := a.codeOf(p.press(allow, nowhere, nil))
	first := a.redeem(code)
	second := a.renew(first.refresh)
	h.whoami(second.access)
	a.renew(second.refresh + "AAAA")
	a.redeem(code) // a replay, which is told in log and record
	secrets = append(secrets, code, first.access, first.refresh, second.access, second.refresh)

	store, err := os.ReadFile(filepath.Join(h.dir, "porterhouse.kv"))
	if err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(h.audit)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(record), `"action":"code"`) || !strings.Contains(string(record), `"action":"reuse"`) {
		t.Errorf("the record lacks what happened:\n%s", record)
	}
	for place, text := range map[string]string{"log": h.log.String(), "record": string(record), "store": string(store)} {
		for _, secret := range secrets {
			if len(secret) < 16 || strings.Contains(text, secret) {
				t.Errorf("the %s has %q in it", place, secret)
			}
		}
	}
}

// Who leaves the company has no session any more: the provider says no when it is
// asked again, which is at most once in a minute.
func TestProviderRefusesPerson(t *testing.T) {
	t.Parallel() // it mostly waits
	db, gateway := withSamples()
	address := quietAddress(t)
	at, provider := oidcPlace(t, address)
	h := openHouse(t, db.HTTP, gateway, settings{at: address, extra: at.house("")})
	a := h.newAsking(appID, nowhere)
	tokens, bobs := a.mustSignIn(at, idp.Alice), a.mustSignIn(at, idp.Bob)
	provider.SetPeople(t, idp.Bob)
	h.eventually("Alice's session ends", 3*time.Minute, func() bool {
		time.Sleep(2 * time.Second) // each attempt counts against the network
		next := a.renew(tokens.refresh)
		if next.status == http.StatusOK {
			tokens = next
		}
		return next.fault == "invalid_grant"
	})
	if g := a.renew(bobs.refresh); g.status != http.StatusOK {
		t.Errorf("Bob is still there: %+v\n%s", g, h.lastLine())
	}
}

// Two replicas with one Redis are one server: a code that one has used the other
// refuses, of two who bring one at the same moment at most one is given anything, and
// what one has given the other renews.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	db, gateway := withSamples()
	address, second := quietAddress(t), quietAddress(t)
	at, _ := oidcPlace(t, address)
	shared := at.house("") + fmt.Sprintf("public_url: http://%s\nkv: {redis: {url: %q}}\n", address, startRedis(t))
	one := openHouse(t, db.HTTP, gateway, settings{at: address, extra: shared})
	two := openHouse(t, db.HTTP, gateway, settings{at: second, extra: shared})
	two.url = "http://" + second // and not the public one, which is that of the first
	a := one.newAsking(appID, nowhere)
	there := *a
	there.h = two

	code := a.code(at, idp.Alice)
	form := a.form(code)
	tokens := one.tokenFor(form)
	if tokens.status != http.StatusOK {
		t.Fatalf("%+v\n%s", tokens, one.lastLine())
	}
	renewed := there.renew(tokens.refresh)
	if who := two.whoami(renewed.access); !strings.Contains(who, idp.Alice.Email) {
		t.Errorf("renewed at the other replica, %+v: %s", renewed, who)
	}
	if g := two.tokenFor(form); g.fault != "invalid_grant" {
		t.Errorf("the code again, at the other replica: %+v", g)
	}
	if g := a.renew(renewed.refresh); g.fault != "invalid_grant" {
		t.Errorf("after its code came again, a session goes on: %+v", g)
	}
	for range 5 {
		form := a.form(a.code(at, idp.Alice))
		var given [2]grant
		var both sync.WaitGroup
		for i, h := range []*house{one, two} {
			both.Go(func() { given[i] = h.tokenFor(form) })
		}
		both.Wait()
		if given[0].fault != "invalid_grant" && given[1].fault != "invalid_grant" {
			t.Errorf("two replicas give for one code %+v", given)
		}
	}
}

// startRedis starts one that ends with the test, and returns its URL.
func startRedis(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redis-server is missing: run `make deps` (%v)", err)
	}
	socket := filepath.Join(t.TempDir(), "redis.sock")
	cmd := exec.Command(program, "--port", "0", "--unixsocket", socket, "--dir", filepath.Dir(socket), "--save", "", "--maxmemory-policy", "noeviction")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // "signal: killed"
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close() // it listens
			return "unix://" + socket + "?db=0"
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
