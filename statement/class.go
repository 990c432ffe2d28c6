package statement

import "strings"

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

// classify says what the statement with the verb does beside reading.
func (c *checker) classify(v verb) {
	deed := deeds.find(v.name)
	switch explained := c.at(0).key == kExplain; {
	case v.kind != Write || explained: // of a write, which is not done
		return
	case !deed.known && c.at(v.at+1).key == kAs: // EXECUTE AS, which has its own reason
		return
	case !deed.known:
		c.refuse(Unsure, v.at, v.name+" begins no statement that is known: write it as one of those in ClickHouse's documentation")
		return
	}
	c.found.Silent = !deed.rows && !c.onCluster() && !(v.verbIs("system") && c.lists(v.at))
	c.found.State = deed.state && !(c.isWord(1, "default") && c.isWord(2, "role")) ||
		v.verbIs("create", "replace", "drop", "alter", "truncate") && c.temporary(v.at)
}

// onCluster reports whether all hosts of a cluster are asked: each of them answers.
func (s *sentence) onCluster() bool {
	for i := range s.words {
		if s.isWord(i, "on") && s.isWord(i+1, "cluster") {
			return true
		}
	}
	return false
}

// lists reports whether SYSTEM at word i answers with a list: SYSTEM UNFREEZE, SYSTEM
// SYNC FILESYSTEM CACHE.
func (s *sentence) lists(i int) bool {
	return s.isWord(i+1, "unfreeze") || s.isWord(i+2, "filesystem")
}

// temporary reports whether the verb at word i is of a table that ends with the
// session: CREATE [OR REPLACE] TEMPORARY TABLE …
func (s *sentence) temporary(i int) bool {
	if s.isWord(i+1, "or") {
		i += 2
	}
	return s.isWord(i+1, "temporary")
}

// isWord reports whether word i is the bare word, given in lower case.
func (s *sentence) isWord(i int, word string) bool {
	return s.at(i).kind == BareWord && sameWord(s.source(i), word)
}

// verbIs reports whether the verb's name is one of these, given in lower case.
func (v verb) verbIs(names ...string) bool {
	for _, name := range names {
		if strings.EqualFold(v.name, name) {
			return true
		}
	}
	return false
}
