package clickhouse_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/authenticator"
	"porterhouse/clickhouse"
	"porterhouse/kv"
	"porterhouse/sandbox"
	"porterhouse/ticket"
)

// The people of the tests have a password each, and may come with a ticket, too.
const (
	passwordOf = "password: of "
	tokenOf    = "token-of-"
)

// town is a ClickHouse with people in it, and one client for each way to become them.
type town struct {
	*sandbox.Server
	desk *ticket.Desk
	ways map[string]*clickhouse.Client // by name

	tokens string // where it takes tokens
}

// wayNames are the ways in which a statement travels over HTTP as it is.
var wayNames = []string{"verify", "forward", "static", "password"}

// newTown starts one. Its gateway may stop everybody's statements.
func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{ways: map[string]*clickhouse.Client{}}
	config := w.openAuthenticator(t)
	w.Server = sandbox.ForTest(t, sandbox.Options{ExtraConfig: config, Init: []string{
		fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", gateway, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(gatewayPassword)),
		"GRANT SELECT(query, query_id, user, Settings) ON system.processes TO " + gateway,
		"GRANT KILL QUERY ON *.* TO " + gateway,
		"CREATE DATABASE app",
		"CREATE TABLE app.t (a Int32, word String) ENGINE = MergeTree ORDER BY a",
		"CREATE TABLE app.mine (who String) ENGINE = MergeTree ORDER BY who",
		"INSERT INTO app.mine VALUES ('alice'), ('bob')",
		// The engine learns of a quota or a policy when the next user is made.
		"CREATE ROW POLICY own ON app.mine USING who = currentUser() TO ALL EXCEPT default",
		"CREATE ROLE reader", "CREATE ROLE writer", "GRANT SELECT ON app.* TO reader", "GRANT INSERT, CREATE TABLE ON app.* TO writer",
		person("alice"), person("bob"), person("carol"),
		"GRANT reader, writer TO alice, " + gateway, "GRANT SELECT ON system.numbers TO alice, bob, " + gateway,
		"GRANT CREATE TEMPORARY TABLE ON *.* TO alice, " + gateway,
	}})
	w.ways["verify"] = dial(t, w.HTTP, w.verify)
	w.ways["password"] = w.ways["verify"]
	w.ways["static"] = dial(t, w.HTTP, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Static })
	w.tokens = w.takeTokens(t)
	w.ways["forward"] = dial(t, w.tokens, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Forward })
	return w
}

func person(name string) string {
	return fmt.Sprintf("CREATE USER %s IDENTIFIED WITH sha256_password BY '%s', http SERVER 'porterhouse' SCHEME 'BASIC'", name, passwordOf+name)
}

const authenticatorPath = "/3f1c2b7a9d0e4c58"

