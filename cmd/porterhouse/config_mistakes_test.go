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

// One person has one account with one set of roles, whichever of a provider's
// processors proved them.
func TestOneAccountHasOneSetOfRoles(t *testing.T) {
	const (
		cluster = "clusters: {main: {url: 'http://127.0.0.1:8123', user: gw, password: 'env:CLICKHOUSE_PASSWORD', %sallow_plain_http: true}}\n" + leastTokens + leastAudit
		made    = "provision: {user: prov, password: 'env:CLICKHOUSE_PASSWORD', prefix: ph_}, "
		two     = "users: {name: 'ph_{user}', local_users: {allow: [alice]}}\n" + `
token_processors:
  one: {type: keycloak, base_url: "https://sso.example.com/realms/one"}
  two: {type: openid, configuration_endpoint: "https://sso.example.com/realms/%s/.well-known/openid-configuration"}
user_directories: {token: [{processor: one, common_roles: [a, b]%s}]}
`
		again = "}, {processor: two, common_roles: "
	)
	for _, test := range []struct {
		name, provision, realm, more string
		refused                      bool
	}{
		{"one of them without a directory", made, "one", "", true},
		{"other roles", made, "one", again + "[a, c]", true},
		{"another filter", made, "one", again + "[a, b], roles_filter: x", true},
		{"another profile", made, "one", again + "[a, b], default_profile: x", true},
		{"the same roles", made, "one", again + "[b, a]", false},
		{"another name", made, "one", again + "[c], name: 'ph_x_{user}'", false},
		{"another issuer, whose people are others", made, "two", again + "[c]", false},
		{"accounts that are made by hand", "", "one", again + "[c]", false},
	} {
		_, _, err := load(t, fmt.Sprintf(cluster, test.provision)+fmt.Sprintf(two, test.realm, test.more))
		if refused := err != nil && strings.Contains(err.Error(), "one set of roles"); refused != test.refused || err != nil && !refused {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// What lets in more than its name says is told at the start.
func TestNamesThatLetInMore(t *testing.T) {
	const provided = "clusters: {main: {url: 'http://127.0.0.1:8123', user: gw, password: 'env:CLICKHOUSE_PASSWORD', provision: {user: prov, password: 'env:CLICKHOUSE_PASSWORD', prefix: ph_}}}\n" + leastTokens + leastAudit
	for _, test := range []struct{ name, text, told string }{
		{"a persona for some clients", least[:len(least)-2] + ", personas: {suffix: '#agent', clients: [claude]}}\n", "users.personas.clients: "},
		{"a persona for all but some", least[:len(least)-2] + ", personas: {suffix: '#agent', except: [grafana]}}\n", ""},
		{"one for some, another for the rest", least[:len(least)-2] + ", personas: [{suffix: '#agent', clients: [claude]}, {suffix: '#other'}]}\n", ""},
		{"users by name", leastApart + "users: {local_users: {allow: [alice, bob]}}\n", ""},
		{"users by prefix", leastApart + "users: {local_users: {allow: [alice, 'team_*']}}\n", "users.local_users.allow: team_* "},
		{"users by prefix, with somebody who looks", provided + "users: {name: 'ph_{user}', local_users: {allow: ['ph_team_*']}}\n", ""},
		{"all users, with somebody who looks", provided + "users: {name: 'ph_{user}', local_users: {allow: ['*']}}\n", "users.local_users.allow: * "},
	} {
		c, _ := mustLoad(t, test.text)
		told := c.weakenings()
		if len(told) > 1 || (len(told) == 1) != (test.told != "") || !strings.HasPrefix(strings.Join(told, ""), test.told) {
			t.Errorf("%s: the start tells %q, want %q", test.name, told, test.told)
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
