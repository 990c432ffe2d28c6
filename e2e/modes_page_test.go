package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// footnotes are what was said where something was refused: each text once, below the
// table.
type footnotes []string

// short is what stands in the table: of what was carried the answer, and of what was not a
// word, the HTTP status, and where its text is.
func (f *footnotes) short(said string) string {
	for _, between := range []string{"<br>MCP: ", "; then "} {
		if first, second, found := strings.Cut(said, between); found {
			return f.short(first) + between + f.short(second)
		}
	}
	status, text, refused := strings.Cut(strings.TrimPrefix(said, "**"), "**: ")
	if !refused {
		return said
	}
	word := "refused"
	switch {
	case strings.Contains(text, "cannot be had"):
		word = "refused by name"
	case strings.HasPrefix(status, "5"), status == "404":
		word = "an error"
	}
	if status != "error" { // which is all that the MCP door has
		word += ", " + status
	}
	return fmt.Sprintf("%s[^%d]", word, f.number(text))
}

// number is that of a text: those that are said twice have one.
func (f *footnotes) number(text string) int {
	if i := slices.Index(*f, text); i >= 0 {
		return i + 1
	}
	*f = append(*f, text)
	return len(*f)
}

// modesPage is the page of what was told, by the name of the trial and by mode.
func modesPage(trials []trial, modes []string, told map[string]map[string]string) string {
	var notes footnotes
	page := modesHead + "| | " + strings.Join(modes, " | ") + " |\n|" + strings.Repeat(" --- |", len(modes)+1) + "\n"
	for _, c := range trials {
		page += "| " + c.name
		for _, mode := range modes {
			page += " | " + cell(notes.short(told[c.name][mode]))
		}
		page += " |\n"
	}
	for i, text := range notes {
		page += fmt.Sprintf("\n[^%d]: %s\n", i+1, strings.Join(strings.Fields(text), " "))
	}
	return page
}

// The table has a word for what was refused, and its text once below, whoever says it.
func TestModesPageIsShort(t *testing.T) {
	var notes footnotes
	for _, test := range []struct{ said, want string }{
		{"carol", "carol"},
		{"**403**: Code: 497. roles cannot be had here", "refused by name, 403[^1]"},
		{"**500**: Code: 452. no<br>MCP: **error**: no at all", "an error, 500[^2]<br>MCP: refused[^3]"},
		{"**401**: no token<br>MCP: **403**: Code: 497. roles cannot be had here; then carol", "refused, 401[^4]<br>MCP: refused by name, 403[^1]; then carol"},
	} {
		if got := notes.short(test.said); got != test.want {
			t.Errorf("%s\n%s, not\n%s", test.said, got, test.want)
		}
	}
	if len(notes) != 4 {
		t.Errorf("the texts are %q", notes)
	}
}
