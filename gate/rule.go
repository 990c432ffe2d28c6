package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"porterhouse"
)

// Rule is a limit on a part of all questions. Every rule that fits a question holds,
// and each counts by itself. A rule of the same Name at several doors is one rule: what
// it allows is for all of them together.
//
// Nothing that a statement or a request can say lifts a rule: questions are counted
// here, bytes as they pass here, and the time ends here. What fits is decided by the
// proof that somebody brings: who shows the password of a ClickHouse user instead of a
// token has no groups and no client, and is another person to the rules.
//
// Windows are counted over all replicas that share a Store (see Windows); queues are
// each replica's own.
type Rule struct {
	Name string // for the person who meets it and the operator who wrote it

	// Whom it fits: who is in one of the Groups, is one of the People (as
	// porterhouse.Principal.User), and comes by one of the Clients. An empty list fits
	// everybody.
	Groups, People, Clients []string
	Per                     Per // who shares what the rule allows; "": PerPerson

	Queue   Queue         // the zero Queue does not bound
	Queries int64         // that begin within Window; 0: not bound
	Bytes   int64         // that answers and uploads have within Window; 0: not bound
	Window  time.Duration // needed by Queries and Bytes; windows begin at multiples of it, in UTC
	Time    time.Duration // of one question; 0: not bound
	Answer  int64         // bytes of one answer; 0: not bound
}

// Per says who shares what a rule allows.
type Per string

// Who may share it, from few to many.
const (
	PerPerson Per = "person" // nobody: each person has it
	PerClient Per = "client" // who comes by the same client
	PerGroup  Per = "group"  // who is in the same one of Groups; of several, the first in the rule's list
	PerRule   Per = "rule"   // everybody whom the rule fits
)

// sharers says in words who shares a rule, from few to many: places are taken in
// this order.
var sharers = []struct {
	per   Per
	words string
}{{PerPerson, " for each person"}, {PerClient, " for everybody who comes by the same client"}, {PerGroup, " for everybody in the same group"}, {PerRule, " for everybody together"}}

// breadth is the place of p among the sharers; -1: it is none of them.
func (p Per) breadth() int {
	for i, s := range sharers {
		if s.per == cmp.Or(p, PerPerson) {
			return i
		}
	}
	return -1
}

// The window of a rule.
const (
	minWindow = time.Second
	maxWindow = 366 * 24 * time.Hour
)

func (r Rule) check() error {
	switch {
	case r.Name == "":
		return fmt.Errorf("a rule has no name: whoever meets it must be told which it is")
	case r.Per.breadth() < 0:
		return fmt.Errorf("rule %q is per %q: it can be per person, client, group or rule", r.Name, r.Per)
	case r.Per == PerGroup && len(r.Groups) == 0:
		return fmt.Errorf("rule %q is per group: name the groups", r.Name)
	case r.Queries < 0 || r.Bytes < 0 || r.Time < 0 || r.Answer < 0:
		return fmt.Errorf("rule %q has a negative limit", r.Name)
	case r.counts() != (r.Window != 0):
		return fmt.Errorf("rule %q: a window goes with a number of queries or bytes, and they with it", r.Name)
	case r.counts() && (r.Window < minWindow || r.Window > maxWindow):
		return fmt.Errorf("rule %q has a window of %v: it can have %v to %v", r.Name, r.Window, minWindow, maxWindow)
	case !r.counts() && r.Queue == Queue{} && r.Time == 0 && r.Answer == 0:
		return fmt.Errorf("rule %q limits nothing", r.Name)
	case r.Queue != Queue{}:
		if err := r.Queue.check(); err != nil {
			return fmt.Errorf("rule %q: %w", r.Name, err)
		}
	}
	return nil
}

// counts reports whether the rule counts something within a window.
func (r Rule) counts() bool { return r.Queries > 0 || r.Bytes > 0 }

// rule is a Rule, ready to be asked.
type rule struct {
	Rule
	groups, people, clients map[string]int // where each stands in its list; empty: everybody fits
	shared                  string         // in words
}

// newRules prepares the rules of one door, in the order in which places are taken.
func newRules(all []Rule) ([]rule, error) {
	var ready []rule
	names := map[string]bool{}
	for _, r := range all {
		if err := r.check(); err != nil {
			return nil, err
		}
		if names[r.Name] {
			return nil, fmt.Errorf("two rules are called %q", r.Name)
		}
		names[r.Name] = true
		ready = append(ready, rule{r, index(r.Groups), index(r.People), index(r.Clients), sharers[r.Per.breadth()].words})
	}
	slices.SortFunc(ready, func(a, b rule) int {
		return cmp.Or(cmp.Compare(a.Per.breadth(), b.Per.breadth()), strings.Compare(a.Name, b.Name))
	})
	return ready, nil
}

func index(names []string) map[string]int {
	at := make(map[string]int, len(names))
	for i, name := range slices.Backward(names) {
		at[name] = i
	}
	return at
}

// fits reports whether the rule holds for who, and for whom it counts then.
func (r *rule) fits(who *porterhouse.Principal) (subject string, ok bool) {
	group := -1
	for _, g := range who.Groups {
		if at, in := r.groups[g]; in && (group < 0 || at < group) {
			group = at
		}
	}
	if group < 0 && len(r.groups) > 0 || !listed(r.people, who.User) || !listed(r.clients, who.Client) {
		return "", false
	}
	switch r.Per {
	case PerRule:
		return "", true
	case PerGroup:
		return r.Groups[group], true
	case PerClient:
		return who.Client, true
	}
	return who.Key(), true
}

// listed reports whether a list is empty, or has the name.
func listed(list map[string]int, name string) bool {
	_, in := list[name]
	return in || len(list) == 0
}
