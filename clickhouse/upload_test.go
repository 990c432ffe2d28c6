package clickhouse

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"porterhouse"
)

// received is what a server has of a request.
type received struct {
	body string
	err  error // io.EOF: it is whole
	rest bool  // something came behind it
}

// collector answers each request when it has it all, and hands over what it had.
func collector(t *testing.T) (address string, got chan received) {
	got = make(chan received, 16)
	return speaker(t, func(c net.Conn, in *bufio.Reader) error {
		request, err := http.ReadRequest(in)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(request.Body)
		got <- received{body: string(body), err: err, rest: in.Buffered() > 0}
		if err != nil {
			return err
		}
		_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: id\r\nContent-Length: 3\r\n\r\nyes")
		return err
	}), got
}

// exchangeAll sends a request and reads all of the answer.
func exchangeAll(ctx context.Context, client *Client, o outgoing) (string, error) {
	r, err := client.questions.ask(ctx, o, new(atomic.Bool))
	if err != nil {
		return "", err
	}
	defer r.body.Close()
	text, err := io.ReadAll(r.body)
	return string(text), err
}

// failing ends with an error instead of its end.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// What arrives is what the client sent, whole; or else the server sees that it is not,
// and nothing else is sent over that connection.
func TestUploads(t *testing.T) {
	t.Parallel()
	errBroken := errors.New("the client is gone")
	invalid := porterhouse.Errorf(porterhouse.Invalid, "the body is no gzip")
	long := strings.Repeat("0123456789", 50_000)
	for _, test := range []struct {
		name string
		body string
		data io.Reader
		size int64
		want string // that arrives
		err  error  // nil: it arrives whole
	}{
		{"nothing, length unknown", "", strings.NewReader(""), -1, "", nil},
		{"nothing, and it is known", "", strings.NewReader(""), 0, "", nil},
		{"something that was announced as nothing", "", strings.NewReader("x"), 0, "x", nil},
		{"length unknown", "INSERT ", strings.NewReader(long), -1, "INSERT " + long, nil},
		{"length known", "INSERT ", strings.NewReader(long), int64(len(long)), "INSERT " + long, nil},
		{"the end comes with the last byte", "", iotestDataErr(long), int64(len(long)), long, nil},
		{"the end comes with the last byte, length unknown", "", iotestDataErr(long), -1, long, nil},
		{"byte by byte", "", onlyBytes{strings.NewReader(long[:300])}, 300, long[:300], nil},
		{"byte by byte, length unknown", "", onlyBytes{strings.NewReader(long[:300])}, -1, long[:300], nil},
		{"one byte short", "", strings.NewReader(long), int64(len(long)) + 1, long, errAny},
		{"one byte long", "", strings.NewReader(long), int64(len(long)) - 1, "", errAny},
		{"one byte long, at once", "", strings.NewReader("ab"), 1, "", errAny},
		{"without end", "", zeros{}, 1 << 20, "", errAny},
		{"broken", "", io.MultiReader(strings.NewReader(long), failing{errBroken}), -1, "", errBroken},
		{"broken, length known", "", io.MultiReader(strings.NewReader(long), failing{errBroken}), int64(len(long)) + 10, "", errBroken},
		{"broken just before its end", "", io.MultiReader(strings.NewReader(long), failing{errBroken}), int64(len(long)), "", errBroken},
		{"broken at once", "", failing{errBroken}, -1, "", errBroken},
		{"not what it should be", "", failing{invalid}, -1, "", invalid},
		{"says nothing", "", failing{}, -1, "", io.ErrNoProgress},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address, got := collector(t)
			client := silentClient(t, address)
			text, err := exchangeAll(t.Context(), client, outgoing{head: postHead, body: test.body, data: test.data, size: test.size})
			arrived := <-got
			if test.err == nil {
				if err != nil || text != "yes" || arrived.err != nil || arrived.body != test.want || arrived.rest {
					t.Fatalf("%.20q, %v; the server has %d bytes, %v", text, err, len(arrived.body), arrived.err)
				}
			} else if e, ok := errors.AsType[*porterhouse.Error](err); !ok || test.err != errAny && !errors.Is(err, test.err) {
				t.Errorf("the error is %v (%v)", err, e)
			} else if arrived.err == nil {
				t.Errorf("the server takes %d bytes for all", len(arrived.body))
			}
			// The next request comes as itself.
			text, err = exchangeAll(t.Context(), client, outgoing{head: postHead, body: "next"})
			if arrived := <-got; err != nil || text != "yes" || arrived.body != "next" {
				t.Errorf("next: %q, %v, %+v", text, err, arrived)
			}
			want := uint64(1)
			if test.err != nil {
				want = 2
			}
			if n := client.Stats().ConnectionsOpened; n != want {
				t.Errorf("%d connections were opened, want %d", n, want)
			}
		})
	}
}

