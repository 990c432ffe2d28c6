package encoding

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"porterhouse/sandbox"
)

// narrower are the bodies that ClickHouse reads and we refuse: the table of the
// package's comment.
var narrower = []string{
	"zstd, cut in the middle", "zstd, without its last byte",
	"lz4, cut in the middle", "lz4, without its last byte", "lz4, with a tail",
	"blocks, size",
}

// Whatever both ClickHouse and we read is the same text to both; and what only
// ClickHouse reads is on the list.
func TestAsTheEngineReads(t *testing.T) {
	server := sandbox.ForTest(t, sandbox.Options{})
	const sql = "SELECT hex(SHA256($$über alle Berge$$)), 'and more' /* and more, until it is worth while */"
	for name, body := range bodies(t, sql) {
		coding, _, _ := strings.Cut(name, ",")
		theirs, taken := ask(t, server, coding, body)
		ours, err := read(coding, body)
		switch {
		case taken && err != nil && !slices.Contains(narrower, name):
			t.Errorf("%s: the engine reads it and answers %q, we do not: %v", name, theirs, err)
		case taken && err != nil:
			t.Logf("%s: the engine reads it and answers %q, we do not: %v", name, theirs, err)
		case taken:
			if plain, ok := ask(t, server, "", []byte(ours)); !ok || plain != theirs {
				t.Errorf("%s: the engine answers %q, and %q to what we read: %q", name, theirs, plain, ours)
			}
		case err == nil:
			t.Logf("%s: we read %q, the engine says %s", name, ours, theirs)
		}
	}
}

// bodies are packed statements by a name that begins with their coding.
func bodies(t testing.TB, sql string) map[string][]byte {
	all := map[string][]byte{
		"blocks, NONE":  block(codecNone, []byte(sql), len(sql)),
		"blocks, LZ4":   block(codecLZ4, packLZ4(sql+strings.Repeat(" ", 100)), len(sql)+100),
		"blocks, ZSTD":  block(codecZSTD, packZSTD(sql), len(sql)),
		"blocks, two":   append(block(codecNone, []byte(sql), len(sql)), block(codecNone, []byte("\n"), 1)...),
		"blocks, tail":  append(block(codecNone, []byte(sql), len(sql)), "tail"...),
		"blocks, size":  block(codecNone, []byte(sql), len(sql)-2),
		"blocks, cut":   block(codecNone, []byte(sql), len(sql))[:60],
		"blocks, Delta": block(0x92, []byte(sql), len(sql)),
	}
	for coding := range packers {
		whole := pack(t, coding, sql)
		all[coding+", whole"] = whole
		all[coding+", two parts"] = append(bytes.Clone(whole), pack(t, coding, ", 'and more'")...)
		all[coding+", cut in the middle"] = whole[:len(whole)/2]
		all[coding+", without its last byte"] = whole[:len(whole)-1]
		all[coding+", empty"] = nil
		all[coding+", with a tail"] = append(bytes.Clone(whole), "tail"...)
		all[coding+", with zeros"] = append(bytes.Clone(whole), make([]byte, 16)...)
		all[coding+", in upper case"] = whole
	}
	return all
}

func read(coding string, body []byte) (string, error) {
	if coding == "blocks" {
		got, err := io.ReadAll(Blocks(bytes.NewReader(body)))
		return string(got), err
	}
	r, err := Decode(coding, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(r)
	return string(got), err
}

// ask sends the body to the engine; ok says that it ran the statement.
func ask(t testing.TB, server *sandbox.Server, coding string, body []byte) (answer string, ok bool) {
	t.Helper()
	url := server.HTTP
	if coding == "blocks" {
		url += "/?decompress=1"
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(server.User, server.Password)
	if coding != "" && coding != "blocks" {
		request.Header.Set("Content-Encoding", coding)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), response.StatusCode == http.StatusOK
}
