package identity

// Issuer is where clients get themselves a token of this processor, as its settings
// tell it: an OpenID provider, which has a discovery document. "": there is none,
// or the settings do not say.
func (s Settings) Issuer() string {
	switch s.Type {
	case "github", "jwt_static_key", "jwt_static_jwks":
		return "" // nothing is documented there that a client could discover
	}
	if issuers := issuersOf(s); len(issuers) > 0 {
		return issuers[0]
	}
	return ""
}

// GitHubAPI is where a processor for GitHub asks. "": its base_url names no GitHub.
func (s Settings) GitHubAPI() string {
	api, err := githubAPI(s.BaseURL)
	if err != nil {
		return "" // which NewProcessors refuses
	}
	return api
}

// ClientAudiences are those of ClientIDs for whom (aud) a token has to be, to be for us:
// where the provider issues tokens for clients, or ID tokens are taken.
func (s Settings) ClientAudiences() []string {
	if own, err := traitOf(s.Type); err == nil && own.clientAudience || s.AllowIDTokens {
		return s.ClientIDs
	}
	return nil
}
