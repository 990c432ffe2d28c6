package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"porterhouse"
	"porterhouse/audit"
)

// visit is one request of a browser to /authorize. Each one reads the whole request
// from its URL again, and asks who is there; nothing is kept in between.
type visit struct {
	*Server
	w   http.ResponseWriter
	r   *http.Request
	ask authorizationRequest
	who porterhouse.Principal
	// answered: the person has pressed a button on the consent page.
	answered bool
}

// serveAuthorize answers GET and POST /authorize. What arrives with POST comes from
// our own pages: ServeHTTP has seen to it.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	v := &visit{Server: s, w: w, r: r}
	var err error
	if v.ask, err = s.readAuthorization(r.Context(), r.URL.RawQuery, r.RemoteAddr); err != nil {
		v.fail(err)
		return
	}
	v.who, err = s.Who(r)
	switch kind, _ := porterhouse.Explain(err); {
	case err == nil && !v.ask.wantsSignIn(v.who, s.Now()):
	case err == nil || kind == porterhouse.Unauthenticated:
		v.signIn()
		return
	default:
		v.fail(err)
		return
	}
	switch {
	case r.Method == http.MethodPost:
		v.decide()
	case v.ask.silent():
		v.fail(refuse("consent_required", "the person is asked each time, and prompt=none forbids to"))
	default:
		v.show()
	}
}

// signIn sends the browser to sign in, and back here.
func (v *visit) signIn() {
	if v.ask.silent() {
		v.fail(refuse("login_required", "nobody is signed in, and prompt=none forbids to ask"))
		return
	}
	query, err := v.ask.afterSignIn(v.Now())
	if err != nil {
		v.fail(err)
		return
	}
	back := url.URL{Path: v.r.URL.Path, RawQuery: query}
	http.Redirect(v.w, v.r, v.SignIn+"?return="+url.QueryEscape(back.String()), http.StatusSeeOther)
}

// decide does what the person said on the consent page.
func (v *visit) decide() {
	form, err := readForm(v.w, v.r)
	if err == nil {
		err = v.consents.check(form.Get("consent"), v.who, v.consented())
	}
	v.answered = err == nil
	switch {
	case err != nil:
		v.again(err)
	case form.Get("answer") == "agree":
		v.agree(ticked(v.ask.scopes, form))
	default:
		v.stats.canceled.Add(1)
		v.recordNo(v.r, v.event(v.ask.scopes))
		v.fail(refuse("access_denied", "the person said no"))
	}
}

// event is what the record has of the person's answer.
func (v *visit) event(scopes []string) audit.AccessEvent {
	return audit.AccessEvent{
		ID: requestID(v.r), Action: "consent", Who: v.who, Client: v.ask.client.ID, Remote: v.r.RemoteAddr,
		Scopes: scopes, For: v.ask.resource.URI, Reason: "sent back to " + v.ask.redirect,
	}
}

// request is the request itself, as a local URL.
func (v *visit) request() string { return v.r.URL.Path + "?" + v.ask.query }

// consented is what a yes on the page belongs to: exactly this request, and what the
// page said that is not in it. A client's own document may say something else by the
// time that the button is pressed.
func (v *visit) consented() string {
	return strings.Join([]string{v.request(), v.ask.client.title(), v.ask.redirect, v.ask.resource.URI, strings.Join(v.ask.scopes, " ")}, "\n")
}

// agree writes the record, and sends the browser back with a code.
func (v *visit) agree(scopes []string) {
	if err := errors.Join(tooManyGroups(v.who), v.Limits.tooManyYeses(v.who)); err != nil {
		v.fail(err)
		return
	}
	a := authorization{
		Client: v.ask.client.ID, Redirect: v.ask.redirect, Challenge: v.ask.challenge,
		Scopes: scopes, Resource: v.ask.resource.URI, Who: newPerson(v.who), Family: newID(),
	}
	event := v.event(scopes)
	event.Token = a.Family
	if err := v.Audit.Access(event); err != nil {
		v.fail(err)
		return
	}
	code, err := v.codes.add(v.r.Context(), a)
	if err != nil {
		event.Err = err // nothing was given after all
		v.fail(errors.Join(err, v.Audit.Access(event)))
		return
	}
	v.stats.agreed.Add(1)
	v.Log.InfoContext(v.r.Context(), "a person agreed", "request", requestID(v.r), "client", a.Client, "user", v.who.User, "scopes", scopes, "redirect", a.Redirect)
	v.redirect(url.Values{"code": {code}})
}
