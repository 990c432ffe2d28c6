package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"porterhouse"
)

// github is a processor for GitHub's tokens, of github.com or an Enterprise Server.
// GitHub is no OpenID provider: there are no JWTs for people, and what stands for
// the claims is gathered from its API:
//
//	POST /applications/{client_id}/token   is it of our application? (audience)
//	GET  /user                             who: id is the key, login the name
//	GET  /user/emails                      the primary address, and whether it is verified
//	GET  /user/orgs, /user/teams           the groups: org, and org:team
type github struct {
	rules    *rules
	outbound *Outbound
	api      string // such as https://api.github.com
	clientID string // of our application; "": tokens of any are let in
	secret   porterhouse.Secret
}

func newGitHub(s Settings, r Resource, p *Providers) (Processor, error) {
	g, err := makeGitHub(s, r, p)
	if err != nil {
		return nil, err
	}
	return g.verify, nil
}

func makeGitHub(s Settings, r Resource, p *Providers) (*github, error) {
	rules, err := newRules(s, r, p)
	if err != nil {
		return nil, err
	}
	g := &github{rules: rules, outbound: p.outbound, secret: s.ClientSecret}
	if g.api, err = githubAPI(s.BaseURL); err != nil {
		return nil, err
	}
	switch {
	case s.AllowAnyAudience:
	case len(s.ClientIDs) != 1 || s.ClientSecret.IsZero():
		return nil, errors.New("GitHub tells only an application itself whether a token is its own: name it in client_ids (one) with its client_secret")
	default:
		g.clientID = s.ClientIDs[0]
	}
	return g, nil
}

// githubAPI is where the API of the GitHub at base is.
func githubAPI(base string) (string, error) {
	if base == "" {
		return "https://api.github.com", nil
	}
	at, err := url.Parse(strings.TrimRight(base, "/"))
	switch {
	case err != nil || at.Host == "" || at.Path != "":
		return "", errors.New("base_url must be https://host of the GitHub")
	case at.Host == "github.com" || strings.HasSuffix(at.Host, ".ghe.com"):
		return at.Scheme + "://api." + at.Host, nil
	}
	return at.String() + "/api/v3", nil
}

// githubShapes are how tokens begin. Those of people come by way of an application,
// but for personal ones, which nobody but their maker vouches for.
var githubShapes = []struct {
	prefix   string
	personal bool
	refused  string // why; "": they are of people
}{
	{prefix: "gho_"},
	{prefix: "ghu_"},
	{prefix: "ghp_", personal: true},
	{prefix: "github_pat_", personal: true},
	{prefix: "ghs_", refused: "it is a token of an installation, not of a person"},
	{prefix: "ghr_", refused: "it is a refresh token"},
}

// mine passes on what is not GitHub's by its shape, and refuses what never proves
// a person.
func (g github) mine(token string) error {
	for _, shape := range githubShapes {
		switch {
		case !strings.HasPrefix(token, shape.prefix):
		case shape.refused != "":
			return refuse("%s", shape.refused)
		case shape.personal && g.clientID != "":
			return refuse("it is a personal access token, which is of no application (allow_any_audience would accept it)")
		case !fits(token):
			return refuse("it has characters that no token has")
		default:
			return nil
		}
	}
	return notMine("it does not begin like a token of GitHub")
}

func (g github) verify(ctx context.Context, token string) (porterhouse.Principal, error) {
	if err := g.mine(token); err != nil {
		return porterhouse.Principal{}, err
	}
	about, err := g.gather(ctx, token)
	if err != nil {
		return porterhouse.Principal{}, err
	}
	return g.rules.judge(ctx, about, claimSource{issuer: g.rules.issuers[0], endless: true})
}

// gather makes claims of what GitHub tells.
func (g github) gather(ctx context.Context, token string) (claims, error) {
	about := claims{}
	for _, add := range []func(context.Context, string, claims) error{g.addApplication, g.addUser, g.addEmail, g.addGroups} {
		if err := add(ctx, token, about); err != nil {
			return nil, err
		}
	}
	return about, nil
}

// addApplication asks GitHub, as our application, whether the token is our own.
func (g github) addApplication(ctx context.Context, token string, about claims) error {
	if g.clientID == "" {
		return nil
	}
	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		return err
	}
	address := g.api + "/applications/" + url.PathEscape(g.clientID) + "/token"
	reply, err := g.outbound.Post(ctx, address, basic(g.clientID, g.secret.Reveal()), jsonType, string(body))
	if err != nil {
		return err
	}
	if reply.Status == http.StatusNotFound || reply.Status == http.StatusUnprocessableEntity {
		return refuse("GitHub knows no such token of the application %q (status %d): it ended, was revoked, or is of another (or client_secret is wrong)", g.clientID, reply.Status)
	}
	checked, err := reply.object("GitHub's check of a token")
	if err != nil {
		return err
	}
	app, _ := checked["app"].(map[string]any)
	if app["client_id"] != g.clientID {
		return refuse("GitHub says that it is of another application than %q", g.clientID)
	}
	about["azp"], about["aud"] = g.clientID, g.clientID
	return addEnd(checked, about)
}

