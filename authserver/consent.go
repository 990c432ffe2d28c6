package authserver

import (
	"net/url"
	"unicode/utf8"

	"porterhouse"
	"porterhouse/page"
)

// consentView is what the consent page shows.
type consentView struct {
	askView
	Client   Asking
	Known    Known
	Document string // address of what the client says of itself; "": there is none
}

// show asks the person.
func (v *visit) show() {
	if err := tooManyGroups(v.who); err != nil {
		v.problem(problemOf(err)) // the person can do something about it, the client cannot
		return
	}
	asks := v.Lifetimes.asks(v.who, v.ask.resource, v.ask.scopes, v.Now())
	asks.Action, asks.Consent = v.request(), v.consents.token(v.who, v.consented())
	asks.Others = v.SignIn + "?return=" + url.QueryEscape(v.request())
	client := askingFor(v.ask.client, v.ask.redirect)
	v.pages.Write(v.w, page.View{
		Name: "consent", Title: "Let " + client.Name + " use ClickHouse as you?", Leaves: true,
		Data: consentView{askView: asks, Client: client, Known: v.ask.client.Known, Document: v.ask.client.address()},
	})
}

// face is what stands for a person: the first letter of the name.
func face(user string) string {
	first, size := utf8.DecodeRuneInString(page.Clean(user, 2))
	if size == 0 {
		return "?"
	}
	return string(first)
}

// voucherOf is who vouched for a person, for people.
func voucherOf(who porterhouse.Principal) string {
	if u, err := url.Parse(who.Issuer); err == nil && u.Host != "" {
		return u.Host
	}
	return who.Issuer
}
