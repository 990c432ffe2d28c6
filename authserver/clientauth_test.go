package authserver

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"porterhouse"
)

// proving is a desk with clients that prove themselves in each way.
func proving(t *testing.T, more func(*Config)) (*desk, jose.JSONWebKey) {
	t.Helper()
	key := jose.JSONWebKey{Key: p256(), KeyID: "one", Algorithm: "ES256", Use: "sig"}
	web := []string{"https://app.example.com/callback"}
	d := openDesk(t, func(c *Config) {
		c.Fetch = nothingThere
		c.Clients = []ClientConfig{
			{ID: "public", RedirectURIs: web},
			{ID: "https://app.example.com/client.json", RedirectURIs: web},
			{ID: "secret", RedirectURIs: web, Secret: porterhouse.NewSecret(deskSecret)},
			{ID: "s:c%r et", RedirectURIs: web, Secret: porterhouse.NewSecret("100%+of:a secret&")},
			{ID: "base64", RedirectURIs: web, Secret: porterhouse.NewSecret("ab+cd/ef+gh/ij+kl==")},
			{ID: "key", RedirectURIs: web, JWKS: string(keySetOf(key))},
		}
		if more != nil {
			more(c)
		}
	})
	return d, key
}

func keySetOf(keys ...jose.JSONWebKey) []byte {
	set := jose.JSONWebKeySet{}
	for _, key := range keys {
		set.Keys = append(set.Keys, key.Public())
	}
	return must(json.Marshal(set))
}

// authenticated asks who sent a request with a form and, perhaps, HTTP Basic as it
// is on the wire.
func (d *desk) authenticated(form url.Values, basic string) (Client, error) {
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, "/token", nil)
	if basic != "" {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(basic)))
	}
	return d.authenticate(d.t.Context(), r, form)
}

