package clickhouse_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// BenchmarkLane measures one small INSERT over a connection of its own, over that of
// a session, and straight to ClickHouse's HTTP interface as alice herself.
func BenchmarkLane(b *testing.B) {
	l := openLane(b)
	l.text(b, "CREATE TABLE app.void (a Int32, word String) ENGINE = Null")
	const sql, row = "INSERT INTO app.void FORMAT CSV", "1,word\n"
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			l.does(b, insert(sql, row))
		}
	})
	b.Run("session", func(b *testing.B) {
		l.does(b, in("s", change("SET", "SET max_threads = 3")))
		for b.Loop() {
			l.does(b, in("s", insert(sql, row)))
		}
	})
	b.Run("http", func(b *testing.B) {
		address := l.HTTP + "/?" + url.Values{"user": {"alice"}, "password": {"a"}, "query": {sql}}.Encode()
		for b.Loop() {
			response, err := http.Post(address, "text/plain", strings.NewReader(row))
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				b.Fatal(response.Status)
			}
		}
	})
}
