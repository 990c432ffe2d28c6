package audit

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"porterhouse"
)

// running opens a record whose regular work runs on the test's own clock.
func running(t *testing.T) (c Config, l *Log, end func()) {
	t.Helper()
	c = config(t)
	l = mustOpen(t, c)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	return c, l, func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		mustClose(t, l)
		intact(t, c.Path)
	}
}

func refuse(t *testing.T, l *Log, subject string, kind porterhouse.Kind) {
	t.Helper()
	q := question("", "DROP TABLE t")
	q.Who.Subject = subject
	if err := l.Refuse(q, porterhouse.Errorf(kind, "only reads pass: DROP is a write")); err != nil {
		t.Fatal(err)
	}
}

// A person's refusals have a line each up to a rate; the others are counted, and
// nobody's rate is another's.
func TestRefusalsFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l, end := running(t)
		for i := range 500 {
			kind := porterhouse.Refused
			if i%5 == 0 {
				kind = porterhouse.Limited
			}
			refuse(t, l, "mallory", kind)
			time.Sleep(100 * time.Millisecond) // 50 s in all
		}
		refuse(t, l, "alice", porterhouse.Refused)
		l.mu.Lock()
		for _, p := range l.refusals.people {
			if !p.who.Token.IsZero() {
				t.Error("a token is kept in memory for the sake of counting")
			}
		}
		l.mu.Unlock()
		time.Sleep(2 * time.Minute)
		refuse(t, l, "mallory", porterhouse.Refused)
		end()

		list := entries(t, c.Path)
		lines := map[any]int{}
		for _, e := range ofKind(list, "refuse") {
			lines[e["subject"]]++
		}
		if diff := cmp.Diff(map[any]int{"mallory": refusalsEach + 1, "alice": 1}, lines); diff != "" {
			t.Errorf("lines of refusals: %s", diff)
		}
		first := ofKind(list, "refuse")[0]
		if first["error"] != "limited" || first["reason"] != "only reads pass: DROP is a write" || first["sql"] != "DROP TABLE t" || first["user"] != "alice@example.com" {
			t.Errorf("a refusal: %v", first)
		}
		folded := ofKind(list, "folded")
		if len(folded) != 1 {
			t.Fatalf("%d folded lines, want 1", len(folded))
		}
		f := folded[0]
		if f["subject"] != "mallory" || f["count"] != 490.0 || fmt.Sprint(f["by"]) != "map[limited:98 refused:392]" || f["from"] == nil || f["to"] == nil || f["sql"] != nil {
			t.Errorf("folded: %v", f)
		}
		if s := l.Stats(); s.Refusals != 502 {
			t.Errorf("stats: %+v", s)
		}
	})
}

// Cheap refusals do not hide one for another reason, and reasons that are made up
// do not fill the disk.
func TestRefusalsOfNewReasons(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	ban := func(sql, reason string) {
		t.Helper()
		if err := l.Refuse(question("", sql), porterhouse.Errorf(porterhouse.Refused, "%s", reason)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * refusalsEach {
		refuse(t, l, alice.Subject, porterhouse.Refused)
	}
	for range 2 {
		ban("SELECT * FROM url('https://evil/')", "url() is not allowed")
	}
	for i := range 1000 {
		ban("SELECT f()", fmt.Sprintf("f%d() is not allowed", i))
	}
	refuse(t, l, alice.Subject, porterhouse.Limited)
	mustClose(t, l)

	intact(t, c.Path)
	list := ofKind(entries(t, c.Path), "refuse")
	evil, limited := 0, 0
	for _, e := range list {
		if e["reason"] == "url() is not allowed" {
			evil++
		}
		if e["error"] == "limited" {
			limited++
		}
	}
	if evil != 1 || limited != 1 {
		t.Errorf("%d lines of the refusal that matters and %d of the new kind, want 1 of each", evil, limited)
	}
	if n := len(list); n > 2*refusalsEach+reasonsEach+1 {
		t.Errorf("%d lines", n)
	}
}

// However many people are refused, those counted apart are bounded, every refusal is
// in the record, and people who are quiet again are forgotten.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l, end := running(t)
		remembered := func() int {
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.refusals.people)
		}
		const minutes, people, each = 2, maxPeople + 200, 2
		for range minutes {
			for p := range people {
				for range each {
					refuse(t, l, fmt.Sprint("p", p), porterhouse.Refused)
				}
			}
			if n := remembered(); n != maxPeople {
				t.Errorf("%d people are counted apart, want %d", n, maxPeople)
			}
			time.Sleep(2 * time.Minute)
		}
		if n := remembered(); n != 0 {
			t.Errorf("%d people are remembered after two quiet minutes", n)
		}
		end()
		total := 0
		list := entries(t, c.Path)
		for _, f := range ofKind(list, "folded") {
			if f["subject"] != nil {
				t.Errorf("2 refusals in a minute were folded: %v", f)
			}
			total += int(f["count"].(float64))
		}
		total += len(ofKind(list, "refuse"))
		if total != minutes*people*each {
			t.Errorf("%d refusals are in the record, want %d", total, minutes*people*each)
		}
	})
}

