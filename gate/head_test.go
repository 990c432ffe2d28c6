package gate

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"porterhouse"
	"porterhouse/statement"
)

// settled is a question whose border has been found.
func settled(t *testing.T, sql string, data io.Reader, size int64) (porterhouse.Query, bool, error) {
	t.Helper()
	q := porterhouse.Query{SQL: sql, Passage: &porterhouse.Passage{Data: data, Size: size}}
	var h heads
	hasData, err := h.settle(&q)
	return q, hasData, err
}

// How the bytes of a body may arrive.
var arrivals = map[string]func(io.Reader) io.Reader{
	"as they are":         func(r io.Reader) io.Reader { return r },
	"one byte at a time":  iotest.OneByteReader,
	"half of what may be": iotest.HalfReader,
	"the end with data":   iotest.DataErrReader,
	"with empty reads":    func(r io.Reader) io.Reader { return &haltingReader{r, 0} },
}

// haltingReader gives nothing every other time.
type haltingReader struct {
	io.Reader
	reads int
}

func (r *haltingReader) Read(p []byte) (int, error) {
	if r.reads++; r.reads%2 == 1 {
		return 0, nil
	}
	return r.Reader.Read(p[:min(len(p), 7)])
}

// Wherever a text is divided, and however it arrives: the statement is the same, and so
// is the data.
func TestBorderDoesNotDependOnArrival(t *testing.T) {
	long := strings.Repeat("1,'x'\n", 100_000)
	for name, c := range map[string]struct{ sql, body, statement, data string }{
		"a read in the URL":          {"SELECT 1", "", "SELECT 1", ""},
		"a read in the body":         {"", "SELECT 1 -- so\n", "SELECT 1 -- so\n", ""},
		"a read in both":             {"SELECT", "1", "SELECT\n1", ""},
		"an INSERT in the URL":       {"INSERT INTO t FORMAT CSV", "1,2\n3,4\n", "INSERT INTO t FORMAT CSV", "1,2\n3,4\n"},
		"an INSERT in the body":      {"", "INSERT INTO t FORMAT CSV\n1,2\n3,4\n", "INSERT INTO t FORMAT CSV", "1,2\n3,4\n"},
		"an INSERT in both":          {"INSERT INTO t", "FORMAT CSV\n1,2\n", "INSERT INTO t\nFORMAT CSV", "1,2\n"},
		"an INSERT without data":     {"INSERT INTO t FORMAT CSV", "", "INSERT INTO t FORMAT CSV", ""},
		"data that looks like SQL":   {"INSERT INTO t FORMAT CSV", "; DROP TABLE t; /*", "INSERT INTO t FORMAT CSV", "; DROP TABLE t; /*"},
		"long data behind its head":  {"", "INSERT INTO t FORMAT CSV\n" + long, "INSERT INTO t FORMAT CSV", long},
		"long data behind the URL":   {"INSERT INTO t FORMAT CSV", long, "INSERT INTO t FORMAT CSV", long},
		"a long comment before data": {"", "/*" + strings.Repeat("x", 200_000) + "*/INSERT INTO t FORMAT CSV\n" + long, "/*" + strings.Repeat("x", 200_000) + "*/INSERT INTO t FORMAT CSV", long},
		"the longest statement":      {"", "SELECT '" + strings.Repeat("x", maxSQL-9) + "'", "SELECT '" + strings.Repeat("x", maxSQL-9) + "'", ""},
	} {
		for arrival, read := range arrivals {
			for _, size := range []int64{-1, int64(len(c.body))} {
				if arrival == "one byte at a time" && len(c.body) > 300_000 {
					continue
				}
				q, hasData, err := settled(t, c.sql, read(strings.NewReader(c.body)), size)
				if err != nil {
					t.Errorf("%s, %s: %v", name, arrival, err)
					continue
				}
				data := ""
				if q.Passage.Data != nil {
					all, err := io.ReadAll(q.Passage.Data)
					check(t, err)
					data = string(all)
				}
				if strings.TrimRight(q.SQL, "\n") != strings.TrimRight(c.statement, "\n") || data != c.data {
					t.Errorf("%s, %s, size %d: %.80q and %d bytes of data", name, arrival, size, q.SQL, len(data))
				}
				if n := q.Passage.Size; n >= 0 && n != int64(len(data)) || n < 0 && size >= 0 {
					t.Errorf("%s, %s: it says that there are %d bytes of data, and there are %d", name, arrival, n, len(data))
				}
				if hasData != strings.HasPrefix(strings.TrimLeft(c.statement, "/*x"), "INSERT") {
					t.Errorf("%s, %s: has data: %v", name, arrival, hasData)
				}
			}
		}
	}
}

