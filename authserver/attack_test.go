package authserver

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/sandbox/idp"
)

// trusted is a desk that trusts a real provider's tokens and assertions: the client
// "portal" may exchange those that are for the application portalAudience, and it may
// bring assertions.
func trusted(t *testing.T) (*desk, *idp.Issuer) {
	t.Helper()
	provider := idp.StartIssuer(t, idp.Options{})
	out := must(identity.NewOutbound(identity.OutboundConfig{AllowHosts: []string{strings.TrimPrefix(provider.URL, "http://")}}))
	known := must(identity.NewProviders(identity.ProvidersConfig{Outbound: out}))
	settings := []identity.Settings{{Name: "corp", Type: "openid", ConfigurationEndpoint: provider.URL + "/.well-known/openid-configuration", UsernameClaim: "email"}}
	d := openDesk(t, func(c *Config) {
		exchange := must(identity.NewSubjectVerifier(settings, []string{portalAudience}, known))
		asserted := must(identity.NewAssertions(settings, c.Issuer, known))
		c.Assertion = func(ctx context.Context, jwt string) (Assertion, error) {
			a, err := asserted.Verify(ctx, jwt)
			return Assertion{Who: a.Who, ID: a.ID, Client: a.Client, Resource: a.Resource, Scopes: a.Scopes, Expires: a.Who.Expires}, err
		}
		c.Clients = append(c.Clients, ClientConfig{
			ID: "portal", Secret: porterhouse.NewSecret(deskSecret), Grants: []string{GrantExchange, GrantAssertion}, Exchange: exchange.Verify,
		})
	})
	return d, provider
}

const portalAudience = "https://portal.example.com"

// A token that a person gave to another application of the same provider, an ID token
// of theirs, and even one for our own door, are not the portal's to exchange.
func TestAttackExchangeOfAnotherApplication(t *testing.T) {
	d, provider := trusted(t)
	exchange := func(token string) answered {
		return d.asProgram("portal", GrantExchange, "subject_token", token, "subject_token_type", typeAccessToken)
	}
	claims := d.claimsOf(exchange(provider.Sign(provider.Claims(idp.Alice, portalAudience))))
	vouched, _ := claims["idp"].(map[string]any)
	if vouched["iss"] != provider.Name || vouched["sub"] != idp.Alice.Subject || claims["name"] != idp.Alice.Email {
		t.Errorf("the token is of %v", claims)
	}
	for name, token := range map[string]string{
		"another application's": provider.Sign(provider.Claims(idp.Alice, "https://game.example.com")),
		"an ID token":           provider.Sign(provider.IDToken(idp.Alice, "game")),
		"for our door":          provider.Sign(provider.Claims(idp.Alice, d.url+"/mcp")),
		"for nobody":            provider.Sign(provider.Claims(idp.Alice, portalAudience).With("aud", nil)),
		"ours":                  d.asProgram("portal", GrantAssertion, "assertion", provider.Sign(provider.IDJAG(idp.Alice, d.url, "portal"), idp.IDJAGType)).field("access_token"),
		"ended":                 provider.Sign(provider.Claims(idp.Alice, portalAudience).With("exp", time.Now().Add(-time.Hour).Unix())),
	} {
		t.Run(name, func(t *testing.T) { d.wantOAuthError(exchange(token), "invalid_request") })
	}
}

// An assertion of a real provider counts once, at whichever replica, and only for the
// client and the server that it names.
func TestAttackAssertionReplay(t *testing.T) {
	d, provider := trusted(t)
	replica := must(New(d.Config))
	good := provider.IDJAG(idp.Alice, d.url, "portal")
	bring := func(s *Server, claims idp.Claims) answered {
		d.Server = s
		return d.asProgram("portal", GrantAssertion, "assertion", provider.Sign(claims, idp.IDJAGType))
	}
	first := d.Server
	if claims := d.claimsOf(bring(first, good)); claims["name"] != idp.Alice.Email {
		t.Errorf("the token is of %v", claims)
	}
	for name, s := range map[string]*Server{"the same": first, "another": replica} {
		t.Run(name, func(t *testing.T) { d.wantOAuthError(bring(s, good), "invalid_grant") })
	}
	d.wantOAuthError(bring(first, good.With("exp", time.Now().Add(6*time.Minute).Unix())), "invalid_grant") // the same id
	for name, claims := range map[string]idp.Claims{
		"another server's": provider.IDJAG(idp.Alice, "https://other.example.com", "portal"),
		"another client's": provider.IDJAG(idp.Alice, d.url, "game"),
	} {
		t.Run(name, func(t *testing.T) { d.wantOAuthError(bring(first, claims), "invalid_grant") })
	}
}

