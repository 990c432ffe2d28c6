package identity

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"porterhouse"
)

// ExchangerConfig is what an Exchanger is made of.
type ExchangerConfig struct {
	Settings  Settings       // of the token processor that proves the people
	Client    ClientSettings // us at its provider, which has to know us by a secret; of it ClientID, ClientSecret and TokenEndpoint count
	Target    Target         // with an Audience: nobody else could tell whether the exchange was of use
	Providers *Providers
	// Record writes down that the provider was asked for a token of who, and what came of
	// it; nil: a token, which is not given when Record fails.
	Record func(ctx context.Context, who porterhouse.Principal, outcome error) error
}

// Exchanger changes the token that somebody brought for one that is for a Target, at the
// provider of both (RFC 8693, or Entra's on-behalf-of):
//
//	a Principal, just proved by its token ─▶ remembered for that token? ─▶ that one
//	  │ no: one flight for all who wait
//	  ▼
//	token endpoint, as our client ─▶ signed there, alive, for the target and not for us, of the same person? ─▶ Record ─▶ remembered
//
// It is safe for concurrent use. What is remembered is never used longer than the token
// that was brought lives; whether that one was taken back in the meantime is for whoever
// makes the Principal to find out, at each request.
type Exchanger struct {
	settings  Settings
	client    ClientSettings
	target    Target
	habit     exchangeHabit
	site      *site
	rules     *rules // of the token that is given
	known     *exchanged
	record    func(context.Context, porterhouse.Principal, error) error
	providers *Providers

	given, refused, failed atomic.Uint64
}

// NewExchanger refuses a provider that exchanges nothing, a client that nobody could tell
// from others, and a target that any token would hit.
func NewExchanger(c ExchangerConfig) (*Exchanger, error) {
	e, err := newExchanger(c)
	if err != nil {
		return nil, fmt.Errorf("identity: exchanging tokens of %q: %w", c.Settings.Name, err)
	}
	return e, nil
}

func newExchanger(c ExchangerConfig) (*Exchanger, error) {
	s, habit := c.Settings, exchangeHabitOf(c.Settings.Type)
	switch {
	case c.Providers == nil || c.Providers.outbound == nil || c.Record == nil:
		return nil, errors.New("the provider must be asked, and that be recorded: there are no Providers, no Outbound or no Record")
	case habit.none != "":
		return nil, errors.New(habit.none)
	case c.Target.AllowAnyAudience:
		return nil, errors.New("with allow_any_audience tokens go on as they are: say that, or exchange")
	case c.Target.Audience == "":
		return nil, errors.New("say whom the token has to be for (audience): else nobody sees whether it is for that")
	case habit.onBehalf && c.Target.Scope == "":
		return nil, errors.New("at Entra a token is asked for by its scope: say that, such as api://clickhouse/.default")
	case c.Client.ClientID == "" || c.Client.ClientSecret.IsZero():
		return nil, errors.New("the provider has to know who exchanges a token: register this server there, and say introspection_client_id and introspection_client_secret of the token processor, or let people sign in there with a client_secret (sign_in.providers)")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	e := &Exchanger{settings: s, client: c.Client, target: c.Target, habit: habit, known: newExchanged(c.Providers.now), record: c.Record, providers: c.Providers}
	var err error
	if e.rules, err = givenRules(s, c.Target, c.Providers); err != nil {
		return nil, err
	}
	if e.site, err = newSite(s, c.Providers); err != nil {
		return nil, err
	}
	e.site.fixed.token = orText(c.Client.TokenEndpoint, e.site.fixed.token)
	return e, e.checkEndpoint()
}

// checkEndpoint refuses a provider of which nobody knows where it gives tokens.
func (e *Exchanger) checkEndpoint() error {
	switch at := e.site.fixed.token; {
	case at != "":
		return e.providers.outbound.Check(at)
	case e.site.document == nil:
		return errors.New("nobody knows where its provider gives tokens (token_endpoint): name its configuration_endpoint")
	}
	return nil
}

// givenRules are the processor's, for tokens that are given to our client for the target:
// which tokens it takes here (client, typ, ID tokens) does not matter to them.
func givenRules(s Settings, t Target, p *Providers) (*rules, error) {
	s.ClientIDs, s.ExpectedTyp, s.AllowIDTokens, s.AllowNoExpiration = nil, "", false, false
	return newRules(s, Resource{Audiences: []string{t.Audience}, exact: true}, p)
}

// Token is the token for the target of who, whose own one was verified for this request.
// The error is a *porterhouse.Error: Unauthenticated when their own has ended, Refused when
// the provider says no or gives something else, Unavailable when it cannot be asked.
func (e *Exchanger) Token(ctx context.Context, who porterhouse.Principal) (porterhouse.Secret, error) {
	switch {
	case who.Token.IsZero() || who.Proof != e.settings.Name:
		return porterhouse.Secret{}, broken("a token of the processor %q is to be exchanged at %q", who.Proof, e.settings.Name)
	case !who.Expires.IsZero() && !e.providers.now().Before(who.Expires):
		return porterhouse.Secret{}, refuse("the token ended while it was used")
	}
	place := e.providers.verdicts.digest("exchange", who.Key(), who.Token.Reveal())
	return e.known.answer(ctx, place, func(ctx context.Context) (porterhouse.Secret, time.Time, error) {
		return e.fetch(ctx, who)
	})
}

// fetch asks the provider, records that, and counts.
func (e *Exchanger) fetch(ctx context.Context, who porterhouse.Principal) (porterhouse.Secret, time.Time, error) {
	granted, err := e.ask(ctx, who)
	err = e.said(err)
	if lost := e.record(context.WithoutCancel(ctx), who, err); err == nil {
		err = lost
	}
	if err == nil {
		e.given.Add(1)
		return granted.Token, e.until(granted, who), nil
	}
	if kind, _ := porterhouse.Explain(err); kind == porterhouse.Refused {
		e.refused.Add(1)
	} else {
		e.failed.Add(1)
	}
	e.providers.log.WarnContext(ctx, "a token could not be exchanged for one that is for ClickHouse", "processor", e.settings.Name, "user", who.User, "cause", err)
	return porterhouse.Secret{}, time.Time{}, err
}

const (
	longestExchanged = time.Hour        // that a token is remembered, however long it lives
	exchangedMargin  = 30 * time.Second // before its end it is not used any more; at most a quarter of its life
)

// until is how long a token is used: shortly before its own end it is not, nor after that
// of the token it was given for.
func (e *Exchanger) until(g Granted, who porterhouse.Principal) time.Time {
	now := e.providers.now()
	left := g.Expires.Sub(now)
	end := now.Add(min(left-min(left/4, exchangedMargin), longestExchanged))
	if !who.Expires.IsZero() && who.Expires.Before(end) {
		return who.Expires
	}
	return end
}

// said gives an error the words of somebody whose question goes on.
func (e *Exchanger) said(err error) error {
	if err == nil {
		return nil
	}
	kind, _ := porterhouse.Explain(err)
	if kind == porterhouse.Unauthenticated || kind == porterhouse.Refused {
		return &porterhouse.Error{Kind: porterhouse.Refused, Err: e.settings.says(err),
			Public: "your token is not for ClickHouse, and the identity provider gives none that is in its place: get a new one there and try again, and tell the operator of this server if it stays so"}
	}
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Err: e.settings.says(err),
		Public: "your token is not for ClickHouse, and the identity provider cannot be asked for one that is: try again in a minute, and tell the operator of this server if it stays so"}
}