// Clients prove themselves in the ways there are, and some do it a little wrong.
func TestAuthenticate(t *testing.T) {
	d, _ := proving(t, nil)
	odd, oddID := "100%+of:a secret&", "s:c%r et"
	for name, test := range map[string]struct {
		form  url.Values
		basic string
		want  string
	}{
		"public":                               {url.Values{"client_id": {"public"}}, "", "public"},
		"public, an empty secret":              {url.Values{"client_id": {"public"}, "client_secret": {""}}, "", "public"},
		"public, Basic with an empty password": {nil, "public:", "public"},
		"a URL, Basic, encoded":                {nil, url.QueryEscape("https://app.example.com/client.json") + ":", "https://app.example.com/client.json"},
		"a URL, both":                          {url.Values{"client_id": {"https://app.example.com/client.json"}}, url.QueryEscape("https://app.example.com/client.json") + ":", "https://app.example.com/client.json"},
		"a secret, in the body":                {url.Values{"client_id": {"secret"}, "client_secret": {deskSecret}}, "", "secret"},
		"a secret, Basic":                      {nil, "secret:" + url.QueryEscape(deskSecret), "secret"},
		"a secret, Basic, not encoded":         {nil, "secret:" + deskSecret, "secret"},
		"a secret, Basic, the id in the body":  {url.Values{"client_id": {"secret"}}, "secret:" + url.QueryEscape(deskSecret), "secret"},
		"base64, Basic, not encoded":           {nil, "base64:ab+cd/ef+gh/ij+kl==", "base64"},
		"base64, Basic, encoded":               {nil, "base64:" + url.QueryEscape("ab+cd/ef+gh/ij+kl=="), "base64"},
		"an odd one, in the body":              {url.Values{"client_id": {oddID}, "client_secret": {odd}}, "", oddID},
		"an odd one, Basic":                    {nil, url.QueryEscape(oddID) + ":" + url.QueryEscape(odd), oddID},
	} {
		if c, err := d.authenticated(test.form, test.basic); err != nil || c.ID != test.want {
			t.Errorf("%s: %q, %v", name, c.ID, err)
		}
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	d, _ := proving(t, nil)
	for name, test := range map[string]struct {
		form  url.Values
		basic string
		code  string
	}{
		"nobody":                       {nil, "", "invalid_client"},
		"a stranger":                   {url.Values{"client_id": {"stranger"}}, "", "invalid_client"},
		"no secret":                    {url.Values{"client_id": {"secret"}}, "", "invalid_client"},
		"no secret, Basic":             {nil, "secret:", "invalid_client"},
		"a wrong secret":               {url.Values{"client_id": {"secret"}, "client_secret": {deskSecret + "x"}}, "", "invalid_client"},
		"a wrong secret, Basic":        {nil, "secret:x", "invalid_client"},
		"another client's secret":      {url.Values{"client_id": {"s:c%r et"}, "client_secret": {deskSecret}}, "", "invalid_client"},
		"the secret's beginning":       {url.Values{"client_id": {"secret"}, "client_secret": {deskSecret[:20]}}, "", "invalid_client"},
		"two secrets":                  {url.Values{"client_id": {"secret"}, "client_secret": {deskSecret}}, "secret:" + url.QueryEscape(deskSecret), "invalid_request"},
		"two clients":                  {url.Values{"client_id": {"public"}}, "secret:" + url.QueryEscape(deskSecret), "invalid_request"},
		"public, with a secret":        {url.Values{"client_id": {"public"}, "client_secret": {deskSecret}}, "", "invalid_client"},
		"a key's client without one":   {url.Values{"client_id": {"key"}}, "", "invalid_client"},
		"a key's client with a secret": {url.Values{"client_id": {"key"}, "client_secret": {deskSecret}}, "", "invalid_client"},
		"an assertion of another type": {url.Values{"client_id": {"key"}, "client_assertion": {"x"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}}, "", "invalid_request"},
		"an assertion of no type":      {url.Values{"client_id": {"key"}, "client_assertion": {"x"}}, "", "invalid_request"},
		"a type without an assertion":  {url.Values{"client_id": {"key"}, "client_assertion_type": {assertionType}}, "", "invalid_client"},
		"rubbish as an assertion":      {url.Values{"client_id": {"key"}, "client_assertion": {"x.y.z"}, "client_assertion_type": {assertionType}}, "", "invalid_client"},
	} {
		c, err := d.authenticated(test.form, test.basic)
		if err == nil || problemOf(err).code != test.code || c.ID != "" {
			t.Errorf("%s: %q, %v; want %s", name, c.ID, err, test.code)
		} else if strings.Contains(err.Error(), deskSecret[:20]) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
}

// Whoever guesses secrets is stopped, and nobody else, not even of the same network.
func TestGuessedSecrets(t *testing.T) {
	d, _ := proving(t, nil)
	wrong := url.Values{"client_id": {"secret"}, "client_secret": {"a wrong secret"}}
	right := url.Values{"client_id": {"secret"}, "client_secret": {deskSecret}}
	for range 60 {
		_, err := d.authenticated(wrong, "")
		d.wantProblem(err, "invalid_client", "missing or wrong")
	}
	_, err := d.authenticated(right, "")
	d.wantProblem(err, "temporarily_unavailable", "too often")
	if _, err := d.authenticated(url.Values{"client_id": {"public"}}, ""); err != nil {
		t.Errorf("another client of the same network: %v", err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil)
	r.RemoteAddr = "198.51.100.7:1"
	if _, err := d.authenticate(t.Context(), r, right); err != nil {
		t.Errorf("the same client of another network: %v", err)
	}
	d.pass(time.Minute)
	if _, err := d.authenticated(right, ""); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

// assertion makes one of the client "key", with some claims changed; nil takes one out.
func (d *desk) assertion(key jose.SigningKey, changes map[string]any) url.Values {
	d.t.Helper()
	claims := map[string]any{
		"iss": "key", "sub": "key", "aud": d.url, "exp": d.now().Add(time.Minute).Unix(), "iat": d.now().Unix(), "jti": newID(),
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	signed := must(must(jose.NewSigner(key, nil)).Sign(must(json.Marshal(claims))))
	return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {must(signed.CompactSerialize())}}
}

func signedBy(key jose.JSONWebKey) jose.SigningKey {
	return jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}
}

// A client with a key proves that it has it, for us alone and for a short time.
func TestPrivateKeyJWT(t *testing.T) {
	d, key := proving(t, nil)
	other := jose.JSONWebKey{Key: p256(), KeyID: "one", Algorithm: "ES256"}
	long := must(rsa.GenerateKey(rand.Reader, 2048))
	seconds := func(from time.Duration) int64 { return d.now().Add(from).Unix() }
	for name, test := range map[string]struct {
		key     jose.SigningKey
		changes map[string]any
		want    string // "": it is taken
	}{
		"for the issuer":             {signedBy(key), nil, ""},
		"for the token endpoint":     {signedBy(key), map[string]any{"aud": d.url + "/token"}, ""},
		"for the other endpoint":     {signedBy(key), map[string]any{"aud": d.url + "/oauth/token"}, ""},
		"for several":                {signedBy(key), map[string]any{"aud": []string{"https://other.example.com", d.url}}, ""},
		"no iat":                     {signedBy(key), map[string]any{"iat": nil}, ""},
		"no key id":                  {jose.SigningKey{Algorithm: jose.ES256, Key: key.Key}, nil, ""},
		"for five minutes":           {signedBy(key), map[string]any{"exp": seconds(maxProofLife)}, ""},
		"a fraction of a second":     {signedBy(key), map[string]any{"exp": float64(seconds(time.Minute)) + 0.5}, ""},
		"for somebody else":          {signedBy(key), map[string]any{"aud": "https://other.example.com"}, "not for this server"},
		"for nobody":                 {signedBy(key), map[string]any{"aud": nil}, "not for this server"},
		"for a name that begins so":  {signedBy(key), map[string]any{"aud": d.url + ".evil.example"}, "not for this server"},
		"for the resource":           {signedBy(key), map[string]any{"aud": d.url + "/mcp"}, "not for this server"},
		"of another issuer":          {signedBy(key), map[string]any{"iss": "other"}, "as iss and sub"},
		"no issuer":                  {signedBy(key), map[string]any{"iss": nil}, "as iss and sub"},
		"of a stranger":              {signedBy(key), map[string]any{"sub": "stranger", "iss": "stranger"}, "there is no client"},
		"for ever":                   {signedBy(key), map[string]any{"exp": nil}, "has ended"},
		"for an hour":                {signedBy(key), map[string]any{"exp": seconds(time.Hour)}, "must end within"},
		"ended":                      {signedBy(key), map[string]any{"exp": seconds(-clockSkew)}, "has ended"},
		"not yet":                    {signedBy(key), map[string]any{"nbf": seconds(2 * clockSkew)}, "of the future"},
		"made in the future":         {signedBy(key), map[string]any{"iat": seconds(2 * clockSkew)}, "of the future"},
		"no jti":                     {signedBy(key), map[string]any{"jti": nil}, "must have a jti"},
		"a huge jti":                 {signedBy(key), map[string]any{"jti": strings.Repeat("x", maxProofID+1)}, "must have a jti"},
		"too long":                   {signedBy(key), map[string]any{"x": strings.Repeat("x", maxProof)}, "more than the 8192 bytes"},
		"a number as aud":            {signedBy(key), map[string]any{"aud": 7}, "cannot be read"},
		"another key":                {signedBy(other), nil, "not signed by a key"},
		"another kind of key":        {jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: long, KeyID: "one"}}, nil, "not signed by a key"},
		"an unknown key id":          {jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.Key, KeyID: "two"}}, nil, "not signed by a key"},
		"the public key as a secret": {jose.SigningKey{Algorithm: jose.HS256, Key: keySetOf(key)}, nil, "no JWT signed with a public key"},
	} {
		c, err := d.authenticated(d.assertion(test.key, test.changes), "")
		switch {
		case test.want == "" && (err != nil || c.ID != "key"):
			t.Errorf("%s: %q, %v", name, c.ID, err)
		case test.want != "" && (err == nil || problemOf(err).code != "invalid_client" || !strings.Contains(problemOf(err).text, test.want)):
			t.Errorf("%s: want %q: %v", name, test.want, err)
		}
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(d.assertion(signedBy(key), nil).Get("client_assertion"), ".")[1] + "."
	_, err := d.authenticated(url.Values{"client_assertion_type": {assertionType}, "client_assertion": {none}}, "")
	d.wantProblem(err, "invalid_client", "no JWT signed with a public key")
}

