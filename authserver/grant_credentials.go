package authserver

import (
	"context"

	"porterhouse"
)

// ClientsProof is the Proof of programs that ask for themselves: rules name it like a
// token processor.
const ClientsProof = "clients"

// credentialsGrant is client_credentials (RFC 6749, 4.4): a program without a person
// asks for itself. It is who the operator says it is, never who it says.
func credentialsGrant(s *Server) grant {
	return grant{name: GrantCredentials, narrows: true, run: func(_ context.Context, r *tokenRequest) (entitlement, error) {
		c := r.client
		switch {
		case c.config == nil || c.Auth == AuthNone:
			return entitlement{}, refuse("unauthorized_client", "client_credentials is for clients that the operator has registered, with a secret or a key")
		case c.config.User == "":
			return entitlement{}, refuse("unauthorized_client", "the operator has not said who this client is when it asks for itself: give it a user in the configuration of its client")
		}
		return entitlement{who: program(s.Config, c), scopes: without(c.Scopes, ScopeOffline), action: "token", note: "client_credentials"}, nil
	}}
}

// program is a client as somebody who asks. That it is vouched for by us, under its
// own id, is not the configuration's to change.
func program(config Config, c Client) porterhouse.Principal {
	return porterhouse.Principal{
		Issuer: config.Issuer, Subject: c.ID, Proof: ClientsProof,
		User: c.config.User, Groups: c.config.Groups,
		Client: c.ID, Issued: config.Now(),
	}
}
