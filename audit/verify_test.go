package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// sample makes a record of one file and returns its lines and a head from the middle.
func sample(t testing.TB, c Config, name string) (lines [][]byte, head string) {
	t.Helper()
	l := mustOpen(t, c)
	for i := range 5 {
		ask(t, l, name+numbered(i))
	}
	head = l.Head()
	for i := range 5 {
		ask(t, l, name+numbered(5+i))
	}
	mustClose(t, l)
	content := read(t, c.Path)
	for line := range bytes.Lines(content) {
		lines = append(lines, bytes.Clone(line))
	}
	return lines, head
}

// Whatever is done to a record without its key is seen, where it was done.
func TestTampering(t *testing.T) {
	c, other := config(t), config(t)
	lines, head := sample(t, c, "a-")
	foreign, _ := sample(t, other, "b-")
	n := len(lines) // file, start, 20 lines of questions, stop
	full := fmt.Sprintf("%d:", n)
	last := mustHead(t, lines)
	if !strings.HasPrefix(last, full) || n != 23 {
		t.Fatalf("%d lines, head %s", n, last)
	}
	bit := func(line []byte, find string, add int) []byte {
		line = bytes.Clone(line)
		line[bytes.Index(line, []byte(find))+add] ^= 1
		return line
	}
	without := func(i, j int) [][]byte { return slices.Concat(lines[:i], lines[j:]) }
	with := func(i int, insert ...[]byte) [][]byte { return slices.Concat(lines[:i], insert, lines[i:]) }
	swapped := slices.Clone(lines)
	swapped[7], swapped[8] = swapped[8], swapped[7]
	cutBytes := slices.Clone(lines)
	cutBytes[n-1] = cutBytes[n-1][:40]

	tests := []struct {
		name  string
		lines [][]byte
		head  string
		want  string // in the report; "": intact
	}{
		{"nothing", lines, "", ""},
		{"nothing, head from the middle", lines, head, ""},
		{"nothing, last head", lines, last, ""},
		{"a byte of the SQL", slices.Concat(lines[:10], [][]byte{bit(lines[10], "SELECT", 2)}, lines[11:]), "", "audit.jsonl:11: changed"},
		{"a byte of the number", slices.Concat(lines[:10], [][]byte{bit(lines[10], `"seq":11`, 7)}, lines[11:]), "", "audit.jsonl:11: changed"},
		{"a byte of the MAC", slices.Concat(lines[:10], [][]byte{bit(lines[10], `"mac":"`, 8)}, lines[11:]), "", "audit.jsonl:11: changed"},
		{"a MAC in capitals", slices.Concat(lines[:10], [][]byte{capitals(lines[10])}, lines[11:]), "", "audit.jsonl:11: changed"},
		{"a space at the end of a line", slices.Concat(lines[:10], [][]byte{slices.Concat(bytes.TrimSuffix(lines[10], []byte("\n")), []byte(" \n"))}, lines[11:]), "", "audit.jsonl:11: changed"},
		{"a byte of the first line", slices.Concat([][]byte{bit(lines[0], "gw-1", 0)}, lines[1:]), "", "audit.jsonl:1: changed"},
		{"a byte of the last line", slices.Concat(lines[:n-1], [][]byte{bit(lines[n-1], "stop", 0)}), "", "audit.jsonl:23: changed"},
		{"two lines joined", slices.Concat(lines[:10], [][]byte{bytes.TrimSuffix(lines[10], []byte("\n"))}, lines[11:]), "", "audit.jsonl:11: changed"},
		{"two lines swapped", swapped, "", "audit.jsonl:9: moved: record 8 stands after record 9"},
		{"a line dropped", without(10, 11), "", "audit.jsonl:11: missing: 1 record(s) are missing between 10 and 12"},
		{"five lines dropped", without(10, 15), "", "missing: 5 record(s) are missing between 10 and 16"},
		{"the first line dropped", without(0, 1), "", "audit.jsonl:1: missing: the beginning of the file is gone"},
		{"a line twice", with(10, lines[9]), "", "audit.jsonl:11: moved: record 10 stands after record 10"},
		{"a line copied to the end", with(n, lines[9]), "", "audit.jsonl:24: moved: record 10 stands after record 23"},
		{"the first line copied to the middle", with(10, lines[0]), "", "record 1 begins a file, and stands in the middle"},
		{"a line of somebody else inserted", with(10, []byte("{\"seq\":11,\"kind\":\"open\"}\n")), "", "audit.jsonl:11: foreign: 1 line(s) of somebody else"},
		{"a blank line inserted", with(10, []byte("\n")), "", "audit.jsonl:11: foreign"},
		{"lines of somebody else at the end", with(n, []byte("x\n"), []byte("y\n")), "", "audit.jsonl:24: changed: 2 line(s), to line 25, do not verify, at the end"},
		{"a line replaced by half of it", slices.Concat(lines[:10], [][]byte{append(bytes.Clone(lines[10][:50]), '\n')}, lines[11:]), "", "audit.jsonl:11: changed"},
		{"a line spliced in from another record with this key", slices.Concat(lines[:10], foreign[10:11], lines[11:]), "", "audit.jsonl:11: foreign: record 11 is genuine and does not follow"},
		{"a tail spliced in from another record with this key", slices.Concat(lines[:10], foreign[10:]), "", "audit.jsonl:11: foreign"},
		{"the whole replaced by another record with this key", foreign, head, "headlost"},
		{"another record with this key added", slices.Concat(lines, foreign), "", "audit.jsonl:24: foreign: another chain begins here: verify its files by themselves\nNOT INTACT: 2"},
		{"the tail cut, nobody has a head", lines[:n-3], "", ""},
		{"the tail cut", lines[:n-3], last, "audit.jsonl: cut: the record ends with number 20, the head names 23"},
		{"the tail cut in the middle of a line, nobody has a head", cutBytes, "", ""},
		{"the tail cut in the middle of a line", cutBytes, last, "audit.jsonl: cut: the record ends with number 22"},
		{"all but the first line cut", lines[:1], head, "audit.jsonl: cut"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			write(t, path, bytes.Join(test.lines, nil))
			r, err := Verify(Check{Files: []string{path}, Key: testKey, Head: test.head})
			if err != nil {
				t.Fatal(err)
			}
			text := r.String()
			if r.OK() != (test.want == "") || !strings.Contains(text, test.want) || r.OK() != strings.Contains(text, "\nINTACT") {
				t.Errorf("want %q, have\n%s", test.want, text)
			}
			if r.Kept != (test.head != "" && test.want == "") {
				t.Errorf("Kept is %v:\n%s", r.Kept, text)
			}
		})
	}
}

