package gate

import (
	"encoding/json"
	"unicode/utf8"

	"porterhouse"
)

// The longest log_comment that we send, in bytes: ClickHouse keeps it with every line
// of its query log. Of that what a client has to say itself, as JSON.
const (
	maxComment = 1 << 10
	maxOwn     = 1 << 9
)

// comment is the log_comment that joins ClickHouse's query log to the audit record:
// JSON with the record's id and who asked, through what, and what the client itself
// would have written there.
func comment(record string, who *porterhouse.Principal, q *porterhouse.Query) string {
	c := struct {
		Record  string `json:"rid"`
		Subject string `json:"sub,omitempty"`
		User    string `json:"user,omitempty"`
		Client  string `json:"client,omitempty"`
		Door    string `json:"door,omitempty"`
		Tool    string `json:"tool,omitempty"`
		Call    string `json:"call,omitempty"`
		Comment string `json:"comment,omitempty"`
	}{record, who.Subject, who.User, who.Client, q.Via.Door, q.Via.Tool, q.Via.Call, ""}
	if q.Passage != nil {
		c.Comment = shortened(q.Passage.Comment)
	}
	// Long names give way, the record's id never does.
	for _, give := range []*string{nil, &c.Comment, &c.Client, &c.Subject, &c.User, &c.Tool, &c.Call} {
		if give != nil {
			*give = ""
		}
		if text, err := json.Marshal(c); err == nil && len(text) <= maxComment {
			return string(text)
		}
	}
	return `{"rid":"` + record + `"}`
}

// shortened is the beginning of a text that has at most maxOwn bytes as JSON, in whole
// characters.
func shortened(text string) string {
	at := 0
	for left := maxOwn; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if left -= jsonSize(r, size); left < 0 {
			break
		}
		at += size
	}
	return text[:at]
}

// jsonSize is how long a character can be in a JSON string.
func jsonSize(r rune, size int) int {
	switch {
	case r < ' ' || r == utf8.RuneError || r == '<' || r == '>' || r == '&' || r == 0x7f || r == '\u2028' || r == '\u2029':
		return len(`\u0000`)
	case r == '"' || r == '\\':
		return len(`\"`)
	}
	return size
}
