package signin

import (
	"errors"
	"fmt"
	"net/http"

	"porterhouse"
	"porterhouse/page"
)

// refusal is why somebody does not get further: what the person sees, and the cause
// for the log.
type refusal struct {
	page.Problem
	err error
}

// Error implements error.
func (r *refusal) Error() string { return fmt.Sprintf("%s: %v", r.Title, r.err) }

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.err }

// again adds where the person can begin anew.
func (r *refusal) again(returnTo string) *refusal {
	r.Again = returning(returnTo)
	return r
}

// fromTheApplication is the advice where we do not know what the person was about to do.
const fromTheApplication = "Go back to the application that sent you here, and start again there."

// status is the HTTP status of each kind of error.
var status = map[porterhouse.Kind]int{
	porterhouse.Invalid:         http.StatusBadRequest,
	porterhouse.Refused:         http.StatusForbidden,
	porterhouse.Unauthenticated: http.StatusForbidden,
	porterhouse.Limited:         http.StatusTooManyRequests,
	porterhouse.Timeout:         http.StatusServiceUnavailable,
	porterhouse.Canceled:        http.StatusServiceUnavailable,
	porterhouse.Unavailable:     http.StatusServiceUnavailable,
}

// refusalOf makes a refusal of any error.
func refusalOf(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	kind, public := porterhouse.Explain(err)
	code, known := status[kind]
	if !known {
		code = http.StatusInternalServerError
	}
	return &refusal{page.Problem{Status: code, Title: "You could not be signed in", Text: page.Sentence(public), Advice: "Try again in a moment."}, err}
}

func elsewhere(err error) *refusal {
	return &refusal{page.Problem{
		Status: http.StatusForbidden, Title: "That did not come from this page",
		Text:   "Another web site tried to press this button for you, so nothing was done.",
		Advice: "If it was you, open the page again and press the button there.",
	}, err}
}

func unreadable(err error) *refusal {
	return &refusal{page.Problem{
		Status: http.StatusBadRequest, Title: "This form cannot be read",
		Text:   "What the browser sent is not what this page sends.",
		Advice: fromTheApplication,
	}, err}
}

func tooOften() *refusal {
	return &refusal{page.Problem{
		Status: http.StatusTooManyRequests, Title: "Too many at once",
		Text:   "There were too many sign-ins from your network in the last seconds.",
		Advice: "Wait ten seconds, and try again.",
	}, errors.New("over the limit of this network")}
}

func tooManyOf(who porterhouse.Principal) *refusal {
	return &refusal{page.Problem{
		Status: http.StatusTooManyRequests, Title: "Too many of you",
		Text:   "You have signed in dozens of times within a short while.",
		Advice: "Wait a minute, and try again. If that was not you, tell your administrator.",
	}, fmt.Errorf("over the limit of %s", who.User)}
}

func badReturn(err error) *refusal {
	return &refusal{page.Problem{
		Status: http.StatusBadRequest, Title: "This link does not work",
		Text:   "The link that brought you here wants to send you on to a place that it may not.",
		Advice: fromTheApplication,
	}, fmt.Errorf("the return URL: %w", err)}
}

func badAsker(returnTo string, err error) *refusal {
	r := refusalOf(err)
	if r.Status == http.StatusServiceUnavailable || r.Status == http.StatusTooManyRequests {
		r.Title, r.Advice = "Not at the moment", "Nothing is lost: wait a little, and start again here."
		return r.again(returnTo)
	}
	r.Title = "This application cannot ask you to sign in"
	r.Advice = fromTheApplication + " If it happens again, tell who makes that application."
	return r
}

func noProvider(returnTo string) *refusal {
	r := &refusal{page.Problem{
		Status: http.StatusBadRequest, Title: "Choose where to sign in",
		Text: "There is no such place to sign in at; perhaps there was, a moment ago.",
	}, errors.New("the form names no provider that is configured")}
	return r.again(returnTo)
}

func lost(err error) *refusal {
	return &refusal{page.Problem{
		Status: http.StatusBadRequest, Title: "This page has expired",
		Text: "It took longer than ten minutes, or it began in another browser or under another address, or this is an old page.",
		Advice: "You are not signed in by it. " + fromTheApplication +
			" If you have not started anything, somebody sent you this link: close this page.",
	}, err}
}

func usedUp(returnTo string) *refusal {
	r := &refusal{page.Problem{
		Status: http.StatusBadRequest, Title: "That was already used",
		Text: "Each sign-in counts once, and this one has brought you in before.",
	}, errors.New("the state was used before")}
	return r.again(returnTo)
}

func garbled(p Provider, returnTo string) *refusal {
	r := &refusal{page.Problem{
		Status: http.StatusBadGateway, Title: "The answer cannot be read",
		Text:   p.label() + " sent you back without saying who you are.",
		Advice: "Try again. If it happens again, tell your administrator.",
	}, errors.New("the callback has no code, or a parameter twice")}
	return r.again(returnTo)
}

// notIn is a provider's answer that does not let the person in.
func notIn(p Provider, returnTo string, err error) *refusal {
	r := refusalOf(err)
	switch r.Status {
	case http.StatusForbidden:
		r.Title = "You were not let in"
		r.Advice = "You can start again and sign in as somebody else. If you should be let in, tell your administrator."
	case http.StatusServiceUnavailable:
		r.Title = p.label() + " cannot be asked"
		r.Advice = "Try again in a minute. If it stays so, tell your administrator."
	}
	return r.again(returnTo)
}
