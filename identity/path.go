package identity

import (
	"errors"
	"fmt"
	"strings"
)

// path leads to a claim:
//
//	groups                          a claim of the token itself
//	realm_access.roles              a claim in an object, at any depth
//	"https://acme.com/groups"       a name with dots: in quotes
//	resource_access."my.app".roles  both
//
// A claim of the token itself whose name is the whole path, dots and all, wins:
// so a plain name needs no quotes, as in ClickHouse.
type path struct {
	whole string
	names []string
}

// parsePath reads a path.
func parsePath(text string) (path, error) {
	p := path{whole: text}
	for rest, more := text, true; more; {
		name, after, err := cutName(rest)
		if err != nil {
			return path{}, fmt.Errorf("the claim path %q %w", text, err)
		}
		p.names = append(p.names, name)
		rest, more = strings.CutPrefix(after, ".")
		if !more && rest != "" {
			return path{}, fmt.Errorf("the claim path %q needs a dot after the closing quote", text)
		}
	}
	return p, nil
}

// parsePaths reads several.
func parsePaths(texts []string) ([]path, error) {
	paths := make([]path, len(texts))
	for i, text := range texts {
		var err error
		if paths[i], err = parsePath(text); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// cutName cuts the first name off, and its quotes.
func cutName(text string) (name, after string, err error) {
	quoted, isQuoted := strings.CutPrefix(text, `"`)
	if isQuoted {
		name, after, closed := strings.Cut(quoted, `"`)
		if !closed {
			return "", "", errors.New("has a quote that is not closed")
		}
		if name == "" {
			return "", "", errors.New("has an empty name")
		}
		return name, after, nil
	}
	end := strings.IndexByte(text, '.')
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return "", "", errors.New("has an empty name")
	}
	if strings.Contains(text[:end], `"`) {
		return "", "", errors.New("has a quote within a name")
	}
	return text[:end], text[end:], nil
}

// find follows the path; nil when it leads nowhere.
func (p path) find(c claims) any {
	if value, ok := c[p.whole]; ok {
		return value
	}
	var value any = map[string]any(c)
	for _, name := range p.names {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// last is the name of the claim itself.
func (p path) last() string { return p.names[len(p.names)-1] }
