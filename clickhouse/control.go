package clickhouse

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Server is what a check found.
type Server struct {
	Version string // such as 26.7.2.1; "": the gateway has no account to ask as
}

// checkTime bounds a Check or a Ping.
const checkTime = 5 * time.Second

// CheckSQL is what Check asks.
const CheckSQL = "SELECT version()"

// Check logs in and asks one question as the gateway itself. comment is its log_comment.
// Where the gateway has no account, it only pings. In the mode Interserver the question
// goes the way of people's, because only one that is answered proves the secret.
func (c *Client) Check(ctx context.Context, comment string) (Server, error) {
	switch {
	case c.lane.Load().is(Interserver):
		return c.interserver.checkServer(ctx, comment)
	case c.target.login == "":
		return Server{}, c.Ping(ctx)
	}
	version, err := c.control.ask(ctx, CheckSQL, comment, checkTime)
	if err != nil {
		return Server{}, err
	}
	return Server{Version: strings.TrimSuffix(version, "\n")}, nil
}

// Ping asks whether the server answers at all, without logging in.
func (c *Client) Ping(ctx context.Context) error { return c.control.ping(ctx) }

// ping is Ping.
func (e errands) ping(ctx context.Context) error {
	response, answer, err := e.get(ctx, "/ping")
	if err != nil {
		return err
	}
	if response.status != http.StatusOK || answer != "Ok.\n" {
		return notClickHouse(response)
	}
	return nil
}

// ReplicasStatus asks whether this server's replicas have fallen behind, without
// logging in. It returns ClickHouse's answer: 200 and "Ok.\n", or 503 and which of them are
// late. The names of tables in it are not for everybody.
func (c *Client) ReplicasStatus(ctx context.Context) (status int, text string, err error) {
	response, answer, err := c.control.get(ctx, "/replicas_status")
	if err != nil {
		return 0, "", err
	}
	return response.status, answer, nil
}
