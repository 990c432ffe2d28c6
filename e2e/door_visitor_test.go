package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// visitor is one client of one of the crowd.
type visitor struct {
	*site
	book   *ledger
	number int    // of the client; its remainder is the person's
	who    string // as ClickHouse is to say
	way    way
	client *http.Client
}

func newVisitor(s *site, book *ledger, number int, token string) *visitor {
	person := personOf(number % crowdSize)
	v := &visitor{site: s, book: book, number: number, who: person, client: s.client(), way: way{s.plain, person, token}}
	if number%3 == 0 {
		v.way.url = s.secure
	}
	if s.mode == static {
		v.who = s.gateway.User
	}
	return v
}

// visit does one thing after the other, until ctx ends.
func (v *visitor) visit(ctx context.Context) {
	things := []func(context.Context){
		v.question, v.question, v.question, v.stream, v.insert, v.insert, v.session, v.leave, v.leaveInRequest,
		v.readSlowly, v.writeSlowly, v.brokenCoding, v.wrongToken, v.anothersName,
	}
	for ctx.Err() == nil {
		number := rand.IntN(len(things))
		each, done := context.WithTimeout(v.t.Context(), time.Minute)
		if things[number](each); each.Err() != nil {
			v.book.fault(v.t, "%s: thing %d does not end within a minute", v.way.user, number)
		}
		done()
	}
	v.client.CloseIdleConnections()
}

// inSQL asks for what an answer carries: the account, for whom the door asked, and a number.
const inSQL = "currentUser(), JSONExtractString(getSetting('log_comment'), 'user')"

func (v *visitor) himself(nonce uint64) string {
	return fmt.Sprintf("%s\t%s@example.com\t%d", v.who, personOf(v.number%crowdSize), nonce)
}

func newNonce() uint64 { return rand.Uint64N(1<<53) + 1 }

// judge takes an answer that is right, visibly broken, or a clear error, and returns
// whether it is right; anything else is a fault.
func (v *visitor) judge(kind string, got reply, err error, want string) bool {
	switch {
	case err != nil:
		v.book.note(kind + " broken")
	case got.status != http.StatusOK && isClear(got):
		v.book.note(kind + " told")
	case got.status == http.StatusOK && !got.broken && got.body == want:
		v.book.note(kind + " right")
		return true
	case got.status == http.StatusOK && isPart(got, want):
		v.book.note(kind + " cut")
	default:
		v.book.fault(v.t, "%s: %s: %d, broken %v, %.2000q instead of %.500q", v.way.user, kind, got.status, got.broken, got.body, want)
	}
	return false
}

var clear = regexp.MustCompile(`^Code: \d+\. DB::Exception: .+`)

// isClear reports whether an answer is an error that a client understands.
func isClear(r reply) bool {
	return r.broken || clear.MatchString(r.body) && r.headers.Get(codeHeader) != ""
}

// isPart reports whether an answer is the beginning of want, and says that it is only that.
func isPart(r reply, want string) bool {
	data, _, told := strings.Cut(r.body, "\r\n__exception__")
	return (told || r.broken) && strings.HasPrefix(want, data)
}

func (v *visitor) question(ctx context.Context) {
	nonce := newNonce()
	got, err := v.way.send(ctx, v.client, post(fmt.Sprintf("SELECT %s, %d", inSQL, nonce)))
	v.judge("question", got, err, v.himself(nonce)+"\n")
}

// streamRows is how many rows a stream has, of about 50 bytes.
const streamRows = 5000

func (v *visitor) streaming(nonce uint64) (request, string) {
	var want strings.Builder
	himself := v.himself(nonce)
	for i := range streamRows {
		want.WriteString(himself + "\t" + strconv.Itoa(i) + "\n")
	}
	sql := fmt.Sprintf("SELECT %s, %d, number FROM numbers(%d)", inSQL, nonce, streamRows)
	return post(sql, "max_block_size=500"), want.String()
}

