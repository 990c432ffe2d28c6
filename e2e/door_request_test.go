package e2e

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// request is one that a client sends; the zero fields are a POST to / without anything.
type request struct {
	method  string
	target  string   // path and query, as they are written
	headers []string // Name: value
	body    string
	stream  bool // without a length: in chunks
}

// post is a POST of a statement with parameters of the URL, name=value, escaped already.
func post(sql string, parameters ...string) request {
	return request{target: "/?" + strings.Join(parameters, "&"), body: sql}
}

// with is the same request with more headers.
func (r request) with(headers ...string) request {
	r.headers = append(slices.Clone(r.headers), headers...)
	return r
}

// reply is what came back.
type reply struct {
	status  int
	headers http.Header
	body    string
	broken  bool // it ended before its end
}

// send sends r this way. The error is of a connection that gave no answer at all.
func (w way) send(ctx context.Context, client *http.Client, r request) (reply, error) {
	var body io.Reader = strings.NewReader(r.body)
	if r.stream {
		body = io.MultiReader(body) // hides the length
	}
	if r.body == "" && !r.stream {
		body = http.NoBody
	}
	out, err := http.NewRequestWithContext(ctx, cmp.Or(r.method, http.MethodPost), w.url+cmp.Or(r.target, "/"), body)
	if err != nil {
		return reply{}, err
	}
	if w.user != "" {
		out.SetBasicAuth(w.user, w.secret)
	}
	out.Header.Set("User-Agent", "e2e")
	for _, header := range r.headers {
		name, value, _ := strings.Cut(header, ": ")
		out.Header.Add(name, value)
	}
	response, err := client.Do(out)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return reply{}, fmt.Errorf("after %d bytes: %w", len(text), err)
	}
	return reply{response.StatusCode, response.Header, string(text), err != nil}, nil
}

// say sends r this way, again while a query of the same name has not quite ended: its
// answer is whole a moment before it is.
func (w way) say(ctx context.Context, client *http.Client, r request) (got reply, err error) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got, err = w.send(ctx, client, r); err != nil || got.headers.Get(codeHeader) != "216" {
			break
		}
	}
	return got, err
}

// apart are headers of one connection or of one moment, those that the door adds to what
// ClickHouse says, and what ClickHouse tells browsers, to whom the door says itself what
// they may do.
var apart = []string{"Date", "Connection", "Keep-Alive", "Content-Length",
	"X-Request-Id", "Cache-Control", "X-Content-Type-Options", "Access-Control-Expose-Headers"}

// What differs from one answer to the next, also straight from ClickHouse.
var (
	elapsedField = regexp.MustCompile(`"(elapsed_ns|memory_usage|read_rows|read_bytes|written_rows|written_bytes|total_rows_to_read|result_rows|result_bytes)":"\d+"`)
	elapsedTotal = regexp.MustCompile(`"elapsed_ns":"\d+"`)
	anyUUID      = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	elapsedTime  = regexp.MustCompile(`elapsed [0-9.]+ ms|-?[0-9.]+ [KMG]?i?B\b`)
)

// settled is the reply without what differs from one to the next.
func (r reply) settled() reply {
	headers := r.headers.Clone()
	for _, name := range apart {
		headers.Del(name)
	}
	const summary, progress = "X-Clickhouse-Summary", "X-Clickhouse-Progress"
	if values := headers[summary]; len(values) > 0 {
		headers[summary] = []string{elapsedField.ReplaceAllString(values[len(values)-1], `"$1":""`)}
	}
	if values := headers[progress]; len(values) > 0 && strings.HasPrefix(values[0], `{"read_rows":"`) {
		headers[progress] = []string{"(how far it was, and how often)"}
	}
	if anyUUID.MatchString(headers.Get("X-ClickHouse-Query-Id")) {
		headers.Set("X-ClickHouse-Query-Id", "(random)")
	}
	body := r.decoded()
	if tag := headers.Get("X-ClickHouse-Exception-Tag"); tag != "" {
		headers.Set("X-ClickHouse-Exception-Tag", "(tag)")
		body = strings.ReplaceAll(body, tag, "(tag)")
	}
	if strings.HasPrefix(body, "Obj\x01") { // Avro separates its blocks by 16 random bytes
		body = strings.ReplaceAll(body, body[len(body)-16:], "(avro separator)")
	}
	const ends = 64 << 10 // what differs is in short answers, and in exceptions at the end of long ones
	head, tail := body[:max(0, len(body)-ends)], body[max(0, len(body)-ends):]
	for _, moment := range []*regexp.Regexp{elapsedTime, elapsedTotal, anyUUID} {
		tail = moment.ReplaceAllString(tail, "(some)")
	}
	return reply{r.status, headers, head + tail, r.broken}
}

// decoded is the body without gzip, as far as it goes: an exception inside of it has a
// tag that is never the same.
func (r reply) decoded() string {
	if r.headers.Get("Content-Encoding") != "gzip" {
		return r.body
	}
	decoder, err := gzip.NewReader(strings.NewReader(r.body))
	if err != nil {
		return r.body
	}
	text, err := io.ReadAll(decoder)
	return fmt.Sprintf("%s\n(end of gzip: %v)", text, err)
}

// codeHeader says which error an answer is.
const codeHeader = "X-ClickHouse-Exception-Code"

// refused reports whether the door itself refused the request: ClickHouse would say
// which server it is.
func (r reply) refused() bool {
	return r.headers.Get(codeHeader) != "" && r.headers.Get("X-ClickHouse-Server-Display-Name") == ""
}

// differences tells in words how got differs from want; "" when it does not.
func differences(want, got reply) string {
	want, got = want.settled(), got.settled()
	var list []string
	if want.status != got.status {
		list = append(list, fmt.Sprintf("status %d instead of %d", got.status, want.status))
	}
	if got.refused() && want.status == got.status && want.headers.Get(codeHeader) == got.headers.Get(codeHeader) {
		return "" // the words are ClickHouse's or better; nothing ran that headers could tell of
	}
	if want.broken != got.broken {
		list = append(list, fmt.Sprintf("broken: %v instead of %v", got.broken, want.broken))
	}
	for _, name := range names(want.headers, got.headers) {
		if w, g := want.headers.Values(name), got.headers.Values(name); !slices.Equal(w, g) {
			list = append(list, fmt.Sprintf("%s: %q instead of %q", name, g, w))
		}
	}
	if want.body != got.body {
		at := 0
		for at < min(len(want.body), len(got.body)) && want.body[at] == got.body[at] {
			at++
		}
		list = append(list, fmt.Sprintf("body (%d bytes instead of %d) from byte %d: %.300q instead of %.300q", len(got.body), len(want.body), at, got.body[at:], want.body[at:]))
	}
	return strings.Join(list, "; ")
}

// names are those of all headers, sorted.
func names(all ...http.Header) (names []string) {
	for _, headers := range all {
		for name := range headers {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
