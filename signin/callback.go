package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"porterhouse"
	"porterhouse/audit"
)

// arrive is GET /signin/callback/…: a provider sent the browser back.
func (v *visit) arrive() error {
	query := v.r.URL.Query()
	state, _ := single(query, "state")
	j, err := v.trips.end(v.w, v.r, state)
	if err != nil {
		return lost(err)
	}
	if at := v.r.PathValue("provider"); at != j.Provider {
		return lost(fmt.Errorf("the browser was sent to %q, and came back where %q sends it", j.Provider, at))
	}
	p, found := v.providers[j.Provider]
	if !found {
		return noProvider(j.Return)
	}
	if code := query.Get("error"); code != "" {
		return providerSaid(p, code, query.Get("error_description"), j.Return)
	}
	if first, err := v.trips.punch(v.r.Context(), j); err != nil {
		return refusalOf(err).again(j.Return)
	} else if !first {
		return usedUp(j.Return)
	}
	who, kept, err := finish(v.r.Context(), p, j, query)
	if err != nil {
		v.unpunch(j)
		v.recordRefused(p, err)
		return notIn(p, j.Return, err)
	}
	if err := v.letIn(p, who, kept); err != nil {
		return refusalOf(err).again(j.Return)
	}
	v.seeOther(j.Return)
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
func (v *visit) letIn(p Provider, who porterhouse.Principal, kept Kept) error {
	if !v.Limits.people.take(who.Key(), v.Now()) {
		return tooManyOf(who)
	}
	l := v.logins.new(p, who, kept)
	event := audit.AccessEvent{
		ID: v.id(), Action: "signin", Who: l.principal(), Remote: v.r.RemoteAddr, Token: l.id, Reason: "signed in at " + p.Name,
	}
	if err := v.Audit.Access(event); err != nil {
		return err
	}
	if err := v.begin(l); err != nil {
		event.Err = err // nobody was signed in after all
		return errors.Join(err, v.Audit.Access(event))
	}
	v.leave()
	v.counts.signedIn.Add(1)
	v.Log.LogAttrs(v.r.Context(), slog.LevelInfo, "signed in",
		slog.String("request", v.id()), slog.String("provider", p.Name), slog.String("user", who.User),
		slog.Bool("recheck", p.canRecheck(kept)), slog.String("remote", v.r.RemoteAddr))
	return nil
}

// begin keeps a login, and gives the browser a session of it.
func (v *visit) begin(l login) error {
	if err := v.logins.create(v.r.Context(), l); err != nil {
		return err
	}
	return v.sessions.open(v.w, v.r, l)
}

// unpunch forgets that a journey was used: nobody was vouched for at its end, and for
// such people nothing is kept. Somebody could otherwise fill the store with them.
func (v *visit) unpunch(j journey) {
	if err := v.trips.unpunch(context.WithoutCancel(v.r.Context()), j); err != nil {
		v.Log.Warn("the mark of a trip stays until it ends by itself", "request", v.id(), "error", err)
	}
}

// recordRefused writes down whom a provider's rules did not let in. It gives nothing
// to anybody, so that it cannot be written stops nobody.
func (v *visit) recordRefused(p Provider, why error) {
	err := v.Audit.Access(audit.AccessEvent{
		ID: v.id(), Action: "signin", Who: porterhouse.Principal{Proof: p.Name}, Remote: v.r.RemoteAddr, Err: why,
	})
	if err != nil {
		v.Log.Error("a refused sign-in could not be recorded", "request", v.id(), "error", err)
	}
}

// leave ends the session that the browser came with, and its login when nobody has
// asked for that. What cannot be ended now ends by itself.
func (v *visit) leave() {
	l, key, err := v.sessions.of(v.r)
	if err == nil {
		err = v.sessions.close(v.r.Context(), l, key)
	}
	if err != nil && !is(err, porterhouse.Unauthenticated) {
		v.Log.Warn("a session was left behind", "request", v.id(), "error", err)
	}
}
