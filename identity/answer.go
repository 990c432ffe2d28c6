package identity

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What all processors have in common that ask a provider about opaque tokens.

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// bearer is the header of a request on behalf of who has the token.
func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

// basic is the header of a request of our own, as a client.
func basic(id, secret string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
}

// object is the JSON object of an answer with status 200; what names who answered.
// The answer itself is never quoted: it may hold the token.
func (r Reply) object(what string) (claims, error) {
	if r.Status != http.StatusOK {
		return nil, away("%s answers with status %d", what, r.Status)
	}
	about, err := parseClaims(r.Body)
	if err != nil {
		return nil, away("the answer of %s is no JSON object that can be read one way only", what)
	}
	return about, nil
}

// list is the JSON array of objects of such an answer.
func (r Reply) list(what string) ([]claims, error) {
	if r.Status != http.StatusOK {
		return nil, away("%s answers with status %d", what, r.Status)
	}
	value, err := parseJSON(r.Body)
	items, ok := value.([]any)
	if err != nil || !ok {
		return nil, away("the answer of %s is no JSON array that can be read one way only", what)
	}
	return objects(items, what)
}

// objects are items that must all be objects.
func objects(items []any, what string) ([]claims, error) {
	all := make([]claims, len(items))
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, away("item %d of %s is %s, not an object", i+1, what, shapeOf(item))
		}
		all[i] = object
	}
	return all, nil
}

// refusesToken reports whether the provider says that the token is no good: 401, or
// 400 and 403 in the words of OAuth. Any other 403 may be a wall in front of it.
func (r Reply) refusesToken() bool {
	switch r.Status {
	case http.StatusUnauthorized:
		return true
	case http.StatusBadRequest, http.StatusForbidden:
		about, err := parseClaims(r.Body)
		code, _ := about["error"].(string)
		return err == nil && code != "" || strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer")
	}
	return false
}

// nextPage is where the rest of a list is, after the Link header (RFC 8288) of the
// answer from asked; "": there is none. Only the place that was asked may say so,
// and only of itself: the next request carries the token again.
func (r Reply) nextPage(asked string) (string, error) {
	for _, link := range strings.Split(strings.Join(r.Header.Values("Link"), ","), ",") {
		target, parameters, _ := strings.Cut(link, ";")
		if strings.Contains(parameters, `rel="next"`) {
			next := strings.Trim(target, " <>")
			return next, samePlace(asked, next)
		}
	}
	return "", nil
}

// samePlace refuses a next page that is not at the same host and path.
func samePlace(asked, next string) error {
	from, err := url.Parse(asked)
	if err != nil {
		return away("a page of a list is at no URL")
	}
	to, err := url.Parse(next)
	if err != nil || to.Scheme != from.Scheme || to.Host != from.Host || to.Path != from.Path {
		return away("the next page of a list is not at %s%s, where the first was", from.Host, from.Path)
	}
	return nil
}

// limited reports whether the provider says that it was asked too often.
func (r Reply) limited() bool {
	return r.Status == http.StatusTooManyRequests || r.Header.Get("Retry-After") != "" || r.Header.Get("X-RateLimit-Remaining") == "0"
}

// maxPages is how many pages of one list are asked for.
const maxPages = 20

// groupLimit is how many groups count; who gathers them page by page stops there.
func (s Settings) groupLimit() int { return cmp.Or(s.GroupLimit, defaultGroupLimit) }

// fits reports whether token can stand in a header as it is.
func fits(token string) bool {
	return token != "" && strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// seconds is a moment as claims have it.
func seconds(at time.Time) json.Number { return json.Number(strconv.FormatInt(at.Unix(), 10)) }