// errAny stands for an error that only has to be one.
var errAny = errors.New("any error")

// iotestDataErr is a reader that says its end together with its last bytes.
func iotestDataErr(text string) io.Reader { return &dataAndEnd{text} }

type dataAndEnd struct{ left string }

func (d *dataAndEnd) Read(p []byte) (int, error) {
	n := copy(p, d.left)
	if d.left = d.left[n:]; d.left == "" {
		return n, io.EOF
	}
	return n, nil
}

type onlyBytes struct{ io.Reader }

func (o onlyBytes) Read(p []byte) (int, error) { return o.Reader.Read(p[:min(1, len(p))]) }

// waiting is data of a client that sends nothing more, until it is stopped.
type waiting struct {
	stopped chan struct{}
	stops   atomic.Int64
	reading atomic.Bool
}

func newWaiting() *waiting { return &waiting{stopped: make(chan struct{})} }

func (w *waiting) Read([]byte) (int, error) {
	w.reading.Store(true)
	defer w.reading.Store(false)
	<-w.stopped
	return 0, errors.New("stopped")
}

func (w *waiting) stop() {
	if w.stops.Add(1) == 1 {
		close(w.stopped)
	}
}

// A server answers before it has everything: the answer comes through, the upload
// stops, nobody reads the client's data any more, and the connection is not used again.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 400 No\r\nX-ClickHouse-Exception-Code: 62\r\nContent-Length: 5\r\n\r\nno!\r\n"
	for name, then := range map[string]func(c net.Conn, in *bufio.Reader){
		"and waits":       func(_ net.Conn, in *bufio.Reader) { io.Copy(io.Discard, in) },
		"and closes":      func(net.Conn, *bufio.Reader) {},
		"and half closes": func(c net.Conn, in *bufio.Reader) { c.(*net.TCPConn).CloseWrite(); io.Copy(io.Discard, in) },
	} {
		for _, size := range []int64{-1, 1 << 30} {
			address := speaker(t, func(c net.Conn, in *bufio.Reader) error {
				if _, err := http.ReadRequest(in); err != nil {
					return err
				}
				io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"+answer)
				then(c, in)
				return io.EOF
			})
			client := silentClient(t, address)
			for _, some := range []string{"", "some"} {
				slow := newWaiting()
				o := outgoing{head: postHead, data: io.MultiReader(strings.NewReader(some), slow), size: size, stop: slow.stop}
				if text, err := exchangeAll(t.Context(), client, o); err != nil || text != "no!\r\n" {
					t.Errorf("%s, %d: %q, %v", name, size, text, err)
				}
				if slow.reading.Load() || slow.stops.Load() != 1 {
					t.Errorf("%s, %d: the client was stopped %d times", name, size, slow.stops.Load())
				}
			}
			quick := &endlessData{}
			if text, err := exchangeAll(t.Context(), client, outgoing{head: postHead, data: quick, size: size}); err != nil || text != "no!\r\n" {
				t.Errorf("%s, %d: %q, %v", name, size, text, err)
			}
			if quick.reading.Load() {
				t.Errorf("%s, %d: the data is still being read", name, size)
			}
			if n := client.Stats().ConnectionsOpened; n != 3 {
				t.Errorf("%s, %d: 3 requests were sent over %d connections", name, size, n)
			}
		}
	}
}

// endlessData is data of a client that never stops.
type endlessData struct{ reading atomic.Bool }

func (e *endlessData) Read(p []byte) (int, error) {
	e.reading.Store(true)
	defer e.reading.Store(false)
	return len(p), nil
}

// noting tells when it is read.
type noting struct {
	io.Reader
	noted func()
}

func (n *noting) Read(p []byte) (int, error) {
	n.noted()
	return n.Reader.Read(p)
}

