package fake

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// manners is how a persona answers HTTP.
//
//	request ─▶ who is it? ─▶ does this version know the words? ─▶ the real ClickHouse ─▶ answer, re-worded
type manners struct {
	Persona
	upstream string
	client   *http.Client
	laters   []later
}

func newManners(p Persona, upstream string) http.Handler {
	if p.Stranger {
		return http.HandlerFunc(stranger)
	}
	m := &manners{Persona: p, upstream: upstream, client: &http.Client{Transport: &http.Transport{}}}
	for _, l := range laters() {
		if !p.since(l.since) {
			m.laters = append(m.laters, l)
		}
	}
	return m
}

// stranger is somebody else's web server, who has a page for everybody.
func stranger(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Server", "nginx")
	fmt.Fprint(w, "<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>\n")
}

// largest is the longest statement that a persona reads, in bytes.
const largest = 1 << 20

// ServeHTTP answers like the persona.
func (m *manners) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.Delay > 0 {
		select {
		case <-time.After(m.Delay):
		case <-r.Context().Done():
			return
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone, or says too much
	}
	parameters := r.URL.Query()
	sql, form := joined(r, parameters.Get("query"), string(body))
	if refusal := m.token(r); refusal != nil {
		refusal.write(w, m.Persona)
		return
	}
	if refusal := m.refuse(sql, parameters); refusal != nil {
		refusal.write(w, m.Persona)
		return
	}
	parameters.Del("query")
	m.pass(w, r, parameters, m.reword(sql), form)
}

// joined is the statement, of the URL and the body as ClickHouse joins them, and the body
// where that is a form, as external tables come in: none of it is the statement.
func joined(r *http.Request, sql, body string) (statement, form string) {
	switch {
	case strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data"):
		return sql, body
	case sql == "" || body == "":
		return sql + body, ""
	}
	return sql + "\n" + body, ""
}

// token lets the owner of a token in as themselves, where tokens are taken.
func (m *manners) token(r *http.Request) *exception {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return nil
	case !m.Tokens:
		return &noScheme
	}
	user, err := m.Processor.user(r.Context(), token, time.Now())
	if err != nil {
		return &badToken // it does not tell more
	}
	r.SetBasicAuth(user, m.Processor.Password)
	return nil
}

var (
	impersonates    = regexp.MustCompile(`(?is)^\s*(EXECUTE)\s+AS\b`)
	letsImpersonate = regexp.MustCompile(`(?is)^\s*GRANT\s+IMPERSONATE\b`)
)

// refuse is the exception that the persona has for a statement; nil: none of its own.
func (m *manners) refuse(sql string, parameters url.Values) *exception {
	for _, l := range m.laters {
		if l.statement.MatchString(sql) || l.setting != "" && parameters.Has(l.setting) {
			return &l.refusal
		}
	}
	acts, grants := impersonates.MatchString(sql), letsImpersonate.MatchString(sql)
	switch {
	case !acts && !grants:
	case m.ExecuteAs == SwitchedOff:
		return &switchedOff
	case m.ExecuteAs == OldSwitchOff:
		return &oldSwitchOff
	case m.ExecuteAs == NoSyntax && acts:
		e := unknownWord("EXECUTE", sql)
		return &e
	case m.ExecuteAs == NoSyntax:
		e := unknownRight(sql)
		return &e
	}
	return nil
}

var (
	asksVersion = regexp.MustCompile(`(?i)\bversion\(\)`)
	lastFormat  = regexp.MustCompile(`(?is)\sFORMAT\s+\w+\s*;?\s*$`)
)

// reword is the statement as the real ClickHouse is asked it.
func (m *manners) reword(sql string) string {
	if m.ExecuteAs == DropsFormat && impersonates.MatchString(sql) {
		sql = lastFormat.ReplaceAllString(sql, "")
	}
	return asksVersion.ReplaceAllString(sql, "'"+m.Version+"'")
}

var realVersion = regexp.MustCompile(` \(version [^()]*(?:\([^()]*\))?\)`)

// pass asks the real ClickHouse, and answers what it answers, in the persona's words.
func (m *manners) pass(w http.ResponseWriter, r *http.Request, parameters url.Values, sql, form string) {
	address := m.upstream + r.URL.Path
	if form != "" || r.Method == http.MethodGet && sql != "" {
		parameters.Set("query", sql)
		sql = form
	}
	if len(parameters) > 0 {
		address += "?" + parameters.Encode()
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, address, strings.NewReader(sql))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request.Header = r.Header.Clone()
	request.Header.Set("Accept-Encoding", "identity") // or the transport would ask for gzip
	response, err := m.client.Do(request)
	if err != nil {
		panic(http.ErrAbortHandler) // as a ClickHouse that is gone
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	rows, failure, failed := midStream(response, answer)
	switch {
	case err != nil && (!failed || m.since("24.11")):
		panic(http.ErrAbortHandler) // as a ClickHouse that is gone, or breaks its answer off
	case failed && !m.since("24.11"):
		answer = append(rows, m.old(failure)...)
	case response.StatusCode != http.StatusOK:
		answer = []byte(m.old(string(answer)))
	}
	m.answer(w, response, answer)
}

// old is an exception of the real server in the persona's words.
func (m *manners) old(exception string) string {
	return m.worded(realVersion.ReplaceAllString(exception, strings.ReplaceAll(m.suffix(), "$", "$$")))
}

// midStream finds the exception that the real server wrote behind rows that had left
// already. Before 24.11 nothing stood around it, and the answer ended as if all were well.
func midStream(response *http.Response, answer []byte) (rows []byte, exception string, found bool) {
	tag := response.Header.Get("X-Clickhouse-Exception-Tag")
	rows, rest, found := bytes.Cut(answer, []byte("\r\n__exception__\r\n"+tag+"\r\n"))
	if tag == "" || !found {
		return nil, "", false
	}
	exception, _, _ = strings.Cut(string(rest), "\n")
	return rows, exception + "\n", true
}

// answer writes the real server's answer, without what came later.
func (m *manners) answer(w http.ResponseWriter, response *http.Response, body []byte) {
	maps.Copy(w.Header(), response.Header)
	w.Header().Del("Content-Length") // the words may have changed
	if w.Header().Get("X-Clickhouse-Server-Display-Name") != "" {
		w.Header().Set("X-Clickhouse-Server-Display-Name", displayName)
	}
	if !m.since("25.11") { // #88818
		w.Header().Del("X-Clickhouse-Exception-Tag")
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, bytes.NewReader(body)) // the client may be gone
}
