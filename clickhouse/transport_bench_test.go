package clickhouse

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"porterhouse"
)

// benchmarkSize is how much is carried in one operation, in bytes.
const benchmarkSize = 64 << 20

// What it costs to carry bytes, beside what it costs to move them over a socket at
// all. The metric cpu-ms/GB counts both ends.
func BenchmarkDownload(b *testing.B) {
	piece := []byte(strings.Repeat("0123456789abcdef", 64<<10))
	raw := speaker(b, func(c net.Conn, in *bufio.Reader) error {
		if _, err := in.ReadString('\n'); err != nil {
			return err
		}
		return repeat(c, piece)
	})
	chunked := speaker(b, func(c net.Conn, in *bufio.Reader) error {
		if _, err := readRequest(in, nil); err != nil {
			return err
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: id\r\nX-ClickHouse-Exception-Tag: abcdefghijklmnop\r\nTransfer-Encoding: chunked\r\n\r\n")
		chunk := append(append(fmt.Appendf(nil, "%x\r\n", len(piece)), piece...), "\r\n"...)
		if err := repeat(c, chunk); err != nil {
			return err
		}
		_, err := io.WriteString(c, "0\r\n\r\n")
		return err
	})
	for _, size := range []int{32 << 10, 64 << 10, 128 << 10, 256 << 10} {
		buffer := make([]byte, size)
		b.Run(fmt.Sprintf("socket/%dK", size>>10), func(b *testing.B) {
			c, err := net.Dial("tcp", raw)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			carry(b, func() error {
				if _, err := io.WriteString(c, "go\n"); err != nil {
					return err
				}
				for left := benchmarkSize; left > 0; {
					n, err := c.Read(buffer)
					if err != nil {
						return err
					}
					left -= n
				}
				return nil
			})
		})
		b.Run(fmt.Sprintf("answer/%dK", size>>10), func(b *testing.B) {
			client := silentClient(b, chunked)
			carry(b, func() error { return passThrough(b.Context(), client, outgoing{head: postHead}, buffer) })
		})
	}
}

// The same for what clients send.
func BenchmarkUpload(b *testing.B) {
	discard := speaker(b, func(c net.Conn, in *bufio.Reader) error {
		if _, err := readRequest(in, make([]byte, 256<<10)); err != nil {
			return err
		}
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: id\r\nContent-Length: 0\r\n\r\n")
		return err
	})
	client := silentClient(b, discard)
	for _, size := range []int64{-1, benchmarkSize} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			buffer := make([]byte, 1<<10)
			carry(b, func() error {
				data := io.LimitReader(zeros{}, benchmarkSize)
				return passThrough(b.Context(), client, outgoing{head: postHead, data: data, size: size}, buffer)
			})
		})
	}
}

// What the smallest question costs.
func BenchmarkSmallAnswer(b *testing.B) {
	const answer = "HTTP/1.1 200 OK\r\nX-ClickHouse-Summary: {\"read_rows\":\"1\",\"read_bytes\":\"1\"}\r\nDate: Sun, 22 Nov 2026 05:30:24 GMT\r\n" +
		"Connection: Keep-Alive\r\nContent-Type: text/tab-separated-values; charset=UTF-8\r\nX-ClickHouse-Server-Display-Name: vm\r\n" +
		"Transfer-Encoding: chunked\r\nX-ClickHouse-Query-Id: id\r\nX-ClickHouse-Format: TSV\r\nX-ClickHouse-Timezone: Etc/UTC\r\n" +
		"Keep-Alive: timeout=30, max=9999\r\nX-ClickHouse-Exception-Tag: ixrhpwcorhwwbwwm\r\n\r\n2\r\n1\n\r\n0\r\n\r\n"
	client := silentClient(b, speaker(b, func(c net.Conn, in *bufio.Reader) error {
		for line := ""; line != "\r\n"; {
			var err error
			if line, err = in.ReadString('\n'); err != nil {
				return err
			}
		}
		if _, err := in.Discard(len("SELECT 1")); err != nil {
			return err
		}
		_, err := io.WriteString(c, answer)
		return err
	}))
	buffer := make([]byte, 64<<10)
	begin := processorTime(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := passThrough(b.Context(), client, outgoing{head: postHead, body: "SELECT 1"}, buffer); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-begin).Microseconds())/float64(b.N), "cpu-µs/op")
}

var postHead = []byte("POST /?query_id=id HTTP/1.1\r\nHost: x\r\n")

// passThrough sends a request and reads its answer, as a door would.
func passThrough(ctx context.Context, client *Client, o outgoing, buffer []byte) error {
	k := newTestCall(ctx, client, "id", 0)
	r, err := client.questions.ask(k.ctx, o, &k.sent)
	if err != nil {
		return k.fail(err)
	}
	answer, err := k.openPassage(r)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = answer.Body.Read(buffer)
	}
	answer.Body.Close()
	if err == io.EOF {
		return nil
	}
	return err
}

// newTestCall is a call that is about to be sent. bytes is how many its answer may have.
func newTestCall(ctx context.Context, client *Client, id string, bytes int64) *call {
	k := &call{client: client, caller: ctx, begun: time.Now(), statement: statement{way: client.lane.Load().way, Query: porterhouse.Query{
		SQL: "SELECT 1", ID: id, Limits: porterhouse.Limits{Time: time.Minute, Bytes: bytes}, Passage: &porterhouse.Passage{},
	}}}
	k.ctx, k.cancel = context.WithTimeout(ctx, time.Minute)
	client.underway.begin(k.account.User, id)
	return k
}

func silentClient(t testing.TB, address string) *Client {
	client, err := New(Config{URL: "http://" + address, User: "gate"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		client.Close(ctx)
	})
	return client
}

func carry(b *testing.B, once func() error) {
	b.SetBytes(benchmarkSize)
	b.ReportAllocs()
	begin := processorTime(b)
	for b.Loop() {
		if err := once(); err != nil {
			b.Fatal(err)
		}
	}
	total := float64(b.N) * benchmarkSize / 1e9
	b.ReportMetric(float64((processorTime(b)-begin).Milliseconds())/total, "cpu-ms/GB")
}

func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// speaker is a server that answers each request as speak does, and returns its address.
func speaker(t testing.TB, speak func(c net.Conn, in *bufio.Reader) error) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); speak(c, in) == nil; {
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// repeat writes piece until benchmarkSize bytes of data, of which it has 1 MiB, are out.
func repeat(c net.Conn, piece []byte) error {
	for range benchmarkSize >> 20 {
		if _, err := c.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// readRequest reads a request and returns how many bytes its body has.
func readRequest(in *bufio.Reader, buffer []byte) (int64, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return 0, err
	}
	return io.CopyBuffer(onlyWriter{io.Discard}, r.Body, buffer)
}

type onlyWriter struct{ io.Writer }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
