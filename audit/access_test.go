package audit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"porterhouse"
)

// refusedSignIn is a refusal of nobody in particular.
func refusedSignIn(remote string) AccessEvent {
	return AccessEvent{
		ID: "req-1", Action: "signin", Who: porterhouse.Principal{Proof: "corp"}, Remote: remote,
		Err: porterhouse.Errorf(porterhouse.Unauthenticated, "the code was made up"),
	}
}

// However often strangers are refused, they get a fixed number of lines in a minute,
// and every one is counted; a flood at another door hides none of them.
func TestRefusedStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l, end := running(t)
		const minutes, each = 3, 2000
		for range minutes {
			for i := range each {
				l.Unauthenticated(Attempt{Door: "mcp", Remote: fmt.Sprintf("10.%d.%d.7:4711", i/256%256, i%256)})
				if err := l.Access(refusedSignIn(fmt.Sprintf("11.%d.%d.7:4711", i/256%256, i%256))); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
		}
		end()
		list := entries(t, c.Path)
		samples, counted := ofKind(list, "access"), 0.0
		for _, e := range samples {
			if e["action"] != "signin" || e["proof"] != "corp" || e["remote"] == nil || e["failure"] != "the code was made up" {
				t.Errorf("a sample: %v", e)
			}
		}
		for _, e := range ofKind(list, "unauthenticated") {
			by, _ := e["by"].(map[string]any)
			if n, of := by["signin"].(float64); of {
				counted += n
			}
		}
		if len(samples) != minutes*samplesEach || counted+float64(len(samples)) != minutes*each {
			t.Errorf("%d lines and %.0f counted, of %d", len(samples), counted, minutes*each)
		}
		if s := l.Stats(); s.Unauthenticated != 2*minutes*each {
			t.Errorf("stats: %+v", s)
		}
	})
}

// What is about somebody, or about a client, has a line each, and so has what is given.
func TestAccessOfSomebodyIsNotFolded(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	no := porterhouse.Errorf(porterhouse.Refused, "no")
	events := []AccessEvent{
		{Action: "consent", Who: alice, Err: no},
		{Action: "register", Client: "reg_1", Err: no},
		{Action: "signin"},
	}
	const times = 3 * samplesEach
	for range times {
		for _, e := range events {
			e.Remote = "192.0.2.1"
			if err := l.Access(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustClose(t, l)
	if n := len(ofKind(entries(t, c.Path), "access")); n != times*len(events) {
		t.Errorf("%d lines of %d", n, times*len(events))
	}
	err := l.Access(refusedSignIn("192.0.2.1"))
	if kind, _ := porterhouse.Explain(err); kind != porterhouse.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}
