package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"porterhouse/sandbox"
	"porterhouse/sandbox/idp"
)

// rolesOfGroups is the same for the people of every provider.
const rolesOfGroups = `roles_mapping: {map: [{from: "acme:analysts", to: analysts}, {from: "acme:staff", to: staff}, {from: acme/analysts, to: analysts}, {from: analysts, to: analysts}, {from: staff, to: staff}]}, roles_filter: analysts|staff`

// provisioned is a house whose accounts are made by it: each processor is YAML, by
// its name. What its ClickHouse users may do is what the program itself prints.
func provisioned(t *testing.T, processors map[string]string, extra string, env ...string) (*house, *sandbox.Server) {
	t.Helper()
	return provisionedAt(t, "127.0.0.1:0", processors, extra, env...)
}

// provisionedAt is the same at an address that is known before.
func provisionedAt(t *testing.T, address string, processors map[string]string, extra string, env ...string) (*house, *sandbox.Server) {
	t.Helper()
	db, gateway := freshClickHouse(t, sandbox.Options{Init: []string{"CREATE ROLE analysts", "CREATE ROLE staff", "CREATE ROLE others"}})
	s := settings{env: append(env, "PROVISIONER=makes accounts, and no more")}
	h := prepareHouse(t, db.HTTP, gateway, s)
	var list, directories strings.Builder
	for _, name := range slices.Sorted(maps.Keys(processors)) {
		fmt.Fprintf(&list, "  %s: %s\n", name, processors[name])
		fmt.Fprintf(&directories, "    - {processor: %s, name: \"ph_%s_{user}\", %s}\n", name, name, rolesOfGroups)
	}
	h.write("porterhouse.yaml", fmt.Sprintf(`
listen: %s
clusters:
  main:
    url: %q
    user: %s
    password: file:gateway.password
    provision: {user: porterhouse_provisioner, password: env:PROVISIONER, prefix: ph_, lifetime: 1s}
resources: {mcp: {audiences: [%s]}}
users:
  name: "ph_{user}"
  personas: {suffix: "#agent", clients: [claude], roles: [analysts]}
tokens: {file: tokens.json}
audit: {file: %q, key: "file:audit.key"}
token_processors:
%suser_directories:
  token:
%s%s`, address, db.HTTP, gateway.User, mcpAudience, h.audit, list.String(), directories.String(), extra))
	h.grant(db)
	h.start(s)
	return h, db
}

// grant does what an operator does with the statements of check grants.
func (h *house) grant(db *sandbox.Server) {
	h.t.Helper()
	statements, err := h.run("check", "grants") // it also tells that nothing is granted yet
	statements = strings.ReplaceAll(statements, "<the provisioner's password>", "'makes accounts, and no more'")
	done := 0
	for statement := range strings.SplitSeq(statements, ";\n") {
		_, sql, isFirst := strings.Cut(statement, "\n")
		if !isFirst {
			sql = statement
		}
		if sql == "" || strings.Contains(sql, "<the gateway's password>") { // it is there already
			continue
		}
		if err := db.Exec(h.t.Context(), sql); err != nil {
			h.t.Fatalf("%s: %v", sql, err)
		}
		done++
	}
	if done < 8 {
		h.t.Fatalf("check grants printed only %d statements: %v\n%s", done, err, statements)
	}
}

// self is who ClickHouse says the bearer of a token is, and with which roles.
func (h *house) self(token string) (string, error) {
	a, err := h.agent(token, stateless)
	if err != nil {
		return "", err
	}
	defer func() { _ = a.end(h.t.Context()) }() // only its connections
	rows, err := a.rows(h.t.Context(), "SELECT currentUser(), arrayStringConcat(arraySort(arrayFilter(r -> r != 'porterhouse_account', currentRoles())), ',')")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%v %v", rows[0][0], rows[0][1]), nil
}

// lastLine is the end of the log.
func (h *house) lastLine() string {
	lines := strings.Split(strings.TrimSpace(h.log.String()), "\n")
	return lines[len(lines)-1]
}

// A token of every kind of provider goes in at the MCP door and its person comes out
// at ClickHouse: under the mapped name, with the roles of the groups, as a user that
// was not there before and that nobody can log in as.
func TestTokenProcessors(t *testing.T) {
	t.Parallel()
	all, key, net := providers(t)
	processors := map[string]string{}
	for name, p := range all {
		processors[name] = p.processor
	}
	h, db := provisioned(t, processors, fmt.Sprintf(`
identity: {proxy: %q, ca: %q}
remote_url_allow_hosts: {host: 127.0.0.1, host_regexp: ['.*']}
`, net.Proxy, net.CAFile), "TOKEN_KEY="+key, "IDP_SECRET="+idp.App.Secret)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			h, p := h.in(t), all[name]
			user := "ph_" + name + "_" + p.user
			if rows := direct(t, db, "SELECT count() FROM system.users WHERE name = '"+user+"'"); rows[0][0] != "0" {
				t.Fatalf("%s is there already", user)
			}
			got, err := h.self(p.token())
			if want := user + " " + strings.Join(p.roles, ","); err != nil || got != want {
				t.Fatalf("%q, %v; want %q\n%s", got, err, want, h.lastLine())
			}
			if rows := direct(t, db, "SELECT arrayStringConcat(auth_type) FROM system.users WHERE name = '"+user+"'"); rows[0][0] != "no_authentication" {
				t.Errorf("%s logs in by %v", user, rows)
			}
			for _, password := range []string{"", "x"} {
				if status, _ := loginAs(t, db, user, password); status == http.StatusOK {
					t.Errorf("%s logged in with the password %q", user, password)
				}
			}
		})
	}
	made := direct(t, db, "SELECT count(), (SELECT count() FROM system.role_grants) FROM system.users")
	for _, nobody := range []string{idp.NewKey(t, "RS256").Sign(idp.Claims{"iss": "urn:jwks", "aud": mcpAudience, "sub": "x"}), "ya29.made-up", "gho_" + strings.Repeat("x", 36)} {
		var refused *statusError
		if _, err := h.self(nobody); !errors.As(err, &refused) || refused.code != http.StatusUnauthorized {
			t.Errorf("a token of nobody: %v", err)
		}
	}
	if now := direct(t, db, "SELECT count(), (SELECT count() FROM system.role_grants) FROM system.users"); !slices.Equal(now[0], made[0]) {
		t.Errorf("tokens of nobody made users or grants: %v before, %v after", made, now)
	}
}

