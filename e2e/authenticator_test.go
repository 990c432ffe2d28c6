package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
	"porterhouse/sandbox/idp"
)

// knock is the secret path of the authenticator.
const knock = "0123456789abcdef-knock"

// loginAs asks ClickHouse itself, with a user and a secret, who that is.
func loginAs(t *testing.T, db *sandbox.Server, user, secret string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, db.HTTP, strings.NewReader("SELECT currentUser(), arrayStringConcat(arraySort(currentRoles()), ',') FORMAT TSVRaw"))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(user, secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

// ClickHouse, asked directly with a user and a token, asks the program that runs, with
// the file that the program itself prints, and knows the person: by hand-made users
// and by those that are made here.
func TestAuthenticator(t *testing.T) {
	t.Parallel()
	address, i := quietAddress(t), idp.StartIssuer(t, idp.Options{})
	s := settings{env: []string{"PROVISIONER=makes accounts, and no more", "KNOCK=" + knock}}
	h := prepareHouse(t, "http://127.0.0.1:1", sandbox.Gateway{}, s)
	configure := func(clickhouse, gateway string) {
		h.write("porterhouse.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
clusters:
  main:
    url: %q
    user: %s
    password: file:gateway.password
    provision: {user: porterhouse_provisioner, password: env:PROVISIONER, prefix: ph_, mode: http}
    authenticator: {listen: %q, path: env:KNOCK}
resources: {mcp: {audiences: [%s]}}
users: {name: "ph_{user}", local_users: {allow: [ph_bob]}}
audit: {file: %q, key: "file:audit.key"}
remote_url_allow_hosts: {host: 127.0.0.1}
token_processors: {corp: {type: openid, configuration_endpoint: "%s", username_claim: preferred_username}}
user_directories: {token: {processor: corp, roles_filter: analysts|staff, common_roles: [analysts]}}
`, clickhouse, gateway, address, mcpAudience, h.audit, i.URL+discovery))
	}
	configure("http://127.0.0.1:1", "gateway")
	file, err := h.run("check", "authenticator")
	if err != nil || !strings.Contains(file, address+"/"+knock) {
		t.Fatalf("check authenticator: %v\n%s", err, file)
	}
	_, inside, _ := strings.Cut(file, "<clickhouse>")
	inside, _, _ = strings.Cut(inside, "</clickhouse>")
	byHTTP := " IDENTIFIED WITH http SERVER 'porterhouse' SCHEME 'BASIC'"
	db, gateway := freshClickHouse(t, sandbox.Options{ExtraConfig: inside, Init: []string{"CREATE ROLE analysts", "CREATE USER ph_bob" + byHTTP, "CREATE USER ph_carol" + byHTTP}})
	configure(db.HTTP, gateway.User)
	h.write("gateway.password", gateway.Password)
	h.grant(db)
	h.start(s)

	// ClickHouse asks about users that it has: this makes the account. With such accounts
	// the MCP door logs in to them by ticket (verify), as their mode says.
	alice := i.Claims(idp.Alice, mcpAudience)
	if self, err := h.self(i.Sign(alice)); err != nil || self != "ph_alice analysts" {
		t.Errorf("through the MCP door: %q, %v", self, err)
	}
	token := func(p idp.Person) string { return i.Sign(i.Claims(p, db.HTTP)) }
	carol := idp.Person{Subject: "u-3", Name: "carol", Email: "carol@example.com"}
	for _, test := range []struct{ name, user, secret, want string }{
		{"a user that was made", "ph_alice", token(idp.Alice), "ph_alice\tanalysts,porterhouse_account"},
		{"a local user", "ph_bob", token(idp.Bob), "ph_bob\t"},
		{"a token for the MCP door", "ph_alice", i.Sign(alice), ""},
		{"an expired token", "ph_alice", i.Sign(i.Claims(idp.Alice, db.HTTP).With("exp", time.Now().Add(-time.Hour).Unix())), ""},
		{"another's token", "ph_bob", token(idp.Alice), ""},
		{"a local user that is not listed", "ph_carol", token(carol), ""},
		{"no secret", "ph_alice", "", ""},
		{"a ticket that nobody made", "ph_alice", "pht_" + strings.Repeat("A", 43), ""},
	} {
		status, answer := loginAs(t, db, test.user, test.secret)
		if test.want != "" && (status != http.StatusOK || answer != strings.TrimSpace(test.want)) {
			t.Errorf("%s: %d %s\n%s", test.name, status, answer, h.lastLine())
		}
		if test.want == "" && (status != http.StatusForbidden || !strings.Contains(answer, "Code: 516")) {
			t.Errorf("%s: %d %s", test.name, status, answer)
		}
	}
}
