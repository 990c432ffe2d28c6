package identity

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
)

// ProvidersConfig is what Providers are made of.
type ProvidersConfig struct {
	Outbound *Outbound        // asks providers; nil: only keys that are configured can be used
	Log      *slog.Logger     // nil: discarded
	Now      func() time.Time // nil: time.Now
	// AllowDemo accepts providers that mark themselves as a demo, where anybody can
	// sign in as anybody.
	AllowDemo bool
}

// Providers is what is known of identity providers: their keys and documents, and
// the verdicts on tokens. It lives as long as the process, while processors come
// and go with the configuration. It is safe for concurrent use.
type Providers struct {
	outbound *Outbound
	verdicts *verdicts
	now      func() time.Time
	log      *slog.Logger
	made     atomic.Uint64 // processors, ever: verdicts of one are no verdicts of another
	// allowDemo: documents and tokens with the demo's marker count.
	allowDemo bool

	mu        sync.Mutex
	keySets   map[string]*remote[*keySet]
	documents map[string]*remote[places]
}

// NewProviders knows nothing of any provider yet.
func NewProviders(c ProvidersConfig) (*Providers, error) {
	p := &Providers{outbound: c.Outbound, now: c.Now, log: c.Log, allowDemo: c.AllowDemo, keySets: map[string]*remote[*keySet]{}, documents: map[string]*remote[places]{}}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.verdicts = newVerdicts(p.now)
	return p, nil
}

const maxRemotes = 1000 // documents of a kind; there are as many as were ever configured

// known returns what is kept under key, which is fresh where there was nothing.
func known[T any](p *Providers, all map[string]*remote[T], key string, fresh *remote[T]) *remote[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found, ok := all[key]; ok {
		return found
	}
	if len(all) >= maxRemotes {
		clear(all)
	}
	all[key] = fresh
	return fresh
}

// NewProcessors makes the processors of one resource, in the order in which they
// are to be asked: first those that know their tokens by the issuer, so that a
// token which names an issuer is judged by nobody but that issuer's processor;
// otherwise as they are configured. An error names the processor and the setting.
func NewProcessors(settings []Settings, r Resource, p *Providers) ([]Processor, error) {
	if p == nil {
		return nil, errors.New("identity: processors need Providers")
	}
	seen := map[string]bool{}
	var byIssuer, others []Processor
	for _, s := range settings {
		if seen[s.Name] {
			return nil, fmt.Errorf("identity: there are two token processors %q", s.Name)
		}
		seen[s.Name] = true
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("identity: token processor %q: %w", s.Name, err)
		}
		verify, err := build(s, r, p)
		if err != nil {
			return nil, fmt.Errorf("identity: token processor %q: %w", s.Name, err)
		}
		if len(issuersOf(s)) > 0 {
			byIssuer = append(byIssuer, verify)
		} else {
			others = append(others, verify)
		}
	}
	return slices.Concat(byIssuer, others), nil
}

// build makes one processor.
func build(s Settings, r Resource, p *Providers) (Processor, error) {
	if s.isRemote() && p.outbound == nil {
		return nil, fmt.Errorf("type %s asks its provider, and there is nothing to ask with (Outbound)", s.Type)
	}
	var verify Processor
	var err error
	switch s.Type {
	case "jwt_static_key", "jwt_static_jwks", "jwt_dynamic_jwks":
		verify, err = newSigned(s, r, p)
	case "google":
		verify, err = newGoogle(s, r, p)
	case "github":
		verify, err = newGitHub(s, r, p)
	case "gitlab":
		verify, err = newGitLab(s, r, p)
	case "entra", "azure":
		verify, err = newEntra(s, r, p)
	default:
		verify, err = newOpenID(s, r, p)
	}
	if err != nil {
		return nil, err
	}
	return p.remember(s, r, verify), nil
}

// remember asks verify about each token once, for as long as its verdict lives.
func (p *Providers) remember(s Settings, r Resource, verify Processor) Processor {
	asker := p.verdicts.asker(s.Name, p.made.Add(1), r)
	named := func(ctx context.Context, token string) (porterhouse.Principal, error) {
		who, err := verify(ctx, token)
		if err != nil {
			return porterhouse.Principal{}, s.says(err)
		}
		if who.TokenID == "" {
			who.TokenID = p.tokenID(token)
		}
		return who, nil
	}
	return func(ctx context.Context, token string) (porterhouse.Principal, error) {
		if traceOf(ctx) != nil { // the operator wants to see it being found out
			who, err := named(ctx, token)
			who.Token = porterhouse.NewSecret(token)
			return who, err
		}
		q := question{token, verdictKey{asker, inquiryOf(ctx).digest(p.verdicts, token)}}
		answer := p.verdicts.answer
		if hasSignature(token) && !s.asksAboutJWTs() {
			answer = p.verdicts.answerHere
		}
		return answer(ctx, q, s.TokenCacheLifetime, func(ctx context.Context) (porterhouse.Principal, error) { return named(ctx, token) })
	}
}

// asksAboutJWTs reports whether the provider may be asked about a token that has a
// signature: Graph for too many groups, or the provider where no keys are configured
// and its discovery document may name none either.
func (s Settings) asksAboutJWTs() bool {
	switch s.Type {
	case "entra", "azure":
		return !s.IntrospectionClientSecret.IsZero()
	case "openid", "keycloak", "okta", "auth0", "cognito":
		return s.JWKSURI == "" && s.canAsk()
	}
	return false
}

// says puts the processor's name before the private half of what it found.
func (s Settings) says(err error) error {
	var found *porterhouse.Error
	if !errors.As(err, &found) {
		return fmt.Errorf("processor %s: %w", s.Name, err)
	}
	cause := cmp.Or(found.Err, errors.New(found.Public)) // all there is to know may be public
	return &porterhouse.Error{Kind: found.Kind, Public: found.Public, Err: fmt.Errorf("processor %s: %w", s.Name, cause)}
}

// tokenID tells tokens without an id of their own apart, as long as the process lives.
func (p *Providers) tokenID(token string) string {
	id := p.verdicts.digest("token id", token) // and so no part of a verdict's place
	return hex.EncodeToString(id[:8])
}
