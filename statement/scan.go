package statement

import "strings"

// scan looks for hazards in every word of the statement, at every depth.
func (c *checker) scan() {
	c.frames = append(c.frames[:0], frame{opened: -1, query: true})
	for i, w := range c.words {
		switch w.kind {
		case OpeningRoundBracket, OpeningSquareBracket, OpeningCurlyBrace:
			if !c.open(i) {
				return
			}
		case ClosingRoundBracket, ClosingSquareBracket, ClosingCurlyBrace:
			if !c.close(i) {
				return
			}
		case Comma:
			if c.top().settings {
				c.setting(i + 1)
			}
		case VerticalDelimiter:
			c.hazard(FormatClause, int(w.begin), "", `\G is of the command line client: leave it out`)
		case QuotedIdentifier:
			c.name(i)
		case BareWord:
			if w.key != notKeyword {
				c.keyword(i)
			}
			c.name(i)
		}
	}
	if len(c.frames) > 1 {
		c.refuse(Unsure, c.top().opened, "this bracket is not closed: close it")
	}
}

// top is the innermost frame.
func (c *checker) top() *frame { return &c.frames[len(c.frames)-1] }

// open enters the bracket at word i, unless that is too deep.
func (c *checker) open(i int) bool {
	if len(c.frames) > maxDepth {
		c.refuse(Unsure, i, "brackets nest too deep here: write it flatter")
		return false
	}
	outer, inner := c.top(), frame{opened: i}
	switch {
	case c.words[i].kind == OpeningCurlyBrace:
		c.parameter(i)
	case c.words[i].kind == OpeningSquareBracket:
	case c.callable(i - 1):
		inner.higher = c.higherOrder(i - 1)
	default:
		inner.higher = outer.higher
		inner.tables = c.tablePosition(i)
	}
	c.frames = append(c.frames, inner)
	return true
}

// close leaves the innermost bracket, if the one at word i closes it. Behind a
// bracket that does not, nothing is certain.
func (c *checker) close(i int) bool {
	opened := c.top().opened
	// Every closing type follows directly on its opening one.
	if opened < 0 || c.words[i].kind != c.words[opened].kind+1 {
		c.refuse(Unsure, i, "this bracket closes none that is open: leave it out, or open it")
		return false
	}
	c.frames = c.frames[:len(c.frames)-1]
	return true
}

// keywordPairs are the clauses that two keywords begin.
var keywordPairs = [...]struct {
	first, second keyword
	kind          Kind
	reason        string
}{
	{kExecute, kAs, ExecuteAs, "EXECUTE AS may not stand in a statement, which already runs as yourself: leave it out, or quote a column called execute"},
	{kParallel, kWith, ParallelWith, "PARALLEL WITH joins another statement to this one: send one at a time, or quote a column called parallel"},
	{kInto, kOutfile, IntoOutfile, "INTO OUTFILE writes a file: leave it out and take the answer from here"},
	{kInsert, kInto, Write, "INSERT INTO writes: only statements that read are known to be safe here"},
}

// keyword notes what the keyword at word i begins or ends.
func (c *checker) keyword(i int) {
	key, next, f := c.words[i].key, c.at(i+1), c.top()
	for _, pair := range keywordPairs {
		if key == pair.first && next.key == pair.second {
			c.refuse(pair.kind, i, pair.reason)
		}
	}
	f.query = f.query || key == kSelect || key == kWith || key == kUnion || key == kIntersect || key == kExcept
	if key.endsSettings() && !c.settingsPosition(i) {
		f.settings = false
	}
	switch {
	case key.endsTables() && !c.namePosition(i), key == kArray && next.key == kJoin && !c.namePosition(i):
		f.tables = false
	case key == kFrom && c.tablesFollow(i), key == kJoin && c.tablesFollow(i):
		f.tables = true
	case key == kFormat && c.formatClause(i):
		c.hazard(FormatClause, int(c.words[i].begin), "", "leave out FORMAT: the format of the answer is chosen outside the SQL, with the tool's format argument")
	case key == kExplain && c.explainsInside(i):
		if v := c.explained(i); !v.read {
			c.refuse(v.kind, v.at, v.reason)
		}
	case key == kSettings && c.settingsClause(i):
		f.settings = true
		c.setting(i + 1)
	}
}

