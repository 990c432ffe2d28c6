package proxy

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
)

// RouterConfig is what a Router is made of.
type RouterConfig struct {
	Doors   map[string]*Server // by cluster
	Hosts   map[string]string  // clusters by the host that clients ask for: its name in lower case, without a port
	Default string             // the cluster that is meant when nothing says which; "": none is
}

// Router is one door to several clusters. A request says which it means in one of these
// ways, or in several that say the same:
//
//	/NAME/?query=…            by path: what follows the name is as at the cluster's own door, /NAME/ping too
//	Host: ch-eu.example.com   by a host of Hosts
//	?database=NAME:orders     by what stands before the name of the database; in X-ClickHouse-Database, too
//
// Only what names a cluster is looked at here: who asks, and whether the cluster is
// theirs, is found out at its door. It is safe for concurrent use.
type Router struct {
	RouterConfig
	lost *Server // answers what is for no cluster
}

// NewRouter checks c and makes its Router.
func NewRouter(c RouterConfig) (*Router, error) {
	if len(c.Doors) == 0 {
		return nil, errors.New("proxy: a router without doors leads nowhere")
	}
	for name, door := range c.Doors {
		if door == nil || name == "" || strings.ContainsAny(name, "/?#%:") || isOwnPath("/"+name) {
			return nil, fmt.Errorf("proxy: the cluster %q has no door, or its name cannot stand in a path", name)
		}
	}
	for host, name := range c.Hosts {
		if c.Doors[name] == nil || host != hostname(host) {
			return nil, fmt.Errorf("proxy: the host %q leads to the cluster %q, which has no door, or is no host name in lower case", host, name)
		}
	}
	if c.Default != "" && c.Doors[c.Default] == nil {
		return nil, fmt.Errorf("proxy: the default cluster %q has no door", c.Default)
	}
	return &Router{c, c.Doors[slices.Min(slices.Collect(maps.Keys(c.Doors)))]}, nil
}

// isOwnPath reports whether a path means something at every door.
func isOwnPath(path string) bool {
	return path == "/query" || path == "/ping" || strings.HasPrefix(path, "/replicas_status")
}

// ServeHTTP implements http.Handler.
func (t *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, inside := t.byPath(r)
	for _, other := range []string{t.Hosts[hostname(r.Host)], t.byDatabase(r)} {
		switch {
		case other == "" || other == name:
		case name == "":
			name = other
		default:
			t.refuse(w, r, "the request names two clusters, %s and %s: by path, by host or before the database; name one", name, other)
			return
		}
	}
	if name == "" {
		name = t.Default
	}
	if name == "" {
		t.refuse(w, r, "say which cluster is asked: send the request to /NAME/ with the cluster's name, or write database=NAME:database")
		return
	}
	t.Doors[name].ServeHTTP(w, inside)
}

// byPath is the cluster that the path names, and the request as that one's door knows it.
func (t *Router) byPath(r *http.Request) (name string, inside *http.Request) {
	path, query, hasQuery := strings.Cut(r.RequestURI, "?")
	name, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if t.Doors[name] == nil || !strings.HasPrefix(path, "/") {
		return "", r
	}
	inside = r.WithContext(r.Context()) // a copy
	inside.RequestURI = "/" + rest
	if hasQuery {
		inside.RequestURI += "?" + query
	}
	return name, inside
}

// byDatabase is the cluster that stands before the name of the database. What cannot be
// read names none, and is refused at whichever door it comes to.
func (t *Router) byDatabase(r *http.Request) string {
	database := ""
	_, query, _ := strings.Cut(r.RequestURI, "?")
	if p, err := readParameters(query, isForm(r)); err == nil {
		database = p.value("database")
	}
	name, _, found := strings.Cut(headerOr(r, headerDatabase, database), ":")
	if !found || t.Doors[name] == nil {
		return ""
	}
	return name
}

// refuse answers for no cluster, in the words and the log of a door.
func (t *Router) refuse(w http.ResponseWriter, r *http.Request, format string, args ...any) {
	x := &exchange{Server: t.lost, w: w, r: r, since: t.lost.config.Now()}
	t.lost.web.allow(w.Header(), r)
	x.explain(refuse(codeBadArguments, format, args...))
	x.log()
	x.linger()
}

// databaseOf is the database that a request names, without the cluster before it.
func (s *Server) databaseOf(r *http.Request, p *parameters) string {
	database := headerOr(r, headerDatabase, p.value("database"))
	if s.config.Prefixes {
		return strings.TrimPrefix(database, s.config.Cluster+":")
	}
	return database
}

// hostname is a Host header without port and brackets, in lower case.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return strings.ToLower(host)
	}
	return strings.ToLower(strings.Trim(hostport, "[]"))
}
