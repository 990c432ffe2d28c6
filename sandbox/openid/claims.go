package openid

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// answer is what /token gives.
type answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
}

// answer mints the tokens of a grant, unless the person has been disabled since.
func (p *Provider) answer(g grant, refresh string) (answer, *failure) {
	person, ok := p.people.find(g.subject)
	if !ok {
		return answer{}, &failure{"invalid_grant", "this person is let in no more"}
	}
	now := p.Now()
	common := map[string]any{
		"iss": p.Issuer, "sub": person.Subject, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), Marker: true,
	}
	access, err := p.signer.sign(accessType, common, map[string]any{
		"aud": p.Issuer, "client_id": g.client, "scope": strings.Join(g.scopes, " "), "jti": rand.Text(), "auth_time": g.at.Unix(),
	})
	if err != nil {
		return answer{}, &failure{"server_error", "signing failed"}
	}
	about := map[string]any{"aud": g.client, "auth_time": g.at.Unix()}
	if g.nonce != "" {
		about["nonce"] = g.nonce
	}
	id, err := p.signer.sign("JWT", common, about, profile(person, g.scopes))
	if err != nil {
		return answer{}, &failure{"server_error", "signing failed"}
	}
	return answer{access, "Bearer", int(tokenLife.Seconds()), strings.Join(g.scopes, " "), refresh, id}, nil
}

// profile are the claims about a person that scopes allow.
func profile(person Person, scopes []string) map[string]any {
	claims := map[string]any{}
	if slices.Contains(scopes, "profile") {
		claims["name"] = person.Name
		claims["preferred_username"] = strings.ToLower(person.Name)
	}
	if slices.Contains(scopes, "email") {
		claims["email"], claims["email_verified"] = person.Email, true
	}
	if slices.Contains(scopes, "groups") {
		claims["groups"] = append([]string{}, person.Groups...) // none is [], not null
	}
	return claims
}

// userinfo answers with the claims of whom the access token is for (OpenID Connect
// Core, 5.3).
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		w.Header().Set("WWW-Authenticate", `Bearer realm="demo"`)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token", "error_description": "send an access token"})
		return
	}
	subject, scopes, err := p.signer.verify(token)
	person, ok := p.people.find(subject)
	if err == nil && !ok {
		err = errors.New("this person is let in no more")
	}
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="demo", error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token", "error_description": err.Error()})
		return
	}
	claims := profile(person, scopes)
	claims["sub"], claims[Marker] = person.Subject, true
	writeJSON(w, http.StatusOK, claims)
}
