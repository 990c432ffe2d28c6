package authserver

import (
	"context"
	"net/http"
	"net/url"

	"porterhouse"
)

// Asking is the client of an authorization request, for the page on which somebody
// signs in because of it.
type Asking struct {
	Name     string // as it calls itself; not to be trusted
	Host     string // that its metadata came from; "": the operator or a registration named it
	Redirect string // host, or scheme, that the person will be sent back to
	Unproved bool   // nobody can tell whether it is the one it says: a program on the person's own machine
	Stranger bool   // it registered itself, under a name that nobody has checked
}

// Asking tells on whose behalf a browser will return to a local URL; nil: no client's,
// or that of a device, which only those who are signed in learn (a stranger could try
// codes otherwise). An error says that the request there would be refused anyway.
// remote is the address of the browser, by which fetching documents is limited.
func (s *Server) Asking(ctx context.Context, returnTo, remote string) (*Asking, error) {
	u, err := url.Parse(returnTo)
	if err != nil {
		return nil, &porterhouse.Error{Kind: porterhouse.Invalid, Public: "the address to return to is none", Err: err}
	}
	if u.Path != s.issuerPath()+pathAuthorize {
		return nil, nil
	}
	a, err := s.readAuthorization(ctx, u.RawQuery, remote)
	if err != nil {
		return nil, forPerson(err)
	}
	asking := askingFor(a.client, a.redirect)
	return &asking, nil
}

// askingFor is a client that will have its answer at redirect.
func askingFor(c Client, redirect string) Asking {
	return Asking{
		Name: c.title(), Host: c.Host, Redirect: placeOf(redirect),
		Unproved: onThisMachine(redirect), Stranger: c.Known == ByRegistration,
	}
}

// forPerson is a problem as an error that other rooms can show.
func forPerson(err error) error {
	p := problemOf(err)
	kind := porterhouse.Invalid
	switch status := p.httpStatus(); {
	case status >= http.StatusInternalServerError:
		kind = porterhouse.Unavailable
	case status == http.StatusTooManyRequests:
		kind = porterhouse.Limited
	}
	return &porterhouse.Error{Kind: kind, Public: p.text, Err: p}
}
