package identity

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"porterhouse"
)

// clock is a clock that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t testing.TB, path string, now func() time.Time, log *slog.Logger) *Tokens {
	t.Helper()
	tokens, err := NewTokens(TokensConfig{Path: path, Now: now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func create(t testing.TB, tokens *Tokens, user string) (string, Token) {
	t.Helper()
	secret, issued, err := tokens.Create(Grant{User: user, Expires: tokens.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal(), issued
}

func revoke(t testing.TB, tokens *Tokens, id string) {
	t.Helper()
	if _, err := tokens.Revoke(id); err != nil {
		t.Fatal(err)
	}
}

func wantUser(t *testing.T, tokens *Tokens, token, user string) {
	t.Helper()
	who, err := tokens.Verify(t.Context(), token)
	if err != nil || who.User != user {
		t.Errorf("the token proves %q, %v; want %q", who.User, err, user)
	}
}

func wantRefused(t *testing.T, tokens *Tokens, token string, kind porterhouse.Kind) {
	t.Helper()
	who, err := tokens.Verify(t.Context(), token)
	wantKind(t, err, kind)
	if who.Key() != nobody.Key() {
		t.Errorf("a refused token proved %v", who)
	}
}

func TestPrincipalOfAToken(t *testing.T) {
	c := newClock()
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), c.Now, nil)
	secret, issued, err := tokens.Create(Grant{User: "alice@example.com", Client: "claude-code", Expires: c.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	who, err := tokens.Verify(t.Context(), secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	want := porterhouse.Principal{Issuer: "porterhouse", Subject: "alice@example.com", User: "alice@example.com",
		Client: "claude-code", TokenID: issued.ID, Expires: c.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	if !reflect.DeepEqual(who, want) {
		t.Errorf("proved %+v\nwant   %+v", who, want)
	}
	second, _ := create(t, tokens, "alice@example.com")
	again, err := tokens.Verify(t.Context(), second)
	if err != nil || again.Key() != who.Key() || again.TokenID == who.TokenID {
		t.Errorf("a second token proves %+v, %v: want the same person by another token", again, err)
	}
}

// sealed gives a forged token the right checksum, so that only the next
// defence can refuse it.
func sealed(body string) string { return body + checksum(body) }

// Every attack is refused, for its own reason, and looks like every other.
func TestAttacks(t *testing.T) {
	c := newClock()
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), c.Now, nil)
	verifier, err := New(Config{Processors: []Processor{tokens.Verify}})
	if err != nil {
		t.Fatal(err)
	}
	good, issued := create(t, tokens, "alice@example.com")
	bobs, _ := create(t, tokens, "bob@example.com")
	revoked, gone := create(t, tokens, "alice@example.com")
	revoke(t, tokens, gone.ID)
	expired, _, err := tokens.Create(Grant{User: "carol@example.com", Expires: c.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	c.pass(time.Minute)
	id, secret := good[:idEnd+1], good[idEnd+1:checksumAt]
	otherSecret := strings.Repeat("A", secretLength)
	typo := good[:idEnd+9] + next(good[idEnd+9]) + good[idEnd+10:]

	for _, attack := range []struct{ name, token, reason string }{
		{"empty", "", "empty"},
		{"only the prefix", "ph_", "3 characters"},
		{"only the public part", id, "16 characters"},
		{"a megabyte", strings.Repeat("A", 1<<20), "more than"},
		{"a megabyte of ours", "ph_" + strings.Repeat("A", 1<<20), "more than"},
		{"16 KiB of ours", "ph_" + strings.Repeat("A", maxToken-3), "16384 characters"},
		{"another kind", "eyJhbGciOiJub25lIn0.e30.", "no processor"},
		{"another case of the prefix", "PH_" + good[3:], "no processor"},
		{"lower case", strings.ToLower(good), "no token has"},
		{"a space before", " " + good, "no processor"},
		{"a line end", good + "\n", "76 characters"},
		{"non-ASCII of the right length", sealed(id + strings.Repeat("é", secretLength/2)), "no token has"},
		{"invalid UTF-8", sealed(id + strings.Repeat("\xff", secretLength)), "no token has"},
		{"a NUL", sealed(id + secret[:secretLength-1] + "\x00"), "no token has"},
		{"no separator", sealed(id[:idEnd] + "A" + secret), "no token has"},
		{"a separator inside the id", sealed("ph_AAAAAA_AAAAA_" + secret), "no token has"},
		{"mistyped", typo, "checksum"},
		{"an alias of the checksum", good[:tokenLength-1] + next(good[tokenLength-1]), "checksum"},
		{"cut", good[:tokenLength-1], "74 characters"},
		{"cut, with a checksum", sealed(good[:checksumAt-1]), "74 characters"},
		{"an unknown id", sealed("ph_AAAAAAAAAAAA_" + secret), "no token AAAAAAAAAAAA"},
		{"the right id and a wrong secret", sealed(id + otherSecret), "wrong secret for token " + issued.ID},
		{"Alice's id and Bob's secret", sealed(id + bobs[idEnd+1:checksumAt]), "wrong secret for token " + issued.ID},
		{"revoked", revoked, "ended on"},
		{"expired", expired.Reveal(), "ended on"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			who, err := verifier.Verify(t.Context(), attack.token)
			if err == nil || who.Key() != nobody.Key() {
				t.Fatalf("the token proved %+v", who)
			}
			kind, public := porterhouse.Explain(err)
			if _, want := porterhouse.Explain(refuse("")); kind != porterhouse.Unauthenticated || public != want {
				t.Errorf("it looks different from outside: %s: %s", kind, public)
			}
			if !strings.Contains(err.Error(), attack.reason) {
				t.Errorf("the private reason is %q, want one with %q", err, attack.reason)
			}
			if len(attack.token) > idEnd+10 && strings.Contains(err.Error(), attack.token[idEnd+1:idEnd+9]) {
				t.Errorf("the reason holds a part of the token: %q", err)
			}
		})
	}
	wantUser(t, tokens, good, "alice@example.com")
}

// next is the following character of the alphabet.
func next(c byte) string {
	return string(alphabet[(strings.IndexByte(alphabet, c)+1)%len(alphabet)])
}

func TestATokenEndsAtItsSecond(t *testing.T) {
	c := &clock{now: time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)}
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), c.Now, nil)
	token, _ := create(t, tokens, "alice")
	c.pass(time.Hour - time.Nanosecond)
	wantUser(t, tokens, token, "alice")
	c.pass(time.Nanosecond)
	wantRefused(t, tokens, token, porterhouse.Unauthenticated)
}

func TestATokenMayBeForever(t *testing.T) {
	c := newClock()
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), c.Now, nil)
	secret, issued, err := tokens.Create(Grant{User: "robot", AllowForever: true})
	if err != nil || !issued.Expires.IsZero() {
		t.Fatal(issued, err)
	}
	c.pass(100 * 365 * 24 * time.Hour)
	wantUser(t, tokens, secret.Reveal(), "robot")
}

