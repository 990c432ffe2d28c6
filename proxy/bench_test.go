package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stub is a ClickHouse that answers every query with one row, as fast as it can.
func stub(b *testing.B) string {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h := w.Header()
		h["Content-Type"] = []string{"text/tab-separated-values; charset=UTF-8"}
		h["X-ClickHouse-Query-Id"] = []string{r.URL.Query().Get("query_id")}
		h["X-ClickHouse-Format"] = []string{"TSV"}
		h["X-ClickHouse-Timezone"] = []string{"UTC"}
		h["X-ClickHouse-Summary"] = []string{`{"read_rows":"1","read_bytes":"1","written_rows":"0","written_bytes":"0"}`}
		_, _ = io.WriteString(w, "1\n")
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// BenchmarkDoor asks SELECT 1 through the door, the gate and the client, over a
// connection that is kept. The stub and the asking client run in the same process: what
// they cost by themselves is BenchmarkStub, and the difference is ours.
func BenchmarkDoor(b *testing.B) {
	h := &house{}
	url := stub(b)
	var err error
	h.Server, err = New(Config{Gate: newGate(b, url, filepath.Join(b.TempDir(), "audit.jsonl")), Cluster: "main", Verify: verify})
	check(b, err)
	web := httptest.NewServer(h.Server)
	b.Cleanup(web.Close)
	benchmark(b, web.URL)
}

func BenchmarkStub(b *testing.B) { benchmark(b, stub(b)) }

func benchmark(b *testing.B, url string) {
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	check(b, err)
	defer connection.Close()
	const sql = "SELECT 1"
	request := fmt.Sprintf("POST /?query_id=q HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-alice\r\nContent-Length: %d\r\n\r\n%s", len(sql), sql)
	answer := make([]byte, 4096)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		if _, err := io.WriteString(connection, request); err != nil {
			b.Fatal(err)
		}
		if n, err := connection.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
			b.Fatalf("%s, %v", answer[:n], err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkInsert carries 64 MiB to somebody who drops them.
func BenchmarkInsert(b *testing.B) {
	h := &house{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(b, err)
	b.Cleanup(func() { l.Close() })
	go drop(l)
	h.Server, err = New(Config{Gate: newGate(b, "http://"+l.Addr().String(), filepath.Join(b.TempDir(), "audit.jsonl")), Cluster: "main", Verify: verify})
	check(b, err)
	web := httptest.NewServer(h.Server)
	b.Cleanup(web.Close)
	connection, err := net.Dial("tcp", strings.TrimPrefix(web.URL, "http://"))
	check(b, err)
	defer connection.Close()
	const size = 64 << 20
	request := fmt.Sprintf("POST /?query_id=q&query=INSERT+INTO+shop.inbox+FORMAT+Native HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-alice\r\nContent-Length: %d\r\n\r\n", size)
	piece := make([]byte, 1<<20)
	answer := make([]byte, 4096)
	b.SetBytes(size)
	before := processorTime(b)
	for b.Loop() {
		_, err := io.WriteString(connection, request)
		check(b, err)
		for range size / len(piece) {
			_, err := connection.Write(piece)
			check(b, err)
		}
		if n, err := connection.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
			b.Fatalf("%s, %v", answer[:n], err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Milliseconds())/float64(b.N)/size*1e9, "cpu-ms/GB")
}

func drop(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			in := bufio.NewReaderSize(c, 4<<10)
			buffer := make([]byte, 1<<20)
			for {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				for {
					if _, err := r.Body.Read(buffer); err != nil {
						break
					}
				}
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\nContent-Length: 0\r\n\r\n")
			}
		}()
	}
}
