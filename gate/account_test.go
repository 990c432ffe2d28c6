package gate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"porterhouse"
)

var secret = porterhouse.NewSecret("the-password")

// byPassword is somebody who showed a password of a ClickHouse user.
func byPassword(user string) porterhouse.Principal {
	return porterhouse.Principal{Issuer: PasswordIssuer("main"), Subject: user, User: user, Proof: Password, Token: secret}
}

// A password brings in its own user, where that is allowed, and none of those that are
// for nobody.
func TestPasswords(t *testing.T) {
	changed := func(change func(*porterhouse.Principal)) porterhouse.Principal {
		who := byPassword("alice")
		change(&who)
		return who
	}
	for name, c := range map[string]struct {
		who  porterhouse.Principal
		open bool
		want string
	}{
		"alice":                      {byPassword("alice"), true, "alice"},
		"where it is not allowed":    {byPassword("alice"), false, ""},
		"default":                    {byPassword("default"), true, ""},
		"Default":                    {byPassword("Default"), true, ""},
		"the gateway":                {byPassword("porterhouse"), true, ""},
		"the gateway, otherwise":     {byPassword("PorterHouse"), true, ""},
		"the provisioner":            {byPassword("provisioner"), true, ""},
		"nobody":                     {byPassword(""), true, ""},
		"a name that is none":        {byPassword("a\u200bb"), true, ""},
		"without a password":         {changed(func(p *porterhouse.Principal) { p.Token = porterhouse.Secret{} }), true, ""},
		"for another cluster":        {changed(func(p *porterhouse.Principal) { p.Issuer = PasswordIssuer("other") }), true, ""},
		"of a provider of its own":   {changed(func(p *porterhouse.Principal) { p.Issuer = "https://idp.example.com" }), true, ""},
		"a subject and another user": {changed(func(p *porterhouse.Principal) { p.User = "bob" }), true, "alice"},
	} {
		cluster := Cluster{Passwords: c.open, Deny: []string{"porterhouse", "provisioner"}}
		account, err := cluster.account(t.Context(), &c.who, porterhouse.Entry{Cluster: "main", Door: "http"})
		switch kind, text := porterhouse.Explain(err); {
		case c.want == "" && (err == nil || kind != porterhouse.Unauthenticated || codeIn(err) != codeAuthentication || !account.User.IsZero() || !account.Password.IsZero()):
			t.Errorf("%s: %v, %v", name, account.User, err)
		case c.want != "" && (err != nil || account.User.String() != c.want || !account.Password.Equal("the-password")):
			t.Errorf("%s: %v, %v", name, account.User, err)
		case strings.Contains(text, "the-password"):
			t.Errorf("%s: the password is told", name)
		}
	}
	h := newHouse(t, nil)
	if _, err := New(Config{Audit: h.record, People: &People{}, Clusters: map[string]Cluster{"main": {
		Client: h.clusters["main"].Client, Directory: h.clusters["main"].Directory, Passwords: true,
	}}}); err == nil || !strings.Contains(err.Error(), "for nobody") {
		t.Errorf("passwords without accounts that are denied: %v", err)
	}
}

// ClickHouse sees the tokens of those processors that the operator named, and no others;
// and where somebody is asked which token that is, nothing but what they say.
func TestTokensThatGoOn(t *testing.T) {
	away := porterhouse.Errorf(porterhouse.Unavailable, "the provider is away")
	for name, test := range map[string]struct {
		proof string
		asks  bool
		err   error
		want  string
	}{
		"nobody chooses":               {"corp", false, nil, ""},
		"another processor":            {"own", false, nil, ""},
		"no processor":                 {"", false, nil, ""},
		"another one":                  {"corp", true, nil, "asked for brought"},
		"another processor, and asked": {"own", true, nil, ""},
		"the provider is away":         {"corp", true, away, ""},
	} {
		asked := false
		cluster := Cluster{Forward: []string{"corp"}}
		if test.asks {
			cluster.Token = func(_ context.Context, who porterhouse.Principal) (porterhouse.Secret, error) {
				if asked = true; test.err != nil {
					return porterhouse.Secret{}, test.err
				}
				return porterhouse.NewSecret("asked for " + who.Token.Reveal()), nil
			}
		}
		who := porterhouse.Principal{Proof: test.proof, Token: porterhouse.NewSecret("brought")}
		var account porterhouse.Account
		err := cluster.equip(t.Context(), &who, &account)
		if asked != (test.asks && test.proof == "corp") || account.Token.Reveal() != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %q, asked: %t, %v", name, account.Token.Reveal(), asked, err)
		}
	}
}

