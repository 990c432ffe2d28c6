package openid

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// failure is a refusal at the token endpoint (RFC 6749, 5.2).
type failure struct{ code, text string }

func (f *failure) write(w http.ResponseWriter) {
	status := http.StatusBadRequest
	if f.code == "invalid_client" {
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Basic realm="demo"`)
	}
	writeJSON(w, status, map[string]string{"error": f.code, "error_description": f.text})
}

// token answers with tokens for a code, a refresh token or a device code.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	client, no := p.authenticate(r)
	if no != nil {
		no.write(w)
		return
	}
	run, ok := map[string]func(Client, url.Values) (answer, *failure){
		grantCode: p.redeem, grantRefresh: p.refresh, grantDevice: p.poll,
	}[r.PostForm.Get("grant_type")]
	if !ok {
		no = &failure{"unsupported_grant_type", "the grant_type must be one of those in the discovery document"}
		no.write(w)
		return
	}
	tokens, no := run(client, r.PostForm)
	if no != nil {
		no.write(w)
		return
	}
	writeJSON(w, http.StatusOK, tokens)
}

// authenticate reads the form and proves which client sent it: by Basic, by the
// secret in the form, or, a public one, by its name.
func (c Config) authenticate(r *http.Request) (Client, *failure) {
	if err := r.ParseForm(); err != nil {
		return Client{}, &failure{"invalid_request", "the form cannot be read"}
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return Client{}, &failure{"invalid_request", "the parameter " + name + " is there twice"}
		}
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if name, password, basic := r.BasicAuth(); basic {
		var err1, err2 error
		if id, err1 = url.QueryUnescape(name); err1 != nil { // RFC 6749, 2.3.1
			return Client{}, &failure{"invalid_client", "the client_id is not encoded as in a form"}
		}
		if secret, err2 = url.QueryUnescape(password); err2 != nil {
			return Client{}, &failure{"invalid_client", "the client_secret is not encoded as in a form"}
		}
	}
	client, ok := c.client(id)
	if !ok || subtle.ConstantTimeCompare([]byte(client.Secret), []byte(secret)) != 1 {
		return Client{}, &failure{"invalid_client", "no such client, or another secret"}
	}
	return client, nil
}

// redeem is the code's grant. A code is gone after one try, whatever came of it.
func (p *Provider) redeem(client Client, form url.Values) (answer, *failure) {
	c, ok := p.codes.take(form.Get("code"))
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case !ok:
		return answer{}, &failure{"invalid_grant", "the code is unknown, used or older than a minute"}
	case c.client != client.ID:
		return answer{}, &failure{"invalid_grant", "the code was given to another client"}
	case c.redirect != form.Get("redirect_uri"):
		return answer{}, &failure{"invalid_grant", "the redirect_uri is not that of the authorization request"}
	case subtle.ConstantTimeCompare([]byte(c.challenge), []byte(base64.RawURLEncoding.EncodeToString(sum[:]))) != 1:
		return answer{}, &failure{"invalid_grant", "the code_verifier does not fit the code_challenge"}
	}
	return p.first(c.grant)
}

// family is what one sign-in has led to: of its refresh tokens, one is good.
type family struct {
	grant
	current string
}

// first answers with the first tokens of a grant.
func (p *Provider) first(g grant) (answer, *failure) {
	if !slices.Contains(g.scopes, "offline_access") {
		return p.answer(g, "")
	}
	current := rand.Text()
	id, err := p.families.add(family{g, current})
	if err != nil {
		return answer{}, &failure{"temporarily_unavailable", err.Error()}
	}
	return p.answer(g, id+"."+current)
}

// refresh is the refresh token's grant: each is good for once, and one that is used
// again ends them all (RFC 9700, 4.14.2).
func (p *Provider) refresh(client Client, form url.Values) (answer, *failure) {
	id, current, _ := strings.Cut(form.Get("refresh_token"), ".")
	var g grant
	var next string
	var no *failure
	found := p.families.change(id, func(f *family) (keep bool) {
		if f.client != client.ID {
			no = &failure{"invalid_grant", "the refresh token was given to another client"}
			return true
		}
		if subtle.ConstantTimeCompare([]byte(f.current), []byte(current)) != 1 {
			no = &failure{"invalid_grant", "the refresh token was used before: all of its family end"}
			return false
		}
		if _, ok := p.people.find(f.subject); !ok {
			no = &failure{"invalid_grant", "this person is let in no more"}
			return true
		}
		f.current = rand.Text()
		g, next = f.grant, id+"."+f.current
		return true
	})
	if !found {
		no = &failure{"invalid_grant", "the refresh token is unknown, or its time is over"}
	}
	if no != nil {
		return answer{}, no
	}
	g.nonce = "" // of the first ID token alone (OpenID Connect Core, 12.2)
	if asked := form.Get("scope"); asked != "" {
		g.scopes = slices.DeleteFunc(slices.Clone(g.scopes), func(s string) bool { return !slices.Contains(strings.Fields(asked), s) })
	}
	return p.answer(g, next)
}