// mustHead is the head that the last line makes.
func mustHead(t testing.TB, lines [][]byte) string {
	t.Helper()
	c, err := newChain(testKey)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := c.read(bytes.TrimSuffix(lines[len(lines)-1], []byte("\n")))
	if !ok {
		t.Fatal("the last line does not verify")
	}
	return head{r.seq, r.mac}.String()
}

// capitals writes the MAC of a line in capitals.
func capitals(line []byte) []byte {
	line = bytes.Clone(line)
	at := len(line) - 1 - len(lineEnd) - hexMAC
	copy(line[at:], bytes.ToUpper(line[at:at+hexMAC]))
	return line
}

// Without the key nobody can make a line that verifies: not by making the MAC with
// another key, and not by making it anew without one.
func TestForgery(t *testing.T) {
	c := config(t)
	lines, _ := sample(t, c, "")
	forger, err := newChain(otherKey)
	if err != nil {
		t.Fatal(err)
	}
	honest, err := newChain(testKey)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := honest.read(bytes.TrimSuffix(lines[9], []byte("\n")))
	if !ok {
		t.Fatal("a line does not verify")
	}
	forger.seq, forger.last = r.seq, r.mac
	var forged []byte
	for i := 10; i < len(lines); i++ {
		forged = forger.seal(forged, time.Now(), kindMark, nil)
		forger.advance()
	}
	write(t, c.Path, append(bytes.Join(lines[:10], nil), forged...))
	report, err := Verify(Check{Files: []string{c.Path}, Key: testKey})
	if err != nil || report.OK() || report.Problems[0].Line != 11 {
		t.Errorf("%v\n%s", err, report)
	}
}

