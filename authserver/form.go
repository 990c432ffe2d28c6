package authserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
)

// maxForm is how many bytes the body of a request may have: an assertion, or a token
// of an identity provider with many groups, is the longest thing in it.
const maxForm = 64 << 10

// readForm reads the form of a POST. A parameter that is there twice is refused
// (RFC 6749, 3.2), but for those that may repeat: they must then say the same.
func readForm(w http.ResponseWriter, r *http.Request, mayRepeat ...string) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refuse("invalid_request", "the body must be a form: Content-Type: application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, refuse("invalid_request", "the body has more than the %d bytes allowed", tooLong.Limit).as(http.StatusRequestEntityTooLarge)
	} else if err != nil {
		return nil, refuse("invalid_request", "the body could not be read to its end").because(err)
	}
	return readParameters(string(body), mayRepeat...)
}

// readParameters reads a query or the body of a form.
func readParameters(text string, mayRepeat ...string) (url.Values, error) {
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, refuse("invalid_request", "the parameters are not encoded as a form (application/x-www-form-urlencoded)").because(err)
	}
	return form, unrepeated(form, mayRepeat...)
}

// unrepeated refuses a parameter that is there twice.
func unrepeated(form url.Values, mayRepeat ...string) error {
	for name, values := range form {
		switch {
		case len(values) == 1:
		case !slices.Contains(mayRepeat, name):
			return refuse("invalid_request", "the parameter %s is there %d times, and may be there once", shown(name), len(values))
		case len(slices.Compact(slices.Clone(values))) > 1:
			return refuse("invalid_target", "the parameter %s names several things, and tokens here are for one", shown(name))
		}
	}
	return nil
}

// requestID is the id that the outer layer gave a request, and its caller's answer has.
func requestID(r *http.Request) string { return r.Header.Get("X-Request-Id") }
