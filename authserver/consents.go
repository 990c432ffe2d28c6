package authserver

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/seal"
)

// consents make and check what proves that a person's yes was pressed on a page that
// they were shown: it belongs to their sign-in, to exactly one request, and to the
// next half hour. It is in the form, and nowhere else: a page of somebody else can
// send the form, and cannot know it.
type consents struct {
	box *seal.Box
	now func() time.Time
}

// consentLife is how long a page may be looked at before it is answered.
const consentLife = 30 * time.Minute

var errConsent = errors.New("the form is not one that this person was shown for this request, or is older than half an hour")

// token is for the form that asks a person about a request, which is all of it that
// matters, such as its whole URL.
func (c consents) token(who porterhouse.Principal, request string) string {
	return c.tokenAt(who, request, c.now().Unix())
}

func (c consents) tokenAt(who porterhouse.Principal, request string, at int64) string {
	sum := c.box.Sum(who.Key(), who.TokenID, request, strconv.FormatInt(at, 10))
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(at)), sum...))
}

// check returns nil when token was made for this person's form about this request,
// not long ago.
func (c consents) check(token string, who porterhouse.Principal, request string) error {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 8 {
		return errConsent
	}
	at := int64(binary.BigEndian.Uint64(raw))
	age := c.now().Sub(time.Unix(at, 0))
	genuine := hmac.Equal([]byte(token), []byte(c.tokenAt(who, request, at)))
	if !genuine || age < -time.Minute || age > consentLife {
		return errConsent
	}
	return nil
}

// recordNo writes down that a person did not agree. That gives nothing to anybody, so
// that it cannot be written stops nobody.
func (s *Server) recordNo(r *http.Request, event audit.AccessEvent) {
	event.Err = porterhouse.Errorf(porterhouse.Refused, "the person said no")
	if err := s.Audit.Access(event); err != nil {
		s.Log.ErrorContext(r.Context(), "a person's no could not be recorded", "request", event.ID, "error", err)
	}
}

// ticked are those of the scopes that a person left ticked; the boxes have the names of
// the scopes. Reading cannot be unticked.
func ticked(scopes []string, form url.Values) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return scope != ScopeRead && form.Get(scope) == "" })
}
