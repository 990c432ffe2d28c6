package clickhouse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"porterhouse"
	"porterhouse/sandbox"
)

// tablesOf yields the tables, and then err when there is one.
func tablesOf(err error, tables ...porterhouse.Table) iter.Seq2[porterhouse.Table, error] {
	return func(yield func(porterhouse.Table, error) bool) {
		for _, table := range tables {
			if !yield(table, nil) {
				return
			}
		}
		if err != nil {
			yield(porterhouse.Table{}, err)
		}
	}
}

// part is what a server reads of a multipart body.
type part struct{ name, file, text string }

// readParts reads the request and its parts.
func readParts(in *bufio.Reader) (parts []part, err error) {
	request, err := http.ReadRequest(in)
	if err != nil {
		return nil, err
	}
	_, params, err := mime.ParseMediaType(request.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	for r := multipart.NewReader(request.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			_, err := io.Copy(io.Discard, request.Body)
			return parts, err
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{p.FormName(), p.FileName(), string(text)})
	}
}

// Tables arrive as they are, each behind what describes it; or else the server sees
// that they are not whole.
func TestTables(t *testing.T) {
	t.Parallel()
	type result struct {
		parts []part
		err   error
	}
	got := make(chan result, 1)
	client := silentClient(t, speaker(t, func(c net.Conn, in *bufio.Reader) error {
		parts, err := readParts(in)
		got <- result{parts, err}
		if err == nil {
			_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
		return err
	}))
	binary := strings.Repeat("\x00\r\n--", 40_000)
	wellMade := porterhouse.Table{Name: "t", File: "client's\r\nname\"", Fields: []porterhouse.Setting{{Name: "format", Value: "CSV"}, {Name: "structure", Value: "a UInt8,\r\n b String"}}, Data: strings.NewReader("1,x\n")}
	broken := errors.New("the client is gone")
	for _, test := range []struct {
		name   string
		tables iter.Seq2[porterhouse.Table, error]
		parts  []part
		bad    string
	}{
		{"two", tablesOf(nil, wellMade, porterhouse.Table{Name: "_data2", Data: strings.NewReader(binary)}), []part{
			{"t_format", "", "CSV"}, {"t_structure", "", "a UInt8,\r\n b String"}, {"t", "data", "1,x\n"}, {"_data2", "data", binary}}, ""},
		{"an empty one", tablesOf(nil, porterhouse.Table{Name: "t", Data: strings.NewReader("")}), []part{{"t", "data", ""}}, ""},
		{"broken", tablesOf(nil, porterhouse.Table{Name: "t", Data: io.MultiReader(strings.NewReader(binary), failing{broken})}), nil, broken.Error()},
		{"no more tables, and an error", tablesOf(broken, porterhouse.Table{Name: "t", Data: strings.NewReader("x")}), nil, broken.Error()},
		{"a name that ends early", tablesOf(nil, porterhouse.Table{Name: `t"; filename="x`, Data: strings.NewReader("")}), nil, "letters"},
		{"a name with a line break", tablesOf(nil, porterhouse.Table{Name: "t\r\nX: y", Data: strings.NewReader("")}), nil, "letters"},
		{"no name", tablesOf(nil, porterhouse.Table{Data: strings.NewReader("")}), nil, "letters"},
		{"described by something else", tablesOf(nil, porterhouse.Table{Name: "t", Fields: []porterhouse.Setting{{Name: `x"`}}, Data: strings.NewReader("")}), nil, "described"},
		{"described at length", tablesOf(nil, porterhouse.Table{Name: "t", Fields: []porterhouse.Setting{{Name: "types", Value: strings.Repeat("x", maxTableField+1)}}, Data: strings.NewReader("")}), nil, "more than"},
	} {
		_, err := exchangeAll(t.Context(), client, outgoing{head: postHead, tables: test.tables, size: -1})
		arrived := <-got
		if test.bad != "" {
			if err == nil || !strings.Contains(err.Error(), test.bad) || arrived.err == nil {
				t.Errorf("%s: %v; the server has %d parts, %v", test.name, err, len(arrived.parts), arrived.err)
			}
			continue
		}
		if err != nil || arrived.err != nil || len(arrived.parts) != len(test.parts) {
			t.Errorf("%s: %v; the server has %d parts, %v", test.name, err, len(arrived.parts), arrived.err)
			continue
		}
		for i, want := range test.parts {
			if arrived.parts[i] != want {
				t.Errorf("%s: part %d is %.100q, want %.100q", test.name, i, arrived.parts[i], want)
			}
		}
	}
}

// ClickHouse reads tables as they are sent, an upload while it answers, and refuses one
// that is broken; what it says of failures is understood, whatever its coding.
func TestTransportToClickHouse(t *testing.T) {
	t.Parallel()
	server := sandbox.ForTest(t, sandbox.Options{Init: []string{
		"CREATE USER gate", "CREATE DATABASE app", "CREATE TABLE app.t (n UInt64) ENGINE = MergeTree ORDER BY n",
		"GRANT SELECT, INSERT ON app.* TO gate",
	}})
	client := silentClient(t, strings.TrimPrefix(server.HTTP, "http://"))
	accept := "identity"
	ask := func(query string, o outgoing) (string, porterhouse.Summary, error) {
		o.head = client.target.appendHead([]byte("POST /?query_id=id&"+query), "")
		o.head = append(o.head, "X-ClickHouse-User: gate\r\nAccept-Encoding: "+accept+"\r\n"...)
		k := newTestCall(t.Context(), client, "id", 0)
		r, err := client.questions.ask(k.ctx, o, new(atomic.Bool)) // nothing is killed
		if err != nil {
			return "", porterhouse.Summary{}, k.fail(err)
		}
		answer, err := k.openPassage(r)
		if err != nil {
			return "", porterhouse.Summary{}, k.fail(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return string(text), answer.Summary(), err
	}
	sql := func(sql string) string { return "query=" + url.QueryEscape(sql) }

	numbers := porterhouse.Table{Name: "numbers", Fields: []porterhouse.Setting{{Name: "structure", Value: "n UInt64"}, {Name: "format", Value: "CSV"}}, Data: strings.NewReader("1\n2\n3\n")}
	blob := strings.Repeat("\x00\xff\r\n--\r\n", 100_000)
	bytesTable := porterhouse.Table{Name: "b", Fields: []porterhouse.Setting{{Name: "types", Value: "String"}, {Name: "format", Value: "RawBLOB"}}, Data: strings.NewReader(blob)}
	text, _, err := ask(sql("SELECT sum(n), (SELECT length(_1) FROM b) FROM numbers"), outgoing{tables: tablesOf(nil, numbers, bytesTable)})
	if err != nil || text != "6\t800000\n" {
		t.Errorf("tables: %q, %v", text, err)
	}

	rows := bytes.Repeat([]byte("1234567\n"), 200_000)
	for _, size := range []int64{-1, int64(len(rows))} {
		text, s, err := ask("", outgoing{body: "INSERT INTO app.t FORMAT TSV\n", data: bytes.NewReader(rows), size: size})
		if err != nil || text != "" || s.Sent != int64(len(rows)) || s.Exception != nil {
			t.Errorf("INSERT of %d: %.200q, %+v, %v", size, text, s, err)
		}
		_, _, err = ask(sql("INSERT INTO app.t FORMAT TSV"), outgoing{data: io.MultiReader(bytes.NewReader(rows[:80]), failing{errAny}), size: size})
		if !errors.Is(err, errAny) {
			t.Errorf("a broken INSERT of %d: %v", size, err)
		}
	}
	if text, _, err := ask(sql("SELECT count(), min(n), max(n) FROM app.t"), outgoing{}); text != "400000\t1234567\t1234567\n" {
		t.Errorf("the table has %q, %v", text, err)
	}

	for _, accept = range []string{"zstd", "gzip", "br", "identity"} {
		blocks := "&compress=1" // ClickHouse does not do both
		if accept != "identity" {
			blocks = ""
		}
		text, s, err := ask(sql("SELECT nope")+blocks, outgoing{})
		if err != nil || s.Exception == nil || s.Exception.Name != "UNKNOWN_IDENTIFIER" || strings.HasPrefix(text, "Code") {
			t.Errorf("refused as %s: %q, %+v, %v", accept, text, s.Exception, err)
		}
	}
	_, s, err := ask(sql("SELECT throwIf(number = 3000000), number FROM numbers(10000000)")+"&wait_end_of_query=0", outgoing{})
	if err == nil || s.Exception == nil || s.Exception.Code != 395 || s.Cut != porterhouse.CutError {
		t.Errorf("an exception behind the first byte: %+v, %v", s, err)
	}
}
