package identity

import "slices"

// habit is what one kind of provider wants to be asked when somebody signs in.
type habit struct {
	scopes []string
	// further are scopes that not every provider knows: asked for where discovery lists them.
	further []string
	// prompt asks for what else would be skipped.
	prompt string
	// accessType is Google's word for offline_access.
	accessType string
	// agree: whoever asks for offline access has to ask for consent, too, or is not
	// given it (OpenID Connect Core, 11).
	agree bool
}

// Why the prompts are as they are: somebody with several accounts is to choose one,
// and Google gives a refresh token only to who was asked for consent just then.
const (
	chooseAccount  = "select_account"
	chooseAndAgree = "select_account consent"
)

// personScopes are those of OpenID Connect that tell who it is.
var personScopes = []string{"openid", "profile", "email"}

// habits, by type. Those that are not here are habitual OpenID providers.
var habits = map[string]habit{
	"keycloak": {scopes: personScopes, further: []string{"groups", offlineAccess}},
	"okta":     {scopes: personScopes, further: []string{"groups", offlineAccess}},
	"auth0":    {scopes: personScopes, further: []string{offlineAccess}},
	"cognito":  {scopes: personScopes}, // always gives a refresh token
	"gitlab":   {scopes: personScopes},
	"google":   {scopes: personScopes, prompt: chooseAndAgree, accessType: "offline"},
	// User.Read opens the person's own groups at Graph, for those who are in too many.
	"entra":  {scopes: []string{"openid", "profile", "email", offlineAccess, "User.Read"}, prompt: chooseAccount},
	"github": {scopes: []string{"read:user", "user:email", "read:org"}, prompt: chooseAccount},
}

const offlineAccess = "offline_access"

func habitOf(kind string) habit {
	if kind == "azure" {
		kind = "entra"
	}
	if known, ok := habits[kind]; ok {
		return known
	}
	return habit{scopes: personScopes, further: []string{"groups", offlineAccess}, agree: true}
}

// scopesFor are what is asked for: configured ones, or the kind's own; and those without
// which the rules would let nobody in.
func (h habit) scopesFor(at places, s Settings, c ClientSettings) []string {
	scopes := slices.Clone(c.Scopes)
	if len(scopes) == 0 {
		scopes = slices.Clone(h.scopes)
		for _, scope := range h.further {
			if slices.Contains(at.scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	if s.Type != "github" {
		scopes = append([]string{"openid"}, scopes...) // else there would be no ID token
	}
	var all []string
	for _, scope := range append(scopes, s.RequiredScopes...) {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}

// promptFor is the kind's own, and consent where that is needed and understood.
func (h habit) promptFor(at places, scopes []string) string {
	understood := at.prompts == nil || slices.Contains(at.prompts, "consent")
	if h.agree && understood && slices.Contains(scopes, offlineAccess) {
		return "consent"
	}
	return h.prompt
}
