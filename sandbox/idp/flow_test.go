package idp_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"porterhouse/sandbox/idp"
)

// A code is good once, for the verifier; a refresh token is, too, and a second use
// ends all that came of the sign-in.
func TestSignInAtIssuer(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	i.SignInAs(idp.Bob)
	verifier := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	code := func() string {
		t.Helper()
		return idp.Visit(t, i.URL+"/authorize?"+url.Values{
			"response_type": {"code"}, "client_id": {idp.App.ID}, "redirect_uri": {idp.App.Redirect}, "scope": {"openid offline_access"}, "nonce": {"n"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		}.Encode(), idp.Bob).Query().Get("code")
	}
	redeem := func(code, verifier string) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {idp.App.Redirect}, "code_verifier": {verifier}}
	}
	refresh := func(token string) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	}
	first := code()
	tokens := exchange(t, i.URL, redeem(first, verifier), http.StatusOK)
	if id := payload(t, tokens.ID); id["sub"] != idp.Bob.Subject || id["aud"] != idp.App.ID || id["nonce"] != "n" {
		t.Errorf("ID token %v", id)
	}
	exchange(t, i.URL, redeem(first, verifier), http.StatusBadRequest)
	exchange(t, i.URL, redeem(code(), "another"), http.StatusBadRequest)
	next := exchange(t, i.URL, refresh(tokens.Refresh), http.StatusOK)
	exchange(t, i.URL, refresh(tokens.Refresh), http.StatusBadRequest)
	exchange(t, i.URL, refresh(next.Refresh), http.StatusBadRequest)
	i.Disable(idp.Bob.Subject)
	if got := code(); got != "" {
		t.Error("somebody who is disabled signs in")
	}
}

// exchange asks an issuer's token endpoint as the application.
func exchange(t *testing.T, issuer string, form url.Values, want int) (tokens idp.Tokens) {
	t.Helper()
	form.Set("client_id", idp.App.ID)
	form.Set("client_secret", idp.App.Secret)
	response, err := http.PostForm(issuer+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil || response.StatusCode != want {
		t.Errorf("%s instead of %d, %v", response.Status, want, err)
	}
	return tokens
}
