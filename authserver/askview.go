package authserver

import (
	"slices"
	"time"

	"porterhouse"
)

// askView is what the two pages that ask a person say alike (pages/ask.part.html): who
// is asked, for what, and for how long.
type askView struct {
	User, Face string // who is asked
	Provider   string // host of whoever vouched for them
	Resource   string
	Write      bool // the client asks for it
	Offline    bool // likewise
	Access     string
	Idle       string
	Ends       time.Time
	Early      bool // the sign-in ends before anything else does

	Action  string // where the form goes
	Consent string // what proves that this person was shown this page
	Others  string // URL to sign in as somebody else
}

// EndsText is Ends for people.
func (a askView) EndsText() string { return moment(a.Ends) }

// asks is what a page says to a person of scopes at a resource; its form and its link
// are the page's own.
func (l Lifetimes) asks(who porterhouse.Principal, resource Resource, scopes []string, now time.Time) askView {
	return askView{
		User: who.User, Face: face(who.User), Provider: voucherOf(who), Resource: resource.Name,
		Write: slices.Contains(scopes, ScopeWrite), Offline: slices.Contains(scopes, ScopeOffline),
		Access: inWords(l.Access), Idle: inWords(l.Idle),
		Ends:  earlier(now.Add(l.Longest), who.Expires),
		Early: !who.Expires.IsZero() && who.Expires.Before(now.Add(l.Idle)),
	}
}
