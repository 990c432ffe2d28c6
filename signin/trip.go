package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"porterhouse/kv"
	"porterhouse/seal"
)

// trips are the journeys of browsers to providers and back. Nothing of them is stored
// but that one was used.
type trips struct {
	cookies cookies
	box     *seal.Box
	store   kv.Store
	back    func(provider string) string // the redirect URI there
	now     func() time.Time
}

// journey is what a browser carries while it is away at a provider: sealed, in a
// cookie whose name comes from the state, so that each tab has its own.
type journey struct {
	Trip     Trip      `json:"trip"`
	Provider string    `json:"provider"`
	Return   string    `json:"return"` // at most maxReturn bytes
	Started  time.Time `json:"started"`
}

const (
	tripLife     = 10 * time.Minute
	tripPart     = "trip-" // what the names of their cookies begin with
	tripStore    = "trip/" // what the keys of used ones begin with
	maxTrips     = 4       // of one browser at once
	maxTripBytes = 6 << 10 // of their cookies together: proxies refuse headers beyond 8 KiB
	maxTripValue = 4000    // bytes of one: browsers drop cookies beyond 4096 without a word
)

// errNoTrip says that a browser brings a state that it was not given, or too late.
var errNoTrip = errors.New("the browser has no cookie for this state, or it is too old")

// encoding is that of secrets in cookies and URLs.
var encoding = base64.RawURLEncoding.Strict()

// secret makes 256 bits of chance.
func secret() string {
	chance := make([]byte, 32)
	rand.Read(chance)
	return encoding.EncodeToString(chance)
}

func tripName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return tripPart + hex.EncodeToString(sum[:8])
}

// begin begins a journey: its cookie is set, and older ones beyond the bounds are
// taken away, the oldest first.
func (t *trips) begin(w http.ResponseWriter, r *http.Request, p Provider, returnTo string) (journey, error) {
	j := journey{
		Trip:     Trip{State: secret(), Nonce: secret(), Verifier: secret(), RedirectURI: t.back(p.Name)},
		Provider: p.Name,
		Return:   returnTo,
		Started:  t.now(),
	}
	plain, err := json.Marshal(j)
	if err != nil {
		return journey{}, err
	}
	name := tripName(j.Trip.State)
	value := encoding.EncodeToString(t.box.Seal(plain, name))
	if len(value) > maxTripValue {
		return journey{}, badReturn(fmt.Errorf("with it, the cookie has %d bytes, and a browser takes no more than %d", len(value), maxTripValue))
	}
	t.forget(w, r, maxTrips-1, maxTripBytes-len(value))
	t.cookies.set(w, name, value, int(tripLife.Seconds()))
	return j, nil
}

// forget leaves a browser the cookies of at most so many journeys and bytes.
func (t *trips) forget(w http.ResponseWriter, r *http.Request, most, bytes int) {
	type carried struct {
		name    string
		size    int
		started time.Time
	}
	var all []carried
	for _, c := range r.Cookies() {
		name, ours := strings.CutPrefix(c.Name, t.cookies.prefix)
		if !ours || !strings.HasPrefix(name, tripPart) {
			continue
		}
		j, _ := t.open(name, c.Value) // what cannot be opened counts as the oldest
		all = append(all, carried{name, len(c.Value), j.Started})
	}
	slices.SortFunc(all, func(a, b carried) int { return b.started.Compare(a.started) })
	for _, c := range all {
		if most, bytes = most-1, bytes-c.size; most < 0 || bytes < 0 || c.started.IsZero() {
			t.cookies.clear(w, c.name)
		}
	}
}

// open reads the cookie of a journey.
func (t *trips) open(name, value string) (j journey, err error) {
	sealed, err := encoding.DecodeString(value)
	if err != nil {
		return journey{}, err
	}
	plain, err := t.box.Open(sealed, name)
	if err != nil {
		return journey{}, err
	}
	if err := json.Unmarshal(plain, &j); err != nil {
		return journey{}, err
	}
	j.Trip.RedirectURI = t.back(j.Provider)
	if age := t.now().Sub(j.Started); age < -time.Minute || age >= tripLife {
		return journey{}, errNoTrip
	}
	return j, nil
}

// end returns the journey that a state belongs to, and takes its cookie away.
func (t *trips) end(w http.ResponseWriter, r *http.Request, state string) (journey, error) {
	name := tripName(state)
	value := t.cookies.get(r, name)
	if state == "" || value == "" {
		return journey{}, errNoTrip
	}
	t.cookies.clear(w, name)
	j, err := t.open(name, value)
	if err != nil {
		return journey{}, err
	}
	if subtle.ConstantTimeCompare([]byte(j.Trip.State), []byte(state)) != 1 {
		return journey{}, errNoTrip
	}
	return j, nil
}

// punch marks a journey as used. False: it was used before, or is being used. Only who
// holds the cookie gets here, and what is stored ends when the cookie would.
func (t *trips) punch(ctx context.Context, j journey) (bool, error) {
	return t.store.Swap(ctx, punchKey(j), nil, punched, 2*tripLife)
}

// unpunch takes the mark of punch back.
func (t *trips) unpunch(ctx context.Context, j journey) error {
	_, err := t.store.Swap(ctx, punchKey(j), punched, nil, 0)
	return err
}

var punched = []byte("used")

func punchKey(j journey) string {
	sum := sha256.Sum256([]byte(j.Trip.State))
	return tripStore + hex.EncodeToString(sum[:])
}
