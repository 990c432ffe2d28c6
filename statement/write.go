package statement

import "strings"

// What a statement that writes may do beside what a read may: name engines and other
// places that data comes from or goes to. Who may use them is for ClickHouse's grants
// to say where the person logs in as themselves, and for the operator elsewhere.

// insideEngines are the engines of tables and databases that keep their data in
// ClickHouse, or have none; those of the MergeTree family are known by the end of
// their names. All others reach outside, or are not known.
var insideEngines = newLexicon(map[string]bool{
	"memory": true, "log": true, "tinylog": true, "stripelog": true, "null": true, "set": true, "join": true, "merge": true,
	"buffer": true, "generaterandom": true, "view": true, "materializedview": true,
	"atomic": true, "ordinary": true, "replicated": true, "lazy": true, "shared": true,
})

// engineInside reports whether the engine is known to stay inside.
func engineInside(name string) bool {
	const family = "mergetree"
	return insideEngines.find(name) || len(name) >= len(family) && sameWord(name[len(name)-len(family):], family)
}

// written looks for what only a statement that writes can do.
func (c change) written() {
	switch {
	case c.verbIs("backup", "restore"):
		c.reaches(c.verb.at, c.verb.name, c.verb.name+" moves data out of ClickHouse, or into it")
	case c.verbIs("insert"):
		c.fromInfile()
	case c.verbIs("create", "attach", "replace"):
		c.definition()
	case c.verbIs("alter"):
		c.fetch()
		c.addedSettings()
	}
	for i := range c.words {
		if c.isWord(i, "disk") && c.at(i+1).kind == OpeningRoundBracket {
			c.reaches(i, "disk", "disk(…) puts data where it says")
		}
	}
}

// reaches notes something that reaches outside.
func (c change) reaches(i int, name, what string) {
	c.found.note(Source, c.at(i), name, what+": leave it out, or ask the operator to allow it")
}

// definition looks at where a table, a dictionary or a database that is made has its
// data.
func (c change) definition() {
	depth := 0
	for i, w := range c.words {
		switch w.kind {
		case OpeningRoundBracket:
			depth++
		case ClosingRoundBracket:
			depth--
		case BareWord:
			switch {
			case depth > 0:
			case c.isWord(i, "engine"):
				c.engine(i)
			case c.isWord(i, "source") && c.at(i+1).kind == OpeningRoundBracket && !c.isWord(i+2, "null"):
				c.reaches(i, "source", "the source of a dictionary may be elsewhere, or be read as somebody else")
			case w.key == kAs && c.at(i+1).isName() && c.at(i+2).kind == OpeningRoundBracket && !c.at(i+1).key.is(structural):
				c.tableFunction(i + 1)
			}
		}
	}
}

// engine looks at the engine that ENGINE at word i names.
func (c change) engine(i int) {
	next := i + 1
	if c.at(next).kind == Equals {
		next++
	} else if c.at(next).key.is(follower) || !c.at(next).isName() { // a column of that name
		return
	}
	name, ok := c.plain(next)
	switch {
	case !ok && c.at(next).kind == StringLiteral: // a comparison
	case !ok:
		c.refuse(Unsure, i, "the name of the engine is expected here, plainly written")
	case !engineInside(name):
		c.reaches(next, name, "the engine "+short(name)+" is not known to keep its data inside ClickHouse")
	}
}

// tableFunction looks at the table function at word i of CREATE TABLE … AS f(…).
func (c change) tableFunction(i int) {
	name, ok := c.plain(i)
	if !ok {
		c.refuse(Unsure, i, escaped)
		return
	}
	if place := tableFunctions.find(name); place != inside {
		c.found.note(TableFunction, c.words[i], strings.ToLower(name), tableFunctionReason(short(name), place))
	}
	tableArguments(c).structure(i)
}

// fromInfile looks for FROM INFILE, which reads a file of the server where it is not
// refused.
func (c change) fromInfile() {
	for i := range c.words {
		if c.words[i].key == kFrom && c.isWord(i+1, "infile") {
			c.refuse(FromInfile, i, "FROM INFILE reads a file on ClickHouse's side: send the data with the statement")
		}
	}
}

// addedSettings looks at the settings that ALTER USER, ROLE or PROFILE … ADD SETTING
// gives to whoever it is about, one by one: SETTINGS is found wherever it stands.
func (c change) addedSettings() {
	if c.isWord(c.verb.at+1, "table") || c.isWord(c.verb.at+1, "temporary") {
		return // a setting of that table alone
	}
	added := false
	for i := range c.words {
		switch {
		case c.isWord(i, "setting"):
			added = c.isWord(i-1, "add") || c.isWord(i-1, "modify")
			if added {
				c.setting(i + 1)
			}
		case added && c.words[i].kind == Comma && c.at(i+1).isName():
			c.setting(i + 1)
		}
	}
}

// fetch looks for FETCH PARTITION, which takes data from where it says.
func (c change) fetch() {
	for i := range c.words {
		if c.isWord(i, "fetch") && (c.isWord(i+1, "partition") || c.isWord(i+1, "part")) {
			c.reaches(i, "fetch", "FETCH PARTITION takes data from another table's replicas, wherever they are")
		}
	}
}
