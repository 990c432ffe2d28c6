package clickhouse

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
	"porterhouse/blocks"
)

// Config says how to reach one ClickHouse server as the gateway.
//
// What may take how long: DialTimeout to be connected, and once more for the TLS
// handshake. All else, from waiting for a free connection to the last byte of the
// answer, together Limits.Time of the question and HeaderTimeout.
type Config struct {
	URL      string             // http://host:8123 or https://host:8443
	User     string             // the gateway's own account; "" where Access needs none: then Check only pings
	Password porterhouse.Secret // of User
	TLS      *tls.Config        // for https; nil: the system's roots. See TLSFiles

	// AllowPlainHTTP lets the gateway's password and everybody's rows travel
	// unencrypted to a host beyond loopback.
	AllowPlainHTTP bool

	Access Access // how a statement becomes an account's
	Shadow Shadow // another mode, with which answers are compared
	Trial  Trial  // what only Probe uses

	// Room is for the blocks that Interserver prints, of all clients that share it; nil: a
	// room of its own. See NewRoom.
	Room *blocks.Room

	// Spool counts the files in which data of unknown length waits, of all clients that share
	// it; nil: one of its own. See NewSpool.
	Spool *Spool

	MaxConnections int           // at once, for questions; 0: 256. Kills, checks and logins have a few of their own
	DialTimeout    time.Duration // to be connected; 0: 3 s
	HeaderTimeout  time.Duration // added to the query's own time until the first byte, and the last; 0: 5 s
	Log            *slog.Logger  // nil: discarded
}

// Client runs statements on one server. It is safe for concurrent use. A Cluster goes by
// several that are alike.
type Client struct {
	target      target
	cleaner     cleaner
	lane        atomic.Pointer[lane] // of accounts that have no password; nil: auto has not found one yet
	auto        *auto                // nil: the mode was said
	sessions    *sessions            // for what the mode ExecuteAs cannot carry over HTTP; nil where it cannot be
	interserver *bySecret            // for the mode Interserver; nil where it cannot be
	shadow      *shadow              // compares modes; nil: nothing is compared
	questions   *pool                // at most MaxConnections
	control     errands              // kills and checks, which must get through when questions cannot
	logins      errands              // of whoever shows a password: slow ones hold up nothing else
	pulse       errands              // whether the server is there, by a connection that nobody else takes
	grace       time.Duration        // Config.HeaderTimeout
	log         *slog.Logger
	health      *health   // for a Cluster of several
	troubles    troubles  // for a Cluster of several
	underway    underway  // statements whose answers are open
	buffers     sync.Pool // of *[]byte, bufferSize each

	closing context.Context // ends kills under way when Close cannot wait for them
	close   context.CancelFunc
	killer  *killer
	owners  *owners // of tokens, for the mode Forward
	lacks   lacks   // what the server does not know of our settings

	count struct {
		queries, native, passwords, kills, killFailures, connections, looks, passedOn atomic.Uint64
	}
	toldOfKills atomic.Bool // that nobody may stop statements
}

// What a zero field of Config stands for.
const (
	defaultConnections   = 256
	defaultDialTimeout   = 3 * time.Second
	defaultHeaderTimeout = 5 * time.Second
)

// controlConnections bounds what kills and checks use beside MaxConnections, and what logins use.
const controlConnections = 16

// New checks c. It connects to nothing.
func New(c Config) (*Client, error) {
	target, err := newTarget(c)
	if err != nil {
		return nil, err
	}
	if err := c.checkAccess(); err != nil {
		return nil, err
	}
	switch {
	case c.MaxConnections < 0 || c.DialTimeout < 0 || c.HeaderTimeout < 0:
		return nil, errors.New("clickhouse: a number of connections or a timeout is negative")
	case c.Log == nil:
		c.Log = slog.New(slog.DiscardHandler)
	}
	if target.plainBeyondLoopback() {
		c.Log.Warn("AllowPlainHTTP: the gateway's password and all rows travel unencrypted", "host", target.host)
	}
	if c.TLS != nil && c.TLS.InsecureSkipVerify {
		c.Log.Warn("InsecureSkipVerify: whoever answers is taken for ClickHouse", "host", target.host)
	}
	client := &Client{
		target:   target,
		cleaner:  newCleaner(target.name, c.User),
		grace:    orDefault(c.HeaderTimeout, defaultHeaderTimeout),
		log:      c.Log.With("host", target.address),
		health:   newHealth(target.address, c.Log),
		troubles: troubles{begun: time.Now()},
		buffers:  sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }},
	}
	connect := client.health.minding(connector(&client.target, c, &client.count.connections))
	client.questions = newPool(orDefault(c.MaxConnections, defaultConnections), connect)
	client.control = errands{client, newPool(controlConnections, connect)}
	client.logins = errands{client, newPool(controlConnections, connect)}
	client.pulse = errands{client, newPool(1, connect)}
	client.killer = newKiller(client)
	client.owners = newOwners(errands{client, client.questions}) // not what kills need
	client.closing, client.close = context.WithCancel(context.Background())
	if err := openWays(client, c); err != nil {
		return nil, err
	}
	return client, nil
}

