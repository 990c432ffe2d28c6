package main

import (
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/directory"
	"porterhouse/identity"
)

// identities checks the keys that say who is asking, and who they are at
// ClickHouse. The rooms check their own settings; here each of their complaints gets
// its place in the file.
type identities struct{ check }

func (c identities) all() {
	c.allowedHosts()
	c.somebody()
	c.kv()
	for name, cluster := range c.Clusters {
		c.authenticator("clusters."+name+".authenticator", cluster.Authenticator)
		c.provision(name, cluster)
	}
	if len(c.Clusters) > 0 { // each of these is about a cluster
		c.tokenProcessors()
		c.userDirectories()
		c.oneSetOfRoles()
		c.users()
		signIns{c}.all()
		signIns{c}.exchanges()
	}
}

// apiTokens is the processor of API tokens, in rules and records.
const apiTokens = "tokens"

// unasked are providers of whom nothing is asked, to try settings with. After a
// problem that was told they are nil.
func (c identities) unasked() (*identity.Outbound, *identity.Providers) {
	with := c.outbound()
	with.CAFile = "" // files are read when we start
	outbound, err := identity.NewOutbound(with)
	if err != nil {
		c.refuse("identity", "%s", strings.TrimPrefix(err.Error(), "identity: "))
		return nil, nil
	}
	providers, err := identity.NewProviders(identity.ProvidersConfig{Outbound: outbound})
	if err != nil {
		c.refuse("token_processors", "%v", err)
		return nil, nil
	}
	return outbound, providers
}

func (c identities) tokenProcessors() {
	outbound, providers := c.unasked()
	if providers == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.TokenProcessors)) {
		path := "token_processors." + name
		switch name {
		case apiTokens:
			c.refuse(path, "this name stands for the API tokens: choose another")
		case ownClients:
			c.refuse(path, "this name stands for clients that ask for themselves (auth_server.clients): choose another")
		}
		p := c.TokenProcessors[name]
		c.processorKeys(path, p)
		c.hosts(path, p.urls())
		if _, err := identity.NewProcessors([]identity.Settings{p.settings(name)}, mcpResource(*c.Config, ""), providers); err != nil {
			c.refuse(path, "%s", strings.TrimPrefix(err.Error(), "identity: "))
			continue
		}
		for key, address := range p.urls() {
			if err := outbound.Check(address); err != nil {
				c.refuse(path+"."+key, "%v (remote_url_allow_hosts)", err)
			}
		}
	}
}

// processorKeys refuses what of a processor's keys only the file can tell.
func (c identities) processorKeys(path string, p ProcessorConfig) {
	if p.Type == "" {
		c.refuse(path+".type", "say what kind of processor this is, such as openid")
	}
	if p.JWKSCacheLifetime != nil && *p.JWKSCacheLifetime == 0 {
		c.refuse(path+".jwks_cache_lifetime", "want more than 0; leave the key out for its default")
	}
	if !p.PrivateKey.IsZero() && p.PublicKey == "" {
		c.refuse(path+".private_key", "tokens are only checked here, and for that the public_key is needed: openssl pkey -in key.pem -pubout")
	}
}

func (c identities) allowedHosts() {
	for _, expression := range c.RemoteURLAllowHosts.HostRegexp {
		if _, err := regexp.Compile(expression); err != nil {
			c.refuse("remote_url_allow_hosts.host_regexp", "%v", err)
		}
	}
}

func (c identities) userDirectories() {
	seen := map[string]bool{}
	for _, d := range c.UserDirectories.Token {
		const path = "user_directories.token"
		_, known := c.TokenProcessors[d.Processor]
		known = known || d.Processor == apiTokens || d.Processor == ownClients && c.AuthServer.hasOwnClients()
		switch {
		case d.Processor == "":
			c.refuse(path+".processor", "name the token processor whose people these are")
		case !known:
			c.refuse(path+".processor", "there is no token processor %q", d.Processor)
		case seen[d.Processor]:
			c.refuse(path+".processor", "there are two directories for the processor %q", d.Processor)
		}
		seen[d.Processor] = true
		c.openGroups(path, d)
	}
}

// openGroups refuses roles by groups that anybody can found under any name: with an
// organization called analyst, its founder would have the role analyst.
func (c identities) openGroups(path string, d TokenDirectoryConfig) {
	p := c.TokenProcessors[d.Processor]
	isOpen := slices.Contains([]string{"github", "gitlab"}, strings.ToLower(p.Type)) && p.Organization == ""
	if isOpen && d.RolesFilter == "" && !c.Users.AllowShared {
		c.refuse(path+".processor", "anybody can found a group at %s, and by its name each gives a role: name the organization of token_processors.%s whose groups count, or those that do in roles_filter", p.Type, d.Processor)
	}
}

