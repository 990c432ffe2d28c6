package mcpserver

import (
	"net"
	"net/http"
	"strings"

	"porterhouse"
)

// refusal is a request that goes no further, in the terms of RFC 6750.
type refusal struct {
	status int
	code   string // of RFC 6750 where it has one; "": a 401 without a token
	text   string // what went wrong and what to do; safe to show
	cause  error  // for the log
}

// admit proves who sends r, by the token in its Authorization header.
func (d *door) admit(r *http.Request) (porterhouse.Principal, *refusal) {
	token, no := bearer(r)
	if no != nil {
		return porterhouse.Principal{}, no
	}
	who, err := d.Verify(r.Context(), token)
	if err == nil && who.Subject == "" {
		err = errNobody
	}
	if err != nil {
		return porterhouse.Principal{}, d.refuse(err)
	}
	return who, nil
}

// refuse is refuse, and knows which refusal another token, with more scopes,
// would not meet (RFC 6750, 3.1).
func (d *door) refuse(err error) *refusal {
	no := refuse(err)
	if no.status == http.StatusForbidden && d.LacksScope != nil && d.LacksScope(err) {
		no.code = insufficientScope
	}
	return no
}

const insufficientScope = "insufficient_scope"

// errNobody is our own fault: whoever verifies must not do so.
var errNobody = porterhouse.Errorf(porterhouse.Internal, "the token was accepted, but names nobody")

// bearer takes the token out of r. A token anywhere else has been logged on the
// way, so it is not accepted.
func bearer(r *http.Request) (string, *refusal) {
	malformed := func(text string) (string, *refusal) {
		return "", &refusal{status: http.StatusBadRequest, code: "invalid_request", text: text}
	}
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") {
		return malformed("send the token in the Authorization header, not in the URL, and get a new one: this one is in logs now")
	}
	if len(r.Header.Values("Authorization")) > 1 {
		return malformed("there is more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", &refusal{status: http.StatusUnauthorized, text: "send a token: Authorization: Bearer <token>"}
	}
	if token = strings.TrimLeft(token, " "); !isToken68(token) {
		return malformed("after Bearer there must be one token, of letters, digits and -._~+/=")
	}
	return token, nil
}

// isToken68 reports whether s has the form of RFC 6750's b64token.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		c := body[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/", c) >= 0) {
			return false
		}
	}
	return body != ""
}

// refuse tells what a failure to verify means for the caller. An error that
// says nothing of the token says nothing of it here either.
func refuse(err error) *refusal {
	kind, text := porterhouse.Explain(err)
	no := &refusal{status: http.StatusInternalServerError, code: "server_error", text: text, cause: err}
	switch kind {
	case porterhouse.Unauthenticated:
		no.status, no.code = http.StatusUnauthorized, "invalid_token"
	case porterhouse.Invalid:
		no.status, no.code = http.StatusBadRequest, "invalid_request"
	case porterhouse.Refused, porterhouse.Denied:
		no.status, no.code = http.StatusForbidden, "access_denied"
	case porterhouse.Limited:
		no.status, no.code = http.StatusTooManyRequests, "temporarily_unavailable"
	case porterhouse.Unavailable, porterhouse.Timeout, porterhouse.Canceled:
		no.status, no.code = http.StatusServiceUnavailable, "temporarily_unavailable"
	}
	return no
}

// unproved reports whether nobody was proved: those attempts are counted, an
// outage of ours is not one.
func (no *refusal) unproved() bool {
	return no.status == http.StatusUnauthorized || no.status == http.StatusBadRequest
}

// recorded is the refusal as the audit record has it.
func (no *refusal) recorded() error {
	switch {
	case no.cause != nil:
		return no.cause
	case no.status == http.StatusUnauthorized:
		return porterhouse.Errorf(porterhouse.Unauthenticated, "%s", no.text)
	}
	return porterhouse.Errorf(porterhouse.Invalid, "%s", no.text)
}

// challenge is the WWW-Authenticate header that tells a client where to get a
// token. Without a token there is no error in it (RFC 6750, 3.1).
func (d *door) challenge(no *refusal) string {
	c := `Bearer resource_metadata="` + d.ResourceMetadata + `"`
	if len(d.Scopes) > 0 {
		c += `, scope="` + quotable(strings.Join(d.Scopes, " ")) + `"`
	}
	if no.code != "" {
		c += `, error="` + no.code + `", error_description="` + quotable(no.text) + `"`
	}
	return c
}

// quotable keeps what RFC 6750 lets an error_description hold.
func quotable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '\''
		}
		return r
	}, text)
}

// remote is the address of the peer without its port.
func remote(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
