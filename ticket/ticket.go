// Package ticket makes one-time tickets: the gate's own login, for one query, to
// a ClickHouse that asks our authenticator who is there.
//
//	Mint(claim) ──▶ ticket ──▶ ClickHouse ──▶ authenticator ──▶ Redeem(ticket, claim)
//	     │                                                          │
//	     └──▶ store: keyed hash of the ticket ──▶ fresh ── Swap ──▶ redeemed ──▶ nothing
//	                                              10 s              1 s
//
// The rule of the package: a ticket lets in once, for exactly the claim that it
// was minted for. ClickHouse may ask twice for one request (when an answer was
// lost), so within a second after it was redeemed the same ticket with the same
// claim is the same redemption.
//
// A ticket that comes with another claim is refused and stays good for its own:
// whoever has stolen it gains nothing by trying, and if trying used it up, he
// could stop the query that it was made for.
//
// The store's clock decides what is late, so gateways that share a store agree
// whatever their own clocks say. What the store holds lets nobody in.
package ticket

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
	"porterhouse/kv"
)

// Config is what a Desk is made of.
type Config struct {
	// Store is where tickets are until they are redeemed; that of all gateways
	// which ClickHouse may ask. For a gateway alone memory is best: a file syncs
	// to the disk twice for each ticket.
	Store kv.Store
	// Key is what the hashes in the store are keyed with: at least 32 bytes, the
	// same in all gateways that share the store. None: one is made up, which is
	// right for a gateway alone.
	Key porterhouse.Secret
}

// Claim is what a ticket is bound to. None of it may be empty.
type Claim struct {
	User          porterhouse.UserName // whom it lets in
	QueryID       string               // for which query; at most 128 bytes
	Authenticator string               // at which authenticator; at most 128 bytes
}

// Life is how long a ticket is good, and SameRedemption how long after it was
// redeemed the same call is let in again.
const (
	Life           = 10 * time.Second
	SameRedemption = 1 * time.Second
)

const (
	prefix    = "pht_"
	size      = 32 // bytes of chance in a ticket: 256 bits
	minKey    = 32 // bytes
	maxName   = 128
	storeName = "ticket/" // what keys in the store begin with
)

// What a stored record begins with, before the hash of the claim.
const (
	isFresh    byte = 'f'
	isRedeemed byte = 'r'
)

// encoding is that of a ticket: no character that Basic, a header or a URL
// would take for another.
var encoding = base64.RawURLEncoding

// Desk mints and redeems tickets. It is safe for concurrent use.
type Desk struct {
	store                          kv.Store
	seals                          sync.Pool // of *seal
	minted, redeemed, again, wrong atomic.Uint64
}

// New checks c.
func New(c Config) (*Desk, error) {
	key := []byte(c.Key.Reveal())
	switch {
	case c.Store == nil:
		return nil, errors.New("ticket: there is no store")
	case c.Key.IsZero():
		key = make([]byte, minKey)
		rand.Read(key)
	case len(key) < minKey:
		return nil, fmt.Errorf("ticket: the key has %d bytes, less than the %d that it must have", len(key), minKey)
	}
	return &Desk{
		store: c.Store,
		seals: sync.Pool{New: func() any { return &seal{mac: hmac.New(sha256.New, key)} }},
	}, nil
}

// Is reports whether a secret looks like a ticket. What does is nothing else, and
// is shown to nobody but Redeem.
func Is(secret string) bool { return strings.HasPrefix(secret, prefix) }

// Mint makes a ticket that is good once, for 10 seconds. The error is a
// *porterhouse.Error, or ctx's own.
func (d *Desk) Mint(ctx context.Context, c Claim) (porterhouse.Secret, error) {
	if err := c.check(); err != nil {
		return porterhouse.Secret{}, &porterhouse.Error{Kind: porterhouse.Internal, Public: "no login to ClickHouse could be made for this query", Err: err}
	}
	chance := make([]byte, size)
	rand.Read(chance)
	ticket := prefix + encoding.EncodeToString(chance)
	t := d.trace(ticket, c)
	if err := d.store.Put(ctx, t.place, t.record(isFresh), Life); err != nil {
		return porterhouse.Secret{}, err
	}
	d.minted.Add(1)
	return porterhouse.NewSecret(ticket), nil
}

