package identity

import (
	"fmt"
	"slices"
)

// trait is what tells the tokens of one type of processor from those of another:
// where they say what. The table below has them all.
type trait struct {
	names    []string   // paths of the name; the first that is there counts
	subjects [][]string // claims that together are the person's id; the first that are all there count
	groups   []string   // paths of the groups; all of them count
	either   bool       // or rather: of groups, the first that is there counts
	// The provider issues its tokens for clients, not for resources: a token for
	// one of ClientIDs is a token for us.
	clientAudience bool
	// The claim hd is a domain that the provider vouches for.
	hostedDomain bool
	// use is the claim in which every JWT says what it is for; "": not every one does.
	use string
	// isID tells an ID token that neither says so nor has a claim by which it is known;
	// nil: there is no way to tell.
	isID func(claims) bool
}

// traits, by type. Where a person's name may be anything that the person types
// into a form (name, nickname …), it is never the name here.
var traits = map[string]trait{
	"openid":           {names: []string{"sub"}, subjects: plainSubject, groups: []string{"groups"}},
	"jwt_static_key":   {names: []string{"sub"}, subjects: plainSubject, groups: []string{"groups"}},
	"jwt_static_jwks":  {names: []string{"sub"}, subjects: plainSubject, groups: []string{"groups"}},
	"jwt_dynamic_jwks": {names: []string{"sub"}, subjects: plainSubject, groups: []string{"groups"}},
	"keycloak":         {names: []string{"preferred_username"}, subjects: plainSubject, groups: []string{"groups", "realm_access.roles"}, use: "typ"},
	// Okta's access tokens have the login, which changes, as sub; uid stays.
	"okta":    {names: []string{"preferred_username", "sub"}, subjects: [][]string{{"uid"}, {"sub"}}, groups: []string{"groups"}, isID: hasNoClient},
	"auth0":   {names: []string{"sub"}, subjects: plainSubject, groups: []string{"groups"}, isID: hasNoClient},
	"cognito": {names: []string{"username", `"cognito:username"`}, subjects: plainSubject, groups: []string{`"cognito:groups"`}, clientAudience: true, use: "token_use"},
	// Entra's sub differs from application to application; oid is one person in one tenant.
	"entra":  {names: []string{"preferred_username", "upn", "unique_name"}, subjects: [][]string{{"oid", "tid"}}, groups: []string{"groups", "roles"}, isID: hasNoClient},
	"google": {names: []string{"email"}, subjects: plainSubject, groups: []string{"groups"}, clientAudience: true, hostedDomain: true, isID: always},
	"github": {names: []string{"login"}, subjects: plainSubject, groups: []string{"groups"}, clientAudience: true},
	"gitlab": {names: []string{"preferred_username", "nickname"}, subjects: plainSubject, groups: []string{"groups", "groups_direct"}, either: true, clientAudience: true, isID: always},
}

var plainSubject = [][]string{{"sub"}}

// always: the provider's tokens for access are opaque, so all its JWTs are ID tokens.
func always(claims) bool { return true }

// hasNoClient: a token for access names the client that it was issued to.
func hasNoClient(c claims) bool { return !slices.ContainsFunc(clientClaims, c.has) }

// traitOf finds the trait of a type; azure is another word for entra.
func traitOf(kind string) (trait, error) {
	if kind == "azure" {
		kind = "entra"
	}
	found, ok := traits[kind]
	if !ok {
		return trait{}, fmt.Errorf("there is no type %q of token processors", kind)
	}
	return found, nil
}
