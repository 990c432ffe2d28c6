package clickhouse_test

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"porterhouse"
	"porterhouse/sandbox"
)

// A person's statement can make a server of today say that it does not know a setting of
// ours, and that it is old. Nobody's answers change for it.
func TestNobodyMakesAServerLookOld(t *testing.T) {
	t.Parallel()
	h := open(t)
	alice, bob := account(t, "alice"), account(t, "bob")
	if err := h.Server.Exec(t.Context(), "ALTER USER bob SETTINGS http_write_exception_in_output_format = 1"); err != nil {
		t.Fatal(err)
	}
	decimals := question("SELECT toDecimal128('1234567890123456789012.1', 1) AS d")
	decimals.Format = porterhouse.JSONRows
	for _, name := range []string{"http_write_exception_in_output_format", "output_format_json_quote_decimals", "allow_settings_after_format_in_insert", "log_comment"} {
		for _, padding := range []int{0, 60_000, 100_000} {
			old := fmt.Sprintf("SELECT getSetting(concat('%s: (version 20.1.1.1)', repeat('x', %d)))", name, padding)
			if got, err := read(t.Context(), h.Client, alice, question(old)); err == nil || strings.Contains(err.Error(), "without which Porterhouse") {
				t.Errorf("%s: %q, %v", old, got.Text, err)
			}
			passed := question(old)
			passed.Format, passed.Passage, passed.Class.Read = "", &porterhouse.Passage{}, true
			if answer, err := h.Client.Query(t.Context(), alice, passed); err != nil {
				t.Errorf("%s at the door of ClickHouse's clients: %v", old, err)
			} else {
				text, err := io.ReadAll(answer.Body)
				if answer.Body.Close(); err != nil || !strings.Contains(string(text), "Unknown setting '"+name+": (version 20.1.1.1)") {
					t.Errorf("%s at the door of ClickHouse's clients: %.100q, %v", old, text, err)
				}
			}
			if got, err := read(t.Context(), h.Client, bob, decimals); err != nil || got.Text != "[\"1234567890123456789012.1\"]\n" {
				t.Errorf("after %s bob reads %q, %v", old, got.Text, err)
			}
		}
	}
	failsLate(t, h.Client, bob)
}

// Many at once who find that an old server does not know a setting need no more
// connections for it than there are.
func TestOldServersCrowd(t *testing.T) {
	t.Parallel()
	o := age(t, sandbox.ForTest(t, sandbox.Options{Init: []string{"CREATE DATABASE app"}}), "22.8")
	const crowd = 64
	var all sync.WaitGroup
	for range crowd {
		all.Go(func() {
			if _, err := o.Check(t.Context(), "{}"); err != nil {
				t.Errorf("a check among many: %v", err)
			}
		})
	}
	all.Wait()
	if n := o.requests.Load(); n > 2*crowd+1 {
		t.Errorf("%d requests for %d checks", n, crowd)
	}
}