// What crashes leave is told from what people do.
func TestTorn(t *testing.T) {
	half := []byte(`{"seq":13,"time":"2026-07-26T10:15`)
	tests := []struct {
		name    string
		tamper  func(path string, lines [][]byte) []byte
		problem string
		note    string
	}{
		{"half a line at the end", func(_ string, lines [][]byte) []byte {
			return slices.Concat(bytes.Join(lines, nil), half)
		}, "", "audit.jsonl:24: torn line (crash or full disk, 34 bytes), chain continues"},
		{"zeros at the end, as a power failure leaves them", func(_ string, lines [][]byte) []byte {
			return slices.Concat(bytes.Join(lines, nil), make([]byte, 3<<20))
		}, "", "torn line (crash or full disk, 3145728 bytes)"},
		{"a last line without its newline", func(_ string, lines [][]byte) []byte {
			content := bytes.Join(lines, nil)
			return content[:len(content)-1]
		}, "", ""},
		{"lines of somebody else at the end", func(_ string, lines [][]byte) []byte {
			return slices.Concat(bytes.Join(lines, nil), []byte("one\ntwo\n"))
		}, "audit.jsonl:24: foreign: 2 line(s) of somebody else, noticed by the writer", ""},
		{"a line dropped and another torn, to look like a crash", func(_ string, lines [][]byte) []byte {
			return slices.Concat(bytes.Join(lines[:20], nil), bytes.Join(lines[21:], nil), half)
		}, "missing: 1 record(s) are missing between 20 and 22", "torn line"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := config(t)
			var text logged
			lines, _ := sample(t, c, "")
			write(t, c.Path, test.tamper(c.Path, lines))
			c.Log = logTo(&text)
			l := mustOpen(t, c)
			ask(t, l, "after")
			mustClose(t, l)
			if (text.count("has a part that is no line") == 1) != (test.note+test.problem != "") {
				t.Error("nobody was told")
			}
			if strings.Contains(test.problem, "missing") && text.count("not as it was written") == 0 {
				t.Error("Open did not notice the loss")
			}
			r, err := Verify(Check{Files: []string{c.Path}, Key: testKey})
			if err != nil || r.OK() != (test.problem == "") || !strings.Contains(r.String(), test.problem) || !strings.Contains(r.String(), test.note) {
				t.Errorf("%v\n%s", err, r)
			}
		})
	}
}

// What was torn is vouched for as it is: it cannot become something else later.
func TestTornBytesAreVouchedFor(t *testing.T) {
	c := config(t)
	lines, _ := sample(t, c, "")
	const half = `{"seq":24,"time":"2026`
	write(t, c.Path, append(bytes.Join(lines, nil), half...))
	l := mustOpen(t, c)
	mustClose(t, l)
	intact(t, c.Path)
	for _, other := range []string{`{"seq":24,"time":"2025`, `{"seq":24,"time":"202`, half + "\n", half + "\n" + half, ""} {
		write(t, c.Path, bytes.Replace(read(t, c.Path), []byte(half+"\n"), []byte(other+"\n"), 1))
		r, err := Verify(Check{Files: []string{c.Path}, Key: testKey})
		if err != nil || r.OK() || r.Problems[0].Finding != Foreign || r.Problems[0].Line != 24 {
			t.Errorf("%q: %v\n%s", other, err, r)
		}
		write(t, c.Path, bytes.Replace(read(t, c.Path), []byte(other+"\n"), []byte(half+"\n"), 1))
	}
}

// A whole line that is cut in two to look torn is missed by its head only; so the
// torn line is noted, and the head that was logged finds it.
func TestTornOnPurpose(t *testing.T) {
	c := config(t)
	lines, _ := sample(t, c, "")
	last := mustHead(t, lines)
	content := bytes.Join(lines, nil)
	write(t, c.Path, content[:len(content)-50])
	l := mustOpen(t, c)
	ask(t, l, "after")
	mustClose(t, l)
	if r := intact(t, c.Path); len(r.Notes) != 1 {
		t.Errorf("report:\n%s", r)
	}
	r, err := Verify(Check{Files: []string{c.Path}, Key: testKey, Head: last})
	if err != nil || r.OK() || r.Problems[0].Finding != HeadLost {
		t.Errorf("%v\n%s", err, r)
	}
}

