package main

import (
	"context"
	"fmt"
	"slices"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/identity"
	"porterhouse/signin"
)

// forwarding decides which token a cluster is shown of somebody:
//
//	a token of ours           ─▶ one of the provider, by what it gave at the sign-in (package signin)
//	a token of a provider
//	  that names ClickHouse   ─▶ that one; with exchange only if it does not open our doors
//	  any other, and exchange ─▶ another, in its place (identity.Exchanger)
//	  that names nobody       ─▶ none, unless any may go on (allow_any_audience)
//	  that names us alone     ─▶ none: who sees it could come in here
//	  any other               ─▶ that one, unless it is said whom ClickHouse wants named
//
// Who is named is judged by what opens our doors; see openers. A token
// of ours never goes on: whoever came in by it has no Token.
type forwarding struct {
	cluster    string
	only       bool                           // without a token nobody gets in there
	wanted     *identity.Target               // nil: nobody said
	people     *signin.SignIn                 // nil: nobody signs in
	exchangers map[string]*identity.Exchanger // by processor
	ours       openers
}

// newForwarding makes that of a cluster; nil where no token of anybody goes on.
func newForwarding(c Config, p setup, people *signin.SignIn, cluster string) (*forwarding, error) {
	if !mayForward(c, cluster) {
		return nil, nil
	}
	f := &forwarding{
		cluster: cluster, only: c.Clusters[cluster].mode() == clickhouse.Forward, people: people,
		exchangers: map[string]*identity.Exchanger{}, ours: openersOf(c, cluster),
	}
	t := c.Clusters[cluster].Access.Token
	if t == nil {
		return f, nil
	}
	target := t.target()
	f.wanted = &target
	for _, processor := range t.Exchange {
		exchanger := p.exchangers[exchangeName{cluster, processor}]
		if exchanger == nil { // without it tokens would go on as if nobody had said exchange
			return nil, fmt.Errorf("there is nobody to exchange tokens of %q with", processor)
		}
		f.exchangers[processor] = exchanger
	}
	return f, nil
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
	isForAny := f.wanted != nil && f.wanted.AllowAnyAudience
	switch exchanger := f.exchangers[who.Proof]; {
	case who.Token.IsZero():
		return f.signedIn(ctx, who)
	case f.wanted != nil && f.isFor(f.wanted.Audience, who, exchanger != nil):
		return who.Token, nil
	case exchanger != nil:
		return exchanger.Token(ctx, who)
	case isForAny && len(who.Audience) == 0:
		return who.Token, nil
	case f.ours.areAll(who), f.wanted != nil && !isForAny:
		return porterhouse.Secret{}, f.notForClickHouse(who)
	}
	return who.Token, nil
}

// isFor reports whether a token names ClickHouse; strictly: and opens none of our doors by
// another name, for there is a better one to be had.
func (f *forwarding) isFor(clickHouse string, who porterhouse.Principal, strictly bool) bool {
	opens := func(audience string) bool { return audience != clickHouse && f.ours.open(who.Proof, audience) }
	return slices.Contains(who.Audience, clickHouse) && !(strictly && slices.ContainsFunc(who.Audience, opens))
}

// signedIn is the token of somebody who brought one of ours.
func (f *forwarding) signedIn(ctx context.Context, who porterhouse.Principal) (porterhouse.Secret, error) {
	if f.people == nil || f.wanted == nil {
		return porterhouse.Secret{}, nil
	}
	return f.people.Token(ctx, who, f.cluster)
}

// notForClickHouse says why no token goes on. With auto ClickHouse may be got into in
// another way, which needs none.
func (f *forwarding) notForClickHouse(who porterhouse.Principal) error {
	if !f.only {
		return nil
	}
	is, says := "does not say that it is for ClickHouse (aud)", "{audience: …}, if ClickHouse has the name that is in it; or exchange, too, and the provider gives another for it"
	if len(who.Audience) == 0 {
		is, says = "does not say for whom it is (aud)", "{audience: …, exchange: …}, and the provider gives another for it; or {allow_any_audience: true}, if ClickHouse may see what opens this server, too"
	}
	return porterhouse.Errorf(porterhouse.Refused, "your token %s, and ClickHouse verifies tokens itself, so it is not sent there: bring one of the identity provider that names ClickHouse, too; "+
		"or the operator says clusters.%s.access.token: %s", is, f.cluster, says)
}
