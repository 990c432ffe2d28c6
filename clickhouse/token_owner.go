package clickhouse

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"porterhouse"
)

// owners knows whose tokens are, in ClickHouse's own words.
//
// The account that was judged and recorded is what our rules make of a token, and the
// one that runs is what ClickHouse makes of it. So ClickHouse is asked who that is, once
// for a token and again when the answer is old, and no statement goes on under another
// name: it would have the person's rights where a lesser account was meant.
type owners struct {
	errands errands
	now     func() time.Time

	mu    sync.Mutex
	known map[[sha256.Size]byte]owner // by the token's hash: a token is nothing to keep
}

// owner is whom ClickHouse took a token's bearer for.
type owner struct {
	user  string
	until time.Time // when it is asked again
}

const (
	// ownerTime is how long ClickHouse's word about a token is good: it may be told to
	// read tokens otherwise.
	ownerTime = time.Minute

	// maxOwners bounds how many tokens are known. Who falls out is asked for again.
	maxOwners = 10_000
)

// ownerSQL asks whom ClickHouse takes the bearer for, and says so in its log.
const ownerSQL = "SELECT currentUser() /* Porterhouse makes sure whose the token is */"

func newOwners(e errands) *owners {
	return &owners{errands: e, now: time.Now, known: map[[sha256.Size]byte]owner{}}
}

// check refuses a token that ClickHouse takes for another's than the account's.
func (o *owners) check(ctx context.Context, as porterhouse.Account) error {
	token := sha256.Sum256([]byte(as.Token.Reveal()))
	user, known := o.of(token)
	if !known {
		var err error
		if user, err = o.ask(ctx, as); err != nil {
			return err
		}
		o.keep(token, user)
	}
	if user == as.User.String() {
		return nil
	}
	return &porterhouse.Error{Kind: porterhouse.Refused, Err: fmt.Errorf("ClickHouse takes the token for %q", user),
		Public: fmt.Sprintf("ClickHouse takes your token for another account than %q, which Porterhouse's rules give you here, so the statement was not sent; "+
			"tell the operator: with the access mode forward both have to make the same name of a token, and an agent cannot have an account of its own", as.User)}
}

// of returns whose a token is, if that was asked a short while ago.
func (o *owners) of(token [sha256.Size]byte) (user string, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, known := o.known[token]
	return found.user, known && o.now().Before(found.until)
}

// keep remembers whose a token is.
func (o *owners) keep(token [sha256.Size]byte, user string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for other := range o.known {
		if len(o.known) < maxOwners {
			break
		}
		delete(o.known, other) // whichever comes first
	}
	o.known[token] = owner{user, o.now().Add(ownerTime)}
}

// ask asks ClickHouse whose the token is.
func (o *owners) ask(ctx context.Context, as porterhouse.Account) (string, error) {
	answer, err := o.errands.bare(ctx, bearer(as.Token), ownerSQL)
	switch text, refused := errors.AsType[exceptionText](err); {
	case ctx.Err() != nil:
		kind, public := porterhouse.Explain(ctx.Err())
		return "", &porterhouse.Error{Kind: kind, Public: public, Err: err}
	case refused:
		return "", o.refused(text, as)
	case err != nil:
		return "", notLetIn(err) // nothing of the statement has left
	}
	row := tsvRows(answer)
	if len(row) != 1 || len(row[0]) != 1 {
		return "", strange(answer)
	}
	return row[0][0], nil
}

// refused makes the caller's error of ClickHouse's. A token that it does not let in is
// for the client to see: it may have a newer one.
func (o *owners) refused(text exceptionText, as porterhouse.Account) error {
	c := o.errands.client
	told, ok := errors.AsType[*porterhouse.Error](c.explain(text, &statement{way: byToken{client: c}, account: as, as: as.User}))
	if !ok {
		return text
	}
	if e, _ := parseException(string(text)); failedLogin[e.Code] && told.Kind != porterhouse.Unavailable {
		told.Kind, told.Code = porterhouse.Unauthenticated, authenticationFailed
	}
	return told
}
