package signin

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxReturn is how long a return URL may be, in bytes: it travels in a cookie.
const maxReturn = 2500

// checkReturn accepts a path of this server, with a query, as a browser could send
// it in a request line; it may be sent back in a Location header as it is. None is
// the page that says who is signed in.
func checkReturn(text string) (string, error) {
	if text == "" {
		return OutPath, nil
	}
	if len(text) > maxReturn {
		return "", fmt.Errorf("it has %d bytes, more than %d", len(text), maxReturn)
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "", errors.New("it has a character that no URL has")
	}
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") {
		return "", errors.New("it is not a path of this server")
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	return text, checkPath(u)
}

// checkPath refuses what a proxy or a browser might make another path of, when it
// decodes once more than we do.
func checkPath(u *url.URL) error {
	decoded, err := url.PathUnescape(u.Path)
	if err != nil || u.IsAbs() || u.Host != "" {
		return errors.New("it is not a path of this server")
	}
	for _, path := range []string{u.Path, decoded} { // u.Path is decoded once
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				return errors.New("its path goes up")
			}
		}
		if strings.Contains(path, "//") || strings.ContainsFunc(path, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) {
			return errors.New("its path has a character that no path of this server has")
		}
		if path == Path || strings.HasPrefix(path, CallbackPath) {
			return errors.New("it leads back to the sign-in")
		}
	}
	return nil
}

// returning is the URL of the chooser for a return URL.
func returning(to string) string { return Path + "?return=" + url.QueryEscape(to) }