// Groups change at the provider, and roles in ClickHouse with the next verification;
// the provider goes away and comes back, and nothing has to be restarted.
func TestGroupsAndOutages(t *testing.T) {
	t.Parallel()
	i := idp.StartIssuer(t, idp.Options{})
	h, _ := provisioned(t, map[string]string{"corp": fmt.Sprintf(`{type: openid, configuration_endpoint: "%s", username_claim: preferred_username, introspection_client_id: %s, introspection_client_secret: "env:IDP_SECRET", token_cache_lifetime: 1s}`, i.URL+discovery, idp.App.ID)},
		"remote_url_allow_hosts: {host: 127.0.0.1}\n", "IDP_SECRET="+idp.App.Secret)
	person := idp.Alice
	expect := func(token, want string) {
		t.Helper()
		if got, err := h.self(token); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	signed := i.Sign(i.Claims(person, mcpAudience))
	expect(signed, "ph_corp_alice analysts,staff")

	// A newer token tells other groups: the older one has them from then on too.
	person.Groups = []string{"staff", "others", "nowhere"}
	newer := i.Sign(i.Claims(person, mcpAudience).With("iat", time.Now().Unix()+2))
	expect(newer, "ph_corp_alice staff")
	expect(signed, "ph_corp_alice staff")

	// An opaque token's groups are asked for again when its verdict has ended.
	claims := i.Claims(idp.Bob, mcpAudience)
	opaque := i.Opaque(claims)
	expect(opaque, "ph_corp_bob staff")
	i.Amend(opaque, idp.Claims{"groups": []string{"analysts"}})
	h.eventually("Bob is an analyst", 20*time.Second, func() bool {
		got, err := h.self(opaque)
		return err == nil && got == "ph_corp_bob analysts"
	})

	i.Down()
	expect(signed, "ph_corp_alice staff")                                // known
	expect(i.Sign(i.Claims(person, mcpAudience)), "ph_corp_alice staff") // its key is
	var away *statusError
	h.eventually("nobody can tell whose an opaque token is", 20*time.Second, func() bool {
		_, err := h.self(opaque)
		return errors.As(err, &away)
	})
	if away.code != http.StatusServiceUnavailable || away.header.Get("Retry-After") == "" {
		t.Errorf("while the provider is away: %v", away)
	}
	i.Up()
	h.eventually("Bob is back", time.Minute, func() bool {
		got, err := h.self(opaque)
		return err == nil && got == "ph_corp_bob analysts"
	})
}

// A person's agent is another account, with fewer rights, and ClickHouse itself
// keeps it from writing.
func TestPersona(t *testing.T) {
	t.Parallel()
	i := idp.StartIssuer(t, idp.Options{})
	h, db := provisioned(t, map[string]string{"corp": fmt.Sprintf(`{type: openid, configuration_endpoint: "%s", username_claim: preferred_username}`, i.URL+discovery)},
		"remote_url_allow_hosts: {host: 127.0.0.1}\n")
	claims := i.Claims(idp.Alice, mcpAudience)
	for client, want := range map[string]string{"cli": "ph_corp_alice analysts,staff", "claude": "ph_corp_alice#agent analysts"} {
		if got, err := h.self(i.Sign(claims.With("azp", client).With("client_id", client))); err != nil || got != want {
			t.Errorf("through %s: %q, %v; want %q\n%s", client, got, err, want, h.lastLine())
		}
	}
	rows := direct(t, db, "SELECT value, writability FROM system.settings_profile_elements WHERE user_name = 'ph_corp_alice#agent' AND setting_name = 'readonly'")
	if got := fmt.Sprint(rows); got != "[[2 CONST]]" {
		t.Errorf("readonly of the agent: %s", got)
	}
	person := idp.Alice
	person.Name = "alice#agent" // a name that reads like a persona's
	var refused *toolError
	if _, err := h.self(i.Sign(i.Claims(person, mcpAudience).With("sub", "u-6666"))); !errors.As(err, &refused) {
		t.Errorf("the name of a persona: %v", err)
	}
}
