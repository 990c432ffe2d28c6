package directory

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
)

// State is what outlives a configuration: the accounts found lately, and who is
// finding one now. Its size is bounded. It is safe for concurrent use, by the
// Directories of several clusters at once.
type State struct {
	generations atomic.Uint64
	hits        atomic.Uint64
	misses      atomic.Uint64
	refused     atomic.Uint64

	mu sync.RWMutex
	// Answers are in two halves: when the newer one is full, the older is dropped.
	newer, older map[question]*answer
	half         int
	flights      map[home]*flight

	// Each account has one of the versions, and shares it with some others: a
	// change of one ends the answers of all, which costs them a look and no more.
	versions [4096]atomic.Uint64
	seed     maphash.Seed
}

// Stats counts what State has seen.
type Stats struct {
	Hits     uint64 // accounts that were known
	Misses   uint64 // accounts that were looked for
	Refused  uint64 // of these: refused
	Answers  int    // that are kept
	Pending  int    // that are looked for now
	Capacity int    // how many answers are kept at most
}

// defaultPeople is how many answers are kept: one for each person, client, token
// and cluster. Each takes about 600 bytes beside its groups.
const defaultPeople = 50_000

// NewState makes one that keeps that many answers; 0: 50,000.
func NewState(people int) *State {
	if people <= 0 {
		people = defaultPeople
	}
	return &State{
		newer:   map[question]*answer{},
		half:    (people + 1) / 2,
		flights: map[home]*flight{},
		seed:    maphash.MakeSeed(),
	}
}

// Stats tells the counts.
func (s *State) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Stats{
		Hits:     s.hits.Load(),
		Misses:   s.misses.Load(),
		Refused:  s.refused.Load(),
		Answers:  len(s.newer) + len(s.older),
		Pending:  len(s.flights),
		Capacity: 2 * s.half,
	}
}

// question is all that an account follows from, beside the rules, the groups and
// what is stored. The tokens of one person are told apart by when they were issued.
type question struct {
	cluster, proof, issuer, subject, user, client string
	seconds                                       int64
	nanoseconds                                   int
}

func ask(who porterhouse.Principal, at porterhouse.Entry) question {
	return question{at.Cluster, who.Proof, who.Issuer, who.Subject, who.User, who.Client, who.Issued.Unix(), who.Issued.Nanosecond()}
}

// answer is an account, or its refusal, as it was found.
type answer struct {
	account    porterhouse.Account
	err        error
	generation uint64 // of the rules
	groups     []string
	until      time.Time
	version    *atomic.Uint64 // of the account's groups; seen is what it was
	seen       uint64
}

// home is the account of a person itself, whichever persona of it acts.
type home struct{ cluster, base string }

// version returns the counter that an account's groups change.
func (s *State) version(h home) *atomic.Uint64 {
	return &s.versions[maphash.Comparable(s.seed, h)%uint64(len(s.versions))]
}

// recall finds the answer to a question, as long as nothing has changed.
func (s *State) recall(asked question, generation uint64, who porterhouse.Principal, now time.Time) (*answer, bool) {
	s.mu.RLock()
	a, fresh := s.newer[asked]
	if !fresh {
		a = s.older[asked]
	}
	s.mu.RUnlock()
	if a == nil || a.generation != generation || !now.Before(a.until) || a.seen != a.version.Load() ||
		!slices.Equal(a.groups, who.Groups) {
		return nil, false
	}
	if !fresh {
		s.remember(asked, a)
	}
	s.hits.Add(1)
	return a, true
}

// remember keeps an answer, and forgets the oldest when there are too many.
func (s *State) remember(asked question, a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.newer) >= s.half {
		s.older, s.newer = s.newer, make(map[question]*answer, s.half)
	}
	delete(s.older, asked)
	s.newer[asked] = a
}

// answer makes an answer of what a search found.
func (s *State) answer(f *flight, account porterhouse.Account, err error, until time.Time) *answer {
	version := s.version(f.home)
	return &answer{
		account: account, err: err, generation: f.generation, groups: f.who.Groups,
		until: until, version: version, seen: version.Load(),
	}
}

// count takes note of how a search ended.
func (s *State) count(err error) {
	s.misses.Add(1)
	if isRefused(err) {
		s.refused.Add(1)
	}
}

// flight is one search for an account; of a home there is one at a time, so that
// what it finds and what ClickHouse is told stay in order.
type flight struct {
	inquiry
	home       home
	asked      question
	generation uint64
	done       chan struct{} // closed at the end
	err        error         // once done
}

// board joins the search for the account of a home, or begins with this one.
func (s *State) board(mine *flight) (f *flight, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, underway := s.flights[mine.home]; underway {
		return f, false
	}
	s.flights[mine.home] = mine
	return mine, true
}

// land ends a search.
func (s *State) land(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flights, f.home)
	close(f.done)
}

// asksAs reports whether two searches are for the same.
func (f *flight) asksAs(other *flight) bool {
	return f.asked == other.asked && f.generation == other.generation && slices.Equal(f.who.Groups, other.who.Groups)
}
