package statement_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"porterhouse/statement"
)

// tokensOf lists the tokens of sql as tokenizeQuery does: begin-end:type.
func tokensOf(sql string) string {
	var all []string
	for l := statement.NewLexer(sql); ; {
		token := l.Next()
		if token.Type == statement.EndOfStream {
			return strings.Join(all, " ")
		}
		all = append(all, fmt.Sprintf("%d-%d:%s", token.Begin, token.End, token.Type))
	}
}

// tokensThere are the same lists, from ClickHouse itself.
func (e *engine) tokensThere(t *testing.T, texts []string) []string {
	t.Helper()
	var body strings.Builder
	body.WriteString("SELECT arrayStringConcat(arrayMap(x -> concat(toString(x.1), '-', toString(x.2), ':', toString(x.3)), tokenizeQuery(unhex(h))), ' ') " +
		"FROM format(TSV, 'h String', '")
	for _, text := range texts {
		body.WriteString(hex.EncodeToString([]byte(text)) + "\n")
	}
	body.WriteString("')")
	status, answer := e.post(t, url.Values{"max_query_size": {"1000000000"}}, body.String(), e.User, e.Password)
	lines := strings.Split(strings.TrimSuffix(answer, "\n"), "\n")
	if status != 200 || len(lines) != len(texts) {
		t.Fatalf("tokenizeQuery of %d texts: status %d, %d lines: %.500s", len(texts), status, len(lines), answer)
	}
	return lines
}

// TestLexerAgreesWithClickHouse compares every token of many texts: those of the
// corpus, mutated ones, and texts put together of what lexers trip over.
func TestLexerAgreesWithClickHouse(t *testing.T) {
	e := startEngine(t)
	random := rand.New(rand.NewPCG(26, 7))
	texts := append(corpus(), "'' empty lines would be lost, so no text is empty")
	for len(texts) < 20_000 {
		texts = append(texts, mutated(random, corpus()))
	}
	for len(texts) < 30_000 {
		var text strings.Builder
		for range 1 + random.IntN(10) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		texts = append(texts, text.String())
	}
	differ := 0
	for batch := range chunks(texts, 5_000) {
		for i, there := range e.tokensThere(t, batch) {
			if here := tokensOf(batch[i]); here != there {
				t.Errorf("%q\n here %s\nthere %s", batch[i], here, there)
				if differ++; differ == 10 {
					t.Fatal("and so on")
				}
			}
		}
	}
	t.Logf("%d texts, all tokens equal", len(texts))
}

// chunks yields parts of all that have n elements, the last one fewer.
func chunks(all []string, n int) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(all) > 0 && yield(all[:min(n, len(all))]) {
			all = all[min(n, len(all)):]
		}
	}
}

// mutated returns one of the texts with a few changes.
func mutated(random *rand.Rand, texts []string) string {
	text := texts[random.IntN(len(texts))]
	for range 1 + random.IntN(4) {
		at := random.IntN(len(text) + 1)
		switch piece := pieces[random.IntN(len(pieces))]; random.IntN(6) {
		case 0: // insert
			text = text[:at] + piece + text[at:]
		case 1: // overwrite
			text = text[:at] + piece + text[min(at+len(piece), len(text)):]
		case 2: // any byte
			text = text[:at] + string([]byte{byte(random.IntN(256))}) + text[min(at+1, len(text)):]
		case 3: // cut out
			text = text[:at] + text[min(at+1+random.IntN(8), len(text)):]
		case 4: // cut off
			text = text[:at]
		case 5: // splice with another
			other := texts[random.IntN(len(texts))]
			text = text[:at] + other[random.IntN(len(other)+1):]
		}
	}
	if text == "" {
		return " "
	}
	return text
}

// pieces are what lexers trip over.
var pieces = []string{
	"'", `"`, "`", "‘", "’", "“", "”", "\\", "\\'", "''", `""`, "\xe2", "\x80", "\x98", "\xe2\x80", "−", "\xe2\x88",
	"/*", "*/", "/", "*", "//", "--", "-", "->", "#", "# ", "#!", "\n", "\r", "\v", "\f", "\t", " ",
	"$", "$$", "$a$", "$a b$", "$a", "a$b", "$1$", "x'", "X'1F'", "b'01", "B'", "x'1G'", "0x", "0x1.8p-3", "0b1", "0b2", "0", "1",
	"1_000", "1__0", "_", "_1", "1e", "1e+", "E-5", "p", ".", "..", ".5", "1.", "a.1.1", "1.1.1", "e", "f", "x", "b", "Z9", "SELECT",
	"(", ")", "[", "]", "{", "}", ",", ";", "\\G", "\\g", "<", "=", ">", "<=>", "<>", "==", "!", "!=", "~", "|", "||", "^", "@", "@@", "?", ":", "::", "%", "+", "&",
	"\x00", "\x01", "\x1a", "\x7f", "\u0085", "\u00a0", "\u180e", "\u2000", "\u200b", "\u200d", "\u200e", "\u2028", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff",
	"é", "😀", "\xff", "\xc2", "\xef\xbb", "\xf0\x9f", "ſ", "K",
}
