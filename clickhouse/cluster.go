package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"porterhouse"
)

// Cluster runs statements on servers that are alike: replicas, each a Client of its own.
// All that is bound to a server (connections, sessions, kills, what was found there) stays
// its Client's; a Cluster decides which of them is asked:
//
//	statement ─▶ whose session? whose KILL? ─▶ that server
//	     └ nobody's ─▶ fewest under way (cluster_choice.go) ─▶ Client.Query ─▶ answer
//	                        ▲                                      │
//	                        └── nothing was sent, or a read broke ─┘ (journey.go)
//
// A Cluster of one server is that server. It is safe for concurrent use.
type Cluster struct {
	hosts  []host
	places *Places
	log    *slog.Logger
	close  sync.Once
}

// Host is one server of a Cluster.
type Host struct {
	Client *Client
	Drain  bool // it takes nothing new, and keeps the sessions that it has
}

// ClusterConfig is what a Cluster is made of. The Clients outlive it.
type ClusterConfig struct {
	Hosts  []Host  // at least one that does not drain; no two alike
	Places *Places // of sessions; nil: its own
	Log    *slog.Logger
}

// host is a Host, and what it is chosen by.
type host struct {
	*Client
	bit   hostSet // its own
	hash  uint64  // of its name
	drain bool
}

// hostSet is some hosts of a Cluster.
type hostSet uint64

// MaxHosts is how many servers a Cluster can have: a hostSet has no more bits.
const MaxHosts = 64

// NewCluster checks c. As long as the Cluster is not closed, the Clients check whether
// their servers are there, if there are several: see Client.Run.
func NewCluster(c ClusterConfig) (*Cluster, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Places == nil {
		c.Places = &Places{}
	}
	cluster := &Cluster{places: c.Places, log: c.Log}
	names, taking := map[string]bool{}, 0
	for i, h := range c.Hosts {
		if h.Client == nil || names[h.Client.target.address] {
			return nil, errors.New("clickhouse: a server of a cluster has no client, or is there twice")
		}
		name := h.Client.target.address
		names[name] = true
		if !h.Drain {
			taking++
		}
		cluster.hosts = append(cluster.hosts, host{Client: h.Client, bit: 1 << i, hash: hashOf(name), drain: h.Drain})
	}
	switch {
	case taking == 0:
		return nil, errors.New("clickhouse: a cluster has no server that takes statements")
	case len(c.Hosts) > MaxHosts:
		return nil, fmt.Errorf("clickhouse: a cluster has %d servers, and can have %d", len(c.Hosts), MaxHosts)
	}
	if cluster.several() {
		for _, h := range cluster.hosts {
			h.health.join()
		}
	}
	return cluster, nil
}

// Alone is the Cluster of one server.
func Alone(client *Client) *Cluster {
	return &Cluster{hosts: []host{{Client: client, bit: 1}}, places: &Places{}, log: client.log}
}

// several reports whether there is anything to choose.
func (c *Cluster) several() bool { return len(c.hosts) > 1 }

// UserOf is whom ClickHouse knows as the one who asks when the account does: in the mode
// Static the gateway's own user; "" for the zero account.
func (c *Cluster) UserOf(as porterhouse.Account) string {
	if h := c.hosts[0]; !as.User.IsZero() && as.Password.IsZero() && h.lane.Load().is(Static) {
		return h.cleaner.gateway
	}
	return as.User.String()
}

// Close ends the checks of the servers. Their Clients go on.
func (c *Cluster) Close() {
	c.close.Do(func() {
		if c.several() {
			for _, h := range c.hosts {
				h.health.leave()
			}
		}
	})
}

// Query runs q as the account, as Client.Query does, at the server that fits best. What
// was not sent is sent to another one, and so is, once, a read whose connection broke
// before an answer came.
func (c *Cluster) Query(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	if !c.several() && (q.Passage == nil || q.Passage.Session == nil) {
		return c.hosts[0].Query(ctx, as, q)
	}
	return newJourney(c, as, q).run(ctx)
}

// Gone is closed when the statement does not run any more, as Client.Gone tells, at any
// server that is in service. One that is away takes nothing new, so nothing can pile up
// there, and nobody waits for it.
func (c *Cluster) Gone(queryID string) <-chan struct{} {
	if !c.several() {
		return c.hosts[0].Gone(queryID)
	}
	var dying []host
	for _, h := range c.hosts {
		select {
		case <-h.Gone(queryID):
		default:
			dying = append(dying, h)
		}
	}
	if len(dying) == 0 {
		return never
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		for _, h := range dying {
			select {
			case <-h.Gone(queryID):
			case <-h.health.gone():
			}
		}
	}()
	return all
}

// Check asks one server as Client.Check does.
func (c *Cluster) Check(ctx context.Context, comment string) (Server, error) {
	return atAny(c, "", func(h *Client) (Server, error) { return h.Check(ctx, comment) })
}

// Login asks one server whether this is the user's password, as Client.Login does.
func (c *Cluster) Login(ctx context.Context, user porterhouse.UserName, password porterhouse.Secret) error {
	_, err := atAny(c, user.String(), func(h *Client) (struct{}, error) { return struct{}{}, h.Login(ctx, user, password) })
	return err
}

// Ping asks all servers at once whether they answer, without logging in. One is enough.
func (c *Cluster) Ping(ctx context.Context) error {
	if !c.several() {
		return c.hosts[0].Ping(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan error, len(c.hosts))
	for _, h := range c.hosts {
		go func() { answers <- h.Ping(ctx) }()
	}
	var err error
	for range c.hosts {
		if err = <-answers; err == nil {
			return nil
		}
	}
	return err
}

// ReplicasStatus asks the servers, one after the other, until the replicas of one are not
// late, as Client.ReplicasStatus tells.
func (c *Cluster) ReplicasStatus(ctx context.Context) (status int, text string, err error) {
	var tried hostSet
	for h := c.choose("", tried); h != nil; h = c.choose("", tried) {
		status, text, err = h.ReplicasStatus(ctx)
		if err == nil && status == http.StatusOK || ctx.Err() != nil {
			break
		}
		tried |= h.bit
	}
	return status, text, err
}

// atAny asks servers one after the other until something could be sent to one, those first
// that a user's statements meet. What was sent is sent to no other: of a password that is
// wrong two servers would count two tries.
func atAny[T any](c *Cluster, user string, ask func(*Client) (T, error)) (found T, err error) {
	var tried hostSet
	for h := c.choose(user, tried); h != nil; h = c.choose(user, tried) {
		if found, err = ask(h.Client); isUnsent(err) || isUnanswered(err) {
			h.health.doubt()
		}
		if !isUnsent(err) {
			return found, err
		}
		tried |= h.bit
	}
	return found, err
}