// The answer is read while the data is on its way: each line goes up when the answer
// to the one before has come down.
func TestBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	const lines = 100
	client := silentClient(t, speaker(t, func(c net.Conn, in *bufio.Reader) error {
		request, err := http.ReadRequest(in)
		if err != nil {
			return err
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: id\r\nTransfer-Encoding: chunked\r\n\r\n")
		body := bufio.NewReader(request.Body)
		for {
			line, err := body.ReadString('\n')
			if err != nil {
				_, err = io.WriteString(c, "0\r\n\r\n")
				return err
			}
			io.WriteString(c, chunkOf(strings.ToUpper(line)))
		}
	}))
	for range 3 {
		data, up := io.Pipe()
		r, err := client.questions.ask(t.Context(), outgoing{head: postHead, data: data, size: -1}, new(atomic.Bool))
		if err != nil {
			t.Fatal(err)
		}
		down := bufio.NewReader(r.body)
		for range lines {
			io.WriteString(up, "ping\n")
			if line, err := down.ReadString('\n'); err != nil || line != "PING\n" {
				t.Fatalf("%q, %v", line, err)
			}
		}
		up.Close()
		if rest, err := io.ReadAll(down); err != nil || len(rest) != 0 {
			t.Errorf("%q, %v", rest, err)
		}
		if n := r.body.upload.bytes(); n != lines*int64(len("ping\n")) {
			t.Errorf("%d bytes are counted as sent", n)
		}
		r.body.Close()
	}
	if n := client.Stats().ConnectionsOpened; n != 1 {
		t.Errorf("%d connections were opened", n)
	}
}

func chunkOf(text string) string { return string(newChunk(text)) }

func newChunk(text string) []byte {
	p := new(piece)
	return bytes.Clone(p.chunk(copy(p.room(), text)))
}

// Chunks have the length that they say.
func TestChunks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"a": "1\r\na\r\n", strings.Repeat("a", 16): "10\r\n" + strings.Repeat("a", 16) + "\r\n"} {
		if got := chunkOf(text); got != want {
			t.Errorf("%q is sent as %q", text, got)
		}
	}
	if full := newChunk(strings.Repeat("a", uploadPiece)); !bytes.HasPrefix(full, []byte("40000\r\na")) || !bytes.HasSuffix(full, []byte("a\r\n")) || len(full) != len(piece{}) {
		t.Errorf("a full piece is sent as %.10q… of %d bytes", full, len(full))
	}
}

// A question that ends takes its upload with it, whatever that was waiting for, and
// a server that reads nothing holds nobody.
func TestUploadsEndWithTheQuestion(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	client := silentClient(t, speaker(t, func(net.Conn, *bufio.Reader) error { <-release; return io.EOF }))
	slow, quick := newWaiting(), &endlessData{}
	for _, o := range []outgoing{{head: postHead, data: slow, size: -1, stop: slow.stop}, {head: postHead, data: quick, size: 1 << 40}} {
		ctx, cancel := context.WithCancel(t.Context())
		o.data = &noting{Reader: o.data, noted: cancel}
		if _, err := exchangeAll(ctx, client, o); err == nil || ctx.Err() == nil {
			t.Errorf("the error is %v", err)
		}
		if slow.reading.Load() || quick.reading.Load() {
			t.Error("the data is still being read")
		}
	}
	if n := len(client.questions.places); n != 0 {
		t.Errorf("%d places are not free", n)
	}
}

// Nothing is sent twice: a request is sent over another connection only when nothing
// of it has left and nobody has read its data. Whoever waits for the client's data is
// not stopped for the first try.
func TestUploadsAreSentOnce(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	address := speaker(t, func(c net.Conn, in *bufio.Reader) error {
		if _, err := readRequest(in, nil); err != nil {
			return err
		}
		requests.Add(1)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		return nil
	})
	p := newPool(1, func(ctx context.Context) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		return &limited{Conn: c, writes: 2}, err
	})
	defer p.close()
	stops := 0
	for i := range 4 {
		o := outgoing{head: postHead, data: strings.NewReader("data"), size: 4, stop: func() { stops++ }}
		r, err := p.ask(t.Context(), o, new(atomic.Bool))
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if _, err := io.ReadAll(r.body); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
		r.body.Close()
	}
	if requests.Load() != 4 || stops != 0 {
		t.Errorf("4 requests were sent %d times, and stopped %d times", requests.Load(), stops)
	}

	// Once a byte has left, an error is the end of it.
	p = newPool(1, func(ctx context.Context) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		return &limited{Conn: c, writes: 3}, err
	})
	defer p.close()
	tries := 0
	for i, want := range []bool{true, false} {
		login := func(context.Context) (string, error) { tries++; return "", nil }
		o := outgoing{head: postHead, login: login, data: strings.NewReader("data"), size: 4}
		r, err := p.ask(t.Context(), o, new(atomic.Bool))
		if (err == nil) != want {
			t.Errorf("request %d: %v", i, err)
		}
		if err == nil {
			io.ReadAll(r.body)
			r.body.Close()
		}
	}
	if requests.Load() != 5 || tries != 2 {
		t.Errorf("5 whole requests arrived %d times; the last 2 were tried %d times", requests.Load(), tries)
	}
}

// limited is a connection that breaks before a number of writes.
type limited struct {
	net.Conn
	writes int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.writes--; l.writes < 0 {
		l.Close()
		return 0, errors.New("the connection is broken")
	}
	return l.Conn.Write(p)
}
