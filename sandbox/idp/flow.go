package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// flow is signing in at an Issuer, by authorization code:
//
//	/authorize   approves at once, for the person whom SignInAs chose, and sends the browser back
//	/token       authorization_code with PKCE; refresh_token, each good once: a second use ends all of its family
//
// What it gives is sound, until a test tampers with it.
type flow struct {
	IDTokens     func(p Person, client string) Claims         // at first those of IDToken
	AccessTokens func(p Person, client, scopes string) string // at first opaque ones
	Offline      func(authorization url.Values) bool          // whether a refresh token is given; at first by offline_access
	NamesItself  bool                                         // redirects say iss (RFC 9207)

	issuer *Issuer

	mu           sync.Mutex
	who          Person          // signs in
	disabled     map[string]bool // by subject
	codes        map[string]visit
	refreshes    map[string]*refresh
	tamperID     func(Claims) Claims
	tamperAnswer func(Claims) Claims
}

// visit is what somebody was asked for who signed in.
type visit struct {
	person                                     Person
	client, redirect, challenge, nonce, scopes string
	offline                                    bool
}

// refresh is a refresh token; those of one visit are a family.
type refresh struct {
	visit
	used   bool
	family string
}

// startFlow gives i a sound one.
func startFlow(i *Issuer) {
	f := &i.flow
	f.issuer, f.who = i, i.Options.People[0]
	f.disabled, f.codes, f.refreshes = map[string]bool{}, map[string]visit{}, map[string]*refresh{}
	f.IDTokens, f.AccessTokens, f.Offline = f.IDToken, f.openAccess, asksOffline
	f.placeAt("/authorize", "/token")
}

// placeAt gives the endpoints their places.
func (f *flow) placeAt(authorize, token string) {
	f.issuer.Answer(authorize, f.authorize)
	f.issuer.Answer(token, f.token)
}

// SignInAs chooses who signs in from now on; at first it is the first of the people.
func (f *flow) SignInAs(p Person) {
	f.issuer.Know(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.who = p
}

// Disable makes the issuer refuse a person: no sign-in, and no refresh.
func (f *flow) Disable(subject string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.disabled[subject] = true
}

// TamperID changes the claims of ID tokens before they are signed; nil: no more.
func (f *flow) TamperID(change func(Claims) Claims) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tamperID = change
}

// TamperAnswer changes the answers of the token endpoint; nil: no more.
func (f *flow) TamperAnswer(change func(Claims) Claims) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tamperAnswer = change
}

// authorize is RFC 6749, 4.1.1, without a page.
func (f *flow) authorize(out http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	known := slices.ContainsFunc(f.issuer.Options.Clients, func(c Client) bool {
		return c.ID == query.Get("client_id") && c.Redirect == query.Get("redirect_uri")
	})
	back, err := url.Parse(query.Get("redirect_uri"))
	if !known || err != nil {
		http.Error(out, "no such client, or not its redirect URI", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {query.Get("state")}}
	if f.NamesItself {
		answer.Set("iss", f.issuer.Name)
	}
	switch {
	case query.Get("response_type") != "code" || query.Get("code_challenge_method") != "S256" || query.Get("code_challenge") == "":
		answer.Set("error", "invalid_request")
	default:
		if code := f.approve(query); code != "" {
			answer.Set("code", code)
		} else {
			answer.Set("error", "access_denied")
		}
	}
	back.RawQuery = answer.Encode()
	http.Redirect(out, r, back.String(), http.StatusFound)
}

// approve makes a code; "": the person may not sign in.
func (f *flow) approve(query url.Values) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.disabled[f.who.Subject] {
		return ""
	}
	code := rand.Text()
	f.codes[code] = visit{
		person: f.who, client: query.Get("client_id"), redirect: query.Get("redirect_uri"), challenge: query.Get("code_challenge"),
		nonce: query.Get("nonce"), scopes: query.Get("scope"), offline: f.Offline(query),
	}
	return code
}

// asksOffline reports whether the standard's way to ask for a refresh token was taken.
func asksOffline(query url.Values) bool {
	return slices.Contains(strings.Fields(query.Get("scope")), "offline_access")
}

