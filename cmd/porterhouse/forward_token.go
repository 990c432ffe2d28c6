package main

import (
	"context"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/identity"
	"porterhouse/signin"
)

// forwarding decides which token a cluster is shown of somebody:
//
//	a token of ours           ─▶ one of the provider, by what it gave at the sign-in (package signin)
//	a token of a provider
//	  that names ClickHouse   ─▶ that one
//	  any other, and exchange ─▶ another, in its place (identity.Exchanger)
//	  that names us alone     ─▶ none: who sees it could come in here
//	  any other               ─▶ that one, unless it is said whom ClickHouse wants named
//
// Ours never goes on: whoever came in by it has no Token.
type forwarding struct {
	Config
	cluster    string
	people     *signin.SignIn                 // nil: nobody signs in
	exchangers map[string]*identity.Exchanger // by processor
}

// newForwarding makes that of a cluster; nil where no token of anybody goes on.
func newForwarding(c Config, p setup, people *signin.SignIn, cluster string) (*forwarding, error) {
	if !mayForward(c, cluster) {
		return nil, nil
	}
	f := &forwarding{c, cluster, people, map[string]*identity.Exchanger{}}
	t := c.Clusters[cluster].Access.Token
	if t == nil {
		return f, nil
	}
	for _, processor := range t.Exchange {
		var err error
		if f.exchangers[processor], err = newExchanger(c, cluster, processor, p.providers, recordExchange(p.audit, cluster)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// newExchanger is us at the provider of a processor: the client that may ask it about
// tokens, or else the one at which people sign in.
func newExchanger(c Config, cluster, processor string, known *identity.Providers, record func(context.Context, porterhouse.Principal, error) error) (*identity.Exchanger, error) {
	s := c.TokenProcessors[processor].settings(processor)
	client := identity.ClientSettings{}
	for _, p := range c.SignIn.Providers {
		if p.Processor == processor {
			client = p.settings()
		}
	}
	if !s.IntrospectionClientSecret.IsZero() {
		client.ClientID, client.ClientSecret = s.IntrospectionClientID, s.IntrospectionClientSecret
	}
	return identity.NewExchanger(identity.ExchangerConfig{
		Settings: s, Client: client, Target: c.Clusters[cluster].Access.Token.target(), Providers: known, Record: record,
	})
}

// recordExchange writes down that a provider was asked for somebody's token.
func recordExchange(record *audit.Log, cluster string) func(context.Context, porterhouse.Principal, error) error {
	return func(_ context.Context, who porterhouse.Principal, outcome error) error {
		return record.Access(audit.AccessEvent{Action: "forward", Who: who, Client: who.Client, Purpose: cluster, Reason: "token exchange", Err: outcome})
	}
}

// gate is what the gate asks; nil: nothing goes on.
func (f *forwarding) gate() func(context.Context, porterhouse.Principal) (porterhouse.Secret, error) {
	if f == nil {
		return nil
	}
	return f.token
}

// token is the one that goes on.
func (f *forwarding) token(ctx context.Context, who porterhouse.Principal) (porterhouse.Secret, error) {
	wanted := f.Clusters[f.cluster].Access.Token
	switch exchanger := f.exchangers[who.Proof]; {
	case who.Token.IsZero():
		return f.signedIn(ctx, who)
	case wanted != nil && slices.Contains(who.Audience, wanted.target().Audience):
		return who.Token, nil
	case exchanger != nil:
		return exchanger.Token(ctx, who)
	case f.isForUsAlone(who), wanted != nil && !wanted.AllowAnyAudience:
		return porterhouse.Secret{}, f.notForClickHouse()
	}
	return who.Token, nil
}

// signedIn is the token of somebody who brought one of ours.
func (f *forwarding) signedIn(ctx context.Context, who porterhouse.Principal) (porterhouse.Secret, error) {
	if f.people == nil || f.Clusters[f.cluster].Access.Token == nil {
		return porterhouse.Secret{}, nil
	}
	return f.people.Token(ctx, who, f.cluster)
}

// isForUsAlone reports whether a token names nobody but this server. A name that is no URL
// of ours may be ClickHouse's as well.
func (f *forwarding) isForUsAlone(who porterhouse.Principal) bool {
	return len(who.Audience) > 0 && !slices.ContainsFunc(who.Audience, func(name string) bool { return !isOurs(f.Config, name) })
}

// isOurs reports whether an audience is a URL of this server.
func isOurs(c Config, name string) bool {
	ours := []string{c.publicURL()}
	if c.ClickHouseHTTP.isOpen() {
		ours = append(ours, httpDoor{c}.url())
	}
	return slices.ContainsFunc(ours, func(url string) bool { return name == url || strings.HasPrefix(name, url+"/") })
}

// notForClickHouse says why no token goes on. With auto ClickHouse may be got into in
// another way, which needs none.
func (f *forwarding) notForClickHouse() error {
	if f.Clusters[f.cluster].mode() != clickhouse.Forward {
		return nil
	}
	return porterhouse.Errorf(porterhouse.Refused, "your token does not say that it is for ClickHouse (aud), which verifies tokens itself, so it is not sent there: bring one of the identity provider that names ClickHouse, too; "+
		"or the operator lets tokens be exchanged, clusters.%s.access.token: {audience: …, exchange: …}", f.cluster)
}

// collect tells the counts of the exchangers.
func (f *forwarding) collect(send report) {
	for _, exchanger := range f.exchangers {
		n := exchanger.Stats()
		send(counter, "tokens_exchanged_total", "Tokens that a provider gave for ClickHouse in the place of those that people brought.", float64(n.Given), f.cluster)
		send(counter, "tokens_exchange_refused_total", "Times that it gave none, or one for something else.", float64(n.Refused), f.cluster)
		send(counter, "tokens_exchange_failed_total", "Times that it could not be asked for one.", float64(n.Failed), f.cluster)
	}
}
