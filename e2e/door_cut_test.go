package e2e

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// upload is an INSERT of one block that does not come to its end.
type upload struct {
	format string
	data   string
	rows   int
	chunks bool    // of no known length
	block  int     // rows of each block; 0: all are one
	part   float64 // of the data that was sent when the end came
}

// An INSERT of up to one block is there whole, or not at all, whoever is killed in the
// middle of it: the client, Porterhouse or ClickHouse. Nothing is there twice.
func TestInsertIsWholeOrNothing(t *testing.T) {
	everyMode(t, func(t *testing.T, s *site) {
		uploads := s.uploads()
		cutClients(s, uploads)
		for i, u := range uploads {
			u.part = 0.7
			s.cut(fmt.Sprintf("porterhouse-%d", i), u, func(net.Conn) {
				_ = s.process.Process.Kill()
				_ = s.process.Wait() // it says that it was killed
			})
			s.url = ""
			s.start(settings{})
		}
		for i, u := range uploads {
			u.part = 0.7
			s.cut(fmt.Sprintf("clickhouse-%d", i), u, func(net.Conn) {
				if err := s.db.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := s.db.Restart(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// cutClients kills the client, in the middle and when it has just said all.
func cutClients(s *site, uploads []upload) {
	for i, u := range uploads {
		for _, part := range []float64{0.5, 1} {
			u.part = part
			s.cut(fmt.Sprintf("client-%d-%v", i, part), u, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() })
		}
	}
}

// uploads are some, of about 10 MB of text or one block of a binary format.
func (s *site) uploads() []upload {
	s.t.Helper()
	const rows = 150_000
	text := func(format string) string {
		got, err := s.straight.send(s.t.Context(), s.client(), post(fmt.Sprintf("SELECT number AS n, hex(SHA256(toString(number))) AS s FROM numbers(%d)", rows), "max_block_size=1000000&default_format="+format))
		if err != nil || got.status != 200 {
			s.t.Fatal(err, got.status)
		}
		return got.body
	}
	tsv := text("TSV")
	return []upload{{format: "TSV", data: tsv, rows: rows}, {format: "TSV", data: tsv, rows: rows, chunks: true},
		{format: "Native", data: text("Native"), rows: rows}, {format: "Parquet", data: text("Parquet"), rows: rows, chunks: true}}
}

// cut begins an upload through the door, ends it by end, and looks at what is there.
func (s *site) cut(id string, u upload, end func(net.Conn)) {
	s.t.Helper()
	s.exec("CREATE OR REPLACE TABLE scratch.cut (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.plain, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer connection.Close()
	if err := u.send(connection, s.through, id); err != nil {
		s.t.Fatalf("%s: %v\n%s", id, err, s.lastLine())
	}
	there := func() bool { return s.text("SELECT count() FROM system.processes WHERE query_id = '"+id+"'") != "0" }
	if u.part < 1 { // in the mode execute_as ClickHouse sees a statement when it has all of it
		s.eventually(id+" has begun", 20*time.Second, func() bool { return s.mode == executeAs && s.recorded(id) || there() })
		if u.block > 0 && (s.mode != executeAs || s.through == s.straight) { // and has stored some
			s.eventually(id+" has stored rows", 20*time.Second, func() bool { return s.text("SELECT count() FROM scratch.cut") != "0" })
		}
	}
	end(connection)
	s.eventually("the INSERT has ended", 30*time.Second, func() bool { return !there() })
	var count, unique int
	if _, err := fmt.Sscan(s.text("SELECT count(), uniqExact(n) FROM scratch.cut"), &count, &unique); err != nil {
		s.t.Fatal(err)
	}
	whole := u.part == 1 && count == u.rows || u.block > 0 && count < u.rows && count%u.block == 0
	if count != unique || count > 0 && !whole {
		s.t.Errorf("%s: %s in chunks %v: of %d rows there are %d, %d different ones", id, u.format, u.chunks, u.rows, count, unique)
	}
}

// An INSERT of many blocks that is cut leaves blocks that are whole, as one sent straight
// to ClickHouse does, and none of them twice.
func TestInsertOfManyBlocks(t *testing.T) {
	everyMode(t, func(t *testing.T, s *site) {
		u := s.uploads()[0]
		u.block, u.part = 10_000, 0.8
		gone := func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() }
		for _, u.chunks = range []bool{false, true} {
			s.cut(fmt.Sprint("blocks-", u.chunks), u, gone)
			direct := *s
			direct.plain, direct.through = s.straight.url, s.straight
			direct.cut(fmt.Sprint("blocks-straight-", u.chunks), u, gone)
		}
	})
}

// recorded reports whether the record has a query of that id.
func (s *site) recorded(id string) bool {
	s.t.Helper()
	text, err := os.ReadFile(s.audit)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Contains(string(text), `"`+id+`"`)
}

// send writes the request, as far as it goes.
func (u upload) send(c net.Conn, w way, id string) error {
	length := "Content-Length: " + strconv.Itoa(len(u.data))
	if u.chunks {
		length = "Transfer-Encoding: chunked"
	}
	blocks := ""
	if u.block > 0 {
		blocks = fmt.Sprintf("&max_insert_block_size=%d&min_insert_block_size_rows=%[1]d&min_insert_block_size_bytes=0&input_format_parallel_parsing=0", u.block)
	}
	_, err := fmt.Fprintf(c, "POST /?query_id=%s&query=%s%s HTTP/1.1\r\nHost: clickhouse\r\nAuthorization: Basic %s\r\n%s\r\n\r\n",
		id, escape("INSERT INTO scratch.cut FORMAT "+u.format), blocks, base64.StdEncoding.EncodeToString([]byte(w.user+":"+w.secret)), length)
	if err != nil {
		return err
	}
	data := u.data[:int(u.part*float64(len(u.data)))]
	if u.chunks {
		data = fmt.Sprintf("%x\r\n%s\r\n", len(data), data)
		if u.part == 1 {
			data += "0\r\n\r\n"
		}
	}
	_, err = c.Write([]byte(data))
	return err
}
