package fake_test

import (
	"testing"
	"time"

	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
	"porterhouse/sandbox/idp"
)

// A persona that takes tokens lets in whom a good one names, as that user of the real
// ClickHouse, and nobody by any other.
func TestTokens(t *testing.T) {
	real := sandbox.ForTest(t, sandbox.Options{})
	issuer := idp.StartIssuer(t, idp.Options{})
	p, _ := fake.Named("antalya")
	p.Processor = fake.TokenProcessor{KeysURL: issuer.URL + "/jwks", Issuer: issuer.Name, Audience: "clickhouse", UserClaim: "preferred_username", Password: fake.Password}
	c := dress(t, real, p)
	claims := issuer.Claims(idp.Alice, "clickhouse")
	const refused = "516 could not be verified"
	for what, test := range map[string]struct{ token, want string }{
		"good":                {issuer.Sign(claims), "alice\n"},
		"one of two":          {issuer.Sign(claims.With("aud", []string{"https://door.example.com/mcp", "clickhouse"})), "alice\n"},
		"another audience":    {issuer.Sign(claims.With("aud", "https://door.example.com/mcp")), refused},
		"no audience":         {issuer.Sign(claims.With("aud", nil)), refused},
		"another issuer":      {issuer.Sign(claims.With("iss", "https://elsewhere.example.com")), refused},
		"ended":               {issuer.Sign(claims.With("exp", time.Now().Add(-time.Second).Unix())), refused},
		"without an end":      {issuer.Sign(claims.With("exp", nil)), refused},
		"of tomorrow":         {issuer.Sign(claims.With("nbf", time.Now().Add(time.Hour).Unix())), refused},
		"another's key":       {idp.NewKey(t, "RS256").Sign(claims), refused},
		"a changed signature": {issuer.Key().Sign(claims) + "x", refused},
		"signed by nobody":    {issuer.Sign(claims, idp.Claims{"alg": "none"}), refused},
		"no name":             {issuer.Sign(claims.With("preferred_username", nil)), refused},
		"a user of nowhere":   {issuer.Sign(claims.With("preferred_username", "nobody")), "516 "},
		"no token":            {"x", refused},
	} {
		t.Run(what, func(t *testing.T) {
			c := client{T: t, url: c.url, token: test.token}
			c.must("SELECT currentUser()", "", test.want)
		})
	}
}
