package ticket

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
	"porterhouse/kv"
)

var testKey = porterhouse.NewSecret(strings.Repeat("k", minKey))

func claim(t testing.TB, user string) Claim {
	t.Helper()
	name, err := porterhouse.ParseUserName(user)
	if err != nil {
		t.Fatal(err)
	}
	return Claim{User: name, QueryID: "0197-query", Authenticator: "main"}
}

func memory(t testing.TB) kv.Store {
	t.Helper()
	s, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func desk(t testing.TB, s kv.Store) *Desk {
	t.Helper()
	d, err := New(Config{Store: s, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mint(t testing.TB, d *Desk, c Claim) string {
	t.Helper()
	secret, err := d.Mint(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal()
}

func isGood(t testing.TB, d *Desk, secret string, c Claim) {
	t.Helper()
	if err := d.Redeem(t.Context(), secret, c); err != nil {
		t.Errorf("refused: %v", err)
	}
}

func isRefused(t testing.TB, d *Desk, secret string, c Claim) {
	t.Helper()
	err := d.Redeem(t.Context(), secret, c)
	if err == nil {
		t.Error("accepted")
		return
	}
	kind, public := porterhouse.Explain(err)
	if kind != porterhouse.Unauthenticated || public != "the ticket is not good" {
		t.Errorf("%v", err)
	}
	if len(secret) > 10 && strings.Contains(err.Error(), secret[len(prefix):]) {
		t.Errorf("the ticket is in the log: %v", err)
	}
}

// stores are those that tickets work over: what is shared and what is not.
func stores(t *testing.T) map[string]func(*testing.T) (a, b kv.Store) {
	return map[string]func(*testing.T) (a, b kv.Store){
		"memory": func(t *testing.T) (a, b kv.Store) { a = memory(t); return a, a },
		"file": func(t *testing.T) (a, b kv.Store) {
			f, err := kv.OpenFile(t.TempDir()+"/kv/store", kv.FileConfig{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return f, f
		},
		"redis": redis,
	}
}

// redis gives two gateways a connection each to one real server.
func redis(t *testing.T) (a, b kv.Store) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redis-server is missing: run `make deps` (%v)", err)
	}
	socket := filepath.Join(t.TempDir(), "redis.sock")
	server := exec.CommandContext(t.Context(), program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", filepath.Dir(socket))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	open := func() kv.Store {
		s, err := kv.OpenRedis(kv.RedisConfig{URL: "unix://" + socket, Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	a = open()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := a.Get(t.Context(), "up?"); errors.Is(err, kv.ErrNotFound) {
			return a, open()
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// What one gateway minted another redeems; with any other claim it is refused,
// and good for its own all the same.
func TestRedeem(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			a, b := open(t)
			here, there := desk(t, a), desk(t, b)
			alice := claim(t, "alice")
			secret := mint(t, here, alice)
			for name, wrong := range map[string]func(*Claim){
				"another user":          func(c *Claim) { c.User = claim(t, "bob").User },
				"another query":         func(c *Claim) { c.QueryID = "0197-other" },
				"no query":              func(c *Claim) { c.QueryID = "" },
				"another authenticator": func(c *Claim) { c.Authenticator = "spare" },
				"nobody":                func(c *Claim) { c.User = porterhouse.UserName{} },
				"shifted":               func(c *Claim) { c.QueryID, c.Authenticator = "0197-querym", "ain" },
				"long":                  func(c *Claim) { c.QueryID = strings.Repeat("q", maxName+1) },
			} {
				t.Run(name, func(t *testing.T) {
					c := alice
					wrong(&c)
					isRefused(t, there, secret, c)
				})
			}
			isGood(t, there, secret, alice)
			for name, wrong := range map[string]string{
				"nothing": "", "a prefix": prefix, "cut": secret[:len(secret)-1], "longer": secret + "A", "of nobody": mint(t, desk(t, memory(t)), alice),
				"a token": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "a megabyte": prefix + strings.Repeat("A", 1<<20), "padded": secret + "=", "a space": " " + secret,
			} {
				t.Run(name, func(t *testing.T) { isRefused(t, here, wrong, alice) })
			}
		})
	}
}

// The last character of a ticket has bits to spare: only one spelling is good.
func TestOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	d, alice := desk(t, memory(t)), claim(t, "alice")
	secret := mint(t, d, alice)
	for _, last := range alphabet {
		if other := secret[:len(secret)-1] + string(last); other != secret {
			isRefused(t, d, other, alice)
		}
	}
	isGood(t, d, secret, alice)
}

// A ticket is good for 10 seconds, and for a second more than once.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, alice := desk(t, memory(t)), claim(t, "alice")
		late := mint(t, d, alice)
		time.Sleep(Life)
		isRefused(t, d, late, alice)

		secret := mint(t, d, alice)
		time.Sleep(Life - 1)
		isGood(t, d, secret, alice)
		time.Sleep(SameRedemption - 1)
		isGood(t, d, secret, alice)
		isRefused(t, d, secret, claim(t, "bob"))
		time.Sleep(time.Nanosecond) // the second is over, and the second call has not begun another
		isRefused(t, d, secret, alice)
		if got := (Stats{Minted: 2, Redeemed: 1, Again: 1, Refused: 3}); d.Stats() != got {
			t.Errorf("stats: %+v", d.Stats())
		}
	})
}

// Of many that come at once each is let in, and all are one redemption.
func TestAtOnce(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			a, b := open(t)
			desks, alice := []*Desk{desk(t, a), desk(t, b)}, claim(t, "alice")
			secret := mint(t, desks[0], alice)
			var all sync.WaitGroup
			var in atomic.Int64
			for i := range 20 {
				all.Go(func() {
					if err := desks[i%2].Redeem(t.Context(), secret, alice); err == nil {
						in.Add(1)
					}
				})
			}
			all.Wait()
			first, second := desks[0].Stats(), desks[1].Stats()
			if first.Redeemed+second.Redeemed != 1 || uint64(in.Load()) != 1+first.Again+second.Again {
				t.Errorf("%d let in; %+v and %+v", in.Load(), first, second)
			}
		})
	}
}