// An assertion counts once, whoever brings it and however often at once.
func TestPrivateKeyJWTReplay(t *testing.T) {
	d, key := proving(t, nil)
	form := d.assertion(signedBy(key), nil)
	var wg sync.WaitGroup
	won := make(chan bool, 20)
	for range cap(won) {
		wg.Go(func() {
			_, err := d.authenticated(form, "")
			won <- err == nil
		})
	}
	wg.Wait()
	close(won)
	n := 0
	for ok := range won {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("one assertion counted %d times", n)
	}
	d.pass(time.Minute + clockSkew - time.Second)
	_, err := d.authenticated(form, "")
	d.wantProblem(err, "invalid_client", "used before")
	d.pass(time.Second)
	_, err = d.authenticated(form, "")
	d.wantProblem(err, "invalid_client", "has ended")
}

// A document's client with a key (ChatGPT's is one): the keys are at jwks_uri, and a
// new one is found when it first signs.
func TestDocumentWithKeys(t *testing.T) {
	s := openSite(t)
	first := jose.JSONWebKey{Key: p256(), KeyID: "first", Algorithm: "ES256"}
	second := jose.JSONWebKey{Key: must(rsa.GenerateKey(rand.Reader, 2048)), KeyID: "second", Algorithm: "RS256"}
	published := keySetOf(first)
	document := s.document(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": s.URL + "/jwks"})
	s.serve = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jwks" {
			_, _ = w.Write(published)
			return
		}
		_, _ = w.Write(document)
	}
	d := openDesk(t, s.outbound(t, nil))
	is := map[string]any{"iss": s.id(), "sub": s.id()}
	for range 3 {
		if c, err := d.authenticated(d.assertion(signedBy(first), is), ""); err != nil || c.Known != ByDocument {
			t.Fatal(err)
		}
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("the document and its keys were asked for %d times", n)
	}
	published = keySetOf(first, second)
	_, err := d.authenticated(d.assertion(signedBy(second), is), "")
	d.wantProblem(err, "invalid_client", "not signed by a key")
	d.pass(renewal)
	if _, err := d.authenticated(d.assertion(signedBy(second), is), ""); err != nil {
		t.Errorf("the new key: %v", err)
	}
	_, err = d.authenticated(url.Values{"client_id": {s.id()}}, "")
	d.wantProblem(err, "invalid_client", "must prove itself with its key")
}

