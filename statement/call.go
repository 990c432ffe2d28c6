package statement

import "strings"

// callable reports whether a bracket behind word i opens the arguments of a
// function that the word names.
func (c *checker) callable(i int) bool {
	w := c.at(i)
	return w.kind == QuotedIdentifier || w.kind == BareWord && !w.key.structural()
}

// name checks what the name at word i stands for.
func (c *checker) name(i int) {
	switch before := c.at(i - 1); {
	case c.at(i+1).kind == OpeningRoundBracket:
		if c.callable(i) {
			c.call(i)
		}
	case before.key == kApply, before.kind == OpeningRoundBracket && c.takesFunction(i):
		c.function(i)
	}
}

// takesFunction reports whether ClickHouse takes a lone name at word i, behind a
// bracket, for a function: * APPLY(f), arrayMap(f, …), mapApply((f), …).
func (c *checker) takesFunction(i int) bool {
	if c.at(i-2).key == kApply {
		return true
	}
	if c.at(i+1).kind == Arrow { // the parameter of a lambda
		return false
	}
	return c.top().higher
}

// higherOrder reports whether the function that word i names may take a function:
// all that do are called array… or map….
func (c *checker) higherOrder(i int) bool {
	name, _ := c.plain(i) // call refuses a name that is not plain
	return hasPrefixFold(name, "array") || hasPrefixFold(name, "map")
}

// call checks the function that word i names, before the bracket of its arguments.
func (c *checker) call(i int) {
	first := i
	for c.at(first-1).kind == Dot && first >= 2 {
		first -= 2
	}
	if first < i { // no function has a dot in its name: this is a parameterized view, or an error
		return
	}
	name, ok := c.plain(i)
	if !ok {
		c.refuse(Unsure, i, "the name of this function has an escape in it: write it plainly")
		return
	}
	var buffer [longestName]byte
	place := tableFunctions[string(lowered(buffer[:0], name))]
	table := c.tablePosition(i)
	if table && place == inside {
		return
	}
	if !table && (place != outside || outward(name) != "") {
		c.function(i)
		return
	}
	c.hazard(TableFunction, int(c.words[i].begin), strings.ToLower(name), tableFunctionReason(short(name), place))
}

// function checks the scalar function that word i names.
func (c *checker) function(i int) {
	name, ok := c.plain(i)
	if !ok {
		c.refuse(Unsure, i, "the name of this function has an escape in it: write it plainly")
		return
	}
	if reach := outward(name); reach != "" {
		c.hazard(Function, int(c.words[i].begin), strings.ToLower(name),
			"the function "+short(name)+" "+reach+": leave it out, or ask the operator to allow it")
	}
}

// parameter checks a query parameter such as {f:Identifier}, whose brace is word
// i. Its value is not in the text, so it may not stand where it could be the name
// of a function: arrayMap({f:Identifier}, …).
func (c *checker) parameter(i int) {
	if c.at(i-1).kind != OpeningRoundBracket || c.at(i+2).kind != Colon || !c.takesFunction(i) {
		return
	}
	if c.at(i+3).kind != BareWord || strings.EqualFold(c.source(i+3), "Identifier") {
		c.refuse(Unsure, i, "a parameter may not name a function: write the name of the function")
	}
}

// hasPrefixFold is strings.HasPrefix without regard to ASCII case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
