package authserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"porterhouse"
	"porterhouse/kv"
	"porterhouse/seal"
)

// counted is a store that counts what it is asked, and can be away.
type counted struct {
	kv.Store
	gets atomic.Int64
	away atomic.Bool
}

func (c *counted) Get(ctx context.Context, key string) ([]byte, error) {
	c.gets.Add(1)
	if c.away.Load() {
		return nil, porterhouse.Errorf(porterhouse.Unavailable, "the store is away")
	}
	return c.Store.Get(ctx, key)
}

// keysOn opens the keys in a store, as one replica does.
func keysOn(t *testing.T, store kv.Store, now func() time.Time) *Keys {
	t.Helper()
	return must(OpenKeys(t.Context(), KeysConfig{Store: store, Key: masterKey('k'), Rotate: 24 * time.Hour, Now: now}))
}

func masterKey(letter rune) *seal.Key {
	return must(seal.NewKey(porterhouse.NewSecret(strings.Repeat(string(letter), seal.MinKey))))
}

func idOf(t *testing.T, token string) string {
	t.Helper()
	return must(jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})).Signatures[0].Header.KeyID
}

// A token is verified with what /jwks has, by somebody else's code.
func TestSign(t *testing.T) {
	keys := keysOn(t, must(kv.OpenMemory(kv.MemoryConfig{})), time.Now)
	token := must(keys.Sign("at+jwt", []byte(`{"sub":"alice"}`)))
	signed := must(jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256}))
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != "at+jwt" || header.Algorithm != "ES256" {
		t.Errorf("the header is %v", header)
	}
	public := keys.Public()
	if n := len(public.Keys); n != 2 {
		t.Errorf("%d keys are shown; want the one that signs, and the next", n)
	}
	found := public.Key(header.KeyID)
	if len(found) != 1 || !found[0].IsPublic() || found[0].Algorithm != "ES256" || found[0].Use != "sig" {
		t.Fatalf("the keys shown are %v", public)
	}
	if payload, err := signed.Verify(found[0]); err != nil || string(payload) != `{"sub":"alice"}` {
		t.Errorf("the payload is %s, %v", payload, err)
	}
	if key, err := keys.Verifying(t.Context(), header.KeyID); err != nil || !key.Equal(found[0].Key) {
		t.Errorf("the key is %v, %v", key, err)
	}
}

// together is a store that answers nobody's first question before all have asked.
type together struct {
	kv.Store
	left atomic.Int64
	all  chan struct{}
}

func (s *together) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.Store.Get(ctx, key)
	if s.left.Add(-1) == 0 {
		close(s.all)
	}
	<-s.all
	return value, err
}

// Many replicas that start at once on an empty store have the same keys.
func TestReplicasShareKeys(t *testing.T) {
	ids := make([]string, 8)
	store := &together{Store: must(kv.OpenMemory(kv.MemoryConfig{})), all: make(chan struct{})}
	store.left.Store(int64(len(ids)))
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = idOf(t, must(keysOn(t, store, time.Now).Sign("at+jwt", []byte(`{}`)))) })
	}
	wg.Wait()
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Error("the replicas sign with different keys")
	}
}

// Over twenty days and two replicas: each key is shown long before it signs, what
// was signed is verified for as long as it lives, and old keys go.
func TestRotation(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	store := must(kv.OpenMemory(kv.MemoryConfig{Now: clock}))
	first, second := keysOn(t, store, clock), keysOn(t, store, clock)
	shown := map[string]time.Time{} // since when
	used := map[string]bool{}
	for range 20 * 24 {
		for _, key := range first.Public().Keys {
			if _, known := shown[key.KeyID]; !known {
				shown[key.KeyID] = now
			}
		}
		token := must(first.Sign("at+jwt", []byte(`{}`)))
		id := idOf(t, token)
		if !used[id] && len(used) > 0 && now.Sub(shown[id]) < announced {
			t.Fatalf("at %v a key signs that is shown since %v", now, shown[id])
		}
		used[id] = true
		if id != idOf(t, must(second.Sign("at+jwt", []byte(`{}`)))) {
			t.Fatalf("at %v the replicas sign with different keys", now)
		}
		now = now.Add(maxAccess)
		must(0, errors.Join(first.reload(t.Context()), second.reload(t.Context())))
		if _, err := second.Verifying(t.Context(), id); err != nil {
			t.Fatalf("at %v a token that lives is not verified: %v", now, err)
		}
		if n := len(first.Public().Keys); n > 3 {
			t.Fatalf("at %v there are %d keys", now, n)
		}
		now = now.Add(time.Hour - maxAccess)
		must(0, errors.Join(second.reload(t.Context()), first.reload(t.Context())))
	}
	if n := len(used); n != 20 {
		t.Errorf("%d keys have signed in 20 days; want one each day", n)
	}
}

