package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"porterhouse"
)

// Grant says whom a new token is for, and until when.
type Grant struct {
	User         string    // the person: an e-mail address, mostly
	Client       string    // the program it will be used from; "": not said
	Expires      time.Time // in the future; full seconds count
	AllowForever bool      // instead of Expires: a token that never ends
}

// remembered is how long an ended token stays in the file, so that an audit
// record of its last day can still be explained.
const remembered = 365 * 24 * time.Hour

// Create issues a token. The Secret is the token itself: it is kept nowhere, so
// this is the only time that it can be shown.
func (t *Tokens) Create(g Grant) (porterhouse.Secret, Token, error) {
	now := t.now().UTC().Truncate(time.Second)
	issued, err := g.token(now)
	if err != nil {
		return porterhouse.Secret{}, Token{}, err
	}
	var text string
	err = t.update(func(file *document) error {
		if err := onlySpelling(file.Tokens, issued.User, now); err != nil {
			return err
		}
		text = mint()
		issued.ID = text[len(tokenPrefix):idEnd]
		file.Tokens = append(forget(file.Tokens, now), record{issued, digestOf(text)})
		return nil
	})
	if err != nil {
		return porterhouse.Secret{}, Token{}, err
	}
	return porterhouse.NewSecret(text), issued, nil
}

// token checks g and fills in everything but the id.
func (g Grant) token(now time.Time) (Token, error) {
	user := norm.NFC.String(g.User)
	if _, err := porterhouse.ParseUserName(user); err != nil {
		return Token{}, fmt.Errorf("user: %w", err)
	}
	if err := checkClient(g.Client); err != nil {
		return Token{}, err
	}
	expires := g.Expires.UTC().Truncate(time.Second)
	switch {
	case g.AllowForever && !g.Expires.IsZero():
		return Token{}, errors.New("a token either expires or is good forever, not both")
	case g.AllowForever:
		expires = time.Time{}
	case g.Expires.IsZero():
		return Token{}, errors.New("say when the token expires")
	case !expires.After(now):
		return Token{}, fmt.Errorf("the token would have expired already, on %s", expires.Format(time.RFC3339))
	}
	return Token{User: user, Client: g.Client, Created: now, Expires: expires}, nil
}

// onlySpelling refuses a user whom a good token names in other letters: the
// two would count as two people, with two accounts, and look like one.
func onlySpelling(tokens []record, user string, now time.Time) error {
	for _, r := range tokens {
		if _, ended := r.ended(now); !ended && r.User != user && strings.EqualFold(r.User, user) {
			return fmt.Errorf("there is a token for %q, and %q would be another person: write the name in the same letters, or revoke token %s first", r.User, user, r.ID)
		}
	}
	return nil
}

// forget leaves out the tokens that ended long ago.
func forget(tokens []record, now time.Time) []record {
	return slices.DeleteFunc(tokens, func(r record) bool {
		at, ended := r.ended(now)
		return ended && now.Sub(at) > remembered
	})
}

// List returns all tokens, oldest first, ended ones too.
func (t *Tokens) List() ([]Token, error) {
	file, _, err := readDocument(t.path)
	if err != nil {
		return nil, err
	}
	tokens := make([]Token, len(file.Tokens))
	for i, r := range file.Tokens {
		tokens[i] = r.Token
	}
	return tokens, nil
}

// minPrefix is the shortest beginning of an id that Revoke takes.
const minPrefix = 4

// Revoke ends a token for good. which is its id, a beginning of the id that no
// other token shares, or the token itself. To revoke it twice is no error.
func (t *Tokens) Revoke(which string) (Token, error) {
	id, _, _ := strings.Cut(strings.TrimPrefix(which, tokenPrefix), "_")
	id = strings.ToUpper(id)
	if len(id) < minPrefix {
		return Token{}, fmt.Errorf("name the token by its id, or by at least the first %d characters of it", minPrefix)
	}
	var revoked Token
	err := t.update(func(file *document) error {
		r, err := find(file.Tokens, id)
		if err != nil {
			return err
		}
		if r.Revoked.IsZero() {
			r.Revoked = t.now().UTC().Truncate(time.Second)
		}
		revoked = r.Token
		return nil
	})
	return revoked, err
}

// find returns the one token whose id begins with prefix.
func find(tokens []record, prefix string) (*record, error) {
	var found *record
	for i := range tokens {
		switch {
		case !strings.HasPrefix(tokens[i].ID, prefix):
		case found != nil:
			return nil, fmt.Errorf("more than one token begins with %s: name more of the id", prefix)
		default:
			found = &tokens[i]
		}
	}
	if found == nil {
		return nil, errors.New("there is no such token; list the tokens to see their ids")
	}
	return found, nil
}
