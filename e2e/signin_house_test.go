package e2e

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"porterhouse/sandbox/idp"
)

// The words on the buttons of the pages on which a person agrees or does not.
const (
	allow  = "Allow"
	refuse = "Cancel"
)

// place is a provider at which people sign in.
type place struct {
	processor string // YAML of its token processor, in one line
	client    idp.Client
	button    string // that leads there
	leads     string // how addresses there begin
	// visit is what somebody does there, and where they are sent back to.
	visit func(t testing.TB, page string, who idp.Person) *url.URL
}

// signIn chooses a place and signs in there.
func (p *human) signIn(at place, who idp.Person) {
	p.t.Helper()
	away := p.press(at.button, at.leads, nil)
	if away == nil {
		p.t.Fatalf("%q leads to HTTP %d at %s: %s", at.button, p.status, p.at, p.page.text)
	}
	p.open(at.visit(p.t, away.String(), who).String(), "")
}

// signsIn is the configuration of a house at which people sign in at places, by the
// names of their token processors; clients are those that the operator knows, in YAML.
func signsIn(places map[string]place, clients string) string {
	var buttons strings.Builder
	for _, name := range slices.Sorted(maps.Keys(places)) {
		p := places[name]
		fmt.Fprintf(&buttons, "    - {processor: %s, label: %q, client_id: %q, client_secret: \"file:client.secret\"}\n", name, p.button, p.client.ID)
	}
	return fmt.Sprintf(`
sign_in:
  master_key: "file:master.key"
  providers:
%sauth_server:
  allow_registration: true
  clients: {%s}
`, buttons.String(), clients)
}

// signInHouse is a house at which people sign in at npm's oidc-provider, and which
// reaches the hosts of the clients that these tests know. clients, in YAML, are known to
// the operator beside the app; HOUSE in it is the URL of the house.
func signInHouse(t *testing.T, clients string, s settings) (*house, place) {
	t.Helper()
	db, gateway := withSamples()
	s.at = quietAddress(t)
	at, _ := oidcPlace(t, s.at)
	net := idp.StartInternet(t, app{})
	s.extra += fmt.Sprintf("identity: {proxy: %q, ca: %q}\n", net.Proxy, net.CAFile) + at.house(strings.ReplaceAll(clients, "HOUSE", "http://"+s.at))
	return openHouse(t, db.HTTP, gateway, s), at
}

// house is the configuration of a house at which people sign in there, with the app and
// further clients, in YAML, as clients of the operator.
func (p place) house(clients string) string {
	return fmt.Sprintf("remote_url_allow_hosts: {host: 127.0.0.1}\ntoken_processors:\n  oidc: %s\n", p.processor) +
		signsIn(map[string]place{"oidc": p}, appRegistered+clients)
}

// clientSecret is that of Porterhouse at every provider of these tests.
const clientSecret = "the secret of Porterhouse at the provider"

// us is Porterhouse as a client of the provider of a token processor.
func us(address, processor string) idp.Client {
	return idp.Client{ID: "porterhouse", Secret: clientSecret, Redirect: "http://" + address + "/signin/callback/" + processor}
}

// oidcPlace is npm's oidc-provider, of the token processor oidc.
func oidcPlace(t *testing.T, address string) (place, *idp.Provider) {
	t.Helper()
	provider := idp.StartOIDC(t, idp.Options{Clients: []idp.Client{us(address, "oidc")}})
	return place{
		processor: fmt.Sprintf(`{type: openid, configuration_endpoint: %q, username_claim: email}`, provider.Issuer+discovery),
		client:    us(address, "oidc"), button: "Company login", leads: provider.Issuer, visit: idp.Visit,
	}, provider
}

// dexPlace is dex.
func dexPlace(t *testing.T, address string) place {
	t.Helper()
	provider := idp.StartDex(t, idp.Options{Clients: []idp.Client{us(address, "dex")}})
	return place{
		processor: fmt.Sprintf(`{type: openid, configuration_endpoint: %q, username_claim: email}`, provider.Issuer+discovery),
		client:    us(address, "dex"), button: "Company dex", leads: provider.Issuer, visit: idp.Visit,
	}
}
