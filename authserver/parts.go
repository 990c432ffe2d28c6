package authserver

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"sync/atomic"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/page"
)

// parts are what a Server is made of, beside its clients.
type parts struct {
	pages    *page.Set
	consents consents
	codes    *codes
	families *families
	devices  *devices
	recheck  func(ctx context.Context, who porterhouse.Principal) (porterhouse.Principal, error)
	record   *audit.Log
	stats    counters
}

//go:embed pages/*.html
var pageFiles embed.FS

// newParts makes them; c is checked and has its defaults.
func newParts(c Config) (*parts, error) {
	files, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		return nil, fmt.Errorf("authserver: %w", err)
	}
	pages, err := page.New(files)
	if err != nil {
		return nil, fmt.Errorf("authserver: %w", err)
	}
	yes, err := c.Key.For("consent")
	if err != nil {
		return nil, fmt.Errorf("authserver: %w", err)
	}
	refresh, err := c.Key.For("refresh token")
	if err != nil {
		return nil, fmt.Errorf("authserver: %w", err)
	}
	devices, err := newDevices(c)
	if err != nil {
		return nil, err
	}
	return &parts{
		pages:    pages,
		consents: consents{box: yes, now: c.Now},
		codes:    &codes{store: c.Store, life: c.Lifetimes.Code, now: c.Now},
		families: &families{store: c.Store, box: refresh, Lifetimes: c.Lifetimes, now: c.Now},
		devices:  devices,
		recheck:  c.Recheck,
		record:   c.Audit,
	}, nil
}

// counters count what was done.
type counters struct{ tokens, refused, agreed, canceled, reused atomic.Uint64 }

// Stats are what a Server has done since it was made.
type Stats struct {
	Tokens   uint64 // access tokens given
	Refused  uint64 // requests of clients that were refused
	Agreed   uint64 // people who agreed
	Canceled uint64 // people who did not
	Reused   uint64 // codes and refresh tokens that came again, of which somebody may have a copy
}

// Stats returns the counts.
func (p *parts) Stats() Stats {
	return Stats{
		Tokens: p.stats.tokens.Load(), Refused: p.stats.refused.Load(),
		Agreed: p.stats.agreed.Load(), Canceled: p.stats.canceled.Load(), Reused: p.stats.reused.Load(),
	}
}
