package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"porterhouse"
)

// The fields of a request's head that mean something here, beside those of HTTP, in the
// spelling in which net/http keeps them. All others mean nothing, and go nowhere.
const (
	headerUser        = "X-Clickhouse-User"
	headerKey         = "X-Clickhouse-Key"
	headerQuota       = "X-Clickhouse-Quota"
	headerDatabase    = "X-Clickhouse-Database"
	headerFormat      = "X-Clickhouse-Format"
	headerQueryID     = "X-Clickhouse-Query-Id"
	headerCertificate = "X-Clickhouse-Ssl-Certificate-Auth"
	headerIDToken     = "X-Id-Token"
	authorization     = "Authorization"
)

// onlyOnce are the fields that may stand in a head once: of two, two readers could take
// different ones.
var onlyOnce = []string{authorization, headerUser, headerKey, headerQuota, headerDatabase, headerFormat, headerQueryID,
	headerCertificate, headerIDToken, "Content-Type", "Content-Encoding"}

// checkHead refuses a request whose head nobody can read in one way only.
func checkHead(r *http.Request) error {
	for _, name := range onlyOnce {
		if len(r.Header[name]) > 1 {
			return refuse(codeBadArguments, "the request has more than one %s", name)
		}
	}
	if r.Method == http.MethodPost && r.ProtoMajor == 1 && r.ContentLength == 0 && r.TransferEncoding == nil && r.Header["Content-Length"] == nil {
		return refuse(codeLengthRequired, "The Transfer-Encoding is not chunked and there is no Content-Length header for POST request")
	}
	return nil
}

// isForm reports whether the body is a form, with tables in it maybe.
func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data")
}

// newQuery makes the Query of a request, all but what its body holds.
func (s *Server) newQuery(r *http.Request, p *parameters) (porterhouse.Query, error) {
	readOnly := p.takeReadOnly() || r.Method != http.MethodPost
	passage := &porterhouse.Passage{
		Settings: p.settings, Options: p.options, Roles: p.roles,
		Comment:  p.value("log_comment"),
		ReadOnly: readOnly,
		Agent:    agent(r.UserAgent()),
		Accept:   r.Header.Get("Accept-Encoding"),
	}
	q := porterhouse.Query{
		SQL: p.value("query"), Params: p.params, Passage: passage,
		Database: s.databaseOf(r, p),
		Format:   porterhouse.Format(headerOr(r, headerFormat, p.value("default_format"))),
		Via:      porterhouse.Via{Entry: s.entry, Request: requestID(r)},
	}
	var err error
	if q.ID, err = queryID(r, p); err != nil {
		return q, err
	}
	if passage.QuotaKey, err = quotaKey(r, p); err != nil {
		return q, err
	}
	passage.Session, err = session(p)
	return q, err
}

// headerOr is the field of the head, or else what the URL says: in ClickHouse the head
// counts where both say something, even if it says nothing.
func headerOr(r *http.Request, name, otherwise string) string {
	if values := r.Header[name]; len(values) > 0 {
		return values[0]
	}
	return otherwise
}

// maxID is the length of the longest query_id and session_id, in bytes.
const maxID = 1_000

// queryID is the id that the client gives its query; here the URL counts first. It comes
// back in the head of the answer.
func queryID(r *http.Request, p *parameters) (string, error) {
	id, known := p.get("query_id")
	if !known {
		id = r.Header.Get(headerQueryID)
	}
	return id, checkID("query_id", id)
}

// checkID refuses an id that cannot stand in one line of a head, or of a log.
func checkID(what, id string) error {
	if len(id) > maxID || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return refuse(codeBadArguments, "%s is longer than %d bytes, or has control characters", what, maxID)
	}
	return nil
}

func quotaKey(r *http.Request, p *parameters) (string, error) {
	key, fromURL := p.get("quota_key")
	header := r.Header.Get(headerQuota)
	if fromURL && header != "" {
		return "", refuse(codeBadArguments, "Invalid authentication: it is not allowed to use quota key as HTTP header and as parameter simultaneously")
	}
	if !fromURL {
		key = header
	}
	return key, nil
}

// session reads what the URL says of a session; without a session_id that is nothing.
func session(p *parameters) (*porterhouse.Session, error) {
	id, known := p.get("session_id")
	switch {
	case !known:
		return nil, nil
	case id == "":
		return nil, refuse(codeSessionIDEmpty, "Session id query parameter was provided, but it was empty")
	}
	if err := checkID("session_id", id); err != nil {
		return nil, err
	}
	s := &porterhouse.Session{ID: id, Check: p.value("session_check") == "1"}
	if timeout, known := p.get("session_timeout"); known {
		seconds, err := strconv.ParseUint(timeout, 10, 31)
		if err != nil {
			return nil, refuse(codeSessionTimeout, "Invalid session timeout: '%.100s'", timeout)
		}
		s.Timeout = time.Duration(seconds) * time.Second
	}
	var err error
	s.Close, err = p.flag("close_session")
	return s, err
}

// requestID is the id by which the log knows the request: whoever routes requests to
// this door gives them one.
func requestID(r *http.Request) string { return r.Header.Get("X-Request-Id") }

// maxAgent bounds what a client calls itself, in bytes.
const maxAgent = 512

// agent is what a client calls itself; "" when no log should have it as it is.
func agent(name string) string {
	if len(name) > maxAgent || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return name
}
