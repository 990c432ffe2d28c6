package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/authserver"
	"porterhouse/identity"
	"porterhouse/mcpserver"
	"porterhouse/proxy"
	"porterhouse/seal"
	"porterhouse/signin"
)

// signing is what of signing in lives as long as the process.
type signing struct {
	master *seal.Key
	keys   *authserver.Keys
}

const (
	openingTime  = 15 * time.Second // for the store, when the keys are opened
	documentTime = 5 * time.Second  // for a client's own document
	maxDocument  = 64 << 10         // bytes of one, or of its key set; the room itself allows documents less
)

// openSigning opens the signing keys, or makes the first: only a server needs them.
func (p *process) openSigning(c Config) error {
	if !c.SignIn.isOn() {
		return nil
	}
	s := &signing{}
	var err error
	if s.master, err = seal.NewKey(c.SignIn.MasterKey); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openingTime)
	defer cancel()
	s.keys, err = authserver.OpenKeys(ctx, authserver.KeysConfig{
		Files: c.AuthServer.SigningKeys, Store: p.store, Key: s.master, Rotate: c.AuthServer.RotateKeys, Log: p.log, Now: p.now,
	})
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	p.signing, p.ownKey = s, s.keys.Verifying
	return nil
}

// run rotates the keys until ctx ends.
func (s *signing) run(ctx context.Context, log *slog.Logger) {
	if err := s.keys.Run(ctx); err != nil && ctx.Err() == nil {
		log.Error("the signing keys are not rotated any more; the present one goes on", "error", err)
	}
}

// documentsOutbound bounds how clients' own documents are asked for. What a client writes leads
// anywhere, so no host is allowed by name.
func documentsOutbound(c Config) identity.OutboundConfig {
	return identity.OutboundConfig{
		CAFile: c.Identity.CA, Proxy: c.Identity.Proxy.Reveal(), Timeout: documentTime, MaxBytes: maxDocument, NoRedirects: true,
	}
}

// fetch gets a client's own document. Its error is the bare cause: the words around
// that are about identity providers, and would lead whoever reads the log astray.
func (r *reach) fetch(ctx context.Context, url string) (authserver.Reply, error) {
	reply, err := r.documents.Get(ctx, url, nil)
	var told *porterhouse.Error
	if errors.As(err, &told) && told.Err != nil {
		err = told.Err
	}
	if errors.Is(err, identity.ErrForbidden) {
		err = fmt.Errorf("%w: %w", authserver.ErrForbidden, err)
	}
	return authserver.Reply(reply), err
}

// entrance makes the two rooms in which people sign in, and agree to what a client
// may do. Each knows the other by what it asks of it: who asks, and who is there.
//
//	/authorize ── nobody is there ─▶ /signin ── on whose behalf? ─▶ the same /authorize, read again
type entrance struct {
	Config
	setup setup
}

// build makes them; nil where nobody can sign in.
func (e entrance) build() (people *signin.SignIn, tokens *authserver.Server, err error) {
	p := e.setup
	if p.signing == nil {
		return nil, nil, nil
	}
	providers, err := e.providers()
	if err != nil {
		return nil, nil, err
	}
	people, err = signin.New(signin.Config{
		PublicURL: e.publicURL(), Providers: providers, Store: p.store, Key: p.signing.master, Audit: p.audit,
		Asking: func(ctx context.Context, returnTo, remote string) (*signin.Asking, error) {
			client, err := tokens.Asking(ctx, returnTo, remote)
			return (*signin.Asking)(client), err
		},
		Lifetimes: e.SignIn.lifetimes(), Limits: p.signIns, Log: p.log, Now: p.now,
	})
	if err != nil {
		return nil, nil, err
	}
	config, err := e.server()
	if err != nil {
		return nil, nil, err
	}
	config.Who, config.Recheck = people.Who, people.Recheck
	tokens, err = authserver.New(config)
	return people, tokens, err
}

// providers are the places to sign in at, in the order of their buttons.
func (e entrance) providers() ([]signin.Provider, error) {
	var all []signin.Provider
	for _, p := range e.SignIn.Providers {
		party, err := e.party(p)
		if err != nil {
			return nil, err
		}
		provider := p.provider(party)
		if provider.Tokens, provider.For, err = e.tokensOf(p.Processor, party); err != nil {
			return nil, err
		}
		all = append(all, provider)
	}
	return all, nil
}

// party is us at one provider.
func (e entrance) party(p SignInProviderConfig) (*identity.RelyingParty, error) {
	client := p.settings()
	client.Resources = e.tokenResources()
	return identity.NewRelyingParty(e.TokenProcessors[p.Processor].settings(p.Processor), client, e.setup.providers)
}

// provider is us at one provider, in the words of the room where people sign in.
func (p SignInProviderConfig) provider(party *identity.RelyingParty) signin.Provider {
	return signin.Provider{
		Name: p.Processor, Label: cmp.Or(p.Label, p.Processor), Host: party.Host(),
		Start: func(ctx context.Context, t signin.Trip) (string, error) {
			return party.AuthorizationURL(ctx, identity.Trip(t))
		},
		Finish: func(ctx context.Context, t signin.Trip, code, iss string) (porterhouse.Principal, signin.Kept, error) {
			who, kept, err := party.Redeem(ctx, identity.Trip(t), code, iss)
			return who, signin.Kept(kept), err
		},
		Recheck: func(ctx context.Context, who porterhouse.Principal, k signin.Kept) (porterhouse.Principal, signin.Kept, error) {
			who, kept, err := party.Recheck(ctx, who, identity.Kept(k))
			return who, signin.Kept(kept), err
		},
		CanRecheck: func(k signin.Kept) bool { return party.CanRecheck(identity.Kept(k)) },
	}
}