// Files: one stands for the whole record or what is left of it; several are taken
// as they are.
func TestVerifyFiles(t *testing.T) {
	c := config(t)
	c.MaxBytes = 4000
	l := mustOpen(t, c)
	for i := range 30 {
		ask(t, l, numbered(i))
	}
	early := ""
	mustClose(t, l)
	all := files(t, c.Path)
	n := len(all)
	if n < 5 {
		t.Fatalf("%d files", n)
	}
	early = mustHead(t, bytes.SplitAfter(bytes.TrimSpace(read(t, all[0])), []byte("\n")))
	middle := mustHead(t, bytes.SplitAfter(bytes.TrimSpace(read(t, all[2])), []byte("\n")))
	tests := []struct {
		name  string
		files []string
		head  string
		read  int
		want  string // problem; "": none
	}{
		{"the live one", []string{c.Path}, l.Head(), n, ""},
		{"the first one", all[:1], middle, n, ""},
		{"the third one", all[2:3], middle, n - 2, ""},
		{"the third one, with an early head", all[2:3], early, n - 2, "give the older files, too"},
		{"the first two", all[:2], early, 2, ""},
		{"all, by name", all, early, n, ""},
		{"one left out", slices.Concat(all[:2], all[3:]), early, n - 1, "missing: "},
		{"one left out, its head sought", slices.Concat(all[:2], all[3:]), middle, n - 1, "is not in its place"},
		{"two swapped", []string{all[0], all[2], all[1], all[3]}, "", 4, "moved: "},
		{"one twice", []string{all[0], all[1], all[1]}, "", 3, "moved: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := Verify(Check{Files: test.files, Key: testKey, Head: test.head})
			if err != nil || len(r.Files) != test.read || r.OK() != (test.want == "") || !strings.Contains(r.String(), test.want) {
				t.Errorf("%v\n%s", err, r)
			}
		})
	}
	t.Run("an old copy in the place of the live one", func(t *testing.T) {
		live := read(t, c.Path)
		if list, settled, err := listRecord(c.Path, 0); err != nil || !settled || len(list) != n || closeAll(list) != nil {
			t.Errorf("the list is not settled: %v, %v", list, err)
		}
		write(t, c.Path, read(t, all[2]))
		if list, settled, err := listRecord(c.Path, 0); err != nil || settled || closeAll(list) != nil {
			t.Errorf("the list is settled: %v, %v", list, err)
		}
		r, err := Verify(Check{Files: []string{c.Path}, Key: testKey})
		if err != nil || r.OK() || !r.has(Moved) {
			t.Errorf("%v\n%s", err, r)
		}
		write(t, c.Path, live)
	})
	t.Run("the live one removed", func(t *testing.T) {
		live := read(t, c.Path)
		if err := os.Remove(c.Path); err != nil {
			t.Fatal(err)
		}
		if r, err := Verify(Check{Files: []string{c.Path}, Key: testKey}); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%v\n%s", err, r)
		}
		r, err := Verify(Check{Files: all[:1], Key: testKey, Head: l.Head()})
		if err != nil || r.OK() || !r.has(Cut) || len(r.Files) != n-1 {
			t.Errorf("%v\n%s", err, r)
		}
		write(t, c.Path, live)
	})
	t.Run("one removed", func(t *testing.T) {
		if err := os.Remove(all[2]); err != nil {
			t.Fatal(err)
		}
		r, err := Verify(Check{Files: []string{c.Path}, Key: testKey})
		if err != nil || r.OK() || !r.has(Missing) {
			t.Errorf("%v\n%s", err, r)
		}
	})
}

// What cannot be verified at all is an error that says why.
func TestVerifyRefusals(t *testing.T) {
	c := config(t)
	mustClose(t, mustOpen(t, c))
	empty := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, empty, nil)
	tests := []struct {
		name  string
		check Check
		want  string
	}{
		{"another key", Check{Files: []string{c.Path}, Key: otherKey}, "is this the key of that file?"},
		{"no key", Check{Files: []string{c.Path}}, "0 bytes"},
		{"no file", Check{Key: testKey}, "no file to verify"},
		{"a missing file", Check{Files: []string{c.Path + "x"}, Key: testKey}, "no such file"},
		{"a missing file among others", Check{Files: []string{c.Path, c.Path + "x"}, Key: testKey}, "no such file"},
		{"a directory", Check{Files: []string{filepath.Dir(c.Path)}, Key: testKey}, "is a directory"},
		{"an empty file", Check{Files: []string{empty}, Key: testKey}, "is empty"},
		{"no head", Check{Files: []string{c.Path}, Key: testKey, Head: "12:abc"}, `"12:abc" is no head`},
		{"a head of number 0", Check{Files: []string{c.Path}, Key: testKey, Head: "0:" + strings.Repeat("0", 64)}, "is no head"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if r, err := Verify(test.check); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("have %v, want %q\n%s", err, test.want, r)
			}
		})
	}
}

