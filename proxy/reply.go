package proxy

import (
	"io"
	"net/http"
	"strings"

	"porterhouse"
)

// reply is where an answer goes once its head is written.
type reply interface {
	io.Writer
	flush() error // sends what there is
	end() error   // the answer is whole
}

// begin writes the head of the answer.
func (x *exchange) begin(status int, fields []porterhouse.Setting) reply {
	x.status = status
	if x.progress != nil {
		if out := x.progress.finish(fields); out != nil {
			x.status = http.StatusOK // that was said long ago
			return out
		}
	}
	h := x.w.Header()
	for _, f := range fields {
		if isOurs(f.Name) {
			continue
		}
		h[f.Name] = append(h[f.Name], f.Value)
	}
	if x.r.ProtoMajor == 1 && !x.body.whole() {
		// net/http would read the rest of the body when it is through with the request,
		// and then trip over the next one.
		setField(h, "Connection", "close")
	}
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // nobody guesses one
	}
	x.w.WriteHeader(status)
	return &direct{ResponseWriter: x.w}
}

// isOurs reports whether a field of ClickHouse's head says something of its connection
// to us, or what we say ourselves.
func isOurs(name string) bool {
	switch strings.ToLower(name) {
	case "connection", "keep-alive", "transfer-encoding", "content-length", "date", "upgrade", "trailer", "set-cookie",
		"vary", "x-request-id", "access-control-allow-origin", "access-control-expose-headers":
		return true
	}
	return false
}

// direct is a reply by way of net/http.
type direct struct {
	http.ResponseWriter
	control *http.ResponseController // nil: nothing was flushed yet
}

func (d *direct) flush() error {
	if d.control == nil {
		d.control = http.NewResponseController(d.ResponseWriter)
	}
	return d.control.Flush()
}

func (d *direct) end() error { return nil }
