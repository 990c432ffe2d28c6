package e2e

import "maps"

// decided says where the door differs from ClickHouse on purpose, by the beginnings of
// the names of exchanges, and why: in every mode, and in the mode static beside it.
var decided = map[string]known{
	verify: everywhere,
	static: everywhere.and(known{
		"setting that is none":            bounded,
		"setting of the operator's own":   bounded,
		"failure: unknown setting":        bounded,
		"SET of nothing":                  bounded,
		"KILL of nothing":                 "everybody is one account, whose statements anybody could stop",
		"INSERT of values with functions": "nobody has read the SQL in data",
	}),
}

var everywhere = known{
	"coding xz of the request":           "the door decodes no xz",
	"coding snappy of the request":       "the door decodes no snappy",
	"coding identity of the request":     "ClickHouse does not know the word, which says that nothing is encoded",
	"coding: blocks of the request, cut": decodedHere,
	"HEAD":                               "it is asked as a POST, which has a summary",
	"GET of nothing":                     answeredHere,
	"/ping":                              answeredHere,
	"/replicas_status":                   answeredHere,
	"path ":                              answeredHere,
	"param twice":                        "which of the two holds is anybody's guess",
	"POST with max_query_size":           "what ClickHouse reads of a statement must be what the door has read",
	"content_disposition":                "headers are the door's to say",
	"failure in the format":              "by where ClickHouse puts an exception the door knows that there is one",
	"failure: memory, in the text":       "how much a statement may use is not the client's to say, unless the operator lets it (allow.settings)",
	"failure: depth":                     "the door reads the statement first, and gives up earlier",
	"failure by a parameter that is odd": "a URL must be one",
}.and(decoded("gzip", "deflate", "br", "zstd", "lz4"))

const (
	decodedHere  = "the door decodes requests, and says in its own words what is wrong with them"
	answeredHere = "the door answers it itself"
	bounded      = "everybody is one account, which settings that nobody knows could widen"
)

// decoded are the exchanges whose request is none of its coding.
func decoded(codings ...string) known {
	k := known{}
	for _, coding := range codings {
		k["coding "+coding+" of the request, cut"] = decodedHere
		k["coding "+coding+" of the request, nothing"] = decodedHere
	}
	return k
}

// and is k with more.
func (k known) and(more known) known {
	both := maps.Clone(k)
	maps.Copy(both, more)
	return both
}
