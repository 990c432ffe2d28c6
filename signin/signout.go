package signin

import (
	"log/slog"
	"net/http"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/page"
)

// out is what its page shows.
type outPage struct {
	User     string // "": nobody is signed in
	Provider string
	SignedIn string
	Held     bool // programs have access because of this sign-in
}

// showOut is GET /signin/out: who is signed in, and how to end it.
func (s *SignIn) showOut(w http.ResponseWriter, r *http.Request) error {
	l, _, err := s.sessionOf(r)
	if is(err, porterhouse.Unauthenticated) {
		s.pages.Write(w, page.View{Name: "out", Title: "You are signed out", Data: outPage{}})
		return nil
	}
	if err != nil {
		return err
	}
	s.pages.Write(w, page.View{Name: "out", Title: "You are signed in", Data: outPage{
		User: l.User, Provider: s.providers[l.Proof].label(), SignedIn: l.SignedIn.UTC().Format(time.DateTime) + " UTC", Held: l.Held,
	}})
	return nil
}

// out is POST /signin/out. That it cannot be recorded does not keep anybody signed in.
func (s *SignIn) out(w http.ResponseWriter, r *http.Request) error {
	l, key, err := s.sessionOf(r)
	if is(err, porterhouse.Unauthenticated) {
		s.cookies.clear(w, sessionCookie)
		seeOther(w, OutPath)
		return nil
	}
	if err != nil {
		return err
	}
	everywhere := r.PostForm.Get("everywhere") == "yes"
	s.recordOut(r, l, everywhere)
	if everywhere {
		err = s.End(r.Context(), l.principal())
	}
	if err == nil {
		err = s.close(r.Context(), l, key)
	}
	if err != nil {
		return err
	}
	s.cookies.clear(w, sessionCookie)
	seeOther(w, OutPath)
	return nil
}

func (s *SignIn) recordOut(r *http.Request, l login, everywhere bool) {
	reason := "of one browser"
	if everywhere {
		reason = "of one browser, and of all programs that have access because of this sign-in"
	}
	s.counts.signedOut.Add(1)
	err := s.Audit.Access(audit.AccessEvent{
		ID: r.Header.Get("X-Request-Id"), Action: "signout", Who: l.principal(), Remote: r.RemoteAddr, Token: l.id, Reason: reason,
	})
	s.Log.LogAttrs(r.Context(), slog.LevelInfo, "signed out",
		slog.String("request", r.Header.Get("X-Request-Id")), slog.String("user", l.User), slog.Bool("everywhere", everywhere), slog.Any("record", err))
}
