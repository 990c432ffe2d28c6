package clickhouse

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"porterhouse"
)

// The words of ClickHouse in these tests.
const (
	aTag       = "abcdefghijklmnop"
	anError    = "Code: 395. DB::Exception: Too bad at 10.1.2.3:9000. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO) (version 26.7.2.1)"
	taggedEnd  = "\r\n__exception__\r\n" + aTag + "\r\n" + anError + "\n113 " + aTag + "\r\n__exception__\r\n"
	goodHead   = "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: id\r\nX-ClickHouse-Exception-Tag: " + aTag + "\r\n"
	oldHead    = "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: id\r\n"
	badHead    = "HTTP/1.1 404 Not Found\r\nX-ClickHouse-Query-Id: id\r\nX-ClickHouse-Exception-Code: 395\r\n"
	inChunks   = "Transfer-Encoding: chunked\r\n\r\n"
	theEnd     = "0\r\n\r\n"
	neverEnded = ""
)

// say makes an answer of a Passage of what a server says, of which bytes may pass. The
// server closes the connection behind it.
func say(t testing.TB, text string, bytes int64) (*porterhouse.Answer, *call, error) {
	client := silentClient(t, speaker(t, func(c net.Conn, in *bufio.Reader) error {
		if _, err := readRequest(in, nil); err != nil {
			return err
		}
		io.WriteString(c, text)
		return io.EOF
	}))
	k := newTestCall(t.Context(), client, "id", bytes)
	r, err := client.questions.ask(k.ctx, outgoing{head: postHead}, &k.sent)
	if err != nil {
		t.Fatal(err)
	}
	k.started = true
	answer, err := k.openPassage(r)
	if err != nil {
		r.body.Close()
		err = k.fail(err)
	}
	return answer, k, err
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

// Not a byte of an answer is changed; how it ended is found out beside it.
func TestPassages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789\r\n", 100_000)
	failed := &porterhouse.Exception{Code: 395, Name: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"}
	unread := &porterhouse.Exception{Code: 395}
	none := porterhouse.Kind("")
	for _, test := range []struct {
		name      string
		says      string
		bytes     int64 // that may pass
		text      string
		kind      porterhouse.Kind // of the error of Read; "": it ends well
		cut       porterhouse.Cut
		exception *porterhouse.Exception
		kills     uint64
	}{
		{"all is well", goodHead + inChunks + chunkOf("yes") + theEnd, 0, "yes", none, "", nil, 0},
		{"nothing", goodHead + "Content-Length: 0\r\n\r\n", 0, "", none, "", nil, 0},
		{"long", goodHead + inChunks + chunkOf(long[:uploadPiece]) + chunkOf("x") + theEnd, 0, long[:uploadPiece] + "x", none, "", nil, 0},
		{"as much as may pass", goodHead + inChunks + chunkOf("yes") + theEnd, 3, "yes", none, "", nil, 0},
		{"as much as may pass, of a known length", goodHead + "Content-Length: 3\r\n\r\nyes", 3, "yes", none, "", nil, 0},
		{"a byte more", goodHead + inChunks + chunkOf("yes!") + theEnd, 3, "yes", porterhouse.Limited, porterhouse.CutBytes, nil, 1},
		{"broken off", goodHead + inChunks + chunkOf("yes") + neverEnded, 0, "yes", porterhouse.Unavailable, porterhouse.CutError, nil, 1},
		{"shorter than announced", goodHead + "Content-Length: 4\r\n\r\nyes", 0, "yes", porterhouse.Unavailable, porterhouse.CutError, nil, 1},
		{"more than announced", goodHead + "Content-Length: 2\r\n\r\nyes", 0, "ye", none, "", nil, 0},

		{"an exception behind the first byte", goodHead + inChunks + chunkOf("1\n2") + chunkOf(taggedEnd) + neverEnded, 0, "1\n2" + taggedEnd, porterhouse.Failed, porterhouse.CutError, failed, 0},
		{"one that is well ended", goodHead + inChunks + chunkOf("1\n2"+taggedEnd) + theEnd, 0, "1\n2" + taggedEnd, none, "", failed, 0},
		{"one in pieces", goodHead + inChunks + chunkOf("1\r") + chunkOf(taggedEnd[:9]) + chunkOf(taggedEnd[9:20]) + chunkOf(taggedEnd[20:]), 0, "1\r" + taggedEnd, porterhouse.Failed, porterhouse.CutError, failed, 0},
		{"one behind much", goodHead + inChunks + chunkOf(long[:uploadPiece]) + chunkOf(long[:uploadPiece]) + chunkOf(taggedEnd), 0, long[:uploadPiece] + long[:uploadPiece] + taggedEnd, porterhouse.Failed, porterhouse.CutError, failed, 0},
		{"one without a tag", oldHead + inChunks + chunkOf("1\n"+exceptionMark+anError) + neverEnded, 0, "1\n" + exceptionMark + anError, porterhouse.Failed, porterhouse.CutError, failed, 0},
		{"one as it was before 24.11", oldHead + inChunks + chunkOf("1\n"+anError) + theEnd, 0, "1\n" + anError, none, "", failed, 0},
		{"data that reads like one", goodHead + inChunks + chunkOf(strings.ReplaceAll(taggedEnd, aTag, "another")) + theEnd, 0, strings.ReplaceAll(taggedEnd, aTag, "another"), none, "", nil, 0},
		{"a coded answer is not looked into", goodHead + "Content-Encoding: gzip\r\n" + inChunks + chunkOf(taggedEnd) + theEnd, 0, taggedEnd, none, "", nil, 0},
		{"one that is longer than may pass", goodHead + inChunks + chunkOf("1"+taggedEnd), 10, ("1" + taggedEnd)[:10], porterhouse.Limited, porterhouse.CutBytes, nil, 1},

		{"refused", badHead + inChunks + chunkOf(anError+"\n") + theEnd, 0, anError + "\n", none, "", failed, 0},
		{"refused, coded", badHead + "Content-Encoding: gzip\r\n" + inChunks + chunkOf(zipped(anError)) + theEnd, 0, zipped(anError), none, "", failed, 0},
		{"refused, in a coding that is none", badHead + "Content-Encoding: x\r\n" + inChunks + chunkOf(anError) + theEnd, 0, anError, none, "", unread, 0},
		{"refused, in other words", badHead + inChunks + chunkOf(`{"exception": "`+anError+`"}`) + theEnd, 0, `{"exception": "` + anError + `"}`, none, "", unread, 0},
		{"refused, at length", badHead + inChunks + chunkOf(anError+long[:uploadPiece/2]) + theEnd, 0, anError + long[:uploadPiece/2], none, "", unread, 0},
		{"refused with status 200", strings.Replace(badHead, "404 Not Found", "200 OK", 1) + inChunks + chunkOf(anError) + theEnd, 0, anError, none, "", failed, 0},
		{"refused and broken off", badHead + inChunks + chunkOf(anError) + neverEnded, 0, anError, porterhouse.Unavailable, porterhouse.CutError, failed, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer, k, err := say(t, test.says, test.bytes)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			if kind, _ := porterhouse.Explain(err); string(text) != test.text || (err != nil) != (test.kind != "") || err != nil && kind != test.kind {
				t.Errorf("%d bytes %.60q, %v; want %d bytes, %q", len(text), text, err, len(test.text), test.kind)
			}
			before := k.client.Stats().Kills
			answer.Body.Close()
			s := answer.Summary()
			if s.Cut != test.cut || s.Bytes != int64(len(test.text)) || s.Duration <= 0 {
				t.Errorf("the summary is %+v", s)
			}
			if got := s.Exception; (got != nil) != (test.exception != nil) || got != nil && (got.Code != test.exception.Code || got.Name != test.exception.Name || strings.Contains(got.Message, "10.1.2.3")) {
				t.Errorf("the exception is %+v", got)
			}
			if stats := k.client.Stats(); stats.Kills != test.kills || before != test.kills || stats.Running != 0 {
				t.Errorf("%d statements were stopped, want %d; %d run", stats.Kills, test.kills, stats.Running)
			}
		})
	}
}

