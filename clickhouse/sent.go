package clickhouse

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

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
// about one, and of a server that is older than the setting.
//
// The version is what the server itself has put behind the exception: a person whose
// statement fails with the words of such an exception (throwIf) cannot make a newer
// server look older.
func unknownSent(text exceptionText) (s sentSetting, found bool) {
	e, _ := parseException(string(text))
	if e.Code != unknownSetting {
		return sentSetting{}, false
	}
	i := slices.IndexFunc(sentSettings, func(s sentSetting) bool {
		return s.since != "" && isUnknown(e.Message, s.name) && olderThan(text, s.since)
	})
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

// olderThan reports whether the version behind an exception is older than another.
func olderThan(text exceptionText, than string) bool {
	at := strings.LastIndex(string(text), " (version ")
	if at < 0 {
		return false
	}
	v, ok := parseVersion(strings.TrimRight(string(text[at+len(" (version "):]), ")\r\n"))
	other, _ := parseVersion(than)
	return ok && slices.Compare(v, other) < 0
}

// lacks is what was found that a server does not know of our settings, and is left out
// from then on. It costs a look at a pointer where nothing is missing.
//
// What was found is forgotten after a minute: the server may be another by then.
type lacks struct{ now atomic.Pointer[lacking] }

// lacking is the content of lacks. It is made once and never changed.
type lacking struct {
	names []string
	until time.Time
}

// lackTime is how long something is left out until it is tried again.
const lackTime = time.Minute

// get returns what is to be left out now; nil: nothing.
func (l *lacks) get() *lacking {
	if now := l.now.Load(); now != nil && time.Now().Before(now.until) {
		return now
	}
	return nil
}

// learn takes in an exception of a request that was sent without what known says, and
// returns without what to send it again; nil: it is about something else.
func (l *lacks) learn(text exceptionText, known *lacking) *lacking {
	s, found := unknownSent(text)
	if !found || s.without == "" || known.has(s.name) {
		return nil
	}
	more := &lacking{names: []string{s.name}, until: time.Now().Add(lackTime)}
	if known != nil {
		more.names = append(more.names, known.names...)
	}
	l.now.Store(more)
	return more
}

// has reports whether a setting is to be left out.
func (l *lacking) has(name string) bool { return l != nil && slices.Contains(l.names, name) }

// from returns parameters, each with & before it, without those to be left out.
func (l *lacking) from(parameters string) string {
	if l == nil {
		return parameters
	}
	var left strings.Builder
	for parameter := range strings.SplitSeq(parameters[len("&"):], "&") {
		if name, _, _ := strings.Cut(parameter, "="); !l.has(name) {
			left.WriteString("&" + parameter)
		}
	}
	return left.String()
}

// tooOldFor says what an exception means that is about a setting of ours and not about
// the statement; public is "" for any other.
func tooOldFor(text exceptionText) (kind porterhouse.Kind, public string) {
	s, found := unknownSent(text)
	if !found || s.without != "" {
		return "", ""
	}
	return porterhouse.Refused, "this ClickHouse does not know the setting " + s.name + ", without which Porterhouse does not send this statement: " + s.remedy
}

// send sends a request of ours, which has no data of a client's; again, and without it,
// when the server does not know a setting that can be left out: nothing has run then.
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
		more := c.lacks.learn(exceptionText(raw), known)
		if more == nil {
			return response, nil
		}
		c.log.Debug("ClickHouse does not know a setting, which is left out for a minute", "setting", more.names[0])
		sent.Store(false)
		known = more
		_, err = io.Copy(io.Discard, response.body) // so that the connection can be used again
		response.body.Close()
		if err != nil {
			return nil, err
		}
	}
}
