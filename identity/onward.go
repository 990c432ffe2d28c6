package identity

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"porterhouse"
)

// Target is what an access token is to be for that a provider gives us for a person, to
// be shown to somebody else than us.
type Target struct {
	Resource string // RFC 8707: asked for by name; also when people sign in (ClientSettings.Resources)
	Scope    string // asked for in the place of the scopes of the sign-in, such as Entra's api://…/.default
	// Audience must be among those that the token names (aud), which then has to be a
	// JWT: a provider that knows nothing of Resource gives a token for something else.
	Audience string
	// AllowAnyAudience: the token goes on, whatever it is for, also an opaque one.
	AllowAnyAudience bool
	// Ours reports whether tokens that name an audience open our own doors; nil: none does.
	// A token that names one beside Audience does not go on (with AllowAnyAudience: one that
	// names nobody else), or whoever it is shown to could come in here with it.
	Ours func(audience string) bool
}

// spares refuses a token for these audiences that would open our doors, too.
func (t Target) spares(named []string) error {
	isOurs := func(audience string) bool { return audience != t.Audience && t.Ours != nil && t.Ours(audience) }
	isOther := func(audience string) bool { return !isOurs(audience) }
	i := slices.IndexFunc(named, isOurs)
	if i < 0 || t.AllowAnyAudience && slices.ContainsFunc(named, isOther) {
		return nil
	}
	return refuse("the token that the provider gives is for %s (aud): %q opens this server, where whoever it is shown to could come in with it. "+
		"Let the provider give a token with nothing in aud but what ClickHouse is called: take the other out of what it puts there for this client, its scopes and its mappers", quoted(named), abridged(named[i]))
}

// Onward gets access tokens for one Target at the provider where people sign in:
//
//	Kept ─▶ grant_type=refresh_token, resource, scope ─▶ the same person? ─▶ for whom it is to be, and not for us? ─▶ Granted
//	                                                  ─▶ Kept, for the next time
//
// Who they are shown to verifies them; here they are only looked at.
type Onward struct {
	party  *RelyingParty
	target Target
}

// Granted is a token of an Onward.
type Granted struct {
	Token   porterhouse.Secret
	Expires time.Time // zero: the provider does not tell
}

// NewOnward refuses a provider that never gives what such a token is asked for with, and
// a target that any token would hit.
func NewOnward(r *RelyingParty, t Target) (*Onward, error) {
	scopes, usual := r.client.Scopes, append(slices.Clone(r.habit.scopes), r.habit.further...)
	switch {
	case t.Audience == "" && !t.AllowAnyAudience:
		return nil, errors.New("identity: say whom the token has to be for (audience): else one would go on that is for something else")
	case t.Audience != "" && t.AllowAnyAudience:
		return nil, errors.New("identity: with allow_any_audience nobody looks at the audience: say one of the two")
	case r.github != nil:
		return nil, fmt.Errorf("identity: people who sign in at %q have no token that ClickHouse could verify: GitHub gives tokens for GitHub alone", r.settings.Name)
	case len(scopes) > 0 && slices.Contains(usual, offlineAccess) && !slices.Contains(scopes, offlineAccess):
		return nil, fmt.Errorf("identity: people who sign in at %q would have no refresh token to ask for another token with: add offline_access to its scopes", r.settings.Name)
	}
	return &Onward{r, t}, nil
}

// Token asks for an access token of who, with what was kept. Errors and the Kept are
// those of RelyingParty.Recheck; the no may be to the target alone.
func (o *Onward) Token(ctx context.Context, who porterhouse.Principal, k Kept) (Granted, Kept, error) {
	granted, kept, err := o.ask(ctx, who, k)
	if err != nil {
		return Granted{}, kept, o.party.said(err)
	}
	return granted, kept, nil
}

func (o *Onward) ask(ctx context.Context, who porterhouse.Principal, k Kept) (Granted, Kept, error) {
	if k.RefreshToken == "" {
		return Granted{}, k, refuse("the provider gave no refresh token at the sign-in (offline_access), so it cannot be asked for a token")
	}
	at, err := o.party.places(ctx)
	if err != nil {
		return Granted{}, k, err
	}
	client := o.party.tokens(at)
	client.noes = targetNoes
	answer, err := client.ask(ctx, o.form(k))
	if err != nil {
		return Granted{}, k, err
	}
	k.RefreshToken = orText(answer.refresh, k.RefreshToken)
	if err := o.samePerson(ctx, at, answer, who); err != nil {
		return Granted{}, k, err
	}
	ends, err := o.meant(answer.access)
	if err != nil {
		return Granted{}, k, err
	}
	if ends.IsZero() || !answer.expires.IsZero() && answer.expires.Before(ends) {
		ends = answer.expires
	}
	return Granted{porterhouse.NewSecret(answer.access), ends}, k, nil
}

// targetNoes are what a provider says of a target (RFC 8707, 2; RFC 6749, 5.2): that it is
// none, or none that the person agreed to when they signed in.
var targetNoes = []string{"invalid_target", "invalid_scope"}

// form asks for the target (RFC 6749, 6; RFC 8707, 2.2).
func (o *Onward) form(k Kept) url.Values {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {k.RefreshToken}}
	for name, value := range map[string]string{"resource": o.target.Resource, "scope": o.target.Scope} {
		if value != "" {
			form.Set(name, value)
		}
	}
	return form
}

// samePerson looks at the ID token beside the token, if there is one.
func (o *Onward) samePerson(ctx context.Context, at places, answer tokenAnswer, who porterhouse.Principal) error {
	if answer.id == "" {
		return nil
	}
	t, err := o.party.idToken(ctx, at, answer, "")
	if err != nil {
		return err
	}
	is, err := o.party.rules.hear(ctx, t.claims, claimSource{header: &t.header, issuer: at.issuer, login: true}, proofSteps)
	if err != nil {
		return err
	}
	if subject := is.Subject; subject != who.Subject {
		return refuse("asked for a token of %q, the provider gives one of %q", abridged(who.Subject), abridged(subject))
	}
	return nil
}

// meant looks whether a token is for the target, and when it says that it ends.
func (o *Onward) meant(token string) (time.Time, error) {
	t, err := parseJWT(token)
	switch {
	case err != nil && o.target.AllowAnyAudience:
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, refuse("the access token that the provider gives is no JWT that could be read, so nobody sees whether it is for %q: %w", o.target.Audience, err)
	}
	named, err := t.claims.texts("aud")
	if !o.target.AllowAnyAudience && (err != nil || !slices.Contains(named, o.target.Audience)) {
		return time.Time{}, refuse("the access token that the provider gives is for %s (aud), not for %q: does it know the resource, or the scope, that was asked for?", quoted(named), o.target.Audience)
	}
	if err := o.target.spares(named); err != nil {
		return time.Time{}, err
	}
	return timeOf(t.claims, "exp", false)
}
