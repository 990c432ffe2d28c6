package mcpserver

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/authserver"
	"porterhouse/identity"
	"porterhouse/kv"
	"porterhouse/seal"
)

// ownIssuer is who gives out the tokens of these tests, and ownResource what they
// are for.
const (
	ownIssuer   = "https://porterhouse.example.com"
	ownResource = ownIssuer + "/mcp"
)

// ownToken asks our own authorization server for a token, as a program without people
// does, and returns it with what a door verifies it with.
func ownToken(t *testing.T) (token string, verify func(context.Context, string) (porterhouse.Principal, error)) {
	t.Helper()
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	check(t, err)
	key, err := seal.NewKey(porterhouse.NewSecret(strings.Repeat("k", seal.MinKey)))
	check(t, err)
	keys, err := authserver.OpenKeys(t.Context(), authserver.KeysConfig{Store: store, Key: key})
	check(t, err)
	record, err := audit.Open(audit.Config{Path: filepath.Join(t.TempDir(), "audit.jsonl"), Key: porterhouse.NewSecret(strings.Repeat("a", 64)), Replica: "test"})
	check(t, err)
	t.Cleanup(func() { check(t, record.Close()) })
	const secret = "the secret of a program without people"
	nobody := porterhouse.Errorf(porterhouse.Unauthenticated, "nobody signs in here")
	server, err := authserver.New(authserver.Config{
		Issuer: ownIssuer, SignIn: "/signin", Store: store, Key: key, Keys: keys, Audit: record,
		Resources: []authserver.Resource{{URI: ownResource, Name: "ClickHouse", Scopes: []string{authserver.ScopeRead}}},
		Who:       func(*http.Request) (porterhouse.Principal, error) { return porterhouse.Principal{}, nobody },
		Recheck: func(context.Context, porterhouse.Principal) (porterhouse.Principal, error) {
			return porterhouse.Principal{}, nobody
		},
		Clients: []authserver.ClientConfig{{
			ID: "suite", Secret: porterhouse.NewSecret(secret), Grants: []string{authserver.GrantCredentials},
			User: "alice@example.com",
		}},
	})
	check(t, err)
	request := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader("grant_type=client_credentials"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("suite", strings.ReplaceAll(secret, " ", "+")) // RFC 6749, 2.3.1
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, request)
	var given struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &given); err != nil || given.Token == "" {
		t.Fatalf("no token: HTTP %d, %v in %s", answer.Code, err, answer.Body)
	}
	return given.Token, ownVerifier(t, keys)
}

// ownVerifier knows the tokens that keys have signed.
func ownVerifier(t *testing.T, keys *authserver.Keys) func(context.Context, string) (porterhouse.Principal, error) {
	t.Helper()
	providers, err := identity.NewProviders(identity.ProvidersConfig{})
	check(t, err)
	own, err := identity.NewOwn(identity.OwnConfig{Issuer: ownIssuer, Key: keys.Verifying, Scopes: []string{authserver.ScopeRead}},
		identity.Resource{Door: "mcp", Audiences: []string{ownResource}}, providers)
	check(t, err)
	verifier, err := identity.New(identity.Config{Processors: []identity.Processor{own}})
	check(t, err)
	return verifier.Verify
}
