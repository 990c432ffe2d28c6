package authserver

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// maxRedirectURI is how many bytes a redirect URI may have.
const maxRedirectURI = 1024

// knownSchemes are the redirect URIs of known programs that have a URL scheme of
// their own. Any program may claim such a scheme on somebody's machine, so a client
// that nobody here knows gets no code sent to others. (VS Code has none: it listens
// on loopback, or uses https://vscode.dev/redirect.)
var knownSchemes = []string{
	"cursor://anysphere.cursor-mcp/oauth/callback", // Cursor
	"grokbot://mcp/oauth/callback",                 // Cursor's bot, in the same registration
	"claude://claude.ai/mcp-auth-callback/sdk",     // Claude's desktop program
	"warp://mcp/oauth2callback",                    // Warp
	"com.raycast:/oauth",                           // Raycast
}

// runsSomething are schemes with which a browser does something else than to ask
// another program: no operator can want a code there.
var runsSomething = []string{
	"about", "blob", "chrome", "content", "data", "file", "filesystem", "ftp", "intent", "javascript",
	"jar", "mailto", "ms-msdt", "resource", "search-ms", "tel", "vbscript", "view-source", "ws", "wss",
}

// checkRedirect returns nil for a URI that a client may register, else what is wrong
// with it. What is compared with a URI later is its text, so a text that two readers
// could take for two places is refused:
//
//	https://host/…             any host; the consent page names it
//	http://127.0.0.1/…         and [::1], and localhost: this machine (RFC 8252, 7.3)
//	com.example.program:/…     of known programs; of clients of the operator, any (7.1)
func checkRedirect(uri string, byOperator bool) error {
	if len(uri) > maxRedirectURI {
		return fmt.Errorf("it has more than the %d bytes allowed", maxRedirectURI)
	}
	if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\"<>^{|}*`+"`", r) }) {
		return errors.New("it has characters that no URI has, or a wildcard")
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return errors.New("it is no URI with a scheme")
	case !strings.HasPrefix(uri, u.Scheme+":"):
		return errors.New("its scheme must be in lower case")
	case strings.Contains(uri, "#"):
		return errors.New("it has a fragment (#)")
	case u.User != nil:
		return errors.New("it has a user (@)")
	case hasDots(u.Path):
		return errors.New("its path has dot segments")
	}
	switch u.Scheme {
	case "https":
		return checkHost(u)
	case "http":
		if !slices.Contains(loopbackHosts, u.Hostname()) {
			return errors.New("it must begin with https:// (http:// is for 127.0.0.1, [::1] and localhost)")
		}
		return checkHost(u)
	}
	switch {
	case slices.Contains(knownSchemes, uri):
		return nil
	case slices.Contains(runsSomething, u.Scheme):
		return errors.New("no program can be sent a code with this scheme")
	case !byOperator:
		return errors.New("its scheme is of no program that is known here: use http://127.0.0.1 with any port, https, or ask the operator to register this client")
	}
	return nil
}

// loopbackHosts are how a redirect URI names the person's own machine.
var loopbackHosts = []string{"127.0.0.1", "::1", "localhost"}

// checkHost refuses hosts and ports that are written in an unusual way.
func checkHost(u *url.URL) error {
	switch {
	case u.Hostname() == "" || strings.HasSuffix(u.Host, ":") || strings.HasSuffix(u.Hostname(), "."):
		return errors.New("it names no host, or one that ends with a dot or an empty port")
	case u.Host != strings.ToLower(u.Host) || strings.Contains(u.Host, "%"):
		return errors.New("its host must be in lower case, with nothing escaped")
	}
	return nil
}

// hasDots reports whether a path has segments that some readers resolve.
func hasDots(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(segment string) bool { return segment == "." || segment == ".." })
}

// allowsRedirect returns nil when a code of the client may be sent to uri, else what
// is wrong, for a person to read: it must be one of the client's own, byte for byte
// (RFC 9700, 2.1), but for the port of a loopback address, which a program gets from
// its system at the last moment (RFC 8252, 7.3).
func (c Client) allowsRedirect(uri string) error {
	for _, registered := range c.RedirectURIs {
		if registered == uri || sameLoopback(registered, uri) {
			return nil
		}
	}
	return errors.New("the address to send the answer to is not one that this client has registered")
}

// sameLoopback reports whether two URIs are the same but for their ports, on loopback.
func sameLoopback(registered, uri string) bool {
	a, ok := withoutPort(registered)
	if !ok {
		return false
	}
	b, ok := withoutPort(uri)
	return ok && a == b && checkRedirect(uri, false) == nil
}

// withoutPort is a URI on loopback without its port; ok is false when it is none.
func withoutPort(uri string) (text string, ok bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || !slices.Contains(loopbackHosts, u.Hostname()) {
		return "", false
	}
	port := u.Port()
	before, after, _ := strings.Cut(uri, u.Host) // of the text itself: nothing is decoded and written anew
	return before + strings.TrimSuffix(u.Host, ":"+port) + after, true
}
