package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// githubFlow is signing in at GitHub, by its own dialect of OAuth: errors have status
// 200, answers are forms unless JSON is asked for, scopes have commas between them.
type githubFlow struct {
	hub *GitHub

	mu        sync.Mutex
	who       Person // signs in
	expiring  bool
	codes     map[string]visit
	refreshes map[string]visit
}

// startGitHubFlow gives g one.
func startGitHubFlow(g *GitHub) {
	f := &g.githubFlow
	f.hub, f.who, f.codes, f.refreshes = g, g.Options.People[0], map[string]visit{}, map[string]visit{}
	g.Answer("/login/oauth/authorize", f.authorize)
	g.Answer("/login/oauth/access_token", f.exchange)
}

// SignInAs chooses who signs in from now on; at first it is the first of the people.
func (f *githubFlow) SignInAs(p Person) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.who = p
}

// SetExpiring makes tokens end after eight hours, with refresh tokens (ghr_…) for
// afterwards, as those of a GitHub App do.
func (f *githubFlow) SetExpiring(expiring bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expiring = expiring
}

// authorize sends the browser back at once.
func (f *githubFlow) authorize(out http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	back, err := url.Parse(query.Get("redirect_uri"))
	known := slices.ContainsFunc(f.hub.Options.Clients, func(c Client) bool {
		return c.ID == query.Get("client_id") && c.Redirect == query.Get("redirect_uri")
	})
	if !known || err != nil {
		http.Error(out, "The redirect_uri is not associated with this application.", http.StatusBadRequest)
		return
	}
	code := strings.ToLower(rand.Text())[:20]
	f.mu.Lock()
	f.codes[code] = visit{person: f.who, client: query.Get("client_id"), redirect: query.Get("redirect_uri"),
		challenge: query.Get("code_challenge"), scopes: query.Get("scope")}
	f.mu.Unlock()
	back.RawQuery = url.Values{"code": {code}, "state": {query.Get("state")}}.Encode()
	http.Redirect(out, r, back.String(), http.StatusFound)
}

// exchange is the token endpoint.
func (f *githubFlow) exchange(out http.ResponseWriter, r *http.Request) {
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
	isClient := slices.ContainsFunc(f.hub.Options.Clients, func(c Client) bool { return c.ID == client.ID && c.Secret == client.Secret })
	if !isClient {
		answer(Claims{"error": "incorrect_client_credentials", "error_description": "The client_id and/or client_secret passed are incorrect."})
		return
	}
	v, problem := f.redeem(r, client.ID)
	if problem != "" {
		answer(Claims{"error": problem, "error_description": "The code passed is incorrect or expired."})
		return
	}
	answer(f.grant(v))
}

// redeem consumes a code or a refresh token.
func (f *githubFlow) redeem(r *http.Request, client string) (v visit, problem string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.PostFormValue("grant_type") == "refresh_token" {
		v, ok := f.refreshes[r.PostFormValue("refresh_token")]
		delete(f.refreshes, r.PostFormValue("refresh_token"))
		if !ok || v.client != client {
			return v, "bad_refresh_token"
		}
		return v, ""
	}
	v, ok := f.codes[r.PostFormValue("code")]
	delete(f.codes, r.PostFormValue("code"))
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
func (f *githubFlow) grant(v visit) Claims {
	scopes := strings.Fields(strings.ReplaceAll(v.scopes, ",", " "))
	answer := Claims{"access_token": f.hub.Access(v.person, v.client, scopes...), "token_type": "bearer", "scope": strings.Join(scopes, ",")}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.expiring {
		next := "ghr_" + rand.Text() + rand.Text()
		f.refreshes[next] = v
		answer = answer.and(Claims{"expires_in": 8 * 3600, "refresh_token": next, "refresh_token_expires_in": 15897600})
	}
	return answer
}
