package authserver

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"porterhouse/kv"
	"porterhouse/seal"
)

// devices keeps the requests of programs that have no browser (RFC 8628) while a
// person agrees to them on another screen. Each has two codes, and is found by either:
//
//	device/<SHA-256 of the device code>     the request, and what became of it
//	usercode/<HMAC of its first half>       which request; HMAC of the whole; wrong guesses
//
// What became of it is decided once, by kv.Swap: of two people who answer, or two
// programs that come with the code, one wins.
type devices struct {
	store kv.Store
	sums  *seal.Box // of user codes: they are too short to be hashed without a key
	life  time.Duration
	now   func() time.Time
	begun *limiter // of all networks together
	polls *limiter // by device code
}

// newDevices makes them; c is checked and has its defaults.
func newDevices(c Config) (*devices, error) {
	sums, err := c.Key.For("user code")
	if err != nil {
		return nil, fmt.Errorf("authserver: %w", err)
	}
	return &devices{
		store: c.Store, sums: sums, life: c.Lifetimes.Device, now: c.Now,
		begun: newLimiter(c.Lifetimes.Device/maxDevices, maxDevices, c.Now),
		polls: newLimiter(devicePolling-time.Second, 1, c.Now), // clocks and networks are not exact
	}, nil
}

// deviceRequest is what a program asked for, and what became of it.
type deviceRequest struct {
	Client   string        `json:"client"`
	Scopes   []string      `json:"scopes"`
	Resource string        `json:"resource"`
	Remote   string        `json:"remote"` // address that it was asked from
	Asked    time.Time     `json:"asked"`
	Expires  time.Time     `json:"expires"`
	Verdict  deviceVerdict `json:"verdict,omitempty"`
	Who      *person       `json:"who,omitempty"`    // who agreed
	Family   string        `json:"family,omitempty"` // of the refresh tokens that may come of it
}

// storedDevice is a request as it is in the store.
type storedDevice struct {
	deviceRequest
	key    string
	record []byte
}

// deviceVerdict is what became of a request.
type deviceVerdict string

// The verdicts; none is there while nobody has answered.
const (
	deviceAgreed  deviceVerdict = "agreed"
	deviceRefused deviceVerdict = "refused"
	deviceUsed    deviceVerdict = "used" // the program has its tokens
)

// userCode is the way from what a person types to the request.
type userCode struct {
	Device string `json:"device"` // key of the request
	Sum    []byte `json:"sum"`
	Wrong  int    `json:"wrong"` // guesses of which only the first half was right
}

const (
	devicePrefix     = "phd_"
	devicePolling    = 5 * time.Second  // between two questions of a program
	maxDevices       = 1000             // that wait for an answer, or twice as many after a rush
	maxWrongHalves   = 5                // then a user code is dead
	deviceAfterwards = 10 * time.Minute // in which an ended request is still known to have ended
	userCodeTries    = 20
)

// errUserCode says that there is no request for a user code.
var errUserCode = errors.New("no request has this user code")

// begin keeps a request, and returns its codes.
func (d *devices) begin(ctx context.Context, r deviceRequest) (deviceCode, code string, err error) {
	if !d.begun.takeKey("") {
		return "", "", refuse("temporarily_unavailable", "too many devices wait for an answer; try again in a minute")
	}
	r.Asked = d.now()
	r.Expires = r.Asked.Add(d.life)
	deviceCode = devicePrefix + base64.RawURLEncoding.EncodeToString(randomBytes(32))
	if code, err = d.reserve(ctx, stored("device", deviceCode)); err != nil {
		return "", "", err
	}
	record, err := json.Marshal(r)
	if err != nil {
		return "", "", fmt.Errorf("authserver: a device's request: %w", err)
	}
	return deviceCode, code, d.store.Put(ctx, stored("device", deviceCode), record, d.life+deviceAfterwards)
}

// reserve finds a user code whose first half nobody has at the moment.
func (d *devices) reserve(ctx context.Context, device string) (string, error) {
	for range userCodeTries {
		code := newUserCode()
		entry, err := json.Marshal(userCode{Device: device, Sum: d.sums.Sum("user code", code)})
		if err != nil {
			return "", fmt.Errorf("authserver: a user code: %w", err)
		}
		if won, err := d.store.Swap(ctx, d.userCodeKey(code), nil, entry, d.life); err != nil || won {
			return code, err
		}
	}
	return "", refuse("temporarily_unavailable", "too many devices wait for an answer; try again in a minute")
}

