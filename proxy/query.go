package proxy

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"porterhouse"
)

// exchange is one query and its answer.
type exchange struct {
	*Server
	w     http.ResponseWriter
	r     *http.Request
	since time.Time
	query porterhouse.Query
	id    string // of the query, as ClickHouse says; "": it has not
	who   porterhouse.Principal
	body  *arrival // nil: the request has none

	progress *progress // nil: the client wants none
	status   int       // of the answer
	sent     int64     // bytes of the answer
	broken   bool      // it was cut off
	err      error     // why it is not what the client asked for; nil: it is, or ClickHouse says so itself
}

// serveQuery answers one query.
func (s *Server) serveQuery(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Server: s, w: w, r: r, since: s.config.Now()}
	s.web.allow(w.Header(), r)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	answer, err := x.ask(ctx, cancel)
	defer x.leave()
	if err != nil {
		x.explain(err)
	} else {
		x.answer(answer)
	}
	x.log()
	x.leave()
	x.linger()
	if x.progress != nil {
		x.progress.close()
	}
	if x.broken {
		s.count.broken.Add(1)
		panic(http.ErrAbortHandler) // this breaks the connection, or the stream in HTTP/2
	}
}

// ask reads the request and asks the gate.
func (x *exchange) ask(ctx context.Context, cancel context.CancelFunc) (*porterhouse.Answer, error) {
	if err := x.web.check(x.r); err != nil {
		return nil, err
	}
	if err := checkHead(x.r); err != nil {
		return nil, err
	}
	_, raw, _ := strings.Cut(x.r.RequestURI, "?")
	p, err := readParameters(raw, isForm(x.r))
	if err != nil {
		return nil, err
	}
	if x.who, err = x.Server.who(x.r, p); err != nil {
		return nil, err
	}
	if x.query, err = x.newQuery(x.r, p); err != nil {
		return nil, err
	}
	if err := x.addBody(p); err != nil {
		return nil, err
	}
	if p.set("send_progress_in_http_headers") {
		x.progress = &progress{exchange: x, cancel: cancel}
		x.query.Passage.Progress = x.progress.tell
	}
	return x.config.Gate.Query(ctx, x.who, x.query)
}

// addBody adds the request's body to the query.
func (x *exchange) addBody(p *parameters) (err error) {
	if x.r.Body == nil || x.r.Body == http.NoBody || x.r.ContentLength == 0 {
		return nil
	}
	x.body, err = addBody(&x.query, x.r, p, http.NewResponseController(x.w), &x.room)
	return err
}

// leave gives back what the request took of the room; nobody reads its body any more.
func (x *exchange) leave() {
	if x.body != nil {
		x.body.memory.leave()
	}
}

// answer writes the answer, as it comes.
func (x *exchange) answer(a *porterhouse.Answer) {
	defer a.Body.Close()
	buffer := x.buffers.Get().(*[]byte)
	defer x.buffers.Put(buffer)
	n, err := a.Body.Read(*buffer)
	if n == 0 && err != nil && err != io.EOF {
		x.explain(err) // nothing has gone out yet, so it can be told
		return
	}
	x.id = idOf(a.Head)
	size := unknown
	if x.refused(a.Head.Status) {
		for err == nil && n < len(*buffer) {
			var more int
			more, err = a.Body.Read((*buffer)[n:])
			n += more
		}
		if err == io.EOF {
			size = n
		}
	}
	out := x.begin(a.Head.Status, a.Head.Fields, size)
	for {
		if failed := x.write(out, (*buffer)[:n], err == nil); failed != nil {
			err = failed
		}
		if err != nil {
			break
		}
		n, err = a.Body.Read(*buffer)
	}
	whole := err == io.EOF
	if ended := out.end(whole); whole {
		err = ended
	}
	if err != nil {
		x.cut(err)
	}
}

// write writes a piece of the answer. When there was less than there might have been,
// and more is to come, the client gets what there is.
func (x *exchange) write(out reply, piece []byte, more bool) error {
	if len(piece) > 0 {
		n, err := out.Write(piece)
		if x.sent += int64(n); err != nil {
			return err
		}
	}
	if more && len(piece) < bufferSize {
		return out.flush()
	}
	return nil
}

// cut notes that the rest of the answer does not come.
func (x *exchange) cut(err error) { x.broken, x.err = true, err }

// explain answers with an error of ours.
func (x *exchange) explain(err error) {
	x.err = err
	x.count.refused.Add(1)
	p := newProblem(err, requestID(x.r))
	if p.code == codeLengthRequired && x.r.ProtoMajor == 1 {
		setField(x.w.Header(), "Connection", "close") // nobody knows what follows
	}
	text := p.String()
	out := x.begin(p.status, p.fields(x.challenge), len(text))
	n, err := io.WriteString(out, text)
	x.sent += int64(n)
	if err == nil {
		err = out.end(true)
	}
	if err != nil {
		x.broken = true
	}
}

// idOf is the id under which ClickHouse's own log has the query.
func idOf(h *porterhouse.Head) string {
	for _, f := range h.Fields {
		if f.Name == "X-ClickHouse-Query-Id" {
			return f.Value
		}
	}
	return ""
}

// log notes the request, once.
func (x *exchange) log() {
	level, kind := slog.LevelInfo, porterhouse.Kind("")
	if x.err != nil {
		kind, _ = porterhouse.Explain(x.err)
	}
	if kind == porterhouse.Internal || kind == porterhouse.Unavailable {
		level = slog.LevelWarn
	}
	ctx := x.r.Context()
	if !x.config.Log.Enabled(ctx, level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("request", requestID(x.r)), slog.String("user", x.who.User), slog.String("client", x.who.Client),
		slog.String("query_id", cmp.Or(x.query.ID, x.id)), slog.Int("status", x.status), slog.Int64("bytes", x.sent),
		slog.Duration("duration", x.config.Now().Sub(x.since)), slog.String("remote", x.r.RemoteAddr),
	}
	if x.err != nil {
		attributes = append(attributes, slog.String("kind", string(kind)), slog.Bool("broken", x.broken), slog.Any("cause", x.err))
	}
	x.config.Log.LogAttrs(ctx, level, "query", attributes...)
}
