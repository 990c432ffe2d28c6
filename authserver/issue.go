package authserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"porterhouse/audit"
)

// tokenType is the typ header of access tokens (RFC 9068, 2.1).
const tokenType = "at+jwt"

// tokenAnswer is the answer to a request for tokens (RFC 6749, 5.1; RFC 8693, 2.2.1).
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	IssuedType   string `json:"issued_token_type,omitempty"`
}

// issue makes the tokens: what can fail for reasons of ours comes first, then the
// record, and last what uses something up.
func (p *pipeline) issue(ctx context.Context) (tokenAnswer, error) {
	claims, err := p.claims()
	if err != nil {
		return tokenAnswer{}, err
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return tokenAnswer{}, fmt.Errorf("authserver: claims: %w", err)
	}
	token, err := p.Keys.Sign(tokenType, text)
	if err != nil {
		return tokenAnswer{}, fmt.Errorf("authserver: signing: %w", err)
	}
	event := audit.AccessEvent{
		ID: p.r.request, Action: p.found.action, Who: p.found.who, Client: p.r.client.ID, Remote: p.r.remote,
		Scopes: p.scopes, For: p.resource.URI, Token: claims.ID, Reason: p.found.note,
	}
	if err := p.Audit.Access(event); err != nil {
		return tokenAnswer{}, err
	}
	answer := tokenAnswer{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: claims.Expires - claims.Issued,
		Scope: claims.Scope, IssuedType: p.found.issued,
	}
	if p.found.refresh == nil {
		return answer, nil
	}
	if answer.RefreshToken, err = p.found.refresh(ctx); err != nil {
		event.Err = err // nothing was given after all
		return tokenAnswer{}, errors.Join(err, p.Audit.Access(event))
	}
	return answer, nil
}

// claims are what the access token says.
func (p *pipeline) claims() (accessClaims, error) {
	who, now := p.found.who, p.Now()
	ends := p.Lifetimes.ends(now, who)
	if ends.Unix() <= now.Unix() {
		return accessClaims{}, refuse("invalid_grant", "the sign-in has ended; sign in again")
	}
	if err := tooManyGroups(who); err != nil {
		return accessClaims{}, err
	}
	claims := accessClaims{
		Issuer: p.Issuer, Subject: subjectHere(who), Audience: p.resource.URI,
		Expires: ends.Unix(), Issued: now.Unix(), ID: newID(),
		Client: p.r.client.ID, Scope: strings.Join(p.scopes, " "), Session: p.found.family,
		Proof: vouched{who.Issuer, who.Subject, who.Proof, who.Login}, User: who.User, Groups: who.Groups,
	}
	if !who.Issued.IsZero() {
		claims.AuthTime = who.Issued.Unix()
	}
	return claims, nil
}
