package authserver

import (
	"context"
	"net/url"

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
	who      porterhouse.Principal
	scopes   []string // granted at most these; a narrower wish of the request is honoured
	resource string   // that the grant is bound to; "": what the request names, else the default
	family   string   // id of the family of refresh tokens that it belongs to; "": none
	refresh  string   // the refresh token to answer with; "": none
	action   string   // for the audit record
	note     string   // reason, for the audit record
}

// grant is one way to be given a token.
type grant struct {
	name string // grant_type
	run  func(ctx context.Context, r *tokenRequest) (entitlement, error)
}