// After a year at rest, the next key is shown before it signs nevertheless.
func TestRotationAfterALongRest(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	store := must(kv.OpenMemory(kv.MemoryConfig{Now: clock}))
	shown := keysOn(t, store, clock).Public()
	now = now.Add(365 * 24 * time.Hour)
	keys := keysOn(t, store, clock)
	if id := idOf(t, must(keys.Sign("at+jwt", []byte(`{}`)))); len(shown.Key(id)) == 0 {
		t.Error("a key signs that nobody was shown")
	}
	if n := len(keys.Public().Keys); n != 2 {
		t.Errorf("there are %d keys; want the one that signs, and the next", n)
	}
}

// A replica that is behind finds a new key by asking the store, and whoever makes
// up key ids makes it ask seldom.
func TestUnknownKey(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	memory := must(kv.OpenMemory(kv.MemoryConfig{Now: clock}))
	store := &counted{Store: memory}
	behind := keysOn(t, store, clock)
	if _, err := memory.Consume(t.Context(), ringKey(behind.box)); err != nil {
		t.Fatal(err)
	}
	ahead := keysOn(t, memory, clock)
	id := idOf(t, must(ahead.Sign("at+jwt", []byte(`{}`))))
	if _, err := behind.Verifying(t.Context(), id); err != nil {
		t.Errorf("the new key is not found: %v", err)
	}
	before := store.gets.Load()
	for range 1000 {
		if _, err := behind.Verifying(t.Context(), "made up"); !isKind(err, porterhouse.Unauthenticated) {
			t.Fatalf("a made-up key: %v", err)
		}
	}
	if n := store.gets.Load() - before; n > 1 {
		t.Errorf("1000 made-up key ids asked the store %d times", n)
	}
	now = now.Add(lookEvery)
	store.away.Store(true)
	if _, err := behind.Verifying(t.Context(), "made up"); !isKind(err, porterhouse.Unavailable) {
		t.Errorf("while the store is away: %v", err)
	}
	if _, err := behind.Verifying(t.Context(), id); err != nil {
		t.Errorf("while the store is away, a known key: %v", err)
	}
}

func isKind(err error, kind porterhouse.Kind) bool {
	got, _ := porterhouse.Explain(err)
	return err != nil && got == kind
}

// Run rotates without anybody asking, goes on while the store is away, and ends.
func TestRunRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counted{Store: must(kv.OpenMemory(kv.MemoryConfig{}))}
		keys := keysOn(t, store, time.Now)
		first := idOf(t, must(keys.Sign("at+jwt", []byte(`{}`))))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- keys.Run(ctx) }()
		time.Sleep(23 * time.Hour)
		store.away.Store(true)
		time.Sleep(2 * time.Hour)
		second := idOf(t, must(keys.Sign("at+jwt", []byte(`{}`))))
		if first == second || len(keys.Public().Keys) != 2 {
			t.Error("the key that was next does not sign while the store is away")
		}
		store.away.Store(false)
		time.Sleep(2 * time.Minute)
		if got := keys.Public(); len(got.Keys) != 2 || len(got.Key(first)) != 0 {
			t.Errorf("after the first key has ended, there are %d keys", len(got.Keys))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Keys in the store are sealed: nobody reads them there, or changes them.
func TestKeysAreSealed(t *testing.T) {
	store := must(kv.OpenMemory(kv.MemoryConfig{}))
	keys := keysOn(t, store, time.Now)
	text := must(store.Get(t.Context(), ringKey(keys.box)))
	der := must(x509.MarshalPKCS8PrivateKey(keys.now.Load().keys[0].private))
	if strings.Contains(string(text), string(der[20:40])) || strings.Contains(string(text), "from") {
		t.Error("the keys can be read in the store")
	}
	changed := append([]byte{text[0] ^ 1}, text[1:]...)
	must(0, store.Put(t.Context(), ringKey(keys.box), changed, 0))
	if _, err := OpenKeys(t.Context(), KeysConfig{Store: store, Key: masterKey('k')}); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("of an entry that was changed: %v", err)
	}
	if again := must(store.Get(t.Context(), ringKey(keys.box))); string(again) != string(changed) {
		t.Error("an entry that cannot be read was written over")
	}
}

// With another master key there are other keys, for which no token of before counts;
// the keys of before are left alone, for replicas that still have the old one.
func TestAnotherMasterKey(t *testing.T) {
	store := must(kv.OpenMemory(kv.MemoryConfig{}))
	before := keysOn(t, store, time.Now)
	id := idOf(t, must(before.Sign(tokenType, []byte(`{}`))))
	after := must(OpenKeys(t.Context(), KeysConfig{Store: store, Key: masterKey('x')}))
	_, err := after.Verifying(t.Context(), id)
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Unauthenticated {
		t.Errorf("a token of before: %v", err)
	}
	if idOf(t, must(keysOn(t, store, time.Now).Sign(tokenType, []byte(`{}`)))) != id {
		t.Error("the keys of before are others now")
	}
}

