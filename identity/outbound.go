package identity

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// OutboundConfig bounds what the package asks of the outside world.
type OutboundConfig struct {
	AllowHosts []string      // "host" or "host:port": may be at a special-use address, and, on loopback, be asked without TLS
	CAFile     string        // PEM file of roots that count beside those of the system; "": none
	Proxy      string        // http://[user:password@]host:port; "": none, whatever the environment says
	Timeout    time.Duration // of one request with its answer; 0: 10 s
	MaxBytes   int64         // of the body of one answer; 0: 1 MiB
	PerHost    int           // requests to one host at once; 0: 16
	Now        func() time.Time
}

// Outbound asks identity providers over HTTPS.
type Outbound struct{}

// Reply is a provider's answer.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte // whole; at most MaxBytes
}

// NewOutbound checks c and returns its Outbound.
func NewOutbound(c OutboundConfig) (*Outbound, error) { return nil, errors.New("being written") }

// Get asks for address. Every status is a Reply; an error is a *porterhouse.Error of kind Unavailable.
// header may be nil. A redirect is followed to the same host only, and not at all when header has Authorization.
func (o *Outbound) Get(ctx context.Context, address string, header http.Header) (Reply, error) {
	return Reply{}, errors.New("being written")
}

// Post sends form to address; redirects are never followed.
func (o *Outbound) Post(ctx context.Context, address string, header http.Header, form url.Values) (Reply, error) {
	return Reply{}, errors.New("being written")
}
