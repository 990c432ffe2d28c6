package statement

import "strings"

// call checks the function that word i names, before the bracket of its arguments.
func (c *checker) call(i int) {
	if c.at(i-1).kind == Dot || c.declares(i) { // no function has a dot in its name: this is a parameterized view, or an error
		return
	}
	name, ok := c.plain(i)
	if !ok {
		c.refuse(Unsure, i, escaped)
		return
	}
	place, table := tableFunctions.find(name), c.tablePosition(i)
	if table || !sameWord(name, "format") { // which elsewhere is another function
		tableArguments{c}.structure(i)
	}
	switch {
	case table && name == "input" && c.verb.kind == Write && c.verb.name == "INSERT": // reads the data that is sent along
		c.found.Input = true
	case table && place == inside:
	case !table && (place != outside || outward(name) != ""):
		c.function(i)
	default:
		c.found.note(TableFunction, c.words[i], strings.ToLower(name), tableFunctionReason(short(name), place))
	}
}

// declares reports whether word i, before a bracket, is the name of a table that is
// made or written to, and not a function.
func (c *checker) declares(i int) bool {
	if c.verb.read || c.depth > 1 {
		return false
	}
	switch before := c.at(i - 1).key; {
	case before == kInto:
		return c.at(i-2).key == kInsert
	case before == kTable:
		return c.at(i-2).key == kInto || c.isWord(i-2, "create") || c.isWord(i-2, "temporary") || c.isWord(i-2, "replace") || c.isWord(i-2, "attach")
	}
	return c.at(i-1).key == kExists && c.at(i-2).key == kNot && c.isWord(i-3, "if")
}

const escaped = "the name of this function has an escape in it: write it plainly"

// function checks the scalar function that word i names.
func (c *checker) function(i int) {
	name, ok := c.plain(i)
	if !ok {
		c.refuse(Unsure, i, escaped)
		return
	}
	if reach := outward(name); reach != "" {
		c.found.note(Function, c.words[i], strings.ToLower(name),
			"the function "+short(name)+" "+reach+": leave it out, or ask the operator to allow it")
	}
}

// value checks a lone name at word i, if it may be a function. With a bracket
// behind it, it is a call; with a dot before it, a column.
func (c *checker) value(i int) {
	if c.at(i).isName() && c.at(i-1).kind != Dot && c.at(i+1).kind != OpeningRoundBracket && c.takesFunction(i) {
		c.function(i)
	}
}

// parameter checks a query parameter such as {f:Identifier}, whose brace is word
// i. Its value is not in the text, so it may not stand where it could be the name
// of a function: arrayMap({f:Identifier}, …), arrayMap(ALL {f:Identifier}, …).
func (c *checker) parameter(i int) {
	before := c.at(i - 1)
	if before.kind != OpeningRoundBracket && !before.isName() || c.at(i+2).kind != Colon || !c.takesFunction(i) {
		return
	}
	if c.at(i+3).kind != BareWord || sameWord(c.source(i+3), "identifier") {
		c.refuse(Unsure, i, "a parameter may not name a function: write the name of the function")
	}
}

// short makes a name fit for a sentence: not too long, and valid UTF-8.
func short(name string) string {
	if len(name) > 128 {
		name = name[:128] + "…"
	}
	return strings.ToValidUTF8(name, "�")
}