// A record may be verified while it is written and rotated: nothing looks like
// tampering.
func TestVerifyWhileWriting(t *testing.T) {
	c := config(t)
	c.MaxBytes = 10_000
	l := mustOpen(t, c)
	ask(t, l, "first")
	done := make(chan error, 1)
	go func() {
		for i := range 1000 {
			e, err := l.Begin(question(numbered(i), "SELECT 1"))
			if err == nil {
				err = e.End(Outcome{})
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			mustClose(t, l)
			intact(t, c.Path)
			return
		default:
			intact(t, c.Path)
		}
	}
}

// Problems, notes and open questions are listed up to a bound, and counted beyond.
func TestReportIsBounded(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	for i := range 150 {
		if _, err := l.Begin(question(numbered(i), "SELECT 1")); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	content := bytes.ReplaceAll(read(t, c.Path), []byte("\n"), []byte("\nx\n"))
	write(t, c.Path, content)
	r, err := Verify(Check{Files: []string{c.Path}, Key: testKey})
	if err != nil || len(r.Problems) != maxListed || r.Further != 53 || len(r.Open) != maxListed || r.OpenCount != 150 {
		t.Errorf("%v: %d and %d problems, %d of %d open", err, len(r.Problems), r.Further, len(r.Open), r.OpenCount)
	}
	for _, want := range []string{"PROBLEM:  53 more", "still open: 50 more", "NOT INTACT: 153 problem(s)"} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("the report does not say %q", want)
		}
	}
}

// Whatever a file holds, Verify neither panics nor calls a changed record intact.
func FuzzVerify(f *testing.F) {
	c := config(f)
	lines, _ := sample(f, c, "")
	content := bytes.Join(lines, nil)
	f.Add([]byte{}, 0, 0)
	f.Add([]byte("x"), 100, 1)
	f.Add([]byte("\n"), len(content)/2, 0)
	f.Add(lines[3], len(lines[0]), 0)
	f.Add(bytes.Repeat([]byte{0}, 100), len(content), 0)
	f.Add([]byte(`{"seq":1,"time":"","kind":"torn","bytes":1`), 5, 500)
	f.Fuzz(func(t *testing.T, insert []byte, at, drop int) {
		at = min(max(at, 0), len(content))
		drop = min(max(drop, 0), len(content)-at)
		changed := slices.Concat(content[:at], insert, content[at+drop:])
		chain, err := newChain(testKey)
		if err != nil {
			t.Fatal(err)
		}
		checker := newChecker(chain, head{})
		if err := checker.file("audit.jsonl", bytes.NewReader(changed)); err != nil {
			t.Fatal(err)
		}
		r := checker.finish()
		if !r.OK() || r.Records == 0 || bytes.Equal(changed, content) {
			return
		}
		// Only a cut tail goes unseen without a head: whole lines or half a line.
		kept := bytes.LastIndexByte(changed, '\n') + 1
		if !bytes.HasPrefix(content, changed[:kept]) {
			t.Errorf("a changed record is called intact:\n%s", r)
		}
	})
}

// A key of the least length works, and the chain's key is another one.
func TestKeyIsDerived(t *testing.T) {
	c, err := newChain(porterhouse.NewSecret(strings.Repeat("k", minKey)))
	if err != nil {
		t.Fatal(err)
	}
	const want = "d332ec3d618974d1fa63589282babee67642b3aed10e7a5b8acc4ba237521ef0"
	if got := fmt.Sprintf("%x", c.sum([]byte("x"))); got != want {
		t.Errorf("the MAC of x is %s: records that were written earlier would not verify any more", got)
	}
}
