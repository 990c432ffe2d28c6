package statement

// checker goes once through the words of one statement.
type checker struct {
	position
	verb  verb // of the statement
	found *findings
}

// checkText checks every statement of a text.
func checkText(sql string, words []word, found *findings) {
	var empty word // the first ';' that has nothing before it
	for len(words) > 0 {
		end := 0
		for end < len(words) && words[end].kind != Semicolon {
			end++
		}
		switch {
		case end > 0 && empty.kind != noWord:
			found.note(Empty, empty, "", "nothing stands before this ';': leave it out")
			fallthrough
		case end > 0:
			checkStatement(sql, words[:end], found)
			empty = word{}
		case empty.kind == noWord && found.Statements == 0:
			empty = words[0]
		}
		words = words[min(end+1, len(words)):]
	}
	if found.Statements == 0 {
		found.refuse(Empty, word{}, "there is no statement, only space and comments: write one")
	}
}

// checkStatement checks one statement, which has at least one word.
func checkStatement(sql string, words []word, found *findings) {
	found.Statements++
	if found.Statements == 2 {
		found.note(Multiple, words[0], "", "a second statement begins here: send one statement at a time")
	}
	var frames [16]frame // more are rarely needed
	c := checker{position: position{sentence{sql, words}, brackets{frames: frames[:]}}, found: found}
	v := c.findVerb(0)
	c.verb = v
	if found.Read { // of several statements the first that is not a read decides
		found.Verb = v.name
	}
	c.scan()
	if !v.read {
		c.refuse(v.kind, v.at, v.reason)
		change := change{&c}
		change.classify()
		change.written()
	}
}

// refuse notes a hazard at word i that makes the statement no read.
func (c *checker) refuse(kind Kind, i int, reason string) { c.found.refuse(kind, c.at(i), reason) }

// scan looks for hazards in every word of the statement, at every depth.
func (c *checker) scan() {
	c.push(frame{opened: -1, query: true, settings: c.sets()})
	if c.top().settings {
		c.setting(1)
	}
	for i := range c.words {
		w := &c.words[i]
		if w.kind == BareWord { // most are
			if w.key != notKeyword {
				c.keyword(i)
			}
			if c.top().higher {
				c.value(i)
			}
			continue
		}
		switch w.kind {
		case QuotedIdentifier:
			if c.top().higher {
				c.value(i)
			}
		case OpeningRoundBracket, OpeningSquareBracket, OpeningCurlyBrace:
			if !c.enter(i) {
				return
			}
		case ClosingRoundBracket, ClosingSquareBracket, ClosingCurlyBrace:
			if !c.leave(i) {
				return
			}
		case Comma:
			if c.top().settings {
				c.setting(i + 1)
			}
		case VerticalDelimiter:
			c.found.Format = `\G`
			c.found.note(FormatClause, *w, "", `\G is of the command line client: leave it out`)
		}
	}
	if c.depth > 1 {
		c.refuse(Unsure, c.top().opened, "this bracket is not closed: close it")
	}
}

// enter goes into the bracket at word i, unless that is too deep.
func (c *checker) enter(i int) bool {
	kind, inner := c.words[i].kind, frame{opened: i}
	call := kind == OpeningRoundBracket && c.at(i-1).callable()
	if call {
		c.call(i - 1)
	}
	if c.depth > maxDepth {
		c.refuse(Unsure, i, "brackets nest too deep here: write it flatter")
		return false
	}
	switch {
	case call:
		inner.higher = c.higherOrder(i-1) || c.top().higher && sameWord(c.source(i-1), "all") // f(ALL (g), …)
	case kind == OpeningRoundBracket:
		inner.higher = c.top().higher || c.at(i-1).kind == ClosingRoundBracket && c.closed().higher // f()(g, …)
		inner.tables = c.tablePosition(i)
	case kind == OpeningCurlyBrace:
		c.parameter(i)
	}
	c.push(inner)
	if kind == OpeningRoundBracket && c.at(i-1).key == kApply {
		c.value(i + 1)
	}
	return true
}

// leave goes out of the innermost bracket, if the one at word i closes it. Behind a
// bracket that does not, nothing is certain.
func (c *checker) leave(i int) bool {
	opened := c.top().opened
	// Every closing type follows directly on its opening one.
	if opened < 0 || c.words[i].kind != c.words[opened].kind+1 {
		c.refuse(Unsure, i, "this bracket closes none that is open: leave it out, or open it")
		return false
	}
	c.pop()
	return true
}
