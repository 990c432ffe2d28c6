package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// demo is the line that `porterhouse demo --json` prints.
type demo struct {
	MCP        string
	HTTP       string
	HTTPS      string
	CA         string
	People     map[string]string
	Clusters   []string
	ClickHouse struct{ HTTP, Native, User, Password string }
	Audit      string
	PID        int
}

// startDemo runs `porterhouse demo --json` until the test ends it.
func startDemo(t *testing.T, args ...string) (*exec.Cmd, demo) {
	t.Helper()
	h := &house{t: t, dir: "."}
	cmd := h.command(append([]string{"demo", "--json"}, args...)...)
	var log lockedBuffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the demo says nothing: %v\n%s", err, log.String())
	}
	var d demo
	if err := json.Unmarshal(line, &d); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return cmd, d
}

// The demo is what a newcomer sees first: clients that nobody here wrote get in
// with nothing but what it prints, call every tool, and Alice and Bob see
// different things; and it goes as it came.
func TestDemo(t *testing.T) {
	t.Parallel()
	cmd, d := startDemo(t)
	if d.PID != cmd.Process.Pid || len(d.People) != 3 {
		t.Errorf("the demo prints %+v", d)
	}
	t.Run("inspector", func(t *testing.T) { inspectDemo(t, d) })
	t.Run("TypeScript SDK", func(t *testing.T) { walkDemo(t, d) })

	native, err := http.Get(d.ClickHouse.HTTP + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	native.Body.Close()

	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C the demo ends with %v", err)
	}
	leavesNothing(t, d)
}

// A demo that is killed outright leaves nothing behind either, and one with a
// directory of its own finds everything again.
func TestDemoKilled(t *testing.T) {
	t.Parallel()
	cmd, d := startDemo(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	leavesNothing(t, d)

	dir := t.TempDir()
	first, d := startDemo(t, "--dir", dir)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	again, d2 := startDemo(t, "--dir", dir)
	if d2.Audit != d.Audit {
		t.Errorf("the record moved from %s to %s", d.Audit, d2.Audit)
	}
	a := &agent{url: d2.MCP, token: d.People["alice"], era: stateless, http: http.DefaultClient}
	if rows, err := a.rows(t.Context(), "SELECT count() FROM flights.flights"); err != nil || rows[0][0] != "3000000" {
		t.Errorf("with yesterday's token Alice gets %v, %v", rows, err)
	}
	if err := again.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := again.Wait(); err != nil {
		t.Errorf("after SIGTERM the demo ends with %v", err)
	}
}

// leavesNothing waits until ClickHouse and all files of a demo are gone.
func leavesNothing(t *testing.T, d demo) {
	t.Helper()
	dir := filepath.Dir(filepath.Dir(d.Audit))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, statErr := os.Stat(dir)
		response, getErr := http.Get(d.ClickHouse.HTTP + "/ping")
		if getErr == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		if errors.Is(statErr, fs.ErrNotExist) && getErr != nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left behind: %s (%v), ClickHouse (%v)", dir, statErr, getErr)
		}
	}
}
