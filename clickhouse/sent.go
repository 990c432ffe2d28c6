package clickhouse

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"porterhouse"
)

// sentSetting is a setting that requests of ours have over HTTP, whatever anybody has asked
// for. A server that does not know it refuses the whole request (115, UNKNOWN_SETTING),
// before anything of it runs.
type sentSetting struct {
	name    string
	since   string // the first version that knows it, or a later one: a guess errs to the safe side
	issue   string // of ClickHouse's on GitHub, where it came; "": not looked up
	without string // what is so where it is left out; "": it never is, and the statement is refused
	remedy  string // what the operator or the client can do where it is not known and not left out
}

// tooOld is the remedy where nothing else is known.
const tooOld = "the oldest ClickHouse that Porterhouse works with is 21.8"

// sentSettings are all of them; tests compare them with what requests really have, and
// with doc/versions.md.
//
// What bounds a statement, or says how its text is to be read, is never left out:
// then the statement is refused, and the error says why.
var sentSettings = []sentSetting{
	{name: "http_write_exception_in_output_format", since: "23.9", issue: "#52853",
		without: "nothing is lost: a server that does not know it writes no exception into a format"},
	{name: "output_format_json_quote_decimals", since: "23.3",
		without: "Decimals are numbers in answers of JSON, with all their digits, and not texts"},
	{name: "output_format_parallel_formatting", since: "21.3", issue: "#11617",
		without: "nothing is lost: a server that does not know it has no threads that it could turn off"},
	{name: "output_format_json_quote_64bit_integers"}, {name: "output_format_json_quote_denormals"},
	{name: "allow_settings_after_format_in_insert", since: "22.4", issue: "#35883",
		remedy: "an INSERT with data cannot be sent to a ClickHouse older than 22.4: it would read SETTINGS at the beginning of the data as part of the statement. Use INSERT … SELECT, or upgrade ClickHouse"},
	{name: "log_comment", since: "21.3", remedy: tooOld},
	{name: "max_execution_time"}, {name: "max_memory_usage"}, {name: "readonly"},
	{name: "cancel_http_readonly_queries_on_client_close"}, {name: "send_progress_in_http_headers"},
}

// unknownSetting is the code of an exception about a setting.
const unknownSetting = 115

// unknownSent returns the setting of ours that an exception says to be unknown, if it is
// about one. Of a person's statement that is a hint and no more: getSetting, throwIf and
// remote servers let ClickHouse say whatever a person wants.
func unknownSent(text exceptionText) (s sentSetting, found bool) {
	e, _ := parseException(string(text))
	if e.Code != unknownSetting {
		return sentSetting{}, false
	}
	i := slices.IndexFunc(sentSettings, func(s sentSetting) bool { return s.since != "" && isUnknown(e.Message, s.name) })
	if i < 0 {
		return sentSetting{}, false
	}
	return sentSettings[i], true
}

// isUnknown reports whether a message says of a setting that nobody knows it. What
// follows the name may be a hint that names others.
func isUnknown(message, name string) bool {
	rest, ok := strings.CutPrefix(message, "Unknown setting ")
	if !ok { // where custom_settings_prefixes are configured
		return strings.HasPrefix(message, "Setting "+name+" is neither a builtin setting ")
	}
	rest, ok = strings.CutPrefix(strings.TrimPrefix(rest, "'"), name)
	return ok && (rest == "" || strings.ContainsRune("'.: ", rune(rest[0])))
}

// tooOldFor says what an exception means that is about a setting of ours, which the server
// was found to lack, and not about the statement; public is "" for any other.
func tooOldFor(c *Client, text exceptionText) (kind porterhouse.Kind, public string) {
	s, found := unknownSent(text)
	if !found || s.without != "" || !c.lacks.get().has(s.name) {
		return "", ""
	}
	return porterhouse.Refused, "this ClickHouse does not know the setting " + s.name + ", without which Porterhouse does not send this statement: " + s.remedy
}

// send sends a request of ours, which has no data of a client's; again, and without it,
// when the server turns out not to know a setting that can be left out: nothing has run then.
func (e errands) send(ctx context.Context, request func(*lacking) outgoing, sent *atomic.Bool) (*response, error) {
	c := e.client
	for known := c.lacks.get(); ; {
		response, err := e.pool.ask(ctx, request(known), sent)
		if err != nil || response.status == http.StatusOK {
			return response, err
		}
		raw, err := response.peek()
		if err != nil {
			response.body.Close()
			return nil, err
		}
		s, found := unknownSent(exceptionText(raw))
		if !found || len(raw) == maxException || known.has(s.name) { // a refusal of a setting is short
			return response, nil
		}
		more := c.lacks.learn(ctx, s.name, c.control.refuses)
		if more == nil || s.without == "" {
			return response, nil
		}
		response.body.Close()
		sent.Store(false)
		known = more
	}
}
