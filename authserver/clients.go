package authserver

import (
	"context"
	"errors"
	"strings"
)

// clients finds clients, by the form of their ids:
//
//	as the operator chose            ClientConfig    (preregistered.go)
//	https://host/path                CIMD            (document.go)
//	reg_ and 26 random characters    RFC 7591        (registration.go)
//
// The operator's come first, and no other way leads to an id of theirs: an id that
// is an https URL is that document's or the operator's, never a registration's.
type clients struct {
	operator      map[string]Client
	documents     *documents     // nil: none are asked for
	registrations *registrations // nil: nobody may register
}

func newClients(c Config) (*clients, error) {
	operator, err := preregistered(c)
	if err != nil {
		return nil, err
	}
	all := &clients{operator: operator}
	if c.Fetch != nil {
		all.documents = newDocuments(c, c.Limits.documents)
	}
	if c.AllowRegistration {
		all.registrations = &registrations{store: c.Store, scopes: c.scopes(), grants: c.ownGrants(), longest: c.Lifetimes.Longest, limit: c.Limits.register, log: c.Log, now: c.Now}
	}
	return all, nil
}

// client finds a client by its id. remote is the address of who names it, by which
// fetching documents is limited; "": not known. An error is a *problem: of code
// invalid_client when there is no such client, temporarily_unavailable when nobody
// can tell.
func (s *Server) client(ctx context.Context, id, remote string) (Client, error) {
	all := s.clients
	if known, ok := all.operator[id]; ok {
		return known, nil
	}
	switch {
	case id == "":
		return Client{}, refuse("invalid_client", "the request names no client (client_id)")
	case strings.HasPrefix(id, registrationPrefix) && all.registrations != nil:
		return all.registrations.find(ctx, id)
	case isURL(id) && all.documents != nil:
		return all.documents.find(ctx, id, remote)
	case isURL(id):
		return Client{}, refuse("invalid_client", "this server knows no clients by their own document (client_id is a URL); ask its operator to register yours")
	}
	return Client{}, refuse("invalid_client", "there is no client %s; its registration may have ended, so let it register anew, or ask the operator to register it", shown(id)).because(errUnknownClient)
}

var errUnknownClient = errors.New("unknown client")

// isURL reports whether a client's id is meant as one.
func isURL(id string) bool { return strings.Contains(id, "://") }

// used notes that a client was given tokens.
func (all *clients) used(ctx context.Context, c Client) {
	if c.Known == ByRegistration && all.registrations != nil {
		all.registrations.used(ctx, c.ID)
	}
}
