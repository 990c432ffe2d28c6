package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// The gateway's own account in the tests.
const (
	gateway         = "gw_porter"
	gatewayPassword = "gate's pass \\ with a space at its end "
)

// house is a ClickHouse with a gateway account and some people, and a client.
type house struct {
	*sandbox.Server
	*clickhouse.Client
}

// open starts a ClickHouse and a client with the given changes to its Config.
func open(t testing.TB, changes ...func(*clickhouse.Config)) *house {
	t.Helper()
	server := sandbox.ForTest(t, sandbox.Options{Init: []string{
		fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", gateway, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(gatewayPassword)),
		"GRANT SELECT(query, query_id, user) ON system.processes TO " + gateway,
		"CREATE USER alice", "CREATE USER bob",
		"GRANT IMPERSONATE ON alice TO " + gateway, "GRANT IMPERSONATE ON bob TO " + gateway,
		"CREATE DATABASE app",
		"CREATE TABLE app.t (a Int32, word String) ENGINE = MergeTree ORDER BY a",
		"GRANT SELECT ON app.* TO alice",
		"GRANT SELECT ON system.numbers TO alice, bob",
	}})
	return &house{server, dial(t, server.HTTP, changes...)}
}

// dial makes a client for the URL, which is closed when the test has ended.
func dial(t testing.TB, url string, changes ...func(*clickhouse.Config)) *clickhouse.Client {
	t.Helper()
	config := clickhouse.Config{
		URL: url, User: gateway, Password: porterhouse.NewSecret(gatewayPassword),
		Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
	for _, change := range changes {
		change(&config)
	}
	client, err := clickhouse.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := client.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return client
}

type testWriter struct{ testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.Logf("%s", p)
	return len(p), nil
}

// lastID makes the query ids of the tests.
var lastID atomic.Int64

// question makes a Query with an id of its own, and with limits.
func question(sql string) porterhouse.Query {
	id := fmt.Sprintf("test-%d-%d", time.Now().UnixNano(), lastID.Add(1))
	return porterhouse.Query{
		SQL:     sql,
		Format:  porterhouse.TSVRows,
		Limits:  porterhouse.Limits{Time: 30 * time.Second},
		ID:      id,
		Comment: `{"rid":"` + id + `"}`,
	}
}

// account is the account with that name.
func account(t testing.TB, name string) porterhouse.Account {
	t.Helper()
	user, err := porterhouse.ParseUserName(name)
	if err != nil {
		t.Fatal(err)
	}
	return porterhouse.Account{User: user}
}

// result is an answer that was read to its end.
type result struct {
	Columns []porterhouse.Column
	Text    string
	Summary porterhouse.Summary
}

// read asks q as the account and reads the answer.
func read(ctx context.Context, client *clickhouse.Client, as porterhouse.Account, q porterhouse.Query) (result, error) {
	answer, err := client.Query(ctx, as, q)
	if err != nil {
		return result{}, err
	}
	text, err := io.ReadAll(answer.Body)
	err = errors.Join(err, answer.Body.Close())
	return result{answer.Columns, string(text), answer.Summary()}, err
}

// read asks q as alice and fails the test when there is an error.
func (h *house) read(t testing.TB, q porterhouse.Query) result {
	t.Helper()
	r, err := read(t.Context(), h.Client, account(t, "alice"), q)
	if err != nil {
		t.Fatalf("%.200s: %v", q.SQL, err)
	}
	return r
}

func withPassword(password string) func(*clickhouse.Config) {
	return func(c *clickhouse.Config) { c.Password = porterhouse.NewSecret(password) }
}
