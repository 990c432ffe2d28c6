package identity

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"porterhouse"
)

const (
	defaultVerdictLife = time.Minute
	refusalLife        = 5 * time.Second
	maxProved          = 1 << 16 // verdicts that prove somebody
	maxRefusals        = 1 << 13 // verdicts that refuse; anybody can cause one
	flightLife         = time.Minute
	clearingSample     = 8
)

// question is what a verdict answers: whom does this token prove to this
// processor, for this resource?
type question struct {
	token string
	key   verdictKey
}

// key tells r apart from every other resource.
func (r Resource) key() string {
	return strings.Join(append([]string{r.Door, r.Cluster}, r.Audiences...), "\x00")
}

// verdicts remembers answers for a while, so that a provider is asked once and not
// at every request. It is safe for concurrent use.
//
//	proved    until the processor's lifetime or the token's own end, whichever is first
//	refused   (or not mine) a few seconds, in a room of its own: no flood of wrong tokens can
//	          push out what is known of people
//	away      not at all
//
// Callers with the same question share one flight, and whoever leaves does not end
// it. Entries are found under an HMAC of the token with a key of this process, so
// the cache holds no token and nobody can aim at an entry.
type verdicts struct {
	now    func() time.Time
	hashes sync.Pool // of *hasher

	mu      sync.RWMutex
	proved  map[verdictKey]verdict
	refused map[verdictKey]verdict
	flights map[verdictKey]*flight
}

// verdictKey is the place of a verdict: no asker's is another's.
type verdictKey struct {
	asker digest // of a processor and a resource
	token digest
}

// verdict is an answer, until its end.
type verdict struct {
	who porterhouse.Principal // without Token
	err error                 // why it proves nobody
	end time.Time
}

// isRefusal reports whether the answer is a no that would be one again: to the
// token, to the person, or to the question whose it is.
func (v verdict) isRefusal() bool {
	kind, _ := porterhouse.Explain(v.err)
	return kind == porterhouse.Unauthenticated || kind == porterhouse.Refused || errors.Is(v.err, ErrNotMine)
}

// flight is an answer that is being found.
type flight struct {
	landed  chan struct{} // closed when the verdict is there
	verdict               // without an end
}

// asker finds the answer to a question.
type asker func(context.Context) (porterhouse.Principal, error)

