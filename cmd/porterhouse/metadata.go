package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"porterhouse/authserver"
	"porterhouse/identity"
)

// resourceMetadata answers with the protected resource metadata of RFC 9728,
// section 2: which resource a door is, who gives out tokens for it, and how
// one is brought. API tokens are handed out by the operator, so nobody is named
// for them.
func resourceMetadata(c Config, resource string) http.Handler {
	body, err := json.Marshal(struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers,omitempty"`
		Methods  []string `json:"bearer_methods_supported"`
		Scopes   []string `json:"scopes_supported,omitempty"`
		Name     string   `json:"resource_name"`
	}{resource, issuers(c), []string{"header"}, scopes(c), "Porterhouse: ClickHouse as yourself"})
	if err != nil {
		panic(err) // strings only
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*") // public by design: clients in browsers begin here
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			h.Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		case http.MethodOptions: // MCP clients name their version, so browsers ask first
			h.Set("Access-Control-Allow-Methods", "GET")
			h.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, "this document is only read", http.StatusMethodNotAllowed)
		}
	})
}

// issuers are where clients get themselves a token: here, where people can sign in,
// and else at the providers. Here is never one of several: a client would take any.
func issuers(c Config) []string {
	if c.SignIn.isOn() {
		return []string{c.publicURL()}
	}
	return issuersOf(c.processors())
}

// scopes are what a client should ask for to begin with. Ours is for reading: writing
// is asked for when something needs it, and offline_access is no affair of a resource.
func scopes(c Config) []string {
	if c.SignIn.isOn() {
		return []string{authserver.ScopeRead}
	}
	return scopesOf(c.processors())
}

// scopesOf are what tokens of the processors need, and so what a client asks for.
func scopesOf(processors []identity.Settings) []string {
	var all []string
	for _, p := range processors {
		all = append(all, p.RequiredScopes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// issuersOf are the providers where a client gets itself a token, as far as the
// configuration names them.
func issuersOf(processors []identity.Settings) []string {
	var all []string
	for _, s := range processors {
		if issuer := s.Issuer(); issuer != "" && !slices.Contains(all, issuer) {
			all = append(all, issuer)
		}
	}
	return all
}

// fromThisMachine hides what is only for the operator from everybody whose
// connection comes from elsewhere, and from whoever a proxy speaks for.
func fromThisMachine(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		ip, parseErr := netip.ParseAddr(host)
		forwarded := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
		if err != nil || parseErr != nil || !ip.IsLoopback() || forwarded {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
