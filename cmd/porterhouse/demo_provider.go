package main

import (
	"fmt"
	"net"

	"porterhouse/sandbox"
	"porterhouse/sandbox/openid"
)

// demoProvider is the identity provider of the demo, on a port of its own, where
// signing in is choosing a person.
type demoProvider struct{ net.Listener }

// demoClient is what we are at the provider, and demoProcessor its processor.
const demoClient, demoProcessor = "porterhouse", "demo"

func openDemoProvider() (*demoProvider, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot listen for the demo's identity provider: %w", err)
	}
	return &demoProvider{l}, nil
}

func (p *demoProvider) issuer() string { return "http://" + p.Addr().String() }

// configure lets people sign in there, and any client register itself.
func (p *demoProvider) configure(c *Config) {
	c.TokenProcessors = map[string]ProcessorConfig{demoProcessor: {
		Type: "openid", ConfigurationEndpoint: p.issuer() + "/.well-known/openid-configuration", UsernameClaim: "email",
	}}
	c.RemoteURLAllowHosts.Host = texts{p.Addr().String()}
	c.SignIn.Providers = list[SignInProviderConfig]{{Processor: demoProcessor, Label: "the demo’s people", ClientID: demoClient}}
	c.AuthServer.AllowRegistration = true
}

// join makes the provider, which sends people back to s, one of what s answers.
func (p *demoProvider) join(s *server) error {
	var people []openid.Person
	for _, person := range sandbox.People() {
		people = append(people, openid.Person{Subject: person.Account, Name: person.Name, Email: person.Email, About: person.About, Groups: person.Groups})
	}
	provider, err := openid.New(openid.Config{
		Issuer: p.issuer(), People: people,
		Clients: []openid.Client{{ID: demoClient, Name: "Porterhouse", RedirectURIs: []string{redirectURI(s.config, demoProcessor)}}},
	})
	if err != nil {
		return err
	}
	o := s.config.outer(s.process.log)
	o.PublicURL, o.Listen, o.AnyHost = p.issuer(), p.Addr().String(), nil
	s.listeners = append(s.listeners, listener{p.Listener, s.config.HTTP.server(outer(provider, o), s.process.log)})
	return nil
}
