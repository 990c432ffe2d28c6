package identity

import "net/url"

// exchangeHabit is how one kind of provider exchanges the token of a person.
type exchangeHabit struct {
	onBehalf bool   // Entra's on-behalf-of, instead of RFC 8693
	named    bool   // the target is an audience to it, and never a resource
	none     string // why there is no such thing; "": there is
}

// exchangeHabits, by type. Those that are not here keep to RFC 8693.
var exchangeHabits = map[string]exchangeHabit{
	// Standard token exchange, since 26.2: the audience is a client of the realm, and ours
	// has to be in that of the token which is exchanged.
	"keycloak": {named: true},
	"auth0":    {named: true}, // on-behalf-of token exchange: the audience is an API's identifier
	"entra":    {onBehalf: true},
	"okta":     {none: "an authorization server of Okta has one audience, and gives tokens for another only as another issuer: let it be the same audience for ClickHouse and for this server"},
	"cognito":  {none: "Cognito does not exchange tokens, and its access tokens have no audience"},
	"google":   {none: "Google does not exchange tokens of people: theirs are for Google alone"},
	"github":   {none: "GitHub does not exchange tokens: it gives tokens for GitHub alone"},
	"gitlab":   {none: "GitLab does not exchange tokens: it gives tokens for GitLab alone"},
}

func exchangeHabitOf(kind string) exchangeHabit {
	if kind == "azure" {
		kind = "entra"
	}
	return exchangeHabits[kind]
}

// The names of RFC 8693, 2.1 and 3.
const (
	exchangeGrant   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	jwtType         = "urn:ietf:params:oauth:token-type:jwt"
)

// exchangeNoes are what a provider says of a token that it does not exchange, beside
// targetNoes: RFC 8693, 2.2.2 has invalid_request for all of that.
var exchangeNoes = []string{"invalid_request", "invalid_token", "invalid_resource"}

// form is what the token endpoint is asked; what is empty in it was not said.
func (h exchangeHabit) form(t Target, token string) url.Values {
	if h.onBehalf {
		return url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "requested_token_use": {"on_behalf_of"},
			"assertion": {token}, "scope": {t.Scope},
		}
	}
	form := url.Values{
		"grant_type":    {exchangeGrant},
		"subject_token": {token}, "subject_token_type": {accessTokenType},
		"requested_token_type": {accessTokenType},
		"resource":             {t.Resource}, "scope": {t.Scope}, "audience": {t.Audience},
	}
	switch {
	case h.named:
		form.Del("resource")
	case t.Audience == t.Resource: // it has that name by its resource alone
		form.Del("audience")
	}
	return form
}
