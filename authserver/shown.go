package authserver

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"porterhouse/page"
)

// maxShown is how many characters of a client's own text are shown.
const maxShown = 80

// shown is a client's own text as it may be shown.
func shown(text string) string { return page.Clean(text, maxShown) }

// title is what a client is called, for people.
func (c Client) title() string {
	for _, name := range []string{page.Clean(c.Name, 60), c.Host} {
		if name != "" {
			return name
		}
	}
	return shown(c.ID)
}

// maxAddress is how many characters of the address of a client's document are shown,
// and endOfAddress how many of them of its end.
const maxAddress, endOfAddress = 160, 60

// address is where the document of a client is, for people; "": it has none. Its host
// alone would not do: on many hosts anybody can leave a document. Of a long one both
// ends are shown. It has no characters but those of URLs (checkDocumentURL).
func (c Client) address() string {
	switch {
	case c.Known != ByDocument:
		return ""
	case len(c.ID) <= maxAddress:
		return c.ID
	}
	return c.ID[:maxAddress-endOfAddress-1] + "…" + c.ID[len(c.ID)-endOfAddress:]
}

// onThisMachine reports whether a redirect URI leads to a program on the person's own
// machine: by loopback, or by a scheme of its own.
func onThisMachine(redirect string) bool {
	u, err := url.Parse(redirect)
	return err == nil && u.Scheme != "https" && (u.Scheme != "http" || slices.Contains(loopbackHosts, u.Hostname()))
}

// placeOf is where a redirect URI leads, for people: a host, or a scheme.
func placeOf(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case err != nil:
		return ""
	case u.Scheme == "https" || u.Scheme == "http":
		return u.Host
	}
	return u.Scheme + ":"
}

// inWords is a duration for people, in the largest unit that is exact.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.length; n > 0 && d%unit.length == 0 {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.Round(time.Second).String()
}

// moment is a time for people, whose zone nobody here knows.
func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