// find returns the request of a user code that nobody has answered yet, or
// errUserCode. A code of which only the first half is right has been guessed: after
// a few such guesses it is dead. Whoever asks bounds how often anybody may.
func (d *devices) find(ctx context.Context, code string) (storedDevice, error) {
	entry, err := d.store.Get(ctx, d.userCodeKey(code))
	if err != nil {
		return storedDevice{}, missing(err)
	}
	var found userCode
	if err := json.Unmarshal(entry, &found); err != nil {
		return storedDevice{}, fmt.Errorf("authserver: a user code in the store: %w", err)
	}
	if found.Wrong >= maxWrongHalves {
		return storedDevice{}, errUserCode
	}
	if !hmac.Equal(found.Sum, d.sums.Sum("user code", code)) {
		return storedDevice{}, d.countWrong(ctx, code, entry, found)
	}
	r, err := d.read(ctx, found.Device)
	switch {
	case err != nil:
		return storedDevice{}, missing(err)
	case r.Verdict != "" || !d.now().Before(r.Expires):
		return storedDevice{}, errUserCode
	}
	return r, nil
}

// countWrong notes a wrong guess. When another one was noted at the same time, that counts.
func (d *devices) countWrong(ctx context.Context, code string, entry []byte, found userCode) error {
	found.Wrong++
	counted, err := json.Marshal(found)
	if err != nil {
		return fmt.Errorf("authserver: a user code: %w", err)
	}
	if _, err := d.store.Swap(ctx, d.userCodeKey(code), entry, counted, d.life); err != nil {
		return err
	}
	return errUserCode
}

// redeem returns the request of a device code that a person has agreed to, and uses
// the code up. With errUsedCode, too, the request is there; other refusals are a
// *problem. A code that another client brings is in the wrong hands, and used up.
func (d *devices) redeem(ctx context.Context, deviceCode, client string) (deviceRequest, error) {
	was, err := d.read(ctx, stored("device", deviceCode))
	if errors.Is(err, kv.ErrNotFound) {
		return deviceRequest{}, refuse("invalid_grant", "there is no such device code, or it ended long ago; begin the sign-in anew").because(err)
	} else if err != nil {
		return deviceRequest{}, err
	}
	if err := was.waits(client, d.now()); err != nil {
		return was.deviceRequest, err
	}
	used := was.deviceRequest
	used.Verdict = deviceUsed
	switch won, err := d.change(ctx, was, used); {
	case err != nil:
		return used, err
	case !won:
		return used, errUsedCode
	case used.Client != client:
		return used, refuse("invalid_grant", "the device code was made for another client, and is used up now")
	}
	return used, nil
}

// putBack makes a device code that redeem has just used up good again; it ends when it
// would have.
func (d *devices) putBack(ctx context.Context, deviceCode string, used deviceRequest) error {
	record, err := json.Marshal(used)
	if err != nil {
		return fmt.Errorf("authserver: a device's request: %w", err)
	}
	agreed := used
	agreed.Verdict = deviceAgreed
	_, err = d.change(ctx, storedDevice{key: stored("device", deviceCode), record: record}, agreed)
	return err
}

// waits says why a request gives nothing, yet or for ever. That it is another
// client's is no reason to leave it as it is.
func (r deviceRequest) waits(client string, now time.Time) error {
	switch {
	case r.Verdict == deviceUsed:
		return errUsedCode
	case r.Client != client:
		return nil
	case r.Verdict == deviceRefused:
		return refuse("access_denied", "the person did not agree")
	case !now.Before(r.Expires):
		return refuse("expired_token", "nobody agreed in time; begin the sign-in anew")
	case r.Verdict == deviceAgreed:
		return nil
	}
	return refuse("authorization_pending", "nobody has agreed yet; ask again in %d seconds", int(devicePolling.Seconds()))
}

// authorization is what was agreed to, as codes have it.
func (r deviceRequest) authorization() authorization {
	a := authorization{Client: r.Client, Scopes: r.Scopes, Resource: r.Resource, Family: r.Family}
	if r.Who != nil {
		a.Who = *r.Who
	}
	return a
}

// change writes what became of a request; false: it was changed in between.
func (d *devices) change(ctx context.Context, was storedDevice, now deviceRequest) (bool, error) {
	record, err := json.Marshal(now)
	if err != nil {
		return false, fmt.Errorf("authserver: a device's request: %w", err)
	}
	return d.store.Swap(ctx, was.key, was.record, record, max(now.Expires.Sub(d.now()), 0)+deviceAfterwards)
}

// read returns a request, or kv.ErrNotFound.
func (d *devices) read(ctx context.Context, key string) (storedDevice, error) {
	r := storedDevice{key: key}
	var err error
	if r.record, err = d.store.Get(ctx, key); err != nil {
		return r, err
	}
	if err := json.Unmarshal(r.record, &r.deviceRequest); err != nil {
		return r, fmt.Errorf("authserver: a device's request in the store: %w", err)
	}
	return r, nil
}

func (d *devices) userCodeKey(code string) string {
	return "usercode/" + hex.EncodeToString(d.sums.Sum("first half", code[:userCodeHalf]))
}

// missing is errUserCode for what is not there.
func missing(err error) error {
	if errors.Is(err, kv.ErrNotFound) {
		return errUserCode
	}
	return err
}
