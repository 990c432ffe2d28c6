package main

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/gate"
	"porterhouse/identity"
)

// What the parts of the configuration are called in the rooms they are for.

func (c ClusterConfig) client(log *slog.Logger) (clickhouse.Config, error) {
	config := clickhouse.Config{
		URL:            c.URL,
		User:           c.User,
		Password:       c.Password,
		AllowPlainHTTP: c.AllowPlainHTTP,
		Access:         clickhouse.Access{Mode: c.mode(), Native: c.Access.Native, Cluster: c.Access.Cluster, Secret: c.Access.Secret},
		MaxConnections: c.MaxConnections,
		Log:            log,
	}
	isTLS := strings.HasPrefix(c.URL, "https:")
	if !isTLS && !c.Access.NativeTLS {
		return config, nil
	}
	secure, err := clickhouse.TLSFiles{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key, ServerName: c.TLS.ServerName, Log: log}.Config()
	if isTLS {
		config.TLS = secure
	}
	if c.Access.NativeTLS {
		config.Access.NativeTLS = secure
	}
	return config, err
}

func (t TokensConfig) identity(log *slog.Logger, now func() time.Time) identity.TokensConfig {
	return identity.TokensConfig{Path: t.File, Log: log, Now: now}
}

func (l LimitsConfig) gate() porterhouse.Limits {
	return porterhouse.Limits{Rows: l.Rows, Bytes: int64(l.Bytes), Time: l.Time, Memory: int64(l.Memory)}
}

func (a AllowConfig) gate() gate.Allow {
	return gate.Allow{Settings: a.Settings, Functions: a.Functions, TableFunctions: a.TableFunctions}
}

func (l LimitsConfig) queue() gate.Queue {
	return gate.Queue{Running: l.ConcurrentPerPerson, Waiting: l.Queue, Wait: l.QueueWait}
}

func (a AuditConfig) log(log *slog.Logger, now func() time.Time) audit.Config {
	return audit.Config{
		Path:     a.File,
		Key:      a.Key,
		Replica:  a.Replica,
		Version:  version,
		MaxBytes: int64(a.RotateAt),
		SyncEach: a.Sync == "each",
		Log:      log,
		Now:      now,
	}
}

// weakenings names everything in c that makes us less strict than we are
// without it, for the log of the start. A demo is one as a whole, and says so.
func (c Config) weakenings() []string {
	if c.demo {
		return nil
	}
	var found []string
	add := func(is bool, format string, args ...any) {
		if is {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	for _, name := range c.clusterNames() {
		cluster := c.Clusters[name]
		add(cluster.AllowPlainHTTP, "clusters.%s.allow_plain_http", name)
		add(cluster.Provision != nil && cluster.Provision.AllowUnboundedProvisioner, "clusters.%s.provision.allow_unbounded_provisioner", name)
		add(cluster.Authenticator != nil && cluster.Authenticator.AllowPlainHTTP, "clusters.%s.authenticator.allow_plain_http", name)
		add(cluster.Access.Token != nil && cluster.Access.Token.AllowAnyAudience, "clusters.%s.access.token.allow_any_audience: ClickHouse sees tokens whatever these are for, also those that name nobody; whoever reads along there could come in here by them", name)
		add(len(openBeside(c, name)) > 0, "clusters.%s.access.token.audience: tokens for ClickHouse open our own doors, too (%s): whoever reads along there could come in here as anybody who asks", name, strings.Join(openBeside(c, name), ", "))
		add(cluster.mode() == clickhouse.Static, "clusters.%s.access.mode: static: to ClickHouse everybody is %q, with all that this user may", name, cluster.User)
	}
	found = append(found, httpDoor{c}.weakenings()...)
	for _, name := range slices.Sorted(maps.Keys(c.TokenProcessors)) {
		p := c.TokenProcessors[name]
		add(bool(p.AllowAnyAudience), "token_processors.%s.allow_any_audience", name)
		add(bool(p.AllowNoExpiration), "token_processors.%s.allow_no_expiration", name)
		add(bool(p.AllowIDTokens), "token_processors.%s.allow_id_tokens", name)
	}
	for _, path := range c.inline {
		add(true, "%s: a secret stands in the configuration file itself", path)
	}
	for i, persona := range c.Users.Personas {
		add(persona.AllowWrites, "users.personas[%d].allow_writes", i)
	}
	add(c.Users.missesClients(), "users.personas.clients: tokens that name another client, or none, act as their person, with all roles; say for which clients that is meant instead, with except")
	found = append(found, localUserWeakenings(c)...)
	for _, both := range c.sameNames() {
		one, other := both[0].Processor, both[1].Processor
		chosen := func(name string) bool { return name == apiTokens || name == ownClients } // whose names the operator chooses
		add(!chosen(one) && !chosen(other), "token_processors.%s and .%s lead to the same names: whoever is the first to vouch for a name has its account, with the row policies that are for it; give each a name or domains of its own", one, other)
	}
	add(c.AuthServer.AllowRegistration, "auth_server.allow_registration: whoever reaches us may register a client under any name; the person who is asked decides by where the answer goes")
	add(c.KV.Redis.AllowPlaintext, "kv.redis.allow_plaintext")
	add(c.KV.Memory, "kv.memory: whose each account is, is forgotten with the process; then whoever comes first under a name has its account, with all that it owns")
	add(c.BehindTLSProxy, "behind_tls_proxy")
	add(c.Metrics.Listen != "" && !onLoopback(c.Metrics.Listen), "metrics.listen: %s", c.Metrics.Listen)
	add(c.Users.AllowUnicodeNames, "users.allow_unicode_names")
	add(c.Users.AllowShared, "users.allow_shared")
	add(len(c.Allow.Settings) > 0, "allow.settings: %s", strings.Join(c.Allow.Settings, ", "))
	add(len(c.Allow.Functions) > 0, "allow.functions: %s", strings.Join(c.Allow.Functions, ", "))
	add(len(c.Allow.TableFunctions) > 0, "allow.table_functions: %s", strings.Join(c.Allow.TableFunctions, ", "))
	add(len(c.Origins) > 0, "origins: %s", strings.Join(c.Origins, ", "))
	return found
}

// missesClients reports whether there are personas, and none of them is for tokens
// that name no client.
func (u UsersConfig) missesClients() bool {
	return len(u.Personas) > 0 && !slices.ContainsFunc(u.Personas, func(p PersonaConfig) bool { return len(p.Clients) == 0 })
}

// localUserWeakenings names prefixes by which people choose their user themselves.
// Where no provisioner looks, nobody sees which of these are administrators.
func localUserWeakenings(c Config) (found []string) {
	unseen := slices.ContainsFunc(c.clusterNames(), func(name string) bool { return c.Clusters[name].Provision == nil })
	for _, name := range localUsersOf(c.rules()) {
		switch {
		case name == "*":
			found = append(found, "users.local_users.allow: * lets whoever can choose a name at an identity provider be any user of ClickHouse that is not denied")
		case unseen && strings.HasSuffix(name, "*"):
			found = append(found, "users.local_users.allow: "+name+" lets whoever can choose a name at an identity provider be any user that begins so, and without provision nobody sees whether one of them holds access management; list them by name")
		}
	}
	return found
}
