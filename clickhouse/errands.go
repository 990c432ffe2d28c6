package clickhouse

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"porterhouse"
)

// errands are small questions of our own, of which the answer is read as a whole.
type errands struct {
	client *Client
	pool   *pool // whose connections they use
}

// maxStatus bounds an answer to get, in bytes.
const maxStatus = 64 << 10

// get asks for what ClickHouse tells everybody.
func (e errands) get(ctx context.Context, path string) (*response, string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var sent atomic.Bool
	response, err := e.pool.ask(ctx, outgoing{head: e.client.target.get(path)}, &sent)
	if err != nil {
		return nil, "", unheard(ctx, err, sent.Load())
	}
	defer response.body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.body, maxStatus))
	if err != nil {
		return nil, "", &porterhouse.Error{Kind: porterhouse.Unavailable, Public: lost, Err: err}
	}
	return response, string(answer), nil
}

// ask runs one statement as the gateway itself, within atMost, and returns
// its answer, as TabSeparated.
func (e errands) ask(ctx context.Context, sql, comment string, atMost time.Duration) (string, error) {
	return e.askAs(ctx, e.client.target.asGateway, statement{Query: porterhouse.Query{
		SQL: sql, Comment: comment, Format: "TabSeparated", Limits: porterhouse.Limits{Time: atMost},
	}})
}

// askAs is ask for whoever login logs in.
func (e errands) askAs(ctx context.Context, login func(context.Context) (string, error), s statement) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Time)
	defer cancel()
	request := func(lacks *lacking) outgoing {
		return outgoing{head: e.client.target.head(s.parameters(lacks), "", ""), login: login, body: s.SQL}
	}
	var sent atomic.Bool
	response, err := e.send(ctx, request, &sent)
	if own, ok := errors.AsType[*porterhouse.Error](err); ok {
		return "", own // of login
	}
	if err != nil {
		return "", unheard(ctx, err, sent.Load())
	}
	defer response.body.Close()
	answer, err := readAnswer(response)
	if text, ok := errors.AsType[exceptionText](err); ok {
		return "", e.client.explain(text, &s)
	}
	return answer, err
}

// bare asks a question as whoever the header field logs in, and returns its answer, as
// TabSeparated. Nothing is set beside it: an account that may not change settings can be
// asked, too. An exception is returned as it is, an exceptionText.
func (e errands) bare(ctx context.Context, login, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	head := append(e.client.target.head("default_format=TabSeparated", "", ""), login...)
	var sent atomic.Bool
	response, err := e.pool.ask(ctx, outgoing{head: head, body: sql}, &sent)
	if err != nil {
		return "", unheard(ctx, err, sent.Load())
	}
	defer response.body.Close()
	return readAnswer(response)
}

// unheard makes the caller's error of one that came before an answer. Once anything was
// sent nobody knows what became of it, so that no other server may be asked.
func unheard(ctx context.Context, err error, sent bool) *porterhouse.Error {
	switch {
	case !sent:
		return unreached(err)
	case isOver(ctx):
		return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: silent, Err: unanswered{err}}
	}
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: lost, Err: unanswered{err}}
}

// silent is what is told when ClickHouse has a question, and no answer comes in time.
const silent = "ClickHouse did not answer in time; try again in a moment, and tell the operator if it lasts"

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