// Of a key set, only what is public and strong proves anything.
func TestKeySetOfClients(t *testing.T) {
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	for name, key := range map[string]jose.JSONWebKey{
		"a short RSA key":  {Key: &weak.PublicKey, KeyID: "x"},
		"a private key":    {Key: p256(), KeyID: "x"},
		"a shared secret":  {Key: []byte(strings.Repeat("s", 32)), KeyID: "x"},
		"for encryption":   {Key: &p256().PublicKey, KeyID: "x", Use: "enc"},
		"a broken one too": {},
	} {
		text := []byte(`{"kty":"EC"}`)
		if key.Key != nil {
			text = must(key.MarshalJSON())
		}
		if keys, err := parseKeySet([]byte(`{"keys":[` + string(text) + `]}`)); err == nil {
			t.Errorf("%s is taken: %v", name, keys)
		}
		good := must((&jose.JSONWebKey{Key: &p256().PublicKey, KeyID: "good"}).MarshalJSON())
		if keys, err := parseKeySet([]byte(`{"keys":[` + string(text) + `,` + string(good) + `]}`)); err != nil || len(keys) != 1 || keys[0].KeyID != "good" {
			t.Errorf("%s beside a good one: %v, %v", name, keys, err)
		}
	}
	many := strings.TrimSuffix(strings.Repeat(`{},`, maxClientKeys+1), ",")
	if _, err := parseKeySet([]byte(`{"keys":[` + many + `]}`)); err == nil || !strings.Contains(err.Error(), "more than the 20") {
		t.Errorf("too many keys: %v", err)
	}
}
