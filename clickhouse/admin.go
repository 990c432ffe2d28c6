package clickhouse

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"
)

// Admin runs statements as an account of its own, the provisioner: those that
// make, change and drop accounts, and those that read how they are. It has its own
// login and its own connections, so that neither the gateway's rights nor its
// questions have to do with it. It is safe for concurrent use.
type Admin struct {
	clients []*Client
	last    atomic.Int32 // which of them to ask first
}

// adminTime bounds one statement, in ClickHouse and on the way.
const adminTime = 30 * time.Second

// NewAdmin checks all, of which User and Password are the provisioner's: one for each
// server of a cluster, in which any will do. It connects to nothing.
func NewAdmin(all ...Config) (*Admin, error) {
	a := &Admin{}
	for _, c := range all {
		client, err := New(c)
		if err != nil {
			return nil, err
		}
		a.clients = append(a.clients, client)
	}
	if len(a.clients) == 0 {
		return nil, errors.New("clickhouse: there is no server to be administrator of")
	}
	return a, nil
}

// User is the provisioner's own account.
func (a *Admin) User() string { return a.clients[0].cleaner.gateway }

// Exec runs one statement that answers nothing; comment is its log_comment, which
// joins it to the audit record. The error is a *porterhouse.Error, with a
// *porterhouse.Exception inside when ClickHouse itself refused. After any other one
// nobody knows whether the statement ran.
func (a *Admin) Exec(ctx context.Context, sql, comment string) error {
	_, err := a.ask(ctx, sql, comment)
	return err
}

// Rows runs one statement and returns its rows, each a slice of the values as
// text; a NULL cannot be told from N, so ask for ifNull. An answer of more than 16 MiB is an error, as Exec tells it.
func (a *Admin) Rows(ctx context.Context, sql, comment string) ([][]string, error) {
	answer, err := a.ask(ctx, sql, comment)
	if err != nil {
		return nil, err
	}
	return tsvRows(answer), nil
}

// ask asks the server that could be asked last, and the others one after the other as long
// as nothing could be sent to any. What was sent and has no answer is sent to no other: only
// what comes next begins elsewhere.
func (a *Admin) ask(ctx context.Context, sql, comment string) (answer string, err error) {
	begin := int(a.last.Load())
	for i := range a.clients {
		at := (begin + i) % len(a.clients)
		if answer, err = a.clients[at].control.ask(ctx, sql, comment, adminTime); !isUnsent(err) {
			if isUnanswered(err) {
				at = (at + 1) % len(a.clients)
			}
			a.last.Store(int32(at))
			break
		}
	}
	return answer, err
}

// tsvRows reads an answer in TabSeparated.
func tsvRows(answer string) [][]string {
	rows := make([][]string, 0, strings.Count(answer, "\n"))
	for line := range strings.Lines(answer) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i, field := range row {
			row[i] = tsvValue(field)
		}
		rows = append(rows, row)
	}
	return rows
}

// Close lets go of the connections.
func (a *Admin) Close(ctx context.Context) error {
	var errs []error
	for _, client := range a.clients {
		errs = append(errs, client.Close(ctx))
	}
	return errors.Join(errs...)
}

// QuoteString returns text as a string literal, which ClickHouse reads back as
// exactly text.
func QuoteString(text string) string { return string(quote(nil, text)) }

// QuoteName returns text as an identifier in backticks: the name of a user, a role
// or a settings profile. Where a user is named in GRANT IMPERSONATE ON, nothing else
// parses.
func QuoteName(text string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(text) + "`"
}
