package statement

// deed is what a statement that does more than read does beside that.
type deed struct {
	known bool
	rows  bool // it answers with rows
	state bool // it changes the session
}

// deeds are the first words of the statements that do more than read. What is not
// here is Unsure, where writing passes: another version may run anything behind it.
var deeds = newLexicon(map[string]deed{
	"alter": {known: true}, "attach": {known: true}, "create": {known: true}, "delete": {known: true}, "detach": {known: true},
	"drop": {known: true}, "exchange": {known: true}, "grant": {known: true}, "insert": {known: true}, "move": {known: true},
	"optimize": {known: true}, "rename": {known: true}, "replace": {known: true}, "revoke": {known: true}, "system": {known: true},
	"truncate": {known: true}, "undrop": {known: true}, "update": {known: true},

	"backup": {known: true, rows: true}, "check": {known: true, rows: true}, "kill": {known: true, rows: true}, "restore": {known: true, rows: true},

	"set": {known: true, state: true}, "use": {known: true, state: true},
	"begin": {known: true, state: true}, "start": {known: true, state: true}, "commit": {known: true, state: true}, "rollback": {known: true, state: true},
})

// change is a statement that may do more than read.
type change struct{ *checker }

// classify says what the statement does beside reading.
func (c change) classify() {
	deed, verb := deeds.find(c.verb.name), c.verb.at
	switch explained := c.at(0).key == kExplain; {
	case c.verb.kind != Write || explained: // of a write, which is not done
		return
	case !deed.known && c.at(verb+1).key == kAs: // EXECUTE AS, which has its own reason
		return
	case !deed.known:
		c.refuse(Unsure, verb, c.verb.name+" begins no statement that is known: write it as one of those in ClickHouse's documentation")
		return
	}
	c.found.Silent = !deed.rows && !c.onCluster() && !c.lists()
	c.found.State = deed.state && !(c.isWord(1, "default") && c.isWord(2, "role")) || c.temporary()
}

// onCluster reports whether all hosts of a cluster are asked: each of them answers.
func (c change) onCluster() bool {
	for i := range c.words {
		if c.isWord(i, "on") && c.isWord(i+1, "cluster") {
			return true
		}
	}
	return false
}

// lists reports whether SYSTEM answers with a list: SYSTEM UNFREEZE, SYSTEM SYNC
// FILESYSTEM CACHE.
func (c change) lists() bool {
	return c.verbIs("system") && (c.isWord(c.verb.at+1, "unfreeze") || c.isWord(c.verb.at+2, "filesystem"))
}

// temporary reports whether the statement is about a table that ends with the session:
// CREATE [OR REPLACE] TEMPORARY TABLE …
func (c change) temporary() bool {
	i := c.verb.at + 1
	if c.isWord(i, "or") {
		i += 2
	}
	return c.isWord(i, "temporary") && c.verbIs("create", "replace", "drop", "alter", "truncate")
}

// verbIs reports whether the verb is one of these, given in lower case.
func (c change) verbIs(names ...string) bool {
	for _, name := range names {
		if sameWord(c.verb.name, name) {
			return true
		}
	}
	return false
}
