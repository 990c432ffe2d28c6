package authserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"porterhouse/audit"
)

// registered is the answer to a registration (RFC 7591, 3.2.1): what is registered,
// which may be less than what was asked for.
type registered struct {
	ID            string     `json:"client_id"`
	IssuedAt      int64      `json:"client_id_issued_at"`
	Secret        string     `json:"client_secret,omitempty"`
	SecretExpires *int64     `json:"client_secret_expires_at,omitempty"` // 0: as long as the registration is used
	Name          string     `json:"client_name"`
	RedirectURIs  []string   `json:"redirect_uris"`
	Grants        []string   `json:"grant_types"`
	ResponseTypes []string   `json:"response_types"`
	Auth          AuthMethod `json:"token_endpoint_auth_method"`
	Scope         string     `json:"scope"`
}

// serveRegister answers POST /register: a client registers itself.
func serveRegister(s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := register(s, w, r)
		if err != nil {
			deny(s, w, r, err)
			return
		}
		s.Log.InfoContext(r.Context(), "client registered", "request", requestID(r), "client", answer.ID, "name", answer.Name,
			"redirects", answer.RedirectURIs, "remote", r.RemoteAddr)
		writeJSON(w, http.StatusCreated, answer)
	}
}

// register reads the body, writes the record, and keeps the registration.
func register(s *Server, w http.ResponseWriter, r *http.Request) (*registered, error) {
	g := s.clients.registrations
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, refuse("invalid_client_metadata", "the body must be JSON: Content-Type: application/json")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDocument))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, refuse("invalid_client_metadata", "the body has more than the %d bytes allowed", maxDocument).as(http.StatusRequestEntityTooLarge)
	} else if err != nil {
		return nil, refuse("invalid_client_metadata", "the body could not be read to its end").because(err)
	}
	record, err := g.parse(text)
	if err != nil {
		return nil, err
	}
	if !g.limit.take(r.RemoteAddr) {
		return nil, refuse("temporarily_unavailable", "too many clients registered themselves from your network; try again in some minutes").as(http.StatusTooManyRequests)
	}
	id, secret := record.newID()
	event := audit.AccessEvent{
		ID: requestID(r), Action: "register", Client: id, Remote: r.RemoteAddr,
		Reason: "calls itself " + record.Name + ", and is sent back to " + strings.Join(record.RedirectURIs, " "),
	}
	if err := s.Audit.Access(event); err != nil {
		return nil, err
	}
	if event.Err = g.add(r.Context(), id, record); event.Err != nil { // nobody was registered after all
		return nil, errors.Join(event.Err, s.Audit.Access(event))
	}
	answer := &registered{
		ID: id, IssuedAt: record.Registered.Unix(), Secret: secret, Name: record.Name, RedirectURIs: record.RedirectURIs,
		Grants: record.Grants, ResponseTypes: []string{"code"}, Auth: record.Auth, Scope: strings.Join(g.scopes, " "),
	}
	if secret != "" {
		answer.SecretExpires = new(int64)
	}
	return answer, nil
}
