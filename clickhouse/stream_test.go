package clickhouse

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"porterhouse"
)

const (
	testTag  = "abcdefghijklmnop"
	testText = "Code: 395. DB::Exception: Too bad. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO) (version 26.7.2.1)\n"
	tagged   = exceptionMark + testTag + "\r\n" + testText + "92 " + testTag + exceptionMark
	untagged = exceptionMark + testText
)

// streams are bodies, how their transfer ended, and what they are.
var streams = []struct {
	name    string
	tag     string
	body    string
	end     error
	data    string
	failure string // "": complete; "exception": testText; else the text of another error
}{
	{"nothing", testTag, "", io.EOF, "", ""},
	{"rows", testTag, "1\n2\n", io.EOF, "1\n2\n", ""},
	{"rows, cut off", testTag, "1\n2\n", io.ErrUnexpectedEOF, "1\n2\n", "unexpected EOF"},
	{"exception", testTag, "1\n" + tagged, io.ErrUnexpectedEOF, "1\n", "exception"},
	{"exception, ended as if all were well", testTag, "1\n" + tagged, io.EOF, "1\n", "exception"},
	{"exception in the middle of a row", testTag, "1\n2" + tagged, io.ErrUnexpectedEOF, "1\n2", "exception"},
	{"exception first of all", testTag, tagged, io.ErrUnexpectedEOF, "", "exception"},
	{"exception, itself cut off", testTag, "1\n" + exceptionMark + testTag + "\r\nCode: 395. DB::Ex", io.ErrUnexpectedEOF, "1\n", "without one"},
	{"data with another tag", testTag, "1\n" + strings.ReplaceAll(tagged, testTag, "aaaaaaaaaaaaaaaa"), io.EOF,
		"1\n" + strings.ReplaceAll(tagged, testTag, "aaaaaaaaaaaaaaaa"), ""},
	{"data with no tag", testTag, "1\n" + untagged, io.EOF, "1\n" + untagged, ""},
	{"data like an exception", testTag, "1\n" + testText, io.EOF, "1\n" + testText, ""},
	{"data that ends in a half mark", testTag, "1\r\n__exception__\r\nabc", io.EOF, "1\r\n__exception__\r\nabc", ""},
	{"data with marks without end", testTag, strings.Repeat("\r\n__exception__", 9), io.EOF, strings.Repeat("\r\n__exception__", 9), ""},

	{"untagged rows", "", "1\n2\n", io.EOF, "1\n2\n", ""},
	{"untagged rows, cut off", "", "1\n2\n", io.ErrUnexpectedEOF, "", "unexpected EOF"},
	{"untagged exception", "", "1\n" + untagged, io.ErrUnexpectedEOF, "1\n", "exception"},
	{"untagged exception, ended as if all were well", "", "1\n" + untagged, io.EOF, "1\n", "exception"},
	{"plain exception", "", "1\n2" + testText, io.EOF, "1\n2", "exception"},
	{"plain exception without line break", "", "1\n" + strings.TrimSpace(testText), io.EOF, "1\n", "exception"},
	{"untagged data with an exception in it", "", testText + "1\n", io.EOF, testText + "1\n", ""},
	{"untagged data with half an exception", "", "Code: 60. (version 1)\n", io.EOF, "Code: 60. (version 1)\n", ""},
}

func TestStream(t *testing.T) {
	for _, test := range streams {
		t.Run(test.name, func(t *testing.T) {
			for _, by := range []func(io.Reader) io.Reader{whole, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
				for _, size := range []int{1, 50, bufferSize} {
					source := by(io.MultiReader(strings.NewReader(test.body), iotest.ErrReader(test.end)))
					data, err := drain(newStream(source, test.tag, make([]byte, size)))
					if data != test.data {
						t.Errorf("data is %q, want %q", data, test.data)
					}
					checkStreamEnd(t, err, test.failure)
				}
			}
		})
	}
}

func whole(r io.Reader) io.Reader { return r }

func checkStreamEnd(t *testing.T, err error, failure string) {
	t.Helper()
	text, exception := errors.AsType[exceptionText](err)
	switch {
	case failure == "" && err != io.EOF:
		t.Errorf("it ends with %v, want io.EOF", err)
	case failure == "exception" && (!exception || strings.TrimSpace(string(text)) != strings.TrimSpace(testText)):
		t.Errorf("it ends with %q, want the exception", err)
	case failure != "" && failure != "exception" && (exception || !strings.Contains(err.Error(), failure)):
		t.Errorf("it ends with %v, want %q", err, failure)
	}
}

// drain reads a stream to its end.
func drain(s *stream) (string, error) {
	var data []byte
	for s.err == nil {
		s.fill()
		data = append(data, s.data()...)
		s.take(len(s.data()))
	}
	return string(data), s.err
}

// However the bytes come, a stream says the same, and never that a body that was
// cut off is complete.
func FuzzStream(f *testing.F) {
	for i, test := range streams {
		f.Add(test.body, test.tag != "", test.end == io.EOF, uint64(i))
	}
	f.Fuzz(func(t *testing.T, body string, hasTag, ended bool, seed uint64) {
		tag, end := "", io.ErrUnexpectedEOF
		if hasTag {
			tag = testTag
		}
		if ended {
			end = io.EOF
		}
		source := func(r io.Reader) io.Reader { return io.MultiReader(r, iotest.ErrReader(end)) }
		data, err := drain(newStream(source(strings.NewReader(body)), tag, make([]byte, bufferSize)))
		again, errAgain := drain(newStream(source(randomReads(body, seed)), tag, make([]byte, 64)))
		if hasTag && data != again || (err == io.EOF) != (errAgain == io.EOF) {
			t.Errorf("read at once: %q %v, in pieces: %q %v", data, err, again, errAgain)
		}
		if !strings.HasPrefix(body, data) {
			t.Errorf("data is %q, not the beginning of %q", data, body)
		}
		if err == io.EOF && (!ended || data != body) {
			t.Errorf("%q of %q, ended=%v, is taken for complete", data, body, ended)
		}
		if ended && hasTag && !strings.Contains(body, exceptionMark+tag) && err != io.EOF {
			t.Errorf("complete data is taken for broken: %v", err)
		}
	})
}

