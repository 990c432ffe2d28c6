// Package authserver is an OAuth 2.1 authorization server for MCP clients, the
// command line and programs without people: it lets a person agree to what a client
// may do, and gives the client tokens.
//
//	GET  /.well-known/oauth-authorization-server …   what we can do (metadata.go)
//	GET  /authorize      a request, read once ─▶ Who is it? nobody: off to sign in, and back here ─▶ the consent page
//	POST /authorize      the same request, read again, and the person's yes ─▶ a code, back at the client
//	POST /token          one pipeline for every grant:
//
//	  form ─▶ client authentication ─▶ may it use this grant? ─▶ the grant: who, which scopes
//	       ─▶ resource ─▶ audit record ─▶ access token, and perhaps a refresh token
//
//	POST /device_authorization, GET, POST /device    RFC 8628: the code on one screen, the yes on another
//	POST /register       RFC 7591, where the operator allows it
//	POST /revoke, /introspect   RFC 7009, RFC 7662
//	GET  /jwks           the public keys
//
// The rule of the package: a grant says whom it found and what they may have, and
// nothing else; no grant authenticates a client, narrows scopes, writes a record or
// mints a token, so none can forget to.
//
// It does not know how people sign in, and what tokens open.
package authserver
