package login

import (
	"net/netip"
	"net/url"
	"strings"

	"porterhouse"
)

// address reads the URL of a server as a person gives it: with or without a scheme,
// of the server or of its MCP door.
func address(given string) (*url.URL, error) {
	text := given
	if !strings.Contains(text, "://") {
		text = "https://" + text
		if u, err := url.Parse(text); err == nil && loopback(u.Hostname()) {
			text = "http" + strings.TrimPrefix(text, "https")
		}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, porterhouse.Errorf(porterhouse.Invalid, "%q is no URL of a server; it looks like https://porterhouse.example.com", given)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, porterhouse.Errorf(porterhouse.Invalid, "the URL of a server has no user, no ? and no #")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, porterhouse.Errorf(porterhouse.Invalid, "%s would send tokens in the clear: use https", u)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, porterhouse.Errorf(porterhouse.Invalid, "%s is no https URL", u)
	}
	u.Host = strings.ToLower(u.Host)
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// sameServer reports whether an address that a server names is its own.
func sameServer(at *url.URL, named string) bool {
	u, err := url.Parse(named)
	return err == nil && plain(named) && u.User == nil && u.Fragment == "" && u.Scheme == at.Scheme && strings.EqualFold(u.Host, at.Host)
}

// origin is the URL of the server itself.
func origin(at *url.URL) string { return at.Scheme + "://" + at.Host }

// plain reports whether text is printable ASCII without spaces.
func plain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// tame reports whether text can be pasted into a shell and means itself there: we
// show it as part of commands.
func tame(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(":/._~%-[]", r))
	})
}
