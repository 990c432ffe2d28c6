package clickhouse

import (
	"slices"
	"strconv"
	"strings"
)

// Trap is something of which a version of ClickHouse has to be held back, or that is
// elsewhere in it, and what is done about it here.
type Trap struct {
	Name  string   `json:"name"`  // for people and tests, such as create-unchecked
	Issue string   `json:"issue"` // of ClickHouse's on GitHub, such as #119600; "": none
	From  string   `json:"from"`  // the first version that has it
	Fixed []string `json:"fixed"` // the first version without it, of each branch that got one, oldest first; none: nobody knows of one
	What  string   `json:"what"`
	Doing string   `json:"doing"` // what we do about it, or who has to
}

// traps are all that are known. Where a number is a guess, it errs to the safe side.
var traps = []Trap{
	{
		Name: "create-unchecked", Issue: "#119600", From: "25.3", // Altinity's backports begin at 25.3.8
		Fixed: []string{"26.3.33.108", "26.6.9.18", "26.7.11.12", "26.8.7.16", "26.9.1.1600"},
		What:  "CREATE behind EXECUTE AS in one text skips the person's grants, readonly and allow_ddl",
		Doing: "with execute_as only reads take that form; all else goes through a native session, where CREATE is checked",
	},
	{
		Name: "parallel-with-unchecked", Issue: "#119848", From: "25.1",
		Fixed: []string{"26.3.33.108", "26.6.9.18", "26.7.11.12", "26.8.7.16", "26.9.1.1600"},
		What:  "CREATE … PARALLEL WITH CREATE … skips grants and readonly, for a direct login as well; behind EXECUTE AS the second statement runs as the gateway",
		Doing: "the gate refuses PARALLEL WITH in every access mode; people who log in to ClickHouse directly are not held by it: upgrade",
	},
	{
		Name: "subquery-settings", Issue: "#115397", From: "24.3", // the analyzer is the default since
		Fixed: []string{"26.3.27.4", "26.6.4.51", "26.7.6.49", "26.8.2.2"},
		What:  "SETTINGS in a subquery are not held to readonly = 1 and to constraints",
		Doing: "the gate looks at SETTINGS at every depth",
	},
	{
		Name: "format-dropped", Issue: "#99572", From: "25.3",
		Fixed: []string{"26.3.14.32", "26.4.1.220"},
		What:  "a FORMAT or INTO OUTFILE in the text behind EXECUTE AS is dropped",
		Doing: "FORMAT is never appended to a text: the format of the answer is sent beside it (default_format); a person's own FORMAT has no effect with execute_as",
	},
	{
		Name: "policy-crash", Issue: "#100695", From: "25.3",
		Fixed: []string{"26.4"},
		What:  "a row policy with a scalar subquery can crash the server",
		Doing: "write such policies without a subquery, or upgrade (#101263)",
	},
	{
		Name: "switch-off-by-default", Issue: "#97870", From: "25.3",
		Fixed: []string{"26.3.1.18"},
		What:  "EXECUTE AS is switched off unless the server's configuration says otherwise",
		Doing: "the operator sets allow_impersonate_user",
	},
	{
		Name: "switch-at-top-level", Issue: "#96451", From: "25.3",
		Fixed: []string{"26.2.1.522"},
		What:  "allow_impersonate_user is a key at the top of config.xml; later it is inside access_control_improvements",
		Doing: "configuration that is printed here sets both",
	},
	{
		Name: "inner-query-unlogged", Issue: "#83277", From: "25.3",
		Fixed: []string{"25.12"},
		What:  "the person's own row of a statement behind EXECUTE AS is not in query_log, only the gateway's",
		Doing: "the log_comment of the gateway's row names the person",
	},
	{
		Name: "settings-after-format", Issue: "#35883", From: "1.1",
		Fixed: []string{"22.4"},
		What:  "SETTINGS at the beginning of an INSERT's data are read as part of the statement",
		Doing: "an INSERT with data is refused over HTTP (static, own passwords); INSERT … SELECT works",
	},
	{
		Name: "decimals-unquoted", From: "1.1",
		Fixed: []string{"23.3"}, // at the latest
		What:  "Decimals in JSON are numbers and cannot be had as texts",
		Doing: "answers of MCP tools in JSON have them as numbers, with all their digits; in TSV and CSV nothing is different",
	},
}

// Traps are those that a server of this version has, such as 26.7.2.1. Of a version
// that cannot be read, all: nobody knows.
func Traps(version string) []Trap {
	v, ok := parseVersion(version)
	var found []Trap
	for _, t := range traps {
		if !ok || t.has(v) {
			found = append(found, t)
		}
	}
	return found
}

// has reports whether a version has the trap: it is not older than From, and neither
// as new as the fix of its own branch, nor of a branch after the last that got one.
func (t Trap) has(v []int) bool {
	if from, _ := parseVersion(t.From); slices.Compare(v, from) < 0 {
		return false
	}
	for i, text := range t.Fixed {
		fixed, _ := parseVersion(text)
		sameBranch := slices.Equal(branch(v), branch(fixed))
		isLast := i == len(t.Fixed)-1
		if (sameBranch || isLast) && slices.Compare(v, fixed) >= 0 {
			return false
		}
	}
	return true
}

// branch is the year and the month of a version.
func branch(v []int) []int { return v[:min(2, len(v))] }

// parseVersion reads up to four numbers with dots between them; what a build adds, as in
// 25.8.12.10129.altinitystable, is dropped.
func parseVersion(version string) (numbers []int, ok bool) {
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || len(numbers) == 4 {
			break
		}
		numbers = append(numbers, n)
	}
	return numbers, len(numbers) >= 2
}
