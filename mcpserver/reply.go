package mcpserver

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// reply is the ResponseWriter of one request. It does two things that the SDK
// cannot be asked for:
//
// A long text goes around the SDK's marshalling, which would encode it about
// five times: the tool holds the escaped text here and gives the SDK a one-time
// placeholder, and Write puts the text where the placeholder stands. The
// placeholder is random, made after the request was read, and never leaves the
// process, so nobody can send it.
//
// An answer that nothing precedes goes out as one JSON document: the SDK always
// writes an event stream, because only so a note on progress can come first.
type reply struct {
	http.ResponseWriter
	single  bool          // the request holds one message, so one answer ends it
	recycle func(*[]byte) // takes back the buffers of texts
	status  int           // as sent; 0: nothing yet
	form    form

	mu     sync.Mutex // tools hold texts while the SDK writes
	texts  []heldText
	closed bool
}

// form is how the answer travels.
type form byte

const (
	undecided form = iota
	stream         // server-sent events, or whatever else the SDK wrote
	document       // one JSON document with a length
)

type heldText struct {
	placeholder string
	escaped     *[]byte
}

// hold keeps an escaped text and returns the placeholder that stands for it.
// After the end of the request nobody can be answered: it reports false.
func (r *reply) hold(escaped *[]byte) (placeholder string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return "", false
	}
	placeholder = "text-" + rand.Text()
	r.texts = append(r.texts, heldText{placeholder, escaped})
	return placeholder, true
}

// close ends the request and reports how many texts never went out.
func (r *reply) close() (undelivered int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, t := range r.texts {
		r.recycle(t.escaped)
	}
	undelivered, r.texts = len(r.texts), nil
	return undelivered
}

// WriteHeader implements http.ResponseWriter.
func (r *reply) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
		r.forbidStoring()
	}
	r.ResponseWriter.WriteHeader(status)
}

// forbidStoring keeps what a person may read out of caches. The SDK only says
// no-cache, which lets them store it, and would overwrite an earlier header.
func (r *reply) forbidStoring() { r.Header().Set("Cache-Control", "no-store, no-transform") }

// The frame that the SDK puts around an event.
var (
	eventHead = []byte("event: message\ndata: ")
	eventTail = []byte("\n\n")
)

// Write implements http.ResponseWriter. The SDK writes a whole message, or a
// whole event, at a time. The result counts the bytes of p.
func (r *reply) Write(p []byte) (int, error) {
	if r.form == undecided {
		r.decide(p)
	}
	if r.status == 0 {
		r.status = http.StatusOK
		r.forbidStoring()
	}
	body := p
	if r.form == document {
		body = bytes.TrimSuffix(bytes.TrimPrefix(p, eventHead), eventTail)
	}
	parts, texts := r.splice(body)
	if r.form == document {
		length := 0
		for _, part := range parts {
			length += len(part)
		}
		r.Header().Set("Content-Type", "application/json")
		r.Header().Set("Content-Length", strconv.Itoa(length))
		r.Header().Del("Connection")
	}
	for _, part := range parts {
		if _, err := r.ResponseWriter.Write(part); err != nil {
			return 0, fmt.Errorf("mcpserver: writing the answer: %w", err)
		}
	}
	for _, t := range texts {
		r.recycle(t.escaped)
	}
	return len(p), nil
}

// decide settles the form with the first bytes of the answer.
func (r *reply) decide(p []byte) {
	r.form = stream
	data, ok := bytes.CutPrefix(p, eventHead)
	if ok && r.single && r.status == 0 && isAnswer(data) {
		r.form = document
	}
}

// splice cuts body at the placeholders in it and puts their texts there.
func (r *reply) splice(body []byte) (parts [][]byte, used []heldText) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.texts[:0]
	for _, t := range r.texts {
		before, after, found := bytes.Cut(body, []byte(t.placeholder))
		if !found {
			kept = append(kept, t)
			continue
		}
		parts, used, body = append(parts, before, *t.escaped), append(used, t), after
	}
	r.texts = kept
	return append(parts, body), used
}

// FlushError implements what http.ResponseController looks for.
func (r *reply) FlushError() error {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK) // or the flush would send the header as the SDK left it
	}
	return http.NewResponseController(r.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (r *reply) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// isAnswer reports whether a JSON-RPC message, as the SDK writes it, answers a
// request: its id is followed by a result or an error. A notification has no id,
// and a request to the client has a method there. What is not recognized is no
// answer, and then travels as an event: that is always right.
func isAnswer(message []byte) bool {
	rest, ok := bytes.CutPrefix(message, []byte(`{"jsonrpc":"2.0","id":`))
	if !ok {
		return false
	}
	rest = rest[idLength(rest):]
	return bytes.HasPrefix(rest, []byte(`,"result":`)) || bytes.HasPrefix(rest, []byte(`,"error":`))
}

// idLength is the length of the JSON string or number that text begins with.
func idLength(text []byte) int {
	if len(text) == 0 || text[0] != '"' {
		return max(0, bytes.IndexByte(text, ','))
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
