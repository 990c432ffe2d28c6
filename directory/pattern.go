package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// names is a list of exact names and of prefixes.
type names struct {
	exact    map[string]bool
	prefixes []string
	folded   bool // whether names are compared by fold
}

// parseNames reads a list as an operator writes it: alice, or etl_* for all that
// begin so. what names the list in an error.
func parseNames(what string, list []string, folded bool) (names, error) {
	n := names{exact: make(map[string]bool, len(list)), folded: folded}
	for i, text := range list {
		if err := n.add(text); err != nil {
			return names{}, fmt.Errorf("name %d of %s: %w", i+1, what, err)
		}
	}
	return n, nil
}

func (n *names) add(text string) error {
	prefix, isPrefix := strings.CutSuffix(text, "*")
	switch {
	case text == "":
		return errors.New("it is empty")
	case strings.Contains(prefix, "*"):
		return fmt.Errorf("%q has a * that is not its only one and at its end", text)
	case isPrefix:
		n.prefixes = append(n.prefixes, n.form(prefix))
	default:
		n.exact[n.form(text)] = true
	}
	return nil
}

// also puts more names on the list, as they are.
func (n *names) also(more ...string) {
	for _, name := range more {
		n.exact[n.form(name)] = true
	}
}

func (n names) form(name string) string {
	if n.folded {
		return fold(name)
	}
	return name
}

// has reports whether the list holds a name or a prefix of it.
func (n names) has(name string) bool {
	name = n.form(name)
	return n.exact[name] || slices.ContainsFunc(n.prefixes, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

func (n names) isEmpty() bool { return len(n.exact) == 0 && len(n.prefixes) == 0 }
