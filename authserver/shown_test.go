package authserver

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// Of the address of a client's document both ends are shown, and a client without one
// has none.
func TestAddressOfDocument(t *testing.T) {
	const host = "https://uploads.example.com/mallory/"
	short := host + "client.json"
	if got := (Client{ID: short, Known: ByDocument}).address(); got != short {
		t.Errorf("%q", got)
	}
	for _, known := range []Known{ByOperator, ByRegistration} {
		if got := (Client{ID: short, Known: known}).address(); got != "" {
			t.Errorf("by %s: %q", known, got)
		}
	}
	for length := maxAddress - 2; length <= maxAddress+2; length++ {
		id := host + strings.Repeat("x", length-len(host)-len("/end.json")) + "/end.json"
		got := Client{ID: id, Known: ByDocument}.address()
		if utf8.RuneCountInString(got) != min(length, maxAddress) || !strings.HasPrefix(got, host) || !strings.HasSuffix(got, "/end.json") ||
			strings.Contains(got, "…") != (length > maxAddress) {
			t.Errorf("of %d characters: %q", length, got)
		}
	}
}

// The page that asks about a program without a browser shows the address, too.
func TestDevicePageShowsTheDocument(t *testing.T) {
	s := openSite(t)
	s.serve = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(s.document(map[string]any{"grant_types": []string{GrantDevice}, "redirect_uris": nil}))
	}
	d := openDesk(t, s.outbound(t, nil))
	page := d.look(d.beginAs(s.id()), "alice").text
	if !strings.Contains(page, s.id()+"</bdi>") {
		t.Errorf("the page does not say where the document is: %s", page)
	}
	if page := d.look(d.beginAs("clickhouse-client"), "alice").text; strings.Contains(page, "describes it") {
		t.Errorf("a client without a document: %s", page)
	}
}
