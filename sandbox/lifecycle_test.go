package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// account is a user with rights, a policy and a table to use them on.
var account = []string{
	"CREATE DATABASE app",
	"CREATE TABLE app.rows (owner String) ORDER BY owner",
	"INSERT INTO app.rows VALUES ('ann'), ('ben')",
	"CREATE USER ann IDENTIFIED WITH no_authentication; ",
	"-- a comment first\n/* and; another */ grant SELECT ON app.* TO ann -- and one last",
	"CREATE USER gone IDENTIFIED WITH no_authentication",
	"DROP USER gone",
	"CREATE ROW POLICY own ON app.rows USING owner = currentUser() TO ann",
	"CREATE USER login IDENTIFIED WITH plaintext_password BY 'it''s; \\' fine\n'",
}

// checkAccount checks that all of it is there.
func checkAccount(t *testing.T, s *Server) {
	t.Helper()
	equal(t, s, "EXECUTE AS 'ann' SELECT * FROM app.rows", "ann")
	equal(t, s, "SELECT name FROM system.users ORDER BY name", "ann\ndefault\nlogin")
}

func TestRestart(t *testing.T) {
	s := ForTest(t, Options{Init: account})
	before := *s
	for name, end := range map[string]func() error{
		"running": func() error { return nil },
		"paused":  s.Pause,
		"killed":  s.Kill,
	} {
		if err := end(); err != nil {
			t.Fatal(name, err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(name, err)
		}
		checkAccount(t, s)
		if s.HTTP != before.HTTP || s.Native != before.Native || s.Password != before.Password || s.PID == before.PID {
			t.Errorf("%s: after the restart it is %+v, before it was %+v", name, s, before)
		}
	}
}

// A directory keeps everything from one server to the next.
func TestDirectoryKeeps(t *testing.T) {
	options := Options{Dir: t.TempDir()}
	first := ForTest(t, options)
	run(t, first, account...)
	run(t, first, "SELECT 20260102")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := ForTest(t, options)
	checkAccount(t, second)
	equal(t, second, "SELECT count() FROM system.query_log WHERE type = 'QueryFinish' AND query = 'SELECT 20260102'", "1")
	run(t, second, "CREATE USER late IDENTIFIED WITH no_authentication")
	if err := second.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	third := ForTest(t, options)
	run(t, third, "DROP USER late")
	checkAccount(t, third)
}

// Only one server at a time has a directory; the next waits until it is free.
func TestDirectoryIsLocked(t *testing.T) {
	options := Options{Dir: t.TempDir()}
	first := ForTest(t, options)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if second, err := Start(ctx, options); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("a second server in the same directory: %v, %v", second, err)
	}
	equal(t, first, "SELECT 1", "1")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, ForTest(t, options), "SELECT 1", "1")
}

func TestKill(t *testing.T) {
	s := ForTest(t, Options{})
	select {
	case <-s.Done():
		t.Fatal("done before it began")
	default:
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	<-s.Done()
	if s.Err() == nil {
		t.Error("nothing says that the server was killed")
	}
	if _, err := s.Text(t.Context(), "SELECT 1"); err == nil {
		t.Error("a dead server answers")
	}
}

func TestPause(t *testing.T) {
	s := ForTest(t, Options{})
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := s.Text(t.Context(), "SELECT 1")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatal("a paused server answers:", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// The server does not outlive its owner, even when that is killed on the spot.
func TestOwnerDies(t *testing.T) {
	if err := buildEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"running", "paused", "killed"} {
		t.Run(mode, func(t *testing.T) {
			dir := temporaryHere(t)
			pid := killOwner(t, mode, "")
			eventually(t, "the server is gone", func() bool { return state(pid) == 0 || state(pid) == 'Z' })
			eventually(t, "the directory is gone", func() bool {
				left, err := os.ReadDir(dir)
				return err == nil && len(left) == 0
			})
		})
	}
	t.Run("a directory stays", func(t *testing.T) {
		dir := t.TempDir()
		killOwner(t, "running", dir)
		next := ForTest(t, Options{Dir: dir})
		equal(t, next, "EXECUTE AS 'ann' SELECT currentUser()", "ann")
	})
}

// killOwner runs own in a process and kills that; it returns the server's.
func killOwner(t *testing.T, mode, dir string) int {
	t.Helper()
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), "SANDBOX_TEST_OWNER="+mode, "SANDBOX_TEST_DIR="+dir)
	owner.Stderr = os.Stderr
	output, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(output, &pid); err != nil {
		t.Fatal(err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Wait(); err == nil {
		t.Fatal("the owner was not killed")
	}
	return pid
}

// own is what the owner does until it is killed.
func own(mode string) error {
	s, err := Start(context.Background(), Options{
		Dir:  os.Getenv("SANDBOX_TEST_DIR"),
		Init: []string{"CREATE USER ann IDENTIFIED WITH no_authentication"},
	})
	if err != nil {
		return err
	}
	switch mode {
	case "paused":
		err = s.Pause()
	case "killed":
		err = s.Kill()
	}
	if err != nil {
		return err
	}
	fmt.Println(s.PID)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// state is the state of a process as Linux tells it, 0 when there is no process.
func state(pid int) byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return stat[bytes.LastIndexByte(stat, ')')+2]
}
