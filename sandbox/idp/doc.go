// Package idp brings up identity providers on loopback for tests: real ones
// (npm's oidc-provider, dex, LemonLDAP::NG) and faithful stand-ins, on the wire,
// for Google, GitHub, GitLab, Entra ID and Microsoft Graph, which nobody can run.
package idp
