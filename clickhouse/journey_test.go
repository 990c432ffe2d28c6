package clickhouse_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// manner is how a server of a test answers.
type manner = func(c net.Conn, r *http.Request, end <-chan struct{}) bool

// hangsUp answers pings, and closes the connection on a statement.
func hangsUp(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
	return r.URL.Path == "/ping" && answersPing(c)
}

func answersPing(c net.Conn) bool {
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nOk.\n")
	return err == nil
}

// well answers pings and statements.
func well(c net.Conn, r *http.Request, end <-chan struct{}) bool {
	if r.URL.Path == "/ping" {
		return answersPing(c)
	}
	return good(c, r, end)
}

// row is some servers, and a cluster of them.
type row struct {
	*clickhouse.Cluster
	wires []*wire
}

// newRow makes a cluster of wires, one for each manner; of nil nobody listens there.
func newRow(t *testing.T, manners ...manner) *row {
	t.Helper()
	r := &row{}
	var config clickhouse.ClusterConfig
	for _, m := range manners {
		speak := m
		if m == nil {
			speak = well
		}
		w := serve(t, speak, func(c *clickhouse.Config) {
			c.Access.Mode = clickhouse.Static
			if m == nil {
				c.URL = "http://" + nobody(t)
			}
		})
		r.wires = append(r.wires, w)
		config.Hosts = append(config.Hosts, clickhouse.Host{Client: w.Client})
	}
	var err error
	if r.Cluster, err = clickhouse.NewCluster(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Cluster.Close)
	return r
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	return listener.Addr().String()
}

// asked is how many statements came to each server.
func (r *row) asked() (all []int64) {
	for _, w := range r.wires {
		all = append(all, w.requests.Load())
	}
	return all
}

func (r *row) total() (sum int64) {
	for _, n := range r.asked() {
		sum += n
	}
	return sum
}

// does asks as somebody, and reads the answer.
func (r *row) does(t *testing.T, name string, q porterhouse.Query) error {
	t.Helper()
	answer, err := r.Query(t.Context(), account(t, name), q)
	if err != nil {
		return err
	}
	_, err = io.ReadAll(answer.Body)
	return errors.Join(err, answer.Body.Close())
}

// of are the kinds of statements that a journey treats differently.
func statementsOf() map[string]func(data io.Reader) porterhouse.Query {
	return map[string]func(io.Reader) porterhouse.Query{
		"rows": func(io.Reader) porterhouse.Query {
			q := question("SELECT 1")
			q.Class.Read = true
			return q
		},
		"read":   func(io.Reader) porterhouse.Query { return passing("SELECT 1", nil) },
		"write":  func(io.Reader) porterhouse.Query { return writing("CREATE TABLE t (a Int8)", nil, 0) },
		"insert": func(data io.Reader) porterhouse.Query { return writing("INSERT INTO t FORMAT TSV", data, -1) },
		"read with data": func(data io.Reader) porterhouse.Query {
			return passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Data, p.Size = data, -1 })
		},
		"read with tables": func(data io.Reader) porterhouse.Query {
			return passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) { p.Tables = oneTable(data) })
		},
		"read in a session": func(io.Reader) porterhouse.Query {
			return passing("SELECT 1", func(_ *porterhouse.Query, p *porterhouse.Passage) {
				p.Session = &porterhouse.Session{ID: rand.Text(), Owner: "alice"}
			})
		},
	}
}

func oneTable(data io.Reader) iter.Seq2[porterhouse.Table, error] {
	return func(yield func(porterhouse.Table, error) bool) {
		yield(porterhouse.Table{Name: "t", Fields: []porterhouse.Setting{{Name: "structure", Value: "a Int8"}}, Data: data}, nil)
	}
}

// Whatever the statement is, it goes to another server when nothing of it was sent.
func TestNothingWasSent(t *testing.T) {
	t.Parallel()
	for name, make := range statementsOf() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRow(t, nil, well, nil)
			for i := range 20 { // people whose first server is each of them
				if err := r.does(t, fmt.Sprint("person-", i), make(strings.NewReader("1\n"))); err != nil {
					t.Fatalf("person %d: %v", i, err)
				}
			}
			if n := r.wires[1].requests.Load(); n < 20 {
				t.Errorf("the server that is there was asked %d times", n)
			}
			if s, other := r.wires[0].Stats(), r.wires[1].Stats(); !s.Away || s.Aways != 1 || other.Away || s.PassedOn == 0 {
				t.Errorf("the stats are %+v, %+v", s, other)
			}
		})
	}
}

