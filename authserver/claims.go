package authserver

import (
	"encoding/json"
	"time"

	"porterhouse"
)

// accessClaims are the claims of an access token (RFC 9068, 2.2), and who it is in
// the words of whoever vouched: identity's processor for our own tokens reads them.
type accessClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"` // of the person at this issuer: a hash of the provider and its id of the person
	Audience string   `json:"aud"` // the resource
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	ID       string   `json:"jti"`
	Client   string   `json:"client_id"`
	Scope    string   `json:"scope"`
	Session  string   `json:"sid,omitempty"` // family of refresh tokens
	Proof    vouched  `json:"idp"`
	User     string   `json:"name"`
	Groups   []string `json:"groups,omitzero"`     // nil: the provider told none; empty: that there are none
	AuthTime int64    `json:"auth_time,omitempty"` // when the provider said all this
}

// vouched is who vouched for a person, and its own id of them.
type vouched struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Processor string `json:"processor"`
	Login     string `json:"login,omitempty"` // the id of the sign-in here, which opens nothing by itself
}

// maxGroups is how many bytes of JSON the groups in a token may have: a token is sent
// with each request, and proxies refuse headers that are longer than 16 KiB or so.
const maxGroups = 8 << 10

// tooManyGroups refuses a person whose groups do not fit into a token.
func tooManyGroups(who porterhouse.Principal) error {
	text, err := json.Marshal(who.Groups)
	if err == nil && len(text) > maxGroups {
		return refuse("invalid_grant", "your identity provider names %d groups, in %d bytes, and a token has room for %d; ask your administrator to let the provider send only the groups that matter here", len(who.Groups), len(text), maxGroups)
	}
	return err
}

// ends is when an access token that is issued now ends: soon, and never after the
// sign-in that it comes from.
func (l Lifetimes) ends(now time.Time, who porterhouse.Principal) time.Time {
	end := now.Add(l.Access)
	if !who.Expires.IsZero() && who.Expires.Before(end) {
		return who.Expires
	}
	return end
}
