package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// tableFile is the table of what differs in the access mode execute_as.
const tableFile = "../doc/execute-as-differences.md"

// In the mode execute_as not everything can be as it is straight: the table in doc says
// what is not, and is what this test finds. PORTERHOUSE_UPDATE=1 writes it anew.
func TestDoorInExecuteAs(t *testing.T) {
	t.Parallel()
	s := openSite(t, executeAs, "")
	client, all := s.client(), s.exchanges()
	var rows []string
	headers, same := map[string][]string{}, 0
	for _, e := range all {
		if _, always := everywhere.reason(e.name); always {
			continue // it differs in every mode
		}
		want, got := s.speak(client, s.straight, e), s.speak(client, s.through, e)
		row, only := contrast(e, want, got)
		switch {
		case row != "":
			rows = append(rows, row)
		case only != "":
			headers[only] = append(headers[only], e.name)
		default:
			same++
		}
	}
	slices.Sort(rows)
	table := tableHead + strings.Join(rows, "") + headersHead
	for _, only := range slices.Sorted(maps.Keys(headers)) {
		table += fmt.Sprintf("| %s | %s |\n", only, cell(strings.Join(headers[only], "; ")))
	}
	t.Logf("of %d exchanges %d are the same, %d differ", len(all), same, len(rows))
	checkPage(t, tableFile, table)
}

// contrast is the table's row for an exchange that is answered otherwise, or else the
// headers that alone differ.
func contrast(e exchange, want, got []reply) (row, headers string) {
	var differ []string
	for i := range e.steps {
		w, g := want[i].settled(), got[i].settled()
		if w.status != g.status || w.broken != g.broken || w.body != g.body && differences(w, g) != "" {
			name := e.name
			if len(e.steps) > 1 {
				name = fmt.Sprintf("%s: `%s`", name, e.steps[i].body)
			}
			return fmt.Sprintf("| %s | %s | %s |\n", cell(name), cell(w.gist()), cell(g.gist())), ""
		}
		if differences(w, g) == "" {
			continue
		}
		for _, name := range names(w.headers, g.headers) {
			if !slices.Equal(w.headers.Values(name), g.headers.Values(name)) && !slices.Contains(differ, name) {
				differ = append(differ, name)
			}
		}
	}
	return "", strings.Join(differ, ", ")
}

const tableHead = `# The HTTP door in the access mode execute_as

In the mode ` + "`verify`" + ` a client cannot tell the door from ClickHouse: the same person gets the same status, headers
and bytes. In the mode ` + "`execute_as`" + ` ClickHouse is asked to impersonate the person, which it can do for reads over
HTTP, and for everything else in a native session only. Of some five hundred exchanges that the end-to-end tests have both
ways these are not the same. The test that finds them (` + "`e2e`: `TestDoorInExecuteAs`" + `) writes this page, with PORTERHOUSE_UPDATE=1.

| a client sends | ClickHouse, straight | the door |
| --- | --- | --- |
`

const headersHead = `
Statements that do more than read are answered with the same status and body, and without some headers:

| differ | in |
| --- | --- |
`

// gist is what a reply says, in a few words.
func (r reply) gist() string {
	r = r.settled()
	text, _, _ := strings.Cut(strings.TrimSpace(r.body), "\n")
	if r.status == http.StatusOK && text == "" {
		text = "(nothing)"
	}
	return fmt.Sprintf("%d %.120q", r.status, text)
}

// cell is text as it can stand in a table.
func cell(text string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text) }

// firstDifference is the first line that two texts do not share.
func firstDifference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(left), len(right)) {
		if left[i] != right[i] {
			return "written: " + left[i] + "\nfound:   " + right[i]
		}
	}
	return fmt.Sprintf("written: %d lines, found: %d", len(left), len(right))
}
