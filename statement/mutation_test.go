package statement_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"porterhouse/statement"
)

// TestMutatedAttacks puts attacks together anew, token by token, and sends what
// passes the check: whatever it is by now, it must do no harm. More of them are
// made when $STATEMENT_MUTATIONS says how many.
func TestMutatedAttacks(t *testing.T) {
	e := startEngine(t)
	e.plant(t)
	count := 3_000
	if more, err := strconv.Atoi(os.Getenv("STATEMENT_MUTATIONS")); err == nil {
		count = more
	}
	random := rand.New(rand.NewPCG(7, uint64(count)))
	var sources [][]string
	for _, a := range attacks {
		sources = append(sources, split(e.filled(a.sql)))
	}
	for _, sql := range trials() {
		sources = append(sources, split(e.filled(sql)))
	}
	before, visits, sent := e.state(t), e.canary.visits.Load(), 0
	for range count {
		sql := spliced(random, sources)
		if r := statement.Check(sql); !r.Read || len(r.Hazards) > 0 {
			continue
		}
		sent++
		_, answer := e.asAlice(t, sql, map[string]string{
			"max_rows_to_read": "10000", "max_execution_time": "5", "param_f": "file", "param_p": "1", "param_t": "app.t",
		})
		if strings.Contains(answer, secretText) || strings.Contains(answer, fileText) || e.canary.visits.Load() != visits {
			t.Fatalf("passes, and does harm: %q\n%.500s", sql, answer)
		}
	}
	if after := e.state(t); after != before {
		t.Errorf("something that passes changed the server:\n%s", difference(before, after))
	}
	e.noFunctions(t)
	t.Logf("%d texts, %d of them passed and did no harm", count, sent)
}

// split cuts a text into its tokens.
func split(sql string) []string {
	var tokens []string
	for l := statement.NewLexer(sql); ; {
		token := l.Next()
		if token.Type == statement.EndOfStream {
			return tokens
		}
		tokens = append(tokens, sql[token.Begin:token.End])
	}
}

// spliced returns one source with runs of tokens from others in it, or fewer of
// its own, or other pieces.
func spliced(random *rand.Rand, sources [][]string) string {
	pick := func() []string { return sources[random.IntN(len(sources))] }
	text := append([]string{}, pick()...)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(text) + 1)
		rest := append([]string{}, text[at:]...)
		switch other := pick(); random.IntN(5) {
		case 0: // the end of another
			text = append(text[:at], other[random.IntN(len(other)+1):]...)
		case 1: // a run of another, put in
			from := random.IntN(len(other) + 1)
			text = append(append(text[:at], other[from:min(from+1+random.IntN(12), len(other))]...), rest...)
		case 2: // a run left out
			text = append(text[:at], rest[min(1+random.IntN(4), len(rest)):]...)
		case 3: // a piece put in
			text = append(append(text[:at], pieces[random.IntN(len(pieces))]), rest...)
		case 4: // one token for another of the same text
			if len(rest) > 0 {
				text[at] = text[random.IntN(len(text))]
			}
		}
	}
	return strings.Join(text, "")
}
