package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"porterhouse"
)

// OutboundConfig bounds what the package asks of the outside world.
type OutboundConfig struct {
	AllowHosts []string      // "host" or "host:port": may be at a special-use address and, on loopback, be asked without TLS
	CAFile     string        // PEM file of roots that count beside those of the system; "": none
	Proxy      string        // http://[user:password@]host:port; "": none, whatever the environment says
	Timeout    time.Duration // for one answer, after as long for a turn; all its redirects within twice that. 0: 10 s
	MaxBytes   int64         // of the body of one answer; 0: 1 MiB
	PerHost    int           // requests to one host at once; 0: 16
	// NoRedirects: the answer is the reply, also where it leads elsewhere.
	NoRedirects bool
	Now         func() time.Time // nil: time.Now
}

// Outbound asks identity providers over HTTPS (TLS 1.2 or later), and is all that
// this package does on the network:
//
//	Get, Post ─▶ is the URL allowed? ─▶ a turn at that host ─▶ is the address dialled allowed? ─▶ Reply
//	                                    (or: it is dead, fail at once)
//
// A URL may come from a provider's own document, so it may name our own network.
// Special-use addresses (loopback, private, link-local with the clouds' metadata,
// and the like) are therefore refused, judged on the address that is dialled:
// a DNS answer that changes is judged again. AllowHosts lifts that by name.
//
// With a Proxy, names are resolved by the proxy, and which addresses they may have
// is the proxy's rule to keep; here, only addresses written in the URL are judged.
// The hosts of AllowHosts are asked directly, past the proxy.
//
// Each host has its own bound of requests under way, so a provider that is slow or
// dead costs nobody of another provider anything.
type Outbound struct {
	secure, plain *http.Transport
	allowed       names
	proxied       bool
	timeout       time.Duration
	maxBytes      int64
	perHost       int
	noRedirects   bool
	now           func() time.Time

	mu    sync.Mutex
	hosts map[string]*host // by scheme://host:port
}

// Reply is a provider's answer, of whatever status.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte // whole; at most MaxBytes
}

const (
	defaultTimeout  = 10 * time.Second
	defaultMaxBytes = 1 << 20
	defaultPerHost  = 16
	maxHosts        = 1024 // remembered, unless more are asked at the moment
	maxRedirects    = 3
)

// NewOutbound checks c and returns its Outbound.
func NewOutbound(c OutboundConfig) (*Outbound, error) {
	if c.Timeout < 0 || c.MaxBytes < 0 || c.PerHost < 0 {
		return nil, errors.New("identity: timeout, size and requests per host must not be negative")
	}
	o := &Outbound{
		timeout:  cmp.Or(c.Timeout, defaultTimeout),
		maxBytes: cmp.Or(c.MaxBytes, defaultMaxBytes),
		perHost:  cmp.Or(c.PerHost, defaultPerHost),
		now:      c.Now,
		hosts:    map[string]*host{},

		noRedirects: c.NoRedirects,
	}
	if o.now == nil {
		o.now = time.Now
	}
	allowed, err := parseNames(c.AllowHosts)
	if err != nil {
		return nil, fmt.Errorf("identity: allowed hosts: %w", err)
	}
	o.allowed = allowed
	if err := o.connect(c.CAFile, c.Proxy); err != nil {
		return nil, err
	}
	return o, nil
}

// Get asks for address; header may be nil. An answer of any status is a Reply. An
// error is a *porterhouse.Error: Unavailable (because of ErrForbidden: for good), or
// that the caller left. Redirects
// are followed to the same host only, and none when header has Authorization or
// the configuration says so.
func (o *Outbound) Get(ctx context.Context, address string, header http.Header) (Reply, error) {
	return o.ask(ctx, http.MethodGet, address, header, "")
}

// Post sends body to address, as Get does otherwise. Its redirects are not
// followed: what is posted is a secret.
func (o *Outbound) Post(ctx context.Context, address string, header http.Header, contentType, body string) (Reply, error) {
	header = cloneHeader(header)
	header.Set("Content-Type", contentType)
	return o.ask(ctx, http.MethodPost, address, header, body)
}

// Check refuses what could never be asked, as far as the address itself tells; its
// error names no more of it than the host.
func (o *Outbound) Check(address string) error {
	to, err := o.target(nil, address)
	if err == nil && specialLiteral(to.Hostname()) && !o.allowed.has(to) {
		return fmt.Errorf("%s is a special-use address: allow it by name if it is yours", to.Host)
	}
	return err
}

