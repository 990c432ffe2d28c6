package statement_test

import (
	"slices"
	"strings"
	"testing"

	"porterhouse/statement"
)

// seeds are where fuzzing begins; what it found is in testdata/fuzz.
func seeds(f *testing.F) {
	for _, sql := range corpus() {
		f.Add(sql)
	}
	for _, a := range attacks {
		f.Add(a.sql[:min(len(a.sql), 500)])
	}
}

// FuzzLexer: the tokens cover the text without a gap, at least up to the first
// that is an error, and end.
func FuzzLexer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		l, end, broken := statement.NewLexer(sql), 0, false
		for range len(sql) + 1 {
			token := l.Next()
			if token.Begin < 0 || token.End > len(sql) || token.Begin > token.End {
				t.Fatalf("token %+v is not inside the text of %d bytes", token, len(sql))
			}
			if !broken && token.Begin != end {
				t.Fatalf("token %+v does not follow on byte %d", token, end)
			}
			if token.Type == statement.EndOfStream {
				if end != len(sql) {
					t.Fatalf("the text ends at byte %d, not %d", end, len(sql))
				}
				return
			}
			if token.Begin == token.End {
				t.Fatalf("token %+v is empty", token)
			}
			end, broken = token.End, broken || token.Type.IsError()
		}
		t.Fatalf("there are more tokens than bytes")
	})
}

// FuzzCheck: hazards are in order, inside the text and explained; a text that
// passes is one known read; and space or a comment at its end changes nothing.
func FuzzCheck(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		r := statement.Check(sql)
		for i, h := range r.Hazards {
			if h.At < 1 || h.At > len(sql)+1 || i > 0 && h.At < r.Hazards[i-1].At {
				t.Errorf("hazard %+v is out of place in a text of %d bytes", h, len(sql))
			}
			if len(h.Reason) < 10 || h.Kind == "" {
				t.Errorf("hazard %+v explains nothing", h)
			}
		}
		if !r.Read && len(r.Hazards) == 0 {
			t.Errorf("no read, and nothing says why")
		}
		if r.Read && len(r.Hazards) == 0 {
			if r.Statements != 1 || !slices.Contains([]string{"SELECT", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN"}, r.Verb) {
				t.Errorf("passes, but is %+v", r)
			}
			for _, tail := range []string{" ", "\n", ";", " ; ", "\n-- comment", "/**/", "\u00a0"} {
				if again := statement.Check(sql + tail); !strings.HasSuffix(sql, "-") && !strings.HasSuffix(sql, "/") && !same(r, again) {
					t.Errorf("with %q at its end it is %+v instead of %+v", tail, again, r)
				}
			}
		}
	})
}

// same compares what matters of two reports.
func same(a, b statement.Report) bool {
	return a.Statements == b.Statements && a.Verb == b.Verb && a.Read == b.Read && slices.Equal(a.Hazards, b.Hazards)
}

// FuzzReadHead: the statement and the data are in the text, in this order; what is told
// of a beginning holds for the whole, and more text tells no less.
func FuzzReadHead(f *testing.F) {
	for _, marked := range heads {
		text, _ := unmarked(marked)
		f.Add(text, len(text)/2, len(text)*3/4)
	}
	f.Fuzz(func(t *testing.T, text string, some, more int) {
		whole := statement.ReadHead(text, true)
		if whole.End < 0 || whole.End > whole.From || whole.From > len(text) || whole.Data == (whole.Format == "") || !whole.Data && whole.End != len(text) {
			t.Fatalf("%+v of a text of %d bytes", whole, len(text))
		}
		some, more = min(max(some, 0), len(text)), min(max(more, 0), len(text))
		less, rest := statement.ReadHead(text[:min(some, more)], false), statement.ReadHead(text[:max(some, more)], false)
		if less.End >= 0 && less != whole || rest.End >= 0 && rest != whole || less.End >= 0 && rest.End < 0 {
			t.Fatalf("%+v of %d bytes, %+v of %d, and %+v of all %d", less, min(some, more), rest, max(some, more), whole, len(text))
		}
		if again := statement.ReadHead(text[:whole.End]+"\n"+text[whole.From:], true); whole.Data && (again.Data != whole.Data || again.End != whole.End || again.From != whole.End+1) {
			t.Fatalf("%+v, and as it is sent on %+v", whole, again)
		}
		statement.OwnSettings(text)
	})
}
