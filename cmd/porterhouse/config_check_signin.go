package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/authserver"
	"porterhouse/kv"
	"porterhouse/seal"
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
	c.networks()
	c.notOurselves()
	c.providers()
	c.times()
	c.assertions()
	for _, name := range slices.Sorted(maps.Keys(c.AuthServer.Clients)) {
		c.client("auth_server.clients."+name, c.AuthServer.Clients[name])
	}
	if len(c.d.problems) == 0 { // else these would tell some of them again
		c.rooms()
	}
}

// rooms lets the rooms say what they would not be made of.
func (c signIns) rooms() {
	_, known := c.unasked()
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil || known == nil {
		return
	}
	defer func() { _ = store.Close() }() // it was not used
	p := setup{&process{store: store, audit: &audit.Log{}, signing: &signing{keys: &authserver.Keys{}}}, &reach{providers: known}}
	if p.signing.master, err = seal.NewKey(c.SignIn.MasterKey); err != nil {
		c.refuse("sign_in.master_key", "%v", err)
		return
	}
	e := entrance{*c.Config, p}
	for i, provider := range c.SignIn.Providers {
		party, err := e.party(provider)
		if err != nil {
			c.refuse(c.providerPath(i), "%s", trimPrefixes(err.Error(), "identity: ", fmt.Sprintf("signing in at %q: ", provider.Processor)))
			continue
		}
		c.onward(party)
	}
	server, err := e.server()
	if err != nil {
		c.refuse("auth_server", "%v", err)
		return
	}
	c.clients(server)
}

// clients tries the clients alone, so that each mistake has its place, and together.
func (c signIns) clients(server authserver.Config) {
	server.Who = func(*http.Request) (porterhouse.Principal, error) { return porterhouse.Principal{}, nil }
	server.Recheck = func(context.Context, porterhouse.Principal) (porterhouse.Principal, error) {
		return porterhouse.Principal{}, nil
	}
	try := func(path string, clients []authserver.ClientConfig) {
		server.Clients = clients
		if _, err := authserver.New(server); err != nil {
			c.refuse(path, "%s", strings.TrimPrefix(err.Error(), "authserver: "))
		}
	}
	all := server.Clients
	for i, name := range slices.Sorted(maps.Keys(c.AuthServer.Clients)) {
		try("auth_server.clients."+name, all[i+1:i+2]) // the first is the command line
	}
	if len(c.d.problems) == 0 {
		try("auth_server", all)
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

// networks refuses a proxy that is not known as one: everybody would seem to come from
// it, and what is limited by network would be limited for all of them together.
func (c signIns) networks() {
	if c.BehindTLSProxy && len(c.TrustedProxies) == 0 {
		c.refuse("trusted_proxies", "signing in is limited by network, and behind a proxy that is not named here everybody comes from one, so that a stranger could shut all others out: name the address of the proxy (127.0.0.1/32 when it is on this machine), whose X-Forwarded-For is then believed")
	}
}

// notOurselves refuses to take us for a provider: a client could then exchange a token
// of ours that is for one resource into one for another, and we would vouch for what
// only we said.
func (c signIns) notOurselves() {
	for _, name := range slices.Sorted(maps.Keys(c.TokenProcessors)) {
		if slices.Contains(c.TokenProcessors[name].settings(name).Issuers(), c.publicURL()) {
			c.refuse("token_processors."+name, "%s is this server itself, whose own tokens are known without a processor: name the provider where people are known", c.publicURL())
		}
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
			c.refuse(path+".client_id", "register this server at the provider as an application, with the redirect URI %s, and write its client id here", redirectURI(*c.Config, p.Processor))
		}
		c.hosts(path, p.urls())
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
