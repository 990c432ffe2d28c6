package statement

import "strings"

// sentence is the words of one statement, and what can be told from them alone.
type sentence struct {
	sql   string
	words []word
}

// at returns a word of the statement, the zero word beyond its ends.
func (s *sentence) at(i int) word {
	if uint(i) >= uint(len(s.words)) {
		return word{}
	}
	return s.words[i]
}

// source returns the text of word i.
func (s *sentence) source(i int) string { return s.sql[s.words[i].begin:s.words[i].end] }

// isWord reports whether word i is the bare word, given in lower case.
func (s *sentence) isWord(i int, word string) bool {
	return s.at(i).kind == BareWord && sameWord(s.source(i), word)
}

// plain returns the name that word i is, without its quotes, and false when it
// is no name or one that only ClickHouse can unescape.
func (s *sentence) plain(i int) (string, bool) {
	switch s.at(i).kind {
	case BareWord:
		return s.source(i), true
	case QuotedIdentifier:
		return unquoted(s.source(i))
	}
	return "", false
}

// unquoted takes the quotes off a name, and returns false when that is not enough.
func unquoted(name string) (string, bool) {
	quote := 1
	if name[0] > 127 {
		quote = len("“")
	}
	name = name[quote : len(name)-quote]
	return name, name != "" && !strings.ContainsAny(name, "\\\"`“”")
}

// higherOrder reports whether the function that word i names may take a function:
// all that do are called array… or map….
func (s *sentence) higherOrder(i int) bool {
	name, _ := s.plain(i) // call refuses a name that is not plain
	return hasPrefix(name, "array") || hasPrefix(name, "map")
}

// distinctFrom reports whether FROM at word i belongs to IS [NOT] DISTINCT FROM.
func (s *sentence) distinctFrom(i int) bool {
	if s.at(i-1).key != kDistinct {
		return false
	}
	before := s.at(i - 2).key
	return before == kIs || before == kNot
}

// settingsClause tells SETTINGS at word i from a column or table of that name.
func (s *sentence) settingsClause(i int) bool {
	name, behind := s.at(i+1), s.at(i+2).kind
	switch name.kind {
	case QuotedIdentifier, OpeningCurlyBrace:
		return true
	case BareWord:
		return behind == Equals || behind == Comma || !name.key.is(follower)
	}
	return false
}

// settingsPosition reports whether the keyword at word i is the name or the
// value of a setting.
func (s *sentence) settingsPosition(i int) bool {
	before := s.at(i - 1)
	return before.kind == Equals || before.kind == Comma || before.key == kSettings
}
