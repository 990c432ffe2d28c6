package clickhouse

import (
	"cmp"
	"context"
	"strconv"
	"sync"
	"time"
)

// probeTime bounds a Probe as a whole, unless Trial.Within does.
const probeTime = 2 * time.Second

// probeComment is the log_comment of whatever a Probe asks. An account that is held to
// reading cannot have one, so each text says the same.
const (
	probeComment = `{"porterhouse":"probe"}`
	probeText    = " /* Porterhouse looks what works here */"
)

// Probe looks at the server of c, and at the ways into it, with questions that change
// nothing. c.Access.Mode does not matter; what c does not have (Mint, Native, User …) is
// not tried.
//
//	who is there, and what are we to it? ─▶ what works, for us and for a person?
//
// What fails is a Finding like others. The error says that c is not one for New.
func Probe(ctx context.Context, c Config) (Facts, error) {
	p, err := newProber(c)
	if err != nil {
		return Facts{}, err
	}
	return p.run(ctx), nil
}

// prober is one Probe. What runs side by side writes to fields of its own.
type prober struct {
	Config
	asker   *asker
	gateway visitor
	native  *nativeTarget // nil: there is no address
	facts   Facts
	told    string // the version that a person was told

	waysOnly bool // no more than Choose needs is looked at
}

// newProber checks c, as New does.
func newProber(c Config) (*prober, error) {
	asker, err := newAsker(c)
	if err != nil {
		return nil, err
	}
	p := &prober{Config: c, asker: asker, gateway: asker.as(c.User, asker.target.login)}
	if c.Access.Native != "" {
		if p.native, err = newNativeTarget(c, &asker.opened); err != nil {
			return nil, err
		}
	}
	p.facts = Facts{URL: c.URL, At: time.Now(), Gateway: AccountFacts{User: c.User}}
	return p, nil
}

// run looks, once.
func (p *prober) run(ctx context.Context) Facts {
	defer p.asker.pool.close()
	ctx, cancel := context.WithTimeout(ctx, orDefault(p.Trial.Within, probeTime))
	defer cancel()
	p.look(ctx)
	return p.facts
}

// look finds everything. What depends on nothing goes on beside two rounds, of which
// the second needs what the first one finds. A login that is refused is so tried a few
// times only, and not by every question: an account may be locked that fails too often.
func (p *prober) look(ctx context.Context) {
	f := &p.facts
	var wg sync.WaitGroup
	if !p.waysOnly {
		wg.Go(func() { f.OpenDefault = p.asker.openDefault(ctx) })
		wg.Go(func() { p.provisioner(ctx) })
		wg.Go(func() { p.nativeLogin(ctx) })
	}
	if !p.waysOnly || p.Access.Tokens {
		wg.Go(func() { f.Bearer = p.asker.bearer(ctx) })
	}
	p.server(ctx)
	reached := f.Reached.Works()
	if reached {
		p.ways(ctx)
	}
	wg.Wait()
	if !reached {
		*f = Facts{URL: f.URL, At: f.At, Reached: f.Reached}
	}
	f.TLS, f.Lost, f.Took = p.asker.shown(), int(p.asker.lost.Load()), time.Since(f.At)
	if reached {
		f.Server.Version = cmp.Or(f.Server.Version, p.told)
		f.ExecuteAs.Known = executeAsCause(f.ExecuteAs.Known, f.Server.Version)
		f.Traps = Traps(f.Server.Version)
	}
}

// server finds who is there, and what the gateway is to it. An answer to the gateway is
// as good as one to a ping.
func (p *prober) server(ctx context.Context) {
	f := &p.facts
	if p.User == "" { // without a login ClickHouse would take us for default
		none := Finding{Cause: NotConfigured}
		f.Reached, f.Gateway.Login, f.Gateway.GrantsOf = p.asker.ping(ctx), none, none
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { f.Reached = p.asker.ping(ctx) })
	wg.Go(func() { p.who(ctx) })
	if !p.waysOnly || p.Trial.Person.IsZero() { // whom only they name then
		wg.Go(func() { f.Gateway.rights(ctx, p.gateway) })
	}
	wg.Wait()
	if login := f.Gateway.Login; login.Works() || login.Code != 0 {
		f.Reached = Finding{Outcome: Works}
	}
}

// ways finds what works: for the gateway, if it was let in, and for a person.
func (p *prober) ways(ctx context.Context) {
	f, own := &p.facts, p.gateway
	var wg sync.WaitGroup
	defer wg.Wait()
	person := p.person()
	wg.Go(func() { p.people(ctx, person) })
	wg.Go(func() { p.facts.Native.secrets(ctx, p, person) })
	if !f.Gateway.Login.Works() {
		not := Finding{Cause: NotReached}
		f.CustomSettings, f.QueryLog, f.SessionLog, f.ExecuteAs.Known = not, not, not, not
		return
	}
	wg.Go(func() { f.ExecuteAs.Known = own.executeAsAtAll(ctx) })
	if p.waysOnly {
		return
	}
	wg.Go(func() { f.Server.Build = own.build(ctx, f.Server.Version) })
	wg.Go(func() { f.Gateway.settings(ctx, own) })
	wg.Go(func() { f.CustomSettings = own.customSettings(ctx) })
	wg.Go(func() { f.QueryLog = own.table(ctx, "system.query_log") })
	wg.Go(func() { f.SessionLog = own.table(ctx, "system.session_log") })
}

// whoSQL asks a server who it is. All of it is known to versions since 21.
const whoSQL = "SELECT version(), uptime(), timezone(), toUnixTimestamp64Micro(now64(6))"

// who logs in as the gateway, and finds which server answers.
func (p *prober) who(ctx context.Context) {
	f := &p.facts
	asked := time.Now()
	answer, found := p.gateway.ask(ctx, probeQuestion{sql: whoSQL})
	f.Server.RoundTrip, f.Server.DisplayName = time.Since(asked), answer.display
	if f.Gateway.Login = found; !found.Works() {
		return
	}
	row := tsvRows(answer.text)
	if len(row) != 1 || len(row[0]) != 4 {
		f.Gateway.Login = unexpected(answer.text)
		return
	}
	f.Server.Version, f.Server.Timezone = row[0][0], row[0][2]
	if seconds, err := strconv.ParseInt(row[0][1], 10, 64); err == nil {
		f.Server.Uptime = time.Duration(seconds) * time.Second
	}
	if micros, err := strconv.ParseInt(row[0][3], 10, 64); err == nil {
		f.Server.Ahead = time.UnixMicro(micros).Sub(asked.Add(f.Server.RoundTrip / 2))
	}
}
