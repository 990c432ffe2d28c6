package clickhouse

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"porterhouse"
)

// Server is what a check found.
type Server struct {
	Version string // such as 26.7.2.1
}

// checkTime bounds a Check or a Ping.
const checkTime = 5 * time.Second

// CheckSQL is what Check asks.
const CheckSQL = "SELECT version()"

// Check logs in and asks one question as the gateway itself. comment is its log_comment.
func (c *Client) Check(ctx context.Context, comment string) (Server, error) {
	version, err := c.ask(ctx, CheckSQL, comment, checkTime)
	if err != nil {
		return Server{}, err
	}
	return Server{Version: strings.TrimSuffix(version, "\n")}, nil
}

// Ping asks whether the server answers at all, without logging in.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	response, err := c.control.ask(ctx, outgoing{head: c.target.ping()}, new(atomic.Bool))
	if err != nil {
		return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: unreachable, Err: err}
	}
	defer response.body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.body, 64))
	if err != nil {
		return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: lost, Err: err}
	}
	if response.status != http.StatusOK || string(answer) != "Ok.\n" {
		return notClickHouse(response)
	}
	return nil
}

// ask runs one statement as the gateway itself, within atMost, and returns
// its answer, as TabSeparated. It uses connections that questions cannot take away.
func (c *Client) ask(ctx context.Context, sql, comment string, atMost time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	s := statement{Query: porterhouse.Query{
		SQL: sql, Comment: comment, Format: "TabSeparated", Limits: porterhouse.Limits{Time: atMost},
	}}
	response, err := c.control.ask(ctx, outgoing{head: c.target.head(s.parameters()), body: sql}, new(atomic.Bool))
	if err != nil {
		return "", &porterhouse.Error{Kind: porterhouse.Unavailable, Public: unreachable, Err: err}
	}
	defer response.body.Close()
	answer, err := readAnswer(response)
	if text, ok := errors.AsType[exceptionText](err); ok {
		return "", c.explain(text, &s)
	}
	return answer, err
}

// maxControlAnswer bounds the answer to a control statement, in bytes. A KILL
// answers with the texts of what it stopped, each up to 256 KiB and then escaped.
const maxControlAnswer = 16 << 20

// readAnswer reads the response of a control statement. It returns an
// exceptionText as it is.
func readAnswer(response *response) (string, error) {
	if response.status != http.StatusOK {
		return "", refused(response)
	}
	s := newStream(response.body, response.field(headerExceptionTag), make([]byte, 1<<10))
	for s.err == nil && len(s.data()) <= maxControlAnswer {
		s.fill()
	}
	switch _, exception := errors.AsType[exceptionText](s.err); {
	case s.err == io.EOF:
		return string(s.data()), nil
	case exception:
		return "", s.err
	}
	return "", &porterhouse.Error{Kind: porterhouse.Unavailable, Public: lost, Err: s.err}
}
