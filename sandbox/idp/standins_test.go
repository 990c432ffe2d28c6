package idp_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"porterhouse/sandbox/idp"
)

// What the stand-ins sign, a JOSE library that others wrote verifies with the key
// set that they publish.
func TestSignaturesAreSound(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	for _, algorithm := range []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "HS256", "RS512"} {
		i.AddKey(idp.NewKey(t, algorithm))
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(get(t, http.DefaultClient, i.URL+"/jwks", "", http.StatusOK)), &set); err != nil {
			t.Fatal(err)
		}
		signed, err := jose.ParseSignedCompact(i.Sign(i.Claims(idp.Alice, "a door")), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if _, err := signed.Verify(set.Key(i.Key().ID)[0].Key); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}

// get asks address, with a token if there is one, and returns the body.
func get(t *testing.T, client *http.Client, address, token string, want int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return do(t, client, request, want)
}

func do(t *testing.T, client *http.Client, request *http.Request, want int) string {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Fatalf("%s: %s instead of %d, %v\n%s", request.URL, response.Status, want, err, text)
	}
	return string(text)
}

// through is a client that reaches the stand-ins under their own names.
func through(t *testing.T, n *idp.Internet) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(n.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := url.Parse(n.Proxy)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Everybody answers under the name that the world knows.
func TestTrueNames(t *testing.T) {
	google, github, entra := idp.StartGoogle(t, idp.Options{}), idp.StartGitHub(t, idp.Options{}), idp.StartEntra(t, idp.Options{})
	client := through(t, idp.StartInternet(t, google, github, entra))

	ya29 := google.Access(idp.Alice, idp.App.ID)
	for _, ask := range []struct{ address, token, want string }{
		{"https://accounts.google.com/.well-known/openid-configuration", "", `"jwks_uri":"https://www.googleapis.com/oauth2/v3/certs"`},
		{"https://oauth2.googleapis.com/tokeninfo?access_token=" + ya29, "", `"email_verified":"true"`},
		{"https://openidconnect.googleapis.com/v1/userinfo", ya29, `"email_verified":true`},
		{"https://cloudidentity.googleapis.com/v1/groups/-/memberships:searchDirectGroups?query=" + url.QueryEscape("member_key_id == 'alice@example.com'"), ya29, `"id":"analysts"`},
		{"https://api.github.com/user", github.Access(idp.Octo, idp.App.ID), `"id":583231`},
		{"https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration", "", `{tenantid}`},
		{"https://graph.microsoft.com/v1.0/me/memberOf", entra.GraphToken(idp.Bob, idp.App.ID), `"id":"staff"`},
	} {
		if text := get(t, client, ask.address, ask.token, http.StatusOK); !strings.Contains(text, ask.want) {
			t.Errorf("%s: no %s in %s", ask.address, ask.want, text)
		}
	}
}

// Organizations and teams come in pages, and a token is only its own application's.
func TestGitHub(t *testing.T) {
	g := idp.StartGitHub(t, idp.Options{})
	token := g.Access(idp.Octo, idp.App.ID)
	for _, page := range []struct{ query, slug string }{{"", "analysts"}, {"?page=2", "staff"}} {
		if text := get(t, http.DefaultClient, g.URL+"/user/teams"+page.query, token, http.StatusOK); !strings.Contains(text, page.slug) {
			t.Errorf("no %s in %s", page.slug, text)
		}
	}
	check := func(token string, want int) {
		t.Helper()
		body, err := json.Marshal(map[string]string{"access_token": token})
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/applications/"+idp.App.ID+"/token", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(idp.App.ID, idp.App.Secret)
		do(t, http.DefaultClient, request, want)
	}
	check(token, http.StatusOK)
	check(g.Access(idp.Octo, "another app"), http.StatusNotFound)
	g.SetLimited(true)
	get(t, http.DefaultClient, g.URL+"/user", token, http.StatusForbidden)
	g.SetLimited(false)
	g.Revoke(token)
	get(t, http.DefaultClient, g.URL+"/user", token, http.StatusUnauthorized)
}

// A stand-in can be down, count, and be up again.
func TestOutage(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	i.Down()
	if response, err := http.Get(i.URL + "/jwks"); err == nil {
		_ = response.Body.Close()
		t.Fatalf("it answers: %s", response.Status)
	}
	i.Up()
	get(t, http.DefaultClient, i.URL+"/jwks", "", http.StatusOK)
	if n := i.Asked("/jwks"); n < 2 { // a client may try again by itself
		t.Errorf("counted %d requests", n)
	}
}

func TestOpaqueTokens(t *testing.T) {
	gitlab := idp.StartGitLab(t, idp.Options{})
	token := gitlab.Access(idp.Alice, idp.App.ID)
	form := url.Values{"token": {token}}.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gitlab.URL+"/oauth/introspect", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(idp.App.ID), url.QueryEscape(idp.App.Secret))
	if text := do(t, http.DefaultClient, request, http.StatusOK); !strings.Contains(text, `"active":true`) {
		t.Error(text)
	}
	if text := get(t, http.DefaultClient, gitlab.URL+"/oauth/userinfo", token, http.StatusOK); strings.Contains(text, `"scope"`) || !strings.Contains(text, `"analysts"`) {
		t.Error(text)
	}
	gitlab.Revoke(token)
	get(t, http.DefaultClient, gitlab.URL+"/oauth/userinfo", token, http.StatusUnauthorized)
}