func (v *visitor) stream(ctx context.Context) {
	r, want := v.streaming(newNonce())
	packed := rand.IntN(2) == 0
	if packed {
		r = r.with("Accept-Encoding: gzip")
		r.target += "&enable_http_compression=1"
	}
	got, err := v.way.send(ctx, v.client, r)
	if packed && err == nil && got.status == http.StatusOK {
		got.body, got.broken = unzip(got.body, got.broken)
	}
	v.judge("stream", got, err, want)
}

// unzip is as much of text as there is.
func unzip(text string, broken bool) (string, bool) {
	z, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		return "", true
	}
	all, err := io.ReadAll(z)
	return string(all), broken || err != nil
}

// insertRows is how many rows an insert has: one block.
const insertRows = 2000

func (v *visitor) inserting(nonce uint64) (r request) {
	var data bytes.Buffer
	for i := range insertRows {
		fmt.Fprintf(&data, "%d\t%d\n", nonce, i)
	}
	return request{target: "/?query=" + escape("INSERT INTO own.rows (nonce, n) FORMAT TSV"), body: data.String(), stream: rand.IntN(2) == 0}
}

func (v *visitor) insert(ctx context.Context) {
	nonce := newNonce()
	i := insert{who: v.who, rows: fmt.Sprintf("%d\t0\t%d", insertRows, insertRows-1)}
	v.book.keep(nonce, i)
	got, err := v.way.send(ctx, v.client, v.inserting(nonce))
	i.surely = v.judge("insert", got, err, "")
	v.book.keep(nonce, i)
}

// session sets something in a session whose id many people use, and writes down what is
// set there.
func (v *visitor) session(ctx context.Context) {
	size, nonce := 100_000+v.number, newNonce()
	id := fmt.Sprintf("session_timeout=2&session_id=s-%d", v.number/crowdSize)
	got, err := v.way.send(ctx, v.client, post(fmt.Sprintf("SET max_block_size = %d", size), id))
	if !v.judge("SET", got, err, "") {
		return
	}
	i := insert{who: v.who, rows: fmt.Sprintf("1\t%d\t%[1]d", size)}
	v.book.keep(nonce, i)
	got, err = v.way.send(ctx, v.client, post(fmt.Sprintf("INSERT INTO own.rows (nonce, n) SELECT %d, getSetting('max_block_size')", nonce), id, "session_check=1", "close_session="+strconv.Itoa(rand.IntN(2))))
	i.surely = v.judge("session", got, err, "")
	v.book.keep(nonce, i)
}

// leave goes away before an answer, or in the middle of it.
func (v *visitor) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, rand.N(300*time.Millisecond))
	defer cancel()
	r, want := v.streaming(newNonce())
	if rand.IntN(2) == 0 {
		r, want = post("SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"), "nobody knows"
	}
	got, err := v.way.send(ctx, v.client, r)
	v.judge("left", got, err, want)
}

// raw opens a connection of its own to the plain door.
func (v *visitor) raw(use func(net.Conn)) {
	c, err := net.Dial("tcp", strings.TrimPrefix(v.plain, "http://"))
	if err != nil {
		v.book.fault(v.t, "the door does not take a connection: %v", err)
		return
	}
	defer c.Close()
	use(c)
}

// leaveInRequest says a part of an INSERT, and goes.
func (v *visitor) leaveInRequest(context.Context) {
	nonce := newNonce()
	v.book.keep(nonce, insert{who: v.who, rows: "none of it"})
	u := upload{format: "TSV", data: v.inserting(nonce).body, chunks: rand.IntN(2) == 0, part: rand.Float64() * 0.99}
	v.raw(func(c net.Conn) {
		_ = u.sendTo(c, v.way, "own.rows (nonce, n)") // it may be refused before
		pause(v.t.Context(), rand.N(50*time.Millisecond))
		if rand.IntN(2) == 0 {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
	})
	v.book.note("left in the request")
}

// sendTo is send for any table.
func (u upload) sendTo(c net.Conn, w way, table string) error {
	var text bytes.Buffer
	length := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(u.data), u.data)
	if u.chunks {
		length = fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(u.data), u.data)
	}
	fmt.Fprintf(&text, "POST /?query=%s HTTP/1.1\r\nHost: clickhouse\r\nX-ClickHouse-User: %s\r\nX-ClickHouse-Key: %s\r\n%s",
		escape("INSERT INTO "+table+" FORMAT "+u.format), w.user, w.secret, length)
	_, err := c.Write(text.Bytes()[:int(u.part*float64(text.Len()))])
	return err
}

