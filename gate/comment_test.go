package gate

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"porterhouse"
)

func commentOf(q porterhouse.Query) string { return comment("01a1", &alice, &q) }

// The comment is JSON of at most 1 KiB, whatever people and clients are called,
// and always has the record's id.
func TestComment(t *testing.T) {
	const id = "01a1ffd9-66a9-77d1-800d-47ec3d98bf15"
	long := strings.Repeat("\x00\"<", 500)
	for i, who := range []porterhouse.Principal{alice, {}, {Subject: long, User: long, Client: long}, {User: long}, {Client: strings.Repeat("c", 900), User: strings.Repeat("u", 300)}} {
		q := question("SELECT 1")
		q.Via.Call, q.Via.Tool = long[:i*100], long[:i*50]
		q.Passage = &porterhouse.Passage{Comment: long[:i*300]}
		text := comment(id, &who, &q)
		var c struct{ Rid string }
		if err := json.Unmarshal([]byte(text), &c); err != nil || c.Rid != id || len(text) > maxComment {
			t.Errorf("%d: %d bytes, %v: %.200s", i, len(text), err, text)
		}
	}
	if got := commentOf(question("SELECT 1")); !strings.Contains(got, `"sub":"alice"`) || !strings.Contains(got, `"client":"a test"`) || strings.Contains(got, `"comment"`) {
		t.Errorf("an ordinary comment is %s", got)
	}
}

// What the client would have written into log_comment is kept inside ours, whole or its
// beginning, and cannot be taken for anything else there.
func TestClientsOwnComment(t *testing.T) {
	for name, own := range map[string]string{
		"a word":          "dashboard 7",
		"JSON":            `{"rid":"another","sub":"bob"}`,
		"quotes":          `","rid":"another`,
		"long":            strings.Repeat("x", 5000),
		"long and odd":    strings.Repeat("ä\u2028\x7f<", 1000),
		"not UTF-8":       "\xff\xfe",
		"long, not UTF-8": strings.Repeat("\xff", 5000),
	} {
		q := question("SELECT 1")
		q.Passage = &porterhouse.Passage{Comment: own}
		text := commentOf(q)
		var c struct{ Rid, Sub, Comment string }
		if err := json.Unmarshal([]byte(text), &c); err != nil || c.Rid != "01a1" || c.Sub != "alice" || len(text) > maxComment {
			t.Errorf("%s: %v: %s", name, err, text)
		}
		want := strings.ToValidUTF8(own, "\ufffd")
		if strings.Contains(name, "UTF-8") {
			want = strings.Repeat("\ufffd", len(own))
		}
		if !strings.HasPrefix(want, c.Comment) || c.Comment == "" || len(own) < 100 && c.Comment != want || !utf8.ValidString(c.Comment) {
			t.Errorf("%s became %q", name, c.Comment)
		}
		if len(own) > 4000 && len(c.Comment) < 80 {
			t.Errorf("%s: only %d bytes of it are kept", name, len(c.Comment))
		}
	}
}
