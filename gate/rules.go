package gate

import (
	"strings"

	"porterhouse"
	"porterhouse/statement"
)

// Allow names what the operator lets pass although the statement check would
// refuse it. Names are compared without regard to case.
type Allow struct {
	Settings       []string
	Functions      []string
	TableFunctions []string
}

// maxSQL is the longest statement that is passed on, in bytes: ClickHouse's own
// default of max_query_size, beyond which it would not read the text anyway.
const maxSQL = 256 << 10

// What travels beside the statement, in the URL, is bounded too.
const (
	maxParams   = 100
	maxParam    = 16 << 10 // bytes, of all of them together
	maxDatabase = 256      // bytes
)

// rules is an Allow, ready to be asked.
type rules struct {
	allowed map[statement.Kind]map[string]bool
}

func newRules(a Allow) rules {
	set := func(names []string) map[string]bool {
		s := make(map[string]bool, len(names))
		for _, name := range names {
			s[strings.ToLower(name)] = true
		}
		return s
	}
	return rules{map[statement.Kind]map[string]bool{
		statement.Setting:       set(a.Settings),
		statement.Function:      set(a.Functions),
		statement.TableFunction: set(a.TableFunctions),
	}}
}

// check refuses a question that may not pass. The first hazard in the text is
// the one that is told.
func (r rules) check(q porterhouse.Query) error {
	if err := checkSizes(q); err != nil {
		return err
	}
	report := statement.Check(q.SQL)
	for _, h := range report.Hazards {
		if !r.allowed[h.Kind][strings.ToLower(h.Name)] {
			return &porterhouse.Error{Kind: kindOf(h.Kind), Public: h.Reason, At: h.At}
		}
	}
	if !report.Read {
		// Every statement that is not a read has a hazard that says so; this is the
		// second lock on the same door.
		return porterhouse.Errorf(porterhouse.Refused, "only statements that read are allowed here, and this one (%s) is not known to only read", report.Verb)
	}
	return nil
}

// kindOf tells a text that cannot be understood from one that is not allowed.
func kindOf(k statement.Kind) porterhouse.Kind {
	switch k {
	case statement.Unsure, statement.Empty, statement.FormatClause:
		return porterhouse.Invalid
	}
	return porterhouse.Refused
}

func checkSizes(q porterhouse.Query) error {
	if len(q.SQL) > maxSQL {
		return porterhouse.Errorf(porterhouse.Invalid, "the statement has %d bytes, more than the %d that ClickHouse reads", len(q.SQL), maxSQL)
	}
	if len(q.Database) > maxDatabase {
		return porterhouse.Errorf(porterhouse.Invalid, "the name of the database has %d bytes, more than the %d allowed", len(q.Database), maxDatabase)
	}
	if len(q.Params) > maxParams {
		return porterhouse.Errorf(porterhouse.Invalid, "the question has %d parameters, more than the %d allowed", len(q.Params), maxParams)
	}
	total := 0
	for name, value := range q.Params {
		if !isParamName(name) {
			return porterhouse.Errorf(porterhouse.Invalid, "%.40q is not the name of a parameter: use letters, digits and _", name)
		}
		total += len(name) + len(value)
	}
	if total > maxParam {
		return porterhouse.Errorf(porterhouse.Invalid, "the parameters have %d bytes together, more than the %d allowed", total, maxParam)
	}
	return nil
}

func isParamName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
