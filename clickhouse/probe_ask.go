package clickhouse

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"

	"porterhouse"
)

// asker asks the questions of a Probe over HTTP.
type asker struct {
	target  target
	pool    *pool
	opened  atomic.Uint64
	lost    atomic.Int64                        // connections that were closed without a word
	secured atomic.Pointer[tls.ConnectionState] // of the last handshake
}

// newAsker checks c, as New does.
func newAsker(c Config) (*asker, error) {
	a := &asker{}
	var err error
	if a.target, err = newTarget(c); err != nil {
		return nil, err
	}
	c.TLS = a.watched(c.TLS)
	a.pool = newPool(controlConnections, connector(&a.target, c, &a.opened))
	return a, nil
}

// watched returns a copy of c that tells what the server has shown.
func (a *asker) watched(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	verify := c.VerifyConnection
	c.VerifyConnection = func(state tls.ConnectionState) error {
		a.secured.Store(&state)
		if verify == nil {
			return nil
		}
		return verify(state)
	}
	return c
}

// visitor asks as somebody.
type visitor struct {
	*asker
	user  string                                                               // whom ClickHouse names in its exceptions; "": nobody yet
	login func(ctx context.Context, queryID string) (fields string, err error) // makes the header fields that log in
}

// as returns a visitor whom a header field logs in.
func (a *asker) as(user, field string) visitor {
	return visitor{a, user, func(context.Context, string) (string, error) { return field, nil }}
}

// probeQuestion is a question of a Probe.
type probeQuestion struct {
	prefix  string // before sql: EXECUTE AS
	sql     string
	setting string // that is set for it: name=value; "": none
	format  string // behind sql: FORMAT …
}

// probeAnswer is what came.
type probeAnswer struct {
	text    string
	format  string // that ClickHouse says it used
	display string // what the server calls itself
}

// ask asks one question. An account that is held to reading may not set anything, so
// it is asked again without a log_comment.
func (v visitor) ask(ctx context.Context, q probeQuestion) (probeAnswer, Finding) {
	comment := "&log_comment=" + url.QueryEscape(probeComment)
	var answer probeAnswer
	var found Finding
	for range attempts {
		answer, found = v.askOnce(ctx, q, comment)
		switch {
		case comment != "" && found.Failed(HeldToReading) && strings.Contains(found.Said, "log_comment"):
			comment = ""
		case !v.again(found):
			return answer, found
		}
	}
	return answer, found
}

// attempts bounds how often a question is asked whose connection was closed without a
// word. None changes anything, so each may be asked again.
const attempts = 8

// again reports whether a question is to be asked again, and counts why.
func (a *asker) again(f Finding) bool {
	if !f.Failed(HungUp) {
		return false
	}
	a.lost.Add(1)
	return true
}

func (v visitor) askOnce(ctx context.Context, q probeQuestion, comment string) (probeAnswer, Finding) {
	id := "porterhouse-probe-" + rand.Text()
	parameters := "default_format=TabSeparated&query_id=" + id + comment
	if q.setting != "" {
		parameters += "&" + q.setting
	}
	response, err := v.pool.ask(ctx, outgoing{
		head:  v.target.head(parameters, "", ""),
		login: func(ctx context.Context) (string, error) { return v.login(ctx, id) },
		body:  q.prefix + q.sql + probeText + q.format,
	}, new(atomic.Bool))
	if own, ok := errors.AsType[*porterhouse.Error](err); ok { // of login
		return probeAnswer{}, Finding{Outcome: Fails, Cause: OtherError, Said: own.Error()}
	}
	if err != nil {
		return probeAnswer{}, networkFinding(ctx, err)
	}
	defer response.body.Close()
	text, err := readAnswer(response)
	if said, ok := errors.AsType[exceptionText](err); ok {
		return probeAnswer{}, exceptionFinding(string(said), v.user)
	}
	if err != nil {
		return probeAnswer{}, networkFinding(ctx, ownWords(err))
	}
	return probeAnswer{text, response.field(headerFormat), response.field("X-ClickHouse-Server-Display-Name")}, Finding{Outcome: Works}
}

// unexpected is the finding of an answer that ClickHouse would not give.
func unexpected(answer string) Finding {
	return Finding{Outcome: Fails, Cause: NotClickHouse, Said: "the answer was " + shorten(answer)}
}
