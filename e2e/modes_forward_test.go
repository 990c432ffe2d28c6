package e2e

import (
	"fmt"
	"testing"
	"time"

	"porterhouse/sandbox"
	"porterhouse/sandbox/fake"
	"porterhouse/sandbox/idp"
)

// company is an identity provider, whose tokens both Porterhouse and ClickHouse take:
//
//	token ─▶ Porterhouse verifies it ─▶ the same token ─▶ ClickHouse verifies it ─▶ the person
//
// The ClickHouse is a stand-in with token processors (sandbox/fake) before the real one.
type company struct{ *idp.Issuer }

func openCompany(t *testing.T) *company { return &company{idp.StartIssuer(t, idp.Options{})} }

// What the company's tokens are for, beside mcpAudience.
const (
	doorAudience       = "https://door.example.com/clickhouse"
	clickHouseAudience = "https://clickhouse.example.com"
)

// processors is the configuration, in YAML, by which Porterhouse takes its tokens.
func (c *company) processors() string {
	return fmt.Sprintf(`
token_processors: {company: {type: openid, configuration_endpoint: %q, username_claim: email}}
remote_url_allow_hosts: {host: 127.0.0.1}
resources: {mcp: {audiences: [%s]}}
`, c.URL+discovery, mcpAudience)
}

// doors is what the door for ClickHouse's clients adds to its own.
func (c *company) doors() string { return ", audiences: [" + doorAudience + "]" }

// takesTokens is how an account is identified into which the stand-in lets the owners of
// tokens.
const takesTokens = "sha256_password BY '" + fake.Password + "'"

// clickHouse starts the stand-in before db, and returns its URL.
func (c *company) clickHouse(t *testing.T, db *sandbox.Server) string {
	t.Helper()
	p, _ := fake.Named("antalya")
	p.Processor = fake.TokenProcessor{KeysURL: c.URL + "/jwks", Issuer: c.Name, Audience: clickHouseAudience, UserClaim: "preferred_username", Password: fake.Password}
	s, err := fake.Start(p, db.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.URL
}

// token is one of the company's for both doors of Porterhouse and for whoever more.
func (c *company) token(t *testing.T, account, lifetime string, more ...string) string {
	t.Helper()
	ends, err := time.ParseDuration(lifetime)
	if err != nil {
		t.Fatal(err)
	}
	person := idp.Person{Subject: "u-" + account, Name: account, Email: account + "@example.com"}
	claims := c.Claims(person, "").With("aud", append([]string{mcpAudience, doorAudience}, more...))
	return c.Sign(claims.With("exp", time.Now().Add(ends).Unix()))
}

// otherwise is a token of which Porterhouse's rules make one account, and ClickHouse
// another.
func (c *company) otherwise(account, user string) string {
	person := idp.Person{Subject: "u-" + account, Name: user, Email: account + "@example.com"}
	return c.Sign(c.Claims(person, "").With("aud", []string{mcpAudience, doorAudience, clickHouseAudience}))
}
