package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
)

// trouble asks one question and returns what the person is told; it must come
// within the time.
func trouble(t *testing.T, a *agent, sql string, within time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	text, err := a.call(ctx, "query", map[string]any{"sql": sql})
	var told *toolError
	switch {
	case err == nil:
		return "answered: " + text
	case errors.As(err, &told):
		for _, secret := range []string{"127.0.0.1", "localhost", "password"} {
			if strings.Contains(strings.ToLower(told.text), secret) {
				t.Errorf("the person is told of %s: %s", secret, told.text)
			}
		}
		return told.text
	}
	t.Fatalf("no clear error within %v: %v", within, err)
	return ""
}

// ClickHouse goes away in every way it can, and comes back: each time the person
// is told so, and the same server goes on serving.
func TestClickHouseInTrouble(t *testing.T) {
	t.Parallel()
	db, gateway := freshClickHouse(t, sandbox.Options{})
	h := openHouse(t, db.HTTP, gateway, settings{extra: "limits: {time: 3s, memory: 64 MiB}\n"})
	a := h.mustAgent("alice", stateless)
	ask := func(sql string) string { return trouble(t, a, sql, 20*time.Second) }
	well := func() bool { return strings.HasPrefix(ask("SELECT 1"), "answered: 1 row, complete.") }
	want := func(what, got, part string) {
		t.Helper()
		if !strings.Contains(got, part) {
			t.Errorf("%s: the person is told %q, nothing of %q", what, got, part)
		}
	}
	if !well() {
		t.Fatal("it does not even begin well")
	}
	want("out of memory", ask("SELECT length(groupArray(number)) FROM numbers(100000000)"), "MEMORY_LIMIT")
	want("too slow", ask("SELECT max(cityHash64(number)) FROM numbers(1000000000000)"), "maximum: 3000 ms")

	killed := make(chan string, 1)
	go func() { killed <- ask("SELECT max(cityHash64(number)) FROM numbers(1000000000000)") }()
	h.eventually("the question runs", 20*time.Second, func() bool { return h.metric("porterhouse_clickhouse_running") > 0 })
	if err := db.Kill(); err != nil {
		t.Fatal(err)
	}
	want("killed in the middle", <-killed, "unavailable")
	want("down", ask("SELECT 1"), "unavailable")
	h.eventually("/readyz says no", 20*time.Second, func() bool { status, _ := h.get("/readyz"); return status == 503 })
	if status, _ := h.get("/healthz"); status != 200 {
		t.Errorf("/healthz answers %d while ClickHouse is down", status)
	}
	if err := db.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.eventually("it serves again after a restart", 20*time.Second, well)
	h.eventually("/readyz says yes", 20*time.Second, func() bool { status, _ := h.get("/readyz"); return status == 200 })

	if err := db.Pause(); err != nil { // it accepts connections, and answers nothing
		t.Fatal(err)
	}
	got := ask("SELECT 1")
	if err := db.Resume(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "timeout") && !strings.Contains(got, "unavailable") {
		t.Errorf("hanging: the person is told %q", got)
	}
	h.eventually("it serves again after the pause", 20*time.Second, well)
}

// A black hole accepts connections and never says a word.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	go func() {
		for {
			c, err := hole.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	h := openHouse(t, "http://"+hole.Addr().String(), sandbox.Gateway{User: "porterhouse", Password: "x"}, settings{extra: "limits: {time: 1s}\n"})
	if got := trouble(t, h.mustAgent("alice", stateless), "SELECT 1", 20*time.Second); !strings.Contains(got, "timeout") {
		t.Errorf("the person is told %q", got)
	}
}

// No record, no query: with the disk of the record full nothing is asked, the
// person is told why, and when there is room again it goes on by itself.
func TestAuditDiskFull(t *testing.T) {
	t.Parallel()
	db, gateway := freshClickHouse(t, sandbox.Options{})
	asked := func(mark string) bool {
		if err := db.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err != nil {
			t.Fatal(err)
		}
		n, err := db.Text(t.Context(), "SELECT count() FROM system.query_log WHERE query LIKE '%"+mark+"%' AND user != 'default'")
		if err != nil {
			t.Fatal(err)
		}
		return n != "0"
	}
	t.Run("dev-full", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.Symlink("/dev/full", link); err != nil {
			t.Fatal(err)
		}
		h := prepareHouse(t, db.HTTP, gateway, settings{audit: link})
		h.tokens["alice"] = h.token("alice@example.com")
		cmd := h.command("serve", "--config", h.config)
		var log lockedBuffer
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill() }()
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done: // a record that is no file is refused at the start
			if err == nil || !strings.Contains(log.String(), "audit") {
				t.Errorf("it ended with %v and says\n%s", err, log.String())
			}
		case <-time.After(20 * time.Second):
			t.Errorf("it serves with /dev/full as its record:\n%s", log.String())
		}
	})
	t.Run("limit of file size", func(t *testing.T) {
		limited := func(cmd *exec.Cmd) { // 8 KiB: enough for a few questions
			cmd.Args = append([]string{"prlimit", "--fsize=8192:unlimited", cmd.Path}, cmd.Args[1:]...)
			path, err := exec.LookPath("prlimit")
			if err != nil {
				t.Fatal(err)
			}
			cmd.Path = path
		}
		h := openHouse(t, db.HTTP, gateway, settings{limit: limited, extra: "kv: {memory: true}\n"})
		a := h.mustAgent("alice", stateless)
		full := ""
		h.eventually("the disk is full", 20*time.Second, func() bool {
			full = trouble(t, a, "SELECT 'before_full'", 20*time.Second)
			return !strings.HasPrefix(full, "answered")
		})
		if !strings.Contains(full, "audit record cannot be written") {
			t.Errorf("the person is told %q", full)
		}
		if !asked("before_full") {
			t.Error("the query log does not even have what was asked before")
		}
		if got := trouble(t, a, "SELECT 'while_full'", 20*time.Second); strings.HasPrefix(got, "answered") || asked("while_full") {
			t.Errorf("it was asked without a record: %q", got)
		}
		more := exec.Command("prlimit", "--fsize=unlimited:unlimited", "--pid", strconv.Itoa(h.process.Process.Pid))
		if out, err := more.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		h.eventually("it goes on when there is room", 20*time.Second, func() bool {
			return strings.HasPrefix(trouble(t, a, "SELECT 'after_full'", 20*time.Second), "answered")
		})
		h.stop()
		if out, err := h.run("audit", "verify", "--config", h.config); err != nil {
			t.Errorf("the record is not whole: %v\n%s", err, out)
		}
	})
}
