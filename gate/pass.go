package gate

import (
	"fmt"
	"strings"

	"porterhouse"
	"porterhouse/statement"
)

// Pass is what a door lets pass because somebody else decides on it. The zero Pass is
// for reads whose answer has a row format.
type Pass struct {
	Writes   bool           // statements that do more than read: ClickHouse's grants decide. Who gave no more than reading (Principal.ReadOnly) reads
	Sources  bool           // functions and tables that reach outside the cluster: its grants decide
	Format   bool           // FORMAT: the client reads the answer
	Settings statement.Risk // up to which risk settings may be set
}

// Allow names what the operator lets pass although the statement check would
// refuse it. Names are compared without regard to case.
type Allow struct {
	Settings       []string
	Functions      []string
	TableFunctions []string // and engines and other sources of the same name
}

// reservedButAllowed are the reserved settings that an operator may let people set: they
// are about what a query costs, or about what an operator may know better. The others
// would take the ground from under the record and the limits.
var reservedButAllowed = map[string]bool{
	"input_format_values_interpret_expressions": true, "input_format_values_deduce_templates_of_expressions": true,
	"max_memory_usage": true, "timeout_overflow_mode": true,
	"workload": true, "priority": true, "os_thread_priority": true,
}

// check refuses names that are nobody's to allow.
func (a Allow) check() error {
	for _, name := range a.Settings {
		if statement.RiskOf(strings.ToLower(name)) == statement.Reserved && !reservedButAllowed[strings.ToLower(name)] {
			return fmt.Errorf("the setting %q cannot be allowed: the record and the limits stand on it; leave it out of allow.settings", name)
		}
	}
	return nil
}

// judge decides on statements and settings at one door: one judgement for what stands
// in the text and what stands beside it.
type judge struct {
	pass    Pass
	allowed map[statement.Kind]map[string]bool
}

func newJudge(p Pass, a Allow) judge {
	set := func(names []string) map[string]bool {
		s := make(map[string]bool, len(names))
		for _, name := range names {
			s[strings.ToLower(name)] = true
		}
		return s
	}
	return judge{p, map[statement.Kind]map[string]bool{
		statement.Setting:       set(a.Settings),
		statement.Function:      set(a.Functions),
		statement.TableFunction: set(a.TableFunctions),
		statement.Source:        set(a.TableFunctions),
	}}
}

// text refuses a statement that may not pass. The first hazard in it is the one that is
// told. Where nothing but reading passes, readOnly says why.
func (j judge) text(report statement.Report, reads bool, readOnly string) error {
	// What changes a session and nothing else is no write to ClickHouse either, where
	// settings may be set at all.
	writes := !reads || report.State && j.pass.Settings > statement.Harmless
	for _, h := range report.Hazards {
		switch {
		case j.passes(h, writes):
		case h.Kind == statement.Write:
			return &porterhouse.Error{Kind: porterhouse.Refused, Public: h.Reason + readOnly, At: h.At, Code: codeReadOnly}
		default:
			return &porterhouse.Error{Kind: kindOf(h.Kind), Public: h.Reason, At: h.At, Code: codeOf(h.Kind)}
		}
	}
	if !report.Read && !writes {
		// Every statement that is not a read has a hazard that says so; this is the
		// second lock on the same door.
		return &porterhouse.Error{Kind: porterhouse.Refused, Code: codeReadOnly,
			Public: "this statement (" + report.Verb + ") is not known to only read" + readOnly}
	}
	return nil
}

// passes reports whether a hazard is somebody else's to judge, or the operator lets it
// pass by name.
func (j judge) passes(h statement.Hazard, writes bool) bool {
	switch h.Kind {
	case statement.Write:
		return writes
	case statement.FormatClause:
		return j.pass.Format
	case statement.Setting:
		return j.isAllowed(h.Kind, h.Name) || j.pass.Settings > statement.Harmless && statement.RiskOf(h.Name) <= j.pass.Settings // a harmless one is no hazard
	case statement.Function, statement.TableFunction, statement.Source:
		return j.pass.Sources || j.isAllowed(h.Kind, h.Name)
	}
	return false
}

// setting reports whether a setting may be set.
func (j judge) setting(name string) bool {
	return j.isAllowed(statement.Setting, name) || statement.RiskOf(name) <= j.pass.Settings
}

// literals are the settings that keep the format Values from running what it is given:
// VALUES (file('x')) is an expression, and nobody looks into data. Numbers, texts, arrays
// and NULL pass; the operator can let more pass, by the names of the settings.
func (j judge) literals() (all []porterhouse.Setting) {
	if j.pass.Sources {
		return nil
	}
	for _, name := range []string{"input_format_values_interpret_expressions", "input_format_values_deduce_templates_of_expressions"} {
		if !j.isAllowed(statement.Setting, name) {
			all = append(all, porterhouse.Setting{Name: name, Value: "0"})
		}
	}
	return all
}

// isAllowed reports whether the operator lets something pass by name.
func (j judge) isAllowed(k statement.Kind, name string) bool {
	return j.allowed[k][strings.ToLower(name)]
}

// memory is the one setting that is reserved and may yet stand beside a statement: there
// whoever sends it lowers what is more than Limits.Memory.
const memory = "max_memory_usage"

// settings refuses settings beside the statement that may not be set there.
func (j judge) settings(all []porterhouse.Setting) error {
	for _, s := range all {
		switch {
		case !isSettingName(s.Name):
			return &porterhouse.Error{Kind: porterhouse.Invalid, Code: codeUnknownSetting, Public: quoted(s.Name) + " is not the name of a setting"}
		case s.Name == memory && j.pass.Settings >= statement.Ordinary:
		case !j.setting(s.Name):
			return &porterhouse.Error{Kind: porterhouse.Refused, Code: codeSettingConstraint,
				Public: "the setting " + s.Name + " may not be set here: leave it out of the request" + orAsk(s.Name)}
		}
	}
	return nil
}

// orAsk is the other remedy against a setting that may not be set.
func orAsk(setting string) string {
	if statement.RiskOf(setting) == statement.Reserved && !reservedButAllowed[setting] {
		return ""
	}
	return ", or ask the operator to allow it"
}

// kindOf tells a text that cannot be understood from one that is not allowed.
func kindOf(k statement.Kind) porterhouse.Kind {
	switch k {
	case statement.Unsure, statement.Empty, statement.FormatClause:
		return porterhouse.Invalid
	}
	return porterhouse.Refused
}
