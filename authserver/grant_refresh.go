package authserver

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"

	"porterhouse"
	"porterhouse/audit"
)

// refreshGrant gives new tokens for a refresh token (OAuth 2.1, 4.3), when the
// provider still knows the person.
func refreshGrant(s *Server) grant {
	return grant{name: GrantRefresh, narrows: true, run: func(ctx context.Context, r *tokenRequest) (entitlement, error) {
		if r.form.Get("refresh_token") == "" {
			return entitlement{}, refuse("invalid_request", "the parameter refresh_token is missing")
		}
		found, err := s.renewal(ctx, r)
		if err != nil {
			return entitlement{}, err
		}
		who, err := s.asked(ctx, r, found)
		if err != nil {
			return entitlement{}, err
		}
		return entitlement{
			who: who, scopes: found.Scopes, resource: found.Resource, family: found.token.family, action: "refresh",
			refresh: func(ctx context.Context) (string, error) { return s.families.renew(ctx, found, who) },
		}, nil
	}}
}

// presented is a refresh token that counts, and its family.
type presented struct {
	family
	token  refreshToken
	record []byte // of the family, as it was
	recent bool   // it is the last but one: good for an access token alone
}

// renewal finds the family of the refresh token in a request, and what the token is
// still good for.
func (p *parts) renewal(ctx context.Context, r *tokenRequest) (presented, error) {
	token, err := p.families.readRefreshToken(r.form.Get("refresh_token"))
	if err != nil {
		return presented{}, refuse("invalid_grant", "the refresh token is not valid; sign in again").because(err)
	}
	found, record, err := p.families.find(ctx, token.family)
	if errors.Is(err, errNoFamily) {
		return presented{}, refuse("invalid_grant", "the refresh token has ended or was taken back; sign in again").because(err)
	} else if err != nil {
		return presented{}, err
	}
	switch age := p.families.now().Sub(found.Rotated); {
	case found.Client != r.client.ID:
		return presented{}, p.reused(ctx, r, token, found, "a refresh token came from another client")
	case !mayRefresh(r.client):
		return presented{}, refuse("invalid_grant", "this client may no longer have refresh tokens; sign in again")
	case hmac.Equal(token.sum(), found.Current):
		return presented{found, token, record, false}, nil
	case hmac.Equal(token.sum(), found.Last) && age <= p.families.Reuse:
		return presented{found, token, record, true}, nil
	}
	return presented{}, p.reused(ctx, r, token, found, fmt.Sprintf("a refresh token came again: the one of generation %d, of %d", token.generation, found.Generation))
}

// reused ends a family of which somebody has a copy (RFC 9700, 4.14).
func (p *parts) reused(ctx context.Context, r *tokenRequest, token refreshToken, f family, why string) error {
	p.stats.reused.Add(1)
	return p.takeBack(ctx, audit.AccessEvent{
		ID: r.request, Action: "reuse", Who: f.Who.principal(), Client: r.client.ID, Remote: r.remote,
		Scopes: f.Scopes, For: f.Resource, Token: token.family, Reason: why,
	}, refuse("invalid_grant", "this refresh token was replaced by a newer one, so one of its holders may have stolen it; all of them have ended, sign in again").because(errors.New(why)))
}

// takeBack ends the family of an event, records why, and returns the refusal. When the
// family cannot be ended, the client hears that it should come again: then it is tried
// again. Whoever goes away in the meantime does not stop it.
func (p *parts) takeBack(ctx context.Context, event audit.AccessEvent, refusal *problem) error {
	event.Err = refusal
	record := p.record.Access(event)
	if err := p.families.end(context.WithoutCancel(ctx), event.Token); err != nil {
		return errors.Join(err, record)
	}
	return refusal.because(errors.Join(refusal.err, record))
}

// asked returns the person of a family as their provider knows them now. Its no ends
// the family; that it cannot be asked does not.
func (p *parts) asked(ctx context.Context, r *tokenRequest, found presented) (porterhouse.Principal, error) {
	before := found.Who.principal()
	who, err := p.confirmed(ctx, before)
	var refusal *problem
	if !errors.As(err, &refusal) {
		return who, err
	}
	return porterhouse.Principal{}, p.takeBack(ctx, audit.AccessEvent{
		ID: r.request, Action: "revoke", Who: before, Client: r.client.ID, Remote: r.remote,
		Scopes: found.Scopes, For: found.Resource, Token: found.token.family, Reason: "the sign-in has ended",
	}, refusal)
}

// confirmed is the person of a sign-in as their provider knows them now; a *problem is
// its no. Whoever is given tokens is asked for first, because that keeps the sign-in:
// without, it ends with the browser's session.
func (p *parts) confirmed(ctx context.Context, before porterhouse.Principal) (porterhouse.Principal, error) {
	who, err := p.recheck(ctx, before)
	if err == nil && who.Key() != before.Key() {
		err = porterhouse.Errorf(porterhouse.Unauthenticated, "the sign-in is now another person's")
	}
	switch kind, _ := porterhouse.Explain(err); {
	case err == nil:
		return who, nil
	case kind != porterhouse.Unauthenticated && kind != porterhouse.Refused:
		return porterhouse.Principal{}, err
	}
	return porterhouse.Principal{}, refuse("invalid_grant", "the sign-in has ended, or your identity provider no longer lets you in; sign in again").because(err)
}

// confirmedOr is confirmed for who has used something up to get here. When nobody can
// tell who it is, that is put back, also when the client has gone away: it comes again,
// and has stolen nothing.
func (p *parts) confirmedOr(ctx context.Context, before porterhouse.Principal, putBack func(context.Context) error) (porterhouse.Principal, error) {
	who, err := p.confirmed(ctx, before)
	var no *problem
	if err == nil || errors.As(err, &no) {
		return who, err
	}
	return who, errors.Join(err, putBack(context.WithoutCancel(ctx)))
}

// renew makes the next refresh token; "": there is none to be had, because another
// request with the same one was faster.
func (f *families) renew(ctx context.Context, found presented, who porterhouse.Principal) (string, error) {
	if !found.recent {
		secret, err := f.rotate(ctx, found.token.family, found.family, found.record, who)
		if !errors.Is(err, errRotated) {
			return secret, err
		}
	}
	switch _, _, err := f.find(ctx, found.token.family); {
	case errors.Is(err, errNoFamily):
		return "", refuse("invalid_grant", "the refresh token was taken back; sign in again").because(err)
	default:
		return "", err
	}
}