// somebody refuses a configuration by which nobody could be told from anybody.
func (c identities) somebody() {
	if c.Tokens.File == "" && len(c.processors()) == 0 {
		c.refuse("tokens.file", "without token processors or a token file nobody can be told from anybody, and nothing is served without that: add token_processors, or name the file (porterhouse token create makes it)")
	}
}

func (c identities) kv() {
	var given []string
	for name, is := range map[string]bool{"file": c.KV.File != "", "redis": c.KV.Redis != (RedisConfig{}), "memory": c.KV.Memory} {
		if is {
			given = append(given, name)
		}
	}
	if slices.Sort(given); len(given) > 1 {
		c.refuse("kv", "want one of these: %s", strings.Join(given, ", "))
		return
	}
	if c.KV.Redis == (RedisConfig{}) {
		return
	}
	if c.KV.Redis.URL == "" {
		c.refuse("kv.redis.url", "say where Redis is, such as rediss://redis.internal:6379/0")
		return
	}
	with := c.KV.Redis
	with.CA = "" // files are read when we start
	store, err := with.open()
	if err != nil {
		c.refuse("kv.redis", "%s", strings.TrimPrefix(err.Error(), "kv: redis: "))
		return
	}
	_ = store.Close() // it was not used
}

// minPath is the shortest path of an authenticator, in bytes.
const minPath = 16

func (c identities) authenticator(path string, a *AuthenticatorConfig) {
	if a == nil {
		return
	}
	c.address(path+".listen", a.Listen)
	if slices.Contains([]string{c.Listen, c.Metrics.Listen}, a.Listen) {
		c.refuse(path+".listen", "this address is taken by listen or metrics.listen: the authenticator has one of its own")
	}
	switch n := len(a.Path.Reveal()); {
	case n == 0:
		c.refuse(path+".path", "the path is a secret between ClickHouse and us: env:NAME or file:PATH (openssl rand -hex 16)")
	case n < minPath:
		c.refuse(path+".path", "the path has %d bytes, and at least %d are needed: openssl rand -hex 16", n, minPath)
	}
	if a.TLS != nil {
		c.pair(path+".tls", a.TLS.Cert, a.TLS.Key, true)
	} else if _, _, err := net.SplitHostPort(a.Listen); err == nil && !onLoopback(a.Listen) && !a.AllowPlainHTTP {
		c.refuse(path+".listen", "%s is reached from other machines, so people's tokens would travel unencrypted: give tls a certificate, listen on 127.0.0.1, or say allow_plain_http: true", a.Listen)
	}
}

func (c identities) provision(name string, cluster ClusterConfig) {
	o, path := cluster.Provision, "clusters."+name+".provision"
	if o == nil {
		return
	}
	if o.User == "" {
		c.refuse(path+".user", "name the ClickHouse user that makes the accounts; porterhouse check grants prints what it needs")
	}
	if o.Password.IsZero() {
		c.refuse(path+".password", "the provisioner's password is missing: env:NAME or file:PATH")
	}
	if cluster.provisionMode() == directory.HTTP && cluster.Authenticator == nil && o.HTTPServer == "" {
		c.refuse(path+".mode", "with http ClickHouse asks an authenticator: say clusters.%s.authenticator, or the http_server of another", name)
	}
	if o.DisableAfter > 0 && o.DisableAfter < oneDay {
		c.refuse(path+".disable_after", "want a day or more, such as 90d")
	}
	if o.DropAfter > 0 && (o.DisableAfter == 0 || o.DropAfter < o.DisableAfter+oneDay) {
		c.refuse(path+".drop_after", "an account is disabled first, and can be missed: want disable_after, and here a day more than there")
	}
	if o.User == "" || o.Password.IsZero() || len(cluster.servers()) == 0 {
		return
	}
	admin, err := clickhouse.NewAdmin(clickhouse.Config{URL: cluster.servers()[0].URL, User: o.User, Password: o.Password, AllowPlainHTTP: true})
	if err == nil {
		// Nothing is written to this record: it only has to be there.
		_, err = directory.NewProvisioner(cluster.provisioner(name, admin, &process{audit: &audit.Log{}}))
	}
	if err != nil {
		c.refuse(path, "%s", trimPrefixes(err.Error(), "directory: ", "provisioner: "))
	}
}
