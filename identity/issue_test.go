package identity

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestCreateRefuses(t *testing.T) {
	c := newClock()
	later := c.Now().Add(time.Hour)
	for name, g := range map[string]Grant{
		"no user":                 {Expires: later},
		"a user with a line end":  {User: "alice\n", Expires: later},
		"a user of 129 bytes":     {User: strings.Repeat("a", 129), Expires: later},
		"no end":                  {User: "alice"},
		"an end and none":         {User: "alice", Expires: later, AllowForever: true},
		"an end in the past":      {User: "alice", Expires: c.Now().Add(-time.Second)},
		"an end now":              {User: "alice", Expires: c.Now()},
		"a client with an escape": {User: "alice", Expires: later, Client: "\x1b[2J"},
		"a date JSON cannot hold": {User: "alice", Expires: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			if _, _, err := open(t, path, c.Now, nil).Create(g); err == nil {
				t.Error("accepted")
			}
			wantFiles(t, path, 0)
		})
	}
}

// wantFiles checks that the directory of path holds n files: nothing stays behind.
func wantFiles(t *testing.T, path string, n int) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != n {
		t.Errorf("the directory holds %v, %v; want %d files", entries, err, n)
	}
}

// Two spellings of one name would be two people.
func TestOneSpellingForEachPerson(t *testing.T) {
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), nil, nil)
	_, first := create(t, tokens, "Zoë@example.com")
	if _, decomposed := create(t, tokens, "Zoe\u0308@example.com"); decomposed.User != first.User {
		t.Errorf("the decomposed name became %q, want %q", decomposed.User, first.User)
	}
	_, _, err := tokens.Create(Grant{User: "zoë@EXAMPLE.com", AllowForever: true})
	if err == nil || !strings.Contains(err.Error(), "Zoë@example.com") {
		t.Errorf("another spelling: %v; want a refusal that names the first", err)
	}
	list, err := tokens.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range list {
		revoke(t, tokens, token.ID)
	}
	if _, _, err := tokens.Create(Grant{User: "zoë@EXAMPLE.com", AllowForever: true}); err != nil {
		t.Errorf("after the first was revoked: %v", err)
	}
}

// The file tells nothing that lets anybody in, and is nobody else's business.
func TestStoreHoldsNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	tokens := open(t, path, nil, nil)
	token, _ := create(t, tokens, "alice")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if secret := token[idEnd+1 : checksumAt]; strings.Contains(string(text), secret) || strings.Contains(string(text), secret[:8]) {
		t.Errorf("the file holds the secret:\n%s", text)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	wantFiles(t, path, 1)
}

// Processes that change the file at the same time all succeed. (A lock is held
// by an open file, so that two Tokens exclude each other as two processes do.)
func TestConcurrentChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	const people, each = 8, 5
	var group sync.WaitGroup
	for p := range people {
		group.Go(func() {
			tokens, err := NewTokens(TokensConfig{Path: path})
			if err != nil {
				t.Error(err)
				return
			}
			for i := range each {
				_, issued, err := tokens.Create(Grant{User: fmt.Sprintf("person%d", p), AllowForever: true})
				if err != nil {
					t.Error(err)
				}
				if _, err := tokens.Revoke(issued.ID); i == 0 && err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	list, err := open(t, path, nil, nil).List()
	if err != nil || len(list) != people*each {
		t.Errorf("%d tokens, %v; want %d", len(list), err, people*each)
	}
	wantFiles(t, path, 1)
}

func TestList(t *testing.T) {
	c := newClock()
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), c.Now, nil)
	if list, err := tokens.List(); err != nil || len(list) != 0 {
		t.Errorf("without a file: %v, %v", list, err)
	}
	_, first := create(t, tokens, "alice")
	_, second := create(t, tokens, "bob")
	revoke(t, tokens, first.ID)
	first.Revoked = c.Now().UTC().Truncate(time.Second)
	list, err := tokens.List()
	if err != nil || len(list) != 2 || list[0] != first || list[1] != second {
		t.Errorf("listed %v, %v\nwant %v", list, err, []Token{first, second})
	}
}

func TestRevoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var file document
	file.Version = documentVersion
	for _, id := range []string{"ABCDAAAAAAAA", "ABCDBBBBBBBB", "CCCCCCCCCCCC"} {
		file.Tokens = append(file.Tokens, record{Token{ID: id, User: "alice"}, digestOf(id)})
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ which, id string }{
		{"ABCDAAAAAAAA", "ABCDAAAAAAAA"},
		{"ABCDB", "ABCDBBBBBBBB"},
		{"abcdb", "ABCDBBBBBBBB"},
		{"ph_CCCC", "CCCCCCCCCCCC"},
		{"ph_CCCCCCCCCCCC_" + strings.Repeat("A", 59), "CCCCCCCCCCCC"}, // a token that was found lying about
		{"ABCD", ""}, // two
		{"CCC", ""},  // too short
		{"", ""},
		{"ph_", ""},
		{"DDDD", ""}, // none
		{"CCCCCCCCCCCCC", ""},
	} {
		t.Run(test.which, func(t *testing.T) {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			tokens := open(t, path, nil, nil)
			revoked, err := tokens.Revoke(test.which)
			if (err == nil) != (test.id != "") || revoked.ID != test.id {
				t.Errorf("revoked %q, %v; want %q", revoked.ID, err, test.id)
			}
			list, listErr := tokens.List()
			if listErr != nil {
				t.Fatal(listErr)
			}
			for _, token := range list {
				if token.Revoked.IsZero() == (token.ID == test.id) {
					t.Errorf("token %s was revoked: %v", token.ID, !token.Revoked.IsZero())
				}
			}
		})
	}
}

