package identity

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"porterhouse"
)

// A running server notices what another process did to the file.
func TestChangesAreNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	c := newClock()
	server, operator := open(t, path, c.Now, nil), open(t, path, c.Now, nil)

	token, issued := create(t, operator, "alice")
	c.pass(fresh)
	wantUser(t, server, token, "alice")

	revoke(t, operator, issued.ID)
	c.pass(fresh)
	wantRefused(t, server, token, porterhouse.Unauthenticated)

	second, _ := create(t, operator, "alice")
	c.pass(time.Hour / 2) // nobody asked in between
	wantUser(t, server, second, "alice")

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c.pass(fresh)
	wantRefused(t, server, second, porterhouse.Unauthenticated)

	c.pass(-2 * time.Hour) // the clock is set back
	third, _ := create(t, operator, "alice")
	wantUser(t, server, third, "alice")
}

// The process that makes a change sees it at once.
func TestOwnChangesAreSeenAtOnce(t *testing.T) {
	c := newClock()
	tokens := open(t, filepath.Join(t.TempDir(), "tokens.json"), c.Now, nil)
	token, issued := create(t, tokens, "alice")
	wantUser(t, tokens, token, "alice")
	revoke(t, tokens, issued.ID)
	wantRefused(t, tokens, token, porterhouse.Unauthenticated)
}

// A file that is replaced twice within one tick of the file system's clock can
// look unchanged: same inode, same size, same time.
func TestAChangeWithinATickIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	c := newClock()
	operator := open(t, path, c.Now, nil)
	token, issued := create(t, operator, "alice")
	server := open(t, path, c.Now, nil)
	wantUser(t, server, token, "alice")

	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(issued.ID), []byte("AAAAAAAAAAAA"), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, before.ModTime()); err != nil {
		t.Fatal(err)
	}
	c.pass(fresh)
	wantRefused(t, server, token, porterhouse.Unauthenticated)
}

// Each trace that a change leaves is enough: time, size or inode.
func TestEachTraceOfAChangeIsNoticed(t *testing.T) {
	for _, trace := range []string{"time", "size", "inode"} {
		t.Run(trace, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			c := newClock()
			tokens := open(t, path, c.Now, nil)
			token, issued := create(t, tokens, "alice@example.com")
			settle(t, tokens, c, token)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.Replace(text, []byte(issued.ID), []byte("AAAAAAAAAAAA"), 1)
			modified := tokens.view.Load().info.ModTime()
			target := path
			switch trace {
			case "time":
				modified = modified.Add(time.Nanosecond)
			case "size":
				text = append(text, '\n')
			case "inode":
				target += ".new"
			}
			if err := errors.Join(os.WriteFile(target, text, 0o600), os.Chtimes(target, time.Time{}, modified), os.Rename(target, path)); err != nil {
				t.Fatal(err)
			}
			c.pass(fresh)
			wantRefused(t, tokens, token, porterhouse.Unauthenticated)
		})
	}
}

// While somebody looks at a slow file, others use what they have, but never
// anything stale.
func TestNobodyUsesAStaleView(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	c := newClock()
	operator := open(t, path, c.Now, nil)
	token, issued := create(t, operator, "alice")
	server := open(t, path, c.Now, nil)
	revoke(t, operator, issued.ID)

	server.looking.Lock() // as if a look did not come back
	c.pass(stale - time.Nanosecond)
	wantUser(t, server, token, "alice")
	c.pass(time.Nanosecond)
	answer := make(chan error)
	go func() {
		_, err := server.Verify(t.Context(), token)
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("a stale view answered: %v", err)
		server.looking.Unlock()
	case <-time.After(50 * time.Millisecond):
		server.looking.Unlock()
		wantKind(t, <-answer, porterhouse.Unauthenticated)
	}
}

// An unchanged file is looked at, not read.
func TestAnUnchangedFileIsNotReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	c := newClock()
	tokens := open(t, path, c.Now, nil)
	token, _ := create(t, tokens, "alice")
	c.pass(2 * settling)
	wantUser(t, tokens, token, "alice")
	first := tokens.view.Load()
	c.pass(fresh)
	wantUser(t, tokens, token, "alice")
	second := tokens.view.Load()
	if first == second || !first.settled || &first.info == &second.info || first.info != second.info {
		t.Errorf("the file was read again though nothing changed")
	}
}
