package authserver

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"porterhouse"
)

// under moves the issuer to a path.
func under(path string) func(*Config) {
	return func(c *Config) { c.Issuer += path }
}

// The metadata is wherever clients look for it, and names its issuer byte for byte.
func TestMetadataShapes(t *testing.T) {
	for path, places := range map[string][]string{
		"": {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"},
		"/t": {
			"/.well-known/oauth-authorization-server/t", "/.well-known/openid-configuration/t",
			"/t/.well-known/openid-configuration", "/t/.well-known/oauth-authorization-server",
		},
		"/a/b": {"/.well-known/oauth-authorization-server/a/b", "/.well-known/openid-configuration/a/b", "/a/b/.well-known/openid-configuration"},
	} {
		d := openDesk(t, under(path))
		for _, place := range places {
			a := d.do(http.MethodGet, place, "", nil)
			if a.status != http.StatusOK || a.field("issuer") != d.url+path {
				t.Errorf("%s: %d %s", place, a.status, a.text)
			}
			if a.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: a program in a browser cannot read it", place)
			}
			if openID := strings.Contains(place, "openid"); openID != (a.fields["subject_types_supported"] != nil && a.fields["id_token_signing_alg_values_supported"] != nil) {
				t.Errorf("%s: what OpenID Connect requires is there: %v", place, !openID)
			}
			for name, value := range a.fields {
				endpoint, isText := value.(string)
				if !isText || !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
					continue
				}
				if _, known := d.routes[strings.TrimPrefix(endpoint, d.url)]; !known {
					t.Errorf("%s: %s is %s, which nobody answers", place, name, endpoint)
				}
			}
		}
		if a := d.do(http.MethodGet, path+"/jwks", "", nil); a.status != http.StatusOK || !strings.Contains(a.text, `"crv":"P-256"`) || strings.Contains(a.text, `"d":`) {
			t.Errorf("%s/jwks: %d %s", path, a.status, a.text)
		}
	}
}

// What the metadata promises is what this server does.
func TestMetadata(t *testing.T) {
	d := openDesk(t, nil)
	a := d.do(http.MethodGet, "/.well-known/oauth-authorization-server", "", nil)
	for name, want := range map[string]string{
		"code_challenge_methods_supported":               `["S256"]`,
		"response_types_supported":                       `["code"]`,
		"authorization_response_iss_parameter_supported": `true`,
		"scopes_supported":                               `["clickhouse:read","clickhouse:write","offline_access"]`,
		"grant_types_supported":                          `["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"]`,
		"token_endpoint_auth_methods_supported":          `["none","client_secret_basic","client_secret_post","private_key_jwt"]`,
		"protected_resources":                            `["` + d.url + `/mcp"]`,
		"registration_endpoint":                          `null`,
		"client_id_metadata_document_supported":          `null`,
		"authorization_grant_profiles_supported":         `null`,
	} {
		if got := string(must(json.Marshal(a.fields[name]))); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	d = openDesk(t, everything)
	a = d.do(http.MethodGet, "/.well-known/oauth-authorization-server", "", nil)
	if a.field("registration_endpoint") != d.url+"/register" || a.fields["client_id_metadata_document_supported"] != true {
		t.Errorf("registration and documents are not there: %s", a.text)
	}
	for _, grant := range []string{GrantCredentials, GrantExchange, GrantAssertion} {
		if !slices.Contains(a.fields["grant_types_supported"].([]any), any(grant)) {
			t.Errorf("%s is not there: %s", grant, a.text)
		}
	}
	for _, algorithm := range a.fields["token_endpoint_auth_signing_alg_values_supported"].([]any) {
		if name := algorithm.(string); strings.HasPrefix(name, "HS") || name == "none" {
			t.Errorf("clients may sign with %s", name)
		}
	}
}

// everything turns on what can be.
func everything(c *Config) {
	c.AllowRegistration = true
	c.Fetch = nothingThere
	c.Assertion = nobodysAssertion
	c.Clients = append(c.Clients, ClientConfig{
		ID: "machine", Secret: porterhouse.NewSecret(deskSecret), Grants: []string{GrantCredentials, GrantExchange, GrantAssertion}, Exchange: nobodysToken,
	})
}

// Each path answers its methods alone; programs in browsers may use those that need
// no cookie, and no other site those that do.
func TestRoutes(t *testing.T) {
	d := openDesk(t, everything)
	if paths := d.Paths(); !slices.IsSorted(paths) || len(paths) != len(d.routes) || !slices.Contains(paths, "/oauth/token") {
		t.Errorf("the paths are %v", paths)
	}
	for path, route := range d.routes {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, "TRACE"} {
			a := d.do(method, path, "", url.Values{})
			if allowed := slices.Contains(route.methods, method); allowed == (a.status == http.StatusMethodNotAllowed) {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
			if a.status == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
				t.Errorf("%s %s: the answer does not say what is allowed", method, path)
			}
		}
		a := d.do(http.MethodOptions, path, "", nil, "Origin", "https://inspector.example", "Access-Control-Request-Method", "POST")
		if open := a.header.Get("Access-Control-Allow-Origin") == "*"; open != (route.of == programs) {
			t.Errorf("%s is for %s, and open to other origins: %v", path, route.of, open)
		}
		if a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s may be asked with cookies from other origins", path)
		}
		for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			a := d.do(http.MethodPost, path, "alice", url.Values{}, name, value)
			if refused := a.status == http.StatusForbidden; refused != (route.of == people) {
				t.Errorf("POST %s with %s: %s: %d", path, name, value, a.status)
			}
		}
	}
	if a := d.do(http.MethodGet, "/elsewhere", "", nil); a.status != http.StatusNotFound {
		t.Errorf("/elsewhere: %d", a.status)
	}
}

