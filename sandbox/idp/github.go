package idp

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// GitHub is a stand-in for GitHub's API, at the paths of api.github.com and of an
// Enterprise Server (/api/v3). A person's subject is the number that GitHub calls
// id, the name the login, and a group is organization or organization:team.
type GitHub struct {
	*Wire
	Options Options

	mu      sync.Mutex
	tokens  map[string]githubToken
	limited bool

	githubFlow
}

// githubToken is whose a token is, and which application's.
type githubToken struct {
	person Person
	client string
	scopes []string
}

// StartGitHub starts the stand-in. Subjects must be decimal numbers, as GitHub's ids
// are; zero Options know Octo (583231) of the organization acme, with two teams.
func StartGitHub(t testing.TB, o Options) *GitHub {
	t.Helper()
	if o.People == nil {
		o.People = []Person{Octo}
	}
	g := &GitHub{Wire: startWire(t), Options: o.withDefaults(), tokens: map[string]githubToken{}}
	for _, base := range []string{"", "/api/v3"} {
		g.Answer(base+"/user", g.api(g.user))
		g.Answer(base+"/user/emails", g.api(g.emails))
		g.Answer(base+"/user/orgs", g.api(g.organizations))
		g.Answer(base+"/user/teams", g.api(g.teams))
		g.Answer(base+"/applications/", g.check)
	}
	startGitHubFlow(g)
	return g
}

// Octo is the person that zero Options know at GitHub.
var Octo = Person{Subject: "583231", Name: "octo", Email: "octo@example.com", Groups: []string{"acme", "acme:analysts", "acme:staff"}}

// Hosts are the names of GitHub's that answer here.
func (g *GitHub) Hosts() map[string]http.Handler {
	return map[string]http.Handler{"api.github.com": g, "github.com": g}
}

// Access makes an access token (gho_…) of a person by way of a client, with the
// scopes read:user, user:email and read:org, or with those given.
func (g *GitHub) Access(p Person, client string, scopes ...string) string {
	if scopes == nil {
		scopes = []string{"read:user", "user:email", "read:org"}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	token := "gho_" + (rand.Text() + rand.Text())[:36]
	g.tokens[token] = githubToken{p, client, scopes}
	return token
}

// Revoke ends a token.
func (g *GitHub) Revoke(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.tokens, token)
}

// SetLimited makes every request one too many for GitHub's rate limit, or not.
func (g *GitHub) SetLimited(limited bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limited = limited
}

func (g *GitHub) token(text string) (token githubToken, known, limited bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	token, known = g.tokens[text]
	return token, known, g.limited
}

// api is what every endpoint for people has in common.
func (g *GitHub) api(endpoint func(http.ResponseWriter, *http.Request, githubToken)) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		secret := bearer(r)
		if secret == "" {
			secret, _ = strings.CutPrefix(r.Header.Get("Authorization"), "token ")
		}
		token, known, limited := g.token(secret)
		switch {
		case r.Header.Get("User-Agent") == "":
			http.Error(out, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.", http.StatusForbidden)
		case limited:
			out.Header().Set("X-RateLimit-Remaining", "0")
			out.Header().Set("X-RateLimit-Reset", "4102444800")
			reply(out, http.StatusForbidden, Claims{"message": "API rate limit exceeded for user ID 583231.", "documentation_url": "https://docs.github.com/rest"})
		case !known:
			reply(out, http.StatusUnauthorized, Claims{"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"})
		default:
			out.Header().Set("X-OAuth-Scopes", strings.Join(token.scopes, ", "))
			endpoint(out, r, token)
		}
	}
}

// may refuses, as GitHub does, what a token has no scope for.
func may(out http.ResponseWriter, token githubToken, scope string) bool {
	if slices.Contains(token.scopes, scope) {
		return true
	}
	out.Header().Set("X-Accepted-OAuth-Scopes", scope)
	reply(out, http.StatusForbidden, Claims{"message": "You need at least " + scope + " scope.", "status": "403"})
	return false
}