// openWays makes the ways in which people's statements can go in the mode of c, and for
// Auto all that it may find.
func openWays(client *Client, c Config) (err error) {
	mode := cmp.Or(c.Access.Mode, ExecuteAs)
	c.Spool = cmp.Or(c.Spool, NewSpool())
	if mode == ExecuteAs || mode == Auto && c.User != "" {
		if client.sessions, err = newSessions(client, c); err != nil {
			return err
		}
	}
	if mode == Interserver || mode == Auto && c.Access.Cluster != "" {
		if client.interserver, err = newBySecret(client, c); err != nil {
			return err
		}
	}
	if client.shadow, err = newShadow(c, client.log); err != nil {
		return err
	}
	if mode == Auto {
		client.auto = newAuto(client, c)
	} else {
		client.lane.Store(newLane(client, mode, c.Access, "the configuration says so"))
	}
	return nil
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value == 0 {
		return standard
	}
	return value
}

// Gone is closed when a statement whose answer was closed, or failed, does not
// run in ClickHouse any more, or nobody can stop it: some functions do not look
// whether they are to stop.
func (c *Client) Gone(queryID string) <-chan struct{} { return c.killer.gone(queryID) }

// Stats counts what the client did since it was made.
type Stats struct {
	Queries           uint64 // people's statements
	Native            uint64 // of these, those over the native protocol
	Passwords         uint64 // of these, those of accounts with a password of their own
	Kills             uint64 // statements that were abandoned, and so killed
	KillFailures      uint64 // kills of which nobody knows whether they worked; the log says why
	ConnectionsOpened uint64 // to ClickHouse, for whatever purpose
	Looks             uint64 // of the mode Auto, which way works
	Running           int64  // answers that are open now

	// Of a server in a Cluster of several.
	Host     string // its name and port
	Checked  bool   // whether it is there is looked at, because there are others
	Away     bool   // it is out of service
	Aways    uint64 // times that it went out of service
	PassedOn uint64 // statements that another server was asked instead, because this one could not be
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	return Stats{
		Queries:           c.count.queries.Load(),
		Native:            c.count.native.Load(),
		Passwords:         c.count.passwords.Load(),
		Kills:             c.count.kills.Load(),
		KillFailures:      c.count.killFailures.Load(),
		ConnectionsOpened: c.count.connections.Load(),
		Looks:             c.count.looks.Load(),
		Running:           c.underway.count.Load(),
		Host:              c.target.address,
		Checked:           c.health.watchers.Load() > 0,
		Away:              c.health.absent() != nil,
		Aways:             c.health.aways.Load(),
		PassedOn:          c.count.passedOn.Load(),
	}
}

// Close waits, until ctx ends, for kills under way and lets go of all
// connections. Close the open answers before: what is asked or abandoned after
// Close has begun is refused, or runs until its own max_execution_time.
func (c *Client) Close(ctx context.Context) error {
	lanes := c.shadow.close(ctx)
	if c.sessions != nil {
		lanes = errors.Join(lanes, c.sessions.close(ctx))
	}
	if c.interserver != nil {
		lanes = errors.Join(lanes, c.interserver.close(ctx))
	}
	err := errors.Join(lanes, c.killer.close(ctx))
	c.close()
	for _, p := range []*pool{c.questions, c.control.pool, c.logins.pool, c.pulse.pool} {
		p.close()
	}
	if err != nil {
		return errors.New("clickhouse: closed while statements were still being killed; they end at their own max_execution_time")
	}
	return nil
}
