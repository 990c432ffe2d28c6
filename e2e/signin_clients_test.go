package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"porterhouse/sandbox/idp"
)

// The ways in which a client of these tests is known: by the URL of its metadata
// document, by registering itself, or by the operator.
const (
	byDocument     = "document"
	byRegistration = "registration"
	byOperator     = "operator"
)

// The clients of these tests, as they are known.
const (
	appHost     = "app.example.net"
	appDocument = "https://" + appHost + "/oauth/client.json"
	appID       = "known-app"
)

// appMetadata is the document of the client, which the house fetches from its host.
func appMetadata() http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(out).Encode(map[string]any{ // the caller may be gone
			"client_id": appDocument, "client_name": "The App", "client_uri": "https://" + appHost,
			"redirect_uris":              []string{"http://127.0.0.1/callback", "http://127.0.0.1/oauth/callback", "http://localhost/oauth/callback"},
			"grant_types":                []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:made-up"},
			"response_types":             []string{"code"},
			"token_endpoint_auth_method": "none",
		})
	})
}

// app is the host of the document, on the internet of the tests.
type app struct{}

func (app) Hosts() map[string]http.Handler { return map[string]http.Handler{appHost: appMetadata()} }

const appRegistered = appID + `: {name: "Known app", redirect_uris: ["http://127.0.0.1/callback", "http://127.0.0.1/oauth/callback", "http://localhost/oauth/callback"], grants: [authorization_code, refresh_token, device_code], scopes: [clickhouse:read, offline_access]}`

// signingProgram is a client that signs in with a browser, as its users start it.
type signingProgram struct {
	// start begins, as a client that is known in this way.
	start func(d *desk, h *house, known string) *running
	// who waits until it is through, and returns what whoami told it.
	who func(p *running) string
}

var programs = map[string]signingProgram{
	"TypeScript SDK v1": {script("clients/signin1.mjs"), reported},
	"TypeScript SDK v2": {script("clients/signin2.mjs"), reported},
	"inspector":         {startInspector, inspected},
	"mcp-remote":        {startRemote, bridged},
}

func script(name string) func(*desk, *house, string) *running {
	return func(d *desk, h *house, known string) *running {
		return d.start(nil, append([]string{name, h.url + "/mcp"}, map[string][]string{
			byDocument: {"--document", appDocument}, byOperator: {"--id", appID},
		}[known]...)...)
	}
}

// reported is what report of clients/login.mjs saw: before and after it had to renew
// its token.
func reported(p *running) string {
	var seen struct {
		Who, Again, Scope string
		Refresh, Rotated  bool
	}
	if err := json.Unmarshal([]byte(p.wait()), &seen); err != nil {
		p.t.Fatalf("%v\n%s", err, p.said())
	}
	me, _, _ := strings.Cut(seen.Who, "\n")
	if !strings.HasPrefix(seen.Again, me+"\n") || !seen.Refresh || !seen.Rotated || seen.Scope != "clickhouse:read offline_access" {
		p.t.Errorf("%s: %+v", p.name, seen)
	}
	return seen.Who
}

func startInspector(d *desk, h *house, known string) *running {
	return d.start(nil, append([]string{"node_modules/.bin/mcp-inspector", "--cli", h.url + "/mcp", "--transport", "http",
		"--callback-url", "http://" + quietAddress(d.t) + "/oauth/callback", "--format", "json", "--method", "tools/call", "--tool-name", "whoami",
	}, map[string][]string{
		byDocument: {"--client-metadata-url", appDocument}, byOperator: {"--client-id", appID},
	}[known]...)...)
}

func inspected(p *running) string {
	var seen struct {
		Result struct{ Content []struct{ Text string } }
	}
	out := p.wait()
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &seen); err != nil || len(seen.Result.Content) != 1 {
		p.t.Fatalf("%v\n%s", err, p.said())
	}
	return seen.Result.Content[0].Text
}

