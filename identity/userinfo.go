package identity

import (
	"context"
	"maps"
	"slices"
)

// userinfo asks whose a token is (OpenID Connect, 5.3). The claims are of the
// person; for whom the token is, they do not say.
func userinfo(ctx context.Context, o *Outbound, endpoint, token string) (claims, error) {
	reply, err := o.Get(ctx, endpoint, bearer(token))
	if err != nil {
		return nil, err
	}
	if reply.refusesToken() {
		return nil, refuse("userinfo refuses the token with status %d", reply.Status)
	}
	return reply.object("userinfo")
}

// ofToken are claims about a token. What userinfo says of them is of its answer.
var ofToken = []string{"iss", "aud", "azp", "client_id", "cid", "appid", "exp", "nbf", "iat", "jti", "scope", "scp", "active", "typ", "token_use", "cnf"}

// joinClaims adds what was said of a person to what was said of a token. Both must
// be about the same one, where both say; of two equal claims that of the token stays,
// and then the other's word that an e-mail address is verified is of another address.
func joinClaims(token, person claims) (claims, error) {
	of, _ := token["sub"].(string)
	is, _ := person["sub"].(string)
	if is == "" || of != is && token.has("sub") {
		return nil, refuse("the token is of the subject %q, and userinfo is about %q", abridged(of), abridged(is))
	}
	all := maps.Clone(token)
	for name, value := range person {
		isOfOther := name == "email_verified" && token.has("email") && token["email"] != person["email"]
		if !all.has(name) && !slices.Contains(ofToken, name) && !isOfOther {
			all[name] = value
		}
	}
	return all, nil
}
