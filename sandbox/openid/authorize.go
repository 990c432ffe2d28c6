package openid

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// grant is what a person gives a client.
type grant struct {
	subject string
	client  string
	scopes  []string
	nonce   string
	at      time.Time // when the person was chosen
}

// code is a grant that waits for its client.
type code struct {
	grant
	redirect  string
	challenge string
}

// request is an authorization request that was read.
type request struct {
	client    Client
	redirect  *url.URL
	state     string
	nonce     string
	challenge string
	scopes    []string
}

// authorize reads the request in the URL, each time anew, so that nothing is kept of
// people who do not come back: GET shows the people, POST has chosen one.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	request, text := p.read(q)
	if text != "" { // whose redirect this would be is not known
		p.pages.problem(w, http.StatusBadRequest, text)
		return
	}
	if code, text := refusal(q); code != "" {
		request.back(w, r, p.Issuer, url.Values{"error": {code}, "error_description": {text}})
		return
	}
	if r.Method != http.MethodPost {
		p.pages.write(w, http.StatusOK, "choose", chooser{
			Client: request.client.label(), Host: request.redirect.Host, Action: "?" + r.URL.RawQuery, People: p.people.choices(),
		})
		return
	}
	subject := r.PostFormValue("person")
	if _, ok := p.people.find(subject); !ok {
		request.back(w, r, p.Issuer, url.Values{"error": {"access_denied"}, "error_description": {"nobody signed in"}})
		return
	}
	g := grant{subject: subject, client: request.client.ID, scopes: request.scopes, nonce: request.nonce, at: p.Now()}
	key, err := p.codes.add(code{grant: g, redirect: request.redirect.String(), challenge: request.challenge})
	if err != nil {
		request.back(w, r, p.Issuer, url.Values{"error": {"temporarily_unavailable"}, "error_description": {err.Error()}})
		return
	}
	request.back(w, r, p.Issuer, url.Values{"code": {key}})
}

// read finds the client and where its answer goes; the text is why it cannot.
func (c Config) read(q url.Values) (request, string) {
	client, ok := c.client(q.Get("client_id"))
	if !ok {
		return request{}, "No application with this client_id is known here."
	}
	to := q.Get("redirect_uri")
	if !slices.Contains(client.RedirectURIs, to) {
		return request{}, "The redirect_uri is none that this application has registered, byte for byte."
	}
	redirect, err := url.Parse(to)
	if err != nil {
		return request{}, "The redirect_uri is no URL."
	}
	return request{
		client: client, redirect: redirect, state: q.Get("state"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge"),
		scopes: known(q.Get("scope")),
	}, ""
}

// refusal tells, in the words of RFC 6749, 4.1.2.1, what a request cannot have.
func refusal(q url.Values) (code, text string) {
	for name, values := range q {
		if len(values) > 1 {
			return "invalid_request", "the parameter " + name + " is there twice"
		}
	}
	challenge, err := base64.RawURLEncoding.DecodeString(q.Get("code_challenge"))
	switch {
	case q.Get("response_type") != "code":
		return "unsupported_response_type", "the response_type must be code"
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return "invalid_request", "the response_mode must be query"
	case q.Get("code_challenge_method") != "S256" || err != nil || len(challenge) != 32:
		return "invalid_request", "PKCE is needed: a code_challenge, and S256 as its method"
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		return "invalid_scope", "the scope must have openid in it"
	case q.Get("prompt") == "none":
		return "login_required", "nobody stays signed in here"
	}
	return "", ""
}

// known are those scopes among asked that mean something here, each once.
func known(asked string) []string {
	var found []string
	for _, scope := range strings.Fields(asked) {
		if slices.Contains(scopes, scope) && !slices.Contains(found, scope) {
			found = append(found, scope)
		}
	}
	return found
}

// back sends the browser back to the client, with the state and with who says so
// (RFC 9207).
func (to request) back(w http.ResponseWriter, r *http.Request, issuer string, answer url.Values) {
	if to.state != "" {
		answer.Set("state", to.state)
	}
	answer.Set("iss", issuer)
	u := *to.redirect
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += answer.Encode()
	http.Redirect(w, r, u.String(), http.StatusSeeOther)
}
