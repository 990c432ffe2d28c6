package clickhouse_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// The cost of a question to ClickHouse itself, which is mostly ClickHouse's.
func BenchmarkQueryEngine(b *testing.B) {
	h := open(b)
	for _, sql := range []string{"SELECT 1", "SELECT number, number + 1, toString(number), 4, 5, 6, 7, 8, 9, 10 FROM numbers(500)"} {
		b.Run(sql[:8], func(b *testing.B) { benchmark(b, h.Client, sql) })
	}
}

// The same to a server that costs next to nothing: what is left is ours, and
// net/http's. The metric cpu-µs/op counts both ends.
func BenchmarkQuerySelect1(b *testing.B) {
	benchmark(b, dial(b, stub(b)), "SELECT 1")
}

func benchmark(b *testing.B, client *clickhouse.Client, sql string) {
	as := account(b, "alice")
	q := question(sql)
	buffer := make([]byte, 32<<10)
	b.ReportAllocs()
	begin := cpu(b)
	for i := 0; b.Loop(); i++ {
		q.ID = fmt.Sprintf("bench-%d-%d", b.N, time.Now().UnixNano())
		if err := drain(b.Context(), client, as, q, buffer); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu(b)-begin).Microseconds())/float64(b.N), "cpu-µs/op")
}

// drain asks q and reads the answer.
func drain(ctx context.Context, client *clickhouse.Client, as porterhouse.Account, q porterhouse.Query, buffer []byte) error {
	answer, err := client.Query(ctx, as, q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for err == nil {
		_, err = answer.Body.Read(buffer)
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// cpu is the time that this process has used so far.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// stub answers every request with the same single row, without looking at more
// of it than it must, and returns its URL.
func stub(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go answerAll(connection)
		}
	}()
	return "http://" + listener.Addr().String()
}

func answerAll(connection net.Conn) {
	defer connection.Close()
	in := bufio.NewReader(connection)
	for {
		first, err := in.ReadString('\n')
		if err != nil {
			return
		}
		_, id, _ := strings.Cut(first, "query_id=")
		id, _, _ = strings.Cut(id, "&")
		for line := first; line != "\r\n"; {
			if line, err = in.ReadString('\n'); err != nil {
				return
			}
		}
		if _, err := in.Discard(len("SELECT 1")); err != nil {
			return
		}
		if _, err := io.WriteString(connection, "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: "+id+
			"\r\nX-ClickHouse-Format: TabSeparatedWithNamesAndTypes\r\nX-ClickHouse-Exception-Tag: abcdefghijklmnop"+
			"\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n1\nUInt8\n\r\n2\r\n1\n\r\n0\r\n\r\n"); err != nil {
			return
		}
	}
}
