package main

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"porterhouse"
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
	clients      map[string]*clickhouse.Client      // by cluster
	provisioners map[string]*directory.Provisioner  // by cluster; nil where accounts are made by hand
	desks        map[string]*ticket.Desk            // of the clusters whose ClickHouse asks us, by cluster
	failures     map[string]*authenticator.Failures // to log in to those
	tokens       *identity.Tokens                   // nil: there are no API tokens
	providers    *identity.Providers
	documents    *identity.Outbound // asks for what clients say of themselves; nil: nobody can sign in here

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
		clients: make(map[string]*clickhouse.Client), provisioners: make(map[string]*directory.Provisioner),
		desks: make(map[string]*ticket.Desk), failures: make(map[string]*authenticator.Failures), parts: make(map[string]*part),
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
	type asking struct {
		outbound identity.OutboundConfig
		ca       digest
		demo     bool
	}
	how := asking{c.outbound(), c.contents["identity.ca"], c.demo}
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

// clusterSettings are what a client, a provisioner or a desk is made of.
type clusterSettings struct {
	Cluster       ClusterConfig // without what is below, and without whose it is and how clients name it
	CA            digest
	Mode          clickhouse.Mode
	Tokens        bool               // whether ClickHouse may see people's own
	Authenticator string             // its name
	Knock         porterhouse.Secret // its path; for tickets
	Provision     ProvisionConfig
	Accounts      directory.AccessMode // that are made
}

// cluster finds or makes the parts of one cluster. Its desk comes before the client,
// which mints tickets there.
func (m connecting) cluster(name string) (err error) {
	c, p, cluster := m.config, m.process, m.config.Clusters[name]
	settings := clusterSettings{Cluster: cluster, CA: c.contents["clusters."+name+".tls.ca"], Mode: cluster.mode(), Tokens: len(forwarded(c, name)) > 0, Authenticator: cluster.Authenticator.name()}
	settings.Cluster.Provision, settings.Cluster.Authenticator = nil, nil
	settings.Cluster.For, settings.Cluster.PublicHosts = ForConfig{}, nil
	if cluster.Authenticator != nil {
		knock := cluster.Authenticator.path()
		if cluster.mayVerify() {
			settings.Knock = knock
		}
		m.now.desks[name], err = take(m, "desk "+name, knock, func() (*ticket.Desk, *part, error) { return c.desk(name, p.store, p.now) })
		if err != nil {
			return err
		}
		m.now.failures[name], err = take(m, "failures "+name, nil, func() (*authenticator.Failures, *part, error) {
			return &authenticator.Failures{}, &part{}, nil
		})
		if err != nil {
			return err
		}
	}
	m.now.clients[name], err = take(m, "client "+name, settings, func() (*clickhouse.Client, *part, error) {
		return m.client(name)
	})
	if err != nil || cluster.Provision == nil {
		return err
	}
	settings.Provision, settings.Accounts = *cluster.Provision, cluster.provisionMode()
	settings.Provision.DisableAfter, settings.Provision.DropAfter = 0, 0 // these are of the chores
	m.now.provisioners[name], err = take(m, "provisioner "+name, settings, func() (*directory.Provisioner, *part, error) {
		provisioner, err := c.provisioner(name, p)
		if err != nil {
			return nil, nil, err
		}
		return provisioner, &part{end: provisioner.Close}, nil
	})
	return err
}

// client makes the client of a cluster.
func (m connecting) client(name string) (*clickhouse.Client, *part, error) {
	cluster := m.config.Clusters[name]
	config, err := cluster.client(m.process.log)
	if err != nil {
		return nil, nil, err
	}
	if cluster.mayVerify() {
		config.Access.Mint = mint(m.now.desks[name], cluster.Authenticator.name())
	}
	config.Access.Tokens = len(forwarded(m.config, name)) > 0
	config.Shadow = cluster.shadow()
	client, err := clickhouse.New(config)
	if err != nil {
		return nil, nil, err
	}
	return client, &part{end: watched(client), counts: clientCounts{name, client}}, nil
}

// watched lets a client watch which way works, until it is let go of: that is what the
// function returned does.
func watched(client *clickhouse.Client) func(context.Context) error {
	watching, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { client.Run(watching) })
	return func(ctx context.Context) error {
		stop()
		work.Wait()
		return client.Close(ctx)
	}
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