// addEnd makes exp of expires_at, which tokens of GitHub Apps have.
func addEnd(checked, about claims) error {
	if !checked.has("expires_at") {
		return nil
	}
	text, _ := checked["expires_at"].(string)
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return away("GitHub writes the end of a token (expires_at) in a way that is not understood")
	}
	about["exp"] = seconds(end)
	return nil
}

func (g github) addUser(ctx context.Context, token string, about claims) error {
	reply, err := g.outbound.Get(ctx, g.api+"/user", bearer(token))
	if err != nil {
		return err
	}
	if reply.Status == http.StatusUnauthorized {
		return refuse("GitHub refuses the token (status 401): it ended, was revoked, or is no token")
	}
	user, err := reply.object("GitHub's /user")
	if err != nil {
		return err
	}
	id, ok := user["id"].(json.Number)
	if !ok || strings.Trim(id.String(), "0123456789") != "" {
		return away("GitHub's /user has no id that is a whole number")
	}
	if kind, told := user["type"].(string); told && kind != "User" {
		return refuse("it is of a GitHub account of the type %q, not of a person", abridged(kind))
	}
	about["sub"], about["login"], about["name"] = id.String(), user["login"], user["name"]
	about["scope"] = strings.ReplaceAll(reply.Header.Get("X-OAuth-Scopes"), ",", " ")
	return nil
}

// addEmail adds the primary address, if the token may read it. The address in
// /user may be one that nobody verified.
func (g github) addEmail(ctx context.Context, token string, about claims) error {
	list, err := g.list(ctx, token, "/user/emails")
	for _, address := range list {
		if address["primary"] == true {
			about["email"], about["email_verified"] = address["email"], address["verified"]
		}
	}
	return err
}

// addGroups adds organizations and teams. With an organization in the settings,
// only its members come in, and only its teams count: anybody can found another.
func (g github) addGroups(ctx context.Context, token string, about claims) error {
	organizations, err := g.list(ctx, token, "/user/orgs")
	if err != nil {
		return err
	}
	groups := []any{}
	for _, organization := range organizations {
		if login, _ := organization["login"].(string); g.counts(login) {
			groups = append(groups, login)
		}
	}
	if only := g.rules.settings.Organization; only != "" && len(groups) == 0 {
		return notAllowed("you are signed in, but not as a member of the organization that is let in here (or your token may not tell: it needs the scope read:org)",
			"%q is not in the organization %q, as far as the token may tell", about["login"], only)
	}
	teams, err := g.list(ctx, token, "/user/teams")
	for _, team := range teams {
		of, _ := team["organization"].(map[string]any)
		login, _ := of["login"].(string)
		if slug, _ := team["slug"].(string); slug != "" && g.counts(login) {
			groups = append(groups, login+":"+slug)
		}
	}
	if organizations != nil || teams != nil { // else it told none
		about["groups"] = groups
	}
	return err
}

// counts reports whether groups of an organization do.
func (g github) counts(login string) bool {
	only := g.rules.settings.Organization
	return login != "" && (only == "" || lowerASCII(login) == lowerASCII(only))
}

// list is all pages of a list, up to the limit; nil: the token may not read it.
func (g github) list(ctx context.Context, token, path string) ([]claims, error) {
	all := []claims{}
	address := g.api + path + "?per_page=100"
	for range maxPages {
		reply, err := g.outbound.Get(ctx, address, bearer(token))
		if err != nil {
			return nil, err
		}
		if (reply.Status == http.StatusForbidden || reply.Status == http.StatusNotFound) && !reply.limited() {
			traceOf(ctx).note("the token may not read %s (status %d)", path, reply.Status)
			return nil, nil
		}
		page, err := reply.list("GitHub's " + path)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if address, err = reply.nextPage(address); err != nil || address == "" || len(all) > g.rules.settings.groupLimit() {
			return all, err
		}
	}
	return all, nil
}

// githubLogin is the processor for people who sign in by way of our application.
func githubLogin(s Settings, c ClientSettings, p *Providers) (*github, error) {
	s.ClientIDs, s.ClientSecret, s.AllowAnyAudience = []string{c.ClientID}, c.ClientSecret, false
	return makeGitHub(s, Resource{}, p)
}