// user tells no e-mail address: most people's is private.
func (g *GitHub) user(out http.ResponseWriter, _ *http.Request, token githubToken) {
	id, err := strconv.ParseInt(token.person.Subject, 10, 64)
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(out, http.StatusOK, Claims{"login": token.person.Name, "id": id, "node_id": "MDQ6VXNlcg==", "type": "User", "name": token.person.Name}.and(Claims{"site_admin": false}))
}

func (g *GitHub) emails(out http.ResponseWriter, _ *http.Request, token githubToken) {
	if !may(out, token, "user:email") {
		return
	}
	reply(out, http.StatusOK, []Claims{
		{"email": "unchecked-" + token.person.Email, "primary": false, "verified": false, "visibility": nil},
		{"email": token.person.Email, "primary": true, "verified": !token.person.Unverified, "visibility": "private"},
		{"email": token.person.Subject + "+" + token.person.Name + "@users.noreply.github.com", "primary": false, "verified": true, "visibility": nil},
	})
}

func (g *GitHub) organizations(out http.ResponseWriter, r *http.Request, token githubToken) {
	if !may(out, token, "read:org") {
		return
	}
	list := []Claims{}
	for i, name := range g.page(out, r, token.person.Groups, false) {
		list = append(list, Claims{"login": name, "id": 1000 + i})
	}
	reply(out, http.StatusOK, list)
}

func (g *GitHub) teams(out http.ResponseWriter, r *http.Request, token githubToken) {
	if !may(out, token, "read:org") {
		return
	}
	list := []Claims{}
	for i, name := range g.page(out, r, token.person.Groups, true) {
		organization, slug, _ := strings.Cut(name, ":")
		list = append(list, Claims{"id": 2000 + i, "name": strings.ToUpper(slug[:1]) + slug[1:], "slug": slug, "organization": Claims{"login": organization}})
	}
	reply(out, http.StatusOK, list)
}

// page is the part of groups (teams or organizations) that is asked for. Pages are
// small, whatever per_page says, so that every test meets several of them.
func (g *GitHub) page(out http.ResponseWriter, r *http.Request, groups []string, teams bool) []string {
	all := slices.DeleteFunc(slices.Clone(groups), func(name string) bool { return strings.Contains(name, ":") != teams })
	const size = 1
	number, err := strconv.Atoi(r.FormValue("page"))
	if err != nil || number < 1 {
		number = 1
	}
	if number*size < len(all) {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		out.Header().Set("Link", fmt.Sprintf(`<%s://%s%s?per_page=100&page=%d>; rel="next", <%s://%s%s?per_page=100&page=%d>; rel="last"`,
			scheme, r.Host, r.URL.Path, number+1, scheme, r.Host, r.URL.Path, len(all)))
	}
	return all[min((number-1)*size, len(all)):min(number*size, len(all))]
}

// check is POST /applications/{client_id}/token: whose application is this token of?
func (g *GitHub) check(out http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	asked := strings.TrimSuffix(r.URL.Path[strings.Index(r.URL.Path, "/applications/")+len("/applications/"):], "/token")
	isClient := slices.ContainsFunc(g.Options.Clients, func(c Client) bool { return c.ID == id && c.Secret == secret && id == asked })
	var body struct {
		Token string `json:"access_token"`
	}
	if r.Method != http.MethodPost || !isClient {
		reply(out, http.StatusNotFound, Claims{"message": "Not Found"})
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		reply(out, http.StatusBadRequest, Claims{"message": "Problems parsing JSON"})
		return
	}
	token, known, limited := g.token(body.Token)
	switch {
	case limited:
		out.Header().Set("X-RateLimit-Remaining", "0")
		reply(out, http.StatusForbidden, Claims{"message": "API rate limit exceeded"})
	case !known || token.client != asked:
		reply(out, http.StatusNotFound, Claims{"message": "Not Found"})
	default:
		id, err := strconv.ParseInt(token.person.Subject, 10, 64)
		if err != nil {
			http.Error(out, err.Error(), http.StatusInternalServerError)
			return
		}
		reply(out, http.StatusOK, Claims{
			"id": 1, "app": Claims{"client_id": token.client, "name": "an app"}, "scopes": token.scopes,
			"user": Claims{"login": token.person.Name, "id": id}, "expires_at": nil,
		})
	}
}