// Nothing of a text is lost or doubled, however it is made up and divided.
func TestNothingIsLostAtTheBorder(t *testing.T) {
	pieces := []string{"INSERT INTO ", "t ", "(a, b) ", "VALUES ", "FORMAT ", "CSV", "\n", " ", "(1, 'x')", ";", "SELECT ", "1", "/* c */", "-- c\n", "'", "$$", "\x00", "\xff", "SETTINGS a = 1 ", "ä", "FROM INFILE 'x' "}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var text []byte
		for range random.IntN(12) {
			text = append(text, pieces[random.IntN(len(pieces))]...)
		}
		at := random.IntN(len(text) + 1)
		sql, body := string(text[:at]), text[at:]
		q, hasData, err := settled(t, sql, iotest.HalfReader(bytes.NewReader(body)), -1)
		whole := sql + "\n" + string(body)
		if sql == "" {
			whole = string(body)
		}
		head := statement.ReadHead(whole, true)
		if err != nil {
			t.Fatalf("%q and %q: %v", sql, body, err)
		}
		var data []byte
		if q.Passage.Data != nil {
			data, err = io.ReadAll(q.Passage.Data)
			check(t, err)
		}
		if q.SQL != whole[:head.End] || string(data) != whole[head.From:] || hasData != head.Data {
			t.Fatalf("%q and %q became %q and %q; want %q and %q", sql, body, q.SQL, data, whole[:head.End], whole[head.From:])
		}
	}
}

// endless is a body that goes on, and counts what was read of it.
type endless struct {
	text []byte
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text)
	e.text = e.text[n:]
	for i := n; i < len(p); i++ {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

// A statement that is too long is refused as soon as that is known, and the data of an
// INSERT is not read ahead.
func TestReadsNoMoreThanItNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		begins string
		most   int
		ok     bool
	}{
		"an endless statement": {"SELECT '", 2 * maxSQL, false},
		"an endless comment":   {"/*", 2 * maxSQL, false},
		"an endless word":      {"", 2 * maxSQL, false},
		"an INSERT's data":     {"INSERT INTO t FORMAT CSV\n", headSize, true},
	} {
		body := &endless{text: []byte(c.begins)}
		_, _, err := settled(t, "", body, -1)
		var e *porterhouse.Error
		if c.ok != (err == nil) || !c.ok && (!errors.As(err, &e) || e.Code != codeSyntax || e.Kind != porterhouse.Invalid) || body.read > c.most {
			t.Errorf("%s: %d bytes were read, %v", name, body.read, err)
		}
	}
}

// What breaks off is not taken for what came: neither in the statement nor in its data.
func TestBodyThatBreaksOff(t *testing.T) {
	ours := porterhouse.Errorf(porterhouse.Invalid, "this is no gzip")
	for name, c := range map[string]struct {
		sql  string
		body io.Reader
		size int64
		kind porterhouse.Kind
	}{
		"within the statement":          {"", io.MultiReader(strings.NewReader("SELECT 1"), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, porterhouse.Canceled},
		"shorter than it said":          {"", strings.NewReader("SELECT 1"), 20, porterhouse.Canceled},
		"of a coding that it is not in": {"", iotest.ErrReader(ours), -1, porterhouse.Invalid},
		"that gives nothing":            {"", &haltingReader{iotest.ErrReader(nil), 0}, -1, porterhouse.Canceled},
		"within the data":               {"INSERT INTO t FORMAT CSV", io.MultiReader(strings.NewReader("1\n"), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, porterhouse.Canceled},
		"data shorter than it said":     {"INSERT INTO t FORMAT CSV", strings.NewReader(strings.Repeat("1\n", headSize)), 3 * headSize, porterhouse.Canceled},
	} {
		q, _, err := settled(t, c.sql, c.body, c.size)
		if err == nil && q.Passage.Data != nil {
			var u uploads
			u.meter(q.Passage)
			_, err = io.ReadAll(q.Passage.Data)
			if err != nil {
				err = u.reason(errors.New("the upload broke off"))
			}
		}
		if kind, _ := porterhouse.Explain(err); err == nil || kind != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}
