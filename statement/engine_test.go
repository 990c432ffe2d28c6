package statement_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse/sandbox"
)

// engine is a real ClickHouse, asked as the product asks it: logged in as the
// gateway, EXECUTE AS 'alice' in the query parameter, her text in the body.
type engine struct {
	*sandbox.Server
	canary *canary
	file   string // that nobody should read: see plant
	before string // the state that the last attack left
}

// gatewayPassword is the password of the gateway's account in these tests.
const gatewayPassword = "gw-password"

// startEngine starts a ClickHouse with what statements may be tried on:
//
//   - app.t, which alice reads through a row policy; app.named, a parameterized
//     view; app.lookup, a dictionary over secret.t
//   - scratch, where alice may do anything
//   - secret.t, which holds secretText and is not hers
//
// Her account is as generous about the outside as a careless operator makes it,
// so that it is the check, and not a missing grant, that keeps her inside.
func startEngine(t *testing.T) *engine {
	t.Helper()
	e := &engine{Server: sandbox.ForTest(t, sandbox.Options{Init: []string{
		"CREATE DATABASE app", "CREATE DATABASE scratch", "CREATE DATABASE secret",
		"CREATE TABLE app.t (id UInt32, s String, file String, format String, parallel UInt8, m Map(String, UInt8), a Array(String)) ENGINE = MergeTree ORDER BY id",
		"INSERT INTO app.t SELECT number, 'v' || number, 'f', 'x', 1, map('k', 1), ['a', 'b'] FROM numbers(10)",
		"CREATE VIEW app.named AS SELECT * FROM app.t WHERE id = {x:UInt32}",
		"CREATE TABLE scratch.t (id UInt32, s String) ENGINE = MergeTree ORDER BY id",
		"INSERT INTO scratch.t VALUES (1, 'one')",
		"CREATE TABLE secret.t (id UInt32, s String) ENGINE = MergeTree ORDER BY s",
		"INSERT INTO secret.t VALUES (1, '" + secretText + "')",
		"CREATE USER reader IDENTIFIED WITH plaintext_password BY 'reader'",
		"GRANT SELECT ON secret.* TO reader",
		"CREATE USER alice IDENTIFIED WITH no_authentication",
		"GRANT SELECT, dictGet ON app.* TO alice",
		"GRANT ALL ON scratch.* TO alice",
		"GRANT CREATE TEMPORARY TABLE ON *.* TO alice",
		"GRANT TABLE ENGINE ON URL TO alice",
		"GRANT READ ON URL, WRITE ON URL, READ ON FILE, READ ON REMOTE, READ ON MYSQL, READ ON POSTGRES, READ ON MONGO, READ ON REDIS, READ ON S3 TO alice",
		"CREATE ROW POLICY five ON app.t FOR SELECT USING id < 5 TO alice",
		"CREATE DICTIONARY app.lookup (id UInt32, s String) PRIMARY KEY id SOURCE(CLICKHOUSE(USER 'reader' PASSWORD 'reader' QUERY 'SELECT id, s FROM secret.t')) LAYOUT(FLAT()) LIFETIME(0)",
		"CREATE USER gw IDENTIFIED WITH plaintext_password BY '" + gatewayPassword + "'",
		"GRANT IMPERSONATE ON alice TO gw",
		"GRANT CREATE USER ON evil_* TO gw", // as for a gateway that also makes accounts
	}}), canary: newCanary(t)}
	return e
}

// secretText is in a table that alice may not read.
const secretText = "the-secret-of-somebody-else"

// admin asks as the admin.
func (e *engine) admin(t *testing.T, sql string) string {
	t.Helper()
	answer, err := e.Text(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// asAlice sends sql as the product would, with settings for the query; it
// returns the status and the answer.
func (e *engine) asAlice(t *testing.T, sql string, settings map[string]string) (int, string) {
	t.Helper()
	parameters := url.Values{"query": {"EXECUTE AS 'alice' "}, "wait_end_of_query": {"1"}}
	for name, value := range settings {
		parameters.Set(name, value)
	}
	return e.post(t, parameters, sql, "gw", gatewayPassword)
}

func (e *engine) post(t *testing.T, parameters url.Values, body, user, password string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.HTTP+"/?"+parameters.Encode(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-ClickHouse-User", user)
	request.Header.Set("X-ClickHouse-Key", password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%.200q: %v", body, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%.200q: %v", body, err)
	}
	return response.StatusCode, string(answer)
}

// canary listens on loopback and counts who comes: nobody should.
type canary struct {
	address string
	visits  atomic.Int64
}

func newCanary(t *testing.T) *canary {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &canary{address: listener.Addr().String()}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c.visits.Add(1) // once more, because connections are kept
			fmt.Fprint(w, "1\n")
		}),
		ReadHeaderTimeout: 200 * time.Millisecond, // who speaks another protocol waits for no answer
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				c.visits.Add(1)
			}
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with ErrServerClosed
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return c
}
