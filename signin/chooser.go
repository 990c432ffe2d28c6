package signin

import (
	"log/slog"
	"net/http"

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
func (s *SignIn) choose(w http.ResponseWriter, r *http.Request) error {
	to, asking, err := s.wish(r, r.URL.Query()["return"])
	if err != nil {
		return err
	}
	shown := chooser{Asking: asking, Return: to}
	for _, p := range s.Providers {
		shown.Providers = append(shown.Providers, choice{p.Name, p.label(), p.Host})
	}
	if who, err := s.Who(r); err == nil {
		shown.Now = who.User
	} else if !is(err, porterhouse.Unauthenticated) {
		return err // nobody could come back from the provider
	}
	s.pages.Write(w, page.View{Name: "chooser", Title: "Sign in", Data: shown, Leaves: true})
	return nil
}

// depart is POST /signin: a provider was chosen.
func (s *SignIn) depart(w http.ResponseWriter, r *http.Request) error {
	to, _, err := s.wish(r, r.PostForm["return"])
	if err != nil {
		return err
	}
	p, found := s.providers[r.PostForm.Get("provider")]
	if !found {
		return noProvider(to)
	}
	j, err := s.setOut(w, r, p, to)
	if err != nil {
		return err
	}
	location, err := p.Start(r.Context(), j.Trip)
	if err != nil {
		s.cookies.clear(w, tripName(j.Trip.State))
		return notIn(p, to, err)
	}
	s.Log.Debug("off to a provider", slog.String("request", r.Header.Get("X-Request-Id")), slog.String("provider", p.Name))
	seeOther(w, location)
	return nil
}

// wish reads where the browser is to return to, and on whose behalf.
func (s *SignIn) wish(r *http.Request, returns []string) (string, *Asking, error) {
	text := ""
	if len(returns) > 0 {
		text = returns[0]
	}
	to, err := checkReturn(text)
	if err != nil {
		return "", nil, badReturn(err)
	}
	if s.Asking == nil {
		return to, nil, nil
	}
	asking, err := s.Asking(r.Context(), to)
	if err != nil {
		return "", nil, badAsker(err)
	}
	return to, asking, nil
}
