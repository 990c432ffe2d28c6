package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// claims is what a provider says of a person and a token: a JSON object, strictly
// read. Its values are string, bool, json.Number (exact), nil, []any and
// map[string]any.
//
// What could be read in two ways is refused, wherever it stands: a key that is
// there twice (which of two "aud" counts?), text that is not UTF-8, half a
// surrogate pair, NUL, and anything after the object.
type claims map[string]any

const (
	maxClaims      = 1 << 20 // bytes of a JSON text
	maxClaimsDepth = 16      // objects and arrays within one another
)

// parseClaims reads one JSON object.
func parseClaims(text []byte) (claims, error) {
	value, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is %s, not a JSON object", shapeOf(value))
	}
	return object, nil
}

// parseJSON reads one JSON value, as strictly as claims are.
func parseJSON(text []byte) (any, error) {
	if len(text) > maxClaims {
		return nil, fmt.Errorf("it has %d bytes, more than the %d allowed", len(text), maxClaims)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("it is not valid UTF-8")
	}
	r := jsonReader{text: string(text)}
	value, err := r.value(0)
	if err != nil {
		return nil, fmt.Errorf("at byte %d: %w", r.at, err)
	}
	if r.space(); r.at != len(r.text) {
		return nil, fmt.Errorf("at byte %d: something follows the JSON value", r.at)
	}
	return value, nil
}

// text is a claim that must be text where it is there at all; "" when it is not.
func (c claims) text(name string) (string, error) {
	value, ok := c[name]
	if !ok || value == nil {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("the claim %s is %s, not a text", name, shapeOf(value))
	}
	return text, nil
}

// texts is a claim that may be one text or several; nil when it is not there.
func (c claims) texts(name string) ([]string, error) {
	list, err := textsOf(c[name])
	if err != nil {
		return nil, fmt.Errorf("the claim %s is %w", name, err)
	}
	return list, nil
}

// textsOf reads a text, or an array of texts; nil for null.
func textsOf(value any) ([]string, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{value}, nil
	case []any:
		list := make([]string, len(value))
		for i, item := range value {
			text, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("an array whose item %d is %s, not a text", i+1, shapeOf(item))
			}
			list[i] = text
		}
		return list, nil
	}
	return nil, fmt.Errorf("%s, neither a text nor an array of texts", shapeOf(value))
}

// words is a claim of words: one text with spaces between them, or an array.
func (c claims) words(name string) ([]string, error) {
	list, err := c.texts(name)
	if _, isText := c[name].(string); isText {
		return strings.Fields(list[0]), nil
	}
	return list, err
}

// has reports whether a claim is there, and not null.
func (c claims) has(name string) bool { return c[name] != nil }

// contains reports whether all of wanted is in value: of objects the members
// named, of arrays each item in any place, everything else as it is.
func contains(value, wanted any) bool {
	switch wanted := wanted.(type) {
	case map[string]any:
		object, ok := value.(map[string]any)
		for name, want := range wanted {
			have, there := object[name]
			ok = ok && there && contains(have, want)
		}
		return ok
	case []any:
		list, ok := value.([]any)
		for _, want := range wanted {
			ok = ok && holds(list, want)
		}
		return ok
	case json.Number:
		number, ok := value.(json.Number)
		return ok && sameNumber(number, wanted)
	}
	return value == wanted // string, bool or nil: value of another type is unequal
}

func holds(list []any, want any) bool {
	for _, item := range list {
		if contains(item, want) {
			return true
		}
	}
	return false
}

// shapeOf names the JSON type of a value, for reasons.
func shapeOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "an array"
	}
	return "an object"
}
