package idp

import (
	"slices"
	"sync"
)

// knowledge is what an issuer knows of people and of opaque tokens.
type knowledge struct {
	mu     sync.Mutex
	opaque map[string]Claims // by token: what it stands for
	people []Person
}

// register makes token stand for claims.
func (k *knowledge) register(token string, claims Claims) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opaque[token] = claims
	return token
}

// Amend changes what the endpoints say of a token; a nil value leaves the claim out.
func (k *knowledge) Amend(token string, changes Claims) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opaque[token] = k.opaque[token].and(changes)
}

// Know makes a person known, instead of any with the same subject.
func (k *knowledge) Know(p Person) {
	k.mu.Lock()
	defer k.mu.Unlock()
	others := slices.DeleteFunc(slices.Clone(k.people), func(other Person) bool { return other.Subject == p.Subject })
	k.people = append(others, p)
}

// person is the one whom is true of.
func (k *knowledge) person(whom func(Person) bool) (Person, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at := slices.IndexFunc(k.people, whom); at >= 0 {
		return k.people[at], true
	}
	return Person{}, false
}

// Revoke makes the endpoints forget a token.
func (k *knowledge) Revoke(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.opaque, token)
}

func withSubject(subject string) func(Person) bool {
	return func(p Person) bool { return p.Subject == subject }
}
