package identity

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"porterhouse"
)

// Where Entra and Microsoft Graph are, and Graph's id as an audience.
const (
	entraHost = "https://login.microsoftonline.com"
	graphHost = "https://graph.microsoft.com"
	graphID   = "00000003-0000-0000-c000-000000000000"
)

// entra is a processor for access tokens of one tenant of Entra ID, of version 1
// (sts.windows.net) and 2 (login.microsoftonline.com); the manifest of the API that
// they are for chooses. A person is oid in tid, because sub differs from client to
// client. Groups are GUIDs, roles are the names of app roles.
//
// A token holds 200 groups at most. For people in more, it only says so (overage),
// and Graph is asked, on their behalf.
type entra struct {
	rules      *rules
	proof      *rules // the same, without the groups that are wanted
	signatures signatures
	graph      graph
	tenant     string
}

// guid is how Microsoft writes ids.
var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func newEntra(s Settings, r Resource, p *Providers) (Processor, error) {
	if !guid.MatchString(s.TenantID) {
		return nil, errors.New("tenant_id must be the GUID of one tenant, in lower case (not common or organizations, where anybody may open one): tokens of others are refused")
	}
	rules, err := newRules(s, r, p)
	if err != nil {
		return nil, err
	}
	algorithms, err := algorithmsOf(s)
	if err != nil {
		return nil, err
	}
	proof := *rules
	proof.settings.AllowedGroups = nil
	login := entraHost + "/" + s.TenantID
	e := entra{
		rules: rules, proof: &proof, tenant: s.TenantID,
		signatures: signatures{algorithms, ringOf(p.keysAt(orText(s.JWKSURI, login+"/discovery/v2.0/keys"), s.JWKSCacheLifetime))},
		graph:      graph{outbound: p.outbound, tokens: login + "/oauth2/v2.0/token", clientID: s.IntrospectionClientID, secret: s.IntrospectionClientSecret, limit: s.groupLimit()},
	}
	if i := slices.IndexFunc(rules.audiences, guid.MatchString); i >= 0 && s.IntrospectionClientID == "" {
		e.graph.clientID = rules.audiences[i]
	}
	return e.verify, nil
}

func (e entra) verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	t, err := e.rules.mine(ctx, token)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	if isForGraph(token, t) {
		return porterhouse.Principal{}, refuse("it is a token for Microsoft Graph, which nobody but Graph can verify: let the client ask for a scope of your own API (api://…)")
	}
	if err := e.signatures.verify(ctx, t); err != nil {
		return porterhouse.Principal{}, err
	}
	if err := e.checkPerson(t); err != nil {
		return porterhouse.Principal{}, err
	}
	from := claimSource{header: &t.header}
	if e.hasOverage(t.claims) {
		// A token that proves nobody here does not get as far as Graph.
		if _, err := e.proof.judge(ctx, t.claims, from); err != nil {
			return porterhouse.Principal{}, err
		}
		if t.claims["groups"], err = e.graph.groups(ctx, token); err != nil {
			return porterhouse.Principal{}, err
		}
	}
	return e.rules.judge(ctx, t.claims, from)
}

// isForGraph reports whether a token is for Graph. Its signature is over another
// header than the one that it has, and the nonce there is the sign of that.
func isForGraph(token string, t jwt) bool {
	first, _, _ := strings.Cut(token, ".")
	text, err := decodePart(first)
	if err != nil {
		return false
	}
	header, err := parseClaims(text)
	return err == nil && header.has("nonce") || t.claims["aud"] == graphID || t.claims["aud"] == graphHost
}

// programNames are claims with the name of a client: a processor whose names they are
// is for programs.
var programNames = []string{"azp", "appid"}

// checkPerson refuses people of other tenants, and passes on whom the processor is
// not for: an application's own token, which has no scope (scp), would come in as
// nobody, and at a processor for programs people would come in as their client.
func (e entra) checkPerson(t jwt) error {
	if err := e.checkTenant(t.claims); err != nil {
		return err
	}
	isProgram := t.claims["idtyp"] == "app" || !t.claims.has("scp") && !e.rules.isID(t.claims, claimSource{header: &t.header})
	forPrograms := slices.Contains(programNames, e.rules.settings.UsernameClaim)
	switch {
	case isProgram && !forPrograms:
		return notMine("it is of an application, not of a person (no scp); for programs, configure another processor, with username_claim: azp (or appid)")
	case forPrograms && !isProgram:
		return notMine("it is of a person, and this processor is for programs (username_claim: %s)", e.rules.settings.UsernameClaim)
	}
	return nil
}