// namePosition reports whether the keyword at word i can only be a name there:
// an alias after AS, or a table after FROM, JOIN or the comma between tables.
func (c *checker) namePosition(i int) bool {
	before := c.at(i - 1)
	switch before.key {
	case kAs, kFrom, kJoin:
		return true
	}
	return before.kind == Comma && c.top().tables
}

// tablesFollow reports whether FROM or JOIN at word i is followed by a table.
// ARRAY JOIN is not, nor EXTRACT(DAY FROM …), nor IS DISTINCT FROM.
func (c *checker) tablesFollow(i int) bool {
	if c.words[i].key == kJoin {
		return c.at(i-1).key != kArray || c.namePosition(i-1)
	}
	f := c.top()
	return (f.query || i == f.opened+1) && !c.distinctFrom(i)
}

// distinctFrom reports whether FROM at word i belongs to IS [NOT] DISTINCT FROM.
func (c *checker) distinctFrom(i int) bool {
	if c.at(i-1).key != kDistinct {
		return false
	}
	before := c.at(i - 2).key
	return before == kIs || before == kNot
}

// tablePosition reports whether a table, and so a table function, may begin at
// word i.
func (c *checker) tablePosition(i int) bool {
	before := c.at(i - 1)
	switch before.key {
	case kFrom, kJoin:
		return c.tablesFollow(i - 1)
	case kTable, kFunction, kOverride, kDescribe, kDesc:
		return true
	}
	f := c.top()
	return f.tables && (before.kind == Comma || f.opened >= 0 && i == f.opened+1)
}

// explainsInside tells EXPLAIN at word i, in (EXPLAIN …), from the column of that
// name which it answers with.
func (c *checker) explainsInside(i int) bool {
	opened, next := c.top().opened, c.at(i+1)
	return opened >= 0 && i == opened+1 && !c.callable(opened-1) && next.kind == BareWord && !next.key.follows()
}

// formatClause tells FORMAT at word i from a column of that name: a clause has
// one name behind it and stands at the end of the statement.
func (c *checker) formatClause(i int) bool {
	name, behind := c.at(i+1), c.at(i+2)
	if len(c.frames) > 1 || name.kind != BareWord && name.kind != QuotedIdentifier {
		return false
	}
	if name.key == kAsc || name.key == kDesc { // ORDER BY format DESC; no format has these names
		return false
	}
	return behind.kind == 0 || behind.key == kSettings || behind.key == kInto || behind.key == kFormat || behind.key == kParallel
}

// settingsClause tells SETTINGS at word i from a column or table of that name.
func (c *checker) settingsClause(i int) bool {
	name, behind := c.at(i+1), c.at(i+2).kind
	switch name.kind {
	case QuotedIdentifier, OpeningCurlyBrace:
		return true
	case BareWord:
		return behind == Equals || behind == Comma || !name.key.follows()
	}
	return false
}

// settingsPosition reports whether the keyword at word i is the name or the
// value of a setting.
func (c *checker) settingsPosition(i int) bool {
	before := c.at(i - 1)
	return before.kind == Equals || before.kind == Comma || before.key == kSettings
}

// setting checks the name of a setting at word i.
func (c *checker) setting(i int) {
	name, ok := c.plain(i)
	if !ok {
		c.refuse(Unsure, min(i, len(c.words)-1), "the name of a setting is expected here, plainly written")
		return
	}
	if harmlessSettings[name] && c.at(i+1).kind != Dot {
		return
	}
	c.hazard(Setting, int(c.words[i].begin), strings.ToLower(name),
		"the setting "+short(name)+" may not be set in a statement: leave it out of SETTINGS, or ask the operator to allow it")
}

// short makes a name fit for a sentence: not too long, and valid UTF-8.
func short(name string) string {
	if len(name) > 128 {
		name = name[:128] + "…"
	}
	return strings.ToValidUTF8(name, "�")
}
