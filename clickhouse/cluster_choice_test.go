package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"porterhouse"
)

// newStreet makes a Cluster of servers that nobody asks.
func newStreet(t testing.TB, n int) *Cluster {
	t.Helper()
	var config ClusterConfig
	for i := range n {
		config.Hosts = append(config.Hosts, Host{Client: silentClient(t, fmt.Sprintf("127.0.0.1:%d", 1+i))})
	}
	c, err := NewCluster(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A person has an order of servers of their own. It is the same for all of us, spreads
// people over the servers, and of a server that goes only those are moved who were there.
func TestOrderOfServers(t *testing.T) {
	const people = 3000
	one, other, fewer := newStreet(t, 3), newStreet(t, 3), newStreet(t, 3)
	fewer.hosts[1].health.miss(errors.New("it is gone"))
	met := map[string]int{}
	for i := range people {
		name := fmt.Sprintf("person-%d", i)
		first := one.choose(name, 0)
		met[first.target.address]++
		if again := other.choose(name, 0); again.target.address != first.target.address {
			t.Fatalf("%s meets %s here and %s there", name, first.target.address, again.target.address)
		}
		then := fewer.choose(name, 0)
		if moved := then.target.address != first.target.address; moved != (first.bit == one.hosts[1].bit) {
			t.Fatalf("%s was at %s, and is at %s when %s is away", name, first.target.address, then.target.address, fewer.hosts[1].target.address)
		}
	}
	for host, n := range met {
		if n < people/3-people/20 || n > people/3+people/20 {
			t.Errorf("%s has %d of %d people", host, n, people)
		}
	}
}

// The server with the fewest statements under way is asked, whoever asks; one that drains
// or is away is not, as long as there is another.
func TestFewestUnderWay(t *testing.T) {
	c := newStreet(t, 3)
	user := porterhouse.UserName{}
	for i := range 300 {
		c.choose("alice", 0).underway.begin(user, fmt.Sprint(i))
	}
	for _, h := range c.hosts {
		if n := h.underway.count.Load(); n != 100 {
			t.Errorf("%s has %d of 300", h.target.address, n)
		}
	}
	c.hosts[2].drain = true
	c.hosts[0].underway.begin(user, "one more")
	if at := c.choose("alice", 0); at.bit != c.hosts[1].bit {
		t.Errorf("%s was chosen", at.target.address)
	}
	c.hosts[1].health.miss(errors.New("gone"))
	if at := c.choose("alice", 0); at.bit != c.hosts[0].bit {
		t.Errorf("%s was chosen", at.target.address)
	}
	c.hosts[0].health.miss(errors.New("gone"))
	if at := c.choose("alice", 0); at == nil || at.bit != c.hosts[0].bit {
		t.Errorf("all are away, and %v was chosen, not the one that went last", at)
	}
	if at := c.choose("alice", c.hosts[0].bit); at == nil || at.bit != c.hosts[1].bit {
		t.Errorf("all are away, one was tried, and %v was chosen", at)
	}
	if at := c.choose("alice", c.hosts[0].bit|c.hosts[1].bit); at != nil {
		t.Errorf("all that take anything were tried, and %s was chosen", at.target.address)
	}
}

// Choosing takes no memory.
func TestChoosingIsFree(t *testing.T) {
	c := newStreet(t, 5)
	if n := testing.AllocsPerRun(100, func() { c.choose("alice", 0) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkChoose(b *testing.B) {
	for _, n := range []int{2, 3, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := newStreet(b, n)
			b.ReportAllocs()
			for b.Loop() {
				c.choose("alice@example.com", 0)
			}
		})
	}
}

// What is wrong about a cluster is said when it is made.
func TestNewCluster(t *testing.T) {
	one, other := silentClient(t, "127.0.0.1:1"), silentClient(t, "127.0.0.1:2")
	many := []Host{}
	for i := range MaxHosts + 1 {
		many = append(many, Host{Client: silentClient(t, fmt.Sprintf("127.0.0.1:%d", i+1))})
	}
	for _, hosts := range [][]Host{nil, {{}}, {{Client: one, Drain: true}}, {{Client: one}, {Client: silentClient(t, "127.0.0.1:1")}}, many} {
		if _, err := NewCluster(ClusterConfig{Hosts: hosts}); err == nil {
			t.Errorf("%d hosts are taken: %+v", len(hosts), hosts)
		}
	}
	c, err := NewCluster(ClusterConfig{Hosts: []Host{{Client: one}, {Client: other, Drain: true}}})
	if err != nil {
		t.Fatal(err)
	}
	one.health.miss(errors.New("gone"))
	c.Close()
	c.Close() // it is closed once
	if s := one.Stats(); s.Away || s.Checked {
		t.Errorf("nobody asks any more, and its stats are %+v", s)
	}
}

// What a KILL names is looked for in its literals and parameters: one's own statement
// first, and then anybody's.
func TestKillFindsItsServer(t *testing.T) {
	c := newStreet(t, 3)
	alice, _ := porterhouse.ParseUserName("alice")
	bob, _ := porterhouse.ParseUserName("bob")
	c.hosts[0].underway.begin(bob, "both")
	c.hosts[1].underway.begin(alice, "both")
	c.hosts[2].underway.begin(bob, "his")
	for sql, want := range map[string]int{
		"KILL QUERY WHERE query_id = 'both'":              1,
		"KILL QUERY WHERE query_id IN ('no', 'his') SYNC": 2,
		"KILL QUERY WHERE query_id = {id:String}":         2,
		"KILL QUERY WHERE query_id = 'none'":              -1,
		"KILL QUERY WHERE user = 'bob":                    -1,
	} {
		q := porterhouse.Query{SQL: sql}
		if want == 2 && len(sql) < 40 {
			q.Params = map[string]string{"id": "his"}
		}
		at := c.running(alice, &q)
		if (at == nil) != (want < 0) || at != nil && at.bit != c.hosts[want].bit {
			t.Errorf("%s goes to %v", sql, at)
		}
	}
	c.hosts[1].underway.begin(alice, "both")
	c.hosts[1].underway.end(alice, "both")
	c.hosts[2].underway.end(bob, "his")
	q := porterhouse.Query{SQL: "KILL QUERY WHERE query_id IN ('his', 'both')"}
	if at := c.running(alice, &q); at == nil || at.bit != c.hosts[1].bit {
		t.Errorf("of two with one id one has ended, and it goes to %v", at)
	}
}

// Nobody waits for a statement at a server that is away.
func TestGoneOfSeveral(t *testing.T) {
	var config ClusterConfig
	for range 2 { // that accept a KILL, and never answer
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		config.Hosts = append(config.Hosts, Host{Client: silentClient(t, listener.Addr().String())})
	}
	c, err := NewCluster(config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wait := func(id string) bool {
		select {
		case <-c.Gone(id):
			return true
		case <-time.After(20 * time.Millisecond):
			return false
		}
	}
	if !wait("none") {
		t.Error("nobody kills it, and it is waited for")
	}
	for _, h := range c.hosts {
		k := newTestCall(context.Background(), h.Client, "id", 0)
		k.sent.Store(true)
		k.abandon()
	}
	if wait("id") {
		t.Error("it is said to be gone, and nobody has seen that")
	}
	waiting := c.Gone("id")
	c.hosts[0].health.miss(errors.New("gone"))
	if wait("id") {
		t.Error("one of its servers is there, and it is said to be gone")
	}
	c.hosts[1].health.miss(errors.New("gone"))
	select {
	case <-waiting:
	case <-time.After(10 * time.Second):
		t.Error("both servers are away, and it is waited for")
	}
}
