package clickhouse_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
)

// terrace is servers that can go, each a relay in front of the same ClickHouse, and a
// cluster of them.
type terrace struct {
	*clickhouse.Cluster
	real    *sandbox.Server
	relays  []*fake.Relay // of HTTP
	natives []*fake.Relay
	clients []*clickhouse.Client
	log     *logged
}

// newTerrace makes a cluster of n servers, with a gateway and alice.
func newTerrace(t *testing.T, n int, changes ...func(*clickhouse.Config)) *terrace {
	t.Helper()
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(gatewayPassword)
	r := &terrace{log: &logged{}, real: sandbox.ForTest(t, sandbox.Options{ExtraConfig: remoteServers(terraceSecret), Init: []string{
		"CREATE DATABASE app", "CREATE TABLE app.t (a Int32, word String) ENGINE = MergeTree ORDER BY a",
		"CREATE USER alice IDENTIFIED WITH no_authentication",
		fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", gateway, quoted),
		"GRANT IMPERSONATE ON alice TO " + gateway, "GRANT KILL QUERY ON *.* TO " + gateway,
		"GRANT SELECT(query, query_id, user, Settings) ON system.processes TO " + gateway,
		"GRANT SELECT, INSERT ON app.* TO alice, " + gateway, "GRANT CREATE TEMPORARY TABLE, TABLE ENGINE ON *.* TO alice, " + gateway,
		"GRANT SELECT ON system.numbers TO alice, " + gateway,
	}})}
	running, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	t.Cleanup(func() { stop(); work.Wait() })
	at, err := url.Parse(r.real.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		relay, native := startRelay(t, at.Host), startRelay(t, r.real.Native)
		r.relays, r.natives = append(r.relays, relay), append(r.natives, native)
		client := dial(t, "http://"+relay.Address, append([]func(*clickhouse.Config){r.log.into, func(c *clickhouse.Config) {
			c.DialTimeout, c.HeaderTimeout = time.Second, time.Second
			c.Access.Native = native.Address
		}}, changes...)...)
		r.clients = append(r.clients, client)
		work.Go(func() { client.Run(running) })
	}
	r.Cluster = r.over(t, &clickhouse.Places{}, -1)
	return r
}

// over makes a cluster of the servers, of which one drains; -1: none.
func (r *terrace) over(t *testing.T, places *clickhouse.Places, drains int) *clickhouse.Cluster {
	t.Helper()
	var config clickhouse.ClusterConfig
	config.Places = places
	for i, client := range r.clients {
		config.Hosts = append(config.Hosts, clickhouse.Host{Client: client, Drain: i == drains})
	}
	c, err := clickhouse.NewCluster(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func startRelay(t *testing.T, upstream string) *fake.Relay {
	t.Helper()
	r, err := fake.StartRelay(upstream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// stop takes a server away, and brings it back.
func (r *terrace) stop(i int) { r.relays[i].Stop(); r.natives[i].Stop() }

func (r *terrace) resume(t *testing.T, i int) {
	t.Helper()
	for _, relay := range []*fake.Relay{r.relays[i], r.natives[i]} {
		if err := relay.Resume(); err != nil {
			t.Fatal(err)
		}
	}
}

// where is the server that did something: whose statements have become more, without those
// that went on to another.
func (r *terrace) where(t *testing.T, do func()) int {
	t.Helper()
	done := func(i int) uint64 {
		s := r.clients[i].Stats()
		return s.Queries - s.PassedOn
	}
	before := make([]uint64, len(r.clients))
	for i := range r.clients {
		before[i] = done(i)
	}
	do()
	found := -1
	for i := range r.clients {
		if done(i) > before[i] {
			if found >= 0 {
				t.Errorf("both %d and %d were asked", found, i)
			}
			found = i
		}
	}
	return found
}

// does asks a cluster as alice in a session, and fails the test when that fails.
func does(t *testing.T, c *clickhouse.Cluster, session string, q porterhouse.Query) passed {
	t.Helper()
	got, err := tries(t, c, session, q)
	if err != nil || got.Status != 200 {
		t.Fatalf("%s: %d %s, %v", q.SQL, got.Status, got.Text, err)
	}
	return got
}

func tries(t *testing.T, c *clickhouse.Cluster, session string, q porterhouse.Query) (passed, error) {
	t.Helper()
	q.Passage.Session = &porterhouse.Session{ID: session, Owner: "alice@example.com", Timeout: 30 * time.Second}
	return pass(t.Context(), c, account(t, "alice"), q)
}

// setting is a statement that changes a session, and reading one that finds the change.
func setting() porterhouse.Query {
	q := writing("SET max_block_size = 4321", nil, 0)
	q.Class.Verb, q.Class.State = "SET", true
	return q
}

// inModes runs a test where ClickHouse has the session, and where a native connection is it.
func inModes(t *testing.T, test func(t *testing.T, r *terrace)) {
	for _, mode := range []clickhouse.Mode{clickhouse.Static, clickhouse.ExecuteAs} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			test(t, newTerrace(t, 3, func(c *clickhouse.Config) { c.Access.Mode = mode }))
		})
	}
}

// A session stays at the server where it began, whatever else is under way, for as long as
// that takes anything; when it drains, too. What is new then goes elsewhere.
func TestSessionStays(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, r *terrace) {
		places := &clickhouse.Places{}
		all := r.over(t, places, -1)
		home := r.where(t, func() { does(t, all, "s", setting()) })
		busy, err := r.clients[home].Query(t.Context(), account(t, "alice"), passing("SELECT number FROM system.numbers", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer busy.Body.Close()
		for range 5 {
			if at := r.where(t, func() { does(t, all, "s", setting()) }); at != home {
				t.Errorf("it began at %d, and went on at %d", home, at)
			}
		}
		draining := r.over(t, places, home)
		for i := range 10 {
			if at := r.where(t, func() { does(t, draining, "s", setting()) }); at != home {
				t.Errorf("it began at %d, which drains, and went on at %d", home, at)
			}
			if at := r.where(t, func() { does(t, draining, fmt.Sprint("new-", i), setting()) }); at == home {
				t.Error("a server that drains took a new session")
			}
		}
		// Somebody else of us, who knows nothing of it, finds the same server.
		for i := range 10 {
			name := fmt.Sprint("other-", i)
			first := r.where(t, func() { does(t, all, name, setting()) })
			if again := r.where(t, func() { does(t, r.over(t, &clickhouse.Places{}, -1), name, setting()) }); again != first {
				t.Errorf("one of us is at %d, and another at %d", first, again)
			}
		}
	})
}

// Whoever goes on in a session whose server is away is told so once, and nothing runs
// without what was set. After that it is another session, elsewhere.
func TestSessionOfAServerThatIsAway(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, r *terrace) {
		home := r.where(t, func() { does(t, r.Cluster, "s", setting()) })
		r.stop(home)
		_, err := tries(t, r.Cluster, "s", setting()) // nobody knows yet that it is away
		if err != nil && strings.Contains(err.Error(), "nobody knows whether it was carried out") {
			_, err = tries(t, r.Cluster, "s", setting()) // a native session had not seen its connection end
		}
		wantCode(t, err, 372, "Session s not found: it ended because ")
		next := r.where(t, func() { does(t, r.Cluster, "s", setting()) })
		if next == home {
			t.Error("it goes on where nobody is")
		}
		r.stop(next)
		eventually(t, "it is seen that the server is away", func() bool {
			_ = r.clients[next].Ping(t.Context())
			return r.clients[next].Stats().Away
		})
		_, err = tries(t, r.Cluster, "s", setting())
		wantCode(t, err, 372, "Session s not found: it ended because its server is away. What was set in it is gone; set it again")
		if at := r.where(t, func() { does(t, r.Cluster, "s", setting()) }); at == home || at == next {
			t.Error("it goes on where nobody is")
		}
	})
}

