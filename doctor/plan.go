package doctor

import (
	"cmp"
	"slices"
	"strings"

	"porterhouse/clickhouse"
)

// Plan is what is to be done at one cluster, and why.
type Plan struct {
	Cluster  string          `json:"cluster"`
	URL      string          `json:"url"`
	Version  string          `json:"version,omitempty"`
	Mode     clickhouse.Mode `json:"mode,omitempty"`    // "": none works
	Why      string          `json:"why"`               // that mode
	Servers  []ServerState   `json:"servers,omitempty"` // of several, the one first of which the plan is
	Findings []Finding       `json:"findings"`          // the worst first
	SQL      []Statement     `json:"sql,omitempty"`     // in the order in which they are to be run
	Files    []File          `json:"files,omitempty"`

	// Shadow is the plan for the mode with which Mode is compared: what it has beyond this
	// plan, and is run after it. Nil: nothing is compared.
	Shadow *Plan `json:"shadow,omitempty"`
}

// Statements are the SQL of the plan and of its Shadow, in the order in which they are to
// be run.
func (p Plan) Statements() []Statement {
	if p.Shadow == nil {
		return p.SQL
	}
	return slices.Concat(p.SQL, p.Shadow.SQL)
}

// Severity says how much a finding matters.
type Severity string

// The severities.
const (
	Wrong   Severity = "wrong"   // people are kept out, or somebody gets further than meant
	Careful Severity = "careful" // it works, and could be better
	Fine    Severity = "fine"
)

var severities = []Severity{Wrong, Careful, Fine}

// Finding is one thing, in words.
type Finding struct {
	Severity Severity `json:"severity"`
	Name     string   `json:"name"`             // for programs, such as gateway-login
	Text     string   `json:"text"`             // what is so
	Remedy   string   `json:"remedy,omitempty"` // what to do about it
	Said     string   `json:"said,omitempty"`   // ClickHouse's own words, or those of the network
}

// File belongs into the configuration of each server.
type File struct {
	Path string `json:"path"` // below /etc/clickhouse-server
	Text string `json:"text"`
	Why  string `json:"why"`
}

// Worst is the severity of the worst finding, of the Shadow as well.
func (p Plan) Worst() Severity {
	findings := p.Findings
	if p.Shadow != nil {
		findings = slices.Concat(findings, p.Shadow.Findings)
	}
	for _, s := range severities {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == s }) {
			return s
		}
	}
	return Fine
}

// sort brings the worst findings to the front, and keeps the order otherwise.
func (p *Plan) sort() {
	slices.SortStableFunc(p.Findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity))
	})
}

// quotedList is names as SQL has them, one after the other.
func quotedList(names []string, quote func(string) string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
