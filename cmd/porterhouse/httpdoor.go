package main

import (
	"net/http"

	"porterhouse/proxy"
)

// buildHTTPDoor adds the door of ClickHouse's clients to g, and what is answered at its
// addresses, where it is open.
func buildHTTPDoor(c Config, p setup, g *generation) error {
	if !c.ClickHouseHTTP.isOpen() {
		return nil
	}
	var err error
	if g.httpVerifier, err = buildVerifier(c, p, httpDoor{c}.resource()); err != nil {
		return err
	}
	g.http = map[string]*proxy.Server{}
	for name := range c.Clusters {
		if g.http[name], err = httpDoorTo(name, c, p, g); err != nil {
			return err
		}
	}
	g.httpHandler, err = httpDoorRoutes(c, p, g)
	return err
}

// httpDoorTo makes the door to one cluster.
func httpDoorTo(cluster string, c Config, p setup, g *generation) (*proxy.Server, error) {
	h, client := c.ClickHouseHTTP, p.clusters[cluster]
	config := proxy.Config{
		Gate: g.gate, Cluster: cluster, Prefixes: len(c.Clusters) > 1, Verify: g.httpVerifier.Verify,
		AllowURLCredentials: h.AllowURLCredentials, AllowIDTokens: h.AllowIDTokens, Origins: c.Origins,
		Ping: client.Ping, ReplicasStatus: client.ReplicasStatus, ResourceMetadata: httpDoor{c}.url() + metadataPath, Strangers: p.strangers, Now: p.now, Log: p.log,
	}
	if h.passesPasswords() {
		config.Login = loginOf{p.passwords, cluster, client.Login, g.people[cluster]}.prove
	}
	return proxy.New(config)
}

// httpDoorHandler leads to the only door, or to that of the cluster which a request names.
func httpDoorHandler(c Config, doors map[string]*proxy.Server) (http.Handler, error) {
	if len(doors) == 1 {
		return doors[c.clusterNames()[0]], nil
	}
	hosts := map[string]string{}
	for name, cluster := range c.Clusters {
		for _, host := range cluster.PublicHosts {
			hosts[host] = name
		}
	}
	return proxy.NewRouter(proxy.RouterConfig{Doors: doors, Hosts: hosts, Default: usualCluster(c)})
}

// httpDoorRoutes is the whole of what is answered at the door's addresses:
//
//	/.well-known/oauth-protected-resource   what a client may know before it has a token (RFC 9728)
//	everything else                         as ClickHouse answers it; of several clusters see proxy.Router
func httpDoorRoutes(c Config, p setup, g *generation) (http.Handler, error) {
	handler, err := httpDoorHandler(c, g.http)
	if err != nil {
		return nil, err
	}
	door := p.metrics.door("http", handler)
	metadata := resourceMetadata(c, httpDoor{c}.url())
	return outerStreams(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == metadataPath {
			metadata.ServeHTTP(w, r)
			return
		}
		door.ServeHTTP(w, r)
	}), c.outer(p.log)), nil
}

// openHTTPDoor adds the door's addresses, and puts those into c that a free port gave.
func (s *server) openHTTPDoor(c *Config) error {
	h := &c.ClickHouseHTTP
	current := s.process.answering(func(g *generation) http.Handler { return g.httpHandler })
	open := func(address string, pair *TLSPair) (string, error) {
		err := s.open(address, streaming(c.HTTP.server(current, s.process.log), h.MaxHeader), pair)
		if err != nil {
			return "", err
		}
		return s.lastAddress(), nil
	}
	var err error
	if h.Listen != "" {
		if h.Listen, err = open(h.Listen, nil); err != nil {
			return err
		}
	}
	if h.TLS == nil {
		return nil
	}
	with := *h.TLS // the configuration as it was read stays as it is
	with.Listen, err = open(with.Listen, httpDoor{*c}.pair())
	h.TLS = &with
	return err
}