// A configuration that cannot be is refused, with the reason.
func TestNewRefuses(t *testing.T) {
	good := openDesk(t, nil).Config
	client := func(c ClientConfig) func(*Config) {
		return func(all *Config) { all.Clients = []ClientConfig{c} }
	}
	web := []string{"https://app.example.com/callback"}
	secret := porterhouse.NewSecret(deskSecret)
	for want, change := range map[string]func(*Config){
		"lacks Keys, Recheck, Who":  func(c *Config) { c.Keys, c.Who, c.Recheck = nil, nil, nil },
		"begin with https://":       func(c *Config) { c.Issuer = "http://house.example.com" },
		"must not end with a slash": func(c *Config) { c.Issuer = "https://house.example.com/" },
		"no user, no query":         func(c *Config) { c.Issuer = "https://house.example.com/?x" },
		"must be https://host":      func(c *Config) { c.Issuer = "house.example.com" },
		"dot segments":              func(c *Config) { c.Issuer = "https://house.example.com/a/../b" },
		"is there twice":            func(c *Config) { c.Resources = append(c.Resources, c.Resources[0]) },
		"without a fragment":        func(c *Config) { c.Resources = []Resource{{URI: "https://h/mcp#x", Scopes: []string{ScopeRead}}} },
		"has no scopes":             func(c *Config) { c.Resources = []Resource{{URI: "https://h/mcp"}} },
		"10m0s is the longest":      func(c *Config) { c.Lifetimes.Access = maxAccess + 1 },
		"lifetime of codes":         func(c *Config) { c.Lifetimes.Code = -1 },
		"1 to 512 characters":       client(ClientConfig{RedirectURIs: web}),
		"printable ASCII":           client(ClientConfig{ID: "büro", RedirectURIs: web}),
		"clients that register":     client(ClientConfig{ID: "reg_mine", RedirectURIs: web}),
		`"twice" is there twice`: func(c *Config) {
			c.Clients = []ClientConfig{{ID: "twice", RedirectURIs: web}, {ID: "twice", RedirectURIs: web}}
		},
		"has no redirect URI":             client(ClientConfig{ID: "c"}),
		"http://app.example.com":          client(ClientConfig{ID: "c", RedirectURIs: []string{"http://app.example.com/"}}),
		"no grant type":                   client(ClientConfig{ID: "c", Grants: []string{"password"}}),
		"needs a secret or a key":         client(ClientConfig{ID: "c", Grants: []string{GrantCredentials}}),
		"whose tokens it may exchange":    client(ClientConfig{ID: "c", Secret: secret, Grants: []string{GrantExchange}}),
		"no identity provider is trusted": client(ClientConfig{ID: "c", Secret: secret, Grants: []string{GrantAssertion}}),
		"no scope":                        client(ClientConfig{ID: "c", RedirectURIs: web, Scopes: []string{"admin"}}),
		"none of this server's":           client(ClientConfig{ID: "c", RedirectURIs: web, Resource: "https://other.example.com/mcp"}),
		"at least 16 are needed":          client(ClientConfig{ID: "c", RedirectURIs: web, Secret: porterhouse.NewSecret("short")}),
		"more than one of":                client(ClientConfig{ID: "c", RedirectURIs: web, Secret: secret, JWKSURI: "https://app.example.com/jwks"}),
		"its key set":                     client(ClientConfig{ID: "c", RedirectURIs: web, JWKS: `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`}),
		"cannot be fetched":               client(ClientConfig{ID: "c", RedirectURIs: web, JWKSURI: "https://app.example.com/jwks"}),
	} {
		c := good
		c.Resources = slices.Clone(c.Resources)
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		} else if strings.Contains(err.Error(), deskSecret) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

// A body that is longer than anything sensible is refused before it is read.
func TestHugeBodies(t *testing.T) {
	d := openDesk(t, everything)
	huge := url.Values{"client_id": {"clickhouse-client"}, "padding": {strings.Repeat("x", 1<<20)}}
	for path, route := range d.routes {
		if !slices.Contains(route.methods, http.MethodPost) {
			continue
		}
		if a := d.do(http.MethodPost, path, "alice", huge); a.status < 400 || a.status >= 500 {
			t.Errorf("POST %s: %d %.200s", path, a.status, a.text)
		}
	}
	for _, path := range []string{"/token", "/revoke", "/introspect", "/device_authorization"} {
		if a := d.do(http.MethodPost, path, "", huge); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("POST %s: %d %.200s", path, a.status, a.text)
		}
	}
}

