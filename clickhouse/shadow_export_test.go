package clickhouse

import "porterhouse"

// Compared returns what would be asked again of a question, and as whom; false: nothing.
func Compared(as porterhouse.Account, q porterhouse.Query) (porterhouse.Account, porterhouse.Query, bool) {
	c, ok := newComparison(as, q)
	return c.as, c.query, ok
}

// Varies reports whether a text names something that changes by itself.
var Varies = varies
