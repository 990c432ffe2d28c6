package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"porterhouse"
	"porterhouse/directory"
	"porterhouse/gate"
)

// passwords remembers, for seconds, whose password was right, and how often a network
// was wrong. It outlives the configuration. ClickHouse is asked about each password
// that is not remembered:
//
//	denied? empty? ─▶ remembered? ─▶ too often wrong from there? ─▶ ClickHouse ─▶ remembered
//
// What is remembered is a keyed hash, and saves nothing but the question: the statement
// itself is sent with the password, so one that was changed ends at once.
type passwords struct {
	now func() time.Time
	key []byte

	mu       sync.Mutex
	right    map[[sha256.Size]byte]time.Time // until when
	networks map[string]*guesses
}

// guesses are the tries of one network.
type guesses struct {
	wrong *rate.Limiter
	turns chan struct{} // of those under way
}

const (
	passwordLife    = 10 * time.Second
	wrongAtOnce     = 20              // wrong passwords of one network before it has to wait …
	wrongInterval   = 6 * time.Second // … for one more
	triesAtOnce     = 4               // of one network: so many more can turn out to be wrong
	maxRemembered   = 10_000          // of each: passwords, and networks
	maxPasswordSize = 4 << 10         // bytes
)

func newPasswords(now func() time.Time) *passwords {
	key := make([]byte, sha256.Size)
	rand.Read(key) // never fails
	return &passwords{now: now, key: key, right: map[[sha256.Size]byte]time.Time{}, networks: map[string]*guesses{}}
}

// loginOf is who asks about passwords at one cluster.
type loginOf struct {
	*passwords
	cluster string
	ask     func(context.Context, porterhouse.UserName, porterhouse.Secret) error // ClickHouse itself
	people  *directory.Directory
}

// prove tells whose a user and a password are. Every refusal of either is the same to
// whoever tries.
func (l loginOf) prove(ctx context.Context, user porterhouse.UserName, password porterhouse.Secret, remote string) (porterhouse.Principal, error) {
	switch size := len(password.Reveal()); {
	case size == 0, size > maxPasswordSize:
		return porterhouse.Principal{}, wrongPassword("it is empty, or far too long")
	case l.people.Denies(user):
		return porterhouse.Principal{}, wrongPassword("nobody may act as this user")
	}
	known := l.digest(user, password)
	if !l.isRight(known) {
		if err := l.tryFrom(ctx, networkOf(remote), known, user, password); err != nil {
			return porterhouse.Principal{}, err
		}
	}
	return porterhouse.Principal{
		Issuer: gate.PasswordIssuer(l.cluster), Subject: user.String(), User: user.String(), Proof: gate.Password, Token: password, Issued: l.now(),
	}, nil
}

// tryFrom asks ClickHouse, unless the network was wrong too often.
func (l loginOf) tryFrom(ctx context.Context, network string, known [sha256.Size]byte, user porterhouse.UserName, password porterhouse.Secret) error {
	of := l.guessesOf(network)
	select {
	case of.turns <- struct{}{}:
		defer func() { <-of.turns }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.isRight(known) { // another has found out meanwhile
		return nil
	}
	if of.wrong.TokensAt(l.now()) < 1 {
		return &porterhouse.Error{
			Kind: porterhouse.Limited, RetryAfter: wrongInterval,
			Public: "too many wrong passwords came from your network; wait some seconds and try again",
		}
	}
	err := l.ask(ctx, user, password)
	if kind, _ := porterhouse.Explain(err); err != nil && kind == porterhouse.Unauthenticated {
		of.wrong.AllowN(l.now(), 1)
	}
	if err == nil {
		l.remember(known)
	}
	return err
}

func wrongPassword(why string) error {
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "the user or the password is not right", Err: errors.New(why)}
}

// digest stands for a user and a password, and tells neither.
func (l loginOf) digest(user porterhouse.UserName, password porterhouse.Secret) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, l.key)
	for _, text := range []string{l.cluster, user.String(), password.Reveal()} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text)))) // so that none reaches into the next
		mac.Write([]byte(text))
	}
	return [sha256.Size]byte(mac.Sum(nil))
}

func (p *passwords) isRight(known [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now().Before(p.right[known])
}

func (p *passwords) remember(known [sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if len(p.right) >= maxRemembered {
		for digest, until := range p.right {
			if !now.Before(until) {
				delete(p.right, digest)
			}
		}
	}
	if len(p.right) < maxRemembered {
		p.right[known] = now.Add(passwordLife)
	}
}

// guessesOf are those of a network. When there are too many networks, those that have
// nothing to be remembered for are forgotten, and then new ones count as one.
func (p *passwords) guessesOf(network string) *guesses {
	p.mu.Lock()
	defer p.mu.Unlock()
	if of := p.networks[network]; of != nil {
		return of
	}
	if len(p.networks) >= maxRemembered {
		now := p.now()
		for name, of := range p.networks {
			if len(of.turns) == 0 && of.wrong.TokensAt(now) >= wrongAtOnce {
				delete(p.networks, name)
			}
		}
	}
	if len(p.networks) >= maxRemembered {
		network = ""
	}
	of := p.networks[network]
	if of == nil {
		of = &guesses{rate.NewLimiter(rate.Every(wrongInterval), wrongAtOnce), make(chan struct{}, triesAtOnce)}
		p.networks[network] = of
	}
	return of
}

// networkOf is what one party is expected to have for itself: an IPv4 address, or 64
// bits of an IPv6 address. All that cannot be read are one network.
func networkOf(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return ""
	}
	address := at.Addr().Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	return netip.PrefixFrom(address, 64).Masked().String()
}
