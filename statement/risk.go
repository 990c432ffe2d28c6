package statement

import "strings"

// Risk is how much is at stake when a person chooses the value of a setting.
type Risk int

// The risks, in rising order.
const (
	Harmless Risk = iota // what a query means, or which way leads to the same answer
	Ordinary             // formats, limits and ways of ClickHouse that its own constraints bound
	Unknown              // new, of the operator's own, or of more consequence: for an account that is the person's own login
	Reserved             // what our limits, our record or our reading of the statement stand on
)

// RiskOf tells the risk of a setting. Names are case-sensitive, as to ClickHouse.
//
// What is in none of the tables is Unknown: settings of a new version, an operator's
// own (SQL_…), which row policies may read, and those of table engines. The names of
// parameters that a statement sets (param_…) are Ordinary.
func RiskOf(setting string) Risk {
	if harmlessSettings[setting] {
		return Harmless
	}
	if risk, ok := riskySettings[setting]; ok {
		return risk
	}
	for _, family := range settingFamilies {
		if strings.HasPrefix(setting, family.prefix) {
			return family.risk
		}
	}
	return Unknown
}
