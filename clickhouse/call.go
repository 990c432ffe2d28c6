package clickhouse

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"porterhouse"
)

// call is one statement, from before it is sent to its end. It ends once: either
// ClickHouse is done with it (finish), or nobody waits for it any more (abandon).
type call struct {
	client *Client
	statement
	begun time.Time

	caller  context.Context // whose question it is
	ctx     context.Context // ends with caller, when the time is up, and when the call ends
	cancel  context.CancelFunc
	unwatch func() bool // stops watching ctx

	sent    atomic.Bool // ClickHouse may have the statement
	started bool        // ClickHouse has answered, so it knows the statement
	over    atomic.Bool
}

// run sends a statement and opens its answer.
func (c *Client) run(ctx context.Context, s statement) (*porterhouse.Answer, error) {
	if c.killer.isClosed() {
		return nil, porterhouse.Errorf(porterhouse.Unavailable, "Porterhouse is shutting down; try again in a moment")
	}
	k := &call{client: c, statement: s, begun: time.Now(), caller: ctx}
	k.ctx, k.cancel = context.WithTimeout(ctx, s.Limits.Time+c.grace)
	c.count.queries.Add(1)
	c.underway.begin(s.account.User, s.ID)

	response, err := k.ask()
	if err != nil {
		return nil, k.fail(err)
	}
	k.started = true
	k.unwatch = context.AfterFunc(k.ctx, k.abandon)
	answer, err := k.open(response)
	if err != nil {
		response.body.Close()
		return nil, k.fail(err)
	}
	return answer, nil
}

// ask sends the statement. What a client sends is refused as a whole, or not.
func (k *call) ask() (*response, error) {
	if k.Passage != nil {
		return k.client.questions.ask(k.ctx, k.request(nil), &k.sent)
	}
	return errands{k.client, k.client.questions}.send(k.ctx, k.request, &k.sent)
}

// request is what is sent: nothing goes on because a client sent it, all is written anew.
func (k *call) request(lacks *lacking) outgoing {
	o := outgoing{
		login: func(ctx context.Context) (string, error) { return k.way.login(ctx, k.account, k.ID) },
		body:  k.SQL,
	}
	p := k.Passage
	if p == nil {
		o.head = k.client.target.head(k.parameters(lacks), "", "")
		return o
	}
	o.head = k.client.target.head(k.parameters(nil), p.Agent, p.Accept)
	o.tables, o.stop, o.progress = p.Tables, p.Stop, p.Progress
	if p.Tables != nil {
		o.body = "" // the statement travels in the URL
	}
	if p.Data != nil {
		o.body += "\n" // what stands between statement and data: statement.Head
		o.data, o.size = p.Data, p.Size
	}
	return o
}

// finish ends the call: ClickHouse is done with the statement.
func (k *call) finish() {
	if !k.over.CompareAndSwap(false, true) {
		return
	}
	if k.unwatch != nil {
		k.unwatch()
	}
	k.cancel()
	k.client.underway.end(k.account.User, k.ID)
}

// abandon ends the call: the connection closes, and ClickHouse is told to stop
// the statement if it may have it. It may be called at any time, from anywhere.
func (k *call) abandon() {
	if !k.over.CompareAndSwap(false, true) {
		return
	}
	k.cancel()
	k.client.underway.end(k.account.User, k.ID)
	if k.sent.Load() {
		k.client.killer.kill(k.victim(), k.started, k.begun.Add(k.Limits.Time))
	}
}

// fail ends the call because of err, and says what err means to the caller. An
// exception ended the statement; after anything else it may still be running.
func (k *call) fail(err error) error {
	if text, ok := errors.AsType[exceptionText](err); ok {
		k.finish()
		return k.client.explain(text, &k.statement)
	}
	why := k.reason(err)
	k.abandon()
	return why
}

// What a person is told when ClickHouse is away.
const (
	unreachable = "ClickHouse cannot be reached right now; try again in a moment, and tell the operator if it lasts"
	lost        = "the connection to ClickHouse broke before an answer came; try again in a moment, and tell the operator if it lasts"
	brokenOff   = "the connection to ClickHouse broke in the middle of the answer, so it is not complete; ask again"
	noPlace     = "no connection to ClickHouse became free in time; try again in a moment"
)

// reason makes the caller's error of one that a connection gave. Whose time was
// up or who went away decides, for then the connection only says "canceled".
func (k *call) reason(err error) error {
	if _, ok := errors.AsType[*porterhouse.Error](err); ok {
		return err
	}
	e := &porterhouse.Error{Kind: porterhouse.Unavailable, Err: err}
	late := errors.Is(k.ctx.Err(), context.DeadlineExceeded)
	switch {
	case k.caller.Err() != nil:
		e.Kind, e.Public = porterhouse.Explain(k.caller.Err())
	case late && k.sent.Load():
		e.Kind = porterhouse.Timeout
		e.Public = "ClickHouse did not finish within the " + k.Limits.Time.String() + " that a question may take; ask for less at once"
	case late:
		e.Public = noPlace
	case k.ctx.Err() != nil:
		e.Kind, e.Public = porterhouse.Canceled, "the answer was closed before its end"
	case !k.sent.Load():
		return unreached(err)
	case !k.started:
		e.Public, e.Err = lost, unanswered{err}
	default:
		e.Public = brokenOff
	}
	return e
}

// Headers of ClickHouse's responses.
const (
	headerQueryID       = "X-ClickHouse-Query-Id"
	headerFormat        = "X-ClickHouse-Format"
	headerSummary       = "X-ClickHouse-Summary"
	headerExceptionCode = "X-ClickHouse-Exception-Code"
	headerExceptionTag  = "X-ClickHouse-Exception-Tag"
)

// open makes an Answer of a response. Its error is for fail.
func (k *call) open(response *response) (*porterhouse.Answer, error) {
	k.answered = !response.refuses() || k.understood(response)
	if k.Passage == nil {
		return k.openRows(response)
	}
	if err := k.mend(response); err != nil {
		return nil, err
	}
	return k.openPassage(response)
}

// understood reports whether a refusal comes after ClickHouse knew the format of an answer:
// then the account was in, and only what we put before the statement may still have failed.
func (k *call) understood(response *response) bool {
	return response.field(headerFormat) != "" && (k.prefix == "" || response.exceptionCode() == authenticationFailed)
}

// openRows makes an Answer of ours, which we read ourselves.
func (k *call) openRows(response *response) (*porterhouse.Answer, error) {
	if id := response.field(headerQueryID); id != k.ID && (id != "" || response.status == http.StatusOK) {
		return nil, notOurs(response, id)
	}
	if response.refuses() {
		return nil, refused(response)
	}
	if response.endless {
		return nil, endless()
	}
	b := newBody(k, response)
	columns, err := b.begin(response.field(headerFormat))
	if err != nil {
		b.release()
		return nil, err
	}
	return &porterhouse.Answer{Columns: columns, Body: b, Summary: b.Summary}, nil
}
