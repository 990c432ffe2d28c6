package main

import (
	"context"
	"sync"

	"porterhouse"
	"porterhouse/authenticator"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/ticket"
)

// clusterSettings are what a client, a provisioner or a desk is made of.
type clusterSettings struct {
	Cluster       ClusterConfig // its mode is said; without what is below, and without whose it is and how clients name it
	CA            digest
	Tokens        bool               // whether ClickHouse may see people's own
	Authenticator string             // its name
	Knock         porterhouse.Secret // its path; for tickets
	Provision     ProvisionConfig
	Accounts      directory.AccessMode // that are made
}

// cluster finds or makes the parts of one cluster. Its desk comes before the clients,
// which mint tickets there.
func (m connecting) cluster(name string) (err error) {
	c, p, cluster := m.config, m.process, m.config.Clusters[name]
	settings := clusterSettings{Cluster: cluster, CA: c.contents["clusters."+name+".tls.ca"], Tokens: len(forwarded(c, name)) > 0, Authenticator: cluster.Authenticator.name()}
	settings.Cluster.Access.Mode = string(cluster.mode()) // which goes by what is taken out here
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
	if err := m.servers(name, settings); err != nil || cluster.Provision == nil {
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

// servers finds or makes the clients of a cluster's servers, each a part by itself, and
// makes the cluster of them. Where its sessions are is kept over all that comes. A server
// that is not named any more gets nothing from now on, whoever has a session there.
func (m connecting) servers(name string, settings clusterSettings) error {
	places, err := take(m, "places "+name, nil, func() (*clickhouse.Places, *part, error) { return &clickhouse.Places{}, &part{}, nil })
	if err != nil {
		return err
	}
	m.now.places[name] = places
	made := clickhouse.ClusterConfig{Places: places, Log: m.process.log.With("cluster", name)}
	shared, hosts := settings.Cluster, m.config.Clusters[name].Hosts
	for i, server := range shared.servers() {
		settings.Cluster = server
		known := serverName{name, server.URL}
		client, err := take(m, "client "+name+" "+server.URL, settings, func() (*clickhouse.Client, *part, error) { return m.client(name, server) })
		if err != nil {
			return err
		}
		m.now.clients[known] = client
		made.Hosts = append(made.Hosts, clickhouse.Host{Client: client, Drain: len(hosts) > 0 && hosts[i].Drain})
	}
	cluster, err := clickhouse.NewCluster(made)
	if err != nil {
		return err
	}
	m.now.clusters[name] = cluster
	m.hold("cluster "+name, &part{end: func(context.Context) error { cluster.Close(); return nil }})
	return nil
}

// serverName names a server of a cluster.
type serverName struct{ cluster, url string }

// newcomers tells where the sessions of now are which servers before has not asked: a session
// that was there once, before the server was taken out, is not the one that was begun.
func newcomers(before, now *reach) {
	for server, client := range now.clients {
		if before.clients[server] == nil {
			now.places[server.cluster].Lose(client.Stats().Host)
		}
	}
}

// client makes the client of one server of a cluster.
func (m connecting) client(name string, server ClusterConfig) (*clickhouse.Client, *part, error) {
	config, err := m.clientConfig(name, server)
	if err != nil {
		return nil, nil, err
	}
	client, err := clickhouse.New(config)
	if err != nil {
		return nil, nil, err
	}
	return client, &part{end: watched(client), counts: clientCounts{name, client}}, nil
}

// clientConfig is what the client of one server is made of.
func (m connecting) clientConfig(name string, server ClusterConfig) (clickhouse.Config, error) {
	config, err := server.client(m.process.log.With("cluster", name))
	if err != nil {
		return config, err
	}
	cluster := m.config.Clusters[name]
	if cluster.mayVerify() {
		config.Access.Mint = mint(m.now.desks[name], cluster.Authenticator.name())
	}
	config.Access.Tokens = len(forwarded(m.config, name)) > 0
	config.Shadow = cluster.shadow()
	config.Room, config.Spool, config.Shadow.Room = m.process.room, m.process.spool, m.process.compared
	return config, nil
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
