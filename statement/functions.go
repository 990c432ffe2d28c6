package statement

// What an outward function does, as its refusal says it.
const (
	readsFiles      = "reads files of the server"
	asksModel       = "sends data to an AI service"
	readsDictionary = "reads a dictionary, which may fetch its data from elsewhere"
	readsRequest    = "reads the headers of the request, where credentials travel"
	connects        = "may connect to another server"
	counts          = "changes a counter that all share"
	writesLog       = "writes into the server's log"
	runsOn          = "runs on when it is stopped, beyond every limit of time"
)

// outwardFunctions are the functions that reach beyond the data of the query, or
// beyond its limits, in lower case; dictGet… and ai… are known by the beginning of their names.
//
// Functions are refused by name, not by absence from a list: ClickHouse has 1,800
// of them, aggregate functions take suffixes without end, and an operator's own
// (CREATE FUNCTION) have any name. What is new in a version is found by a test,
// which fails for a name that nobody has placed.
var outwardFunctions = newLexicon(map[string]string{
	"file":                             readsFiles,
	"catboostevaluate":                 readsFiles,
	"dicthas":                          readsDictionary,
	"dictisin":                         readsDictionary,
	"naivebayesclassifier":             readsDictionary,
	"naivebayesclassifierwithprob":     readsDictionary,
	"naivebayesclassifierwithallprobs": readsDictionary,
	"getclienthttpheader":              readsRequest,
	"hascolumnintable":                 connects, // with a host as its first argument, in older versions
	"reversednsquery":                  connects,
	"generateserialid":                 counts,
	"logtrace":                         writesLog,
	"arraylevenshteindistance":         runsOn, // in time that grows with the square of the arrays
	"arraylevenshteindistanceweighted": runsOn,
	"arraysimilarity":                  runsOn,
})

// outward returns what the scalar function does beyond the query; "" if nothing.
func outward(name string) string {
	switch {
	case hasPrefix(name, "dictget"):
		return readsDictionary
	case hasPrefix(name, "ai") && len(name) > 2 && name[2] >= 'A' && name[2] <= 'Z':
		return asksModel
	}
	return outwardFunctions.find(name)
}
