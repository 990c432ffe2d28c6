package mcpserver

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// web is what protects people with a browser: a page of somebody else must not
// reach this door, neither by its own name nor by one rebound to our address.
type web struct {
	host       string // the public one, without its port
	protection *http.CrossOriginProtection
}

// newWeb trusts the origin of the public URL and the further ones.
func newWeb(public *url.URL, origins []string) (web, error) {
	w := web{host: public.Hostname(), protection: http.NewCrossOriginProtection()}
	for _, origin := range append(origins, public.Scheme+"://"+public.Host) {
		if err := w.protection.AddTrustedOrigin(origin); err != nil {
			return web{}, fmt.Errorf("mcpserver: origin %q: %w", origin, err)
		}
	}
	return w, nil
}

// check refuses a request that a browser was led into.
func (w web) check(r *http.Request) *refusal {
	forbidden := func(text string, cause error) *refusal {
		return &refusal{status: http.StatusForbidden, code: "forbidden", text: text, cause: cause}
	}
	if host := hostname(r.Host); overLoopback(r) && !isLoopback(host) && !strings.EqualFold(host, w.host) {
		return forbidden("the Host header names neither this machine nor the public URL of this server", nil)
	}
	// The standard library lets every GET pass; here a GET opens a stream.
	asked := *r
	asked.Method = http.MethodPost
	if err := w.protection.Check(&asked); err != nil {
		return forbidden("pages of this origin may not call this server; the operator can add the origin to its configuration", err)
	}
	return nil
}

// allow lets the page of a checked request read the answer (CORS).
func (w web) allow(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After, X-Request-Id")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		h.Set("Access-Control-Allow-Headers",
			"Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID")
		h.Set("Access-Control-Max-Age", "600")
	}
}

// overLoopback reports whether r came in by this machine's own interface.
func overLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && isLoopback(hostname(local.String()))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// hostname is a Host header without its port and brackets.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}