// openAuthenticator opens our door for ClickHouse's questions, and returns the
// configuration that makes ClickHouse ask them.
func (w *town) openAuthenticator(t testing.TB) (config string) {
	t.Helper()
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if w.desk, err = ticket.New(ticket.Config{Store: store}); err != nil {
		t.Fatal(err)
	}
	door, err := authenticator.New(authenticator.Config{
		Name: "main", Cluster: "main", Path: porterhouse.NewSecret(authenticatorPath),
		Verify: func(context.Context, string) (porterhouse.Principal, error) {
			return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "there are no tokens here")
		},
		Account: func(context.Context, porterhouse.Principal, porterhouse.Entry) (porterhouse.Account, error) {
			return porterhouse.Account{}, errors.New("nobody gets so far")
		},
		IsTicket: ticket.Is,
		Redeem: func(ctx context.Context, secret string, user porterhouse.UserName, queryID string) error {
			return w.desk.Redeem(ctx, secret, ticket.Claim{User: user, QueryID: queryID, Authenticator: "main"})
		},
		Admitted: func(authenticator.Admission, uint64) {}, Rejected: func(authenticator.Rejection, uint64) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(door)
	t.Cleanup(server.Close)
	config, err = authenticator.ClickHouseConfig("porterhouse", server.URL+authenticatorPath)
	if err != nil {
		t.Fatal(err)
	}
	_, config, _ = strings.Cut(config, "<clickhouse>")
	config, _, _ = strings.Cut(config, "</clickhouse>")
	return config
}

// verify makes a client one of the mode Verify.
func (w *town) verify(c *clickhouse.Config) {
	c.Access = clickhouse.Access{Mode: clickhouse.Verify, Mint: w.mint}
}

func (w *town) mint(ctx context.Context, user porterhouse.UserName, queryID string) (porterhouse.Secret, error) {
	return w.desk.Mint(ctx, ticket.Claim{User: user, QueryID: queryID, Authenticator: "main"})
}

// takeTokens makes a ClickHouse that takes tokens of the one that does not: a door
// before it that knows whose token it is. It returns its URL.
func (w *town) takeTokens(t *testing.T) string {
	t.Helper()
	target, err := url.Parse(w.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, Transport: &http.Transport{DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if user, ok := strings.CutPrefix(r.In.Header.Get("Authorization"), "Bearer "+tokenOf); ok {
				r.Out.SetBasicAuth(user, passwordOf+user)
			}
			holdShort(r.Out)
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// holdShort reads a short body before it goes on: with one that is read on its way,
// httputil.ReverseProxy breaks an answer now and then that comes before it has ended.
func holdShort(r *http.Request) {
	if r.ContentLength <= 0 || r.ContentLength > 64<<10 {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
}

// as is the account of somebody who comes by a way.
func (w *town) as(t testing.TB, way, name string) porterhouse.Account {
	t.Helper()
	a := account(t, name)
	switch way {
	case "password":
		a.Password = porterhouse.NewSecret(passwordOf + name)
	case "forward":
		a.Token = porterhouse.NewSecret(tokenOf + name)
	}
	return a
}

// user is whom ClickHouse takes for name, who comes by a way.
func user(way, name string) string {
	if way == "static" {
		return gateway
	}
	return name
}

// each runs a test for every way.
func (w *town) each(t *testing.T, test func(t *testing.T, way string)) {
	for _, way := range wayNames {
		t.Run(way, func(t *testing.T) { test(t, way) })
	}
}

// passing makes a Query of a client that speaks ClickHouse's own interface. change
// may be nil.
func passing(sql string, change func(q *porterhouse.Query, p *porterhouse.Passage)) porterhouse.Query {
	q := question(sql)
	q.Format = ""
	q.Class.Read = true
	q.Passage = &porterhouse.Passage{Owner: "somebody"}
	if change != nil {
		change(&q, q.Passage)
	}
	return q
}

// writing makes a Query that does more than read.
func writing(sql string, data io.Reader, size int64) porterhouse.Query {
	return passing(sql, func(q *porterhouse.Query, p *porterhouse.Passage) {
		q.Class.Read, p.Data, p.Size = false, data, size
	})
}

// passed is an answer to a Passage, read to its end.
type passed struct {
	Status  int
	Text    string
	Fields  []porterhouse.Setting
	Summary porterhouse.Summary
}

// field returns the first field of that name.
func (p passed) field(name string) string {
	for _, f := range p.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// ask asks as name, who comes by a way.
func (w *town) ask(t testing.TB, way, name string, q porterhouse.Query) (passed, error) {
	t.Helper()
	return pass(t.Context(), w.ways[way], w.as(t, way, name), q)
}

// asked is a Client, or a Cluster.
type asked interface {
	Query(context.Context, porterhouse.Account, porterhouse.Query) (*porterhouse.Answer, error)
}

// pass asks and reads the answer.
func pass(ctx context.Context, c asked, as porterhouse.Account, q porterhouse.Query) (passed, error) {
	answer, err := c.Query(ctx, as, q)
	if err != nil {
		return passed{}, err
	}
	text, err := io.ReadAll(answer.Body)
	err = errors.Join(err, answer.Body.Close())
	return passed{answer.Head.Status, string(text), answer.Head.Fields, answer.Summary()}, err
}

// says asks, and fails the test when the answer is another.
func (w *town) says(t testing.TB, way, name string, q porterhouse.Query, status int, text string) {
	t.Helper()
	got, err := w.ask(t, way, name, q)
	if err != nil || got.Status != status || !strings.Contains(got.Text, text) || status == http.StatusOK && got.Text != text {
		t.Errorf("%.100s: %d %q, %v; want %d %q", q.SQL, got.Status, got.Text, err, status, text)
	}
}

// running counts the statements with that query id.
func (w *town) running(t testing.TB, id string) string {
	t.Helper()
	n, err := w.Text(context.Background(), "SELECT count() FROM system.processes WHERE query_id = '"+id+"'")
	if err != nil {
		t.Error(err)
	}
	return n
}

// soonest is a limit on time that a test waits for.
const soonest = 700 * time.Millisecond

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// into makes a client write to it.
func (l *logged) into(c *clickhouse.Config) { c.Log = slog.New(slog.NewTextHandler(l, nil)) }

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String implements fmt.Stringer.
func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
