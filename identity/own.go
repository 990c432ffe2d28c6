package identity

import (
	"context"
	"crypto/ecdsa"

	"porterhouse"
)

// OwnConfig is how the tokens of our own authorization server are known.
type OwnConfig struct {
	Issuer string
	// Key returns the public key with an id; an error is final.
	Key func(ctx context.Context, id string) (*ecdsa.PublicKey, error)
	// Scopes that a token needs at this resource, such as clickhouse:read.
	Scopes []string
}

// NewOwn makes the processor of access tokens of our own authorization server (typ
// at+jwt, ES256): the Principal is the one that its provider proved, with that
// provider's processor as Proof, so the same rules apply to it.
func NewOwn(c OwnConfig, r Resource, p *Providers) (Processor, error) { panic("not yet") }

// NewExchange makes the verifier of tokens that one client may exchange: of any of the
// processors, for one of the audiences, and nothing looser.
func NewExchange(settings []Settings, audiences []string, p *Providers) (*Verifier, error) {
	panic("not yet")
}

// Assertion is an identity assertion authorization grant (ID-JAG) that was verified.
type Assertion struct {
	Who      porterhouse.Principal // Expires is the assertion's
	ID       string                // jti
	Client   string                // client_id
	Resource string                // "": none named
	Scopes   []string
}

// Assertions verifies ID-JAGs (typ oauth-id-jag+jwt) that a processor's provider has
// signed for the issuer (ours, its aud).
type Assertions struct{}

// NewAssertions makes it of those processors whose providers are trusted with it.
func NewAssertions(settings []Settings, issuer string, p *Providers) (*Assertions, error) {
	panic("not yet")
}

// Verify returns what an assertion says. That it is used once is the caller's to see to.
func (a *Assertions) Verify(ctx context.Context, jwt string) (Assertion, error) { panic("not yet") }
