package clickhouse

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"porterhouse"
)

// answer makes the answer to a statement that has ended: what ClickHouse's HTTP
// interface would say, so that no client can tell the ways apart.
func (n *nativeCall) answer(exception *nativeException) *porterhouse.Answer {
	took := time.Since(n.begun)
	b := &toldBody{summary: porterhouse.Summary{
		ReadRows:  int64(n.amount.readRows),
		ReadBytes: int64(n.amount.readBytes),
		Written:   int64(n.amount.writtenRows),
		Sent:      n.data,
		Duration:  took,
	}}
	head := &porterhouse.Head{Status: http.StatusOK, Fields: []porterhouse.Setting{
		{Name: headerSummary, Value: n.amount.summary(took)},
		{Name: "Content-Type", Value: "text/plain; charset=UTF-8"},
	}}
	add := func(name, value string) {
		if value != "" && !strings.ContainsFunc(value, notOfValues) { // a client chooses the id
			head.Fields = append(head.Fields, porterhouse.Setting{Name: name, Value: value})
		}
	}
	server := n.server()
	add("X-ClickHouse-Server-Display-Name", server.display)
	add(headerQueryID, n.ID)
	add("X-ClickHouse-Timezone", server.timezone)
	if exception != nil {
		text := replaceWord(exception.text(server.version), n.sessions.client.cleaner.gateway, n.user.String())
		head.Status = statusOf(exception.code)
		add(headerExceptionCode, strconv.Itoa(int(exception.code)))
		b.text.Reset(text)
		parsed, _ := parseException(text)
		parsed.Message = n.sessions.client.cleaner.clean(parsed.Message)
		b.summary.Exception = &parsed
	}
	return &porterhouse.Answer{Head: head, Body: b, Summary: b.Summary}
}

// server returns what is known of the server.
func (n *nativeCall) server() serverName {
	if n.conn == nil {
		return serverName{}
	}
	return n.conn.server
}

// text writes the exception as ClickHouse's HTTP interface does.
func (e *nativeException) text(version string) string {
	text := fmt.Sprintf("Code: %d. %s", e.code, e.message)
	if name := errorName(e.code); name != "" {
		text += ". (" + name + ")"
	}
	if version != "" {
		text += " (version " + version + ")"
	}
	return text + "\n"
}

// errorNames has the names of ClickHouse's errors: a line for each, the code and the
// name. The native protocol tells the code only.
//
//go:embed error_names.txt
var errorNames string

// errorName returns the name of an error; "" for one that is younger than the list.
func errorName(code int32) string {
	_, rest, _ := strings.Cut("\n"+errorNames, "\n"+strconv.Itoa(int(code))+" ")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}

