package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
)

// resourceMetadata answers with the protected resource metadata of RFC 9728,
// section 2: which resource this is, and how a token is brought. It names no
// authorization server, because API tokens are handed out by the operator.
func resourceMetadata(resource string) http.Handler {
	body, err := json.Marshal(struct {
		Resource string   `json:"resource"`
		Methods  []string `json:"bearer_methods_supported"`
		Scopes   []string `json:"scopes_supported"`
		Name     string   `json:"resource_name"`
	}{resource, []string{"header"}, []string{"clickhouse:read"}, "Porterhouse: ClickHouse as yourself"})
	if err != nil {
		panic(err) // strings only
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Access-Control-Allow-Origin", "*") // public by design: clients in browsers begin here
		_, _ = w.Write(body)
	})
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
