package identity

import (
	"context"
	"maps"
	"slices"
	"strings"

	"porterhouse"
)

// completeClaims adds to an ID token what it does not tell and the rules want to
// know, from where the provider does: its access token (where that is a JWT, the
// groups are mostly there), userinfo, or the kind's own way.
func (w *witness) completeClaims(ctx context.Context, at places, id claims, answer tokenAnswer) (claims, error) {
	about := maps.Clone(id)
	about["scope"] = answer.scope
	w.addFromAccess(ctx, at, about, answer.access)
	if at.userinfo != "" && (w.settings.Type == "gitlab" || !w.rules.areAnsweredBy(about)) {
		var err error
		if about, err = w.addUserinfo(ctx, at, about, answer.access); err != nil {
			return nil, err
		}
	}
	switch w.settings.Type {
	case "entra", "azure":
		return about, w.addOverage(ctx, at, about, answer)
	case "google":
		return about, google{rules: w.rules, outbound: w.providers.outbound}.addGroups(ctx, about, answer.access)
	}
	return about, nil
}

// addUserinfo adds what userinfo tells of the same subject. That it refuses the
// token is no reason to doubt the ID token.
func (w *witness) addUserinfo(ctx context.Context, at places, about claims, access string) (claims, error) {
	person, err := userinfo(ctx, w.providers.outbound, at.userinfo, access)
	if kind, _ := porterhouse.Explain(err); err != nil && kind == porterhouse.Unauthenticated {
		w.rules.log.Warn("userinfo refuses the access token of somebody who signs in: what the ID token does not tell stays unknown", "processor", w.settings.Name, "cause", err)
		return about, nil
	}
	if err != nil {
		return nil, err
	}
	return joinClaims(about, person)
}

// addFromAccess adds the groups that stand in the access token and not in the ID
// token, if it is a JWT of this provider, for the same person and by way of us. Others
// are nothing to us: they are for the provider itself.
func (w *witness) addFromAccess(ctx context.Context, at places, about claims, access string) {
	t, err := parseJWT(access)
	if err != nil || w.site.signatures(at).verify(ctx, t) != nil {
		return
	}
	rules := *w.rules
	rules.settings.AllowAnyAudience = true // it may be for an API there
	from := claimSource{header: &t.header, issuer: at.issuer}
	of, err := rules.hear(ctx, t.claims, from, proofSteps) // of our client: the rules know no other
	if err != nil {
		return
	}
	if is, err := w.rules.hear(ctx, about, claimSource{}, subjectStep); err != nil || is.Subject != of.Subject {
		return
	}
	for _, p := range w.rules.groups {
		for _, name := range []string{p.whole, p.names[0]} {
			if !about.has(name) && t.claims.has(name) {
				about[name] = t.claims[name]
			}
		}
	}
}

// graphScopes open Graph's groups to the access token of whoever signs in.
var graphScopes = []string{"User.Read", "GroupMember.Read.All", "Directory.Read.All"}

// addOverage checks the tenant, and asks Graph for groups that are too many for a token:
// with the access token itself if it is for Graph, else on its behalf.
func (w *witness) addOverage(ctx context.Context, at places, about claims, answer tokenAnswer) error {
	e := entra{rules: w.rules, tenant: w.settings.TenantID}
	if err := e.checkTenant(about); err != nil || !e.hasOverage(about) {
		return err
	}
	g := graph{outbound: w.providers.outbound, tokens: at.token, clientID: w.client.ClientID, secret: w.client.ClientSecret, limit: w.settings.groupLimit()}
	ask := g.groups
	if slices.ContainsFunc(strings.Fields(answer.scope), opensGraph) {
		ask = g.memberships
	}
	groups, err := ask(ctx, answer.access)
	if err == nil {
		about["groups"] = groups
	}
	return err
}

// opensGraph reports whether a scope, short or as a URL, opens Graph's groups.
func opensGraph(scope string) bool {
	return slices.Contains(graphScopes, strings.TrimPrefix(scope, graphHost+"/"))
}
