package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const documentLife = time.Hour

// documentAt is the discovery document at a URL.
func (p *Providers) documentAt(address, issuer string) *remote[places] {
	return known(p, p.documents, address+" "+issuer, &remote[places]{
		what: "the discovery document", from: address, life: documentLife, now: p.now, log: p.log,
		fetch: func(ctx context.Context) (places, error) {
			text, err := p.fetch(ctx, address)
			if err != nil {
				return places{}, err
			}
			c, err := parseClaims(text)
			if err != nil {
				return places{}, err
			}
			if c.has(demoMarker) && !p.allowDemo {
				return places{}, errDemo
			}
			return parseDiscovery(c, address, issuer)
		},
	})
}

// demoMarker is the member of documents and tokens of a provider at which anybody
// can sign in as anybody, for a demonstration (package sandbox/openid).
const demoMarker = "porterhouse_demo"

// errDemo is why such a provider proves nobody.
var errDemo = errors.New("it is of a demo provider (" + demoMarker + "), where anybody can be anybody: only `porterhouse demo` accepts that")

// parseDiscovery reads a discovery document. It must name the issuer that was
// expected; without one, the issuer whose document stands at that address.
func parseDiscovery(c claims, address, expected string) (places, error) {
	var at places
	for name, into := range map[string]*string{
		"issuer": &at.issuer, "jwks_uri": &at.keys, "userinfo_endpoint": &at.userinfo, "introspection_endpoint": &at.introspection,
		"authorization_endpoint": &at.authorize, "token_endpoint": &at.token,
	} {
		var err error
		if *into, err = c.text(name); err != nil {
			return places{}, err
		}
	}
	switch {
	case at.issuer == "":
		return places{}, errors.New("it names no issuer")
	case expected != "" && at.issuer != expected:
		return places{}, fmt.Errorf("it is of the issuer %q, not of the expected %q", abridged(at.issuer), expected)
	case expected == "" && strings.TrimSuffix(at.issuer, "/")+wellKnown != address:
		return places{}, fmt.Errorf("it is of the issuer %q, whose document stands elsewhere: name the expected_issuer if it is yours", abridged(at.issuer))
	}
	at.namesItself = c["authorization_response_iss_parameter_supported"] == true
	return at, at.readSupport(c)
}

// readSupport reads what the provider says that it understands.
func (at *places) readSupport(c claims) error {
	var introspection, token []string
	for name, into := range map[string]*[]string{
		"introspection_endpoint_auth_methods_supported": &introspection, "token_endpoint_auth_methods_supported": &token,
		"scopes_supported": &at.scopes, "prompt_values_supported": &at.prompts,
	} {
		var err error
		if *into, err = c.texts(name); err != nil {
			return err
		}
	}
	at.secretInForm, at.loginInForm = onlyInForm(introspection), onlyInForm(token)
	return nil
}

// onlyInForm reports whether a client's secret must stand in the form, of the ways
// that an endpoint understands (none named: the header, RFC 8414).
func onlyInForm(methods []string) bool {
	return slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic")
}
