package audit

import "strings"

// hidden is what stands in the record where a secret stood.
const hidden = "[masked]"

// mask returns the statement with its secrets replaced, and whether there were any.
// It cannot know every way of writing a password down, so it masks too much rather
// than too little: every string
//
//   - of an IDENTIFIED clause, see identified.go;
//   - after a word that speaks of a secret (password, secret_access_key …), to the
//     comma or the clause that ends the expression; after a string that does, such as
//     comma or the clause that ends the expression; after a string that does, such as
//     the name of a header: the next one, unless a column's name comes first;
//   - among the later arguments of functions and engines that take credentials by
//     position (mysql, s3, remote …);
//
// and within strings and comments: what follows `password=`, `Bearer ` or the name
// of such a function, and the user and password of a URL. The words are in secrets.go.
// Nothing masks all that follows: one word would hide a whole question.
func mask(statement string) (text string, found bool) {
	m := masker{text: statement, armed: nowhere}
	for m.at < len(m.text) {
		m.token()
	}
	return m.result()
}

// maskParam returns the value of a query parameter, masked as a string is.
func maskParam(name, value string) string {
	if speaksOfSecret(name) {
		return hidden
	}
	m := masker{text: value}
	m.inside(0, len(value), false)
	text, _ := m.result()
	return text
}

func (m *masker) result() (text string, found bool) {
	if m.out == nil {
		return m.text, false
	}
	return string(append(m.out, m.text[m.copied:]...)), true
}

// masker reads the tokens of one statement.
type masker struct {
	text   string
	at     int    // where the next token begins
	out    []byte // text[:copied], masked; nil: nothing was masked so far
	copied int

	word   string // the last token, if it was a word
	depth  int    // of brackets
	clause clause // of IDENTIFIED
	coming bool   // the next string is one
	armed  int    // all strings at this depth and deeper are; nowhere: none
	calls  []call // of functions that take credentials, innermost last
	within int    // how many of calls are at an argument that is a secret

	tags map[string]int // where each heredoc tag stands last; nil: not looked yet
}

const nowhere = 1 << 30

// call is a function of which later arguments are secrets.
type call struct {
	depth    int // of its arguments
	plain    int // arguments that are none
	argument int // the one that is being read, from 0
}

// token reads one token.
func (m *masker) token() {
	rest := m.text[m.at:]
	switch c := rest[0]; {
	case c == ' ' || '\t' <= c && c <= '\r':
		m.at++
	case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
		m.comment(lineComment(rest))
	case strings.HasPrefix(rest, "/*"):
		m.comment(blockComment(rest))
	case c == '\'' || c == '"' || c == '`':
		m.quoted(inQuotes(rest))
	case strings.HasPrefix(rest, "‘"):
		m.quoted(between(rest, "‘", "’"))
	case strings.HasPrefix(rest, "“"):
		m.quoted(between(rest, "“", "”"))
	case c == '$' && m.heredoc(rest):
	case isWord(c):
		m.bareWord()
	default:
		m.sign(c)
		m.at++
	}
}

// heredoc reads a string between two equal tags, such as $$ or $sql$, if one stands
// here.
func (m *masker) heredoc(rest string) bool {
	tag := heredocTag(rest)
	if tag == "" {
		return false
	}
	if m.tags == nil { // once: looking for the end of each of very many tags would take long
		m.tags = lastTags(m.text)
	}
	if m.tags[tag] < m.at+len(tag) {
		return false
	}
	m.quoted(between(rest, tag, tag))
	return true
}

// bareWord reads a word.
func (m *masker) bareWord() {
	from := m.at
	for m.at < len(m.text) && (isWord(m.text[m.at]) || m.text[m.at] == '$') {
		m.at++
	}
	word := m.text[from:m.at]
	if m.clause.word(word, m.word) {
		m.replace(from, m.at, hidden) // a password without quotes
	}
	// A name goes on with the next string only if it is a value, or a function's.
	m.coming = m.coming && (sameWord(word, "value") || firstOf(m.text[m.at:]) == '(')
	if m.armed != nowhere && m.depth <= m.armed && endsExpression(word) {
		m.armed = nowhere
	}
	m.take(word)
}