// What is in the store lets nobody in: neither the ticket nor the claim is there,
// and a record copied to another place is no ticket.
func TestStoreTellsNothing(t *testing.T) {
	s := memory(t)
	d, alice := desk(t, s), claim(t, "alice@example.com")
	secret := mint(t, d, alice)
	keys, err := s.Keys(t.Context(), "")
	if err != nil || len(keys) != 1 {
		t.Fatalf("%q, %v", keys, err)
	}
	value, err := s.Get(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{secret, secret[len(prefix):], "alice", alice.QueryID} {
		if strings.Contains(keys[0], hidden) || strings.Contains(string(value), hidden) {
			t.Errorf("the store holds %q", hidden)
		}
	}
	forged := prefix + strings.Repeat("A", encoding.EncodedLen(size))
	if err := s.Put(t.Context(), d.trace(forged, alice).place, value, Life); err != nil {
		t.Fatal(err)
	}
	isRefused(t, d, forged, alice)

	stranger, err := New(Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	isRefused(t, stranger, secret, alice)
	isGood(t, d, secret, alice)
}

// What is in the store is the same in all gateways that share it, whichever of them
// was made when, and whatever else a Desk did before.
func TestStoredForm(t *testing.T) {
	s, alice := memory(t), claim(t, "alice")
	d := desk(t, s)
	for range 3 {
		secret := mint(t, d, alice)
		hash := func(texts ...string) []byte {
			mac := hmac.New(sha256.New, []byte(testKey.Reveal()))
			for _, text := range texts {
				mac.Write(append(binary.BigEndian.AppendUint64(nil, uint64(len(text))), text...))
			}
			return mac.Sum(nil)
		}
		value, err := s.Get(t.Context(), "ticket/"+hex.EncodeToString(hash("ticket", secret)))
		if want := "f" + string(hash("claim", secret, "alice", alice.QueryID, alice.Authenticator)); err != nil || string(value) != want {
			t.Errorf("the store has %x, %v; want %x", value, err, want)
		}
		isGood(t, d, secret, alice)
	}
}

// No two tickets are the same, and each looks like one.
func TestMint(t *testing.T) {
	d, seen := desk(t, memory(t)), map[string]bool{}
	for range 1000 {
		secret := mint(t, d, claim(t, "alice"))
		if seen[secret] || !Is(secret) || len(secret) != len(prefix)+43 {
			t.Fatalf("minted %q", secret)
		}
		seen[secret] = true
	}
	for _, c := range []Claim{{}, {User: claim(t, "a").User}, {QueryID: "q", Authenticator: "a"}, {User: claim(t, "a").User, QueryID: "q"},
		{User: claim(t, "a").User, Authenticator: "a"}} {
		if _, err := d.Mint(t.Context(), c); err == nil {
			t.Errorf("minted for %+v", c)
		}
	}
}

// A store that is away is no reason to say that a ticket is not good.
func TestStoreAway(t *testing.T) {
	s := memory(t)
	d, alice := desk(t, s), claim(t, "alice")
	secret := mint(t, d, alice)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, minted := d.Mint(t.Context(), alice)
	for name, err := range map[string]error{"redeem": d.Redeem(t.Context(), secret, alice), "mint": minted} {
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	isRefused(t, d, secret+"x", alice) // what is no ticket costs no look
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{}, {Key: testKey}, {Store: memory(t), Key: porterhouse.NewSecret("short")}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// About a thousand tickets in a second: what was redeemed is soon forgotten.
func BenchmarkMintRedeem(b *testing.B) {
	now := time.Now()
	s, err := kv.OpenMemory(kv.MemoryConfig{Now: func() time.Time { now = now.Add(time.Millisecond / 4); return now }})
	if err != nil {
		b.Fatal(err)
	}
	d, c := desk(b, s), claim(b, "alice@example.com")
	b.ReportAllocs()
	for b.Loop() {
		secret, err := d.Mint(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Redeem(b.Context(), secret.Reveal(), c); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever comes as a ticket is refused without a crash.
func FuzzRedeem(f *testing.F) {
	d := desk(f, memory(f))
	good := mint(f, d, claim(f, "alice"))
	for _, secret := range []string{"", prefix, good[:20], good + "\x00", fmt.Sprint(prefix, strings.Repeat("_", 43))} {
		f.Add(secret, "alice", "q")
	}
	f.Fuzz(func(t *testing.T, secret, user, query string) {
		name, err := porterhouse.ParseUserName(user)
		if err != nil || secret == good {
			return
		}
		if err := d.Redeem(t.Context(), secret, Claim{User: name, QueryID: query, Authenticator: "main"}); err == nil {
			t.Errorf("%q was accepted for %q", secret, user)
		}
	})
}
