package directory

import (
	"slices"
	"strings"
	"testing"

	"porterhouse"
)

func agent(client string) porterhouse.Principal {
	who := known("a", "1")
	who.Client = client
	return who
}

func TestPersonaOfTheClient(t *testing.T) {
	only := Persona{Suffix: "#agent", Clients: []string{"claude", "cursor"}}
	but := Persona{Suffix: "#agent", Except: []string{"dbeaver"}}
	for _, test := range []struct {
		name     string
		personas []Persona
		client   string
		want     string
	}{
		{"without personas", nil, "claude", "alice"},
		{"one that is listed", []Persona{only}, "cursor", "alice#agent"},
		{"one that is not", []Persona{only}, "dbeaver", "alice"},
		{"one that is listed begins so", []Persona{only}, "claude2", "alice"},
		{"in another case it is another", []Persona{only}, "Claude", "alice"},
		{"a token without a client", []Persona{only}, "", "alice"},
		{"all but one: that one", []Persona{but}, "dbeaver", "alice"},
		{"all but one: another", []Persona{but}, "claude", "alice#agent"},
		{"all but one: in another case", []Persona{but}, "DBeaver", "alice#agent"},
		{"all but one: a token without a client", []Persona{but}, "", "alice#agent"},
		{"everything", []Persona{{Suffix: "~x"}}, "", "alice~x"},
		{"the first that fits", []Persona{{Suffix: "#bi", Clients: []string{"claude"}}, but}, "claude", "alice#bi"},
		{"the second", []Persona{{Suffix: "#bi", Clients: []string{"grafana"}}, but}, "claude", "alice#agent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rules := whole
			rules.Personas = test.personas
			account, err := directory(t, cluster(t, nil, rules)).Account(t.Context(), agent(test.client), here)
			if err != nil || account.User.String() != test.want {
				t.Errorf("the client %q acts as %q, %v; want %q", test.client, account.User, err, test.want)
			}
		})
	}
}

// Nobody's own account is the agent's of another, and no agent has a role that its
// person has not.
func TestPersonaAttacks(t *testing.T) {
	withAgents := whole
	withAgents.Personas = []Persona{{Suffix: "#agent", Clients: []string{"claude"}}}
	elsewhere := whole
	elsewhere.Processor = "other"
	for _, attack := range []struct {
		name   string
		rules  []Rules
		who    porterhouse.Principal
		reason string
	}{
		{"the name of an agent's account", []Rules{withAgents}, porterhouse.Principal{Issuer: "a", Subject: "2", User: "alice#agent"}, "begins the name of a persona"},
		{"a separator alone", []Rules{withAgents}, porterhouse.Principal{Issuer: "a", Subject: "2", User: "#"}, "begins the name of a persona"},
		{"the same by rules without personas", []Rules{withAgents, elsewhere}, porterhouse.Principal{Issuer: "a", Subject: "2", User: "alice#agent", Proof: "other"}, "begins the name of a persona"},
		{"an agent of default", []Rules{withAgents}, porterhouse.Principal{Issuer: "a", Subject: "2", User: "default", Client: "claude"}, "nobody may act as"},
		{"a persona that is denied", []Rules{withAgents}, porterhouse.Principal{Issuer: "a", Subject: "2", User: "ops", Client: "claude"}, "nobody may act as"},
		{"a name that the suffix makes long", []Rules{withAgents}, porterhouse.Principal{Issuer: "a", Subject: "2", User: strings.Repeat("a", 123), Client: "claude"}, "129 bytes"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			account, err := directory(t, cluster(t, []string{"ops#agent"}, attack.rules...)).Account(t.Context(), attack.who, here)
			refusedFor(t, account, err, attack.reason)
		})
	}
}

