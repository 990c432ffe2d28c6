package audit

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// Our strings mean to any JSON reader what encoding/json's would, and hold nothing
// that a terminal acts upon.
func FuzzQuoted(f *testing.F) {
	for _, seed := range []string{"", "plain", `"\/`, "\x00\x01\n\r\t\x1b[2J\x7f", "ä€😀", "\u202e\u200b\u2028\ufeff", "\xff\xc3(", "\ufffd", "\U000e0041\U0010ffff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := appendQuoted([]byte("x"), s)[1:]
		var got, want string
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("%q: %v: %s", s, err, quoted)
		}
		reference, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q came back as %q", s, got)
		}
		if utf8.ValidString(s) && got != s {
			t.Errorf("%q was changed to %q", s, got)
		}
		for _, r := range string(quoted) {
			if r < ' ' || r >= 0x7f && r <= 0x9f || strings.ContainsRune("\u202e\u200b\u2028\u2029\ufeff", r) {
				t.Errorf("%q holds %U", quoted, r)
			}
		}
	})
}

// Every statement is recorded: long ones with their digest, odd ones byte for byte.
func TestSQL(t *testing.T) {
	read := func(t *testing.T, statement string) entry {
		t.Helper()
		var body fields
		body.sql(statement)
		var e entry
		if err := json.Unmarshal([]byte("{"+string(body[1:])+"}"), &e); err != nil {
			t.Fatalf("%v: %.200s", err, body)
		}
		if len(body) > maxLine/2 {
			t.Errorf("%d bytes of line", len(body))
		}
		return e
	}
	t.Run("as it is", func(t *testing.T) {
		const text = "SELECT 'ä\x00\u202e'\n"
		if e := read(t, text); len(e) != 1 || e["sql"] != text {
			t.Errorf("%v", e)
		}
	})
	t.Run("empty", func(t *testing.T) {
		if e := read(t, ""); len(e) != 1 || e["sql"] != "" {
			t.Errorf("%v", e)
		}
	})
	t.Run("exactly 64 KiB", func(t *testing.T) {
		text := strings.Repeat("x", maxSQL)
		if e := read(t, text); len(e) != 1 || e["sql"] != text {
			t.Errorf("%d fields", len(e))
		}
	})
	t.Run("longer, cut between runes", func(t *testing.T) {
		text := strings.Repeat("x", maxSQL-maxTail-1) + "ä" + strings.Repeat("y", 1000) + "ä" + strings.Repeat("z", maxTail-1)
		e := read(t, text)
		if e["sql"] != text[:maxSQL-maxTail-1] || e["sql_tail"] != text[len(text)-maxTail+1:] || e["sql_base64"] != nil || e["sql_tail_base64"] != nil {
			t.Errorf("%d kept, %d at the end", len(e["sql"].(string)), len(e["sql_tail"].(string)))
		}
		if e["sql_bytes"] != float64(len(text)) || e["sql_sha256"] != digest(text) {
			t.Errorf("%v bytes, %v", e["sql_bytes"], e["sql_sha256"])
		}
	})
	t.Run("behind a long comment", func(t *testing.T) {
		const asked = "SELECT count() FROM usage.events WHERE person = 'farid'"
		e := read(t, "/*"+strings.Repeat("x", 66_000)+"*/"+asked)
		if tail, _ := e["sql_tail"].(string); !strings.HasSuffix(tail, asked) || !strings.HasPrefix(e["sql"].(string), "/*x") {
			t.Errorf("the end is gone: %.100q", tail)
		}
	})
	t.Run("escaped, no longer than any other", func(t *testing.T) {
		for _, piece := range []string{"\x01", "\u202e", "\U000e0041", "\"", "x\n", "\xff", "é\xff\x01"} {
			var body fields
			body.sql(strings.Repeat(piece, maxSQL))
			var base64 int
			if !utf8.ValidString(piece) {
				base64 = 2 * maxSQL
			}
			if len(body) > maxSQL+base64+200 || len(body) < maxSQL-100 {
				t.Errorf("%q: %d bytes", piece, len(body))
			}
		}
	})
	t.Run("a secret across the cut", func(t *testing.T) {
		text := "CREATE USER b IDENTIFIED BY '" + strings.Repeat("s", maxSQL) + "hunter2'"
		e := read(t, text)
		if e["sql"] != "CREATE USER b IDENTIFIED BY '[masked]'" || e["sql_masked"] != true || e["sql_sha256"] != nil {
			t.Errorf("%.200v", e)
		}
	})
	t.Run("the digest of a masked text tells nothing of the secret", func(t *testing.T) {
		long := strings.Repeat(" ", maxSQL)
		a, b := read(t, "CREATE USER b IDENTIFIED BY 'a'"+long), read(t, "CREATE USER b IDENTIFIED BY 'b'"+long)
		if a["sql_sha256"] == nil || a["sql_sha256"] != b["sql_sha256"] {
			t.Errorf("%v, %v", a["sql_sha256"], b["sql_sha256"])
		}
	})
	t.Run("not UTF-8", func(t *testing.T) {
		const text = "SELECT '\xff\xc3'"
		e := read(t, text)
		bytes, err := base64.StdEncoding.DecodeString(e["sql_base64"].(string))
		if err != nil || string(bytes) != text || e["sql"] != "SELECT '\ufffd\ufffd'" {
			t.Errorf("%v, %v", e, err)
		}
	})
	t.Run("the longest line", func(t *testing.T) {
		read(t, strings.Repeat("\x01", 2*maxSQL))
		read(t, strings.Repeat("\xff", 2*maxSQL))
	})
}

// However long its fields are, a line stays below the bound that readers rely on.
func TestLongestLine(t *testing.T) {
	c := config(t)
	l := mustOpen(t, c)
	long := strings.Repeat("\x01", 3*maxSQL)
	q := question("q-1", long+"\xff")
	q.Who.Issuer, q.Who.Subject, q.Who.User, q.Who.Client, q.Who.TokenID = long, long, long, long, long
	q.Via.Call, q.Via.Request, q.Via.Door, q.Via.Cluster, q.Via.Tool, q.Account, q.Database = long, long, long, long, long, long, long
	q.Params = map[string]string{}
	for i := range 200 {
		q.Params[numbered(i)+long[:2000]] = long
	}
	if _, err := l.Begin(q); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	var more fields
	more.name("more")
	err := l.put(line{kind: kindMark, body: append(more, `"`+strings.Repeat("x", maxLine)+`"`...)})
	l.mu.Unlock()
	if err == nil {
		t.Error("a line was written that cannot be read again")
	}
	mustClose(t, l)
	if size := len(read(t, c.Path)); size > maxLine {
		t.Errorf("%d bytes", size)
	}
	intact(t, c.Path)
	e := ofKind(entries(t, c.Path), "open")[0]
	if e["params_count"] != 200.0 || len(e["params"].(map[string]any)) != maxParams {
		t.Errorf("%v parameters of %v", len(e["params"].(map[string]any)), e["params_count"])
	}
}

// Long texts that begin alike stay two.
func TestShortened(t *testing.T) {
	a, b := shortened(strings.Repeat("x", 5000)+"a", maxText), shortened(strings.Repeat("x", 5000)+"b", maxText)
	if a == b || len(a) > maxText+120 || !strings.Contains(a, "… (5001 bytes, sha256 ") {
		t.Errorf("%q", a)
	}
	if s := strings.Repeat("x", maxText); shortened(s, maxText) != s {
		t.Error("a text at the bound was changed")
	}
}
