package gate

import (
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// A rule that cannot be meant is not accepted.
func TestRulesAreChecked(t *testing.T) {
	good := Rule{Name: "x", Queries: 1, Window: time.Hour}
	for want, change := range map[string]func(*Rule){
		"":                        func(*Rule) {},
		"no name":                 func(r *Rule) { r.Name = "" },
		"can be per person":       func(r *Rule) { r.Per = "planet" },
		"name the groups":         func(r *Rule) { r.Per = PerGroup },
		"negative":                func(r *Rule) { r.Bytes = -1 },
		"a window goes with":      func(r *Rule) { r.Queries = 0 },
		"and they with it":        func(r *Rule) { r.Window = 0 },
		"has a window of":         func(r *Rule) { r.Window = time.Millisecond },
		"limits nothing":          func(r *Rule) { *r = Rule{Name: "x"} },
		"at least one running":    func(r *Rule) { r.Queue = Queue{Waiting: 3} },
		"has a window of 8785h0m": func(r *Rule) { r.Window = maxWindow + time.Hour },
	} {
		r := good
		change(&r)
		err := r.check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v; want %q", r, err, want)
		}
	}
	if _, err := newRules([]Rule{good, good}); err == nil {
		t.Error("two rules have one name")
	}
	other := good
	other.Queries = 2
	known := map[string]Rule{}
	check(t, sameRules(known, Door{Rules: []Rule{good}}))
	check(t, sameRules(known, Door{Rules: []Rule{good}}))
	if err := sameRules(known, Door{Rules: []Rule{other}}); err == nil {
		t.Error("a rule says one thing here and another there")
	}
}

// A gate whose rules nobody could count, or that say two things, is not made.
func TestGateChecksItsRules(t *testing.T) {
	h := newHouse(t, nil)
	rule := Rule{Name: "r", Queries: 1, Window: time.Hour}
	other := rule
	other.Queries = 2
	make := func(windows *Windows, rules ...[]Rule) error {
		cluster := *h.clusters["main"]
		cluster.Doors = map[string]Door{}
		for i, r := range rules {
			d := h.clusters["main"].Doors["test"]
			d.Rules = r
			cluster.Doors[string(rune('a'+i))] = d
		}
		_, err := New(Config{Clusters: map[string]Cluster{"main": cluster}, Audit: h.record, People: &People{}, Windows: windows})
		return err
	}
	check(t, make(NewWindows(WindowsConfig{}), []Rule{rule}, []Rule{rule}))
	for want, err := range map[string]error{
		"no Windows to count in":            make(nil, []Rule{rule}),
		"says something else":               make(NewWindows(WindowsConfig{}), []Rule{rule}, []Rule{other}),
		`door "a": rule "r" limits nothing`: make(nil, []Rule{{Name: "r"}}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// Whom a rule fits, and who shares what it allows.
func TestWhomRulesFit(t *testing.T) {
	erin := porterhouse.Principal{Issuer: "i", Subject: "erin", User: "erin@x", Client: "grafana", Groups: []string{"support", "analysts"}}
	for name, c := range map[string]struct {
		rule    Rule
		subject string
		fits    bool
	}{
		"everybody":               {Rule{}, "i\x00erin", true},
		"together":                {Rule{Per: PerRule}, "", true},
		"a group of hers":         {Rule{Groups: []string{"analysts"}}, "i\x00erin", true},
		"the first in the list":   {Rule{Groups: []string{"nobody", "analysts", "support"}, Per: PerGroup}, "analysts", true},
		"no group of hers":        {Rule{Groups: []string{"admins"}}, "", false},
		"another case":            {Rule{Groups: []string{"Analysts"}}, "", false},
		"her name":                {Rule{People: []string{"bob@x", "erin@x"}}, "i\x00erin", true},
		"another name":            {Rule{People: []string{"bob@x"}}, "", false},
		"her client":              {Rule{Clients: []string{"grafana"}, Per: PerClient}, "grafana", true},
		"another client":          {Rule{Clients: []string{"dbt"}}, "", false},
		"her group, other client": {Rule{Groups: []string{"analysts"}, Clients: []string{"dbt"}}, "", false},
	} {
		c.rule.Name, c.rule.Time = "x", time.Second
		ready, err := newRules([]Rule{c.rule})
		check(t, err)
		if subject, ok := ready[0].fits(&erin); subject != c.subject || ok != c.fits {
			t.Errorf("%s: %q, %v", name, subject, ok)
		}
	}
}

// Of all limits that fit the tightest holds, and it is told whose it is; places are
// taken from those that few share to those that many do.
func TestTightestLimitHolds(t *testing.T) {
	q := Queue{Running: 1, Waiting: 1, Wait: time.Second}
	d, err := newDoor(Door{
		Limits: porterhouse.Limits{Time: time.Minute}, Queue: q, Pass: Pass{Format: true},
		Rules: []Rule{
			{Name: "all", Per: PerRule, Queue: q, Time: time.Hour},
			{Name: "team", Per: PerGroup, Groups: []string{"g"}, Queue: q, Time: time.Second, Answer: 100},
			{Name: "b", Queue: q, Answer: 10},
			{Name: "others", People: []string{"bob"}, Time: time.Millisecond},
			{Name: "a", Queue: q, Bytes: 5, Window: time.Hour},
		},
	})
	check(t, err)
	b := d.bounds(&porterhouse.Principal{Subject: "alice", User: "alice", Groups: []string{"g"}}, porterhouse.Limits{}, nil)
	if b.limits != (porterhouse.Limits{Time: time.Second, Bytes: 10}) || b.timeOf.Name != "team" || b.answerOf.Name != "b" {
		t.Errorf("%+v of %v and %v", b.limits, b.timeOf, b.answerOf)
	}
	var order []string
	for _, p := range b.places {
		order = append(order, p.key.rule)
	}
	if got := strings.Join(order, " "); got != " a b team all" || len(b.tab.claims) != 1 {
		t.Errorf("places in%s, %d windows", got, len(b.tab.claims))
	}
}