// What is not ClickHouse's answer to this question is none.
func TestNoPassage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		says string
		kind porterhouse.Kind
	}{
		"another question's":       {strings.Replace(goodHead, ": id", ": other", 1) + "Content-Length: 0\r\n\r\n", porterhouse.Internal},
		"another's refusal":        {strings.Replace(badHead, ": id", ": other", 1) + "Content-Length: 0\r\n\r\n", porterhouse.Internal},
		"nobody's":                 {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", porterhouse.Unavailable},
		"a page":                   {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>", porterhouse.Unavailable},
		"a redirect":               {"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", porterhouse.Unavailable},
		"one without an end":       {goodHead + "\r\nyes", porterhouse.Unavailable},
		"one of HTTP/1.0":          {strings.Replace(goodHead, "1.1", "1.0", 1) + "\r\nyes", porterhouse.Unavailable},
		"a refusal without an end": {badHead + "\r\n" + anError, porterhouse.Unavailable},
	} {
		if _, _, err := say(t, test.says, 0); err == nil {
			t.Errorf("%s is taken for an answer", name)
		} else if kind, _ := porterhouse.Explain(err); kind != test.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A client sees what ClickHouse says to it, and nothing that is between ClickHouse and us.
func TestHeadOfAPassage(t *testing.T) {
	t.Parallel()
	answer, _, err := say(t, goodHead+"Connection: Keep-Alive\r\nKeep-Alive: timeout=3\r\nSet-Cookie: a=b\r\nAccess-Control-Allow-Origin: *\r\n"+
		"Content-type: text/csv; charset=UTF-8; header=absent\r\nServer: x\r\nX-ClickHouse-Progress: {1}\r\nX-ClickHouse-Progress: {2}\r\n"+
		"x-clickhouse-summary: {\"read_rows\":\"5\",\"read_bytes\":\"40\",\"written_rows\":\"3\"}\r\nContent-Length: 3\r\n\r\nyes", 0)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadAll(answer.Body)
	answer.Body.Close()
	want := []porterhouse.Setting{
		{Name: "X-ClickHouse-Query-Id", Value: "id"}, {Name: "X-ClickHouse-Exception-Tag", Value: aTag},
		{Name: "Content-type", Value: "text/csv; charset=UTF-8; header=absent"},
		{Name: "X-ClickHouse-Progress", Value: "{1}"}, {Name: "X-ClickHouse-Progress", Value: "{2}"},
		{Name: "x-clickhouse-summary", Value: `{"read_rows":"5","read_bytes":"40","written_rows":"3"}`},
	}
	if answer.Head.Status != 200 || !slices.Equal(answer.Head.Fields, want) {
		t.Errorf("the head is %+v", answer.Head)
	}
	if s := answer.Summary(); s.ReadRows != 5 || s.ReadBytes != 40 || s.Written != 3 {
		t.Errorf("the summary is %+v", s)
	}
}

// Whoever closes an answer before its end stops the statement, and the Read of somebody
// else that waits for more.
func TestPassageIsClosed(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	defer close(end)
	client := silentClient(t, speaker(t, func(c net.Conn, in *bufio.Reader) error {
		if _, err := http.ReadRequest(in); err != nil {
			return err
		}
		io.WriteString(c, goodHead+inChunks+chunkOf("yes"))
		<-end
		return io.EOF
	}))
	k := newTestCall(t.Context(), client, "id", 0)
	slow := newWaiting()
	r, err := client.questions.ask(k.ctx, outgoing{head: postHead, data: slow, size: -1, stop: slow.stop}, &k.sent)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := k.openPassage(r)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := answer.Body.Read(make([]byte, 10)); n != 3 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		_, err := answer.Body.Read(make([]byte, 10))
		if kind, _ := porterhouse.Explain(err); kind != porterhouse.Canceled {
			t.Errorf("Read says %v", err)
		}
	})
	answer.Body.Close()
	if slow.reading.Load() || slow.stops.Load() != 1 {
		t.Errorf("behind Close the client's data is still being read, or was stopped %d times", slow.stops.Load())
	}
	reading.Wait()
	answer.Body.Close()
	if s := answer.Summary(); s.Cut != porterhouse.CutCaller || s.Bytes != 3 || client.Stats().Kills != 1 {
		t.Errorf("the summary is %+v, %+v", s, client.Stats())
	}
	if _, err := answer.Body.Read(make([]byte, 10)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("behind Close, Read says %v", err)
	}
	if _, err := r.body.Read(make([]byte, 10)); err != errDropped {
		t.Errorf("that the question ended is taken for a fault of its data: %v", err)
	}
}

// The tail of a body is what stands at its end, however it came.
func TestTail(t *testing.T) {
	t.Parallel()
	client := silentClient(t, "127.0.0.1:1")
	random := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{1, 100, tailSize - 1, tailSize, tailSize + 1, bufferSize, 3 * bufferSize} {
		kept := tail{pool: &client.buffers}
		var all []byte
		for i := 0; len(all) < 5*bufferSize && i < 20_000; i++ {
			p := fmt.Appendf(nil, "%0*d", 1+random.IntN(most), i)
			all = append(all, p...)
			kept.keep(p)
			if got := kept.bytes(); !bytes.HasSuffix(all, got) || len(got) < min(tailSize, len(all)) || kept.whole() != (len(got) == len(all)) {
				t.Fatalf("of %d bytes in pieces of up to %d, %d are kept, or others", len(all), most, len(got))
			}
		}
		kept.release()
		if kept.bytes() != nil {
			t.Error("something is kept after release")
		}
	}
}
