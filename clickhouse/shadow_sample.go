package clickhouse

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"porterhouse"
)

// comparison is a statement that is to be compared: what of a question decides its
// answer, and nothing that its client still holds or that proves somebody.
type comparison struct {
	as      porterhouse.Account // its name only
	query   porterhouse.Query   // without an id of its own
	record  string              // id of the audit record
	queryID string              // of the person's own statement
	asked   time.Time           // when its answer had ended
}

// plainReads are the verbs of what is compared. That a statement reads was judged for its
// person already; here it is asked for once more, because under EXECUTE AS nothing else
// would keep a write from being done again.
var plainReads = words("SELECT SHOW DESCRIBE EXISTS EXPLAIN")

// maxCompared is the longest statement that is compared, in bytes with its parameters
// and settings: so much of each waits in memory.
const maxCompared = 64 << 10

// newComparison makes a comparison of a question; false: it cannot be compared. Who has
// a password of their own comes in by neither mode, and what brings something along, or
// depends on a session, is not the same twice.
func newComparison(as porterhouse.Account, q porterhouse.Query) (comparison, bool) {
	c := q.Class
	if !as.Password.IsZero() || !c.Read || !plainReads[c.Verb] || c.State || c.Data || c.Input || varies(q.SQL) {
		return comparison{}, false
	}
	p := q.Passage
	if p != nil && (p.Data != nil || p.Tables != nil || p.Session != nil || len(p.Roles) > 0 || slices.ContainsFunc(p.Settings, setsDirectReads)) {
		return comparison{}, false
	}
	sql, ok := inNative(q.SQL, c)
	if !ok {
		return comparison{}, false
	}
	again := porterhouse.Query{
		SQL: sql, Params: maps.Clone(q.Params), Database: q.Database, Format: "Native", Limits: q.Limits,
		Class:   porterhouse.Class{Verb: c.Verb, Read: true},
		Passage: passageOf(q),
	}
	again.Limits.Time = min(q.Limits.Time, shadowTime)
	again.Limits.Rows, again.Limits.Bytes = shadowRows, shadowBytes
	if size(again) > maxCompared {
		return comparison{}, false
	}
	return comparison{as: porterhouse.Account{User: as.User}, query: again, record: recordOf(q), queryID: q.ID}, true
}

func setsDirectReads(s porterhouse.Setting) bool { return strings.EqualFold(s.Name, directReads) }

// passageOf is what goes beside the statement: the settings that its client has set, or
// those of a question of ours. What shapes Native itself is left out.
func passageOf(q porterhouse.Query) *porterhouse.Passage {
	again := &porterhouse.Passage{ReadOnly: true}
	if q.Passage == nil {
		seconds := appendSeconds(nil, min(q.Limits.Time, shadowTime))
		again.Settings = []porterhouse.Setting{{Name: "max_execution_time", Value: string(seconds)}}
		return again
	}
	again.QuotaKey, again.Owner, again.Person = q.Passage.QuotaKey, q.Passage.Owner, q.Passage.Person
	again.Settings, again.Own = withoutNative(q.Passage.Settings), withoutNative(q.Passage.Own)
	return again
}

func withoutNative(settings []porterhouse.Setting) []porterhouse.Setting {
	return slices.DeleteFunc(slices.Clone(settings), func(s porterhouse.Setting) bool {
		return strings.HasPrefix(strings.ToLower(s.Name), "output_format_native_")
	})
}

// size is how much of a question waits in memory, in bytes.
func size(q porterhouse.Query) int {
	n := len(q.SQL) + addressSize(q.Passage)
	for name, value := range q.Params {
		n += len(name) + len(value)
	}
	return n
}

// recordOf is the id of the question's audit record, as its log_comment tells it.
func recordOf(q porterhouse.Query) string {
	var comment struct {
		Record string `json:"rid"`
	}
	if json.Unmarshal([]byte(q.Comment), &comment) != nil || comment.Record == "" {
		return q.ID
	}
	return comment.Record
}

// inNative returns the text with Native in the place of the format that it names, if it
// names one; false: where that stands is not plain to see.
func inNative(sql string, c porterhouse.Class) (string, bool) {
	if c.Format == "" {
		return sql, true
	}
	const word = "FORMAT"
	from := c.FormatAt - 1
	if from < 0 || from+len(word) > len(sql) || !strings.EqualFold(sql[from:from+len(word)], word) {
		return "", false
	}
	behind := sql[from+len(word):]
	name := strings.TrimLeft(behind, " \t\r\n")
	rest, named := strings.CutPrefix(name, c.Format)
	if !named || name == behind || strings.ContainsFunc(c.Format, notOfWords) || rest != "" && !notOfWords(rune(rest[0])) {
		return "", false
	}
	return sql[:from] + word + " Native" + rest, true
}

// notOfWords reports whether r cannot be in a plain name. All of UTF-8's other bytes can.
func notOfWords(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r >= 0x80)
}
