package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
	"porterhouse/sandbox/idp"
)

// ClickHouse itself, asked with a user and a token as the password, asks
// Porterhouse, and knows the person; nobody else's token opens that user, nor one
// that is for the MCP door.
func TestClickHouseAsksWhoIsThere(t *testing.T) {
	i := idp.StartIssuer(t, idp.Options{})
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const audience = "https://clickhouse.example.com"
	door := fmt.Sprintf("authenticator: {listen: %q, path: env:KNOCK, audiences: %s}", port.Addr(), audience)
	s := settings{env: []string{"PROVISIONER=makes accounts, and no more", "KNOCK=0123456789abcdef0123456789abcdef"}}
	h := prepareHouse(t, "http://127.0.0.1:1", sandbox.Gateway{User: "porterhouse", Password: "x"}, s)
	configure := func(url string, gateway sandbox.Gateway) {
		h.write("gateway.password", gateway.Password)
		h.write("porterhouse.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
clusters:
  main:
    url: %q
    user: %s
    password: file:gateway.password
    provision: {user: porterhouse_provisioner, password: env:PROVISIONER, prefix: ph_, mode: http}
    %s
resources: {mcp: {audiences: [%s]}}
users: {name: "ph_{user}"}
audit: {file: %q, key: "file:audit.key"}
token_processors:
  corp: {type: openid, configuration_endpoint: "%s", username_claim: preferred_username}
user_directories: {token: {processor: corp, name: "ph_corp_{user}", %s}}
remote_url_allow_hosts: {host: 127.0.0.1}
`, url, gateway.User, door, mcpAudience, h.audit, i.URL+discovery, rolesOfGroups))
	}
	configure("http://127.0.0.1:1", sandbox.Gateway{User: "porterhouse", Password: "x"})
	file, err := h.run("check", "authenticator")
	if err != nil {
		t.Fatal(err)
	}
	_, inside, _ := strings.Cut(file, "<clickhouse>")
	inside, _, _ = strings.Cut(inside, "</clickhouse>")
	db, gateway := freshClickHouse(t, sandbox.Options{ExtraConfig: inside, Init: []string{"CREATE ROLE analysts", "CREATE ROLE staff"}})
	configure(db.HTTP, gateway)
	h.grant(db)
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	h.start(s)

	// ClickHouse asks only about users that it has: the accounts are made at the MCP
	// door, whose own lane has no way into them in this mode.
	for _, p := range []idp.Person{idp.Alice, idp.Bob} {
		if got, err := h.self(i.Sign(i.Claims(p, mcpAudience))); err == nil {
			t.Errorf("%s is %q by EXECUTE AS, without IMPERSONATE", p.Name, got)
		}
	}
	alice, bob := i.Sign(i.Claims(idp.Alice, audience)), i.Sign(i.Claims(idp.Bob, audience))
	h.eventually("Alice logs in to ClickHouse", 20*time.Second, func() bool {
		return login(t, db, "ph_corp_alice", alice) == http.StatusOK
	})
	for name, attempt := range map[string][2]string{
		"Bob's token for Alice":        {"ph_corp_alice", bob},
		"a token for another door":     {"ph_corp_alice", i.Sign(i.Claims(idp.Alice, mcpAudience))},
		"a token of another issuer":    {"ph_corp_alice", idp.NewKey(t, "RS256").Sign(i.Claims(idp.Alice, audience))},
		"an ended token":               {"ph_corp_alice", i.Sign(i.Claims(idp.Alice, audience).With("exp", time.Now().Add(-time.Hour).Unix()))},
		"no password":                  {"ph_corp_alice", ""},
		"a made-up ticket":             {"ph_corp_alice", "pht_" + strings.Repeat("x", 43)},
		"a good token, another user":   {"default", alice},
		"a good token, without a user": {"", alice},
	} {
		if status := login(t, db, attempt[0], attempt[1]); status == http.StatusOK {
			t.Errorf("%s opens ClickHouse", name)
		}
	}
	h.eventually("the login is recorded", 10*time.Second, func() bool {
		for _, line := range h.records() {
			if line["kind"] == "account" && line["action"] == "admit" && line["account"] == "ph_corp_alice" {
				return true
			}
		}
		return false
	})
}
