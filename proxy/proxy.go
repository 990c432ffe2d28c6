// Package proxy is the door for clients of ClickHouse's own HTTP interface: Grafana,
// JDBC, drivers, curl. To them it is a ClickHouse; they only bring a token.
//
//	request ─▶ path ─▶ origin ─▶ credential ─▶ Verify ─▶ Query, rebuilt from what is known ─▶ gate
//	                                                                                           │
//	client ◀── body, as ClickHouse sent it ◀── head, as far as the client may see it ◀── Answer
//
// The rules:
//   - Nothing of a request goes on because it was there: what has no place in a
//     porterhouse.Query is refused, or means nothing here and is left out.
//   - One credential, one person. A user name beside it is that person's account, or
//     the request is refused.
//   - What two readers could read differently is refused: two values for what has one,
//     names that differ in case from those of the interface.
//   - An answer that is not complete looks broken to the client.
//   - Neither a token nor the URL's query string is ever logged.
//
// What a client of ClickHouse 26.7 sees that is not the same here:
//   - there are no pages: /play, /dashboard and the like are 404, whose text names the
//     path only
//   - two different values of one parameter are 400; ClickHouse takes the first
//   - raw bytes beyond ASCII in the URL are 400 and not 500; so is a #, at which
//     ClickHouse cuts the URL off
//   - a form has its query before its files, when those are long
//   - what is refused here as ACCESS_DENIED (497) is 403 and not 500; what ClickHouse
//     refuses so itself stays as it is
//   - Content-Encoding: identity is taken for what it says; package encoding has a table
//     of bodies that are refused
//   - /ping and /replicas_status know ClickHouse's answer for a second, and do not tell
//     which tables are late
//   - an answer that is short may come with its length instead of in chunks, and a
//     request that was answered before all of its body had come ends the connection
//
// What a request is made of is in parameters.go, as a table; what is answered at which
// path in paths.go; ClickHouse's words for what went wrong in problem.go.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
	"porterhouse/gate"
)

// Door names this door in a porterhouse.Entry and in audit records.
const Door = "http"

// Config is what the door is made of.
type Config struct {
	Gate    *gate.Gate
	Cluster string // whose door it is
	// Prefixes: the name of a database may have the cluster's name and a colon before it,
	// which a Router looks at.
	Prefixes bool
	// Verify proves who a token belongs to, as a token for this door and cluster.
	Verify func(ctx context.Context, token string) (porterhouse.Principal, error)
	// Login proves that somebody knows the password of a ClickHouse user. remote is
	// whoever tries. Nil: passwords are refused.
	Login func(ctx context.Context, user porterhouse.UserName, password porterhouse.Secret, remote string) (porterhouse.Principal, error)
	// Ping tells whether ClickHouse answers, and ReplicasStatus what it says at
	// /replicas_status: anybody may ask that, and so ClickHouse is asked once a second at
	// most. Nil: it is never asked, and well.
	Ping           func(ctx context.Context) error
	ReplicasStatus func(ctx context.Context) (status int, text string, err error)
	// AllowURLCredentials accepts a token in the URL (?user=&password=), which logs keep.
	AllowURLCredentials bool
	// AllowIDTokens looks for a token in Grafana's X-ID-Token, too.
	AllowIDTokens bool
	Origins       []string // web pages that may call: https://host[:port]
	// ResourceMetadata is told to whoever brings no good token (RFC 9728); "": there is none.
	ResourceMetadata string
	Strangers        *Strangers       // nil: new ones
	Now              func() time.Time // nil: time.Now
	Log              *slog.Logger     // nil: discarded
}

// Server is the door. It is safe for concurrent use.
type Server struct {
	config    Config
	entry     porterhouse.Entry
	challenge string // WWW-Authenticate
	web       web
	strangers *Strangers
	ping      health
	replicas  health
	buffers   sync.Pool // of *[]byte, bufferSize each
	room      room

	count struct{ requests, refused, broken atomic.Uint64 }
}

// bufferSize is how much of an answer is on its way through the door at one time.
const bufferSize = 64 << 10

// New checks c and makes the door.
func New(c Config) (*Server, error) {
	switch {
	case c.Gate == nil || c.Verify == nil:
		return nil, errors.New("proxy: a gate and a way to verify tokens are needed")
	case c.Cluster == "":
		return nil, errors.New("proxy: no cluster to be the door of")
	}
	web, err := newWeb(c.Origins)
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Strangers == nil {
		c.Strangers = NewStrangers()
	}
	if c.AllowURLCredentials {
		c.Log.Warn("AllowURLCredentials: tokens come in URLs, which proxies and clients keep in their logs", "door", Door)
	}
	s := &Server{config: c, entry: porterhouse.Entry{Cluster: c.Cluster, Door: Door}, web: web, challenge: "Bearer", strangers: c.Strangers}
	if c.ResourceMetadata != "" {
		s.challenge = fmt.Sprintf("Bearer resource_metadata=%q", c.ResourceMetadata)
	}
	s.ping.ask, s.replicas.ask = pingOf(c), c.ReplicasStatus
	s.buffers.New = func() any { b := make([]byte, bufferSize); return &b }
	return s, nil
}

// Stats counts since New.
type Stats struct {
	Requests, Refused, Broken uint64 // of all; refused by us; whose answer could not be completed
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	return Stats{s.count.requests.Load(), s.count.refused.Load(), s.count.broken.Load()}
}
