package statement

import "strings"

// keyword is a bare word that has a meaning to the check. ClickHouse has no
// reserved words: each may also be a name, and then the check errs on refusing.
type keyword uint8

const (
	notKeyword keyword = iota
	kAnd
	kApply
	kArray
	kAs
	kAsc
	kDesc
	kDescribe
	kDistinct
	kExcept
	kExecute
	kExists
	kExplain
	kFormat
	kFrom
	kFunction
	kGroup
	kHaving
	kInsert
	kIntersect
	kInto
	kIs
	kJoin
	kLike // and its like: ILIKE, IN, BETWEEN
	kLimit
	kNot
	kOr
	kOrder
	kOutfile
	kOverride
	kParallel
	kPrewhere
	kQualify
	kSelect
	kSettings
	kShow
	kTable
	kUnion
	kWhere
	kWindow
	kWith
)

var keywords = map[string]keyword{
	"and": kAnd, "apply": kApply, "array": kArray, "as": kAs, "asc": kAsc, "ascending": kAsc, "between": kLike,
	"desc": kDesc, "descending": kDesc, "describe": kDescribe, "distinct": kDistinct, "except": kExcept,
	"execute": kExecute, "exists": kExists, "explain": kExplain, "format": kFormat, "from": kFrom,
	"function": kFunction, "group": kGroup, "having": kHaving, "ilike": kLike, "in": kLike, "insert": kInsert,
	"intersect": kIntersect, "into": kInto, "is": kIs, "join": kJoin, "like": kLike, "limit": kLimit, "not": kNot,
	"or": kOr, "order": kOrder, "outfile": kOutfile, "override": kOverride, "parallel": kParallel,
	"prewhere": kPrewhere, "qualify": kQualify, "select": kSelect, "settings": kSettings, "show": kShow,
	"table": kTable, "union": kUnion, "where": kWhere, "window": kWindow, "with": kWith,
}

// spelling is one way to write a keyword.
type spelling struct {
	word string
	key  keyword
}

// spellings has the keywords by their first letter: faster here than a map.
var spellings = func() (table ['z' + 1][]spelling) {
	for word, key := range keywords {
		table[word[0]] = append(table[word[0]], spelling{word, key})
	}
	return table
}()

// keywordOf returns the keyword that the bare word s is, in any case.
func keywordOf(s string) keyword {
	first := s[0] | 0x20
	if first > 'z' {
		return notKeyword
	}
	for _, k := range spellings[first] {
		if len(k.word) == len(s) && strings.EqualFold(k.word, s) {
			return k.key
		}
	}
	return notKeyword
}

// lowered appends s to buffer, ASCII letters in lower case.
func lowered(buffer []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		buffer = append(buffer, c)
	}
	return buffer
}

// follows reports whether the keyword may stand directly behind an expression,
// and so tells a column called settings from a SETTINGS clause.
func (k keyword) follows() bool {
	switch k {
	case notKeyword, kApply, kDescribe, kDistinct, kExecute, kExists, kExplain, kFunction, kInsert, kOutfile,
		kOverride, kSelect, kShow, kTable:
		return false
	}
	return true
}

// endsTables reports whether the keyword ends the list of tables after FROM.
func (k keyword) endsTables() bool {
	switch k {
	case kSelect, kWhere, kPrewhere, kGroup, kHaving, kOrder, kLimit, kQualify, kWindow, kUnion, kIntersect, kExcept:
		return true
	}
	return false
}

// endsSettings reports whether the keyword ends a SETTINGS clause.
func (k keyword) endsSettings() bool {
	switch k {
	case kSelect, kWith, kFrom, kUnion, kIntersect, kExcept, kFormat, kInto, kParallel:
		return true
	}
	return false
}

// structural reports whether a bracket behind the keyword opens a group, not the
// arguments of a function of that name.
func (k keyword) structural() bool {
	switch k {
	case kAnd, kApply, kAs, kDesc, kDescribe, kDistinct, kExcept, kExists, kExplain, kFrom, kFunction, kHaving,
		kIntersect, kInto, kJoin, kLike, kLimit, kNot, kOr, kPrewhere, kQualify, kSelect, kTable, kUnion, kWhere, kWith:
		return true
	}
	return false
}
