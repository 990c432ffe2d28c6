package authserver

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// introspection is what a token is (RFC 7662, 2.2). Of one that does not count, or is
// not for who asks to know, nothing is told but that.
type introspection struct {
	Active   bool   `json:"active"`
	Issuer   string `json:"iss,omitempty"`
	Subject  string `json:"sub,omitempty"`
	User     string `json:"username,omitempty"`
	Audience string `json:"aud,omitempty"`
	Client   string `json:"client_id,omitempty"`
	Scope    string `json:"scope,omitempty"`
	Type     string `json:"token_type,omitempty"` // of access tokens
	Expires  int64  `json:"exp,omitempty"`
	Issued   int64  `json:"iat,omitempty"`
	ID       string `json:"jti,omitempty"`
}

// serveIntrospect answers POST /introspect, to clients that prove who they are: about
// tokens of their own, and to the operator's about those for their resource.
func (s *Server) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	form, err := readForm(w, r)
	var client Client
	if err == nil {
		client, err = s.authenticate(ctx, r, form)
	}
	switch {
	case err != nil:
	case client.Auth == AuthNone:
		err = refuse("invalid_client", "only clients that have a secret or a key may ask what a token is")
	case form.Get("token") == "":
		err = refuse("invalid_request", "the parameter token is missing")
	}
	var found introspection
	if err == nil {
		found, err = introspect(ctx, s, form.Get("token"))
	}
	if err != nil {
		deny(s, w, r, err, slog.String("client", client.ID))
		return
	}
	theirs := found.Client == client.ID || client.Known == ByOperator && client.Resource != "" && sameResource(client.Resource, found.Audience)
	if !theirs {
		found = introspection{}
	}
	writeJSON(w, http.StatusOK, found)
}

// introspect finds out what a token is. An error says that nobody can tell.
func introspect(ctx context.Context, s *Server, text string) (introspection, error) {
	if strings.HasPrefix(text, refreshPrefix) {
		return introspectRefresh(ctx, s, text)
	}
	claims, err := s.ownClaims(ctx, text)
	if errors.Is(err, errNotOurs) {
		return introspection{}, nil
	} else if err != nil {
		return introspection{}, err
	}
	if claims.Session != "" {
		if _, _, err := s.families.find(ctx, claims.Session); errors.Is(err, errNoFamily) {
			return introspection{}, nil
		} else if err != nil {
			return introspection{}, err
		}
	}
	return introspection{
		Active: true, Issuer: claims.Issuer, Subject: claims.Subject, User: claims.User, Audience: claims.Audience,
		Client: claims.Client, Scope: claims.Scope, Type: "Bearer", Expires: claims.Expires, Issued: claims.Issued, ID: claims.ID,
	}, nil
}

func introspectRefresh(ctx context.Context, s *Server, text string) (introspection, error) {
	token, err := s.families.readRefreshToken(text)
	if err != nil {
		return introspection{}, nil
	}
	found, _, err := s.families.find(ctx, token.family)
	if errors.Is(err, errNoFamily) {
		return introspection{}, nil
	} else if err != nil {
		return introspection{}, err
	}
	if !hmac.Equal(token.sum(), found.Current) {
		return introspection{}, nil
	}
	who := found.Who.principal()
	return introspection{
		Active: true, Issuer: s.Issuer, Subject: subjectHere(who), User: who.User, Audience: found.Resource,
		Client: found.Client, Scope: strings.Join(found.Scopes, " "), Expires: found.Ends.Unix(), Issued: found.Rotated.Unix(),
	}, nil
}

// familyOf is the family of a token that was made here and still counts; "": there is none.
func familyOf(ctx context.Context, s *Server, text string) (string, error) {
	if strings.HasPrefix(text, refreshPrefix) {
		token, err := s.families.readRefreshToken(text)
		if err != nil {
			return "", nil
		}
		return token.family, nil
	}
	claims, err := s.ownClaims(ctx, text)
	if errors.Is(err, errNotOurs) {
		return "", nil
	}
	return claims.Session, err
}

var errNotOurs = errors.New("this is no access token of this server that counts")

// ownClaims reads an access token that was made here and has not ended, else
// errNotOurs; any other error says that nobody can tell.
func (c Config) ownClaims(ctx context.Context, text string) (claims accessClaims, err error) {
	token, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || token.Signatures[0].Header.ExtraHeaders[jose.HeaderType] != tokenType {
		return claims, errNotOurs
	}
	key, err := c.Keys.Verifying(ctx, token.Signatures[0].Header.KeyID)
	if err != nil {
		return claims, err
	}
	body, err := token.Verify(key)
	if err != nil {
		return claims, errNotOurs
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		return claims, fmt.Errorf("authserver: claims of our own: %w", err)
	}
	if claims.Issuer != c.Issuer || c.Now().Unix() >= claims.Expires {
		return accessClaims{}, errNotOurs
	}
	return claims, nil
}
