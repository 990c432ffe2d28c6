package authserver

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxAccess is the longest life of an access token: nobody is asked while it lives.
const maxAccess = 10 * time.Minute

// check refuses what cannot be a server.
func (c *Config) check() error {
	var missing []string
	for name, there := range map[string]bool{
		"Keys": c.Keys != nil, "Store": c.Store != nil, "Key": c.Key != nil, "Audit": c.Audit != nil,
		"Who": c.Who != nil, "SignIn": c.SignIn != "", "Recheck": c.Recheck != nil, "Resources": len(c.Resources) > 0,
	} {
		if !there {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("authserver: the configuration lacks %s", strings.Join(missing, ", "))
	}
	if err := checkIssuer(c.Issuer); err != nil {
		return fmt.Errorf("authserver: the issuer %s: %w", c.Issuer, err)
	}
	if err := checkResources(c.Resources); err != nil {
		return fmt.Errorf("authserver: %w", err)
	}
	if err := c.Lifetimes.check(); err != nil {
		return fmt.Errorf("authserver: %w", err)
	}
	return nil
}

// checkIssuer holds an issuer to RFC 8414, 2: clients compare it byte for byte.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("it must be https://host, perhaps with a port and a path")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return errors.New("it must begin with https:// (http:// is for loopback alone)")
	case u.User != nil || strings.ContainsAny(issuer, "?#"):
		return errors.New("it must have no user, no query and no fragment")
	case strings.HasSuffix(issuer, "/"):
		return errors.New("it must not end with a slash")
	case hasDots(u.EscapedPath()) || u.EscapedPath() != u.Path:
		return errors.New("its path must be plain: no dot segments, nothing escaped")
	}
	return nil
}

// isLoopback reports whether host names this machine: an address, or localhost.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.IsLoopback()
}

func checkResources(resources []Resource) error {
	seen := map[string]bool{}
	for _, r := range resources {
		u, err := url.Parse(r.URI)
		switch {
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Contains(r.URI, "#"):
			return fmt.Errorf("the resource %q must be an https URL without a fragment (RFC 8707)", r.URI)
		case seen[r.URI]:
			return fmt.Errorf("the resource %s is there twice", r.URI)
		case len(r.Scopes) == 0:
			return fmt.Errorf("the resource %s has no scopes, so nobody could use it", r.URI)
		}
		seen[r.URI] = true
	}
	return nil
}

func (l Lifetimes) check() error {
	for name, life := range map[string]time.Duration{
		"of codes": l.Code, "of access tokens": l.Access, "of device codes": l.Device,
		"of refresh tokens that are not used": l.Idle, "of families": l.Longest, "of used refresh tokens": l.Reuse,
	} {
		if life < 0 || life > 0 && life < time.Second {
			return fmt.Errorf("the lifetime %s is %v: 0 is the default, and a second the shortest", name, life)
		}
	}
	if l.Access > maxAccess {
		return fmt.Errorf("access tokens would live %v, and %v is the longest: nobody is asked while they live, refresh tokens are for the rest", l.Access, maxAccess)
	}
	return nil
}

// withDefaults returns c with everything set that was left out.
func (c Config) withDefaults() Config {
	l := &c.Lifetimes
	l.Code = cmp.Or(l.Code, time.Minute)
	l.Access = cmp.Or(l.Access, 5*time.Minute)
	l.Device = cmp.Or(l.Device, 10*time.Minute)
	l.Idle = cmp.Or(l.Idle, 30*24*time.Hour)
	l.Longest = cmp.Or(l.Longest, 90*24*time.Hour)
	l.Reuse = cmp.Or(l.Reuse, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Limits == nil {
		c.Limits = NewLimits(c.Now)
	}
	return c
}

// scopes are all that there are, of all resources, in a fixed order.
func (c *Config) scopes() []string {
	var all []string
	for _, r := range c.Resources {
		all = append(all, r.Scopes...)
	}
	all = append(all, ScopeOffline)
	slices.Sort(all)
	return slices.Compact(all)
}
