package clickhouse

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"porterhouse"
)

// options are the parameters of ClickHouse's HTTP interface that are no settings and
// that a client may choose. All others have a place of their own in a Passage, or
// mean nothing here.
var options = []string{
	"buffer_size", "wait_end_of_query", // how much of the answer ClickHouse keeps until it sends the first byte
	"compress",                // the answer in ClickHouse's own blocks
	"client_protocol_version", // which types Native may have
	"stacktrace",              // beside an exception
}

// interfaceNames are the parameters that are no settings. One that came as a setting
// would be a second one of what is decided elsewhere.
var interfaceNames = append([]string{
	"query", "query_id", "user", "password", "role", "quota_key", "database", "default_format",
	"session_id", "session_timeout", "session_check", "close_session", "decompress",
}, options...)

// Settings that are ours alone. The gate refuses them; here they are left out, so
// that it does not matter which of two ClickHouse takes.
var ourSettings = []string{"log_comment", "readonly", "cancel_http_readonly_queries_on_client_close"}

// checkPassage refuses what would become something else on its way to ClickHouse.
func checkPassage(p *porterhouse.Passage) error {
	if p == nil {
		return nil
	}
	for _, s := range p.Settings {
		name := strings.ToLower(s.Name) // ClickHouse finds them however they are written
		if name == "" || strings.HasPrefix(name, "param_") || slices.Contains(interfaceNames, name) {
			return porterhouse.Errorf(porterhouse.Refused, "%q is no setting", s.Name)
		}
	}
	for _, o := range p.Options {
		if !slices.Contains(options, o.Name) {
			return porterhouse.Errorf(porterhouse.Refused, "the parameter %q is none that goes on to ClickHouse", o.Name)
		}
	}
	switch {
	case strings.ContainsFunc(p.Accept, noHeader), strings.ContainsFunc(p.Agent, noHeader):
		return porterhouse.Errorf(porterhouse.Invalid, "Accept-Encoding or User-Agent has a character that no header can carry")
	case p.Tables != nil && p.Data != nil:
		return porterhouse.Errorf(porterhouse.Invalid, "a statement has either external tables or data of its own")
	case addressSize(p) > maxParams:
		return porterhouse.Errorf(porterhouse.Invalid, "the settings take more than the %d bytes that an address has for them", maxParams)
	case p.Session != nil && (p.Session.ID == "" || p.Session.Owner == ""):
		return porterhouse.Errorf(porterhouse.Internal, "a session has no id or no owner, and could be anybody's")
	}
	return nil
}

// addressSize is how many bytes of the URL the client's own choices take.
func addressSize(p *porterhouse.Passage) (size int) {
	for _, s := range slices.Concat(p.Settings, p.Options) {
		size += len(url.QueryEscape(s.Name)) + len(url.QueryEscape(s.Value))
	}
	for _, role := range p.Roles {
		size += len(url.QueryEscape(role))
	}
	return size + len(url.QueryEscape(p.QuotaKey))
}

// noHeader reports whether a header cannot carry r.
func noHeader(r rune) bool { return r < ' ' || r > '~' }

// appendPassage appends everything that a client asked for, and what the gate made of
// it. Of an option that comes twice ClickHouse takes the first, of a setting the last.
func (s *statement) appendPassage(p []byte) []byte {
	passage := s.Passage
	p = appendParameter(p, "query_id", s.ID)
	p = appendParameter(p, "query", s.address())
	p = appendParameter(p, "database", s.Database)
	p = appendParameter(p, "default_format", string(s.Format))
	for _, o := range passage.Options {
		p = appendSetting(p, o)
	}
	for _, role := range passage.Roles {
		p = appendSetting(p, porterhouse.Setting{Name: "role", Value: role})
	}
	p = appendParameter(p, "quota_key", s.way.quotaKey(passage))
	if s.way.readonly() { // without it there is no session over HTTP either
		p = appendSession(p, passage.Session)
	}
	for _, setting := range passage.Settings {
		if !slices.Contains(ourSettings, setting.Name) {
			p = appendSetting(p, setting)
		}
	}
	if s.prefix != "" { // the answer is the outer statement's
		for _, setting := range passage.Own {
			p = appendSetting(p, setting)
		}
	}
	p = s.appendOurs(p)
	return appendParams(p, s.Params)
}