func keyFile(t *testing.T, kind string, key any, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	var der []byte
	switch key := key.(type) {
	case []byte:
		der = key
	case *ecdsa.PrivateKey:
		if der = must(x509.MarshalPKCS8PrivateKey(key)); kind == "EC PRIVATE KEY" {
			der = must(x509.MarshalECPrivateKey(key))
		}
	case *ecdsa.PublicKey:
		der = must(x509.MarshalPKIXPublicKey(key))
	default:
		der = must(x509.MarshalPKCS8PrivateKey(key))
	}
	must(0, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	must(0, os.Chmod(path, mode)) // whatever the umask is
	return path
}

func p256() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// Of the operator's files the first signs, and all verify.
func TestKeyFiles(t *testing.T) {
	signs, verifies := p256(), p256()
	keys := must(OpenKeys(t.Context(), KeysConfig{Files: []string{keyFile(t, "EC PRIVATE KEY", signs, 0o600), keyFile(t, "PRIVATE KEY", verifies, 0o640)}}))
	id := idOf(t, must(keys.Sign("at+jwt", []byte(`{}`))))
	if key := must(keys.Verifying(t.Context(), id)); !key.Equal(&signs.PublicKey) {
		t.Error("the first file does not sign")
	}
	if n := len(keys.Public().Keys); n != 2 {
		t.Errorf("%d keys are shown, want 2", n)
	}
	if _, err := keys.Verifying(t.Context(), "unknown"); !isKind(err, porterhouse.Unauthenticated) {
		t.Errorf("an unknown key: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := keys.Run(ctx); err != nil {
		t.Error(err)
	}
}

// Files of the wrong kind are refused, and the error says what to do.
func TestKeyFilesRefused(t *testing.T) {
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	good := p256()
	twice := keyFile(t, "PRIVATE KEY", good, 0o600)
	for name, files := range map[string][]string{
		"missing":             {filepath.Join(t.TempDir(), "none")},
		"a directory":         {t.TempDir()},
		"RSA":                 {keyFile(t, "PRIVATE KEY", must(rsa.GenerateKey(rand.Reader, 2048)), 0o600)},
		"P-384":               {keyFile(t, "PRIVATE KEY", must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), 0o600)},
		"Ed25519":             {keyFile(t, "PRIVATE KEY", edwards, 0o600)},
		"a public key":        {keyFile(t, "PUBLIC KEY", &good.PublicKey, 0o600)},
		"rubbish in PEM":      {keyFile(t, "PRIVATE KEY", []byte("rubbish"), 0o600)},
		"empty":               {keyFile(t, "PRIVATE KEY", []byte{}, 0o600)},
		"readable by all":     {keyFile(t, "PRIVATE KEY", good, 0o644)},
		"writable by a group": {keyFile(t, "PRIVATE KEY", good, 0o660)},
		"the same twice":      {twice, twice},
		"the second is wrong": {twice, keyFile(t, "PRIVATE KEY", edwards, 0o600)},
	} {
		if _, err := OpenKeys(t.Context(), KeysConfig{Files: files}); err == nil || !strings.Contains(err.Error(), "authserver: the signing key") {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := filepath.Join(t.TempDir(), "text")
	must(0, os.WriteFile(text, []byte("not PEM"), 0o600))
	if _, err := OpenKeys(t.Context(), KeysConfig{Files: []string{text}}); err == nil || !strings.Contains(err.Error(), "openssl genpkey") {
		t.Errorf("a file that is not PEM: %v", err)
	}
}

func TestKeysConfig(t *testing.T) {
	store := must(kv.OpenMemory(kv.MemoryConfig{}))
	for name, c := range map[string]KeysConfig{
		"nothing":          {},
		"no master key":    {Store: store},
		"no store":         {Key: masterKey('k')},
		"rotates too soon": {Store: store, Key: masterKey('k'), Rotate: time.Minute},
		"kept too short":   {Store: store, Key: masterKey('k'), Keep: maxAccess},
	} {
		if _, err := OpenKeys(t.Context(), c); err == nil {
			t.Errorf("%s: there are keys", name)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	keys := must(OpenKeys(b.Context(), KeysConfig{Store: must(kv.OpenMemory(kv.MemoryConfig{})), Key: masterKey('k')}))
	claims := []byte(`{"iss":"https://house.example.com","sub":"alice","aud":"https://house.example.com/mcp","exp":1,"iat":1,"jti":"x","client_id":"y","scope":"clickhouse:read"}`)
	for b.Loop() {
		must(keys.Sign("at+jwt", claims))
	}
}

func BenchmarkVerifying(b *testing.B) {
	keys := must(OpenKeys(b.Context(), KeysConfig{Store: must(kv.OpenMemory(kv.MemoryConfig{})), Key: masterKey('k')}))
	id := keys.Public().Keys[0].KeyID
	for b.Loop() {
		must(keys.Verifying(b.Context(), id))
	}
}
