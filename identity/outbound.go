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
	PerHost    int           // requests to one host at once, and half as many for tokens beside them; 0: 16
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
// dead costs nobody of another provider anything; nor does a token endpoint that is
// slow or dead keep anybody from the keys and the introspection beside it.
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
	hosts map[string]*host // by scheme://host:port, and the lane there
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

	// leastLook is how long an answer must have been waited for before its lack says
	// something of the host, where that is not Timeout: less than what anybody gives an
	// exchange, or a sign-in, all in all. With a shorter Timeout it is half of that.
	leastLook = 4 * time.Second
)

// lane is a share of a host: what goes there waits for nothing that is in another.
type lane string

const (
	mainLane  lane = ""
	tokenLane lane = " tokens" // token endpoints: half the turns
)

// request is what is asked, wherever that is.
type request struct {
	method, body string
	header       http.Header
	lane         lane
}

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
	return o.ask(ctx, address, request{method: http.MethodGet, header: header})
}

// Post sends body to address, as Get does otherwise. Its redirects are not
// followed: what is posted is a secret.
func (o *Outbound) Post(ctx context.Context, address string, header http.Header, contentType, body string) (Reply, error) {
	return o.ask(ctx, address, posting(header, contentType, body))
}

// postToken asks a token endpoint, as Post does.
func (o *Outbound) postToken(ctx context.Context, address string, header http.Header, form url.Values) (Reply, error) {
	r := posting(header, formType, form.Encode())
	r.lane = tokenLane
	return o.ask(ctx, address, r)
}

func posting(header http.Header, contentType, body string) request {
	header = cloneHeader(header)
	header.Set("Content-Type", contentType)
	return request{method: http.MethodPost, header: header, body: body}
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

func (o *Outbound) ask(caller context.Context, address string, r request) (Reply, error) {
	ctx, cancel := context.WithTimeout(caller, 2*o.timeout)
	defer cancel()
	stays := o.noRedirects || r.method != http.MethodGet || r.header.Get("Authorization") != "" // a secret goes nowhere else
	var at *url.URL                                                                             // where the last answer came from
	for range 1 + maxRedirects {
		to, err := o.target(at, address)
		if err != nil {
			return Reply{}, away("%w", err)
		}
		reply, err := o.once(ctx, to, r)
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
func (o *Outbound) once(ctx context.Context, to *url.URL, r request) (Reply, error) {
	h := o.host(to, r.lane)
	if err := h.enter(ctx, o.timeout, o.now); err != nil {
		return Reply{}, err
	}
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	looks := o.looks(ctx)
	reply, err := o.exchange(limited, to, r)
	// Who left early, or had little time left, did not see what the host is like. Whose own
	// deadline is shorter than ours did, or a host that hangs would never be found dead.
	timedOut := isTimeout(err)
	h.leave(o.now(), timedOut, ctx.Err() == nil || timedOut && looks)
	return reply, err
}

// looks reports whether somebody has time enough left to see what a host is like.
func (o *Outbound) looks(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return !bounded || time.Until(deadline) >= min(leastLook, o.timeout/2)
}

// exchange is one request and its whole answer, within the limits.
func (o *Outbound) exchange(ctx context.Context, to *url.URL, r request) (Reply, error) {
	request, err := http.NewRequestWithContext(ctx, r.method, to.String(), strings.NewReader(r.body))
	if err != nil {
		return Reply{}, err
	}
	request.Header = cloneHeader(r.header)
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

// host returns the bounds of a lane at the host that to is at.
func (o *Outbound) host(to *url.URL, by lane) *host {
	key, turns := to.Scheme+"://"+strings.ToLower(to.Host)+string(by), o.perHost
	if by == tokenLane {
		turns = max(1, turns/2)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	h, ok := o.hosts[key]
	if !ok {
		if len(o.hosts) >= maxHosts { // whoever may name hosts could name any number
			now := o.now()
			maps.DeleteFunc(o.hosts, func(_ string, h *host) bool { return h.isAtRest(now) })
		}
		h = newHost(turns)
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
