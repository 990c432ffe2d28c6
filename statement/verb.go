package statement

import "strings"

// verb is the word that decides what a statement does.
type verb struct {
	name string // in upper case
	read bool   // it only reads
	// Why it is refused, otherwise.
	kind   Kind
	at     int // index of the word
	reason string
}

// reads are the first words of statements that only read, whatever follows,
// apart from those that verb looks into: SELECT, FROM, WITH and EXPLAIN.
//
// CHECK is not among them: CHECK TABLE may queue the repair of a replica.
var reads = map[keyword]string{kShow: "SHOW", kDescribe: "DESCRIBE", kDesc: "DESCRIBE", kExists: "EXISTS"}

// findVerb finds the verb of the statement that begins with word first. What is not
// known to be a read is refused.
func (s *sentence) findVerb(first int) verb {
	i := first
	for s.at(i).kind == OpeningRoundBracket { // only a SELECT may stand in brackets
		i++
	}
	key := s.at(i).key
	switch key {
	case kSelect, kFrom:
		return verb{name: "SELECT", read: true}
	case kWith:
		return s.verbAfterWith(i)
	}
	if i == 0 {
		if name, ok := reads[key]; ok {
			return verb{name: name, read: true}
		}
		if key == kExplain {
			return s.explained(i)
		}
	}
	return s.write(i)
}

// write is the verb at word i, which is not known to be a read.
func (s *sentence) write(i int) verb {
	if s.at(i).kind != BareWord {
		return verb{kind: Unsure, at: min(i, len(s.words)-1), reason: "a statement begins with a word such as SELECT, and here is none"}
	}
	name := strings.Clone(strings.ToUpper(s.source(i))) // a copy, as in note
	if len(name) > 32 {                                 // no verb, and too long for a sentence
		name = name[:32] + "…"
	}
	return verb{name: name, kind: Write, at: i, reason: name + " is not known to only read: only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN of a SELECT are"}
}

// verbAfterWith finds what follows the list that WITH at word i begins: SELECT,
// FROM or INSERT INTO, in the same brackets as WITH.
func (s *sentence) verbAfterWith(i int) verb {
	depth := 0
	for j := i + 1; j < len(s.words) && depth >= 0; j++ {
		switch w := s.words[j]; w.kind {
		case OpeningRoundBracket, OpeningSquareBracket, OpeningCurlyBrace:
			depth++
		case ClosingRoundBracket, ClosingSquareBracket, ClosingCurlyBrace:
			depth--
		case BareWord:
			if depth > 0 || s.at(j-1).key == kAs { // inside an expression, or its alias
				continue
			}
			switch {
			case w.key == kInsert:
				return s.write(j)
			case w.key == kSelect, w.key == kFrom && !s.distinctFrom(j):
				return verb{name: "SELECT", read: true}
			}
		}
	}
	return verb{name: "WITH", kind: Unsure, at: i, reason: "WITH is not followed by a SELECT that can be told from a name: quote names that are also keywords"}
}

// explainKinds are the words that may stand between EXPLAIN and what it explains.
var explainKinds = newLexicon(map[string]bool{
	"ast": true, "syntax": true, "query": true, "plan": true, "pipeline": true, "estimate": true, "analyze": true,
})

const showsTypes = "EXPLAIN may not show the query tree, which tells the columns of tables that may not be described: use EXPLAIN or EXPLAIN SYNTAX, without options for the tree"

// queryTree reports whether word i asks EXPLAIN for the tree of the query, or for
// the text of it: TREE, run_query_tree_passes = 1.
func (s *sentence) queryTree(i int) bool {
	name, _ := s.plain(i)
	return strings.Contains(strings.ToLower(name), "tree")
}

// explained finds the verb of what EXPLAIN at word i explains. Only a SELECT
// passes: EXPLAIN TABLE OVERRIDE, for one, connects to another server.
func (s *sentence) explained(i int) verb {
	explain := i
	i++
	for s.at(i).kind == BareWord && explainKinds.find(s.source(i)) && s.at(i+1).kind != Equals {
		i++
	}
	if s.queryTree(i) {
		return verb{name: "EXPLAIN", kind: Unsure, at: i, reason: showsTypes}
	}
	for s.at(i+1).kind == Equals { // EXPLAIN indexes = 1, json = 1 SELECT …
		if _, ok := s.plain(i); !ok || s.queryTree(i) {
			return verb{name: "EXPLAIN", kind: Unsure, at: i, reason: showsTypes}
		}
		i += 3
		if s.at(i).kind == Comma {
			i++
		}
	}
	if s.at(i).kind == 0 {
		return verb{name: "EXPLAIN", kind: Unsure, at: explain, reason: "EXPLAIN is not followed by a SELECT"}
	}
	explained := s.findVerb(i)
	switch {
	case explained.read:
		explained.name = "EXPLAIN"
	case explained.kind == Write:
		explained.reason = "EXPLAIN is known to only read when it explains a SELECT, not " + explained.name
	}
	return explained
}