func (o *Outbound) ask(caller context.Context, method, address string, header http.Header, body string) (Reply, error) {
	ctx, cancel := context.WithTimeout(caller, 2*o.timeout)
	defer cancel()
	stays := o.noRedirects || method != http.MethodGet || header.Get("Authorization") != "" // a secret goes nowhere else
	var at *url.URL                                                                         // where the last answer came from
	for range 1 + maxRedirects {
		to, err := o.target(at, address)
		if err != nil {
			return Reply{}, away("%w", err)
		}
		reply, err := o.once(ctx, method, to, header, body)
		if err != nil {
			return Reply{}, o.failure(caller, to, err)
		}
		next := reply.Header.Get("Location")
		if stays || reply.Status < 301 || reply.Status > 308 || next == "" {
			return reply, nil
		}
		at, address = to, next
	}
	return Reply{}, away("%s answers with more than %d redirects", at.Host, maxRedirects)
}

// target reads address, relative to at if there was an answer before, and refuses
// what must not even be tried.
func (o *Outbound) target(at *url.URL, address string) (*url.URL, error) {
	to, err := url.Parse(address)
	if err != nil {
		return nil, forbidden("a URL to ask cannot be read") // err would quote it
	}
	if at != nil {
		if to = at.ResolveReference(to); to.Scheme != at.Scheme || to.Host != at.Host {
			return nil, fmt.Errorf("%s redirects to another host, %s://%s: configure the address that answers", at.Host, to.Scheme, to.Host)
		}
	}
	switch {
	case to.Hostname() == "" || to.User != nil || to.Opaque != "":
		return nil, forbidden("a URL to ask must be https://host/path, without user or password")
	case to.Scheme != "https" && (to.Scheme != "http" || !o.allowed.has(to)):
		return nil, forbidden(to.Scheme + "://" + to.Host + " is not https, and is no host on loopback that is allowed by name")
	case o.proxied && !o.allowed.has(to) && specialLiteral(to.Hostname()):
		return nil, forbidden(to.Host + " is a special-use address: allow it by name if it is yours")
	}
	to.Fragment = ""
	return to, nil
}

// once makes one request, when its turn at that host has come.
func (o *Outbound) once(ctx context.Context, method string, to *url.URL, header http.Header, body string) (Reply, error) {
	h := o.host(to)
	if err := h.enter(ctx, o.timeout, o.now); err != nil {
		return Reply{}, err
	}
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	reply, err := o.exchange(limited, method, to, header, body)
	// Who left early, or has no time left, did not see what the host is like.
	h.leave(o.now(), isTimeout(err), ctx.Err() == nil)
	return reply, err
}

// exchange is one request and its whole answer, within the limits.
func (o *Outbound) exchange(ctx context.Context, method string, to *url.URL, header http.Header, body string) (Reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, to.String(), strings.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	request.Header = cloneHeader(header)
	request.Header.Set("User-Agent", "porterhouse") // GitHub refuses who does not say
	if request.Header.Get("Accept") == "" {
		request.Header.Set("Accept", "application/json")
	}
	transport := o.secure
	if to.Scheme == "http" {
		transport = o.plain
	}
	// A transport, not a client: it follows nothing and quotes no URL in its errors.
	response, err := transport.RoundTrip(request)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = response.Body.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, o.maxBytes+1))
	if err != nil {
		return Reply{}, err
	}
	if int64(len(text)) > o.maxBytes {
		return Reply{}, errTooLong
	}
	return Reply{Status: response.StatusCode, Header: response.Header, Body: text}, nil
}

func cloneHeader(header http.Header) http.Header {
	if header == nil {
		return http.Header{}
	}
	return header.Clone()
}

// host returns the bounds of the host that to is at.
func (o *Outbound) host(to *url.URL) *host {
	key := to.Scheme + "://" + strings.ToLower(to.Host)
	o.mu.Lock()
	defer o.mu.Unlock()
	h, ok := o.hosts[key]
	if !ok {
		if len(o.hosts) >= maxHosts { // whoever may name hosts could name any number
			now := o.now()
			maps.DeleteFunc(o.hosts, func(_ string, h *host) bool { return h.isAtRest(now) })
		}
		h = newHost(o.perHost)
		o.hosts[key] = h
	}
	return h
}

// failure is what the caller hears of err: that he left himself, or that the
// provider cannot be asked.
func (o *Outbound) failure(caller context.Context, to *url.URL, err error) error {
	if caller.Err() != nil {
		return left(caller)
	}
	return away("%s%s: %w", to.Host, to.Path, publicCause(err))
}

// away is the error of a provider that could not be asked, or whose answer makes
// no sense. The format is of the private reason, which must not hold the token.
func away(format string, args ...any) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Unavailable,
		Public: "the identity provider cannot be asked right now, so nobody can tell whose token this is: try again in a moment",
		Err:    fmt.Errorf(format, args...),
	}
}

// left is the error of a caller who did not wait for the answer.
func left(ctx context.Context) error {
	kind, public := porterhouse.Explain(ctx.Err())
	return &porterhouse.Error{Kind: kind, Public: public, Err: fmt.Errorf("while an identity provider was asked: %w", ctx.Err())}
}