// A flood of unauthenticated attempts makes a fixed number of lines in a minute,
// and every one is counted.
func TestUnauthenticatedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l, end := running(t)
		const minutes, each = 5, 2000
		for range minutes {
			for i := range each {
				l.Unauthenticated(Attempt{
					Door: []string{"mcp", "proxy"}[i%2], Remote: fmt.Sprintf("10.%d.%d.7:4711", i/256%256, i%256),
					Err: porterhouse.Errorf(porterhouse.Unauthenticated, "the token has expired"),
				})
			}
			time.Sleep(time.Minute)
		}
		end()
		list := ofKind(entries(t, c.Path), "unauthenticated")
		if len(list) > minutes*(samplesEach+1)+1 {
			t.Errorf("%d lines in %d minutes", len(list), minutes)
		}
		samples, total := 0, 0
		for _, e := range list {
			if n, counted := e["count"]; counted {
				total += int(n.(float64))
				if by := e["by"].(map[string]any); len(by) != 2 {
					t.Errorf("counted by %v, want the two doors", by)
				}
				continue
			}
			samples++
			if e["remote"] == nil || e["door"] == nil || e["error"] != "unauthenticated" || e["reason"] != "the token has expired" {
				t.Errorf("a sample: %v", e)
			}
		}
		if samples != minutes*samplesEach || samples+total != minutes*each {
			t.Errorf("%d samples and %d counted, want %d attempts in all", samples, total, minutes*each)
		}
		if s := l.Stats(); s.Unauthenticated != minutes*each {
			t.Errorf("stats: %+v", s)
		}
	})
}

// Attempts that come as a number are counted as so many, whatever the number is.
func TestAttemptsByNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l, end := running(t)
		const many = 1 << 40
		for _, times := range []uint64{0, 1, many} {
			l.Unauthenticated(Attempt{Door: "mcp", Remote: "192.0.2.1", Times: times})
		}
		l.Unauthenticated(Attempt{Door: "mcp", Remote: "198.51.100.1", Times: 3})
		time.Sleep(time.Minute)
		end()
		samples, counted := 0, 0.0
		for _, e := range ofKind(entries(t, c.Path), "unauthenticated") {
			if n, is := e["count"].(float64); is {
				counted += n
			} else {
				samples++
			}
		}
		if samples != 2 || counted != 1+many+2 || l.Stats().Unauthenticated != 2+many+3 {
			t.Errorf("%d samples, %.0f counted, %+v", samples, counted, l.Stats())
		}
	})
}

// One network has one sample in a minute.
func TestSamplesOfOneNetwork(t *testing.T) {
	tests := []struct{ remote, network string }{
		{"192.0.2.17", "192.0.2.0/24"},
		{"192.0.2.99:443", "192.0.2.0/24"},
		{"::ffff:192.0.2.1", "192.0.2.0/24"},
		{"2001:db8:1:2::3", "2001:db8:1::/48"},
		{"[2001:db8:1:ffff::3]:80", "2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::/48"},
		{"", "?"},
		{"unix socket", "?"},
	}
	for _, test := range tests {
		if got := network(test.remote); got != test.network {
			t.Errorf("network(%q) = %q, want %q", test.remote, got, test.network)
		}
	}
	var a attempts
	now := time.Now()
	for i, test := range tests {
		first := i == 0 || tests[i-1].network != test.network
		if got := a.sample(Attempt{Door: "mcp", Remote: test.remote}, now); got != first {
			t.Errorf("%q: sampled %v, want %v", test.remote, got, first)
		}
	}
}

// The words that a fold counts by are bounded, too.
func TestFoldIsBounded(t *testing.T) {
	var f fold
	for i := range 1000 {
		f.add(time.Now(), fmt.Sprint("door", i), 1)
	}
	if len(f.by) != maxTallied+1 || f.by["other"] != 1000-maxTallied || f.count != 1000 {
		t.Errorf("%d words, %d others, %d in all", len(f.by), f.by["other"], f.count)
	}
}
