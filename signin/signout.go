package signin

import (
	"log/slog"
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
func (v *visit) showOut() error {
	l, _, err := v.sessions.of(v.r)
	if is(err, porterhouse.Unauthenticated) {
		v.pages.Write(v.w, page.View{Name: "out", Title: "You are signed out", Data: outPage{}})
		return nil
	}
	if err != nil {
		return err
	}
	v.pages.Write(v.w, page.View{Name: "out", Title: "You are signed in", Data: outPage{
		User: l.User, Provider: v.providers[l.Proof].label(), SignedIn: l.SignedIn.UTC().Format(time.DateTime) + " UTC", Held: l.Held,
	}})
	return nil
}

// out is POST /signin/out. That it cannot be recorded does not keep anybody signed in.
func (v *visit) out() error {
	l, key, err := v.sessions.of(v.r)
	if is(err, porterhouse.Unauthenticated) {
		v.cookies.clear(v.w, sessionCookie)
		v.seeOther(OutPath)
		return nil
	}
	if err != nil {
		return err
	}
	everywhere := v.r.PostForm.Get("everywhere") == "yes"
	v.recordOut(l, everywhere)
	if everywhere {
		err = v.End(v.r.Context(), l.principal())
	}
	if err == nil {
		err = v.sessions.close(v.r.Context(), l, key)
	}
	if err != nil {
		return err
	}
	v.cookies.clear(v.w, sessionCookie)
	v.seeOther(OutPath)
	return nil
}

func (v *visit) recordOut(l login, everywhere bool) {
	reason := "of one browser"
	if everywhere {
		reason = "of one browser, and of all programs that have access because of this sign-in"
	}
	v.counts.signedOut.Add(1)
	err := v.Audit.Access(audit.AccessEvent{
		ID: v.id(), Action: "signout", Who: l.principal(), Remote: v.r.RemoteAddr, Token: l.id, Reason: reason,
	})
	v.Log.LogAttrs(v.r.Context(), slog.LevelInfo, "signed out",
		slog.String("request", v.id()), slog.String("user", l.User), slog.Bool("everywhere", everywhere), slog.Any("record", err))
}
