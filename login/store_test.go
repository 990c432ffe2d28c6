package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
)

// The test binary runs itself as a porterhouse process that wants a token.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOGIN_TEST_DIR"); dir != "" {
		if err := otherProcess(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// otherProcess prints a token as it will be wanted in an hour.
func otherProcess(dir string) error {
	l, err := New(Config{Dir: dir, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	if err != nil {
		return err
	}
	token, _, err := l.Token(context.Background(), "")
	fmt.Print(token.Reveal())
	return err
}

// Of many processes and goroutines that want a token at once, one refreshes: a second
// use of a refresh token would end the login, and here it does.
func TestRefreshAtOnce(t *testing.T) {
	g := newGate(t)
	dir := t.TempDir()
	h := newHomeAt(t, dir, nil)
	h.mustSignIn(g.url)
	h.later(time.Hour)
	var wait sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	note := func(token string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		seen[token]++
	}
	for range 4 {
		wait.Go(func() {
			command := exec.Command(os.Args[0])
			command.Env = append(os.Environ(), "LOGIN_TEST_DIR="+dir)
			command.Stderr = os.Stderr
			out, err := command.Output()
			note(string(out), err)
		})
		wait.Go(func() {
			token, _, err := h.Token(t.Context(), "")
			note(token.Reveal(), err)
		})
	}
	wait.Wait()
	if len(seen) != 1 || g.refreshes.Load() != 1 {
		t.Errorf("%d tokens by %d refreshes, want one by one", len(seen), g.refreshes.Load())
	}
}

// The server's no ends a login, and says what to do; its absence does not, and while
// the old token is good, nobody notices.
func TestRefreshRefused(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	h.mustSignIn(g.url)
	old := h.token("")
	g.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	h.later(5*time.Minute - margin/2)
	if h.token("") != old {
		t.Error("while the server is away, a token that is good for a while is not used")
	}
	h.later(margin)
	_, _, err := h.Token(t.Context(), "")
	if kindOf(err) != porterhouse.Unavailable || !strings.Contains(err.Error(), "503") {
		t.Errorf("while the server is away: %v", err)
	}
	g.answer = nil
	if h.token("") == old {
		t.Error("the server is back, and the token is old")
	}
	g.current = "" // somebody revoked it
	h.later(time.Hour)
	for range 2 {
		_, _, err = h.Token(t.Context(), "")
		if kindOf(err) != porterhouse.Unauthenticated || !strings.Contains(err.Error(), "run porterhouse login "+g.url+"/mcp") {
			t.Errorf("after it was revoked: %v", err)
		}
	}
	if g.refreshes.Load() != 2 {
		t.Errorf("a login that has ended was tried again: %d refreshes", g.refreshes.Load())
	}
}

// What a server gives instead of a token is not handed on.
func TestTokensThatAreNone(t *testing.T) {
	for name, answer := range map[string]map[string]any{
		"lines":        {"access_token": "a\nb", "token_type": "Bearer"},
		"another type": {"access_token": "a", "token_type": "DPoP"},
		"nothing":      {"token_type": "Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			g, h := newGate(t), newHome(t, nil)
			g.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/token" {
					g.json(w, http.StatusOK, answer)
				}
				return r.URL.Path == "/token"
			}
			if login, err := h.signIn(g.url); err == nil {
				t.Errorf("signed in: %+v", login)
			}
		})
	}
}

// A server that cannot be told of the end does not keep a login alive here.
func TestSignOutUntold(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	h.mustSignIn(g.url)
	g.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	if _, err := h.SignOut(t.Context(), g.url); kindOf(err) != porterhouse.Unavailable {
		t.Errorf("answered %v", err)
	}
	if list, err := h.List(); err != nil || len(list) != 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}

// The file is its owner's alone, and one that was not so is not believed.
func TestFileIsTheOwners(t *testing.T) {
	g, h := newGate(t), newHome(t, nil)
	h.mustSignIn(g.url)
	path := h.store.path()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file is %v, %v", info.Mode(), err)
	}
	for name, change := range map[string]func() error{
		"readable by others": func() error { return os.Chmod(path, 0o640) },
		"a link":             func() error { return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path)) },
		"a directory":        func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"not ours":           func() error { return errors.Join(os.Remove(path), os.WriteFile(path, []byte("[]"), 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t, nil)
			h.mustSignIn(g.url)
			path = h.store.path()
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if _, _, err := h.Token(t.Context(), ""); err == nil || strings.Contains(err.Error(), "phr_") {
				t.Errorf("a token was read: %v", err)
			}
			if _, err := h.signIn(g.url); err == nil || h.said.Len() > 400 {
				t.Errorf("signed in before that was told: %v", err)
			}
		})
	}
}

// Where there is a keyring, the file alone is worth nothing.
func TestKeyring(t *testing.T) {
	g, keys := newGate(t), &pocket{}
	dir := t.TempDir()
	h := newHomeAt(t, dir, keys)
	if login := h.mustSignIn(g.url); !login.Sealed {
		t.Errorf("signed in: %+v", login)
	}
	access := h.token("")
	text, err := os.ReadFile(h.store.path())
	if err != nil || strings.Contains(string(text), access) || strings.Contains(string(text), g.current) {
		t.Errorf("the file has the tokens in the clear: %v", err)
	}
	h.later(time.Hour)
	if h.token("") == access {
		t.Error("it was not refreshed")
	}
	for name, other := range map[string]Keyring{"no keyring": nil, "an empty one": &pocket{}, "another": &pocket{secret: strings.Repeat("A", 43) + "="}, "a locked one": &pocket{err: errors.New("locked")}} {
		thief := newHomeAt(t, dir, other)
		if _, _, err := thief.Token(t.Context(), ""); kindOf(err) != porterhouse.Unauthenticated {
			t.Errorf("with %s: %v", name, err)
		}
	}
	// Who changes where the tokens go does not get them.
	changed := strings.ReplaceAll(string(text), "/token", "/thief")
	if err := os.WriteFile(h.store.path(), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Token(t.Context(), ""); kindOf(err) != porterhouse.Unauthenticated {
		t.Errorf("with another address: %v", err)
	}
}

// A keyring that fails is none.
func TestKeyringFails(t *testing.T) {
	g, h := newGate(t), newHome(t, &pocket{err: errors.New("no such interface")})
	if login := h.mustSignIn(g.url); login.Sealed || h.token("") == "" {
		t.Errorf("signed in: %+v", login)
	}
}

// slowPocket is a keyring that takes its time to keep something.
type slowPocket struct{ pocket }

func (p *slowPocket) Set(secret string) error {
	time.Sleep(50 * time.Millisecond)
	return p.pocket.Set(secret)
}

// Two that sign in for the first time at once make one key, not each its own.
func TestKeyIsMadeOnce(t *testing.T) {
	keys, dir := &slowPocket{}, t.TempDir()+"/porterhouse"
	one, other := newGate(t), newGate(t)
	here, there := newHomeAt(t, dir, keys), newHomeAt(t, dir, keys)
	var both sync.WaitGroup
	both.Go(func() { _, _ = here.signIn(one.url) }) // what came of it is seen below
	both.Go(func() { _, _ = there.signIn(other.url) })
	both.Wait()
	for _, server := range []string{one.url, other.url} {
		if _, _, err := here.Token(t.Context(), server); err != nil {
			t.Error(err)
		}
	}
}
