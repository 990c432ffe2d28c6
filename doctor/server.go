package doctor

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"porterhouse/clickhouse"
)

// From when on the server is said to be something else than well.
const (
	soon      = 21 * 24 * time.Hour // a certificate ends
	apart     = 5 * time.Second     // the clocks are
	farAway   = 300 * time.Millisecond
	justBegun = 5 * time.Minute
)

// server says what is so of the server itself, whoever comes.
func (e machine) server() {
	e.certificate()
	e.identity()
	e.clock()
	e.openDefault()
	e.logs()
	e.traps()
}

// certificate says how the way there is protected.
func (e machine) certificate() {
	t := e.Facts.TLS
	if t == nil && isLoopback(e.Facts.URL) {
		e.fine("tls", "no TLS, and none needed on this machine")
		return
	}
	if t == nil {
		e.add(Finding{Careful, "tls", "no TLS: the gateway's password, and all that is asked and answered, travels in the clear", "use https, mostly at port 8443", ""})
		return
	}
	left := t.Until.Sub(e.Facts.At)
	until := t.Until.UTC().Format(time.DateOnly)
	if left < soon {
		e.add(Finding{Careful, "tls", t.Version + ", by a certificate that ends on " + until, "renew it: from that day on nobody gets in", ""})
		return
	}
	e.fine("tls", "%s, by a certificate of %s until %s", t.Version, t.Issuer, until)
}

// isLoopback reports whether a URL is of this machine.
func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// oldest is the first version that Porterhouse works with.
const oldest = 21*100 + 8

// isTooOld reports whether a version is older than that.
func isTooOld(version string) bool {
	var year, month int
	n, err := fmt.Sscanf(version, "%d.%d", &year, &month)
	return n == 2 && err == nil && year*100+month < oldest
}

// identity says which server it is. What depends on the way in is known by then.
func (e machine) identity() {
	s := e.Facts.Server
	if s.Version == "" {
		return
	}
	build := ""
	if s.Build != clickhouse.Other {
		build = " (" + string(s.Build) + " build)"
	}
	e.fine("version", "ClickHouse %s%s, up for %v, time zone %s", s.Version, build, s.Uptime, s.Timezone)
	if isTooOld(s.Version) {
		e.add(Finding{Wrong, "version-old", "ClickHouse " + s.Version + " is older than 21.8, the oldest that Porterhouse was made for: some of what it sends is not known there", "upgrade", ""})
	}
	if s.Uptime < justBegun {
		e.add(Finding{Careful, "uptime", "it was started " + s.Uptime.String() + " ago", "if nobody meant to, look into its log for why", ""})
	}
}

// clock compares the clocks; half a round trip is what cannot be told.
func (e machine) clock() {
	s := e.Facts.Server
	switch {
	case s.Version == "":
	case s.Ahead.Abs() > apart+s.RoundTrip/2:
		e.add(Finding{Careful, "clock", "its clock and ours are " + s.Ahead.Abs().Round(time.Second).String() + " apart", "set both (NTP): tickets, tokens and times in the records are compared by them", ""})
	default:
		e.fine("clock", "the clocks agree")
	}
	if s.RoundTrip > farAway {
		e.add(Finding{Careful, "distance", "a question takes " + s.RoundTrip.Round(time.Millisecond).String() + " there and back, and each of a person's does", "run Porterhouse nearer to ClickHouse, or look for what keeps it so busy", ""})
	}
}

// openDefault says who gets in without asking us.
func (e machine) openDefault() {
	switch f := e.Facts.OpenDefault; {
	case f.Works():
		e.add(Finding{Wrong, "open-default", "the user default needs no password: whoever reaches the server has all that this user may, past Porterhouse and its record",
			"give it a password, or let it come from the server itself only: <networks><ip>::1</ip><ip>127.0.0.1</ip></networks> for it, in a file of users.d", ""})
	case f.Failed(clickhouse.LoginRefused):
		e.fine("open-default", "the user default does not come in from here without a password")
	}
}

// logs says where ClickHouse writes down who asked.
func (e machine) logs() {
	for _, log := range []struct {
		name  string
		found clickhouse.Finding
		lost  string
	}{
		{"query_log", e.Facts.QueryLog, "nothing was logged yet, or ClickHouse keeps no record of its own of who asked what"},
		{"session_log", e.Facts.SessionLog, "nobody has logged in yet, or ClickHouse keeps no record of its own of who logged in"},
	} {
		if log.found.Failed(clickhouse.Unknown) {
			e.add(Finding{Fine, log.name, "there is no system." + log.name + ": " + log.lost, "add a section " + log.name + " to its configuration if you want one; ours is kept in any case", ""})
		}
	}
}

// traps says what is known of this version.
func (e machine) traps() {
	for _, t := range e.Facts.Traps {
		where := t.Issue
		if len(t.Fixed) > 0 {
			where += ", mended in " + strings.Join(t.Fixed, ", ")
		}
		e.add(Finding{Fine, "trap-" + t.Name, "of this version: " + t.What + " (" + strings.TrimPrefix(where, ", ") + ")", t.Doing, ""})
	}
}