func TestOtherKindsAreNotMine(t *testing.T) {
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), nil, nil)
	for _, token := range []string{"", "ph", "PH_", "eyJh", "Bearer ph_", " ph_"} {
		if _, err := tokens.Verify(t.Context(), token); !errors.Is(err, ErrNotMine) {
			t.Errorf("%q: %v, want ErrNotMine", token, err)
		}
	}
	v, err := New(Config{Processors: []Processor{tokens.Verify}})
	if err != nil {
		t.Fatal(err)
	}
	_, lines, err := v.Explain(t.Context(), "eyJh")
	wantReason(t, err, "API tokens")
	if want := "asked, 1 of 1: API tokens: identity: token is not mine: not one of ours, by its shape"; !slices.Contains(lines, want) {
		t.Errorf("explained %q, want %q", lines, want)
	}
}

// settle makes the file so old that it is only looked at, and no longer read,
// unless something tells that it changed.
func settle(t *testing.T, tokens *Tokens, c *clock, good string) {
	t.Helper()
	if err := os.Chtimes(tokens.path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	c.pass(fresh)
	wantUser(t, tokens, good, "alice@example.com")
	if !tokens.view.Load().settled {
		t.Fatal("the file is not settled")
	}
}

// Damage is found at the start, and while running it is an outage that ends by
// itself: never a forgotten revocation, never an empty list.
func TestUnusableFile(t *testing.T) {
	record := `{"id":"AAAAAAAAAAAA","user":"alice","created":"2030-01-01T00:00:00Z","sha256":"` + strings.Repeat("ab", 32) + `"}`
	type damage struct {
		name string
		do   func(path string) error
	}
	text := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	for _, d := range []damage{
		{"empty", text("")},
		{"cut", text(`{"version":1,"tokens":[` + record)},
		{"not JSON", text("ph_ alice\n")},
		{"another version", text(`{"version":2,"tokens":[]}`)},
		{"no version", text(`{"tokens":[]}`)},
		{"something after", text(`{"version":1,"tokens":[]} {}`)},
		{"an unknown field", text(`{"version":1,"tokens":[],"admin":true}`)},
		{"the same id twice", text(`{"version":1,"tokens":[` + record + `,` + record + `]}`)},
		{"a bad id", text(`{"version":1,"tokens":[` + strings.Replace(record, "AAAAAAAAAAAA", "AAAA_AAAAAAA", 1) + `]}`)},
		{"no user", text(`{"version":1,"tokens":[` + strings.Replace(record, "alice", "", 1) + `]}`)},
		{"a user that cannot be seen", text(`{"version":1,"tokens":[` + strings.Replace(record, "alice", `al\u200bice`, 1) + `]}`)},
		{"a user not in normal form", text(`{"version":1,"tokens":[` + strings.Replace(record, "alice", `alice\u0301`, 1) + `]}`)},
		{"a client that cannot be seen", text(`{"version":1,"tokens":[` + strings.Replace(record, `"user"`, `"client":"\u001b[2J","user"`, 1) + `]}`)},
		{"a short digest", text(`{"version":1,"tokens":[` + strings.Replace(record, "abab", "", 1) + `]}`)},
		{"no digest", text(`{"version":1,"tokens":[{"id":"AAAAAAAAAAAA","user":"alice","created":"2030-01-01T00:00:00Z"}]}`)},
		{"too large", text(`{"version":1,"tokens":[]}` + strings.Repeat(" ", maxDocument))},
		{"a pipe", func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) }},
		{"a directory", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }},
		{"writable by all", func(path string) error { return os.Chmod(path, 0o666) }},
		{"writable by the group", func(path string) error { return os.Chmod(path, 0o620) }},
	} {
		t.Run(d.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			c, log := newClock(), &bytes.Buffer{}
			tokens := open(t, path, c.Now, slog.New(slog.NewTextHandler(log, nil)))
			good, _ := create(t, tokens, "alice@example.com")
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			settle(t, tokens, c, good)
			if err := d.do(path); err != nil {
				t.Fatal(err)
			}
			if _, err := NewTokens(TokensConfig{Path: path}); err == nil {
				t.Error("the file was accepted at the start")
			}
			if _, _, err := tokens.Create(Grant{User: "bob", AllowForever: true}); err == nil {
				t.Error("a token was added to the damaged file")
			}
			for range 5 {
				c.pass(fresh)
				wantRefused(t, tokens, good, porterhouse.Unavailable)
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("logged %d errors, want one:\n%s", n, log)
			}
			if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, whole, 0o600)); err != nil {
				t.Fatal(err)
			}
			c.pass(fresh)
			wantUser(t, tokens, good, "alice@example.com")
			if !strings.Contains(log.String(), "can be used again") {
				t.Errorf("the end of the outage was not logged:\n%s", log)
			}
		})
	}
}