// ExchangeStats counts since NewExchanger how often the provider was asked.
type ExchangeStats struct {
	Given   uint64 // it gave a token, which went on
	Refused uint64 // it said no, or gave something else
	Failed  uint64 // it could not be asked, or that could not be recorded
}

// Stats returns the counts so far.
func (e *Exchanger) Stats() ExchangeStats {
	return ExchangeStats{Given: e.given.Load(), Refused: e.refused.Load(), Failed: e.failed.Load()}
}

// ask asks the provider, and looks at what it gives.
func (e *Exchanger) ask(ctx context.Context, who porterhouse.Principal) (Granted, error) {
	at, err := e.site.places(ctx)
	if err != nil {
		return Granted{}, err
	}
	if at.token == "" {
		return Granted{}, away("the discovery document has no token_endpoint")
	}
	client := tokenClient{outbound: e.providers.outbound, client: e.client, at: at, noes: slices.Concat(targetNoes, exchangeNoes), exchanges: true, now: e.providers.now}
	answer, err := client.ask(ctx, e.form(who.Token.Reveal()))
	if err != nil {
		return Granted{}, err
	}
	if issued := answer.issued; issued != "" && issued != accessTokenType && issued != jwtType {
		return Granted{}, refuse("the provider gives another type of token (issued_token_type) than one for access, which it was asked for")
	}
	ends, err := e.judge(ctx, at, answer.access, who)
	if err != nil {
		return Granted{}, err
	}
	if !answer.expires.IsZero() && answer.expires.Before(ends) {
		ends = answer.expires
	}
	return Granted{porterhouse.NewSecret(answer.access), ends}, nil
}

// form asks for the target, with the token that the person brought.
func (e *Exchanger) form(token string) url.Values {
	form := e.habit.form(e.target, token)
	for name, values := range form {
		if values[0] == "" {
			delete(form, name)
		}
	}
	return form
}

// judge finds out whether a token is one for the target and for none of our doors, of the
// same person, and when it ends. It is verified like those that people bring: what an endpoint gives that was
// asked with somebody's token is not yet theirs.
func (e *Exchanger) judge(ctx context.Context, at places, token string, who porterhouse.Principal) (time.Time, error) {
	t, err := parseJWT(token)
	if err != nil {
		return time.Time{}, refuse("what the provider gives is no JWT that could be read, so nobody sees for whom it is, nor whose: %w", err)
	}
	if err := e.site.signatures(at).verify(ctx, t); err != nil {
		return time.Time{}, err
	}
	from := claimSource{header: &t.header, issuer: at.issuer}
	is, err := e.rules.hear(ctx, t.claims, from, proofSteps)
	if err != nil {
		return time.Time{}, err
	}
	if err := e.samePerson(ctx, t.claims, from, is, who); err != nil {
		return time.Time{}, err
	}
	if err := e.target.spares(is.Audience); err != nil {
		return time.Time{}, err
	}
	ends, err := timeOf(t.claims, "exp", false)
	if err == nil && !e.providers.now().Before(ends) {
		err = refuse("the token that the provider gives has ended (exp)")
	}
	return ends, err
}

// samePerson wants the issuer and the subject of who. Some providers have another subject
// for each audience (pairwise, OpenID Connect Core, 8.1): then it is the name from which
// the account follows that must be the same, and that is then no subject.
func (e *Exchanger) samePerson(ctx context.Context, c claims, from claimSource, is, who porterhouse.Principal) error {
	if is.Key() == who.Key() {
		return nil
	}
	if is.Issuer == who.Issuer {
		named, err := e.rules.hear(ctx, c, from, append(slices.Clone(proofSteps), (*hearing).readName))
		if err == nil && named.User == who.User {
			return nil
		}
	}
	return refuse("asked for a token of %q, the provider gives one of %q", abridged(who.Subject), abridged(is.Subject))
}
