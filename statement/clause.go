package statement

import "strings"

// keywordPairs are the clauses that a keyword begins with a second one behind it.
var keywordPairs = [keywordCount]struct {
	second keyword
	kind   Kind
	reason string
}{
	kExecute:  {kAs, ExecuteAs, "EXECUTE AS may not stand in a statement, which already runs as yourself: leave it out, or quote a column called execute"},
	kParallel: {kWith, ParallelWith, "PARALLEL WITH joins another statement to this one: send one at a time, or quote a column called parallel"},
	kInto:     {kOutfile, IntoOutfile, "INTO OUTFILE writes a file: leave it out and take the answer from here"},
	kInsert:   {kInto, Write, "INSERT INTO writes: only statements that read are known to be safe here"},
}

// keyword notes what the keyword at word i begins or ends.
func (c *checker) keyword(i int) {
	key, next, f := c.words[i].key, c.at(i+1).key, c.top()
	if pair := &keywordPairs[key]; next != notKeyword && next == pair.second {
		c.refuse(pair.kind, i, pair.reason)
	}
	if key.is(beginsQuery) {
		f.query = true
	}
	if key.is(endsSettings) && !c.settingsPosition(i) {
		f.settings = false
	}
	if key.is(endsTables) && !c.namePosition(i) {
		f.tables = false
	}
	switch key {
	case kArray:
		if next == kJoin && !c.namePosition(i) {
			f.tables = false
		}
	case kFrom, kJoin:
		if c.tablesFollow(i) {
			f.tables = true
		}
	case kApply:
		c.value(i + 1)
	case kFormat:
		if c.formatClause(i) {
			c.found.Format = strings.Clone(c.source(i + 1))
			c.found.note(FormatClause, c.words[i], "", "leave out FORMAT: the format of the answer is chosen outside the SQL, with the tool's format argument")
		}
	case kExplain:
		if c.explainsInside(i) {
			c.explain(i)
		}
	case kSettings:
		if c.settingsClause(i) && !c.namesProfile(i) {
			f.settings = true
			c.setting(i + 1)
		}
	}
}

// explain checks what EXPLAIN at word i explains.
func (c *checker) explain(i int) {
	if v := c.explained(i); !v.read {
		c.refuse(v.kind, v.at, v.reason)
	}
}
