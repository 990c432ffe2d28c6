package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"porterhouse"
	"porterhouse/audit"
)

// arrive is GET /signin/callback: a provider sent the browser back.
func (s *SignIn) arrive(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	state, _ := single(query, "state")
	j, err := s.comeBack(w, r, state)
	if err != nil {
		return lost(err)
	}
	if first, err := s.punch(r.Context(), j); err != nil {
		return refusalOf(err).again(j.Return)
	} else if !first {
		return usedUp(j.Return)
	}
	p, found := s.providers[j.Provider]
	if !found {
		return noProvider(j.Return)
	}
	if code := query.Get("error"); code != "" {
		return providerSaid(p, code, query.Get("error_description"), j.Return)
	}
	who, kept, err := finish(r.Context(), p, j, query)
	if err != nil {
		s.recordRefused(r, p, err)
		return notIn(p, j.Return, err)
	}
	if err := s.letIn(w, r, p, who, kept); err != nil {
		return refusalOf(err).again(j.Return)
	}
	seeOther(w, j.Return)
	return nil
}

// single reads a parameter that is there exactly once, and not empty.
func single(query url.Values, name string) (string, bool) {
	all := query[name]
	if len(all) != 1 || all[0] == "" {
		return "", false
	}
	return all[0], true
}

// finish lets the provider tell who it is.
func finish(ctx context.Context, p Provider, j journey, query url.Values) (porterhouse.Principal, Kept, error) {
	code, found := single(query, "code")
	if !found || len(query["iss"]) > 1 {
		return porterhouse.Principal{}, Kept{}, garbled(p, j.Return)
	}
	who, kept, err := p.Finish(ctx, j.Trip, code, query.Get("iss"))
	if err != nil {
		return porterhouse.Principal{}, Kept{}, err
	}
	if who.Issuer == "" || who.Subject == "" || who.Proof != p.Name {
		return porterhouse.Principal{}, Kept{}, fmt.Errorf("signin: %s finished a sign-in with %q of %q, proved by %q", p.Name, who.Subject, who.Issuer, who.Proof)
	}
	return who, kept, nil
}

// letIn records a sign-in, and gives the browser a new session: never one that it
// had before somebody signed in.
func (s *SignIn) letIn(w http.ResponseWriter, r *http.Request, p Provider, who porterhouse.Principal, kept Kept) error {
	l := s.newLogin(p, who, kept)
	event := audit.AccessEvent{
		ID: r.Header.Get("X-Request-Id"), Action: "signin", Who: l.principal(), Remote: r.RemoteAddr, Token: l.id, Reason: "signed in at " + p.Name,
	}
	if err := s.Audit.Access(event); err != nil {
		return err
	}
	s.leave(r) // a session that is left behind ends by itself
	if err := s.begin(w, r, l); err != nil {
		event.Err = err // nobody was signed in after all
		return errors.Join(err, s.Audit.Access(event))
	}
	s.counts.signedIn.Add(1)
	s.Log.LogAttrs(r.Context(), slog.LevelInfo, "signed in",
		slog.String("request", r.Header.Get("X-Request-Id")), slog.String("provider", p.Name), slog.String("user", who.User),
		slog.Bool("recheck", p.canRecheck(kept)), slog.String("remote", r.RemoteAddr))
	return nil
}

// begin keeps a login, and gives the browser a session of it.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request, l login) error {
	if err := s.create(r.Context(), l); err != nil {
		return err
	}
	return s.open(w, r, l)
}

// recordRefused writes down whom a provider's rules did not let in. It gives nothing
// to anybody, so that it cannot be written stops nobody.
func (s *SignIn) recordRefused(r *http.Request, p Provider, why error) {
	err := s.Audit.Access(audit.AccessEvent{
		ID: r.Header.Get("X-Request-Id"), Action: "signin", Who: porterhouse.Principal{Proof: p.Name}, Remote: r.RemoteAddr, Err: why,
	})
	if err != nil {
		s.Log.Error("a refused sign-in could not be recorded", "request", r.Header.Get("X-Request-Id"), "error", err)
	}
}