// What is refused makes us ask nobody for a token, and where the token is not to be had
// ClickHouse is not asked.
func TestTokensAreAskedForLast(t *testing.T) {
	asked := 0
	h := newHouse(t, func(c *Config) {
		main := c.Clusters["main"]
		main.Forward = []string{"corp"}
		main.Token = func(context.Context, porterhouse.Principal) (porterhouse.Secret, error) {
			asked++
			return porterhouse.Secret{}, porterhouse.Errorf(porterhouse.Unavailable, "the provider is away")
		}
		c.Clusters["main"] = main
	})
	who := alice
	who.Proof, who.Token = "corp", porterhouse.Secret{}
	via := porterhouse.Via{Entry: porterhouse.Entry{Cluster: "main", Door: "test"}}
	for sql, want := range map[string]int{"DROP TABLE t": 0, "SELECT 1; SELECT 2": 0, "SELECT 1": 1} {
		asked = 0
		if _, err := h.Query(t.Context(), who, porterhouse.Query{SQL: sql, Via: via}); err == nil || asked != want {
			t.Errorf("%s: asked %d times, %v", sql, asked, err)
		}
	}
}

// A session is one person's, at one cluster, as one account.
func TestOwnerOfASession(t *testing.T) {
	user := func(name string) porterhouse.UserName {
		u, err := porterhouse.ParseUserName(name)
		check(t, err)
		return u
	}
	seen := map[string]string{}
	for name, got := range map[string]string{
		"alice":              owner(&porterhouse.Principal{Issuer: "i", Subject: "alice"}, "main", user("alice")),
		"bob":                owner(&porterhouse.Principal{Issuer: "i", Subject: "bob"}, "main", user("alice")),
		"alice of another":   owner(&porterhouse.Principal{Issuer: "j", Subject: "alice"}, "main", user("alice")),
		"elsewhere":          owner(&porterhouse.Principal{Issuer: "i", Subject: "alice"}, "other", user("alice")),
		"her agent":          owner(&porterhouse.Principal{Issuer: "i", Subject: "alice"}, "main", user("alice#agent")),
		"put together alike": owner(&porterhouse.Principal{Issuer: "ia", Subject: "lice"}, "main", user("alice")),
	} {
		if other, twice := seen[got]; twice || len(got) < 20 {
			t.Errorf("%s and %s have the owner %q", name, other, got)
		}
		seen[got] = name
	}
	again := owner(&porterhouse.Principal{Issuer: "i", Subject: "alice", Client: "another", TokenID: "another"}, "main", user("alice"))
	if seen[again] != "alice" {
		t.Error("with another token it is another session")
	}
}

// What all clusters share, somebody has one part of: with another cluster, account, client
// or token there is not a second one.
func TestPersonOfAPassage(t *testing.T) {
	seen := map[string]string{}
	for name, who := range map[string]porterhouse.Principal{
		"alice": {Issuer: "i", Subject: "alice"}, "bob": {Issuer: "i", Subject: "bob"},
		"alice of another": {Issuer: "j", Subject: "alice"}, "put together alike": {Issuer: "ia", Subject: "lice"},
	} {
		a := asking{who: who, door: &door{}, bounds: &bounds{}, q: porterhouse.Query{Passage: &porterhouse.Passage{}}}
		a.fill(porterhouse.Class{})
		first := a.q.Passage.Person
		a.q.Via.Cluster, a.who.Client, a.who.TokenID = "other", "another", "another"
		a.fill(porterhouse.Class{})
		if other, twice := seen[first]; twice || len(first) < 20 || a.q.Passage.Person != first {
			t.Errorf("%s and %s are the person %q, and then %q", name, other, first, a.q.Passage.Person)
		}
		seen[first] = name
	}
}
