package identity

import (
	"errors"
	"log/slog"
	"time"
)

// ProvidersConfig is what Providers are made of.
type ProvidersConfig struct {
	Outbound *Outbound        // asks providers; nil: only keys that are configured can be used
	Log      *slog.Logger     // nil: discarded
	Now      func() time.Time // nil: time.Now
}

// Providers is what is known of identity providers: their keys and documents, and
// the verdicts on tokens. It lives as long as the process; processors come and go
// with the configuration.
type Providers struct {
	outbound *Outbound
	verdicts *verdicts
	now      func() time.Time
	log      *slog.Logger
}

// NewProviders knows nothing yet.
func NewProviders(c ProvidersConfig) (*Providers, error) {
	p := &Providers{outbound: c.Outbound, now: c.Now, log: c.Log}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.verdicts = newVerdicts(p.now)
	return p, nil
}

// NewProcessors makes the processors of one resource, to be asked in this order.
func NewProcessors(settings []Settings, r Resource, p *Providers) ([]Processor, error) {
	return nil, errors.New("being written")
}
