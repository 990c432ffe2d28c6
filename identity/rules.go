package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"porterhouse"
)

// rules is what every type of processor checks once claims are known to be the
// provider's own: signed by it, or answered by it. They are made once, of the
// settings and the resource.
//
//	is it a token for access, alive, of this issuer, for us?   proof.go    no: 401
//	who is it?                                                 person.go   nobody: 401
//	may this person come in?                                   permit.go   no: 403
type rules struct {
	settings  Settings
	trait     trait
	issuers   []string // exactly one of them; the first stands for all. Empty: any, in a name space of this processor's own
	audiences []string
	names     []path
	groups    []groupPath
	required  claims // Settings.Claims
	exact     bool   // only audiences count, whatever the settings let pass instead
	leeway    time.Duration
	allowDemo bool
	now       func() time.Time
	log       *slog.Logger
}

// claimSource is where claims come from. The zero value is a signed token
// without a header.
type claimSource struct {
	header *header // of a JWT; nil: an answer of the provider itself
	// issuer is known by other means: the discovery document, or whom we asked. Claims
	// may leave it out of an answer, not contradict it. "": the settings say.
	issuer string
	// clientAudience: an answer without aud is for its client (RFC 7662 makes aud optional).
	clientAudience bool
	// endless: it need not say when the token ends.
	endless bool
	// login: it is an ID token that the token endpoint gave us, so for us as a client.
	login bool
	// textual: numbers and booleans may be written as texts, as Google's tokeninfo does.
	textual bool
}

const (
	defaultLeeway     = time.Minute
	defaultGroupLimit = 200
)

// newRules checks what the settings say about claims.
func newRules(s Settings, resource Resource, p *Providers) (*rules, error) {
	own, err := traitOf(s.Type)
	if err != nil {
		return nil, err
	}
	r := &rules{settings: s, trait: own, issuers: issuersOf(s), leeway: leewayOf(s), allowDemo: p.allowDemo, now: p.now, log: p.log}
	if r.exact = resource.exact; r.exact {
		r.settings.ExpectedAudience, r.settings.AllowAnyAudience = nil, false
	}
	r.audiences = slices.Concat(resource.Audiences, r.settings.ExpectedAudience)
	if own.clientAudience && !r.exact {
		r.audiences = append(r.audiences, s.ClientIDs...)
	}
	if slices.Contains(r.audiences, "") || slices.Contains(s.ClientIDs, "") {
		return nil, errors.New("an audience or client id is empty")
	}
	// Then tokens can only be for a client that is named.
	if len(r.audiences) == 0 && len(s.ClientIDs) == 0 && !s.AllowAnyAudience {
		return nil, errors.New("no token could be for us: name the expected_audience (or, for tokens that are for a client, client_ids)")
	}
	if r.names, err = parsePaths(eitherOr(s.UsernameClaim, own.names)); err != nil {
		return nil, err
	}
	if r.groups, err = groupPaths(s, own); err != nil {
		return nil, err
	}
	if s.Claims != "" {
		if r.required, err = parseClaims([]byte(s.Claims)); err != nil {
			return nil, fmt.Errorf("claims: %w", err)
		}
	}
	return r, nil
}

func eitherOr(text string, several []string) []string {
	if text != "" {
		return []string{text}
	}
	return several
}

func leewayOf(s Settings) time.Duration {
	if s.VerifierLeeway == 0 {
		return defaultLeeway
	}
	return max(0, s.VerifierLeeway)
}

// claimsMine reports whether a token that says it is of issuer is for this
// processor. The issuer is not verified yet: nothing else may follow from it.
func (r *rules) claimsMine(issuer string) bool {
	return len(r.issuers) == 0 || slices.Contains(r.issuers, issuer)
}

// hearing is one judgement: what is said, and what was found of it so far.
type hearing struct {
	*rules
	*trace // nil, mostly
	claims claims
	from   claimSource
	who    porterhouse.Principal
}

// steps are all checks, in order. Each may look at what those before it found.
var steps = []func(*hearing) error{
	(*hearing).checkKind, (*hearing).checkIssuer, (*hearing).checkTimes, (*hearing).checkClient, (*hearing).checkAudience, // proof.go
	(*hearing).readSubject, (*hearing).readName, (*hearing).readGroups, // person.go
	(*hearing).checkClaims, (*hearing).checkScopes, (*hearing).checkEmail, (*hearing).checkDomain, (*hearing).checkGroups, // permit.go
}

// judge makes a Principal of claims that the provider signed or answered. It has
// neither Token nor, when the claims name none, TokenID.
func (r *rules) judge(ctx context.Context, c claims, from claimSource) (porterhouse.Principal, error) {
	return r.hear(ctx, c, from, steps)
}

// hear is judge with other steps.
func (r *rules) hear(ctx context.Context, c claims, from claimSource, steps []func(*hearing) error) (porterhouse.Principal, error) {
	h := hearing{rules: r, trace: traceOf(ctx), claims: c, from: from, who: porterhouse.Principal{Proof: r.settings.Name}}
	for _, step := range steps {
		if err := step(&h); err != nil {
			return porterhouse.Principal{}, err
		}
	}
	return h.who, nil
}
