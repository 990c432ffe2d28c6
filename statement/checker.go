package statement

import "strings"

// checker goes once through the words of a text, statement by statement.
type checker struct {
	sql    string
	report Report
	words  []word  // of the statement at hand
	frames []frame // the brackets that are open, the statement itself first
}

// maxDepth is how deep brackets may nest; ClickHouse's own parser goes no deeper
// unless it is told to.
const maxDepth = 1000

// maxHazards is how many hazards are told of one text. Beyond them nothing is.
const maxHazards = 100

// frame is what is known between two brackets.
type frame struct {
	opened   int  // the bracket's index in words; -1 for the statement itself
	higher   bool // the arguments of a function that may take a function, or (f) inside them
	query    bool // a query stands here, so FROM is its clause and not EXTRACT's
	tables   bool // a table may follow a comma
	settings bool // a setting's name follows a comma
}

// text checks every statement of a text.
func (c *checker) text(words []word) {
	empty := -1 // the first ';' that has nothing before it
	for len(words) > 0 {
		end := 0
		for end < len(words) && words[end].kind != Semicolon {
			end++
		}
		switch {
		case end > 0 && empty >= 0:
			c.hazard(Empty, empty, "", "nothing stands before this ';': leave it out")
			fallthrough
		case end > 0:
			c.statement(words[:end])
			empty = -1
		case empty < 0 && c.report.Statements == 0:
			empty = int(words[0].begin)
		}
		words = words[min(end+1, len(words)):]
	}
	if c.report.Statements == 0 {
		c.report.Read = false
		c.hazard(Empty, 0, "", "there is no statement, only space and comments: write one")
	}
}

// statement checks one statement, which has at least one word.
func (c *checker) statement(words []word) {
	c.words = words
	c.report.Statements++
	if c.report.Statements == 2 {
		c.hazard(Multiple, int(words[0].begin), "", "a second statement begins here: send one statement at a time")
	}
	v := c.verb(0)
	if c.report.Read { // of several statements the first that is not a read decides
		c.report.Verb = v.name
	}
	c.scan()
	if !v.read {
		c.refuse(v.kind, v.at, v.reason)
	}
}

// at returns a word of the statement, the zero word beyond its ends.
func (c *checker) at(i int) word {
	if i < 0 || i >= len(c.words) {
		return word{}
	}
	return c.words[i]
}

// source returns the text of word i.
func (c *checker) source(i int) string { return c.sql[c.words[i].begin:c.words[i].end] }

// hazard notes what begins at the byte (from 0) of the text. A hazard that is
// not told may not be lost: instead of the last one stands that there are more.
func (c *checker) hazard(kind Kind, begin int, name, reason string) {
	switch n := len(c.report.Hazards); {
	case n == maxHazards:
		return
	case n == maxHazards-1:
		c.report.Read = false
		kind, name, reason = Unsure, "", "there are too many things to refuse in this text: shorten it"
	}
	c.report.Hazards = append(c.report.Hazards, Hazard{Kind: kind, At: begin + 1, Name: name, Reason: reason})
}

// refuse notes a hazard at word i that makes the statement no read.
func (c *checker) refuse(kind Kind, i int, reason string) {
	c.report.Read = false
	c.hazard(kind, int(c.at(i).begin), "", reason)
}

// plain returns the name that word i is, without its quotes, and false when it
// is no name or one that only ClickHouse can unescape.
func (c *checker) plain(i int) (string, bool) {
	if i < 0 || i >= len(c.words) {
		return "", false
	}
	text := c.source(i)
	switch c.words[i].kind {
	case BareWord:
		return text, true
	case QuotedIdentifier:
		quote := 1
		if text[0] > 127 {
			quote = len("“")
		}
		text = text[quote : len(text)-quote]
		return text, text != "" && !strings.ContainsAny(text, "\\\"`“”")
	}
	return "", false
}
