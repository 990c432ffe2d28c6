package audit

import (
	"fmt"
	"reflect"
	"testing"

	"porterhouse"
)

// A reload has a line in the chain, of keys and fingerprints; many keys are counted.
func TestReload(t *testing.T) {
	c := config(t)
	c.Settings = "f0"
	l := mustOpen(t, c)
	keys := make([]string, maxList+50)
	for i := range keys {
		keys[i] = fmt.Sprint("token_processors.p", i, ".type")
	}
	for _, e := range []ReloadEvent{
		{Reason: "SIGHUP", Before: "f0", After: "f1", Changed: keys},
		{Reason: "its files have changed", Before: "f1", Failed: true},
		{Reason: "its files have changed", Before: "f1", After: "f2", Changed: []string{"listen"}, Restart: []string{"listen"}, Failed: true},
	} {
		if err := l.Reload(e); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	list := entries(t, c.Path)
	if started := ofKind(list, "start"); len(started) != 1 || started[0]["configuration"] != "f0" {
		t.Errorf("started with %v", started)
	}
	lines := ofKind(list, "reload")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	if changed, _ := lines[0]["changed"].([]any); len(changed) != maxList || lines[0]["changed_count"] != float64(maxList+50) || lines[0]["failed"] != nil {
		t.Errorf("of many keys: %v", lines[0])
	}
	if lines[1]["failed"] != true || lines[1]["after"] != nil || lines[1]["before"] != "f1" {
		t.Errorf("of what could not be read: %v", lines[1])
	}
	if !reflect.DeepEqual(lines[2]["restart"], []any{"listen"}) {
		t.Errorf("of what needs a restart: %v", lines[2])
	}
	intact(t, c.Path)
	if kind, _ := porterhouse.Explain(l.Reload(ReloadEvent{Reason: "SIGHUP", Before: "f1", After: "f2"})); kind != porterhouse.Unavailable {
		t.Errorf("what is not recorded may happen: %q", kind)
	}
}
