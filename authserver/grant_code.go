package authserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"regexp"

	"porterhouse/audit"
)

// codeGrant is the authorization code grant (OAuth 2.1, 4.1.3). The client has
// authenticated before the code is looked at; from then on the code is used up,
// whatever else is wrong: who brings a right code with a wrong verifier stole it. Only
// when the provider cannot be asked does the right client get it back, to come again.
func codeGrant(s *Server) grant {
	return grant{name: GrantCode, run: func(ctx context.Context, r *tokenRequest) (entitlement, error) {
		code := r.form.Get("code")
		if code == "" {
			return entitlement{}, refuse("invalid_request", "the parameter code is missing")
		}
		a, err := s.codes.use(ctx, code)
		switch {
		case errors.Is(err, errUsedCode):
			return entitlement{}, s.replayed(ctx, r, a)
		case errors.Is(err, errNoCode):
			return entitlement{}, refuse("invalid_grant", "the code has ended or was never made; begin anew at the authorization endpoint").because(err)
		case err != nil:
			return entitlement{}, err
		}
		if err := a.matches(r); err != nil {
			return entitlement{}, err
		}
		who, err := s.confirmedOr(ctx, a.Who.principal(), func(ctx context.Context) error { return s.codes.putBack(ctx, code, a) })
		if err != nil {
			return entitlement{}, err
		}
		found := s.families.entitle(r.client, who, a.Scopes, a.Resource, a.Family)
		found.action = "code"
		return found, nil
	}}
}

// verifierForm is a code_verifier (RFC 7636, 4.1).
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// matches reports what of the request is not as it was when the person agreed.
func (a authorization) matches(r *tokenRequest) error {
	verifier := r.form.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	proved := subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(a.Challenge)) == 1
	switch {
	case a.Client != r.client.ID:
		return refuse("invalid_grant", "the code was made for another client, and is used up now")
	case r.form.Has("redirect_uri") && r.form.Get("redirect_uri") != a.Redirect:
		return refuse("invalid_grant", "redirect_uri is not the one that the code was sent to; the code is used up now")
	case verifier == "":
		return refuse("invalid_grant", "code_verifier is missing: PKCE is needed here; the code is used up now")
	case !verifierForm.MatchString(verifier) || !proved:
		return refuse("invalid_grant", "code_verifier does not belong to the code_challenge (S256) of the request; the code is used up now")
	}
	return nil
}

// replayed takes back what came of a code that was brought again (RFC 6749, 4.1.2):
// one of the two who brought it stole it, and nobody knows which.
func (p *parts) replayed(ctx context.Context, r *tokenRequest, a authorization) error {
	p.stats.reused.Add(1)
	return p.takeBack(ctx, audit.AccessEvent{
		ID: r.request, Action: "reuse", Who: a.Who.principal(), Client: r.client.ID, Remote: r.remote,
		Scopes: a.Scopes, For: a.Resource, Token: a.Family, Reason: "a code came again",
	}, refuse("invalid_grant", "the code was used before; what was given for it can no longer be refreshed"))
}
