package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What an operator may well write, and what would let people in whom nobody meant,
// or nobody at all.
func TestMistakesAboutWhoIsAsking(t *testing.T) {
	const (
		github    = "token_processors: {people: {type: github, client_ids: [app], client_secret: 'env:GITHUB_SECRET'%s}}\n"
		directory = "user_directories: {token: {processor: people%s}}\n"
	)
	with := func(text, more string) string { return strings.Replace(text, "%s", more, 1) }
	for _, test := range []struct{ name, text, problem string }{
		{"a provider without TLS", `token_processors: {corp: {type: openid, configuration_endpoint: "http://idp.example.com/.well-known/openid-configuration"}}`, "configuration_endpoint: http://idp.example.com is not https"},
		{"a provider at a private address", `token_processors: {corp: {type: jwt_dynamic_jwks, jwks_uri: "https://10.1.2.3/keys"}}`, "jwks_uri: 10.1.2.3 is a special-use address"},
		{"that is allowed by name", "remote_url_allow_hosts: {host: 10.1.2.3}\n" + `token_processors: {corp: {type: jwt_dynamic_jwks, jwks_uri: "https://10.1.2.3/keys"}}`, ""},
		{"roles by groups that anybody founds", with(github, "") + with(directory, ""), "anybody can found a group at github"},
		{"also at GitLab", "token_processors: {people: {type: GitLab, client_ids: [app]}}\n" + with(directory, ""), "anybody can found a group at GitLab"},
		{"a mapping passes on what it does not name", with(github, "") + with(directory, ", roles_mapping: {map: {from: acme, to: analyst}}"), "anybody can found a group"},
		{"of one organization", with(github, ", organization: acme") + with(directory, ""), ""},
		{"those that are named", with(github, "") + with(directory, ", roles_filter: 'acme:.*'"), ""},
		{"no roles by groups", with(github, ""), ""},
	} {
		_, _, err := load(t, least+test.text)
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: the error is %v, want %q", test.name, err, test.problem)
		}
	}
}

// A second provider can name its people like those of the first.
func TestProvidersThatShareTheirNames(t *testing.T) {
	const two = least + `
token_processors:
  one: {type: keycloak, base_url: "https://sso.example.com/realms/one"}
  two: {type: keycloak, base_url: "https://sso.example.com/realms/two"}
user_directories: {token: [{processor: one%s}, {processor: two%s}]}
`
	for _, test := range []struct {
		one, two string
		told     bool
	}{
		{"", "", true},
		{", domains: [a.example]", "", true},
		{", domains: [a.example]", ", domains: [b.example, a.example]", true},
		{", domains: [a.example]", ", domains: [b.example]", false},
		{"", ", name: 'two_{user}'", false},
	} {
		c, _ := mustLoad(t, fmt.Sprintf(two, test.one, test.two))
		told := slices.ContainsFunc(c.weakenings(), func(text string) bool { return strings.HasPrefix(text, "token_processors.one and .two") })
		if told != test.told {
			t.Errorf("with %q and %q the start tells %v", test.one, test.two, c.weakenings())
		}
	}
}

// With the process everybody's claim to an account is gone.
func TestMemoryIsAWeakening(t *testing.T) {
	c, _ := mustLoad(t, least+"kv: {memory: true}\n")
	if !slices.ContainsFunc(c.weakenings(), func(text string) bool { return strings.HasPrefix(text, "kv.memory") }) {
		t.Errorf("not told at the start: %v", c.weakenings())
	}
}
