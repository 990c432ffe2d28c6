// Package proxy is the door for clients of ClickHouse's own HTTP interface: Grafana,
// JDBC, drivers, curl. To them it is a ClickHouse; they only bring a token.
//
//	request ─▶ credentials ─▶ Verify ─▶ Query, rebuilt from what is known ─▶ gate
//	                                                                          │
//	client ◀── body, as ClickHouse sent it ◀── head, as far as it may see ◀── Answer
//
// The rules:
//   - Nothing of a request goes on because it was there: what has no place in a
//     porterhouse.Query is refused, or means nothing here and is left out.
//   - One credential, one person. A user name beside it is that person's account, or
//     the request is refused.
//   - An answer that is not complete looks broken to the client.
package proxy

import (
	"context"
	"log/slog"
	"net/http"

	"porterhouse"
	"porterhouse/gate"
)

// Door names this door in a porterhouse.Entry and in audit records.
const Door = "http"

// Config is what the door is made of.
type Config struct {
	Gate    *gate.Gate
	Cluster string // whose door it is
	// Verify proves who a token belongs to, as a token for this door and cluster.
	Verify func(ctx context.Context, token string) (porterhouse.Principal, error)
	// Login proves that somebody knows the password of a ClickHouse user. remote is
	// whoever tries. Nil: passwords are refused.
	Login func(ctx context.Context, user porterhouse.UserName, password porterhouse.Secret, remote string) (porterhouse.Principal, error)
	// ReadOnly refuses every statement that is not known to only read.
	ReadOnly bool
	// AllowURLCredentials accepts a token in the URL (?user=&password=), which logs keep.
	AllowURLCredentials bool
	// AllowIDTokens looks for a token in Grafana's X-ID-Token, too.
	AllowIDTokens bool
	Origins       []string // web pages that may call: https://host[:port]
	// ResourceMetadata is told to whoever brings no good token (RFC 9728); "": there is none.
	ResourceMetadata string
	Log              *slog.Logger // nil: discarded
}

// Server is the door. It is safe for concurrent use.
type Server struct{ config Config }

// New checks c and makes the door.
func New(c Config) (*Server, error) { panic("not yet") }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("not yet") }

// Stats counts since New.
type Stats struct {
	Requests, Refused, Broken uint64 // of all; refused by us; whose answer could not be completed
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats { panic("not yet") }
