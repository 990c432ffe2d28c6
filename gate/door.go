package gate

import (
	"fmt"

	"porterhouse"
)

// Door is what one door lets pass to one cluster, and how much of it.
type Door struct {
	Limits porterhouse.Limits // the widest that an answer can have; Time is needed, for rows all are
	Queue  Queue              // how many questions one person may have at once
	Rules  []Rule             // further limits: all that fit a question hold
	Allow  Allow              // what the operator lets pass the statement check
	Pass   Pass               // what passes at this door without being named
}

// door is a Door, ready to be asked.
type door struct {
	Door
	judge judge
	rules []rule
}

// newDoor checks d.
func newDoor(d Door) (door, error) {
	if l := d.Limits; l.Time <= 0 || !d.Pass.Format && (l.Rows <= 0 || l.Bytes <= 0 || l.Memory <= 0) || min(l.Rows, l.Bytes, l.Memory) < 0 {
		return door{}, fmt.Errorf("every limit must be positive, have %+v", l)
	}
	if err := d.Queue.check(); err != nil {
		return door{}, err
	}
	if err := d.Allow.check(); err != nil {
		return door{}, err
	}
	rules, err := newRules(d.Rules)
	return door{d, newJudge(d.Pass, d.Allow), rules}, err
}

// counts reports whether a rule of the door counts within windows.
func (d *door) counts() bool {
	for i := range d.rules {
		if d.rules[i].counts() {
			return true
		}
	}
	return false
}

// sameRules reports a rule that is not the same at two doors although it has one name.
func sameRules(known map[string]Rule, d Door) error {
	for _, r := range d.Rules {
		if other, is := known[r.Name]; is && fmt.Sprintf("%#v", other) != fmt.Sprintf("%#v", r) {
			return fmt.Errorf("the rule %q says something else at another door: give it another name", r.Name)
		}
		known[r.Name] = r
	}
	return nil
}