// Without device codes nothing tells of them, and nothing answers to them.
func TestNoDeviceCodes(t *testing.T) {
	d := openDesk(t, func(c *Config) {
		c.DeviceCodes, c.AllowRegistration = false, true
		c.Clients = []ClientConfig{{ID: webClient, RedirectURIs: []string{webRedirect}}}
	})
	for _, path := range []string{"/device", "/device_authorization", "/oauth/device/code"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if a := d.do(method, path, "alice", url.Values{"client_id": {webClient}}); a.status != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
	told := d.do(http.MethodGet, "/.well-known/oauth-authorization-server", "", nil).text
	registered := d.register(map[string]any{"redirect_uris": []string{webRedirect}, "token_endpoint_auth_method": "none", "grant_types": []string{GrantCode, GrantDevice}})
	if registered.status != http.StatusCreated || strings.Contains(told+registered.text, "device") {
		t.Errorf("device codes are told of: %s %s", told, registered.text)
	}
	asked := url.Values{"grant_type": {GrantDevice}, "client_id": {registered.field("client_id")}, "device_code": {"phd_x"}}
	d.wantOAuthError(d.do(http.MethodPost, "/token", "", asked), "unsupported_grant_type")

	config := d.Config
	config.Clients = []ClientConfig{{ID: "cli", Grants: []string{GrantDevice}}}
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "device codes are switched off") {
		t.Errorf("a client that may use them: %v", err)
	}
}