// Whoever registers a client can call it as they like, and gets no more by it than a
// client of no name: the page says that nobody has checked it, it is never the
// operator's client, and what is for programs that prove themselves stays closed.
func TestAttackDowngradeToRegistration(t *testing.T) {
	d, _ := openFlow(t, func(c *Config) {
		c.AllowRegistration = true
		c.Clients[0].Name = "Claude"
	})
	registered := d.register(map[string]any{
		"client_id": webClient, "client_name": "Claude", "redirect_uris": []string{"https://evil.example.com/callback"},
		"grant_types":    []string{GrantCode, GrantRefresh, GrantCredentials, GrantExchange, GrantAssertion},
		"scope":          "clickhouse:read clickhouse:write admin",
		"software_id":    webClient,
		"response_types": []string{"code"},
	})
	id, secret := registered.field("client_id"), registered.field("client_secret")
	if registered.status != http.StatusCreated || id == webClient || secret == "" {
		t.Fatalf("registered as %s", registered.text)
	}
	page := d.page("alice", wish("client_id", id, "redirect_uri", "https://evil.example.com/callback"))
	for _, want := range []string{"nobody has checked it", "evil.example.com"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page does not say %q: %s", want, page.text)
		}
	}
	if operators := d.page("alice", wish()); strings.Contains(operators.text, "nobody has checked it") || !strings.Contains(operators.text, "Registered at this server") {
		t.Error("the operator's client is not shown as one that is registered here")
	}
	for _, grant := range []string{GrantCredentials, GrantExchange, GrantAssertion} {
		d.wantOAuthError(d.do(http.MethodPost, "/token", "", url.Values{
			"grant_type": {grant}, "client_id": {id}, "client_secret": {secret},
			"subject_token": {"x"}, "subject_token_type": {typeJWT}, "assertion": {"x"},
		}), "unauthorized_client")
	}
	for _, stolen := range []string{webRedirect, "https://evil.example.com/callback?x=1"} {
		a := d.do(http.MethodGet, authorizePath(wish("client_id", id, "redirect_uri", stolen)), "alice", nil)
		if a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", stolen, a.status, a.header.Get("Location"))
		}
	}
}

// A hostile client by document, at a browser that is signed in and whose person has
// agreed to another client before: nothing is sent anywhere until the person has read
// whose document it is and where they would be sent, and has said yes to that.
func TestAttackConfusedDeputy(t *testing.T) {
	s := openSite(t)
	s.serve = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(s.document(map[string]any{"client_name": "Claude", "redirect_uris": []string{"https://evil.example.com/callback"}}))
	}
	d, _ := openFlow(t, s.outbound(t, nil))
	d.code()
	hostile := wish("client_id", s.id(), "redirect_uri", "https://evil.example.com/callback")
	host := strings.TrimPrefix(s.URL, "https://")

	asking, err := d.Asking(t.Context(), authorizePath(hostile), "")
	if err != nil || asking.Redirect != "evil.example.com" || asking.Host == "" || !strings.HasPrefix(host, asking.Host) {
		t.Fatalf("the chooser would say %+v, %v", asking, err)
	}
	if a := d.do(http.MethodGet, authorizePath(hostile), "", nil); !strings.HasPrefix(a.header.Get("Location"), "/signin?return=") {
		t.Errorf("nobody is sent to %q", a.header.Get("Location"))
	}
	page := d.page("alice", hostile)
	for _, want := range []string{asking.Host, "evil.example.com", "at <span class=\"host\"><bdi>" + s.id() + "</bdi>"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page does not say %q: %s", want, page.text)
		}
	}
	others := yes(d.page("alice", wish()))
	if a := d.do(http.MethodPost, authorizePath(hostile), "alice", others); a.status != http.StatusForbidden {
		t.Errorf("a yes to another client: %d %s", a.status, a.header.Get("Location"))
	}
	if a := d.do(http.MethodGet, authorizePath(with(hostile, "prompt", "none")), "alice", nil); a.header.Get("Location") != "" {
		t.Errorf("silently sent to %q", a.header.Get("Location"))
	}
}

// Whoever reads the store can use nothing of it: it has hashes of what is secret, also
// of what was given for it.
func TestStoreHoldsNoSecrets(t *testing.T) {
	d, _ := openFlow(t, func(c *Config) { c.AllowRegistration = true })
	fresh, device := d.code(), d.beginAs("robot")
	first := d.family()
	second := d.refreshed(first.field("refresh_token"))
	registered := d.register(map[string]any{"redirect_uris": []string{"https://app.example.com/callback"}})
	secrets := map[string]string{
		"a code": fresh, "a device code": device.device, "a user code": strings.ReplaceAll(device.user, "-", ""),
		"a used refresh token": first.field("refresh_token"), "a refresh token": second,
		"an access token": first.field("access_token"), "a registered client's secret": registered.field("client_secret"),
	}
	for _, key := range must(d.store.Keys(t.Context(), "")) {
		all := key + string(must(d.store.Get(t.Context(), key)))
		for name, secret := range secrets {
			if end := secret[max(0, len(secret)-20):]; secret == "" || strings.Contains(all, end) {
				t.Errorf("%s has %s: %q", key, name, secret)
			}
		}
	}
}
