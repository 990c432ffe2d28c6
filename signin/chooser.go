package signin

import (
	"log/slog"

	"porterhouse"
	"porterhouse/page"
)

// chooser is what its page shows.
type chooser struct {
	Asking    *Asking // nil: we ourselves
	Return    string
	Providers []choice
	Now       string // who is signed in in this browser; "": nobody
}

// choice is one button.
type choice struct{ Name, Label, Host string }

// choose is GET /signin: who asks, and where to sign in.
func (v *visit) choose() error {
	to, asking, err := v.wish(v.r.URL.Query()["return"])
	if err != nil {
		return err
	}
	shown := chooser{Asking: asking, Return: to}
	for _, p := range v.Providers {
		shown.Providers = append(shown.Providers, choice{p.Name, p.label(), p.Host})
	}
	if who, err := v.Who(v.r); err == nil {
		shown.Now = who.User
	} else if !is(err, porterhouse.Unauthenticated) {
		return err // nobody could come back from the provider
	}
	v.pages.Write(v.w, page.View{Name: "chooser", Title: "Sign in", Data: shown, Leaves: true})
	return nil
}

// depart is POST /signin: a provider was chosen.
func (v *visit) depart() error {
	to, _, err := v.wish(v.r.PostForm["return"])
	if err != nil {
		return err
	}
	p, found := v.providers[v.r.PostForm.Get("provider")]
	if !found {
		return noProvider(to)
	}
	j, err := v.trips.begin(v.w, v.r, p, to)
	if err != nil {
		return err
	}
	location, err := p.Start(v.r.Context(), j.Trip)
	if err != nil {
		v.cookies.clear(v.w, tripName(j.Trip.State))
		return notIn(p, to, err)
	}
	v.Log.Debug("off to a provider", slog.String("request", v.id()), slog.String("provider", p.Name))
	v.seeOther(location)
	return nil
}

// wish reads where the browser is to return to, and on whose behalf.
func (v *visit) wish(returns []string) (string, *Asking, error) {
	text := ""
	if len(returns) > 0 {
		text = returns[0]
	}
	to, err := checkReturn(text)
	if err != nil {
		return "", nil, badReturn(err)
	}
	if v.Asking == nil {
		return to, nil, nil
	}
	asking, err := v.Asking(v.r.Context(), to, v.r.RemoteAddr)
	if err != nil {
		return "", nil, badAsker(to, err)
	}
	return to, asking, nil
}
