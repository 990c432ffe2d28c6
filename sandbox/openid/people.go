package openid

import (
	"fmt"
	"slices"
	"sync"
)

// people are those whom one can choose to be.
type people struct {
	all []Person

	mu       sync.Mutex
	disabled map[string]bool // by subject
}

// disable refuses a person from now on, or lets them in again.
func (p *people) disable(subject string, disabled bool) error {
	if !slices.ContainsFunc(p.all, func(o Person) bool { return o.Subject == subject }) {
		return fmt.Errorf("openid: there is nobody with the subject %q", subject)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disabled[subject] = disabled
	return nil
}

// find finds somebody who is let in.
func (p *people) find(subject string) (Person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.all, func(o Person) bool { return o.Subject == subject })
	if i < 0 || p.disabled[subject] {
		return Person{}, false
	}
	return p.all[i], true
}

// choice is a person as the page shows them.
type choice struct {
	Person
	Initial string
	Gone    bool // disabled
}

// choices are all of them.
func (p *people) choices() []choice {
	var list []choice
	for _, person := range p.all {
		_, here := p.find(person.Subject)
		c := choice{Person: person, Gone: !here}
		for _, r := range person.Name {
			c.Initial = string(r)
			break
		}
		list = append(list, c)
	}
	return list
}