// randomReads reads text in pieces of random lengths.
func randomReads(text string, seed uint64) io.Reader {
	random := rand.New(rand.NewPCG(seed, 0))
	var pieces []io.Reader
	for text != "" {
		n := 1 + random.IntN(min(len(text), 40))
		pieces = append(pieces, strings.NewReader(text[:n]))
		text = text[n:]
	}
	return io.MultiReader(pieces...)
}

func TestMeters(t *testing.T) {
	const rows, bytes, none = porterhouse.CutRows, porterhouse.CutBytes, porterhouse.Cut("")
	for _, test := range []struct {
		name  string
		meter func() meter
		body  string
		want  string
		rows  int
		cut   porterhouse.Cut
	}{
		{"no limit", limits(0, 0, false), "1\n2\n3\n", "1\n2\n3\n", 3, none},
		{"fewer rows", limits(4, 0, false), "1\n2\n3\n", "1\n2\n3\n", 3, none},
		{"just as many rows", limits(3, 0, false), "1\n2\n3\n", "1\n2\n3\n", 3, none},
		{"more rows", limits(2, 0, false), "1\n2\n3\n", "1\n2\n", 2, rows},
		{"more rows, the last not whole", limits(2, 0, false), "1\n2\n3", "1\n2\n", 2, rows},
		{"just as many bytes", limits(0, 6, false), "1\n2\n3\n", "1\n2\n3\n", 3, none},
		{"a byte more", limits(0, 5, false), "1\n2\n3\n", "1\n2\n", 2, bytes},
		{"one row too large", limits(0, 5, false), "12345\n", "", 0, bytes},
		{"one row that just fits", limits(0, 6, false), "12345\n", "12345\n", 1, none},
		{"a second row too large", limits(0, 8, false), "12345\n12345\n", "12345\n", 1, bytes},
		{"rows before bytes", limits(1, 4, false), "1\n2\n3\n", "1\n", 1, rows},
		{"bytes before rows", limits(2, 3, false), "1\n2\n3\n", "1\n", 1, bytes},
		{"totals", limits(2, 0, false), "1\t1\n2\t1\n\n0\t2\n", "1\t1\n2\t1\n\n0\t2\n", 2, none},
		{"totals of more rows", limits(1, 0, false), "1\t1\n2\t1\n\n0\t2\n", "1\t1\n", 1, rows},
		{"totals beyond the bytes", limits(2, 10, false), "1\t1\n2\t1\n\n0\t2\n", "1\t1\n2\t1\n\n", 2, bytes},
		{"nothing but totals", limits(2, 0, false), "\n0\t2\n", "\n0\t2\n", 0, none},
		{"empty texts", limits(3, 0, true), "\n\n\n", "\n\n\n", 3, none},
		{"more empty texts", limits(2, 0, true), "\n\n\n", "\n\n", 2, rows},
		{"bytes of any format", func() meter { return &byteMeter{left: 4} }, "ab\ncd", "ab\nc", 0, bytes},
		{"just so many of any format", func() meter { return &byteMeter{left: 5} }, "ab\ncd", "ab\ncd", 0, none},
	} {
		t.Run(test.name, func(t *testing.T) {
			for step := range len(test.body) {
				got, count, cut := measure(test.meter(), []byte(test.body), step+1)
				if got != test.want || count != test.rows || cut != test.cut {
					t.Errorf("in steps of %d: %q, %d rows, cut %q; want %q, %d, %q",
						step+1, got, count, cut, test.want, test.rows, test.cut)
				}
			}
		})
	}
}

func limits(rows, bytes int64, blankIsRow bool) func() meter {
	return func() meter { return &rowMeter{rows: limit(rows), bytes: limit(bytes), blankIsRow: blankIsRow} }
}

// measure shows body to m, step bytes more at a time, and takes what m lets pass.
func measure(m meter, body []byte, step int) (passed string, rows int, cut porterhouse.Cut) {
	for taken, shown := 0, min(step, len(body)); ; {
		p := m.next(body[taken:shown])
		if p.rows {
			rows += bytes.Count(body[taken:taken+p.size], []byte{'\n'})
		}
		taken += p.size
		if p.cut != "" || p.size == 0 && shown == len(body) {
			return string(body[:taken]), rows, p.cut
		}
		if p.size == 0 {
			shown = min(shown+step, len(body))
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":           `''`,
		"alice":      `'alice'`,
		"o'neil":     `'o\'neil'`,
		`back\slash`: `'back\\slash'`,
		`\'`:         `'\\\''`,
		"a\x00b\xff": "'a\x00b\xff'",
		"”“`\"":      "'”“`\"'",
	} {
		if got := string(quote(nil, text)); got != want {
			t.Errorf("%q is quoted as %s, want %s", text, got, want)
		}
	}
}

func TestTSVFields(t *testing.T) {
	got := tsvFields(`a\tb` + "\t" + `\N` + "\t" + `c\\n\n\'\0` + "\t" + `end\`)
	if want := []string{"a\tb", "N", "c\\n\n'\x00", `end\`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
