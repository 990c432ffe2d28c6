package clickhouse

import (
	"cmp"
	"context"
	"crypto/tls"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
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
// nothing. c.Access.Mode does not matter; what c does not have
// (Mint, Native, User …) is not tried.
//
//	who is there, and what are we to it? ─▶ what works, for us and for a person?
//
// What fails is a Finding like others. The error says that c is not one for New.
func Probe(ctx context.Context, c Config) (Facts, error) {
	p, err := newProber(c)
	if err != nil {
		return Facts{}, err
	}
	defer p.pool.close()
	ctx, cancel := context.WithTimeout(ctx, orDefault(c.Trial.Within, probeTime))
	defer cancel()
	p.look(ctx)
	return p.facts, nil
}

// prober is one Probe. What runs side by side writes to fields of its own.
type prober struct {
	Config
	target  target
	pool    *pool
	native  *nativeTarget // nil: there is no address
	facts   Facts
	secured atomic.Pointer[tls.ConnectionState] // of the last handshake
	opened  atomic.Uint64
	told    string       // the version that a person was told
	lost    atomic.Int64 // connections that were closed without a word
}

// newProber checks c, as New does.
func newProber(c Config) (*prober, error) {
	p := &prober{Config: c}
	var err error
	if p.target, err = newTarget(c); err != nil {
		return nil, err
	}
	if c.Access.Native != "" {
		if p.native, err = newNativeTarget(c, &p.opened); err != nil {
			return nil, err
		}
	}
	c.TLS = p.watched(c.TLS)
	p.pool = newPool(controlConnections, connector(&p.target, c, &p.opened))
	p.facts = Facts{URL: c.URL, At: time.Now(), Gateway: AccountFacts{User: c.User}}
	return p, nil
}

// watched returns a copy of c that tells what the server has shown.
func (p *prober) watched(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	verify := c.VerifyConnection
	c.VerifyConnection = func(state tls.ConnectionState) error {
		p.secured.Store(&state)
		if verify == nil {
			return nil
		}
		return verify(state)
	}
	return c
}

// look finds everything. What depends on nothing goes on beside two rounds, of which
// the second needs what the first one finds. A login that is refused is so tried a few
// times only, and not by every question: an account may be locked that fails too often.
func (p *prober) look(ctx context.Context) {
	f := &p.facts
	var wg sync.WaitGroup
	wg.Go(func() { f.OpenDefault = p.openDefault(ctx) })
	wg.Go(func() { f.Bearer = p.bearer(ctx) })
	wg.Go(func() { p.provisioner(ctx) })
	wg.Go(func() { p.nativeLogin(ctx) })
	p.server(ctx)
	reached := f.Reached.Works()
	if reached {
		p.ways(ctx)
	}
	wg.Wait()
	if !reached {
		*f = Facts{URL: f.URL, At: f.At, Reached: f.Reached}
	}
	f.TLS, f.Lost, f.Took = p.shown(), int(p.lost.Load()), time.Since(f.At)
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
		f.Reached, f.Gateway.Login, f.Gateway.GrantsOf = p.ping(ctx), none, none
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { f.Reached = p.ping(ctx) })
	wg.Go(func() { p.who(ctx, p.gateway()) })
	wg.Go(func() { f.Gateway.rights(ctx, p, p.gateway()) })
	wg.Wait()
	if login := f.Gateway.Login; login.Works() || login.Code != 0 {
		f.Reached = Finding{Outcome: Works}
	}
}

// ways finds what works: for the gateway, if it was let in, and for a person.
func (p *prober) ways(ctx context.Context) {
	f, own := &p.facts, p.gateway()
	var wg sync.WaitGroup
	defer wg.Wait()
	person := p.person()
	wg.Go(func() { p.people(ctx, person) })
	if !f.Gateway.Login.Works() {
		not := Finding{Cause: NotReached}
		f.CustomSettings, f.QueryLog, f.SessionLog, f.ExecuteAs.Known = not, not, not, not
		return
	}
	wg.Go(func() { f.Server.Build = p.build(ctx, own) })
	wg.Go(func() { f.Gateway.settings(ctx, p, own) })
	wg.Go(func() { f.CustomSettings = p.customSettings(ctx, own) })
	wg.Go(func() { f.QueryLog = p.table(ctx, own, "system.query_log") })
	wg.Go(func() { f.SessionLog = p.table(ctx, own, "system.session_log") })
	wg.Go(func() { f.ExecuteAs.Known = p.executeAsAtAll(ctx, own) })
}

// ping asks whether ClickHouse answers at all.
func (p *prober) ping(ctx context.Context) Finding {
	var found Finding
	for range attempts {
		if found = p.pingOnce(ctx); !p.again(found) {
			break
		}
	}
	return found
}

func (p *prober) pingOnce(ctx context.Context) Finding {
	response, err := p.pool.ask(ctx, outgoing{head: p.target.get("/ping")}, new(atomic.Bool))
	if err != nil {
		return networkFinding(ctx, err)
	}
	defer response.body.Close()
	answer, err := readAnswer(response)
	if err == nil && answer == "Ok.\n" {
		return Finding{Outcome: Works}
	}
	if err == nil {
		err = notClickHouse(response)
	}
	f := networkFinding(ctx, ownWords(err))
	if ctx.Err() == nil && !f.Failed(HungUp) {
		f.Cause = NotClickHouse
	}
	return f
}

// shown is what the server's certificate says; nil without TLS.
func (p *prober) shown() *TLSFact {
	state := p.secured.Load()
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	leaf := state.PeerCertificates[0]
	f := &TLSFact{
		Version: tls.VersionName(state.Version), Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(),
		Names: slices.Clone(leaf.DNSNames), Until: leaf.NotAfter,
	}
	for _, address := range leaf.IPAddresses {
		f.Names = append(f.Names, address.String())
	}
	for _, c := range state.PeerCertificates {
		if c.NotAfter.Before(f.Until) {
			f.Until = c.NotAfter
		}
	}
	return f
}

// whoSQL asks a server who it is. All of it is known to versions since 21.
const whoSQL = "SELECT version(), uptime(), timezone(), toUnixTimestamp64Micro(now64(6))"

// who logs in as the gateway, and finds which server answers.
func (p *prober) who(ctx context.Context, own caller) {
	f := &p.facts
	asked := time.Now()
	answer, found := p.ask(ctx, own, probeQuestion{sql: whoSQL})
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
