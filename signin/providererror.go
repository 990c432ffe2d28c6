package signin

import (
	"fmt"
	"net/http"

	"porterhouse/page"
)

// said is what a provider's error means to a person. Its own text is not shown: it
// comes in the URL, which anybody can write.
type said struct {
	status       int
	title        string
	text, advice string // with one %s: the provider's label
}

var (
	declined = said{http.StatusForbidden, "Signing in was stopped",
		"You or %s said no.", "Start again if you did not mean to. If %s does not let you through, ask your administrator whether you may use this application."}
	waiting = said{http.StatusForbidden, "Something is left to do",
		"%s wants you to do something there before it lets you through.", "Start again, and do what %s asks."}
	trouble = said{http.StatusServiceUnavailable, "The provider is in trouble",
		"%s cannot sign anybody in at the moment.", "Try again in a minute. Your administrator can see how %s is."}
	misfit = said{http.StatusBadGateway, "The provider does not accept this server",
		"%s did not understand how this server asked it, or does not know this server.", "Tell your administrator: the registration of this server at %s needs a look."}
	unknown = said{http.StatusBadGateway, "Signing in did not work",
		"%s sent you back with an error that this server does not know.", "Start again. If it happens again, tell your administrator, who finds in the log what %s said."}
)

// sayings are the errors of RFC 6749, 4.1.2.1 and OpenID Connect Core, 3.1.2.6.
var sayings = map[string]said{
	"access_denied":              declined,
	"login_required":             waiting,
	"interaction_required":       waiting,
	"consent_required":           waiting,
	"account_selection_required": waiting,
	"temporarily_unavailable":    trouble,
	"server_error":               trouble,
	"invalid_request":            misfit,
	"invalid_scope":              misfit,
	"unauthorized_client":        misfit,
	"unsupported_response_type":  misfit,
	"invalid_request_object":     misfit,
	"request_not_supported":      misfit,
	"registration_not_supported": misfit,
}

// providerSaid is the refusal for the error parameter in a callback. The log has the
// code and what came with it, made harmless.
func providerSaid(p Provider, code, description, returnTo string) *refusal {
	means, known := sayings[code]
	if !known {
		means = unknown
	}
	r := &refusal{page.Problem{
		Status: means.status,
		Title:  means.title,
		Text:   fmt.Sprintf(means.text, p.label()),
		Advice: fmt.Sprintf(means.advice, p.label()),
	}, fmt.Errorf("%s answered %q: %q", p.Name, page.Clean(code, 60), page.Clean(description, 200))}
	return r.again(returnTo)
}
