package statement

// place is where a table function gets its rows from.
type place uint8

const (
	unknown place = iota
	inside        // from the person's own tables, or from nothing but its arguments
	outside       // from elsewhere, or past the rules that hold for tables
)

// tableFunctions places every table function that is known, in lower case. The
// names are case-sensitive to ClickHouse, so this refuses no less. A name that
// is not here is refused where a table may stand; a name that is outside, also
// elsewhere, should a table stand where the check did not expect one.
var tableFunctions = newLexicon(map[string]place{
	// Made of their arguments alone.
	"format": inside, "generate_series": inside, "generaterandom": inside, "generateseries": inside, "null": inside,
	"numbers": inside, "numbers_mt": inside, "primes": inside, "sqlstandardvalues": inside, "values": inside,
	"zeros": inside, "zeros_mt": inside, "fuzzquery": inside,
	// A query, which is checked like the rest of the text; and tables that the
	// person may read.
	"merge": inside, "view": inside,

	// Other servers.
	"cluster": outside, "clusterallreplicas": outside, "remote": outside, "remotesecure": outside,
	"jdbc": outside, "mongodb": outside, "mysql": outside, "odbc": outside, "postgresql": outside, "redis": outside,
	"sqlite": outside, "ytsaurus": outside, "arrowflight": outside,
	"url": outside, "urlcluster": outside,
	// Object stores and lakes.
	"azureblobstorage": outside, "azureblobstoragecluster": outside, "cosn": outside, "gcs": outside, "hdfs": outside,
	"hdfscluster": outside, "oss": outside, "s3": outside, "s3cluster": outside,
	"deltalake": outside, "deltalakeazure": outside, "deltalakeazurecluster": outside, "deltalakecluster": outside,
	"deltalakelocal": outside, "deltalakes3": outside, "deltalakes3cluster": outside,
	"hudi": outside, "hudicluster": outside,
	"iceberg": outside, "icebergazure": outside, "icebergazurecluster": outside, "icebergcluster": outside,
	"iceberghdfs": outside, "iceberghdfscluster": outside, "iceberglocal": outside, "iceberglocalcluster": outside,
	"icebergs3": outside, "icebergs3cluster": outside,
	"paimon": outside, "paimonazure": outside, "paimonazurecluster": outside, "paimoncluster": outside,
	"paimonhdfs": outside, "paimonhdfscluster": outside, "paimonlocal": outside, "paimons3": outside, "paimons3cluster": outside,
	// The server's own files, programs and dictionaries, and text that is run.
	"dictionary": outside, "eval": outside, "executable": outside, "executablepool": outside, "file": outside,
	"filecluster": outside, "filesystem": outside, "hive": outside, "input": outside,
	// Inside, but past the rules: parts of a table beneath its row policies, a
	// second table function among the arguments, a named collection, no end; and
	// viewExplain, which (EXPLAIN …) becomes, but called by name can crash 26.7.
	"fuzzjson": outside, "loop": outside, "mergetreeanalyzeindexes": outside, "mergetreeanalyzeindexesuuid": outside,
	"mergetreeindex": outside, "mergetreeprojection": outside, "mergetreetextindex": outside,
	"prometheusquery": outside, "prometheusqueryrange": outside,
	"timeseriesdata": outside, "timeseriesmetrics": outside, "timeseriessamples": outside, "timeseriesselector": outside,
	"timeseriestags": outside, "viewexplain": outside, "viewifpermitted": outside,
})

// tableFunctionReason is the sentence that refuses a table function.
func tableFunctionReason(name string, p place) string {
	if p == outside {
		return "the table function " + name + " reaches beyond the tables you may read: read a table instead, or ask the operator to allow it"
	}
	return name + " is not a table function that is known to stay inside ClickHouse: read a table instead, write db." + name +
		"(…) if it is a parameterized view, or ask the operator to allow it"
}
