package statement

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
	keywordCount
)

// keywords are the keywords as they are written.
var keywords = newLexicon(map[string]keyword{
	"and": kAnd, "apply": kApply, "array": kArray, "as": kAs, "asc": kAsc, "ascending": kAsc, "between": kLike,
	"desc": kDesc, "descending": kDesc, "describe": kDescribe, "distinct": kDistinct, "except": kExcept,
	"execute": kExecute, "exists": kExists, "explain": kExplain, "format": kFormat, "from": kFrom,
	"function": kFunction, "group": kGroup, "having": kHaving, "ilike": kLike, "in": kLike, "insert": kInsert,
	"intersect": kIntersect, "into": kInto, "is": kIs, "join": kJoin, "like": kLike, "limit": kLimit, "not": kNot,
	"or": kOr, "order": kOrder, "outfile": kOutfile, "override": kOverride, "parallel": kParallel,
	"prewhere": kPrewhere, "qualify": kQualify, "select": kSelect, "settings": kSettings, "show": kShow,
	"table": kTable, "union": kUnion, "where": kWhere, "window": kWindow, "with": kWith,
})

// trait is something that several keywords have in common.
type trait uint8

const (
	follower     trait = 1 << iota // may stand directly behind an expression, and so tells a column called settings from SETTINGS
	structural                     // a bracket behind it opens a group, not the arguments of a function of that name
	beginsQuery                    // FROM behind it is a clause
	endsTables                     // ends the list of tables after FROM
	endsSettings                   // ends a SETTINGS clause
)

// traits are the traits of every keyword; most are followers.
var traits = [keywordCount]trait{
	kAnd:       follower | structural,
	kApply:     structural,
	kArray:     follower,
	kAs:        follower | structural,
	kAsc:       follower,
	kDesc:      follower | structural,
	kDescribe:  structural,
	kDistinct:  structural,
	kExcept:    follower | structural | beginsQuery | endsTables | endsSettings,
	kExists:    structural,
	kExplain:   structural,
	kFormat:    follower | endsSettings,
	kFrom:      follower | structural | endsSettings,
	kFunction:  structural,
	kGroup:     follower | endsTables,
	kHaving:    follower | structural | endsTables,
	kIntersect: follower | structural | beginsQuery | endsTables | endsSettings,
	kInto:      follower | structural | endsSettings,
	kIs:        follower,
	kJoin:      follower | structural,
	kLike:      follower | structural,
	kLimit:     follower | structural | endsTables,
	kNot:       follower | structural,
	kOr:        follower | structural,
	kOrder:     follower | endsTables,
	kParallel:  follower | endsSettings,
	kPrewhere:  follower | structural | endsTables,
	kQualify:   follower | structural | endsTables,
	kSelect:    structural | beginsQuery | endsTables | endsSettings,
	kSettings:  follower,
	kTable:     structural,
	kUnion:     follower | structural | beginsQuery | endsTables | endsSettings,
	kWhere:     follower | structural | endsTables,
	kWindow:    follower | endsTables,
	kWith:      follower | structural | beginsQuery | endsSettings,
}

// is reports whether the keyword has the trait.
func (k keyword) is(t trait) bool { return traits[k]&t != 0 }
