package statement_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"porterhouse/statement"
)

// perKB runs f over the ordinary questions, and reports the time that it takes.
// It is CPU time, to which a busy machine adds little.
func perKB(b *testing.B, f func(sql string)) {
	size := 0
	for _, sql := range ordinary() {
		size += len(sql)
	}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		for _, sql := range ordinary() {
			f(sql)
		}
	}
	used := float64((cpu(b) - before).Nanoseconds())
	b.ReportMetric(used/float64(b.N)/float64(size), "µs/KB")
}

// cpu is the time that this process has used so far.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// lex reads all tokens of a text.
func lex(sql string) {
	l := statement.NewLexer(sql)
	for l.Next().Type != statement.EndOfStream {
	}
}

func BenchmarkLexer(b *testing.B) { perKB(b, lex) }
func BenchmarkCheck(b *testing.B) { perKB(b, func(sql string) { statement.Check(sql) }) }

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

// TestAllocatesNothing: neither a token nor a statement of ordinary size costs the
// garbage collector anything.
func TestAllocatesNothing(t *testing.T) {
	for _, sql := range ordinary() {
		if n := testing.AllocsPerRun(100, func() { lex(sql) }); n != 0 {
			t.Errorf("lexing allocates %v times, want 0: %s", n, sql)
		}
		if n := testing.AllocsPerRun(100, func() { statement.Check(sql) }); n != 0 {
			t.Errorf("checking allocates %v times, want 0: %s", n, sql)
		}
	}
}

// BenchmarkReadHead has what a gateway reads most: the head of an INSERT, with little
// and with much behind it, and a SELECT, of which the first word is enough.
func BenchmarkReadHead(b *testing.B) {
	insert := "INSERT INTO analytics.events (" + strings.Repeat("some_column, ", 10) + "last) SETTINGS async_insert = 1 FORMAT "
	for name, text := range map[string]string{
		"INSERT":               insert + "JSONEachRow\n{}   ",
		"INSERT VALUES 100 KB": insert[:len(insert)-len("FORMAT ")] + "VALUES " + strings.Repeat("(1, 'text'),", 8_000),
		"SELECT":               "SELECT " + strings.Repeat("some_column, ", 10) + "last FROM analytics.events",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				statement.ReadHead(text, true)
			}
		})
	}
}
