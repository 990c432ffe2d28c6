package identity

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"porterhouse"
)

// gitlab is a processor for the tokens of gitlab.com or a GitLab of one's own:
//
//	opaque   /oauth/token/info: alive, and of one of client_ids? It needs no client
//	         secret, as /oauth/introspect would.
//	         /oauth/userinfo: whose, and in which groups?
//	JWT      an ID token, where those are allowed
type gitlab struct {
	rules    *rules
	outbound *Outbound
	base     string // such as https://gitlab.com

	signatures signatures
}

func newGitLab(s Settings, r Resource, p *Providers) (Processor, error) {
	rules, err := newRules(s, r, p)
	if err != nil {
		return nil, err
	}
	algorithms, err := algorithmsOf(s)
	if err != nil {
		return nil, err
	}
	g := gitlab{rules: rules, outbound: p.outbound, base: strings.TrimRight(orText(s.BaseURL, "https://gitlab.com"), "/")}
	keys := p.keysAt(orText(s.JWKSURI, g.base+"/oauth/discovery/keys"), s.JWKSCacheLifetime)
	g.signatures = signatures{algorithms, ringOf(keys)}
	return g.verify, nil
}

func (g gitlab) verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	switch {
	case strings.HasPrefix(token, "glpat-"):
		return porterhouse.Principal{}, refuse("it is a personal access token, which is of no application")
	case isForeign(token):
		return porterhouse.Principal{}, notMine("it begins like a token of another provider")
	case strings.Contains(token, "."): // opaque ones are hexadecimal
		return g.proveJWT(ctx, token)
	case !fits(token):
		return porterhouse.Principal{}, refuse("it has characters that no token has")
	}
	return g.proveOpaque(ctx, token)
}

func (g gitlab) proveJWT(ctx context.Context, token string) (porterhouse.Principal, error) {
	t, err := g.rules.mine(ctx, token)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if err := g.signatures.verify(ctx, t); err != nil {
		return porterhouse.Principal{}, err
	}
	// Jobs get JWTs of the same keys, for whatever audience their author writes down.
	if t.claims.has("pipeline_id") || t.claims.has("project_id") {
		return porterhouse.Principal{}, refuse("it is of a job in a pipeline, not of a person")
	}
	return g.judge(ctx, t.claims, claimSource{header: &t.header})
}

func (g gitlab) proveOpaque(ctx context.Context, token string) (porterhouse.Principal, error) {
	about, err := g.info(ctx, token)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	person, err := userinfo(ctx, g.outbound, orText(g.rules.settings.UserinfoEndpoint, g.base+"/oauth/userinfo"), token)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if about, err = joinClaims(about, person); err != nil {
		return porterhouse.Principal{}, err
	}
	return g.judge(ctx, about, claimSource{issuer: g.rules.issuers[0], endless: true})
}

// info makes claims of what GitLab tells about a token.
func (g gitlab) info(ctx context.Context, token string) (claims, error) {
	reply, err := g.outbound.Get(ctx, g.base+"/oauth/token/info", bearer(token))
	if err != nil {
		return nil, err
	}
	if reply.refusesToken() {
		return nil, refuse("GitLab refuses the token with status %d: it ended, was revoked, or GitLab never issued it", reply.Status)
	}
	told, err := reply.object("GitLab's /oauth/token/info")
	if err != nil {
		return nil, err
	}
	about := claims{"scope": told["scope"]}
	application, _ := told["application"].(map[string]any)
	if id, _ := application["uid"].(string); id != "" {
		about["aud"], about["client_id"] = id, id
	}
	if owner, ok := told["resource_owner_id"].(json.Number); ok {
		about["sub"] = owner.String()
	}
	if left, ok := told["expires_in"].(json.Number); ok { // null: it does not end
		whole, err := left.Int64()
		if err != nil || whole > 1<<31 {
			return nil, away("GitLab writes the end of a token (expires_in) in a way that is not understood")
		}
		about["exp"] = seconds(g.rules.now().Add(time.Duration(whole) * time.Second))
	}
	return about, nil
}

// judge lets only members of the top-level group in, where the settings name one,
// and only its groups count: anybody can make another.
func (g gitlab) judge(ctx context.Context, about claims, from claimSource) (porterhouse.Principal, error) {
	only := g.rules.settings.Organization
	if only == "" {
		return g.rules.judge(ctx, about, from)
	}
	about, isMember, err := onlyGroup(about, only)
	if err != nil {
		return porterhouse.Principal{}, refuse("%w", err)
	}
	who, err := g.rules.judge(ctx, about, from)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if !isMember {
		return porterhouse.Principal{}, notAllowed("you are signed in, but not as a member of the group that is let in here; ask the operator of this server",
			"%q is not in the group %q", who.User, only)
	}
	// groups_claim may have named another claim.
	who.Groups = slices.DeleteFunc(who.Groups, func(group string) bool { return !isBelow(group, only) })
	return who, nil
}

// isBelow reports whether group is top, or a group in it.
func isBelow(group, top string) bool { return group == top || strings.HasPrefix(group, top+"/") }

// onlyGroup leaves a group and what is below it in the claims; those of an ID token
// are in groups_direct.
func onlyGroup(about claims, only string) (left claims, isMember bool, err error) {
	left = maps.Clone(about)
	for _, name := range []string{"groups", "groups_direct"} {
		listed, err := about.texts(name)
		if err != nil {
			return nil, false, err
		}
		kept := []any{}
		for _, group := range listed {
			if isBelow(group, only) {
				kept = append(kept, group)
			}
		}
		if left[name] = kept; listed == nil {
			delete(left, name)
		}
		isMember = isMember || len(kept) > 0
	}
	return left, isMember, nil
}
