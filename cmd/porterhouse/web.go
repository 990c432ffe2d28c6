package main

import (
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// outerOptions is what the outer layer of all doors needs to know.
type outerOptions struct {
	PublicURL      string         // https://host[:port]; its host may be asked for
	Listen         string         // host:port; on loopback, the names of loopback may be asked for too
	AnyHost        []string       // paths that are answered whatever host is asked for: health checks come by address
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	MaxBody        int64          // bytes of a request's body; a door that reads beyond gets an *http.MaxBytesError
	BodyTimeout    time.Duration  // between two pieces of a body; for outerStreams
	WriteTimeout   time.Duration  // for a client to take what is written
	DoorTells      bool           // the door's own line in the log says what went wrong; set by outerStreams
	Log            *slog.Logger
}

// outer is the one layer around all doors. Every request passes it once:
//
//	id ─▶ caller's address ─▶ headers ─▶ host ─▶ size of the body ─▶ the door
//	                                                                   │
//	access log ◀── panics become 500, or a broken connection ◀─────────┘
//
// What a door finds in its request: an X-Request-Id that is ours (a client's is
// overwritten), the same that the answer and the log have; and a RemoteAddr that
// is the caller's even behind trusted proxies (then with port 0).
//
// The answer can be flushed, hijacked and given deadlines by an
// http.ResponseController, as if nobody were in between.
func outer(h http.Handler, o outerOptions) http.Handler {
	hosts := newHosts(o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		since := time.Now()
		id := newRequestID()
		r.Header.Set(requestIDHeader, id)
		r.RemoteAddr = caller(r, o.TrustedProxies)
		setHeaders(w.Header(), id)
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), timeout: o.WriteTimeout}
		defer o.finish(a, r, id, since)
		switch {
		case !hosts.allow(r):
			http.Error(a, hosts.refusal, http.StatusMisdirectedRequest)
		case r.ContentLength > o.MaxBody:
			http.Error(a, fmt.Sprintf("the body of a request may have %d bytes", o.MaxBody), http.StatusRequestEntityTooLarge)
		default:
			if r.Body != nil && r.Body != http.NoBody {
				// Given the inner writer: only that one is told to close the connection.
				r.Body = http.MaxBytesReader(w, r.Body, o.MaxBody)
			}
			h.ServeHTTP(a, r)
		}
	})
}

const requestIDHeader = "X-Request-Id"

// newRequestID fails only without random bytes, and those never fail.
func newRequestID() string { return uuid.Must(uuid.NewV7()).String() }

// setHeaders says what is true of every answer; a door may say otherwise. There
// is no Strict-Transport-Security: it would bind all ports of the host, and is
// for whoever owns the host to decide.
func setHeaders(h http.Header, id string) {
	h.Set(requestIDHeader, id)
	h.Set("Cache-Control", "no-store") // answers are one person's
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Accel-Buffering", "no") // nginx would hold back a stream
}

// finish turns a panic of a door into an answer, and writes the access log.
func (o outerOptions) finish(a *answer, r *http.Request, id string, since time.Time) {
	thrown := recover()
	if thrown != nil && thrown != http.ErrAbortHandler {
		o.Log.Error("a door panicked", "request", id, "panic", fmt.Sprint(thrown), "stack", string(debug.Stack()))
		if a.status == 0 {
			http.Error(a, "something went wrong inside Porterhouse; the operator finds the cause in the log, under the request id "+id, http.StatusInternalServerError)
			thrown = nil
		}
	}
	// The doors log what they answer, once. This line is for what no door knows of.
	level := slog.LevelDebug
	if !o.DoorTells && (thrown != nil || a.statusOrDefault() >= http.StatusInternalServerError) {
		level = slog.LevelWarn
	}
	if o.Log.Enabled(r.Context(), level) {
		o.Log.LogAttrs(r.Context(), level, "request",
			slog.String("request", id),
			slog.String("method", shorten(r.Method)),
			slog.String("path", shorten(r.URL.Path)),
			slog.Int("status", a.statusOrDefault()),
			slog.Int64("bytes", a.bytes),
			slog.Duration("duration", time.Since(since)),
			slog.String("remote", r.RemoteAddr),
			slog.Bool("broken", thrown != nil),
		)
	}
	a.last()
	if thrown != nil {
		// Half an answer must not look like a whole one: this breaks the connection.
		panic(http.ErrAbortHandler)
	}
}

// maxLogged is how much of a client's own text goes into one field of the log.
const maxLogged = 200

func shorten(text string) string {
	if len(text) > maxLogged {
		return text[:maxLogged] + "…"
	}
	return text
}

// hosts are the names by which we may be asked. A page of somebody else whose
// name was made to point at us (DNS rebinding) asks by its own name. Ports are
// not compared: a name is what such a page cannot choose.
type hosts struct {
	names   map[string]bool
	anyHost map[string]bool // paths
	refusal string
}

func newHosts(o outerOptions) hosts {
	h := hosts{names: map[string]bool{}, anyHost: map[string]bool{}}
	if _, public, ok := strings.Cut(o.PublicURL, "://"); ok {
		h.names[hostname(public)] = true
	}
	if onLoopback(o.Listen) {
		for _, name := range []string{"localhost", "127.0.0.1", "::1", hostname(o.Listen)} {
			h.names[name] = true
		}
	}
	for _, path := range o.AnyHost {
		h.anyHost[path] = true
	}
	h.refusal = "this server is " + o.PublicURL + ", and was asked for by another host; a proxy in front must pass the Host header on"
	return h
}

func (h hosts) allow(r *http.Request) bool {
	return h.names[hostname(r.Host)] || h.anyHost[r.URL.Path]
}

// hostname is a Host header without port and brackets, in lower case.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return strings.ToLower(host)
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"))
}

// caller is the address that a request comes from. Behind trusted proxies that
// is the last one in X-Forwarded-For which is not itself a trusted proxy: what
// stands before it could have been written by anybody. (Forwarded, RFC 7239, is
// not read: proxies that send it send X-Forwarded-For as well, and two headers
// that can disagree are one too many.)
func caller(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !within(trusted, peer.Addr()) {
		return r.RemoteAddr
	}
	address := peer.Addr()
	for hop := range hops(r.Header) {
		next, ok := parseHop(hop)
		if !ok {
			break // what comes before is not known; the proxy that we know is
		}
		if address = next; !within(trusted, address) {
			break
		}
	}
	if address == peer.Addr() {
		return r.RemoteAddr
	}
	return netip.AddrPortFrom(address, 0).String()
}

// hops are the entries of X-Forwarded-For, the last one first.
func hops(h http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(h.Values("X-Forwarded-For")) {
			for more := true; more; {
				at := strings.LastIndexByte(line, ',')
				if !yield(strings.TrimSpace(line[at+1:])) {
					return
				}
				if more = at >= 0; more {
					line = line[:at]
				}
			}
		}
	}
}

// parseHop reads one address of X-Forwarded-For; some proxies write its port.
func parseHop(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		address = withPort.Addr()
	}
	return address.Unmap().WithZone(""), true
}

func within(networks []netip.Prefix, address netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(address.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}
