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
	case c.inMode(Interserver):
		return c.cluster.checkServer(ctx, comment)
	case c.target.login == "":
		return Server{}, c.Ping(ctx)
	}
	version, err := c.ask(ctx, CheckSQL, comment, checkTime)
	if err != nil {
		return Server{}, err
	}
	return Server{Version: strings.TrimSuffix(version, "\n")}, nil
}

// Ping asks whether the server answers at all, without logging in.
func (c *Client) Ping(ctx context.Context) error {
	response, answer, err := c.get(ctx, "/ping")
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
	response, answer, err := c.get(ctx, "/replicas_status")
	if err != nil {
		return 0, "", err
	}
	return response.status, answer, nil
}

// maxStatus bounds an answer to get, in bytes.
const maxStatus = 64 << 10

// get asks for what ClickHouse tells everybody.
func (c *Client) get(ctx context.Context, path string) (*response, string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	response, err := c.control.ask(ctx, outgoing{head: c.target.get(path)}, new(atomic.Bool))
	if err != nil {
		return nil, "", unreached(err)
	}
	defer response.body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.body, maxStatus))
	if err != nil {
		return nil, "", &porterhouse.Error{Kind: porterhouse.Unavailable, Public: lost, Err: err}
	}
	return response, string(answer), nil
}

// ask runs one statement as the gateway itself, within atMost, and returns
// its answer, as TabSeparated. It uses connections that questions cannot take away.
func (c *Client) ask(ctx context.Context, sql, comment string, atMost time.Duration) (string, error) {
	return c.askAs(ctx, c.target.asGateway, statement{Query: porterhouse.Query{
		SQL: sql, Comment: comment, Format: "TabSeparated", Limits: porterhouse.Limits{Time: atMost},
	}})
}

// askAs is ask for whoever login logs in.
func (c *Client) askAs(ctx context.Context, login func(context.Context) (string, error), s statement) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Time)
	defer cancel()
	request := outgoing{head: c.target.head(s.parameters(), "", ""), login: login, body: s.SQL}
	response, err := c.control.ask(ctx, request, new(atomic.Bool))
	if own, ok := errors.AsType[*porterhouse.Error](err); ok {
		return "", own // of login
	}
	if err != nil {
		return "", unreached(err)
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