// The agent of a person who was refused the person's own account is refused too, and
// an account that somebody had before there were personas is not another's agent.
func TestPersonasAreBound(t *testing.T) {
	rules := whole
	c := cluster(t, nil, rules)
	before := porterhouse.Principal{Issuer: "a", Subject: "2", User: "alice#agent"}
	if _, err := directory(t, c).Account(t.Context(), before, here); err != nil {
		t.Fatal(err)
	}
	rules.Personas = []Persona{{Suffix: "#agent", Clients: []string{"claude"}}, {Suffix: "#bi", Clients: []string{"grafana"}}}
	c.Directories = []Rules{rules}
	d := directory(t, c)
	account, err := d.Account(t.Context(), agent("claude"), here)
	refusedFor(t, account, err, "another person")

	other := agent("grafana")
	other.Subject = "3"
	account, err = d.Account(t.Context(), other, here)
	refusedFor(t, account, err, "another person") // alice is that of person 1, by her attempt above
	if account, err := d.Account(t.Context(), agent("grafana"), here); err != nil || account.User.String() != "alice#bi" {
		t.Errorf("acts as %q, %v", account.User, err)
	}
}

func TestAnAgentHasNoRoleOfItsOwn(t *testing.T) {
	for _, test := range []struct {
		allowed, roles, want []string
	}{
		{nil, []string{"a", "b"}, nil},
		{[]string{"b", "c"}, []string{"a", "b"}, []string{"b"}},
		{[]string{"read_*"}, []string{"admin", "read_a", "read_b"}, []string{"read_a", "read_b"}},
		{[]string{"*"}, []string{"a", "b"}, []string{"a", "b"}},
		{[]string{"*"}, nil, nil},
		{[]string{"A"}, []string{"a"}, nil},
	} {
		p, err := parsePersona(Persona{Suffix: "#agent", Roles: test.allowed})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.narrow(test.roles, nil); !slices.Equal(got, test.want) {
			t.Errorf("of the roles %q the persona that may have %q has %q, want %q", test.roles, test.allowed, got, test.want)
		}
	}
}

func TestPersonasThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*Rules)
		persona Persona
		reason  string
	}{
		{"without a suffix", nil, Persona{}, "separator"},
		{"a suffix without a separator", nil, Persona{Suffix: "agent"}, "separator"},
		{"an address for a separator", nil, Persona{Suffix: "@agent"}, "separator"},
		{"a separator that is a letter of many bytes", nil, Persona{Suffix: "§agent"}, "separator"},
		{"a separator alone", nil, Persona{Suffix: "#"}, "behind the separator"},
		{"two separators", nil, Persona{Suffix: "#a#b"}, "behind the separator"},
		{"a quote", nil, Persona{Suffix: "#a'"}, "behind the separator"},
		{"letters beyond ASCII", nil, Persona{Suffix: "#ä"}, "behind the separator"},
		{"clients and exceptions", nil, Persona{Suffix: "#a", Clients: []string{"x"}, Except: []string{"y"}}, "one of the two"},
		{"a client without a name", nil, Persona{Suffix: "#a", Clients: []string{""}}, "empty client"},
		{"an exception without a name", nil, Persona{Suffix: "#a", Except: []string{""}}, "empty client"},
		{"a role without a name", nil, Persona{Suffix: "#a", Roles: []string{""}}, "name 1 of its roles"},
		{"a star in a role", nil, Persona{Suffix: "#a", Roles: []string{"a*b"}}, "not its only one"},
		{"a profile that is no name", nil, Persona{Suffix: "#a", Profile: " "}, "profile"},
		{"a local user with the separator", func(r *Rules) { r.LocalUsers = []string{"etl#1"} }, Persona{Suffix: "#a"}, "another separator"},
		{"local users with the separator", func(r *Rules) { r.LocalUsers = []string{"etl#*"} }, Persona{Suffix: "#a"}, "another separator"},
		{"a template with the separator", func(r *Rules) { r.UserName = "ph#{user}" }, Persona{Suffix: "#a"}, "another separator"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rules := whole
			rules.Personas = []Persona{test.persona}
			if test.change != nil {
				test.change(&rules)
			}
			if _, err := New(cluster(t, nil, rules)); err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("%v, want an error with %q", err, test.reason)
			}
		})
	}
}
