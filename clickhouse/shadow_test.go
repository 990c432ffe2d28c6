package clickhouse_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// twoWays is a ClickHouse that knows three ways to be somebody: by EXECUTE AS, with the
// cluster's secret, and with our tickets.
type twoWays struct {
	*town
	native string // where its native protocol is reached
	url    string
}

// newTwoWays starts one, with some people and their tables.
func newTwoWays(t testing.TB, init ...string) *twoWays {
	t.Helper()
	w := &twoWays{town: &town{}}
	config := w.openAuthenticator(t)
	secret := "<remote_servers><" + clusterName + "><secret>the cluster's &lt;secret&gt; &amp; </secret>" +
		"<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></" + clusterName + "></remote_servers>"
	w.Server = sandbox.ForTest(t, sandbox.Options{ExtraConfig: config + secret, Init: slices.Concat([]string{
		fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", gateway, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(gatewayPassword)),
		"GRANT SELECT(query, query_id, user, Settings) ON system.processes TO " + gateway, "GRANT KILL QUERY ON *.* TO " + gateway,
		"CREATE DATABASE app", "CREATE TABLE app.t (a Int32, word String, f Float64) ENGINE = MergeTree ORDER BY a",
		"INSERT INTO app.t SELECT number, toString(number % 7), number / 3 FROM numbers(1000)",
		"CREATE TABLE app.mine (who String) ENGINE = MergeTree ORDER BY who", "INSERT INTO app.mine VALUES ('alice'), ('bob')",
		"CREATE TABLE app.hidden (a Int32) ENGINE = MergeTree ORDER BY a",
		"CREATE ROW POLICY own ON app.mine USING who = currentUser() TO ALL EXCEPT default",
		"CREATE ROLE reader", "GRANT SELECT ON app.t TO reader", "GRANT SELECT ON app.mine TO reader",
		person("alice"), person("bob"), "GRANT reader TO alice, bob", "GRANT SELECT ON system.numbers TO alice, bob",
		"GRANT IMPERSONATE ON alice TO " + gateway, "GRANT IMPERSONATE ON bob TO " + gateway,
	}, init)})
	w.native, w.url = w.Native, w.HTTP
	return w
}

// client makes a client that acts in one mode and compares it with another one: all
// that is asked.
func (w *twoWays) client(t testing.TB, mode, shadow clickhouse.Mode, changes ...func(*clickhouse.Config)) *clickhouse.Client {
	t.Helper()
	with := func(c *clickhouse.Config) {
		c.Access = clickhouse.Access{Mode: mode, Native: w.native, Cluster: clusterName, Secret: porterhouse.NewSecret(clusterSecret), Mint: w.mint}
		c.Shadow = clickhouse.Shadow{Mode: shadow, Share: 1}
	}
	client := dial(t, w.url, append([]func(*clickhouse.Config){with}, changes...)...)
	var work sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	work.Go(func() { client.Run(ctx) })
	t.Cleanup(func() { stop(); work.Wait() })
	return client
}

// reading makes a Query that reads, as an agent asks it.
func reading(sql string) porterhouse.Query {
	q := question(sql)
	q.Class = porterhouse.Class{Verb: "SELECT", Read: true}
	return q
}

// ofClient is reading for a client of ClickHouse's own interface.
func ofClient(sql string) porterhouse.Query {
	return passing(sql, func(q *porterhouse.Query, _ *porterhouse.Passage) { q.Class.Verb = "SELECT" })
}

// total is how many statements have an outcome.
func total(c *clickhouse.Client) (n uint64) {
	r, _ := c.Shadow()
	for _, count := range r.Counts {
		n += count
	}
	return n
}

// asks asks as somebody, reads the answer and closes it. What ClickHouse refuses is fine.
func asks(ctx context.Context, c *clickhouse.Client, as porterhouse.Account, q porterhouse.Query) {
	answer, err := c.Query(ctx, as, q)
	if err == nil {
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}

// outcome asks as somebody, and waits for what comes of comparing it.
func outcome(t testing.TB, c *clickhouse.Client, name string, q porterhouse.Query) clickhouse.ShadowOutcome {
	t.Helper()
	before, _ := c.Shadow()
	n := total(c)
	asks(t.Context(), c, account(t, name), q)
	for deadline := time.Now().Add(30 * time.Second); total(c) == n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%.100s: nothing came of comparing it", q.SQL)
		}
	}
	after, _ := c.Shadow()
	for _, o := range clickhouse.ShadowOutcomes {
		if after.Counts[o] > before.Counts[o] {
			return o
		}
	}
	return ""
}

// last is the last difference.
func last(c *clickhouse.Client) clickhouse.Difference {
	r, _ := c.Shadow()
	if len(r.Last) == 0 {
		return clickhouse.Difference{}
	}
	return r.Last[len(r.Last)-1]
}

// Each pair of modes gives the same answers, and refuses the same.
func TestShadow(t *testing.T) {
	w := newTwoWays(t)
	modes := []clickhouse.Mode{clickhouse.ExecuteAs, clickhouse.Interserver, clickhouse.Verify}
	for _, mode := range modes {
		for _, shadow := range modes {
			if mode != shadow {
				t.Run(string(mode)+" and "+string(shadow), func(t *testing.T) { testSame(t, w.client(t, mode, shadow)) })
			}
		}
	}
}

func testSame(t *testing.T, c *clickhouse.Client) {
	for _, sql := range []string{
		"SELECT 1", "SELECT currentUser()", "SELECT * FROM app.t", "SELECT who FROM app.mine", "SELECT a FROM app.t WHERE a < 0",
		"SELECT a FROM app.hidden", "SELECT a FROM app.nothing", "SELECT no_such_column", "SELECT", "SELECT throwIf(number = 99000) FROM numbers(100000)",
		"SELECT word, count(), sum(f) FROM app.t GROUP BY word WITH TOTALS", "SHOW DATABASES", "DESCRIBE TABLE app.t", "EXPLAIN SELECT 1", "EXISTS TABLE app.t",
		"SELECT number FROM numbers(90000)",
	} {
		if o := outcome(t, c, "alice", reading(sql)); o != clickhouse.ShadowSame {
			t.Errorf("%s: %s, %+v", sql, o, last(c))
		}
		if o := outcome(t, c, "bob", ofClient(sql)); o != clickhouse.ShadowSame {
			t.Errorf("%s of a client: %s, %+v", sql, o, last(c))
		}
	}
}