// When nobody is there the error is that of a single server, and everyone was tried.
func TestNobodyIsThere(t *testing.T) {
	t.Parallel()
	r := newRow(t, nil, nil, nil)
	for range 2 {
		wantError(t, r.does(t, "alice", question("SELECT 1")), porterhouse.Unavailable, "ClickHouse cannot be reached right now")
	}
	for i, w := range r.wires {
		if s := w.Stats(); s.Aways != 1 || s.Queries != 2 {
			t.Errorf("server %d: %+v", i, s)
		}
	}
	wantError(t, r.Ping(t.Context()), porterhouse.Unavailable, "cannot be reached")
}

// A statement that a server has is sent once more only when it is a read that stands by
// itself, to another server, and never a third time.
func TestSentAtMostTwice(t *testing.T) {
	t.Parallel()
	for name, make := range statementsOf() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var statements atomic.Int64
			counts := func(c net.Conn, q *http.Request, end <-chan struct{}) bool {
				if q.URL.Path != "/ping" {
					statements.Add(1)
				}
				return hangsUp(c, q, end)
			}
			r := newRow(t, counts, counts, counts)
			want := int64(1)
			if name == "rows" || name == "read" {
				want = 2
			}
			err := r.does(t, "alice", make(strings.NewReader("1\n")))
			wantError(t, err, porterhouse.Unavailable, "broke before an answer came")
			if got := statements.Load(); got != want {
				t.Errorf("the statement was sent %d times, want %d", got, want)
			}
		})
	}
}

// A read whose server hangs up is answered by another, in what is left of its time.
func TestReadIsAskedAgain(t *testing.T) {
	t.Parallel()
	var first, second atomic.Pointer[http.Request]
	slowly := func(c net.Conn, q *http.Request, end <-chan struct{}) bool {
		if q.URL.Path == "/ping" {
			return answersPing(c)
		}
		if first.CompareAndSwap(nil, q) {
			time.Sleep(1100 * time.Millisecond)
			return false
		}
		second.Store(q)
		return good(c, q, end)
	}
	r := newRow(t, slowly, slowly)
	q := question("SELECT 1")
	q.Class.Read = true
	if err := r.does(t, "alice", q); err != nil {
		t.Fatal(err)
	}
	one, two := first.Load().URL.Query(), second.Load().URL.Query()
	if one.Get("query_id") != q.ID || two.Get("query_id") != q.ID {
		t.Errorf("it had the ids %s and %s", one.Get("query_id"), two.Get("query_id"))
	}
	if one.Get("max_execution_time") == two.Get("max_execution_time") {
		t.Errorf("both times it had %s seconds", one.Get("max_execution_time"))
	}
	if n := r.total(); n < 2 {
		t.Errorf("%d statements", n)
	}
}

// An exception, a limit of time, a client that has left and an answer that broke in its
// middle are an end.
func TestEndsAreEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	for _, test := range []struct {
		name   string
		speak  manner
		ctx    context.Context
		kind   porterhouse.Kind
		public string
	}{
		{"an exception", func(c net.Conn, _ *http.Request, _ <-chan struct{}) bool {
			_, err := io.WriteString(c, refusal("Code: 60. DB::Exception: Unknown table expression identifier 't'. (UNKNOWN_TABLE) (version 26.7.2.1)\n"))
			return err == nil
		}, t.Context(), porterhouse.Failed, "Unknown table"},
		{"time", func(_ net.Conn, _ *http.Request, end <-chan struct{}) bool { <-end; return false }, t.Context(), porterhouse.Timeout, "within the 300ms"},
		{"the client has left", func(_ net.Conn, _ *http.Request, end <-chan struct{}) bool { cancel(); <-end; return false }, ctx, porterhouse.Canceled, ""},
		{"in the middle", func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
			io.WriteString(c, head(r, "abcdefghijklmnop")+chunk("x\nUInt8\n1\n"))
			return false
		}, t.Context(), porterhouse.Unavailable, "not complete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var statements atomic.Int64
			speak := func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
				if r.URL.Path == "/ping" {
					return answersPing(c)
				}
				statements.Add(1)
				return test.speak(c, r, end)
			}
			r := newRow(t, speak, speak)
			q := question("SELECT 1")
			if test.kind == porterhouse.Timeout {
				q = soon("SELECT 1")
			}
			q.Class.Read = true
			answer, err := r.Query(test.ctx, account(t, "alice"), q)
			if err == nil {
				_, err = io.ReadAll(answer.Body)
				answer.Body.Close()
			}
			wantError(t, err, test.kind, test.public)
			if n := statements.Load(); n != 1 {
				t.Errorf("the statement was sent %d times", n)
			}
		})
	}
}
