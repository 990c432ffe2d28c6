package authserver

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
	Groups   []string `json:"groups,omitempty"`    // nil: the provider told none
	AuthTime int64    `json:"auth_time,omitempty"` // when the provider said all this
}

// vouched is who vouched for a person, and its own id of them.
type vouched struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Processor string `json:"processor"`
}
