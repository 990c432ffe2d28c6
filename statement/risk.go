package statement

// Risk is how much is at stake when a person chooses the value of a setting.
type Risk int

// The risks, in rising order.
const (
	Harmless Risk = iota // what a query means, or which way leads to the same answer
	Ordinary             // formats, limits and ways of ClickHouse that its own constraints bound
	Unknown              // new, of the operator's own, or never looked at
	Reserved             // what our limits, our record or our reading of the statement stand on
)

// RiskOf tells the risk of a setting. Names are case-sensitive, as to ClickHouse.
func RiskOf(setting string) Risk { panic("not yet") }