// What was set in a session that is said to be lost is gone, although its server comes
// back and has not forgotten it.
func TestLostSessionIsGone(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, r *terrace) {
		home := r.where(t, func() { does(t, r.Cluster, "s", setting()) })
		away := func(is bool) func() bool {
			return func() bool {
				_ = r.clients[home].Ping(t.Context())
				return r.clients[home].Stats().Away == is
			}
		}
		r.relays[home].Stop() // native sessions go on
		eventually(t, "it is seen that the server is away", away(true))
		_, err := tries(t, r.Cluster, "s", setting())
		wantCode(t, err, 372, "its server is away. What was set in it is gone")
		if err := r.relays[home].Resume(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the server is back", away(false))
		if got := does(t, r.Cluster, "s", passing("SELECT getSetting('max_block_size')", nil)); strings.TrimSpace(got.Text) == "4321" {
			t.Error("what was set in it is there")
		}
	})
}

// A session at a server that was taken out is told so.
func TestSessionOfAServerThatWasTakenOut(t *testing.T) {
	t.Parallel()
	r := newTerrace(t, 2, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Static })
	places := &clickhouse.Places{}
	home := r.where(t, func() { does(t, r.over(t, places, -1), "s", setting()) })
	one, err := clickhouse.NewCluster(clickhouse.ClusterConfig{Hosts: []clickhouse.Host{{Client: r.clients[1-home]}}, Places: places})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tries(t, one, "s", setting())
	wantCode(t, err, 372, "its server was taken out of the cluster")
	does(t, one, "s", setting())
}

// A server goes and comes back, and the log says both; one that accepts connections and
// never answers goes as well.
func TestServerGoesAndComesBack(t *testing.T) {
	t.Parallel()
	r := newTerrace(t, 2, func(c *clickhouse.Config) { c.Access.Mode = clickhouse.Static })
	ask := func() error {
		q := passing("SELECT 1", nil)
		q.Limits.Time = 2 * time.Second
		_, err := pass(t.Context(), r.Cluster, account(t, "alice"), q)
		return err
	}
	away := func(i int, is bool) func() bool {
		return func() bool { _ = ask(); return r.clients[i].Stats().Away == is }
	}
	r.stop(0)
	eventually(t, "the first is out of service", away(0, true))
	for range 20 {
		if err := ask(); err != nil {
			t.Errorf("one is away, and a read fails: %v", err)
		}
	}
	r.resume(t, 0)
	eventually(t, "the first is back", away(0, false))
	r.relays[1].Hang()
	eventually(t, "the second, which hangs, is out of service", away(1, true))
	r.resume(t, 1)
	r.relays[1].Cut()
	eventually(t, "the second is back", away(1, false))
	for _, line := range []string{"out of service\" host=" + r.relays[0].Address, "back in service\" host=" + r.relays[0].Address, "out of service\" host=" + r.relays[1].Address} {
		if !strings.Contains(r.log.String(), line) {
			t.Errorf("the log has no %q:\n%s", line, r.log.String())
		}
	}
}