// take draws the consequences of a word, quoted or not.
func (m *masker) take(word string) {
	alias := sameWord(m.word, "as") && m.nameEnds()
	m.word = word
	if !alias && speaksOfSecret(word) {
		m.armed = min(m.armed, m.depth)
	}
}

// firstOf is the first character of rest that is no space; 0: none.
func firstOf(rest string) byte {
	if rest = strings.TrimLeft(rest, " \t\r\n\v\f"); rest != "" {
		return rest[0]
	}
	return 0
}

// nameEnds reports whether what comes next cannot give the name before it a value,
// as in `1 AS token)`; in a named collection, `AS token = 'x'` does.
func (m *masker) nameEnds() bool {
	c := firstOf(m.text[m.at:])
	return c == 0 || c == ',' || c == ')' || isWord(c)
}

// sign takes a character that is a token of its own.
func (m *masker) sign(c byte) {
	m.clause.sign(c)
	switch c {
	case '(', '[', '{':
		m.depth++
		m.enter()
	case ')', ']', '}':
		m.leave()
		m.depth--
		if m.armed != nowhere {
			m.armed = min(m.armed, m.depth) // (password) = 'x'
		}
	case ',':
		if m.depth <= m.armed {
			m.armed = nowhere
		}
		m.nextArgument()
	case ';':
		m.armed = nowhere
	}
	if c < 0x80 { // else a part of a character, maybe of a space
		m.word = ""
	}
}

// enter begins the arguments of a function, if it takes credentials.
func (m *masker) enter() {
	if plain, ok := credentials(m.word); ok {
		m.calls = append(m.calls, call{depth: m.depth, plain: plain, argument: -1})
		m.nextArgument()
	}
}

// nextArgument goes on to the next argument of the innermost function.
func (m *masker) nextArgument() {
	if n := len(m.calls); n > 0 && m.calls[n-1].depth == m.depth {
		c := &m.calls[n-1]
		if c.argument++; c.argument == c.plain {
			m.within++
		}
	}
}

// leave ends the arguments of functions at this depth.
func (m *masker) leave() {
	for n := len(m.calls); n > 0 && m.calls[n-1].depth >= m.depth; n-- {
		if c := m.calls[n-1]; c.argument >= c.plain {
			m.within--
		}
		m.calls = m.calls[:n-1]
	}
}

// quoted reads a token in quotes: a string, or a name.
func (m *masker) quoted(q span) {
	from, to := m.at, m.at+q.size
	innerFrom, innerTo := from+q.left, to-q.right
	inner := m.text[innerFrom:innerTo]
	m.at = to
	before := m.word
	m.word = ""
	switch first := m.text[from]; {
	case first != '`' && m.isSecret():
		m.coming = false
		m.clause.text()
		m.replace(from, to, "'"+hidden+"'")
		return
	case first == '`' || first == '"' || strings.HasPrefix(m.text[from:], "“"):
		m.word = before // AS
		m.take(inner)
	default:
		m.coming = isName(inner) && speaksOfSecret(inner)
	}
	m.clause.text()
	m.inside(innerFrom, innerTo, false)
}

// isSecret reports whether a string that stands here is one.
func (m *masker) isSecret() bool {
	return m.clause.secret() || m.coming || m.armed != nowhere || m.within > 0
}

// comment reads a comment. It is no token: what was said before it still holds.
func (m *masker) comment(q span) {
	from := m.at
	m.at += q.size
	m.inside(from+q.left, m.at-q.right, true)
}

// inside masks the secrets within a string or a comment.
func (m *masker) inside(from, to int, comment bool) {
	end := from + leak(m.text[from:to], comment)
	for at := from; ; {
		start, stop, found := userInfo(m.text[:end], at)
		if !found {
			break
		}
		m.replace(start, stop, hidden)
		at = stop
	}
	if end < to {
		m.replace(end, to, hidden)
	}
}

// replace puts something else in the place of text[from:to].
func (m *masker) replace(from, to int, by string) {
	m.out = append(m.out, m.text[m.copied:from]...)
	m.out = append(m.out, by...)
	m.copied = to
}
