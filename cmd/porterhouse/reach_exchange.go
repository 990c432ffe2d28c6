package main

import (
	"context"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/identity"
)

// exchangeName names the exchange of tokens of a processor for ones that a cluster takes.
type exchangeName struct{ cluster, processor string }

// exchange is all that an exchanger of people's tokens is made of: what it remembers
// goes on while that is the same.
type exchange struct {
	settings identity.Settings
	keys     digest                  // of the settings' file
	client   identity.ClientSettings // us, at the provider
	target   TokenConfig
	takers   takers // of what the provider gives: it must open none of our doors
	asking   asking
}

// exchangeOf is us at the provider of a processor: the client that may ask it about
// tokens, or else the one at which people sign in.
func exchangeOf(c Config, cluster, processor string) exchange {
	x := exchange{
		settings: c.TokenProcessors[processor].settings(processor), keys: c.contents["token_processors."+processor+".static_jwks_file"],
		target: *c.Clusters[cluster].Access.Token, takers: takersOf(c, cluster, processor), asking: askingOf(c),
	}
	x.target.Exchange = nil // others are others' parts
	for _, p := range c.SignIn.Providers {
		if p.Processor == processor {
			x.client = p.settings()
		}
	}
	if s := x.settings; !s.IntrospectionClientSecret.IsZero() {
		x.client.ClientID, x.client.ClientSecret = s.IntrospectionClientID, s.IntrospectionClientSecret
	}
	return x
}

// open makes the exchanger.
func (x exchange) open(known *identity.Providers, record func(context.Context, porterhouse.Principal, error) error) (*identity.Exchanger, error) {
	target := x.target.target()
	target.Ours = x.takers.areOpened
	return identity.NewExchanger(identity.ExchangerConfig{Settings: x.settings, Client: x.client, Target: target, Providers: known, Record: record})
}

// exchanges finds or makes the exchangers of a cluster.
func (m connecting) exchanges(cluster string) error {
	c, p := m.config, m.process
	t := c.Clusters[cluster].Access.Token
	if t == nil || !mayForward(c, cluster) {
		return nil
	}
	for _, processor := range t.Exchange {
		x := exchangeOf(c, cluster, processor)
		exchanger, err := take(m, "exchange "+cluster+" "+processor, x, func() (*identity.Exchanger, *part, error) {
			made, err := x.open(m.now.providers, recordExchange(p.audit, cluster, t.wanted()))
			return made, &part{counts: exchangeCounts{cluster, made}}, err
		})
		if err != nil {
			return err
		}
		m.now.exchangers[exchangeName{cluster, processor}] = exchanger
	}
	return nil
}

// newExchanger makes one for a moment.
func newExchanger(c Config, cluster, processor string, known *identity.Providers, record func(context.Context, porterhouse.Principal, error) error) (*identity.Exchanger, error) {
	return exchangeOf(c, cluster, processor).open(known, record)
}

// recordExchange writes down that a provider was asked for somebody's token that a cluster
// is shown, and that names resource.
func recordExchange(record *audit.Log, cluster, resource string) func(context.Context, porterhouse.Principal, error) error {
	return func(_ context.Context, who porterhouse.Principal, outcome error) error {
		return record.Access(audit.AccessEvent{Action: "forward", Who: who, Client: who.Client, For: resource, Cluster: cluster, Reason: "token exchange", Err: outcome})
	}
}

// exchangeCounts is the source of the counts of an exchanger.
type exchangeCounts struct {
	cluster   string
	exchanger *identity.Exchanger
}

func (s exchangeCounts) collect(send report) {
	n := s.exchanger.Stats()
	send(counter, "tokens_exchanged_total", "Tokens that a provider gave for ClickHouse in the place of those that people brought.", float64(n.Given), s.cluster)
	send(counter, "tokens_exchange_refused_total", "Times that it gave none, or one for something else.", float64(n.Refused), s.cluster)
	send(counter, "tokens_exchange_failed_total", "Times that it could not be asked for one.", float64(n.Failed), s.cluster)
}
