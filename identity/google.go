package identity

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"porterhouse"
)

// Where Google answers. Its discovery document has no introspection_endpoint:
// tokeninfo stands in for it, with numbers and booleans written as texts.
const (
	googleKeys      = "https://www.googleapis.com/oauth2/v3/certs"
	googleTokeninfo = "https://oauth2.googleapis.com/tokeninfo"
	googleUserinfo  = "https://openidconnect.googleapis.com/v1/userinfo"
	googleAuthorize = "https://accounts.google.com/o/oauth2/v2/auth"
	googleToken     = "https://oauth2.googleapis.com/token"
	googleGroups    = "https://cloudidentity.googleapis.com/v1/groups/-/memberships:searchDirectGroups"
)

// google is a processor for Google's tokens:
//
//	ya29.…   tokeninfo: alive, and issued to one of client_ids?   (else any site's
//	         userinfo: whose, and of which Workspace domain (hd)?   token would do)
//	         Cloud Identity: in which groups? Only for a token with a scope for that.
//	JWT      an ID token, where those are allowed
type google struct {
	rules    *rules
	outbound *Outbound
	signed   signedBy
}

func newGoogle(s Settings, r Resource, p *Providers) (Processor, error) {
	if len(s.ClientIDs) == 0 {
		return nil, errors.New("client_ids is missing: Google issues tokens to the clients of any site, and only those of yours may pass")
	}
	rules, err := newRules(s, r, p)
	if err != nil {
		return nil, err
	}
	if s.Algorithms == nil {
		s.Algorithms = []string{"RS256"}
	}
	algorithms, err := algorithmsOf(s)
	if err != nil {
		return nil, err
	}
	g := google{rules: rules, outbound: p.outbound}
	g.signed = signedBy{rules: rules, signatures: signatures{algorithms, ringOf(p.keysAt(orText(s.JWKSURI, googleKeys), s.JWKSCacheLifetime))}}
	return g.verify, nil
}

func (g google) verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	if !strings.HasPrefix(token, "ya29.") {
		return g.signed.verify(ctx, token)
	}
	if !fits(token) {
		return porterhouse.Principal{}, refuse("it has characters that no token has")
	}
	about, err := g.tokeninfo(ctx, token)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	// Whose token for whom is settled before anything else is asked with it.
	if client, _ := about["azp"].(string); !slices.Contains(g.rules.settings.ClientIDs, client) {
		return porterhouse.Principal{}, refuse("tokeninfo says that it was issued to the client %q, none of client_ids", abridged(client))
	}
	person, err := userinfo(ctx, g.outbound, googleUserinfo, token)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if about, err = joinClaims(about, person); err != nil {
		return porterhouse.Principal{}, err
	}
	if err := g.addGroups(ctx, about, token); err != nil {
		return porterhouse.Principal{}, err
	}
	return g.rules.judge(ctx, about, claimSource{issuer: g.rules.issuers[0], textual: true})
}

// tokeninfo asks what a token is for. It is posted: a URL ends up in logs.
func (g google) tokeninfo(ctx context.Context, token string) (claims, error) {
	reply, err := g.outbound.Post(ctx, googleTokeninfo, nil, formType, url.Values{"access_token": {token}}.Encode())
	if err != nil {
		return nil, err
	}
	if reply.refusesToken() {
		return nil, refuse("tokeninfo refuses the token with status %d: it ended or was revoked, or Google never issued it", reply.Status)
	}
	return reply.object("tokeninfo")
}

// googleGroupScopes are the scopes that open Cloud Identity's groups.
var googleGroupScopes = []string{
	"https://www.googleapis.com/auth/cloud-identity.groups.readonly",
	"https://www.googleapis.com/auth/cloud-identity.groups",
	"https://www.googleapis.com/auth/cloud-platform",
}

// addGroups asks for the groups that the person is directly in, if the token can.
func (g google) addGroups(ctx context.Context, about claims, token string) error {
	delete(about, "groups") // Google has no such claim
	granted, err := about.words("scope")
	if err != nil {
		return away("tokeninfo tells the scopes neither as a text nor as a list")
	}
	email, _ := about["email"].(string)
	if !sharesOne(granted, googleGroupScopes) || email == "" {
		traceOf(ctx).note("groups: Cloud Identity is not asked, for want of a scope or an e-mail address")
		return nil
	}
	groups := []any{}
	page := ""
	for range maxPages {
		answer, err := g.memberships(ctx, token, email, page)
		if err != nil || answer == nil {
			return err
		}
		if groups, err = appendGroups(groups, answer); err != nil {
			return err
		}
		if page, _ = answer["nextPageToken"].(string); page == "" || len(groups) > g.rules.settings.groupLimit() {
			break
		}
	}
	about["groups"] = groups
	return nil
}

// memberships is a page of groups; nil: the person's organization does not tell.
func (g google) memberships(ctx context.Context, token, email, page string) (claims, error) {
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(email)
	query := url.Values{"query": {"member_key_id == '" + quoted + "'"}, "pageSize": {"200"}}
	if page != "" {
		query.Set("pageToken", page)
	}
	reply, err := g.outbound.Get(ctx, googleGroups+"?"+query.Encode(), bearer(token))
	if err != nil {
		return nil, err
	}
	if slices.Contains([]int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound}, reply.Status) && !reply.limited() {
		g.rules.log.Warn("Google does not tell a person's groups: is the Cloud Identity API on in the client's project?", "processor", g.rules.settings.Name, "status", reply.Status)
		return nil, nil
	}
	return reply.object("Cloud Identity")
}

// appendGroups adds the addresses of the groups of a page.
func appendGroups(groups []any, answer claims) ([]any, error) {
	items, _ := answer["memberships"].([]any) // absent when there are none
	memberships, err := objects(items, "Cloud Identity's memberships")
	for _, m := range memberships {
		key, _ := m["groupKey"].(map[string]any)
		if id, _ := key["id"].(string); id != "" {
			groups = append(groups, id)
		}
	}
	return groups, err
}
