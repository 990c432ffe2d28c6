package identity

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"porterhouse"
)

// OwnConfig is how the tokens of our own authorization server are known.
type OwnConfig struct {
	Issuer string
	// Key returns the public key with an id (P-256). An error is final: Unavailable
	// when nobody can tell, otherwise there is no such key.
	Key func(ctx context.Context, id string) (*ecdsa.PublicKey, error)
	// Scopes that a token needs at this resource, such as clickhouse:read.
	Scopes []string
}

// own is a processor for access tokens of our own authorization server (RFC 9068).
// They say which processor proved the person, under which issuer, and what it told:
// that is what it is turned back into, so that the rules for that processor's people
// apply whichever of the two tokens they bring.
type own struct {
	OwnConfig
	audiences []string
	now       func() time.Time
}

const (
	ownTyp       = "at+jwt"
	ownAlgorithm = "ES256"
	// ownWrite is the scope without which a Principal is ReadOnly.
	ownWrite = "clickhouse:write"
	// ownName stands in reasons; no processor of an operator has a blank in its name.
	ownName = "our own authorization server"
	// ownLeeway is how far the clocks of two replicas may be apart. Nobody gets it on
	// top of a token's end.
	ownLeeway = time.Minute
)

// NewOwn makes the processor of access tokens of our own authorization server (typ
// at+jwt, ES256): the Principal is the one that its provider proved, with that
// provider's processor as Proof, so the same rules apply to it. It has no Token: ours
// is for our doors alone, whatever the access mode forwards.
func NewOwn(c OwnConfig, r Resource, p *Providers) (Processor, error) {
	switch {
	case p == nil:
		return nil, errors.New("identity: our own tokens need Providers, which remember verdicts")
	case c.Issuer == "" || c.Key == nil:
		return nil, errors.New("identity: our own tokens need an issuer and its keys")
	case len(r.Audiences) == 0 || slices.Contains(r.Audiences, ""):
		return nil, errors.New("identity: no token of our own could be for this resource: it has no audience, or an empty one")
	}
	o := own{OwnConfig: c, audiences: r.Audiences, now: p.now}
	verify := p.remember(Settings{Name: ownName}, r, o.verify)
	return func(ctx context.Context, token string) (porterhouse.Principal, error) {
		who, err := verify(ctx, token)
		who.Token = porterhouse.Secret{}
		return who, err
	}, nil
}

// verify implements Processor. Its steps are those of RFC 9068, 4.
func (o own) verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	t, err := parseJWT(token)
	switch {
	case errors.Is(err, errNoJWT):
		return porterhouse.Principal{}, notMine("%w", err)
	case err != nil:
		return porterhouse.Principal{}, refuse("%w", err)
	case t.claims["iss"] != o.Issuer:
		issuer, _ := t.claims["iss"].(string)
		return porterhouse.Principal{}, notMine("its issuer is %q, not our own", abridged(issuer))
	case t.header.typ != ownTyp:
		return porterhouse.Principal{}, refuse("its typ header is %q, and that of our access tokens is %s", abridged(t.header.typ), ownTyp)
	}
	check := signatures{[]string{ownAlgorithm}, o.ring}
	if err := check.verify(ctx, t); err != nil {
		return porterhouse.Principal{}, err
	}
	return o.read(ctx, t.claims)
}

// ring finds our key with the id that a token names.
func (o own) ring(ctx context.Context, h header) (*publicKey, error) {
	if h.keyID == "" {
		return nil, nil
	}
	key, err := o.Key(ctx, h.keyID)
	var told *porterhouse.Error
	switch {
	case errors.As(err, &told) || ctx.Err() != nil && err != nil:
		return nil, err
	case err != nil:
		return nil, refuse("our key %q: %w", abridged(h.keyID), err)
	case key == nil:
		return nil, nil
	}
	return &publicKey{id: h.keyID, algorithm: ownAlgorithm, key: key}, nil
}

// read makes a Principal of claims that we signed.
func (o own) read(ctx context.Context, c claims) (porterhouse.Principal, error) {
	var who porterhouse.Principal
	proof, _ := c["idp"].(map[string]any)
	for _, text := range []struct {
		of   claims
		name string
		into *string
	}{
		{c, "jti", &who.TokenID}, {c, "client_id", &who.Client}, {c, "name", &who.User},
		{proof, "iss", &who.Issuer}, {proof, "sub", &who.Subject}, {proof, "processor", &who.Proof},
	} {
		value, err := text.of.text(text.name)
		if err != nil || value == "" {
			return porterhouse.Principal{}, refuse("its claim %s is missing, or no text", text.name)
		}
		*text.into = value
	}
	var err error
	if who.Login, err = claims(proof).text("login"); err != nil {
		return porterhouse.Principal{}, refuse("%w", err)
	}
	if who.Groups, err = c.texts("groups"); err != nil {
		return porterhouse.Principal{}, refuse("%w", err)
	}
	for _, check := range []func(claims, *porterhouse.Principal) error{o.checkAudience, o.checkTimes, o.checkScopes} {
		if err := check(c, &who); err != nil {
			return porterhouse.Principal{}, err
		}
	}
	traceOf(ctx).note("it is ours, of the processor %q, for the client %q", who.Proof, who.Client)
	return who, nil
}

// checkAudience wants exactly one audience, ours: a token of ours is for one resource.
func (o own) checkAudience(c claims, _ *porterhouse.Principal) error {
	named, err := c.texts("aud")
	if err != nil || len(named) != 1 || !slices.Contains(o.audiences, named[0]) {
		return refuse("it is for %s (aud), not for %s", quoted(named), quoted(o.audiences))
	}
	return nil
}

// checkTimes wants a token that is alive now.
func (o own) checkTimes(c claims, who *porterhouse.Principal) error {
	var told, issued time.Time
	for name, into := range map[string]*time.Time{"exp": &who.Expires, "iat": &issued, "auth_time": &told} {
		var err error
		if *into, err = timeOf(c, name, false); err != nil {
			return refuse("%w", err)
		}
	}
	now := o.now()
	switch {
	case who.Expires.IsZero() || !now.Before(who.Expires):
		return refuse("it expired (exp) at %s", who.Expires.UTC().Format(time.RFC3339))
	case issued.IsZero() || issued.After(now.Add(ownLeeway)):
		return refuse("it is of the future: iat is %s (is a clock wrong?)", issued.UTC().Format(time.RFC3339))
	}
	if who.Issued = told; told.IsZero() {
		who.Issued = issued
	}
	return nil
}

// checkScopes wants what the resource needs, and tells whether the person agreed to
// more than reading.
func (o own) checkScopes(c claims, who *porterhouse.Principal) error {
	granted, err := c.words("scope")
	if err != nil {
		return refuse("%w", err)
	}
	for _, scope := range o.Scopes {
		if !slices.Contains(granted, scope) {
			return notAllowed(fmt.Sprintf("your token lacks the scope %q; sign in again and agree to it", scope),
				"%w: that of %q lacks the scope %q; it has %s", errLacksScope, who.User, scope, quoted(granted))
		}
	}
	who.ReadOnly = !slices.Contains(granted, ownWrite)
	return nil
}
