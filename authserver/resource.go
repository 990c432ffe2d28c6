package authserver

import (
	"slices"
	"strings"
)

// resourceOf is the resource of a name; "": the client's default, else the server's.
func (c Config) resourceOf(client Client, name string) (Resource, error) {
	if name == "" {
		name = client.Resource
	}
	if name == "" {
		return c.Resources[0], nil
	}
	for _, r := range c.Resources {
		if sameResource(r.URI, name) {
			return r, nil
		}
	}
	return Resource{}, refuse("invalid_target", "%s is no resource of this server, which has %s", shown(name), c.Resources[0].URI)
}

// sameResource compares names of resources: https://host and https://host/ are one
// (RFC 3986, 6.2.3), and nothing looser.
func sameResource(a, b string) bool { return withRoot(a) == withRoot(b) }

func withRoot(uri string) string {
	if _, rest, ok := strings.Cut(uri, "://"); ok && !strings.Contains(rest, "/") {
		return uri + "/"
	}
	return uri
}

// scopesOf reads a scope parameter (RFC 6749, 3.3). Scopes that mean nothing here,
// such as openid and profile, are left out: clients ask for them everywhere.
func scopesOf(text string) []string {
	named := strings.Fields(text)
	return intersect([]string{ScopeRead, ScopeWrite, ScopeOffline}, named)
}

// intersect returns what of the first is in all others, in its order.
func intersect(first []string, others ...[]string) []string {
	return slices.DeleteFunc(slices.Clone(first), func(scope string) bool {
		return slices.ContainsFunc(others, func(other []string) bool { return !slices.Contains(other, scope) })
	})
}

// without returns scopes that are none of these.
func without(scopes []string, these ...string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return slices.Contains(these, scope) })
}
