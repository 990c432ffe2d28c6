package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"porterhouse"
)

// A server that is taken out is let go of, whoever has a session there; that one is told
// so, once, also when the server is there again.
func TestServerIsTakenOut(t *testing.T) {
	r := startRig(t)
	const rig = "{url: 'http://127.0.0.1:1', user: gw, password: 'file:gateway.password'}"
	one, other := startQuiet(t), startQuiet(t)
	put := func(servers ...string) {
		t.Helper()
		r.write("porterhouse.yaml", edit(rig, "{hosts: ["+strings.Join(servers, ", ")+"], user: gw, password: 'file:gateway.password', access: {mode: static}}"))
		if said := r.reload(); !strings.Contains(said, "the configuration was reloaded") {
			t.Fatal(said)
		}
	}
	put(one, other)
	for session := range 40 { // so many that some are at each server
		r.must(r.asks(session))
	}
	put(other)
	r.until("the server is let go of", func() bool {
		for _, name := range r.server.process.stock.all() {
			if url, ours := strings.CutPrefix(name, "client main "); ours && strings.Contains(one, url) {
				return false
			}
		}
		return true
	})
	if told := r.told(0, 20); told == 0 || told == 20 {
		t.Errorf("of 20 sessions at two servers %d were told that theirs was taken out", told)
	}
	put(other, one)
	if told := r.told(20, 40); told == 0 || told == 20 {
		t.Errorf("it is there again, and of 20 sessions at two servers %d were told that theirs was taken out", told)
	}
	if again := r.told(0, 40); again > 0 {
		t.Errorf("%d were told twice", again)
	}
}

// startQuiet is a server that answers every statement with no rows. It returns an entry of
// hosts.
func startQuiet(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-ClickHouse-Query-Id", r.URL.Query().Get("query_id"))
		w.Header().Set("X-ClickHouse-Format", "TabSeparated")
	}))
	t.Cleanup(server.Close)
	return "{url: '" + server.URL + "'}"
}

// asks puts a question in a session.
func (r *rig) asks(number int) error {
	session := fmt.Sprint("session-", number)
	user, err := porterhouse.ParseUserName("alice")
	r.must(err)
	answer, err := r.generation().reach.clusters["main"].Query(r.Context(), porterhouse.Account{User: user}, porterhouse.Query{
		SQL: "SELECT 1", ID: session, Class: porterhouse.Class{Read: true}, Limits: porterhouse.Limits{Rows: 1, Bytes: 1, Time: time.Minute},
		Passage: &porterhouse.Passage{Owner: "alice", Session: &porterhouse.Session{ID: session, Owner: "alice"}},
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	r.must(err)
	return answer.Body.Close()
}

// told is how many sessions, of those from a number to another, are said to be lost with a
// server that was taken out.
func (r *rig) told(from, to int) (count int) {
	r.Helper()
	for session := from; session < to; session++ {
		if err := r.asks(session); err == nil {
			continue
		} else if _, said := porterhouse.Explain(err); !strings.Contains(said, "was taken out of the cluster") {
			r.Errorf("session %d: %v", session, err)
		}
		count++
	}
	return count
}