// newVerdicts returns an empty cache; now nil: time.Now.
func newVerdicts(now func() time.Time) *verdicts {
	if now == nil {
		now = time.Now
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails: it ends the process instead
	return &verdicts{
		now:     now,
		hashes:  sync.Pool{New: func() any { return &hasher{Hash: hmac.New(sha256.New, key)} }},
		proved:  map[verdictKey]verdict{},
		refused: map[verdictKey]verdict{},
		flights: map[verdictKey]*flight{},
	}
}

// answer returns the verdict on q: a remembered one, that of a flight under way, or
// that of ask, which runs on when ctx ends, for at most a minute. life is that of a
// verdict that proves somebody; 0: 60 s; negative: none is remembered.
func (v *verdicts) answer(ctx context.Context, q question, life time.Duration, ask asker) (porterhouse.Principal, error) {
	if known, ok := v.recall(q.key); ok {
		return q.reply(known)
	}
	f := v.board(ctx, q.key, life, ask)
	select {
	case <-f.landed:
		return q.reply(f.verdict)
	case <-ctx.Done():
		return porterhouse.Principal{}, left(ctx)
	}
}

// answerHere is answer without a flight: ask runs in the caller's own goroutine. It
// is for verdicts that nobody outside is asked for, such as those on a signature.
func (v *verdicts) answerHere(ctx context.Context, q question, life time.Duration, ask asker) (porterhouse.Principal, error) {
	if known, ok := v.recall(q.key); ok {
		return q.reply(known)
	}
	var found verdict
	found.who, found.err = ask(ctx)
	v.mu.Lock()
	v.remember(q.key, found, life)
	v.mu.Unlock()
	return q.reply(found)
}

// hasher is a hash with room for what goes into it, so that a hit allocates nothing.
type hasher struct {
	hash.Hash
	text []byte
}

// asker is the half of a key that is a processor's: that of this name, the
// made-th in this process, and so of one configuration, for that resource.
func (v *verdicts) asker(name string, made uint64, r Resource) digest {
	return v.digest(name, strconv.FormatUint(made, 10), r.key())
}

// digest is that of several parts, with the key of this process. Their lengths keep
// apart what the parts could blur.
func (v *verdicts) digest(parts ...string) digest {
	h := v.hashes.Get().(*hasher)
	defer v.hashes.Put(h)
	h.Reset()
	h.text = h.text[:0]
	for _, part := range parts {
		h.text = binary.AppendUvarint(h.text, uint64(len(part)))
		h.text = append(h.text, part...)
	}
	h.Write(h.text)
	clear(h.text) // no token stays behind
	var sum digest
	h.Sum(sum[:0])
	return sum
}

// recall returns a verdict that has not ended.
func (v *verdicts) recall(key verdictKey) (verdict, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.look(key)
}

// look is recall, for who holds the lock.
func (v *verdicts) look(key verdictKey) (verdict, bool) {
	known, ok := v.proved[key]
	if !ok {
		known, ok = v.refused[key]
	}
	return known, ok && v.now().Before(known.end)
}

// reply is a verdict as one caller gets it: with the token, and groups of his own.
func (q question) reply(found verdict) (porterhouse.Principal, error) {
	if found.err != nil {
		return porterhouse.Principal{}, found.err
	}
	who := found.who
	who.Token = porterhouse.NewSecret(q.token)
	who.Groups = slices.Clone(who.Groups)
	return who, nil
}

// board joins the flight under way, or starts one. A flight may have landed since
// the caller looked for a verdict: then its verdict is there now.
func (v *verdicts) board(ctx context.Context, key verdictKey, life time.Duration, ask asker) *flight {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f, under := v.flights[key]; under {
		return f
	}
	f := &flight{landed: make(chan struct{})}
	if known, ok := v.look(key); ok {
		f.verdict = known
		close(f.landed)
		return f
	}
	v.flights[key] = f
	go v.fly(context.WithoutCancel(ctx), f, key, life, ask)
	return f
}

// fly finds the answer. A panic would end the process here, where no HTTP server
// stands above to catch it: it becomes the answer of this one flight.
func (v *verdicts) fly(ctx context.Context, f *flight, key verdictKey, life time.Duration, ask asker) {
	ctx, cancel := context.WithTimeout(ctx, flightLife)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			f.verdict = verdict{err: broken("a token processor panicked: %v\n%s", cause, debug.Stack())}
		}
		v.mu.Lock()
		v.remember(key, f.verdict, life)
		delete(v.flights, key)
		v.mu.Unlock()
		close(f.landed)
	}()
	f.err = broken("a token processor ended without an answer")
	f.who, f.err = ask(ctx)
}

// broken is the error of a processor that has a fault.
func broken(format string, args ...any) error {
	private := fmt.Errorf(format, args...)
	kind, public := porterhouse.Explain(private)
	return &porterhouse.Error{Kind: kind, Public: public, Err: private}
}

// remember keeps an answer, if it is one to keep. The caller holds the lock.
func (v *verdicts) remember(key verdictKey, found verdict, life time.Duration) {
	now := v.now()
	delete(v.proved, key)
	delete(v.refused, key)
	if found.err != nil {
		if found.isRefusal() {
			put(v.refused, maxRefusals, key, verdict{err: found.err, end: now.Add(refusalLife)})
		}
		return
	}
	found.end = now.Add(cmp.Or(life, defaultVerdictLife))
	if expires := found.who.Expires; !expires.IsZero() && expires.Before(found.end) {
		found.end = expires
	}
	if life < 0 || !now.Before(found.end) {
		return
	}
	found.who.Token = porterhouse.Secret{}
	found.who.Groups = slices.Clone(found.who.Groups)
	put(v.proved, maxProved, key, found)
}

// put writes a verdict. In a full room it replaces, of some others found at random,
// the one that ends first.
func put(room map[verdictKey]verdict, most int, key verdictKey, found verdict) {
	if len(room) >= most {
		var first verdictKey
		var end time.Time
		seen := 0
		for k, old := range room { // begins anywhere
			if end.IsZero() || old.end.Before(end) {
				first, end = k, old.end
			}
			if seen++; seen == clearingSample {
				break
			}
		}
		delete(room, first)
	}
	room[key] = found
}
