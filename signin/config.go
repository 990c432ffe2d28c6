package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"porterhouse/audit"
	"porterhouse/kv"
	"porterhouse/seal"
)

// Config is what a SignIn is made of.
type Config struct {
	PublicURL string // https://host[:port]; on loopback also http, with cookies that are less strict
	Providers []Provider
	Store     kv.Store
	Key       *seal.Key
	// Asking tells who asks, from the local URL that the browser will return to; remote
	// is its address. Nil result: nobody but we ourselves. An error stops the sign-in
	// before it begins. Nil: nobody else ever asks.
	Asking    func(ctx context.Context, returnTo, remote string) (*Asking, error)
	Audit     *audit.Log
	Lifetimes Lifetimes
	Limits    *Limits          // nil: new ones
	Log       *slog.Logger     // nil: discarded
	Now       func() time.Time // nil: time.Now
}

// Lifetimes bound how long a sign-in counts.
type Lifetimes struct {
	Browser        time.Duration // of a browser's session, since its sign-in; 0: 12 h
	WithoutRecheck time.Duration // of a login whose provider cannot be asked again; 0: 12 h
	Idle           time.Duration // of a login, since it was last asked for; 0: 30 days
	Longest        time.Duration // of a login, since the sign-in; 0: 90 days
	Grace          time.Duration // how old the provider's last yes may be while it cannot be asked; 0: 4 h
	Fresh          time.Duration // how old it may be without asking at all; 0: 1 min
}

const day = 24 * time.Hour

func (l Lifetimes) withDefaults() Lifetimes {
	return Lifetimes{
		Browser:        cmp.Or(l.Browser, 12*time.Hour),
		WithoutRecheck: cmp.Or(l.WithoutRecheck, 12*time.Hour),
		Idle:           cmp.Or(l.Idle, 30*day),
		Longest:        cmp.Or(l.Longest, 90*day),
		Grace:          cmp.Or(l.Grace, 4*time.Hour),
		Fresh:          cmp.Or(l.Fresh, time.Minute),
	}
}

func (l Lifetimes) check() error {
	for name, life := range map[string]time.Duration{
		"Browser": l.Browser, "WithoutRecheck": l.WithoutRecheck, "Idle": l.Idle, "Longest": l.Longest, "Grace": l.Grace, "Fresh": l.Fresh,
	} {
		if life < 0 {
			return fmt.Errorf("the lifetime %s is %v, and a lifetime is positive (0: the default)", name, life)
		}
	}
	if full := l.withDefaults(); full.Fresh > full.Grace {
		return fmt.Errorf("a provider's yes is fresh for %v and counts for %v without the provider: the second must not be shorter", full.Fresh, full.Grace)
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Lifetimes = c.Lifetimes.withDefaults()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Limits == nil {
		c.Limits = NewLimits()
	}
	return c
}

// check returns the public URL of a configuration that is complete.
func (c Config) check() (*url.URL, error) {
	for name, there := range map[string]bool{"Store": c.Store != nil, "Key": c.Key != nil, "Audit": c.Audit != nil} {
		if !there {
			return nil, fmt.Errorf("the configuration has no %s", name)
		}
	}
	if err := c.Lifetimes.check(); err != nil {
		return nil, err
	}
	if err := checkProviders(c.Providers); err != nil {
		return nil, err
	}
	return checkPublic(c.PublicURL)
}

func checkProviders(all []Provider) error {
	if len(all) == 0 {
		return errors.New("there is no provider to sign in at")
	}
	seen := map[string]bool{}
	for _, p := range all {
		switch {
		case p.Name == "" || seen[p.Name]:
			return fmt.Errorf("the provider name %q is empty, or there twice", p.Name)
		case p.Start == nil || p.Finish == nil:
			return fmt.Errorf("the provider %s has no Start or no Finish", p.Name)
		case (p.Recheck == nil) != (p.CanRecheck == nil):
			return fmt.Errorf("the provider %s has one of Recheck and CanRecheck, which go together", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

// checkPublic reads the public URL: cookies that count as proof go over https only,
// or do not leave the machine.
func checkPublic(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the public URL: %w", err)
	}
	if u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return nil, fmt.Errorf("the public URL is %q, and has the form https://host[:port]", text)
	}
	if u.Scheme == "https" || u.Scheme == "http" && onLoopback(u.Hostname()) {
		return u, nil
	}
	return nil, fmt.Errorf("the public URL is %q: http is for loopback, and everything else needs https", text)
}

func onLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
