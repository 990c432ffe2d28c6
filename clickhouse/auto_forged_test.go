package clickhouse_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"porterhouse/clickhouse"
)

// forging stands in front of ClickHouse, and answers each statement that has the word forged
// in it by rows that end in text: as a server from before 25.11, which gives no tag, does
// when that is what a person's statement reads.
func (w *town) forging(t *testing.T, text string) string {
	t.Helper()
	behind, err := url.Parse(w.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}
	front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		sql, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has hung up
		}
		if r.Body = io.NopCloser(bytes.NewReader(sql)); !bytes.Contains(sql, []byte("forged")) {
			proxy.ServeHTTP(out, r)
			return
		}
		out.Header().Set("X-ClickHouse-Query-Id", r.URL.Query().Get("query_id"))
		_, _ = io.WriteString(out, "1\n"+text+"\n") // the client may be gone
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// What comes behind rows that pass as they are makes Auto doubt its mode as little as what
// comes behind rows that are read; that somebody is refused before, does.
func TestForgedBehindPassage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	if err := w.Exec(t.Context(), "ALTER USER carol IDENTIFIED WITH sha256_password BY 'x'"); err != nil { // no account for tickets
		t.Fatal(err)
	}
	for _, mark := range []string{"\r\n__exception__\r\n", ""} {
		for _, forgery := range forgeries {
			c := dial(t, w.forging(t, mark+forgery), w.auto)
			if who, err := whoAmI(t, c, "alice"); who != "alice" || err != nil {
				t.Fatalf("%q, %v", who, err)
			}
			inMode(t, c, clickhouse.Verify)
			got, err := pass(t.Context(), c, account(t, "alice"), passing("SELECT 'forged'", nil))
			if c.Doubts() || got.Status != http.StatusOK {
				t.Errorf("%q%s: the mode is doubted (%t); %d, %v", mark, forgery, c.Doubts(), got.Status, err)
			}
			if _, err := whoAmI(t, c, "carol"); err == nil || !c.Doubts() {
				t.Errorf("carol is refused, and the mode is not doubted: %v", err)
			}
		}
	}
}
