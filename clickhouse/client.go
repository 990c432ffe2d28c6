package clickhouse

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"porterhouse"
)

// Config says how to reach one ClickHouse cluster as the gateway.
type Config struct {
	URL      string             // http://host:8123 or https://host:8443
	User     string             // the gateway's own account: it holds IMPERSONATE and nothing else
	Password porterhouse.Secret // of User
	TLS      *tls.Config        // for https; nil: the system's roots

	MaxConnections int           // at once; 0: 256
	DialTimeout    time.Duration // to be connected; 0: 3 s
	HeaderTimeout  time.Duration // added to the query's own time until the first byte; 0: 5 s
	Log            *slog.Logger  // nil: discarded
}

// Client runs statements on one cluster. It is safe for concurrent use.
type Client struct{}

// New checks c. It connects to nothing.
func New(c Config) (*Client, error) { panic("skeleton") }

// Query runs q as the account. The answer's Body is open: close it.
func (c *Client) Query(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	panic("skeleton")
}

// Server is what a check found.
type Server struct {
	Version string
}

// Check logs in and asks one question as the gateway itself. comment is its log_comment.
func (c *Client) Check(ctx context.Context, comment string) (Server, error) { panic("skeleton") }

// Ping asks whether the server answers at all, without logging in.
func (c *Client) Ping(ctx context.Context) error { panic("skeleton") }

// Stats counts what the client did since it was made.
type Stats struct {
	Queries, Kills, KillFailures, ConnectionsOpened uint64
	Running                                         int64
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats { panic("skeleton") }

// Close waits, until ctx ends, for kills under way and lets go of all connections.
func (c *Client) Close(ctx context.Context) error { panic("skeleton") }
