package clickhouse

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"porterhouse"
)

// cleaner takes out of a message of ClickHouse what is nobody's business: hosts,
// the gateway's account, and what would fill a page. The gateway's password is
// not looked for: ClickHouse never prints one, and blotting it out would tell
// whoever guesses in their SQL that the guess was right.
type cleaner struct {
	gateway string         // the gateway's own account; "": it has none
	host    string         // where ClickHouse is
	hosts   *regexp.Regexp // used for exceptions only, never for a good answer
	relayed *regexp.Regexp
}

func newCleaner(host, gateway string) cleaner {
	return cleaner{
		gateway: gateway,
		host:    host,
		hosts: regexp.MustCompile(strings.Join([]string{
			`\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\](:\d+)?`, // [::1]:9000
			`\b(\d{1,3}\.){3}\d{1,3}(:\d+)?\b`,         // 10.0.0.1:9000
			`\b[A-Za-z][\w.-]*:\d{2,5}\b`,              // shard-1.internal:9000
			`://[^/\s'"` + "`" + `]+`,                  // of a URL
		}, "|")),
		relayed: regexp.MustCompile(`Received from \S+ DB::Exception: `),
	}
}

// aboutGateway reports whether e is about the gateway's own account: ClickHouse
// begins a message about rights with the name of whose they are. The code must be
// one of rights, too: throwIf says whatever a person likes.
func (c *cleaner) aboutGateway(e porterhouse.Exception) bool {
	return c.gateway != "" && aboutRights[e.Code] && strings.HasPrefix(e.Message, c.gateway+": ")
}

// clean returns what a person may see of message.
func (c *cleaner) clean(message string) string {
	message, _, _ = strings.Cut(message, "Stack trace:")
	message = c.relayed.ReplaceAllString(message, "")
	message = c.hosts.ReplaceAllString(message, "[host]")
	message = replaceWord(message, c.host, "[host]")
	message = replaceWord(message, c.gateway, "[gateway]")
	return shorten(strings.ToValidUTF8(strings.TrimSpace(message), "\uFFFD"))
}

// What is shown of a long message: its beginning, which says what is wrong, and
// its end, where ClickHouse says what may have been meant.
const (
	messageHead = 700
	messageTail = 300
)

func shorten(message string) string {
	if len(message) <= messageHead+messageTail {
		return message
	}
	head, tail := messageHead, len(message)-messageTail
	for head > 0 && !utf8.RuneStart(message[head]) {
		head--
	}
	for tail < len(message) && !utf8.RuneStart(message[tail]) {
		tail++
	}
	return message[:head] + " … " + message[tail:]
}

// replaceWord replaces word where it stands alone: not as a part of a longer
// name, and not before or behind the dot of a qualified one.
// No word stands nowhere.
func replaceWord(text, word, by string) string {
	if word == "" {
		return text
	}
	var b strings.Builder
	done := 0
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			break
		}
		at += from
		from = at + len(word)
		if standsAlone(text[:at], text[from:]) {
			b.WriteString(text[done:at])
			b.WriteString(by)
			done = from
		}
	}
	b.WriteString(text[done:])
	return b.String()
}

func standsAlone(before, behind string) bool {
	if before != "" && (isWord(before[len(before)-1]) || before[len(before)-1] == '.') {
		return false
	}
	return behind == "" || !isWord(behind[0]) && !(len(behind) > 1 && behind[0] == '.' && isWord(behind[1]))
}

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
