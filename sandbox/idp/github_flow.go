package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// githubFlow is signing in at GitHub, by its own dialect of OAuth: errors have status
// 200, answers are forms unless JSON is asked for, scopes have commas between them.
type githubFlow struct {
	person    Person
	expiring  bool
	codes     map[string]visit
	refreshes map[string]visit
}

// SignInAs chooses who signs in from now on; at first it is the first of the people.
func (g *GitHub) SignInAs(p Person) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.oauth.person = p
}

// SetExpiring makes tokens end after eight hours, with refresh tokens (ghr_…) for
// afterwards, as those of a GitHub App do.
func (g *GitHub) SetExpiring(expiring bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.oauth.expiring = expiring
}

// authorize sends the browser back at once.
func (g *GitHub) authorize(out http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	back, err := url.Parse(query.Get("redirect_uri"))
	known := slices.ContainsFunc(g.Options.Clients, func(c Client) bool {
		return c.ID == query.Get("client_id") && c.Redirect == query.Get("redirect_uri")
	})
	if !known || err != nil {
		http.Error(out, "The redirect_uri is not associated with this application.", http.StatusBadRequest)
		return
	}
	code := strings.ToLower(rand.Text())[:20]
	g.mu.Lock()
	g.oauth.codes[code] = visit{person: g.oauth.person, client: query.Get("client_id"), redirect: query.Get("redirect_uri"),
		challenge: query.Get("code_challenge"), scopes: query.Get("scope")}
	g.mu.Unlock()
	back.RawQuery = url.Values{"code": {code}, "state": {query.Get("state")}}.Encode()
	http.Redirect(out, r, back.String(), http.StatusFound)
}

// exchange is the token endpoint.
func (g *GitHub) exchange(out http.ResponseWriter, r *http.Request) {
	answer := func(about Claims) {
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			reply(out, http.StatusOK, about)
			return
		}
		form := url.Values{}
		for name, value := range about {
			form.Set(name, str(value))
		}
		out.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		_, _ = out.Write([]byte(form.Encode())) // the caller may be gone
	}
	client := Client{ID: r.PostFormValue("client_id"), Secret: r.PostFormValue("client_secret")}
	isClient := slices.ContainsFunc(g.Options.Clients, func(c Client) bool { return c.ID == client.ID && c.Secret == client.Secret })
	if !isClient {
		answer(Claims{"error": "incorrect_client_credentials", "error_description": "The client_id and/or client_secret passed are incorrect."})
		return
	}
	v, problem := g.redeem(r, client.ID)
	if problem != "" {
		answer(Claims{"error": problem, "error_description": "The code passed is incorrect or expired."})
		return
	}
	answer(g.grant(v))
}

// redeem consumes a code or a refresh token.
func (g *GitHub) redeem(r *http.Request, client string) (v visit, problem string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.PostFormValue("grant_type") == "refresh_token" {
		v, ok := g.oauth.refreshes[r.PostFormValue("refresh_token")]
		delete(g.oauth.refreshes, r.PostFormValue("refresh_token"))
		if !ok || v.client != client {
			return v, "bad_refresh_token"
		}
		return v, ""
	}
	v, ok := g.oauth.codes[r.PostFormValue("code")]
	delete(g.oauth.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case !ok || v.client != client || v.challenge != "" && v.challenge != Encode(sum[:]):
		return v, "bad_verification_code"
	case v.redirect != r.PostFormValue("redirect_uri"):
		return v, "redirect_uri_mismatch"
	}
	return v, ""
}

// grant makes the answer: a token of the person.
func (g *GitHub) grant(v visit) Claims {
	scopes := strings.Fields(strings.ReplaceAll(v.scopes, ",", " "))
	answer := Claims{"access_token": g.Access(v.person, v.client, scopes...), "token_type": "bearer", "scope": strings.Join(scopes, ",")}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.oauth.expiring {
		next := "ghr_" + rand.Text() + rand.Text()
		g.oauth.refreshes[next] = v
		answer = answer.and(Claims{"expires_in": 8 * 3600, "refresh_token": next, "refresh_token_expires_in": 15897600})
	}
	return answer
}