// server is what the authorization server is told, but for who is there.
func (e entrance) server() (authserver.Config, error) {
	p := e.setup
	config := authserver.Config{
		Issuer: e.publicURL(), Resources: e.resources(), Keys: p.signing.keys, Store: p.store, Key: p.signing.master, Audit: p.audit,
		SignIn: signin.Path, Fetch: p.fetch,
		Clients:           []authserver.ClientConfig{e.AuthServer.commandLine()},
		DeviceCodes:       e.AuthServer.DeviceCodes,
		AllowRegistration: e.AuthServer.AllowRegistration, AllowClientHosts: e.AuthServer.AllowClientHosts,
		Lifetimes: authserver.Lifetimes{Access: e.AuthServer.AccessToken, Idle: e.SignIn.SessionIdle, Longest: e.SignIn.SessionLongest},
		Limits:    p.grants, Log: p.log, Now: p.now,
	}
	for _, name := range slices.Sorted(maps.Keys(e.AuthServer.Clients)) {
		client, err := e.client(name)
		if err != nil {
			return config, fmt.Errorf("client %s: %w", name, err)
		}
		config.Clients = append(config.Clients, client)
	}
	var err error
	config.Assertion, err = e.assertion()
	return config, err
}

// resources are what our own tokens can be for: the doors, of the MCP door also the URL
// of each of several clusters, and the clusters whose
// servers ask us who is there, as far as these are called by a URL (RFC 8707). There a
// token opens all that the account may, so the person is asked for all of it.
func (e entrance) resources() []authserver.Resource {
	scopes := []string{authserver.ScopeRead, authserver.ScopeWrite}
	var all []authserver.Resource
	for _, way := range mcpWays(e.Config) {
		name := "ClickHouse, for agents"
		if way.only != "" {
			name += ", cluster " + way.only
		}
		all = append(all, authserver.Resource{URI: e.publicURL() + way.path, Name: name, Scopes: scopes})
	}
	if e.ClickHouseHTTP.isOpen() {
		all = append(all, authserver.Resource{URI: httpDoor{e.Config}.url(), Name: "ClickHouse, for drivers and dashboards", Scopes: scopes})
	}
	for _, name := range e.clusterNames() {
		for _, audience := range e.Clusters[name].authenticatorAudiences() {
			u, err := url.Parse(audience)
			isURL := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && !strings.Contains(audience, "#")
			if isURL && !slices.ContainsFunc(all, func(r authserver.Resource) bool { return r.URI == audience }) {
				all = append(all, authserver.Resource{URI: audience, Name: "ClickHouse, cluster " + name, Scopes: scopes, Usual: scopes})
			}
		}
	}
	return all
}

// client is one that the operator has registered, with the tokens that it may exchange.
func (e entrance) client(name string) (authserver.ClientConfig, error) {
	is := e.AuthServer.Clients[name]
	client := is.client(name)
	if len(is.Exchange.Audiences) == 0 {
		return client, nil
	}
	verifier, err := identity.NewSubjectVerifier(e.settings(is.Exchange.Processors), is.Exchange.Audiences, e.setup.providers)
	if err != nil {
		return client, err
	}
	client.Exchange = verifier.Verify
	return client, nil
}

// assertion verifies the identity assertions of providers that are trusted with it;
// nil: none is.
func (e entrance) assertion() (func(context.Context, string) (authserver.Assertion, error), error) {
	if len(e.AuthServer.Assertions) == 0 {
		return nil, nil
	}
	assertions, err := identity.NewAssertions(e.settings(e.AuthServer.Assertions), e.publicURL(), e.setup.providers)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, jwt string) (authserver.Assertion, error) {
		a, err := assertions.Verify(ctx, jwt)
		return authserver.Assertion{Who: a.Who, ID: a.ID, Client: a.Client, Resource: a.Resource, Scopes: a.Scopes, Expires: a.Who.Expires}, err
	}, nil
}

// settings are those of the token processors that are named; of all when none is.
func (e entrance) settings(names []string) []identity.Settings {
	return slices.DeleteFunc(e.processors(), func(s identity.Settings) bool {
		return len(names) > 0 && !slices.Contains(names, s.Name)
	})
}

// ownProcessor knows our own tokens at a resource. They are for a door by its
// URL, whatever other audiences it has.
func ownProcessor(c Config, p setup, r identity.Resource) (identity.Processor, error) {
	switch r.Door {
	case mcpserver.Door:
		r.Audiences = mcpURLs(c, r.Cluster)
	case proxy.Door:
		r.Audiences = []string{httpDoor{c}.url()}
	}
	return identity.NewOwn(identity.OwnConfig{Issuer: c.publicURL(), Key: p.ownKey, Scopes: []string{authserver.ScopeRead}}, r, p.providers)
}