func TestRevokeKeepsTheFirstTime(t *testing.T) {
	c := newClock()
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), c.Now, nil)
	_, issued := create(t, tokens, "alice")
	first, err := tokens.Revoke(issued.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.pass(time.Minute)
	if second, err := tokens.Revoke(issued.ID); err != nil || second != first {
		t.Errorf("the second time: %v, %v; want %v", second, err, first)
	}
}

func TestEndedTokensAreForgottenAfterAYear(t *testing.T) {
	c := newClock()
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), c.Now, nil)
	_, _ = create(t, tokens, "alice") // expires in an hour
	_, issued := create(t, tokens, "bob")
	revoke(t, tokens, issued.ID)
	if _, _, err := tokens.Create(Grant{User: "robot", AllowForever: true}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		passed time.Duration
		want   int
	}{{remembered, 4}, {2 * time.Hour, 3}} {
		c.pass(test.passed)
		_, _ = create(t, tokens, "carol")
		if list, err := tokens.List(); err != nil || len(list) != test.want {
			t.Errorf("%d tokens, %v; want %d: %v", len(list), err, test.want, list)
		}
	}
}

// A change that fails leaves nothing behind.
func TestAFailedReplacementLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.Mkdir(path, 0o700); err != nil { // a file cannot be moved there
		t.Fatal(err)
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	if err := replace(path, nil, directory, document{Version: documentVersion}); err == nil {
		t.Error("a directory was replaced")
	}
	wantFiles(t, path, 1)
}

// A link stays a link: what it stands for is replaced.
func TestALinkIsFollowed(t *testing.T) {
	real, link := filepath.Join(t.TempDir(), "real.json"), filepath.Join(t.TempDir(), "tokens.json")
	_, _ = create(t, open(t, real, nil, nil), "alice")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	_, _ = create(t, open(t, link, nil, nil), "bob")
	if list, err := open(t, real, nil, nil).List(); err != nil || len(list) != 2 {
		t.Errorf("behind the link: %v, %v", list, err)
	}
}

// What root does must not lock the server out of its file.
func TestRootKeepsTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens.json")
	if err := os.Chown(dir, 12345, 12346); err != nil {
		t.Skip(err)
	}
	wantOwner := func(uid, gid uint32) {
		t.Helper()
		_, _ = create(t, open(t, path, nil, nil), "alice")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid != uid || stat.Gid != gid {
			t.Errorf("the file belongs to %d:%d, want %d:%d", stat.Uid, stat.Gid, uid, gid)
		}
	}
	wantOwner(12345, 12346) // a new file: as the directory
	if err := os.Chown(path, 2345, 2346); err != nil {
		t.Fatal(err)
	}
	wantOwner(2345, 2346) // else: as the file before
}
