package statement

// ReviewedYear and ReviewedMonth are the release of ClickHouse whose functions,
// table functions and settings were placed by name. A newer one may have
// functions that reach outside and that nobody has looked at.
const (
	ReviewedYear  = 26
	ReviewedMonth = 7
)