// token is the token endpoint.
func (f *flow) token(out http.ResponseWriter, r *http.Request) {
	client, ok := f.client(r)
	if !ok || r.Method != http.MethodPost {
		out.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		reply(out, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	}
	var v visit
	family, refreshes := rand.Text(), r.PostFormValue("grant_type") == "refresh_token"
	if refreshes {
		v, family, ok = f.refresh(r.PostFormValue("refresh_token"), client)
	} else {
		v, ok = f.redeem(r, client)
	}
	if !ok {
		reply(out, http.StatusBadRequest, Claims{"error": "invalid_grant", "error_description": "it is used, unknown or of somebody else"})
		return
	}
	if refreshes {
		v.nonce = ""
	}
	reply(out, http.StatusOK, f.grant(v, family))
}

// client is who asks the token endpoint, by header or form.
func (f *flow) client(r *http.Request) (id string, ok bool) {
	id, secret, inHeader := r.BasicAuth()
	if !inHeader {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	} else {
		id, secret = unescape(id), unescape(secret)
	}
	return id, slices.ContainsFunc(f.issuer.Options.Clients, func(c Client) bool { return c.ID == id && c.Secret == secret })
}

// redeem consumes a code, for its client, redirect URI and verifier.
func (f *flow) redeem(r *http.Request, client string) (visit, bool) {
	code := r.PostFormValue("code")
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.codes[code]
	delete(f.codes, code)
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	proved := subtle.ConstantTimeCompare([]byte(Encode(sum[:])), []byte(v.challenge)) == 1
	return v, ok && proved && v.client == client && v.redirect == r.PostFormValue("redirect_uri") && !f.disabled[v.person.Subject]
}

// refresh consumes a refresh token. A used one ends its family.
func (f *flow) refresh(token, client string) (v visit, family string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.refreshes[token]
	switch {
	case known == nil || known.client != client || f.disabled[known.person.Subject]:
		return visit{}, "", false
	case known.used:
		for other, one := range f.refreshes {
			if one.family == known.family {
				delete(f.refreshes, other)
			}
		}
		return visit{}, "", false
	}
	known.used = true
	v = known.visit
	if now, there := f.issuer.person(withSubject(v.person.Subject)); there {
		v.person = now // as they are now
	}
	return v, known.family, true
}

// grant makes the answer: tokens of the person.
func (f *flow) grant(v visit, family string) Claims {
	access := f.AccessTokens(v.person, v.client, v.scopes)
	answer := Claims{"access_token": access, "token_type": "Bearer", "expires_in": int(f.issuer.Options.Lifetime.Seconds()), "scope": v.scopes}
	f.mu.Lock()
	tamperID, tamperAnswer := f.tamperID, f.tamperAnswer
	if v.offline {
		token := rand.Text() + rand.Text()
		f.refreshes[token] = &refresh{visit: v, family: family}
		answer["refresh_token"] = token
	}
	f.mu.Unlock()
	if slices.Contains(strings.Fields(v.scopes), "openid") {
		id := f.IDTokens(v.person, v.client).and(Claims{"at_hash": f.halfHash(access)})
		if v.nonce != "" {
			id["nonce"] = v.nonce
		}
		if tamperID != nil {
			id = tamperID(id)
		}
		answer["id_token"] = f.issuer.Sign(id)
	}
	if tamperAnswer != nil {
		answer = tamperAnswer(answer)
	}
	return answer
}

// halfHash is at_hash, by the algorithm of the key that signs.
func (f *flow) halfHash(token string) string {
	switch algorithm := f.issuer.Key().Algorithm; {
	case strings.HasSuffix(algorithm, "384"):
		sum := sha512.Sum384([]byte(token))
		return Encode(sum[:len(sum)/2])
	case strings.HasSuffix(algorithm, "512"), algorithm == "EdDSA":
		sum := sha512.Sum512([]byte(token))
		return Encode(sum[:len(sum)/2])
	}
	sum := sha256.Sum256([]byte(token))
	return Encode(sum[:len(sum)/2])
}

// IDToken are the claims of a sound ID token of a person for a client.
func (f *flow) IDToken(p Person, client string) Claims {
	return f.issuer.Claims(p, client).and(Claims{"azp": client, "client_id": nil, "scope": nil, "nbf": nil, "jti": nil, "auth_time": f.issuer.Now().Unix()})
}

// openAccess makes an opaque access token, which userinfo and introspection know.
func (f *flow) openAccess(p Person, client, scopes string) string {
	return f.issuer.Opaque(f.issuer.Claims(p, client).and(Claims{"azp": nil, "client_id": client, "scope": scopes, "token_type": "Bearer"}))
}

// IDJAG are the claims of an identity assertion (ID-JAG) of a person, for an
// authorization server (its issuer) and a client there; sign them with IDJAGType.
func (i *Issuer) IDJAG(p Person, server, client string) Claims {
	now := i.Now()
	return Claims{
		"iss": i.Name, "sub": p.Subject, "aud": server, "client_id": client, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"scope": "clickhouse:read", "email": p.Email, "email_verified": !p.Unverified, "preferred_username": p.Name, "groups": p.Groups,
	}
}

// IDJAGType is the header of an identity assertion.
var IDJAGType = Claims{"typ": "oauth-id-jag+jwt"}
