package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"porterhouse/identity"
	"porterhouse/seal"
	"porterhouse/signin"
)

// signIns checks the keys that say how people sign in, and who may have our own
// tokens.
type signIns struct{ identities }

func (c signIns) all() {
	if !c.SignIn.isOn() {
		c.unused()
		return
	}
	c.masterKey()
	c.providers()
	c.times()
	c.assertions()
	for _, name := range slices.Sorted(maps.Keys(c.AuthServer.Clients)) {
		c.client("auth_server.clients."+name, c.AuthServer.Clients[name])
	}
}

// unused refuses what has no effect while nobody can sign in.
func (c signIns) unused() {
	for _, section := range []string{"sign_in", "auth_server"} {
		if _, given := c.d.found[section]; given {
			c.refuse(section, "nobody can sign in, so we give out no tokens: say at which provider, sign_in: {master_key: file:master.key, providers: {processor: …, client_id: …}}")
			return
		}
	}
}

func (c signIns) masterKey() {
	switch n := len(c.SignIn.MasterKey.Reveal()); {
	case n == 0:
		c.refuse("sign_in.master_key", "what browsers and the store keep is sealed with it, and it is missing: (umask 077; openssl rand -hex 32 > master.key), and write file:master.key; all replicas have the same")
	case n < seal.MinKey:
		c.refuse("sign_in.master_key", "the key has %d bytes, and at least %d are needed: openssl rand -hex 32", n, seal.MinKey)
	}
}

func (c signIns) providers() {
	seen := map[string]bool{}
	for i, p := range c.SignIn.Providers {
		path := c.providerPath(i)
		_, known := c.TokenProcessors[p.Processor]
		switch {
		case p.Processor == "":
			c.refuse(path+".processor", "name the token processor whose people sign in")
		case !known:
			c.refuse(path+".processor", "there is no token processor %q", p.Processor)
		case !bool(c.EnableTokenAuth):
			c.refuse(path+".processor", "token processors are not asked, by enable_token_auth: false")
		case seen[p.Processor]:
			c.refuse(path+".processor", "people can sign in at %q already", p.Processor)
		}
		seen[p.Processor] = true
		if p.ClientID == "" {
			c.refuse(path+".client_id", "register this server at the provider as an application, with the redirect URI %s, and write its client id here", c.publicURL()+signin.CallbackPath)
		}
		c.providerHosts(path, p)
	}
}

// providerPath is where a provider stands in the file: in a list, or alone.
func (c signIns) providerPath(i int) string {
	const path = "sign_in.providers"
	if at := fmt.Sprintf("%s[%d]", path, i); c.d.found[at] != (place{}) {
		return at
	}
	return path
}

// providerHosts refuses addresses that could never be asked, or that
// remote_url_allow_hosts does not name.
func (c signIns) providerHosts(path string, p SignInProviderConfig) {
	c.hosts(path, p.urls())
	outbound, err := identity.NewOutbound(identity.OutboundConfig{AllowHosts: c.RemoteURLAllowHosts.Host})
	if err != nil {
		return // which the token processors say
	}
	if p.TokenEndpoint != "" {
		if err := outbound.Check(p.TokenEndpoint); err != nil {
			c.refuse(path+".token_endpoint", "%v (remote_url_allow_hosts)", err)
		}
	}
}

// The longest and the shortest life of an access token.
const (
	minAccess = time.Minute
	maxAccess = 10 * time.Minute
)

// times refuses lives that are none, or that end after what they are part of.
func (c signIns) times() {
	for path, value := range map[string]time.Duration{
		"sign_in.browser_session": c.SignIn.BrowserSession, "sign_in.session_without_recheck": c.SignIn.SessionWithoutRecheck,
		"sign_in.session_idle": c.SignIn.SessionIdle, "sign_in.session_longest": c.SignIn.SessionLongest,
		"sign_in.recheck_grace": c.SignIn.RecheckGrace, "auth_server.rotate_keys": c.AuthServer.RotateKeys,
	} {
		if value <= 0 {
			c.refuse(path, "want more than 0; leave the key out for its default")
		}
	}
	if access := c.AuthServer.AccessToken; access < minAccess || access > maxAccess {
		c.refuse("auth_server.access_token", "want %v to %v: it cannot be taken back before its end, and is renewed quietly", minAccess, maxAccess)
	}
	if c.SignIn.SessionLongest > 0 && c.SignIn.SessionIdle > c.SignIn.SessionLongest {
		c.refuse("sign_in.session_idle", "a session ends after session_longest, %v, whatever happens: want less than that", c.SignIn.SessionLongest)
	}
}

func (c signIns) assertions() {
	c.known("auth_server.identity_assertions", c.AuthServer.Assertions)
}

// known refuses names that no token processor has.
func (c signIns) known(path string, processors []string) {
	for _, name := range processors {
		if _, ok := c.TokenProcessors[name]; !ok {
			c.refuse(path, "there is no token processor %q", name)
		}
	}
}

func (c signIns) client(path string, client AuthClientConfig) {
	asksForItself := slices.Contains(client.Grants, "client_credentials")
	switch {
	case asksForItself && client.User == "":
		c.refuse(path+".user", "with client_credentials it asks for itself: name the person that it is, whose account follows by the rules for the processor %q", ownClients)
	case !asksForItself && (client.User != "" || len(client.Groups) > 0):
		c.refuse(path+".user", "this is who it is when it asks for itself, which it may not: add client_credentials to its grants")
	}
	exchanges := slices.Contains(client.Grants, "token_exchange")
	switch {
	case exchanges && len(client.Exchange.Audiences) == 0:
		c.refuse(path+".exchange.audiences", "say for whom the tokens must be that it may turn into ours, mostly the client itself at the provider: else those that were meant for any other application would do")
	case !exchanges && (len(client.Exchange.Audiences) > 0 || len(client.Exchange.Processors) > 0):
		c.refuse(path+".exchange", "it may not exchange tokens: add token_exchange to its grants")
	}
	c.known(path+".exchange.processors", client.Exchange.Processors)
	for _, uri := range client.RedirectURIs {
		if strings.Contains(uri, "*") {
			c.refuse(path+".redirect_uris", "a redirect URI is compared as it stands, so * stands for nothing else: write each of them")
		}
	}
}