// readSlowly takes its time for an answer, and mostly leaves then.
func (v *visitor) readSlowly(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, want := v.streaming(newNonce())
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, v.way.url+r.target, strings.NewReader(r.body))
	v.must(err)
	out.SetBasicAuth(v.way.user, v.way.secret)
	response, err := v.client.Do(out)
	if err != nil {
		v.judge("slow reader", reply{}, err, want)
		return
	}
	defer response.Body.Close()
	var all bytes.Buffer
	for err == nil {
		_, err = io.CopyN(&all, response.Body, 64<<10)
		pause(ctx, rand.N(200*time.Millisecond))
	}
	v.judge("slow reader", reply{response.StatusCode, response.Header, all.String(), err != io.EOF}, nil, want)
}

// slowly hands out a text in pieces.
type slowly struct{ text *strings.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(rand.N(20 * time.Millisecond))
	return s.text.Read(p[:min(len(p), 1+rand.IntN(8<<10))])
}

func (v *visitor) writeSlowly(ctx context.Context) {
	nonce := newNonce()
	i := insert{who: v.who, rows: fmt.Sprintf("%d\t0\t%d", insertRows, insertRows-1)}
	v.book.keep(nonce, i)
	r := v.inserting(nonce)
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, v.way.url+r.target, slowly{strings.NewReader(r.body)})
	v.must(err)
	out.SetBasicAuth(v.way.user, v.way.secret)
	var got reply
	response, err := v.client.Do(out)
	if err == nil {
		var text []byte
		text, err = io.ReadAll(response.Body)
		got = reply{response.StatusCode, response.Header, string(text), false}
		_ = response.Body.Close() // it has been read
	}
	i.surely = v.judge("slow writer", got, err, "")
	v.book.keep(nonce, i)
}

// brokenCoding sends an INSERT that is not encoded as it says, or not wholly.
func (v *visitor) brokenCoding(ctx context.Context) {
	nonce := newNonce()
	v.book.keep(nonce, insert{who: v.who, rows: "none of it"})
	r := v.inserting(nonce)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := io.WriteString(z, r.body)
	v.must(err)
	v.must(z.Close())
	for _, body := range []string{r.body, packed.String()[:packed.Len()-1-rand.IntN(packed.Len()/2)]} {
		r.body = body
		got, err := v.way.send(ctx, v.client, r.with("Content-Encoding: gzip"))
		v.judge("broken coding", got, err, "nothing is right")
	}
}

// wrongToken comes with a token that nobody has, and must learn just that.
func (v *visitor) wrongToken(ctx context.Context) {
	w := v.way
	w.secret = "x" + w.secret[1:]
	v.refused(ctx, "wrong token", w)
}

// anothersName comes with a good token, and the name of somebody else.
func (v *visitor) anothersName(ctx context.Context) {
	w := v.way
	w.user = personOf((v.number + 1) % crowdSize)
	v.refused(ctx, "another's name", w)
}

func (v *visitor) refused(ctx context.Context, kind string, w way) {
	got, err := w.send(ctx, v.client, post("SELECT 1"))
	if err == nil && got.status != http.StatusForbidden && got.status != http.StatusTooManyRequests && got.status != http.StatusServiceUnavailable {
		v.book.fault(v.t, "%s: %d %s", kind, got.status, got.body)
		return
	}
	v.judge(kind, got, err, "nothing is right")
}
