package mcpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"porterhouse"
)

// failed is the result that tells the model what went wrong, where, and what to
// do. It has the public half of err only; the log gets the rest.
func (c *call) failed(ctx context.Context, err error) *mcp.CallToolResult {
	*c.text = (*c.text)[:0]
	kind, public := porterhouse.Explain(err)
	if kind == porterhouse.Internal {
		public = "internal error, request id " + c.request
	}
	var exception *porterhouse.Exception
	if errors.As(err, &exception) {
		if public == exception.Error() {
			public = tidy(exception.Message) // code and name stand before it already
		}
		c.printf("Error %s (ClickHouse %d): %s\n", cmp.Or(exception.Name, string(kind)), exception.Code, plain(public))
	} else {
		c.printf("Error %s: %s\n", kind, plain(public))
	}
	var own *statementError
	if errors.As(err, &own) {
		c.printf("%s", excerpt(own.sql, position(err, exception, own.sql)))
		if hint := c.hint(ctx, own, exception); hint != "" {
			c.printf("Hint: %s\n", hint)
		}
	}
	if advice := behaviours[kind].advice; advice != "" && c.cluster != "" { // it is about a cluster's rights and data
		c.printf("%s\n", advice)
	}
	r := c.result()
	r.SetError(err)
	return r
}

// position is where in the person's SQL the error is, as a 1-based byte; 0 when
// nobody knows. ClickHouse tells the position of syntax errors only; a name that
// it does not know is where it stands, if it stands there once.
func position(err error, x *porterhouse.Exception, sql string) int {
	var e *porterhouse.Error
	if errors.As(err, &e) && e.At > 0 {
		return e.At
	}
	if x == nil || nearest[x.Name] == nil {
		return 0
	}
	name, found := quoted(x.Message), 0
	for at := 0; name != ""; {
		i := strings.Index(sql[at:], name)
		if i < 0 {
			break
		}
		at += i
		if standsAlone(sql[:at], sql[at+len(name):]) {
			if found > 0 {
				return 0
			}
			found = at + 1
		}
		at += len(name)
	}
	return found
}

// standsAlone reports whether what is between two texts is a whole name.
func standsAlone(before, after string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	inName := func(r rune) bool {
		return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r))
	}
	return !inName(last) && !inName(first)
}

// maxMessage is as much of ClickHouse's message as is passed on, in bytes.
const maxMessage = 800

// tidy takes out of a message of ClickHouse what does not help: its own guesses,
// which do not ask what the person may see (a hint of ours does), and all but
// the first of the hundred things that the parser would have accepted.
func tidy(message string) string {
	if before, _, found := strings.Cut(message, " Maybe you meant"); found {
		message = before
	}
	if before, list, found := strings.Cut(message, "Expected one of: "); found {
		options := strings.Split(list, ", ")
		if len(options) > 8 {
			options = append(options[:8], "…")
		}
		message = before + "Expected one of: " + strings.Join(options, ", ")
	}
	return string(shorten([]byte(strings.TrimSpace(message)), maxMessage))
}

// The part of a line that is shown around a position, in characters.
const (
	excerptBefore = 60
	excerptAfter  = 60
)

// excerpt shows the line of sql at the 1-based byte at, with a mark below it;
// "" when there is no such place.
func excerpt(sql string, at int) string {
	if at < 1 || at > len(sql)+1 {
		return ""
	}
	begin := strings.LastIndexByte(sql[:at-1], '\n') + 1
	end := len(sql)
	if i := strings.IndexByte(sql[at-1:], '\n'); i >= 0 {
		end = at - 1 + i
	}
	before, after := []rune(sql[begin:at-1]), []rune(sql[at-1:end])
	place := fmt.Sprintf("At line %d, column %d:\n", strings.Count(sql[:begin], "\n")+1, len(before)+1)
	if len(before) > excerptBefore {
		before = append([]rune("…"), before[len(before)-excerptBefore:]...)
	}
	if len(after) > excerptAfter {
		after = append(after[:excerptAfter:excerptAfter], '…')
	}
	// Tabs become spaces, so that the mark stands where it should.
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError {
			return ' '
		}
		return r
	}, string(before)+string(after))
	return fmt.Sprintf("%s  %s\n  %s^\n", place, line, strings.Repeat(" ", len(before)))
}

// hint helps with the common mistakes of ClickHouse's own checks.
func (c *call) hint(ctx context.Context, own *statementError, x *porterhouse.Exception) string {
	if x == nil {
		return hintForVerb(own.sql)
	}
	if text, ok := hints[x.Name]; ok {
		return text
	}
	look, ok := nearest[x.Name]
	if !ok {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, c.server.config.HintTime)
	defer cancel()
	names, err := look(ctx, c, own, quoted(x.Message))
	if err != nil {
		c.server.config.Log.DebugContext(ctx, "no hint", "request", c.request, "cause", err)
		return ""
	}
	return names
}

// hintForVerb helps with a statement that was not asked, because of its first word.
func hintForVerb(sql string) string {
	if verb, _, _ := strings.Cut(strings.TrimSpace(sql), " "); strings.EqualFold(verb, "USE") {
		return "name the database in the argument \"database\" of each call, or write database.table."
	}
	return ""
}

// hints are fixed texts, by the name of ClickHouse's error.
var hints = map[string]string{
	"SYNTAX_ERROR":             "ClickHouse could not read on from the mark. One statement, no FORMAT clause; strings in 'single' quotes, names in `backticks`.",
	"NOT_AN_AGGREGATE":         "Put the column into GROUP BY, or into an aggregate function such as any().",
	"ILLEGAL_AGGREGATION":      "Aggregate functions do not go into WHERE or into one another: use HAVING or a subquery.",
	"ILLEGAL_TYPE_OF_ARGUMENT": "Convert the argument, such as with toDate(), toDateTime(), toString() or toFloat64(); describe_tables shows the types.",
	"NO_COMMON_TYPE":           "Convert both sides to one type, such as with toString(); describe_tables shows the types.",
	"TYPE_MISMATCH":            "Convert the value to the type of the column; describe_tables shows the types.",
	"AMBIGUOUS_IDENTIFIER":     "Put the table or its alias before the name of the column.",
	"MEMORY_LIMIT_EXCEEDED":    "Read fewer columns and rows: narrow with WHERE, aggregate before joining, put the smaller table on the right of JOIN.",
	"TOO_MANY_ROWS":            "Narrow with WHERE on the sorting key (describe_tables shows it).",
	"TOO_MANY_BYTES":           "Narrow with WHERE on the sorting key (describe_tables shows it), and read fewer columns.",
}

// quoted is the first name that a message of ClickHouse has in quotes, or after
// the word Database.
func quoted(message string) string {
	if at := strings.IndexAny(message, "`'"); at >= 0 {
		name, _, _ := strings.Cut(message[at+1:], message[at:at+1])
		return name
	}
	if _, rest, found := strings.Cut(message, "Database "); found {
		name, _, _ := strings.Cut(rest, " ")
		return name
	}
	return ""
}
