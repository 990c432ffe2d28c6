package page

import "testing"

// A sentence begins with a whole letter, of whatever alphabet.
func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "A.", "the store is away": "The store is away.", "GitHub is away": "GitHub is away.",
		"élodie is away": "Élodie is away.", "田中 is away": "田中 is away.", "7 programs": "7 programs.", "\xff": "\ufffd.",
	} {
		if got := Sentence(text); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}
