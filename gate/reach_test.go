package gate

import (
	"os"
	"slices"
	"strings"
	"testing"

	"porterhouse"
)

// Who is in a group of a cluster's, or is named there, reaches it; nobody else does.
func TestWhoseAClusterIs(t *testing.T) {
	analysts := For{Groups: []string{"analysts", "staff"}, Users: []string{"bob@example.com"}}
	for name, c := range map[string]struct {
		of   For
		who  porterhouse.Principal
		want bool
	}{
		"everybody's":            {For{}, porterhouse.Principal{}, true},
		"in a group":             {analysts, porterhouse.Principal{User: "eve", Groups: []string{"x", "staff"}}, true},
		"in another group":       {analysts, porterhouse.Principal{User: "eve", Groups: []string{"Staff"}}, false},
		"named":                  {analysts, porterhouse.Principal{User: "bob@example.com"}, true},
		"named otherwise":        {analysts, porterhouse.Principal{User: "Bob@example.com"}, false},
		"named like a group":     {analysts, porterhouse.Principal{User: "staff"}, false},
		"in a group like a name": {analysts, porterhouse.Principal{Groups: []string{"bob@example.com"}}, false},
		"nobody":                 {analysts, porterhouse.Principal{}, false},
		"by users alone":         {For{Users: []string{"bob"}}, porterhouse.Principal{User: "eve", Groups: []string{"bob"}}, false},
		"by groups alone":        {For{Groups: []string{"staff"}}, porterhouse.Principal{User: "staff"}, false},
		"by its password":        {analysts, byPassword("bob"), false},
	} {
		if got := c.of.Admits(&c.who); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// three is a house with clusters of one ClickHouse: everybody's, Alice's, and one whose
// door is shut.
func three(t *testing.T) *house {
	return newHouse(t, func(c *Config) {
		main := c.Clusters["main"]
		hers, shut := main, main
		hers.For = For{Users: []string{alice.User}}
		shut.Doors = nil
		c.Clusters["hers"], c.Clusters["shut"] = hers, shut
	})
}

// A cluster of others is, to whoever does not reach it, one that is not there.
func TestClustersOfOthersAreNotThere(t *testing.T) {
	h := three(t)
	bob := porterhouse.Principal{Issuer: "test", Subject: "bob", User: "bob@example.com", Client: "a test"}
	if got := h.Reach(alice, "test"); !slices.Equal(got, []string{"hers", "main"}) {
		t.Errorf("Alice reaches %q", got)
	}
	if got := h.Reach(bob, "test"); !slices.Equal(got, []string{"main"}) {
		t.Errorf("Bob reaches %q", got)
	}
	if got := h.Reach(alice, "another door"); len(got) > 0 {
		t.Errorf("by a door that is shut Alice reaches %q", got)
	}
	for _, who := range []porterhouse.Principal{alice, bob} {
		refusals := map[string]bool{}
		for _, cluster := range []string{"hers", "shut", "none", "", strings.Repeat("x", 1<<20)} {
			if who.User == alice.User && cluster == "hers" {
				continue
			}
			q := question("SELECT 'mark_elsewhere'")
			q.Via.Cluster = cluster
			_, err := h.Query(t.Context(), who, q)
			kind, text := porterhouse.Explain(err)
			if kind != porterhouse.Denied || codeIn(err) != codeAccessDenied {
				t.Errorf("%s at %.10q: %v", who.User, cluster, err)
			}
			_, account := h.Account(t.Context(), who, q.Via.Entry)
			if _, same := porterhouse.Explain(account); same != text {
				t.Errorf("%s's account at %.10q: %v, and not %q", who.User, cluster, account, text)
			}
			refusals[text] = true
		}
		if len(refusals) != 1 || who.User == bob.User && refusals[notThere([]string{"main"}).(*porterhouse.Error).Public] == false {
			t.Errorf("%s can tell one refusal from another: %v", who.User, refusals)
		}
	}
	q := question("SELECT currentUser()")
	q.Via.Cluster = "hers"
	answer, err := h.Query(t.Context(), alice, q)
	check(t, err)
	check(t, answer.Body.Close())
	if h.asked(t, "mark_elsewhere") {
		t.Error("ClickHouse was asked what had been refused")
	}
	record, err := os.ReadFile(h.file)
	check(t, err)
	if s := h.record.Stats(); s.Refusals != 9 || s.Questions != 1 || !strings.Contains(string(record), `"cluster":"hers"`) || len(record) > 100<<10 {
		t.Errorf("the record has %d refusals and %d questions, in %d bytes", s.Refusals, s.Questions, len(record))
	}
}

// A door that leads to fewer clusters refuses in the same words, and it is recorded.
func TestADoorThatLeadsToFewerClusters(t *testing.T) {
	h := three(t)
	err := h.NotThere(alice, question("SELECT 1"), []string{"hers"})
	if kind, text := porterhouse.Explain(err); kind != porterhouse.Denied || !strings.HasSuffix(text, "you reach hers") || h.record.Stats().Refusals != 1 {
		t.Errorf("%v, %d refusals recorded", err, h.record.Stats().Refusals)
	}
	if _, text := porterhouse.Explain(h.NotThere(alice, question("SELECT 1"), nil)); !strings.Contains(text, "ask the operator") {
		t.Errorf("who reaches nothing is told %q", text)
	}
}

// A cluster for somebody without a name would be for whoever has none.
func TestAClusterForNobody(t *testing.T) {
	h := newHouse(t, nil)
	for _, f := range []For{{Users: []string{""}}, {Groups: []string{"a", ""}}} {
		_, err := New(Config{Audit: h.record, People: &People{}, Clusters: map[string]Cluster{"main": {
			Client: h.clusters["main"].Client, Directory: h.clusters["main"].Directory, For: f,
		}}})
		if err == nil || !strings.Contains(err.Error(), "without a name") {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
