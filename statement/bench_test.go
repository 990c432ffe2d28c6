package statement_test

import (
	"fmt"
	"strings"
	"testing"

	"porterhouse/statement"
)

// typical is SQL as people and agents write it, about 1 KB.
const typical = `-- daily token usage, by model and team
WITH daily AS
(
    SELECT toDate(u.minute) AS day, u.model_id, u.user_id, sum(u.input_tokens) AS input, sum(u.output_tokens) AS output, sum(u.cost) AS cost
    FROM usage.requests AS u
    WHERE u.minute >= now() - INTERVAL 30 DAY AND u.status = 'ok' AND u.model_id NOT IN ('test', 'canary')
    GROUP BY day, u.model_id, u.user_id
)
SELECT
    d.day, m.name AS model, t.name AS team,
    round(sum(d.cost), 2) AS total_cost, sum(d.input + d.output) AS tokens, uniqExact(d.user_id) AS people,
    quantiles(0.5, 0.9, 0.99)(d.cost) AS cost_quantiles, arrayStringConcat(arraySort(groupUniqArray(p.name)), ', ') AS names
FROM daily AS d
INNER JOIN usage.models AS m ON m.id = d.model_id
LEFT JOIN usage.people AS p ON p.id = d.user_id
LEFT JOIN usage.teams AS t ON t.id = p.team_id
WHERE t.name ILIKE '%data%' OR m.name LIKE 'large-%' /* only the expensive ones */
GROUP BY d.day, model, team
HAVING tokens > 1000
ORDER BY d.day DESC, total_cost DESC
LIMIT 100
SETTINGS join_use_nulls = 1`

func BenchmarkLexer(b *testing.B) {
	b.SetBytes(int64(len(typical)))
	b.ReportAllocs()
	for b.Loop() {
		l := statement.NewLexer(typical)
		for l.Next().Type != statement.EndOfStream {
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	b.SetBytes(int64(len(typical)))
	b.ReportAllocs()
	for b.Loop() {
		if r := statement.Check(typical); len(r.Hazards) > 0 {
			b.Fatal(r)
		}
	}
}

// BenchmarkCheckWorst has texts made to be slow, in two lengths: a time that grows
// with the square of the length shows as a quarter of the bytes per second.
func BenchmarkCheckWorst(b *testing.B) {
	same := func(unit string) func(int) string { return func(int) string { return unit } }
	for name, unit := range map[string]func(i int) string{
		"tags never closed":    func(i int) string { return fmt.Sprintf("$t%d$ , ", i) },
		"dollars":              same("$ "),
		"brackets":             same("("),
		"brackets in arrayMap": same("arrayMap((((a),(a),(a))),"),
		"dots":                 same("a."),
		"dotted calls":         same("a.a.a.a("),
		"quotes":               same(`"a""b"`),
		"comments":             same("/**/"),
		"nested comments":      same("/*"),
		"curly quotes":         same("‘"),
		"settings":             same("SETTINGS a = 1, "),
		"commas":               same("FROM a,"),
		"WITH":                 same("WITH a AS (b), "),
		"EXPLAIN":              same("(EXPLAIN a = 1, "),
		"EXPLAIN WITH":         same("(EXPLAIN AST WITH "),
		"refused calls":        same("url() + "),
	} {
		for _, size := range []int{64 << 10, 256 << 10} {
			b.Run(fmt.Sprintf("%s/%d KiB", name, size>>10), func(b *testing.B) {
				text := strings.Builder{}
				text.WriteString("SELECT ")
				for i := 0; text.Len() < size; i++ {
					text.WriteString(unit(i))
				}
				sql := text.String()
				b.SetBytes(int64(len(sql)))
				for b.Loop() {
					statement.Check(sql)
				}
			})
		}
	}
}

func TestLexerAllocatesNothing(t *testing.T) {
	allocations := testing.AllocsPerRun(100, func() {
		l := statement.NewLexer(typical)
		for l.Next().Type != statement.EndOfStream {
		}
	})
	if allocations != 0 {
		t.Errorf("lexing allocates %v times, want 0", allocations)
	}
}
