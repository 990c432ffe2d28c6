package authserver

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"porterhouse/page"
)

// fail tells the client, where there is a client that may be told, else the person.
func (v *visit) fail(err error) {
	p := problemOf(err)
	level := slog.LevelInfo
	if p.httpStatus() >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	v.Log.LogAttrs(v.r.Context(), level, "authorization refused", slog.String("request", requestID(v.r)),
		slog.String("client", v.ask.client.ID), slog.String("user", v.who.User), slog.String("remote", v.r.RemoteAddr), slog.Any("error", err))
	answer := url.Values{"error": {p.code}, "error_description": {described(p.text)}}
	switch {
	case v.ask.redirect == "":
		v.problem(p)
	case v.answered || v.ask.trusted():
		v.redirect(answer)
	default:
		v.leave(p, answer)
	}
}

// trusted: the browser may be sent back there although no person has said a word. A
// client that anybody can make up, on a host of its own, could otherwise dress a link
// to that host as one to us (RFC 9700, 4.11.2).
func (a *authorizationRequest) trusted() bool {
	return a.client.Known == ByOperator || onThisMachine(a.redirect)
}

// redirect sends the browser back to the client: with its state exactly as it came,
// and with who we are (RFC 9207), so that no other server's answer can be taken for
// ours. It is never a 307: the browser must not send our form there.
func (v *visit) redirect(answer url.Values) {
	v.w.Header().Set("Location", v.ask.back(answer, v.Issuer))
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	v.w.WriteHeader(http.StatusSeeOther)
}

// back is the URL of an answer to the client.
func (a *authorizationRequest) back(answer url.Values, issuer string) string {
	answer.Set("iss", issuer)
	if len(a.state) > 0 {
		answer.Set("state", a.state[0])
	}
	separator := "?"
	if strings.Contains(a.redirect, "?") {
		separator = "&"
	}
	return a.redirect + separator + answer.Encode()
}

// leave shows the person what is wrong, and leaves it to them to go back to the client.
func (v *visit) leave(p *problem, answer url.Values) {
	v.pages.Write(v.w, page.View{Name: "leave", Title: "This request cannot be answered", Status: p.httpStatus(), Data: struct {
		Text, Host, Back, Request string
	}{p.text, placeOf(v.ask.redirect), v.ask.back(answer, v.Issuer), requestID(v.r)}})
}

// problem shows the person what is wrong.
func (v *visit) problem(p *problem) {
	shown := page.Problem{
		Status: p.pageStatus(), Title: "This request cannot be answered", Text: page.Sentence(p.text), Request: requestID(v.r),
		Advice: "Go back to the program that sent you here, and connect again. If that does not help, whoever looks after that program needs to know what this page says.",
	}
	if status := p.httpStatus(); status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		shown.Title, shown.Again = "Not at the moment", v.r.URL.RequestURI()
		shown.Advice = "Nothing is lost: wait a little, and start again here."
	}
	v.pages.WriteProblem(v.w, shown)
}

// again asks the person to look at the page once more: their answer cannot be told
// from one that somebody else sent in their name.
func (v *visit) again(err error) {
	v.Log.InfoContext(v.r.Context(), "an answer to the consent page was refused", "request", requestID(v.r), "client", v.ask.client.ID, "user", v.who.User, "error", err)
	v.pages.WriteProblem(v.w, page.Problem{
		Status: http.StatusForbidden, Title: "Please look at the page again", Request: requestID(v.r), Again: v.request(),
		Text:   "Your answer did not come from a page that you were shown in the last half hour, or you have signed in anew since. Nothing was given to anybody.",
		Advice: "Start again, and read what you are asked.",
	})
}
