package e2e

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curlLines runs the lines that people write, with $URL, $TLS, $TOKEN, $CA and $DIR.
func curlLines(t *testing.T, s *site) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("there is no curl: make deps installs it")
	}
	s.exec("CREATE OR REPLACE TABLE scratch.by_curl (n UInt32, s String) ENGINE = MergeTree ORDER BY n")
	files := t.TempDir()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte("4\tgzip\n")); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"rows.tsv": "1\tfile\n", "rows.tsv.gz": zipped.String(), "more.tsv": strings.Repeat("9\tmore\n", 50_000), "query.sql": "SELECT 'from a file'"} {
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const insert = "INSERT%20INTO%20scratch.by_curl%20FORMAT%20TSV"
	for _, test := range []struct{ line, want string }{
		{`curl -sS -H "Authorization: Bearer $TOKEN" "$URL/" --data-binary "SELECT currentUser()"`, s.straight.user + "\n"},
		{`curl -sS -u "carol:$TOKEN" "$URL/?query=SELECT%201"`, "1\n"},
		{`curl -sS -H "X-ClickHouse-User: carol" -H "X-ClickHouse-Key: $TOKEN" "$URL/" -d "SELECT 2"`, "2\n"},
		{`echo "SELECT 3" | curl -sS -u "carol:$TOKEN" "$URL/" -d @-`, "3\n"},
		{`curl -sS -u "carol:$TOKEN" "$URL/" --data-binary @$DIR/query.sql`, "from a file\n"},
		{`curl -sS -u "carol:$TOKEN" -G "$URL/" --data-urlencode "query=SELECT 'ü' AS x FORMAT JSONEachRow"`, "{\"x\":\"ü\"}\n"},
		{`curl -sS --cacert $CA -u "carol:$TOKEN" "$TLS/" -d "SELECT 4" -w '%{http_version}'`, "4\n2"},
		{`curl -sS --cacert $CA --http1.1 -u "carol:$TOKEN" "$TLS/" -d "SELECT 5" -w '%{http_version}'`, "5\n1.1"},
		{`curl -sS --compressed -u "carol:$TOKEN" "$URL/?enable_http_compression=1" -d "SELECT count() FROM numbers(1000)"`, "1000\n"},
		{`curl -sS -I -u "carol:$TOKEN" "$URL/?query=SELECT%201" -o /dev/null -w '%{http_code}'`, "200"},
		{`curl -sS "$URL/ping"`, "Ok.\n"},
		{`curl -sS -u "carol:$TOKEN" "$URL/?query=` + insert + `" --data-binary @$DIR/rows.tsv`, ""},
		{`curl -sS -u "carol:$TOKEN" "$URL/?query=` + insert + `" --data-binary @- < $DIR/rows.tsv`, ""},
		{`cat $DIR/rows.tsv | curl -sS -u "carol:$TOKEN" "$URL/?query=` + insert + `" -T - -X POST -H "Transfer-Encoding: chunked"`, ""},
		{`curl -sS -u "carol:$TOKEN" -H "Content-Encoding: gzip" "$URL/?query=` + insert + `" --data-binary @$DIR/rows.tsv.gz`, ""},
		{`curl -sS --cacert $CA -u "carol:$TOKEN" "$TLS/?query=` + insert + `" -T - -X POST < $DIR/more.tsv`, ""},
		{`curl -sS -u "carol:$TOKEN" "$URL/" -d "SELECT s, count() FROM scratch.by_curl GROUP BY s ORDER BY s"`, "file\t3\ngzip\t1\nmore\t50000\n"},
		{`curl -sS -o /dev/null -w '%{http_code}' -u "carol:nonsense" "$URL/" -d "SELECT 1"`, "403"},
		{`curl -sS -o /dev/null -w '%{http_code}' "$URL/?user=carol&password=$TOKEN" -d "SELECT 1"`, "403"},
	} {
		line := exec.CommandContext(t.Context(), "bash", "-c", "set -o pipefail; "+test.line)
		line.Env = append(os.Environ(), "URL="+s.plain, "TLS="+s.secure, "TOKEN="+s.tokens["carol"], "CA="+s.ca, "DIR="+files)
		got, err := line.CombinedOutput()
		if err != nil || string(got) != test.want {
			t.Errorf("%s\n%v %q instead of %q", test.line, err, got, test.want)
		}
	}
}
