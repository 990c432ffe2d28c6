package directory

import (
	"fmt"
	"strings"
)

// template is a parsed Config.UserName: literal text and placeholders, in order.
type template []part

// part is a literal when it is no placeholder.
type part struct {
	text          string
	isPlaceholder bool
}

// The placeholders of a template.
const (
	user      = "user"
	localpart = "localpart"
)

func parseTemplate(text string) (template, error) {
	if text == "" {
		text = "{user}"
	}
	var t template
	for rest := text; rest != ""; {
		literal, after, opened := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return nil, fmt.Errorf("the template %q has a } without a {", text)
		}
		t = append(t, part{text: literal})
		if !opened {
			break
		}
		name, after, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fmt.Errorf("the template %q has a { without a }", text)
		}
		if name != user && name != localpart {
			return nil, fmt.Errorf("the template %q has the placeholder {%s}, and there are only {%s} and {%s}", text, name, user, localpart)
		}
		t = append(t, part{text: name, isPlaceholder: true})
		rest = after
	}
	return t, nil
}

func (t template) has(placeholder string) bool {
	for _, p := range t {
		if p.isPlaceholder && p.text == placeholder {
			return true
		}
	}
	return false
}

// isConstant reports whether everybody gets the same name.
func (t template) isConstant() bool { return !t.has(user) && !t.has(localpart) }

// fill puts a person's name and local part into the template.
func (t template) fill(name, local string) string {
	var b strings.Builder
	for _, p := range t {
		switch {
		case !p.isPlaceholder:
			b.WriteString(p.text)
		case p.text == user:
			b.WriteString(name)
		default:
			b.WriteString(local)
		}
	}
	return b.String()
}
