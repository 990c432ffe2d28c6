package fake

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
)

// exception is one of ClickHouse, as its HTTP interface tells it.
type exception struct {
	status int
	code   int
	name   string
	text   string
}

// The exceptions of EXECUTE AS and of GRANT IMPERSONATE where there is none.
var (
	switchedOff = exception{http.StatusInternalServerError, 344, "SUPPORT_IS_DISABLED",
		"IMPERSONATE feature is disabled, set access_control_improvements.allow_impersonate_user to 1 to enable"}
	oldSwitchOff = exception{http.StatusInternalServerError, 344, "SUPPORT_IS_DISABLED",
		"IMPERSONATE feature is disabled, set allow_impersonate_user to 1 to enable"}
)

// unknownWord is a syntax error at the first word of a statement.
func unknownWord(word, sql string) exception {
	return exception{http.StatusBadRequest, 62, "SYNTAX_ERROR", fmt.Sprintf(
		"Syntax error: failed at position 1 ('%s'): %s. Expected one of: Query, Query with output, EXPLAIN, SELECT query, possibly with UNION, "+
			"SELECT, WITH, SHOW, DESCRIBE, USE query, SET query, SYSTEM query, GRANT or REVOKE query", word, sql)}
}

// unknownRight is a syntax error where a right should stand.
func unknownRight(sql string) exception {
	return exception{http.StatusBadRequest, 62, "SYNTAX_ERROR", fmt.Sprintf(
		"Syntax error: failed at position 7 ('IMPERSONATE'): %s. Expected one of: ON, list of roles or users", sql)}
}

// noScheme and badToken are what becomes of tokens: where none are taken, and where
// one is not good.
var (
	noScheme = exception{http.StatusForbidden, 516, "AUTHENTICATION_FAILED", "Invalid authentication: 'Bearer' HTTP Authorization scheme is not supported"}
	badToken = exception{http.StatusForbidden, 516, "AUTHENTICATION_FAILED", "Authentication failed: the token could not be verified"}
)

// later is a word that came into ClickHouse with a version, and how older ones refuse
// it. It is looked for in the text of a statement, and among the settings.
type later struct {
	since     string
	statement *regexp.Regexp
	setting   string // "": it is none
	refusal   exception
}

func laterFunction(since, name string) later {
	return later{since, regexp.MustCompile(`(?i)\b` + name + `\s*\(`), "", exception{http.StatusNotFound, 46, "UNKNOWN_FUNCTION", "Unknown function " + name}}
}

func laterSetting(since, name string) later {
	return later{since, regexp.MustCompile(`(?i)\b` + name + `\s*=`), name, exception{http.StatusNotFound, 115, "UNKNOWN_SETTING", "Unknown setting " + name}}
}

func laterColumn(since, name string) later {
	return later{since, regexp.MustCompile(`(?i)\b` + name + `\b`), "", exception{http.StatusNotFound, 47, "UNKNOWN_IDENTIFIER",
		"Missing columns: '" + name + "' while processing query"}}
}

// laters is what younger servers know and older ones refuse, with the pull request in
// ClickHouse that brought it. The version is the first one that can have it.
func laters() []later {
	return []later{
		laterSetting("23.9", "http_write_exception_in_output_format"), // #52853
		laterSetting("23.3", "output_format_json_quote_decimals"),     // at the latest
		laterSetting("22.4", "allow_settings_after_format_in_insert"), // #35883
		laterColumn("26.3", "is_wildcard"),                            // of system.grants, #98577
		laterFunction("25.11", "authenticatedUser"),                   // #70775
		laterFunction("23.6", "serverTimezone"),                       // #44149
		laterFunction("22.9", "displayName"),                          // #37681
	}
}

// write answers with an exception, in the persona's version.
func (e exception) write(w http.ResponseWriter, p Persona) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
	h.Set("X-ClickHouse-Server-Display-Name", displayName)
	w.WriteHeader(e.status)
	fmt.Fprint(w, p.worded(fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)%s\n", e.code, e.text, e.name, p.suffix())))
}

var newWords = regexp.MustCompile(`(?s)^Code: (\d+)\. (.*?)\.? \([A-Z_0-9]+\)( \(version .*)$`)

// worded returns an exception of today as the persona words it: before 21.9 it had no
// name, and another beginning (#26172).
func (p Persona) worded(text string) string {
	if p.since("21.9") {
		return text
	}
	return newWords.ReplaceAllString(text, "Code: $1, e.displayText() = $2$3")
}

// suffix is what ends the text of an exception.
func (p Persona) suffix() string { return " (version " + p.Version + p.Build + ")" }

// displayName is how every persona calls its host.
const displayName = "clickhouse.example.com"
