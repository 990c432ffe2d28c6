package authserver

import (
	"errors"
	"log/slog"
	"net/http"

	"porterhouse/audit"
)

// serveRevoke answers POST /revoke (RFC 7009): the family that a token belongs to
// ends. An access token of it counts until it ends by itself, within minutes. A token
// that is none changes nothing, and that is a success (2.2).
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	client, err := s.revoke(w, r)
	if err != nil {
		deny(s, w, r, err, slog.String("client", client.ID))
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) (Client, error) {
	ctx := r.Context()
	form, err := readForm(w, r)
	if err != nil {
		return Client{}, err
	}
	client, err := s.authenticate(ctx, r, form)
	if err != nil {
		return client, err
	}
	text := form.Get("token")
	if text == "" {
		return client, refuse("invalid_request", "the parameter token is missing")
	}
	id, err := familyOf(ctx, s, text)
	if err != nil || id == "" {
		return client, err
	}
	found, _, err := s.families.find(ctx, id)
	if errors.Is(err, errNoFamily) {
		return client, nil
	} else if err != nil {
		return client, err
	}
	if found.Client != client.ID {
		return client, refuse("unauthorized_client", "the token was given to another client")
	}
	record := s.Audit.Access(audit.AccessEvent{
		ID: requestID(r), Action: "revoke", Who: found.Who.principal(), Client: client.ID, Remote: r.RemoteAddr,
		Scopes: found.Scopes, For: found.Resource, Token: id, Reason: "the client gave it back",
	})
	return client, errors.Join(s.families.end(ctx, id), record) // taken back, whether or not it can be recorded
}
