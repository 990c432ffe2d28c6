package authserver

import (
	"net/url"
	"slices"
	"time"
	"unicode/utf8"

	"porterhouse"
	"porterhouse/page"
)

// consentView is what the consent page shows.
type consentView struct {
	User, Face string // who is asked
	Provider   string // host of whoever vouched for them
	Client     Asking
	Known      Known
	Document   string // address of what the client says of itself; "": there is none
	Resource   string
	Write      bool // the client asks for it
	Offline    bool // likewise
	Access     string
	Idle       string
	Ends       time.Time
	Early      bool // the sign-in ends before anything else does
	Action     string
	Consent    string
	Others     string // URL to sign in as somebody else
}

// EndsText is Ends for people.
func (c consentView) EndsText() string { return moment(c.Ends) }

// show asks the person.
func (v *visit) show() {
	if err := tooManyGroups(v.who); err != nil {
		v.problem(problemOf(err)) // the person can do something about it, the client cannot
		return
	}
	client := askingFor(v.ask.client, v.ask.redirect)
	now := v.Now()
	v.pages.Write(v.w, page.View{
		Name: "consent", Title: "Let " + client.Name + " use ClickHouse as you?", Leaves: true,
		Data: consentView{
			User: v.who.User, Face: face(v.who.User), Provider: voucherOf(v.who),
			Client: client, Known: v.ask.client.Known, Document: v.ask.client.address(), Resource: v.ask.resource.Name,
			Write: slices.Contains(v.ask.scopes, ScopeWrite), Offline: slices.Contains(v.ask.scopes, ScopeOffline),
			Access: inWords(v.Lifetimes.Access), Idle: inWords(v.Lifetimes.Idle),
			Ends:  earlier(now.Add(v.Lifetimes.Longest), v.who.Expires),
			Early: !v.who.Expires.IsZero() && v.who.Expires.Before(now.Add(v.Lifetimes.Idle)),

			Action: v.request(), Consent: v.consents.token(v.who, v.consented()),
			Others: v.SignIn + "?return=" + url.QueryEscape(v.request()),
		},
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
