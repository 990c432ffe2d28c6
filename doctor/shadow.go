package doctor

import (
	"slices"

	"porterhouse/clickhouse"
)

// compared is the plan for the mode with which the cluster's own is compared: what it
// needs, and finds in its way, beyond what of is.
func (c Case) compared(of Plan) *Plan {
	c.Access.Mode, c.Shadow = c.Shadow, c.Access.Mode
	plan := c.examine()
	plan.Servers, plan.Why = nil, "its answers are compared (shadow)"
	plan.Findings = slices.DeleteFunc(plan.Findings, func(f Finding) bool { return f.Name == "auto" || slices.Contains(of.Findings, f) })
	plan.SQL = slices.DeleteFunc(plan.SQL, func(s Statement) bool { return slices.ContainsFunc(of.SQL, s.same) })
	plan.Files = slices.DeleteFunc(plan.Files, func(f File) bool { return slices.Contains(of.Files, f) })
	return &plan
}

// allowed are the rights that no plan takes from the gateway: what its mode needs, and
// what the mode does that is compared.
func (e holder) allowed() []need {
	return append(e.needs(), e.needsIn([]clickhouse.Mode{e.Shadow})...)
}
