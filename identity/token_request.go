package identity

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tokenAnswer is what a token endpoint gave (RFC 6749, 5.1).
type tokenAnswer struct {
	access, refresh, id string
	expires             time.Time // of access; zero: not told
	scope               string    // granted
}

// askForTokens asks the token endpoint, as the client that we are there. An
// Unauthenticated error is the provider's no; everything else that is no answer may
// be one later, or is for the operator to mend.
func (r *RelyingParty) askForTokens(ctx context.Context, at places, form url.Values) (tokenAnswer, error) {
	reply, err := r.postAsClient(ctx, at, form)
	if err != nil {
		return tokenAnswer{}, err
	}
	about, err := parseClaims(reply.Body)
	code, _ := about["error"].(string)
	switch { // GitHub has status 200 for its errors, too
	case code != "" && reply.Status < http.StatusInternalServerError && slices.Contains(noes, code):
		return tokenAnswer{}, refuse("the token endpoint says no: %q %s", code, aadsts.FindString(string(reply.Body)))
	case code != "":
		return tokenAnswer{}, away("the token endpoint answers %q %s with status %d: are client_id, client_secret and the redirect URI as they are registered there?",
			abridged(code), aadsts.FindString(string(reply.Body)), reply.Status)
	case reply.Status != http.StatusOK:
		return tokenAnswer{}, away("the token endpoint answers with status %d", reply.Status)
	case err != nil:
		return tokenAnswer{}, away("the answer of the token endpoint is no JSON object that can be read one way only")
	}
	return r.readTokens(about, r.scopes(at))
}

// noes are the errors of token endpoints that are about the code, the refresh token
// or the person; all others are about us, or about nothing in particular.
var noes = []string{
	"invalid_grant", "access_denied", // RFC 6749
	"interaction_required", "login_required", "consent_required", "account_selection_required", // OpenID Connect Core, 3.1.2.6; Entra has them here
	"bad_verification_code", "bad_refresh_token", "unverified_user_email", // GitHub
}

// postAsClient says who we are in the header, as every provider must understand, and
// to one that does not, or has no secret from us, in the form.
func (r *RelyingParty) postAsClient(ctx context.Context, at places, form url.Values) (Reply, error) {
	id, secret := r.client.ClientID, r.client.ClientSecret
	if !secret.IsZero() && !at.loginInForm {
		// The parts are form-encoded first (RFC 6749, 2.3.1): a colon must not end the id.
		header := basic(url.QueryEscape(id), url.QueryEscape(secret.Reveal()))
		reply, err := r.providers.outbound.Post(ctx, at.token, header, formType, form.Encode())
		if err != nil || reply.Status != http.StatusUnauthorized {
			return reply, err
		}
	}
	form.Set("client_id", id)
	if !secret.IsZero() {
		form.Set("client_secret", secret.Reveal())
	}
	return r.providers.outbound.Post(ctx, at.token, nil, formType, form.Encode())
}

// readTokens reads a good answer. asked are the scopes that count as granted when it
// does not say.
func (r *RelyingParty) readTokens(about claims, asked []string) (tokenAnswer, error) {
	var answer tokenAnswer
	for name, into := range map[string]*string{"access_token": &answer.access, "refresh_token": &answer.refresh, "id_token": &answer.id} {
		var err error
		if *into, err = about.text(name); err != nil {
			return tokenAnswer{}, away("the answer of the token endpoint: %w", err)
		}
		if *into != "" && (!fits(*into) || len(*into) > maxToken) {
			return tokenAnswer{}, away("the %s of the token endpoint has characters that no token has, or more than %d bytes", name, maxToken)
		}
	}
	if kind, _ := about["token_type"].(string); answer.access == "" || !strings.EqualFold(kind, "bearer") {
		return tokenAnswer{}, away("the token endpoint gives no access token of the type Bearer")
	}
	answer.expires = r.endOf(about["expires_in"])
	answer.scope = strings.Join(asked, " ")
	if granted, _ := about["scope"].(string); granted != "" {
		answer.scope = strings.ReplaceAll(granted, ",", " ") // GitHub writes commas
	}
	return answer, nil
}

// endOf is when a token ends that has so many seconds left, a number or a text of
// one; zero when that is not told.
func (r *RelyingParty) endOf(left any) time.Time {
	number, ok := left.(json.Number)
	if text, isText := left.(string); isText {
		number, ok = json.Number(text), true
	}
	whole, err := strconv.ParseInt(number.String(), 10, 32)
	if !ok || err != nil || whole <= 0 {
		return time.Time{}
	}
	return r.providers.now().Add(time.Duration(whole) * time.Second)
}