// startRemote starts mcp-remote as Claude Desktop does, and asks it a first question.
func startRemote(d *desk, h *house, known string) *running {
	_, port, _ := strings.Cut(quietAddress(d.t), ":")
	p := d.start([]string{"MCP_REMOTE_CONFIG_DIR=" + filepath.Join(d.dir, "remote")}, append([]string{
		"node_modules/.bin/mcp-remote", h.url + "/mcp", port, "--auth-timeout", "60"}, map[string][]string{
		byDocument: {"--client-metadata-url", appDocument}, byOperator: {"--static-oauth-client-info", `{"client_id": "` + appID + `"}`},
	}[known]...)...)
	p.tell(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": map[string]any{
		"protocolVersion": sessions, "capabilities": map[string]any{}, "clientInfo": clientInfo(),
	}})
	return p
}

func bridged(p *running) string {
	var ready, seen struct {
		Error  any
		Result struct{ Content []struct{ Text string } }
	}
	p.line(&ready)
	p.tell(map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	p.tell(map[string]any{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": map[string]any{"name": "whoami", "arguments": map[string]any{}}})
	p.line(&seen)
	if ready.Error != nil || len(seen.Result.Content) != 1 {
		p.t.Fatalf("%+v, %+v\n%s", ready, seen, p.said())
	}
	return seen.Result.Content[0].Text
}

// Clients that nobody here wrote get in with nothing but the URL and a person at the
// browser, however they are known.
func TestSignInClients(t *testing.T) {
	t.Parallel()
	h, at := signInHouse(t, "", settings{})
	for name, client := range programs {
		for _, known := range []string{byRegistration, byDocument, byOperator} {
			t.Run(name+" by "+known, func(t *testing.T) {
				h, d := h.in(t), newDesk(t)
				p := client.start(d, h, known)
				browser := newHuman(t)
				if landed := h.agree(browser, d.next(p), "", at, idp.Alice); landed != nil || browser.status != http.StatusOK {
					t.Fatalf("back at the client: HTTP %d at %s, %v", browser.status, browser.at, landed)
				}
				if who := client.who(p); !strings.Contains(who, "You are "+idp.Alice.Email+" ") {
					t.Errorf("whoami says %q", who)
				}
			})
		}
	}
	for _, known := range []string{byRegistration, byDocument, byOperator} {
		t.Run("go-sdk by "+known, func(t *testing.T) { goClient(h.in(t), at, known) })
	}
}

// goClient signs in with the Go SDK, in process.
func goClient(h *house, at place, known string) {
	t, redirect := h.t, "http://127.0.0.1:1/callback"
	config := &auth.AuthorizationCodeHandlerConfig{
		RedirectURL: redirect, RequestRefreshToken: true,
		AuthorizationCodeFetcher: func(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			back := h.agree(newHuman(t), args.URL, redirect, at, idp.Bob)
			return &auth.AuthorizationResult{Code: back.Query().Get("code"), State: back.Query().Get("state"), Iss: back.Query().Get("iss")}, nil
		},
	}
	switch known {
	case byDocument:
		config.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: appDocument}
	case byOperator:
		config.PreregisteredClient = &oauthex.ClientCredentials{ClientID: appID, Issuer: h.url}
	case byRegistration:
		config.DynamicClientRegistrationConfig = &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName: "Go SDK", RedirectURIs: []string{redirect}, GrantTypes: []string{"authorization_code", "refresh_token"},
		}}
	}
	handler, err := auth.NewAuthorizationCodeHandler(config)
	if err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: h.url + "/mcp", OAuthHandler: handler}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, h.lastLine())
	}
	defer session.Close()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "whoami", Arguments: map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	if text := result.Content[0].(*mcp.TextContent).Text; !strings.Contains(text, "You are "+idp.Bob.Email+" ") {
		t.Errorf("whoami says %q", text)
	}
}

// agree is what a person does once a program has opened a browser: chooses where to
// sign in, signs in, reads who asks, and allows it. It ends as open does.
func (h *house) agree(p *human, address, where string, at place, who idp.Person) *url.URL {
	h.t.Helper()
	h.toConsent(p, address, at, who)
	p.reads(who.Email)
	return p.press(allow, where, nil)
}

// toConsent goes as far as the page that asks whether the client may.
func (h *house) toConsent(p *human, address string, at place, who idp.Person) {
	h.t.Helper()
	p.open(address, "")
	if p.at.Path == "/signin" {
		p.signIn(at, who)
	}
	if p.status != http.StatusOK || p.at.Path != "/authorize" {
		h.t.Fatalf("no page to agree on, but HTTP %d at %s: %s\n%s", p.status, p.at, p.page.text, h.lastLine())
	}
}