// Redeem accepts a ticket for exactly its claim, once. The error is a
// *porterhouse.Error, Unauthenticated for every ticket that is not good, or
// ctx's own.
func (d *Desk) Redeem(ctx context.Context, secret string, c Claim) error {
	err := d.redeem(ctx, secret, c)
	if kind, _ := porterhouse.Explain(err); err != nil && kind == porterhouse.Unauthenticated {
		d.wrong.Add(1)
	}
	return err
}

func (d *Desk) redeem(ctx context.Context, secret string, c Claim) error {
	if err := c.check(); err != nil {
		return refuse(err)
	}
	if !wellFormed(secret) {
		return refuse(errors.New("it is not a ticket"))
	}
	t := d.trace(secret, c)
	found, err := d.store.Get(ctx, t.place)
	if err != nil {
		return unknown(err)
	}
	if len(found) != 1+len(t.claim) || !hmac.Equal(found[1:], t.claim) {
		return refuse(errors.New("the ticket was made for another user, query or authenticator"))
	}
	if found[0] == isRedeemed {
		d.again.Add(1)
		return nil
	}
	return d.punch(ctx, t)
}

// punch makes a fresh ticket a redeemed one. Who comes second, at the same
// moment and with the same claim, is let in with the first.
func (d *Desk) punch(ctx context.Context, t trace) error {
	redeemed := t.record(isRedeemed)
	done, err := d.store.Swap(ctx, t.place, t.record(isFresh), redeemed, SameRedemption)
	if err != nil {
		return err
	}
	if done {
		d.redeemed.Add(1)
		return nil
	}
	found, err := d.store.Get(ctx, t.place)
	if err != nil {
		return unknown(err)
	}
	if !hmac.Equal(found, redeemed) {
		return refuse(errors.New("the ticket was changed meanwhile"))
	}
	d.again.Add(1)
	return nil
}

// check refuses a claim that is open at one end: a ticket for any query is a password.
func (c Claim) check() error {
	switch {
	case c.User.IsZero():
		return errors.New("the claim names no user")
	case c.QueryID == "":
		return errors.New("the claim names no query: ClickHouse tells the authenticator of it only where its configuration forwards the header")
	case c.Authenticator == "":
		return errors.New("the claim names no authenticator")
	case len(c.QueryID) > maxName || len(c.Authenticator) > maxName:
		return fmt.Errorf("the query id or the authenticator's name has more than %d bytes", maxName)
	}
	return nil
}

// wellFormed reports whether a secret has the form of what Mint makes; what has
// not, costs no look into the store.
func wellFormed(secret string) bool {
	return Is(secret) && len(secret) == len(prefix)+encoding.EncodedLen(size)
}

// trace is what the store has of a ticket.
type trace struct {
	place string // its key there
	claim []byte // what follows the state in its value
}

// record is a ticket's value in the store.
func (t trace) record(state byte) []byte { return append([]byte{state}, t.claim...) }

// trace is that of a ticket for a claim.
func (d *Desk) trace(ticket string, c Claim) trace {
	s := d.seals.Get().(*seal)
	defer d.seals.Put(s)
	place := storeName + hex.EncodeToString(s.hash("ticket", ticket))
	return trace{place, s.hash("claim", ticket, c.User.String(), c.QueryID, c.Authenticator)}
}

// seal makes keyed hashes, one after the other. It is kept for the next ticket, because
// to begin with a key takes as long as the hash of a claim.
type seal struct {
	mac  hash.Hash
	text []byte
}

// hash is a keyed hash of some texts, none of which can reach into the next.
func (s *seal) hash(texts ...string) []byte {
	s.text = s.text[:0]
	for _, text := range texts {
		s.text = binary.BigEndian.AppendUint64(s.text, uint64(len(text)))
		s.text = append(s.text, text...)
	}
	s.mac.Reset()
	s.mac.Write(s.text)
	return s.mac.Sum(nil)
}

// unknown is the answer when the store has no such ticket, or cannot tell.
func unknown(err error) error {
	if errors.Is(err, kv.ErrNotFound) {
		return refuse(errors.New("no such ticket: it is late, was redeemed before, or was never made"))
	}
	return err
}

// refuse is the one answer to every ticket that is not good.
func refuse(why error) error {
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "the ticket is not good", Err: why}
}

// Stats counts tickets since New.
type Stats struct {
	Minted   uint64
	Redeemed uint64 // each counted once
	Again    uint64 // the same redemption, asked for again
	Refused  uint64
}

// Stats returns the counts so far.
func (d *Desk) Stats() Stats {
	return Stats{d.minted.Load(), d.redeemed.Load(), d.again.Load(), d.wrong.Load()}
}
