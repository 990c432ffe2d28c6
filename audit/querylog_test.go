package audit

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
)

// The query in doc/audit.md joins the record to a real ClickHouse's query log.
func TestDocumentedJoin(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a ClickHouse")
	}
	server := sandbox.ForTest(t, sandbox.Options{})
	c := config(t)
	l := mustOpen(t, c)
	const id = "01984c5e-7a10-7c3e-9d2b-5f6a7b8c9d0e"
	e, err := l.Begin(question(id, "SELECT 42"))
	if err != nil {
		t.Fatal(err)
	}
	parameters := url.Values{"query_id": {id}, "log_comment": {`{"rid":"` + id + `"}`}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.HTTP+"/?"+parameters.Encode(), strings.NewReader("SELECT 42"))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(server.User, server.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || string(answer) != "42\n" {
		t.Fatalf("%q, %v", answer, err)
	}
	if err := e.End(Outcome{Rows: 1, Bytes: 3}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)

	// The example reads a file of the server's; here the lines travel in the text.
	_, example, _ := strings.Cut(string(read(t, "../doc/audit.md")), "```sql\n")
	example, _, _ = strings.Cut(example, "```")
	const fileCall, structure = "file('audit.jsonl', JSONEachRow, ", "'kind String, id String, user String, tool String'"
	lines := strings.ReplaceAll(strings.ReplaceAll(string(read(t, c.Path)), `\`, `\\`), "'", `\'`)
	query := strings.Replace(example, fileCall+structure, fmt.Sprintf("format(JSONEachRow, %s, '%s'", structure, lines), 1)
	if query == example {
		t.Fatalf("the example in doc/audit.md reads the record in another way:\n%s", example)
	}
	for _, want := range []string{"alice@example.com\tquery\tQueryStart\t" + server.User, "alice@example.com\tquery\tQueryFinish\t" + server.User} {
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if err := server.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err != nil {
				t.Fatal(err)
			}
			rows, err := server.Text(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(rows, want) {
				break // the last one is written after the answer
			}
			if time.Now().After(end) {
				t.Fatalf("no row %q in\n%s", want, rows)
			}
		}
	}
}