// address is what of the statement travels in the URL: what stands before it, or,
// where the body has tables, all of it.
func (s *statement) address() string {
	if s.Passage.Tables != nil {
		return s.prefix + s.SQL
	}
	return s.prefix
}

// appendOurs appends the settings that are not for the client to choose.
func (s *statement) appendOurs(p []byte) []byte {
	for _, limit := range limitsToSend(s.Passage.Settings, s.Limits) {
		p = appendSetting(p, limit)
	}
	if s.Passage.Progress != nil {
		p = append(p, "&send_progress_in_http_headers=1"...)
	}
	if s.Class.Data {
		// The data must begin where the gate has found that it does: statement.ReadHead.
		p = append(p, "&allow_settings_after_format_in_insert=0"...)
	}
	if s.reads() {
		p = append(p, readOnly...)
	}
	return append(append(p, "&log_comment="...), url.QueryEscape(s.Comment)...)
}

// limitsToSend returns those of the limits that ClickHouse has to be told of.
//
// A limit is sent only where the client asked for more than it may have. One that it
// did not ask for would raise that of the account's profile, or be refused by its
// constraints; and it ends the statement here in any case.
func limitsToSend(asked []porterhouse.Setting, limits porterhouse.Limits) (send []porterhouse.Setting) {
	if seconds, ok := number(asked, "max_execution_time"); ok && (seconds <= 0 || seconds > limits.Time.Seconds()) {
		send = append(send, porterhouse.Setting{Name: "max_execution_time", Value: string(appendSeconds(nil, limits.Time))})
	}
	if bytes, ok := number(asked, "max_memory_usage"); limits.Memory > 0 && (!ok || bytes <= 0 || bytes > float64(limits.Memory)) {
		send = append(send, porterhouse.Setting{Name: "max_memory_usage", Value: strconv.FormatInt(limits.Memory, 10)})
	}
	return send
}

// number returns the last value of a setting. One that is no number is 0, which
// stands for no limit.
func number(settings []porterhouse.Setting, name string) (value float64, ok bool) {
	for _, s := range settings {
		if s.Name == name {
			n, err := strconv.ParseFloat(s.Value, 64)
			if err != nil || n != n {
				n = 0
			}
			value, ok = n, true
		}
	}
	return value, ok
}

// appendSession appends a session, by a name that nobody else can give to theirs.
func appendSession(p []byte, s *porterhouse.Session) []byte {
	if s == nil {
		return p
	}
	p = appendParameter(p, "session_id", sessionName(s))
	if s.Timeout > 0 {
		seconds := (s.Timeout + time.Second - 1) / time.Second
		p = appendParameter(p, "session_timeout", strconv.FormatInt(int64(seconds), 10))
	}
	if s.Check {
		p = append(p, "&session_check=1"...)
	}
	if s.Close {
		p = append(p, "&close_session=1"...)
	}
	return p
}

// sessionName is what ClickHouse calls a session: where several people are one
// account, two who chose the same id must have two sessions; and one that was lost is
// not found again by the next with its name.
func sessionName(s *porterhouse.Session) string {
	name := macOf([]byte(s.Owner), s.ID)
	if s.Life > 0 {
		name = macOf(name, strconv.Itoa(s.Life))
	}
	return hex.EncodeToString(name)
}

func macOf(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// appendSetting appends a parameter that may be empty.
func appendSetting(p []byte, s porterhouse.Setting) []byte {
	p = append(p, '&')
	p = append(p, url.QueryEscape(s.Name)...)
	p = append(p, '=')
	return append(p, url.QueryEscape(s.Value)...)
}
