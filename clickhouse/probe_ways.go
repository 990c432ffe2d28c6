package clickhouse

import (
	"context"
	"strings"
	"sync"

	"porterhouse"
)

// nobody is a name that no account has.
const nobody = "porterhouse looks for a name that nobody has"

// personSQL asks whom a question is asked as.
const personSQL = "SELECT currentUser(), version()"

// person is whom the ways are tried with: the one of Trial, or else the first one whom
// the gateway may act as.
func (p *prober) person() porterhouse.UserName {
	if !p.Trial.Person.IsZero() {
		return p.Trial.Person
	}
	person, _ := p.facts.Gateway.aPerson()
	return person
}

// people tries the ways with a person.
func (p *prober) people(ctx context.Context, person porterhouse.UserName) {
	if checkUser(person, p.User) != nil || checkBasic(person) != nil {
		p.nobody()
		return
	}
	f := &p.facts
	f.Person = person.String()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { f.Ticket = p.ticket(ctx, person) })
	if !f.Gateway.Login.Works() {
		f.ExecuteAs.Person, f.ExecuteAs.FormatKept = Finding{Cause: NotReached}, Finding{Cause: NotReached}
		return
	}
	wg.Go(func() { p.executeAs(ctx, person) })
}

// nobody says that there is nobody to try the ways with.
func (p *prober) nobody() {
	none := Finding{Cause: NoPerson}
	p.facts.ExecuteAs.Person, p.facts.ExecuteAs.FormatKept, p.facts.Ticket = none, none, none
}

// executeAsAtAll tries EXECUTE AS with a name that nobody has. A server that says so, or
// that the gateway may not, has it switched on.
func (v visitor) executeAsAtAll(ctx context.Context) Finding {
	_, found := v.ask(ctx, probeQuestion{prefix: "EXECUTE AS '" + nobody + "' ", sql: "SELECT 1"})
	if found.Failed(NoSuchUser, NotGranted) {
		return Finding{Outcome: Works}
	}
	return found
}

// executeAs tries whether the gateway may act as the person, and what becomes of a
// FORMAT then.
func (p *prober) executeAs(ctx context.Context, person porterhouse.UserName) {
	f, prefix := &p.facts.ExecuteAs, prefixFor(person)
	var wg sync.WaitGroup
	wg.Go(func() {
		answer, found := p.gateway.ask(ctx, probeQuestion{prefix: prefix, sql: personSQL})
		f.Person, _ = isPerson(answer, found, person)
	})
	wg.Go(func() { f.FormatKept = p.gateway.formatKept(ctx, prefix) })
	wg.Wait()
	if !f.Person.Works() {
		f.FormatKept = Finding{Cause: NotReached}
	}
}

// formatKept tries whether a FORMAT in the text behind EXECUTE AS counts.
func (v visitor) formatKept(ctx context.Context, prefix string) Finding {
	answer, found := v.ask(ctx, probeQuestion{prefix: prefix, sql: "SELECT 1 AS one", format: "\nFORMAT JSONEachRow"})
	if found.Works() && !strings.HasPrefix(answer.text, "{") {
		return Finding{Outcome: Fails, Cause: OtherError, Said: "FORMAT JSONEachRow was answered in " + answer.format}
	}
	return found
}

// isPerson is what a trial has found that asked personSQL, and the version that it was
// told.
func isPerson(answer probeAnswer, found Finding, person porterhouse.UserName) (f Finding, version string) {
	if !found.Works() {
		return found, ""
	}
	if row := tsvRows(answer.text); len(row) == 1 && len(row[0]) == 2 && row[0][0] == person.String() {
		return found, row[0][1]
	}
	return unexpected(answer.text), ""
}

// ticket tries to let the person in with a one-time ticket.
func (p *prober) ticket(ctx context.Context, person porterhouse.UserName) (found Finding) {
	if p.Access.Mint == nil {
		return Finding{Cause: NotConfigured}
	}
	way, as := byTicket{mint: p.Access.Mint}, porterhouse.Account{User: person}
	login := func(ctx context.Context, id string) (string, error) { return way.login(ctx, as, id) }
	answer, found := visitor{p.asker, person.String(), login}.ask(ctx, probeQuestion{sql: personSQL})
	found, p.told = isPerson(answer, found, person)
	return found
}

// bearer tries whether ClickHouse reads tokens: it says something else of one that is
// none than of a scheme that it does not have.
func (a *asker) bearer(ctx context.Context) Finding {
	_, found := a.as("", "Authorization: Bearer porterhouse.probe.none\r\n").ask(ctx, probeQuestion{sql: "SELECT 1"})
	switch {
	case found.Works():
		return Finding{Outcome: Fails, Cause: NotClickHouse, Said: "a token that is none was let in"}
	case strings.Contains(found.Said, "'Bearer'") && strings.Contains(found.Said, "is not supported"):
		found.Cause = Unknown
	case found.Failed(LoginRefused, NoSuchUser):
		return Finding{Outcome: Works, Code: found.Code, Said: found.Said}
	}
	return found
}
