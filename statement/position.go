package statement

// position is the words of a statement and the brackets that are open at the word
// at hand: what that word stands for may depend on both.
type position struct {
	sentence
	brackets
}

// namePosition reports whether the keyword at word i can only be a name there:
// an alias after AS, or a table after FROM, JOIN or the comma between tables.
func (p *position) namePosition(i int) bool {
	before := p.at(i - 1)
	switch before.key {
	case kAs, kFrom, kJoin:
		return true
	}
	return before.kind == Comma && p.top().tables
}

// tablesFollow reports whether FROM or JOIN at word i is followed by a table.
// ARRAY JOIN is not, nor EXTRACT(DAY FROM …), nor IS DISTINCT FROM.
func (p *position) tablesFollow(i int) bool {
	if p.words[i].key == kJoin {
		return p.at(i-1).key != kArray || p.namePosition(i-1)
	}
	f := p.top()
	return (f.query || i == f.opened+1) && !p.distinctFrom(i)
}

// tablePosition reports whether a table, and so a table function, may begin at
// word i.
func (p *position) tablePosition(i int) bool {
	before := p.at(i - 1)
	switch before.key {
	case kFrom, kJoin:
		return p.tablesFollow(i - 1)
	case kTable, kFunction, kOverride, kDescribe, kDesc:
		return true
	}
	f := p.top()
	return f.tables && (before.kind == Comma || f.opened >= 0 && i == f.opened+1)
}

// takesFunction reports whether ClickHouse may take a lone name at word i for a
// function: * APPLY f, * APPLY(f), arrayMap(f, …), mapApply(ALL (f), …). Only the
// first argument can be one, but much may stand before it, so all of them are.
func (p *position) takesFunction(i int) bool {
	if p.at(i-1).key == kApply || p.at(i-2).key == kApply {
		return true
	}
	if p.at(i+1).kind == Arrow { // the parameter of a lambda
		return false
	}
	return p.top().higher
}

// formatClause tells FORMAT at word i from a column of that name: a clause has
// one name behind it and stands at the end of the statement.
func (p *position) formatClause(i int) bool {
	name, behind := p.at(i+1), p.at(i+2)
	if p.depth > 1 || !name.isName() {
		return false
	}
	if name.key == kAsc || name.key == kDesc { // ORDER BY format DESC; no format has these names
		return false
	}
	switch behind.key {
	case kSettings, kInto, kFormat, kParallel:
		return true
	}
	return behind.kind == noWord
}

// explainsInside tells EXPLAIN at word i, in (EXPLAIN …), from the column of that
// name which it answers with.
func (p *position) explainsInside(i int) bool {
	opened, next := p.top().opened, p.at(i+1)
	return opened >= 0 && i == opened+1 && !p.at(opened-1).callable() && next.kind == BareWord && !next.key.is(follower)
}
