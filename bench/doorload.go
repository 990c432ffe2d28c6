package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// doorLevels are how many callers the HTTP door has at once.
var doorLevels = []int{1, 8, 32}

// stubLevel is how many callers there are where only CPU time counts.
const stubLevel = 8

// doorBlocks are SELECT 1 in each access mode, next to the same statement straight to
// ClickHouse in the same access mode; and, last, in front of the stub.
func (d *doorSite) doorBlocks(ctx context.Context, groups [][]*target) ([]block, error) {
	w := &workload{name: "select1", sql: selectOne, rows: 1, columns: 1}
	if err := w.learn(ctx, d.database); err != nil {
		return nil, err
	}
	var blocks []block
	for _, n := range doorLevels {
		for _, targets := range groups {
			blocks = append(blocks, newBlock(w, n, targets))
		}
	}
	stub, err := d.stubTargets(ctx)
	if err != nil {
		return nil, err
	}
	return append(blocks, newBlock(w, stubLevel, stub)), nil
}

func newBlock(w *workload, concurrency int, targets []*target) block {
	var b block
	for _, t := range targets {
		b = append(b, &cell{target: t, workload: w, concurrency: concurrency})
	}
	return b
}

// thin is the cell of the thin proxy; nil: the block has none.
func (b block) thin() *cell {
	for _, c := range b {
		if c.target.thin {
			return c
		}
	}
	return nil
}

// httpTarget is one way to ask over ClickHouse's HTTP interface.
func httpTarget(name string, at *url.URL, auth ...string) *target {
	return &target{name: name, protocol: straight, url: at, auth: auth}
}

// held is httpTarget of ours, with the shares of the reference that it has to reach.
func held(name string, at *url.URL, pid int, shares map[int]float64, auth ...string) *target {
	t := httpTarget(name, at, auth...)
	t.pid, t.shares = pid, shares
	return t
}

// modeTargets are the access modes, the reference of each first.
func (d *doorSite) modeTargets(ctx context.Context) ([][]*target, error) {
	g := theDoorGoals()
	fixed, err := d.gateway(ctx, static, d.database.url)
	if err != nil {
		return nil, err
	}
	as, err := d.gateway(ctx, executeAs, d.database.url)
	if err != nil {
		return nil, err
	}
	bare, err := d.thin(ctx, "httputil.ReverseProxy", d.database.url)
	if err != nil {
		return nil, err
	}
	direct := d.gateways.direct()
	bare.auth = direct.auth
	one := []*target{direct,
		held("static, API token", fixed.plain, fixed.pid(), g.static, "Bearer "+d.gateways.token),
		held("static, JWT", fixed.plain, fixed.pid(), g.static, "Bearer "+d.gateways.jwt), bare}
	for _, peer := range d.peers {
		if peer.pid, err = listener(peer.url); err != nil {
			return nil, fmt.Errorf("%s: %w", peer.name, err)
		}
		one = append(one, peer)
	}
	groups := [][]*target{one, {d.gateways.directAs(d.account), held("execute_as", as.plain, as.pid(), g.person, "Bearer "+d.gateways.token)}}
	if d.verify == nil {
		return groups, nil
	}
	direct, ours, err := d.verifyTargets(g.person)
	return append(groups, []*target{direct, ours}), err
}

// direct is the gateway's own account with its password.
func (g *gateways) direct() *target {
	return httpTarget("ClickHouse, password", g.database.url, basic(freshUser, g.password))
}

// directAs is the gateway's own account, acting as a person.
func (g *gateways) directAs(account string) *target {
	at := *g.database.url
	at.RawQuery = url.Values{"query": {"EXECUTE AS " + quote(account) + " "}}.Encode()
	return httpTarget("ClickHouse, EXECUTE AS", &at, basic(freshUser, g.password))
}

// verifyTargets are people who log in to ClickHouse, which asks our authenticator about
// them, and the same people at our door. Both cost CPU time of our process.
func (d *doorSite) verifyTargets(shares map[int]float64) (direct, ours *target, err error) {
	pid, err := listener(d.verify)
	if err != nil {
		return nil, nil, err
	}
	direct = httpTarget("ClickHouse, asks our authenticator", d.database.url)
	ours = held("verify", d.verify, pid, shares)
	direct.pid = pid
	for _, p := range d.people {
		direct.auth = append(direct.auth, basic(p.account, p.token))
		ours.auth = append(ours.auth, "Bearer "+p.token)
	}
	return direct, ours, nil
}

// stubTargets are in front of a ClickHouse that takes no time.
func (d *doorSite) stubTargets(ctx context.Context) ([]*target, error) {
	ours, err := d.gateway(ctx, static, d.stub)
	if err != nil {
		return nil, err
	}
	bare, err := d.thin(ctx, "stub, httputil.ReverseProxy", d.stub)
	if err != nil {
		return nil, err
	}
	api := held("stub, static, API token", ours.plain, ours.pid(), nil, "Bearer "+d.gateways.token)
	jwt := held("stub, static, JWT", ours.plain, ours.pid(), nil, "Bearer "+d.gateways.jwt)
	api.cpu, jwt.cpu = theDoorGoals().cpu, theDoorGoals().cpu
	return []*target{httpTarget("stub, straight", d.stub), bare, api, jwt}, nil
}

// thin is the thinnest proxy there is, in front of a ClickHouse: what this machine makes
// of any process in between.
func (d *doorSite) thin(ctx context.Context, name string, backend *url.URL) (*target, error) {
	c, at, err := startHelper(ctx, d.log, thinWord, backend.String())
	if err != nil {
		return nil, err
	}
	d.children = append(d.children, c)
	t := httpTarget(name, at)
	t.pid, t.thin = c.pid(), true
	return t, nil
}

// parsePeer reads name=http://user:password@host:port.
func parsePeer(s string) (*target, error) {
	name, address, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return nil, fmt.Errorf("-peer %q: want name=http://user:password@host:port", s)
	}
	u, err := parseURL(address)
	if err != nil {
		return nil, fmt.Errorf("-peer %s: %w", name, err)
	}
	t := httpTarget(name, u)
	if u.User != nil {
		password, _ := u.User.Password()
		t.auth = []string{basic(u.User.Username(), password)}
		u.User = nil
	}
	return t, nil
}

// rates measures all blocks and returns a row for each cell, and what the goals are about.
func (d *doorSite) rates(ctx context.Context, groups [][]*target) (rows []row, figures []figure, err error) {
	blocks, err := d.doorBlocks(ctx, groups)
	if err != nil {
		return nil, nil, err
	}
	l := load{database: d.database, warm: d.warm, slice: d.slice}
	err = l.rounds(ctx, d.rounds, blocks, func(round int) { fmt.Fprintf(d.log, "HTTP door: round %d of %d\n", round+1, d.rounds) })
	if err != nil {
		return nil, nil, err
	}
	for _, b := range blocks {
		for _, c := range b {
			r := c.row(b[0])
			rows = append(rows, r)
			figures = append(figures, rateFigures(c.target, r)...)
			if thin := b.thin(); thin != nil {
				figures = append(figures, theDoorGoals().besideFigures(c, thin)...)
			}
		}
	}
	return rows, figures, nil
}