func (e entra) checkTenant(c claims) error {
	if tenant, _ := c["tid"].(string); tenant != e.tenant {
		return refuse("it is of the tenant %q (tid), not of %q", abridged(tenant), e.tenant)
	}
	return nil
}

// hasOverage reports whether groups are read, and the token says only that there
// are too many.
func (e entra) hasOverage(c claims) bool {
	if from := e.rules.settings.GroupsClaim; from != "" && from != "groups" {
		return false
	}
	elsewhere, _ := c["_claim_names"].(map[string]any)
	return elsewhere["groups"] != nil || c["hasgroups"] == true || c["hasgroups"] == "true"
}

// graph asks Microsoft Graph on behalf of a person.
type graph struct {
	outbound *Outbound
	tokens   string // the tenant's token endpoint
	clientID string // of the API that the tokens are for: its GUID, as an audience
	secret   porterhouse.Secret
	limit    int
}

// groups are the GUIDs of the groups that the person is in, at any depth.
func (g graph) groups(ctx context.Context, token string) ([]any, error) {
	if g.clientID == "" || g.secret.IsZero() {
		return nil, notAllowed("you are in more groups than fit into your token, and this server has no means to ask for them; ask its operator",
			"the token has a hint in place of its groups (overage): to ask Graph, configure the API's GUID as introspection_client_id (or expected_audience), and its introspection_client_secret (app roles, groups_claim: roles, have no such limit)")
	}
	key, err := g.onBehalf(ctx, token)
	if err != nil {
		return nil, err
	}
	return g.memberships(ctx, key)
}

// memberships is groups, of whom a token for Graph is.
func (g graph) memberships(ctx context.Context, key string) ([]any, error) {
	groups := []any{}
	address := graphHost + "/v1.0/me/transitiveMemberOf?$select=id&$top=100"
	for range maxPages {
		reply, err := g.outbound.Get(ctx, address, bearer(key))
		if err != nil {
			return nil, err
		}
		answer, err := reply.object("Microsoft Graph")
		if err != nil {
			return nil, err
		}
		if groups, err = appendGroupIDs(groups, answer); err != nil {
			return nil, err
		}
		next, _ := answer["@odata.nextLink"].(string)
		if next == "" || len(groups) > g.limit {
			break
		}
		if err := samePlace(address, next); err != nil {
			return nil, err
		}
		address = next
	}
	return groups, nil
}

// appendGroupIDs adds the groups of a page, without the directory roles and
// administrative units among them.
func appendGroupIDs(groups []any, answer claims) ([]any, error) {
	items, ok := answer["value"].([]any)
	if !ok {
		return nil, away("Microsoft Graph's answer has no list of groups (value)")
	}
	members, err := objects(items, "Microsoft Graph's groups")
	for _, m := range members {
		kind, told := m["@odata.type"].(string)
		if id, _ := m["id"].(string); id != "" && (!told || kind == "#microsoft.graph.group") {
			groups = append(groups, id)
		}
	}
	return groups, err
}

// aadsts is the code in Microsoft's error texts, which are not quoted otherwise.
var aadsts = regexp.MustCompile(`AADSTS[0-9]{4,8}`)

// onBehalf changes the person's token for one for Graph.
func (g graph) onBehalf(ctx context.Context, token string) (string, error) {
	form := url.Values{
		"grant_type":          {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"requested_token_use": {"on_behalf_of"},
		"client_id":           {g.clientID},
		"client_secret":       {g.secret.Reveal()},
		"assertion":           {token},
		"scope":               {graphHost + "/.default"},
	}
	reply, err := g.outbound.Post(ctx, g.tokens, nil, formType, form.Encode())
	if err != nil {
		return "", err
	}
	if reply.Status != http.StatusOK {
		return "", away("Entra gives no token for Graph (status %d, %s): are the client id and secret of the API right, and has an administrator agreed to GroupMember.Read.All?", reply.Status, orText(aadsts.FindString(string(reply.Body)), "no code"))
	}
	answer, err := reply.object("Entra's token endpoint")
	if err != nil {
		return "", err
	}
	key, _ := answer["access_token"].(string)
	if !fits(key) {
		return "", away("Entra's answer holds no token for Graph")
	}
	return key, nil
}
