package identity

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
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
	issued              string    // which type of token access is (RFC 8693, 2.2.1); "": not told
}

// tokenClient is us at a provider's token endpoint.
type tokenClient struct {
	outbound *Outbound
	client   ClientSettings
	at       places
	scopes   []string // that count as granted when an answer does not say
	noes     []string // errors that are a no, beside those that always are
	now      func() time.Time
	// exchanges: a JWT may be given that is no access token to the one who gives it
	// (token_type N_A, RFC 8693, 2.2.1).
	exchanges bool
}

// ask asks for tokens. An Unauthenticated error is the provider's no; everything else
// that is no answer may be one later, or is for the operator to mend.
func (t tokenClient) ask(ctx context.Context, form url.Values) (tokenAnswer, error) {
	reply, err := t.post(ctx, form)
	if err != nil {
		return tokenAnswer{}, err
	}
	about, err := parseClaims(reply.Body)
	code, _ := about["error"].(string)
	// GitHub has status 200 for its errors, too; and 401 is about us, whatever the words.
	aboutThem := reply.Status < http.StatusInternalServerError && reply.Status != http.StatusUnauthorized
	switch {
	case aboutThem && (slices.Contains(noes, code) || slices.Contains(t.noes, code)):
		return tokenAnswer{}, refuse("the token endpoint says no: %q %s", code, aadsts.FindString(string(reply.Body)))
	case code != "":
		return tokenAnswer{}, away("the token endpoint answers %q %s with status %d: are client_id, client_secret and the redirect URI as they are registered there, and may this client ask for it?",
			errorCode.FindString(code), aadsts.FindString(string(reply.Body)), reply.Status)
	case reply.Status != http.StatusOK:
		return tokenAnswer{}, away("the token endpoint answers with status %d", reply.Status)
	case err != nil:
		return tokenAnswer{}, away("the answer of the token endpoint is no JSON object that can be read one way only")
	}
	return t.read(about)
}

// errorCode is what error codes look like. What does not is not told: it may be the very
// token that the endpoint was asked with.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// noes are the errors of token endpoints that are about the code, the refresh token
// or the person; all others are about us, or about nothing in particular.
var noes = []string{
	"invalid_grant", "access_denied", // RFC 6749
	"interaction_required", "login_required", "consent_required", "account_selection_required", // OpenID Connect Core, 3.1.2.6; Entra has them here
	"bad_verification_code", "bad_refresh_token", "unverified_user_email", // GitHub
}

// post says who we are in the header, as every provider must understand, and
// to one that does not, or has no secret from us, in the form.
func (t tokenClient) post(ctx context.Context, form url.Values) (Reply, error) {
	at, id, secret := t.at, t.client.ClientID, t.client.ClientSecret
	if !secret.IsZero() && !at.loginInForm {
		// The parts are form-encoded first (RFC 6749, 2.3.1): a colon must not end the id.
		header := basic(url.QueryEscape(id), url.QueryEscape(secret.Reveal()))
		reply, err := t.outbound.postToken(ctx, at.token, header, form)
		if err != nil || reply.Status != http.StatusUnauthorized {
			return reply, err
		}
	}
	form.Set("client_id", id)
	if !secret.IsZero() {
		form.Set("client_secret", secret.Reveal())
	}
	return t.outbound.postToken(ctx, at.token, nil, form)
}

// read reads a good answer.
func (t tokenClient) read(about claims) (tokenAnswer, error) {
	var answer tokenAnswer
	for name, into := range map[string]*string{"access_token": &answer.access, "refresh_token": &answer.refresh, "id_token": &answer.id, "issued_token_type": &answer.issued} {
		var err error
		if *into, err = about.text(name); err != nil {
			return tokenAnswer{}, away("the answer of the token endpoint: %w", err)
		}
		if *into != "" && (!fits(*into) || len(*into) > maxToken) {
			return tokenAnswer{}, away("the %s of the token endpoint has characters that no token has, or more than %d bytes", name, maxToken)
		}
	}
	if answer.access == "" || !t.isBearer(about) {
		return tokenAnswer{}, away("the token endpoint gives no access token of the type Bearer")
	}
	answer.expires = t.endOf(about["expires_in"])
	answer.scope = strings.Join(t.scopes, " ")
	if granted, _ := about["scope"].(string); granted != "" {
		answer.scope = strings.ReplaceAll(granted, ",", " ") // GitHub writes commas
	}
	return answer, nil
}

// isBearer reports whether what was given may be shown by whoever has it.
func (t tokenClient) isBearer(about claims) bool {
	kind, _ := about["token_type"].(string)
	return strings.EqualFold(kind, "bearer") || t.exchanges && strings.EqualFold(kind, "N_A") && about["issued_token_type"] == jwtType
}

// endOf is when a token ends that has so many seconds left, a number or a text of
// one; zero when that is not told.
func (t tokenClient) endOf(left any) time.Time {
	number, ok := left.(json.Number)
	if text, isText := left.(string); isText {
		number, ok = json.Number(text), true
	}
	whole, err := strconv.ParseInt(number.String(), 10, 32)
	if !ok || err != nil || whole <= 0 {
		return time.Time{}
	}
	return t.now().Add(time.Duration(whole) * time.Second)
}
