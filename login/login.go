// Package login is the command line's side of signing in: a server's URL in, an
// access token out.
//
//	URL ─▶ discover (RFC 9728, RFC 8414) ─▶ browser with a loopback redirect, or device code ─▶ tokens
//	                                                                   │
//	a token for scripts ◀── refreshed when needed, by one process ◀── keyring, or a file of the owner's
//
// The rule of the package: a token is shown to nobody but whoever asked for exactly
// that, and goes to nobody but the server that it is for.
package login
