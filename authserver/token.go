package authserver

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"porterhouse"
)

// tokenRequest is what a grant gets to see of a request to /token: the client is
// authenticated and may use this grant, the form has no parameter twice.
type tokenRequest struct {
	client  Client
	form    url.Values
	remote  string // address that it came from
	request string // id of the request
}

// entitlement is what a grant found: whose tokens they will be, and how wide.
type entitlement struct {
	who      porterhouse.Principal // tokens end by its Expires, if it has one
	scopes   []string              // granted at most these
	resource string                // that the grant is bound to; "": what the request names, else the default
	family   string                // id of the family of refresh tokens that it belongs to; "": none
	issued   string                // issued_token_type, for who exchanged a token (RFC 8693); "": not told
	action   string                // for the audit record
	note     string                // reason, for the audit record
	// refresh makes the refresh token to answer with; nil: none. It is called last,
	// when everything else is sure: what fails before it costs nobody theirs.
	refresh func(ctx context.Context) (string, error)
}

// grant is one way to be given a token.
type grant struct {
	name string // grant_type
	run  func(ctx context.Context, r *tokenRequest) (entitlement, error)
	// narrows: the request may wish for fewer scopes than there are. Where the
	// parameter is not defined it is not looked at, since clients send it anyway.
	narrows bool
}

// grantsOf are the grants that can be used here, by grant_type.
func grantsOf(s *Server) map[string]grant {
	byName := map[string]grant{}
	for _, g := range []grant{
		codeGrant(s),
		refreshGrant(s),
		deviceGrant(s),
		credentialsGrant(s),
		exchangeGrant(),
		assertionGrant(s),
	} {
		byName[g.name] = g
	}
	if !s.DeviceCodes {
		delete(byName, GrantDevice)
	}
	return byName
}

// serveToken answers POST /token.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	p := pipeline{Server: s, r: &tokenRequest{remote: r.RemoteAddr, request: requestID(r)}}
	answer, err := p.run(w, r)
	if err != nil {
		deny(s, w, r, err, slog.String("client", p.r.client.ID), slog.String("grant", shown(p.r.form.Get("grant_type"))), slog.String("user", p.found.who.User))
		return
	}
	s.stats.tokens.Add(1)
	s.clients.used(r.Context(), p.r.client)
	s.Log.InfoContext(r.Context(), "token given", "request", p.r.request, "client", p.r.client.ID, "grant", p.grant.name,
		"user", p.found.who.User, "scope", answer.Scope, "resource", p.resource.URI, "refresh", answer.RefreshToken != "")
	writeJSON(w, http.StatusOK, answer)
}

// pipeline is one request to /token, and what has been found out about it so far.
type pipeline struct {
	*Server
	r        *tokenRequest
	grant    grant
	found    entitlement
	resource Resource
	scopes   []string
}

// run is every step from the form to the tokens, in the order in which they must
// happen: nothing is used up for a client that is not the one it says, and nothing
// is given that is not in the record.
func (p *pipeline) run(w http.ResponseWriter, r *http.Request) (answer tokenAnswer, err error) {
	ctx := r.Context()
	if p.r.form, err = readForm(w, r, "resource"); err != nil {
		return tokenAnswer{}, err
	}
	if p.r.client, err = p.authenticate(ctx, r, p.r.form); err != nil {
		return tokenAnswer{}, err
	}
	if err := p.choose(); err != nil {
		return tokenAnswer{}, err
	}
	if p.found, err = p.grant.run(ctx, p.r); err != nil {
		return tokenAnswer{}, err
	}
	if p.resource, err = p.target(); err != nil {
		return tokenAnswer{}, err
	}
	if p.scopes, err = p.narrow(); err != nil {
		return tokenAnswer{}, err
	}
	return p.issue(ctx)
}

// choose finds the grant, and whether the client may use it.
func (p *pipeline) choose() error {
	name := p.r.form.Get("grant_type")
	if name == "" {
		return refuse("invalid_request", "the parameter grant_type is missing")
	}
	found, ok := p.grants[name]
	switch {
	case !ok:
		return refuse("unsupported_grant_type", "this server does not know that grant_type; its metadata lists those that it knows")
	case !p.r.client.may(name):
		return refuse("unauthorized_client", "this client may not use %s; its registration or its metadata document has to list it in grant_types", name)
	}
	p.grant = found
	return nil
}

// target is the resource that the tokens are for (RFC 8707): the one that the grant is
// bound to, and the request must not name another.
func (p *pipeline) target() (Resource, error) {
	wish := p.r.form.Get("resource")
	if wish == "" {
		wish = p.found.resource
	}
	found, err := p.resourceOf(p.r.client, wish)
	if err != nil {
		return Resource{}, err
	}
	if p.found.resource != "" && p.found.resource != found.URI {
		return Resource{}, refuse("invalid_target", "this grant is for %s, and cannot be used for another resource", p.found.resource)
	}
	return found, nil
}

// narrow is what is granted of what was found: what the client may still have, what
// the resource knows, and no more than the request wishes for.
func (p *pipeline) narrow() ([]string, error) {
	granted := intersect(p.found.scopes, p.r.client.Scopes, append([]string{ScopeOffline}, p.resource.Scopes...))
	wish := scopesOf(p.r.form.Get("scope"))
	if p.found.family == "" { // nothing to go on with; some programs ask for it everywhere
		granted, wish = without(granted, ScopeOffline), without(wish, ScopeOffline)
	}
	if p.grant.narrows && len(wish) > 0 {
		if missing := without(wish, granted...); len(missing) > 0 {
			return nil, refuse("invalid_scope", "%s is more than was granted; ask for it in a new authorization", strings.Join(missing, " "))
		}
		granted = wish
	}
	if len(without(granted, ScopeOffline)) == 0 {
		return nil, refuse("invalid_scope", "nothing is left that this client may do at %s", p.resource.URI)
	}
	return granted, nil
}
