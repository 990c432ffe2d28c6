package main

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"porterhouse/authenticator"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/identity"
	"porterhouse/ticket"
)

// reach is what one configuration leads to beyond this process: its clusters, its
// identity providers, its file of API tokens. The next one goes on with every part whose
// settings are the same, so with its connections, its sessions and what it remembers; a
// part that nobody holds any more is let go of.
type reach struct {
	clusters     map[string]*clickhouse.Cluster     // by name
	clients      map[serverName]*clickhouse.Client  // of their servers
	places       map[string]*clickhouse.Places      // of their sessions, by cluster
	provisioners map[string]*directory.Provisioner  // by cluster; nil where accounts are made by hand
	desks        map[string]*ticket.Desk            // of the clusters whose ClickHouse asks us, by cluster
	failures     map[string]*authenticator.Failures // to log in to those
	tokens       *identity.Tokens                   // nil: there are no API tokens
	providers    *identity.Providers
	documents    *identity.Outbound                   // asks for what clients say of themselves; nil: nobody can sign in here
	exchangers   map[exchangeName]*identity.Exchanger // of people's tokens

	parts map[string]*part // all of these, by name
}

// setup is what a generation is built of.
type setup struct {
	*process
	*reach
}

// part is one thing of a reach.
type part struct {
	settings any // that it was made of
	it       any
	end      func(context.Context) error // nil: there is nothing to let go of
	counts   source                      // nil: it counts nothing
	holders  int                         // reaches that it belongs to; under stock.mu
}

// connect finds or makes everything that c leads to. It asks nobody anything yet. The
// caller lets go of what it returns; after an error there is nothing to let go of.
func (p *process) connect(c Config, before *reach) (*reach, error) {
	r := &reach{
		clusters: make(map[string]*clickhouse.Cluster), clients: make(map[serverName]*clickhouse.Client), places: make(map[string]*clickhouse.Places), provisioners: make(map[string]*directory.Provisioner),
		desks: make(map[string]*ticket.Desk), failures: make(map[string]*authenticator.Failures), exchangers: make(map[exchangeName]*identity.Exchanger), parts: make(map[string]*part),
	}
	if err := (connecting{p, c, before, r}).all(); err != nil {
		p.letGo(context.Background(), r) // of new parts, which nobody has used
		return nil, err
	}
	return r, nil
}

// connecting is connect at work.
type connecting struct {
	process     *process
	config      Config
	before, now *reach // before is nil at first
}

func (m connecting) all() error {
	if err := m.identities(); err != nil {
		return err
	}
	for name := range m.config.Clusters {
		if err := m.cluster(name); err != nil {
			return fmt.Errorf("cluster %s: %w", name, err)
		}
		if err := m.exchanges(name); err != nil {
			return fmt.Errorf("cluster %s: %w", name, err)
		}
	}
	return nil
}

// take is the part of a name: that of before when its settings are the same, or else
// the one that open makes. Settings are plain values; they hold all that open depends on.
func take[T any](m connecting, name string, settings any, open func() (T, *part, error)) (T, error) {
	if m.before != nil {
		if known := m.before.parts[name]; known != nil && reflect.DeepEqual(known.settings, settings) {
			m.hold(name, known)
			return known.it.(T), nil
		}
	}
	it, made, err := open()
	if err != nil {
		return it, err
	}
	made.settings, made.it = settings, it
	m.hold(name, made)
	return it, nil
}

// hold makes a part one of the new reach as well.
func (m connecting) hold(name string, held *part) {
	m.now.parts[name] = held
	if m.process.stock.hold(held, name) && held.counts != nil {
		m.process.counts.begin(held.counts)
	}
}

// asking is what Providers are made of.
type asking struct {
	outbound identity.OutboundConfig
	ca       digest
	demo     bool
}

func askingOf(c Config) asking { return asking{c.outbound(), c.contents["identity.ca"], c.demo} }

// identities are whoever tells us who somebody is.
func (m connecting) identities() (err error) {
	c, p := m.config, m.process
	if c.Tokens.File != "" {
		m.now.tokens, err = take(m, "API tokens", c.Tokens, func() (*identity.Tokens, *part, error) {
			tokens, err := identity.NewTokens(c.Tokens.identity(p.log, p.now))
			return tokens, &part{}, err
		})
		if err != nil {
			return err
		}
	}
	how := askingOf(c)
	m.now.providers, err = take(m, "identity providers", how, func() (*identity.Providers, *part, error) {
		providers, err := c.providers(p.log, p.now)
		return providers, &part{}, err
	})
	if err != nil || !c.SignIn.isOn() {
		return err
	}
	how.outbound = documentsOutbound(c)
	m.now.documents, err = take(m, "documents", how, func() (*identity.Outbound, *part, error) {
		config := documentsOutbound(c)
		config.Now = p.now
		outbound, err := identity.NewOutbound(config)
		return outbound, &part{}, err
	})
	return err
}

// letGo ends the parts that only r held. What cannot be ended in order before ctx ends
// is only logged: that a ClickHouse does not answer is no failure of ours.
func (p *process) letGo(ctx context.Context, r *reach) {
	for name, held := range r.parts {
		if !p.stock.isLast(held) {
			continue
		}
		held.close(ctx, name, p.log)
		p.stock.forget(held)
		if held.counts != nil {
			p.counts.end(held.counts)
		}
	}
}

func (held *part) close(ctx context.Context, name string, log *slog.Logger) {
	if held.end == nil {
		return
	}
	if err := held.end(ctx); err != nil {
		log.Warn("a connection was not let go of in order", "of", name, "error", err)
	}
}

// lettingGoTime is how long statements that are being stopped may take when a part is
// let go of while the process goes on.
const lettingGoTime = 10 * time.Second
