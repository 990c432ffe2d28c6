package identity

import "strings"

// wellKnown is where a provider's discovery document is, after its issuer.
const wellKnown = "/.well-known/openid-configuration"

// Issuers are those that the processor's tokens may name, as far as its settings tell.
func (s Settings) Issuers() []string { return issuersOf(s) }

// issuersOf are the issuers that a processor's tokens may name, by its settings;
// empty: they do not say. Of a provider whose issuer follows from the place of its
// discovery document it is with or without a slash at the end: which of both, the
// document says.
func issuersOf(s Settings) []string {
	if s.ExpectedIssuer != "" {
		return []string{s.ExpectedIssuer}
	}
	base := strings.TrimRight(s.BaseURL, "/")
	switch s.Type {
	case "entra", "azure":
		return []string{"https://login.microsoftonline.com/" + s.TenantID + "/v2.0", "https://sts.windows.net/" + s.TenantID + "/"}
	case "google":
		return []string{"https://accounts.google.com", "accounts.google.com"}
	case "github":
		return []string{orText(base, "https://github.com")}
	case "gitlab":
		return []string{orText(base, "https://gitlab.com")}
	case "cognito":
		region, pool, _ := strings.Cut(s.Organization, "/")
		return []string{"https://cognito-idp." + region + ".amazonaws.com/" + pool}
	case "keycloak", "okta":
		return []string{base}
	case "auth0":
		return []string{base + "/"}
	case "openid":
		if base, ok := strings.CutSuffix(s.ConfigurationEndpoint, wellKnown); ok {
			return []string{base, base + "/"}
		}
	}
	return nil
}

func orText(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}
