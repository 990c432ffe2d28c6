package clickhouse

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
)

// caller is who asks a question of a Probe.
type caller struct {
	user  string                                                               // whom ClickHouse names in its exceptions; "": nobody yet
	login func(ctx context.Context, queryID string) (fields string, err error) // makes the header fields that log in
}

// gateway asks as Config.User.
func (p *prober) gateway() caller { return withPassword(p.User, p.target.login) }

// withPassword asks as whoever a header field logs in.
func withPassword(user, field string) caller {
	return caller{user, func(context.Context, string) (string, error) { return field, nil }}
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
func (p *prober) ask(ctx context.Context, as caller, q probeQuestion) (probeAnswer, Finding) {
	comment := "&log_comment=" + url.QueryEscape(probeComment)
	var answer probeAnswer
	var found Finding
	for range attempts {
		answer, found = p.askOnce(ctx, as, q, comment)
		switch {
		case comment != "" && found.Failed(HeldToReading) && strings.Contains(found.Said, "log_comment"):
			comment = ""
		case !p.again(found):
			return answer, found
		}
	}
	return answer, found
}

// attempts bounds how often a question is asked whose connection was closed without a
// word. None changes anything, so each may be asked again.
const attempts = 8

// again reports whether a question is to be asked again, and counts why.
func (p *prober) again(f Finding) bool {
	if !f.Failed(HungUp) {
		return false
	}
	p.lost.Add(1)
	return true
}

func (p *prober) askOnce(ctx context.Context, as caller, q probeQuestion, comment string) (probeAnswer, Finding) {
	id := "porterhouse-probe-" + rand.Text()
	parameters := "default_format=TabSeparated&query_id=" + id + comment
	if q.setting != "" {
		parameters += "&" + q.setting
	}
	response, err := p.pool.ask(ctx, outgoing{
		head:  p.target.head(parameters, "", ""),
		login: func(ctx context.Context) (string, error) { return as.login(ctx, id) },
		body:  q.prefix + q.sql + probeText + q.format,
	}, new(atomic.Bool))
	if err != nil {
		return probeAnswer{}, networkFinding(ctx, err)
	}
	defer response.body.Close()
	text, err := readAnswer(response)
	if said, ok := errors.AsType[exceptionText](err); ok {
		return probeAnswer{}, exceptionFinding(string(said), as.user)
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
