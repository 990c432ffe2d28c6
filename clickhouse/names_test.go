package clickhouse_test

import (
	"fmt"
	"strings"
	"testing"

	"porterhouse"
)

// hostileNames are names that try to end the literal they are put into, to go on
// as SQL, to look like another name, or to be read differently than written.
func hostileNames() []string {
	pieces := []string{
		"'", "''", `\`, `\\`, `\'`, `'\`, `\\'`, "`", "``", `"`, `""`, "“", "”", "‘", "’", "@", "@corp", "@'corp'", "@`corp`",
		"--", "-- ", "#", "# ", "#!", "/*", "*/", "/* */", ";", "; SELECT 1", "' SELECT 1 --", "' OR '1'='1", "$$", "$a$", "$a$ x $a$",
		"{p:String}", "{", "}", "%s", "%27", "%00", "&query=", "?query=SELECT", "+", " ", "  ", "\\n", "\\t", "\\0", "\\x41", "\\u0041",
		"' EXECUTE AS default ", "EXECUTE AS", " PARALLEL WITH ", "default", "DEFAULT", "NULL", "é", "ü", "ß", "İ", "漢字", "🙂", "👩‍👧",
		"ａ", "ﬁ", "Ⅳ", "\u0301", "e\u0301", "\u200b", "\u202e", "\ufeff", "\u00a0", "\u3000", "\n", "\t", "\x00", "\x1a", "\xff", "\xc3",
		"()", ")", "(", "[", "]", ",", ".", ":", "::", "=", "!", "|", "||", "^", "~", "<", ">", "*", "\"alice\"", "'alice'", "`alice`",
	}
	names := []string{}
	for i, piece := range pieces {
		names = append(names, piece, "a"+piece, piece+"a", "a"+piece+"b"+pieces[(i*7+3)%len(pieces)]+"c")
	}
	return names
}

// Every name that is not refused is currentUser(), to the byte.
func testNames(t *testing.T, h *house) {
	if err := h.Exec(t.Context(), "GRANT IMPERSONATE ON * TO "+gateway); err != nil {
		t.Fatal(err)
	}
	identifier := strings.NewReplacer(`\`, `\\`, "`", "\\`")
	made, refused := map[string]bool{}, 0
	for _, name := range hostileNames() {
		user, err := porterhouse.ParseUserName(name)
		if err != nil {
			refused++
			continue
		}
		q := question("SELECT hex(currentUser()), hex(authenticatedUser())")
		if !made[name] && name != h.User {
			made[name] = true
			if err := h.Exec(t.Context(), "CREATE USER `"+identifier.Replace(name)+"`"); err != nil {
				t.Fatal(err)
			}
		}
		r, err := read(t.Context(), h.Client, porterhouse.Account{User: user}, q)
		if kind, _ := porterhouse.Explain(err); err != nil && kind == porterhouse.Refused {
			refused++ // not NFC
			continue
		}
		if want := fmt.Sprintf("%X\t%X\n", name, gateway); err != nil || r.Text != want {
			t.Errorf("as %q: %q, %v; want %q", name, r.Text, err, want)
		}
	}
	t.Logf("%d names, %d refused", len(made), refused)
	if len(made) < 200 {
		t.Errorf("only %d names were tried", len(made))
	}
}

// The person's SQL cannot go on with the name. Each of these would name, or do,
// something else behind another quoting or without the space.
func testSeparators(t *testing.T, h *house) {
	for _, name := range []string{"alice@corp", "alicex", "alice'x'", "alice`x`"} {
		if err := h.Exec(t.Context(), "CREATE USER IF NOT EXISTS `"+strings.ReplaceAll(name, "`", "\\`")+"`"); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		"'x' SELECT currentUser()", "'x'SELECT currentUser()", "''SELECT currentUser()",
		"@corp SELECT currentUser()", "@'corp' SELECT currentUser()", "@`corp` SELECT currentUser()", "/**/@corp SELECT currentUser()",
		"`x` SELECT currentUser()", "\"x\" SELECT currentUser()", "‘x’ SELECT currentUser()", "$$x$$ SELECT currentUser()",
		", bob SELECT currentUser()", "; SELECT currentUser()", "EXECUTE AS bob SELECT currentUser()",
	} {
		r, err := read(t.Context(), h.Client, account(t, "alice"), question(sql))
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Failed && kind != porterhouse.Denied {
			t.Errorf("%s: %q, %v; want a refusal of ClickHouse", sql, r.Text, err)
		}
	}
	for _, sql := range []string{"SELECT currentUser()", "/* ' */SELECT currentUser()", "\n\n-- '\nSELECT currentUser();", "\u00a0SELECT currentUser()"} {
		if r := h.read(t, question(sql)); r.Text != "alice\n" {
			t.Errorf("%s: %q", sql, r.Text)
		}
	}
}

// What must never be sent is refused before anything is sent.
func testRefusals(t *testing.T, h *house) {
	queries := h.Stats().Queries
	normal := account(t, "alice")
	for what, test := range map[string]struct {
		as     porterhouse.Account
		change func(*porterhouse.Query)
		kind   porterhouse.Kind
	}{
		"nobody":             {porterhouse.Account{}, func(*porterhouse.Query) {}, porterhouse.Internal},
		"the gateway itself": {account(t, gateway), func(*porterhouse.Query) {}, porterhouse.Refused},
		"a name not in NFC":  {account(t, "e\u0301ve"), func(*porterhouse.Query) {}, porterhouse.Refused},
		"no SQL":             {normal, func(q *porterhouse.Query) { q.SQL = " \n\t" }, porterhouse.Invalid},
		"no id":              {normal, func(q *porterhouse.Query) { q.ID = "" }, porterhouse.Internal},
		"no time":            {normal, func(q *porterhouse.Query) { q.Limits.Time = 0 }, porterhouse.Internal},
		"a long parameter": {normal, func(q *porterhouse.Query) {
			q.Params = map[string]string{"p": strings.Repeat("x", 128<<10+1)}
		}, porterhouse.Invalid},
		"long parameters": {normal, func(q *porterhouse.Query) {
			q.Params = map[string]string{}
			for i := range 5 {
				q.Params[fmt.Sprint("p", i)] = strings.Repeat("é", 20<<10)
			}
		}, porterhouse.Invalid},
	} {
		q := question("SELECT 1")
		test.change(&q)
		_, err := h.Query(t.Context(), test.as, q)
		if kind, _ := porterhouse.Explain(err); err == nil || kind != test.kind {
			t.Errorf("%s: %v, want %s", what, err, test.kind)
		}
	}
	if sent := h.Stats().Queries - queries; sent != 0 {
		t.Errorf("%d statements were sent all the same", sent)
	}
	q := question("SELECT length({p:String}), length({q:String})")
	q.Params = map[string]string{"p": strings.Repeat("x", 128<<10), "q": strings.Repeat("é", 20<<10)}
	if r := h.read(t, q); r.Text != "131072\t40960\n" {
		t.Errorf("the longest parameters arrive as %q", r.Text)
	}
	for _, format := range []string{"JSON", "Null", "TSV"} {
		_, err := h.Query(t.Context(), normal, question("SELECT 1 FORMAT "+format))
		if kind, public := porterhouse.Explain(err); kind != porterhouse.Refused || !strings.Contains(public, "FORMAT "+format) {
			t.Errorf("FORMAT %s: %v", format, err)
		}
	}
}
