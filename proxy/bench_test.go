package proxy

import (
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
