package clickhouse_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
)

// refuses answers pings, and statements with an exception.
func refuses(exception string) manner {
	return func(c net.Conn, r *http.Request, _ <-chan struct{}) bool {
		if r.URL.Path == "/ping" {
			return answersPing(c)
		}
		_, err := io.WriteString(c, strings.Replace(refusal(exception), "Content-Length", "X-ClickHouse-Query-Id: "+r.URL.Query().Get("query_id")+"\r\nContent-Length", 1))
		return err == nil
	}
}

const (
	tooMany      = "Code: 202. DB::Exception: Too many simultaneous queries. Maximum: 100. (TOO_MANY_SIMULTANEOUS_QUERIES) (version 26.7.2.1)\n"
	tooManyOfHer = "Code: 202. DB::Exception: Too many simultaneous queries for user alice. Current: 3, maximum: 3. (TOO_MANY_SIMULTANEOUS_QUERIES) (version 26.7.2.1)\n"
)

// proxyError answers as a proxy does whose server is away.
func proxyError(c net.Conn, _ *http.Request, _ <-chan struct{}) bool {
	_, err := io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\noh\n")
	return err == nil
}

// A server that fails everything at once never has anything under way, and is not given
// all there is for that.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]manner{"refuses": refuses(tooMany), "hangs up": hangsUp, "is a proxy": proxyError} {
		for kind, statement := range map[string]func() porterhouse.Query{
			"rows":  func() porterhouse.Query { return question("SELECT 1") },
			"write": func() porterhouse.Query { return writing("CREATE TABLE t (a Int8)", nil, 0) },
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				fellInto(t, bad, statement)
			})
		}
	}
}

// fellInto lets people ask until they are answered, by two servers that take their time
// until all have come there, and one that fails at once.
func fellInto(t *testing.T, bad manner, statement func() porterhouse.Query) {
	const people = 12
	var came atomic.Int64
	all := make(chan struct{})
	slow := func(c net.Conn, r *http.Request, end <-chan struct{}) bool {
		if r.URL.Path != "/ping" {
			if came.Add(1) == people {
				close(all)
			}
			select {
			case <-all:
			case <-end:
				return false
			}
		}
		return well(c, r, end)
	}
	r := newRow(t, slow, slow, bad)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asking sync.WaitGroup
	for i := range people {
		asking.Go(func() {
			as := account(t, fmt.Sprint("person-", i))
			for range 20 {
				if isAnswered(ctx, r, as, statement()) {
					return
				}
			}
			t.Errorf("%s was not answered in 20 tries", as.User)
			cancel() // the others wait for them
		})
	}
	asking.Wait()
	if n := r.wires[2].requests.Load(); n > 2*people {
		t.Errorf("the server that fails was given %d statements, of %v", n, r.asked())
	}
}

// isAnswered reports whether a statement is carried out.
func isAnswered(ctx context.Context, r *row, as porterhouse.Account, q porterhouse.Query) bool {
	answer, err := r.Query(ctx, as, q)
	if err != nil {
		return false
	}
	_, err = io.ReadAll(answer.Body)
	answer.Body.Close()
	return err == nil && (answer.Head == nil || answer.Head.Status == http.StatusOK)
}

// Whose statements fail by their own limits, or because they are wrong, stays where they
// are; whom the server fails is elsewhere for a while.
func TestOwnFailuresMoveNobody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		speak manner
		moves bool
	}{
		"wrong":        {refuses("Code: 60. DB::Exception: Unknown table expression identifier 't'. (UNKNOWN_TABLE) (version 26.7.2.1)\n"), false},
		"her limit":    {refuses(tooManyOfHer), false},
		"her memory":   {refuses("Code: 241. DB::Exception: Query memory limit exceeded: would use 13.58 MiB. (MEMORY_LIMIT_EXCEEDED) (version 26.7.2.1)\n"), false},
		"its limit":    {refuses(tooMany), true},
		"its memory":   {refuses("Code: 241. DB::Exception: (total) memory limit exceeded: would use 2.64 GiB. (MEMORY_LIMIT_EXCEEDED) (version 26.7.2.1)\n"), true},
		"it hangs up":  {hangsUp, true},
		"it is beyond": {proxyError, true},
	} {
		for kind, q := range map[string]porterhouse.Query{"rows": question("SELECT 1"), "write": writing("CREATE TABLE t (a Int8)", nil, 0)} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				r := newRow(t, test.speak, test.speak)
				for range 2 {
					if isAnswered(t.Context(), r, account(t, "alice"), q) {
						t.Fatal("it was answered")
					}
				}
				if first, second := r.wires[0].requests.Load(), r.wires[1].requests.Load(); (first == second) != test.moves {
					t.Errorf("the servers had %d and %d statements", first, second)
				}
			})
		}
	}
}

// A check is a statement: a server that answers pings and nothing else is not there. One
// that answers, whatever it says, is; and what it says may be that it had better be spared.
func TestCheckIsAStatement(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		speak   manner
		there   bool
		trouble bool
	}{
		"well":        {well, true, false},
		"not let in":  {refuses("Code: 516. DB::Exception: gate: Authentication failed. (AUTHENTICATION_FAILED) (version 26.7.2.1)\n"), true, false},
		"busy":        {refuses(tooMany), true, true},
		"hangs up":    {hangsUp, false, false},
		"hangs":       {hangs, false, false},
		"another one": {proxyError, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, test.speak, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Static })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := w.SignOfLife(ctx); (err == nil) != test.there {
				t.Errorf("the check says %v", err)
			}
			if n := w.Trouble("anybody"); (n > 0) != test.trouble {
				t.Errorf("it weighs %d", n)
			}
		})
	}
}