// statusOf returns the status that ClickHouse's HTTP interface has for an exception.
// A test asks ClickHouse about each code.
func statusOf(code int32) int {
	switch code {
	case 6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676:
		return http.StatusBadRequest
	case 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511:
		return http.StatusNotFound
	case 192, 193, 512, 516:
		return http.StatusForbidden
	case 194:
		return http.StatusUnauthorized
	case 159:
		return http.StatusRequestTimeout
	case 381:
		return http.StatusLengthRequired
	case 229:
		return http.StatusRequestEntityTooLarge
	case 779:
		return http.StatusUnsupportedMediaType
	case 48:
		return http.StatusNotImplemented
	case 76, 209, 439:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// toldBody is the Body of an answer that is all here: nothing, or an exception.
type toldBody struct {
	text    strings.Reader
	summary porterhouse.Summary
}

// Read implements io.Reader.
func (b *toldBody) Read(p []byte) (int, error) {
	count, err := b.text.Read(p)
	b.summary.Bytes += int64(count)
	return count, err
}

// Close implements io.Closer.
func (b *toldBody) Close() error {
	if b.text.Len() > 0 {
		b.summary.Cut = porterhouse.CutCaller
		b.text.Reset("")
	}
	return nil
}

// Summary is the Summary of the Answer.
func (b *toldBody) Summary() porterhouse.Summary { return b.summary }

// summary words progress as X-ClickHouse-Summary does. An INSERT's result is what it
// wrote. How much memory was used the native protocol does not tell here.
func (p progress) summary(took time.Duration) string {
	return fmt.Sprintf(`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d","total_rows_to_read":"%d",`+
		`"result_rows":"%[3]d","result_bytes":"%[4]d","elapsed_ns":"%[6]d","memory_usage":"0"}`,
		p.readRows, p.readBytes, p.writtenRows, p.writtenBytes, p.totalRows, took.Nanoseconds())
}

// line words progress as X-ClickHouse-Progress does: without what is zero.
func (p progress) line(took time.Duration) string {
	var b strings.Builder
	for _, pair := range []struct {
		name  string
		value uint64
	}{
		{"read_rows", p.readRows}, {"read_bytes", p.readBytes}, {"written_rows", p.writtenRows}, {"written_bytes", p.writtenBytes},
		{"total_rows_to_read", p.totalRows}, {"elapsed_ns", uint64(took.Nanoseconds())},
	} {
		if pair.value > 0 {
			fmt.Fprintf(&b, `,"%s":"%d"`, pair.name, pair.value)
		}
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// progressEvery is the least time between two lines of progress, as in ClickHouse.
const progressEvery = 100 * time.Millisecond

// note counts what was done, and tells the client now and then.
func (n *nativeCall) note(more progress) {
	n.amount.add(more)
	if n.Passage.Progress == nil || time.Since(n.noted) < progressEvery {
		return
	}
	n.noted = time.Now()
	n.Passage.Progress(n.amount.line(time.Since(n.begun)))
}

// explain makes the caller's error of an exception that is about the gateway.
func (n *nativeCall) explain(r *refusal) error {
	text := exceptionText(r.text(n.server().version))
	client := n.sessions.client
	return client.explain(text, &statement{Query: n.Query, way: byExecuteAs{client}, prefix: n.prefix, as: n.user})
}

// What is told of statements whose end nobody has seen.
const (
	stoppedLate = "ClickHouse did not finish within the %s that a statement may take, and was told to stop; what it had done by then stays done"
	neverWhole  = "the statement was not there as a whole within the %s that it may take, so nothing of it was done"
	brokenEarly = "the connection to ClickHouse broke before the statement was there as a whole, so nothing of it was done; try again in a moment"
	endUnknown  = "the connection to ClickHouse broke before the end of the statement, so nobody knows whether it was carried out; look before you send it again"
	brokenData  = "the data of the INSERT broke off before its end, so nothing of it was inserted"
	hasRows     = "ClickHouse answers this statement with rows, which the access mode execute_as cannot bring; it may have been carried out. " +
		"The operator can set the cluster's access mode to verify, which carries everything"
)

// fail makes the caller's error of one that is not an exception of ClickHouse's.
// Whose time was up or who went away decides, for then a connection only says that it
// is closed.
func (n *nativeCall) fail(err error) error {
	broken, noData := errors.AsType[*dataError](err)
	cause := err
	if noData {
		cause = broken.err
	}
	if told, ok := errors.AsType[*porterhouse.Error](cause); ok && n.ctx.Err() == nil {
		return told
	}
	e := &porterhouse.Error{Kind: porterhouse.Unavailable, Err: err}
	late := errors.Is(n.ctx.Err(), context.DeadlineExceeded)
	switch {
	case n.caller.Err() != nil:
		e.Kind, e.Public = porterhouse.Explain(n.caller.Err())
	case n.sessions.stopping.Err() != nil:
		e.Public = "Porterhouse is shutting down, and has stopped the statement"
	case late && n.sent:
		e.Kind, e.Public = porterhouse.Timeout, fmt.Sprintf(stoppedLate, n.Limits.Time)
	case late && n.begins:
		e.Kind, e.Public = porterhouse.Timeout, fmt.Sprintf(neverWhole, n.Limits.Time)
	case late:
		e.Public = noPlace
	case noData:
		e.Kind, e.Public = porterhouse.Canceled, brokenData
	case errors.Is(err, errRows):
		e.Kind, e.Public = porterhouse.Refused, hasRows
	case n.sent:
		e.Public = endUnknown
	case n.begins:
		e.Public = brokenEarly
	default:
		return unreached(err)
	}
	return e
}
