package directory

import (
	"strings"
	"testing"

	"porterhouse"
	"porterhouse/kv"
)

func person(user string) porterhouse.Principal {
	return porterhouse.Principal{Issuer: "porterhouse", Subject: "subject of " + user, User: user}
}

// cluster is the rules of somebody who makes the users by hand, with a store of
// its own.
func cluster(t testing.TB, deny []string, rules ...Rules) Config {
	t.Helper()
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return Config{Directories: rules, Gateway: "porterhouse_gw", Deny: deny, Store: store}
}

func directory(t testing.TB, c Config) *Directory {
	t.Helper()
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The rules that most tests use: of users that are made by hand.
var (
	all       = []string{"*"}
	whole     = Rules{LocalUsers: all}
	byAddress = Rules{UserName: "{localpart}", Domains: []string{"example.com"}, LocalUsers: all}
	prefixed  = Rules{UserName: "ph_{localpart}", Domains: []string{"example.com"}, LowerCase: true, LocalUsers: all}
	unicode   = Rules{AllowUnicodeNames: true, LocalUsers: all}
)

func TestAccount(t *testing.T) {
	twoDomains := Rules{UserName: "{user}", Domains: []string{"example.com", "Example.ORG"}}
	for _, test := range []struct {
		name       string
		rules      Rules
		user, want string
	}{
		{"the whole name", whole, "alice@example.com", "alice@example.com"},
		{"a name without a domain", whole, "alice", "alice"},
		{"letters keep their case", whole, "Alice@Example.com", "Alice@Example.com"},
		{"spaces and quotes are a name's own", whole, `O'Brien, "Bob" \`, `O'Brien, "Bob" \`},
		{"the local part", byAddress, "alice@example.com", "alice"},
		{"a domain has no case", byAddress, "alice@EXAMPLE.com", "alice"},
		{"a local part has", byAddress, "Alice@example.com", "Alice"},
		{"a tag is part of it", byAddress, "alice+reports@example.com", "alice+reports"},
		{"a prefix, in lower case", prefixed, "Alice@example.com", "ph_alice"},
		{"a prefix keeps its own case", Rules{UserName: "PH_{user}_X", LowerCase: true}, "Alice", "PH_alice_X"},
		{"both placeholders", Rules{UserName: "{localpart}/{user}", Domains: []string{"a.b", "c.d"}}, "x@a.b", "x/x@a.b"},
		{"the first of two domains", twoDomains, "alice@example.com", "alice@example.com"},
		{"the second of two domains", twoDomains, "alice@example.org", "alice@example.org"},
		{"shared, one account for all", Rules{UserName: "analyst", AllowShared: true}, "alice", "analyst"},
		{"shared, by local part", Rules{UserName: "{localpart}", Domains: []string{"a.b", "c.d"}, AllowShared: true}, "x@c.d", "x"},
		{"letters beyond ASCII, where allowed", unicode, "Zoë", "Zoë"},
		{"lower case leaves them alone", Rules{AllowUnicodeNames: true, LowerCase: true}, "İÉx", "İÉx"},
		{"near a denied name is not denied", whole, "default2", "default2"},
		{"a denied name within a longer one", prefixed, "default@example.com", "ph_default"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.rules.LocalUsers = all
			account, err := directory(t, cluster(t, nil, test.rules)).Account(t.Context(), person(test.user), porterhouse.Entry{})
			if err != nil || account.User.String() != test.want {
				t.Errorf("%q acts as %q, %v; want %q", test.user, account.User, err, test.want)
			}
		})
	}
}

// Nobody gets an account that is not theirs by writing a name cleverly.
func TestAttacks(t *testing.T) {
	for _, attack := range []struct {
		name   string
		rules  Rules
		user   string
		reason string
	}{
		{"no name", whole, "", "empty"},
		{"default", whole, "default", "nobody may act as"},
		{"Default", whole, "DEFAULT", "nobody may act as"},
		{"default, made by lower case", Rules{LowerCase: true}, "Default", "nobody may act as"},
		{"default, made by the local part", byAddress, "default@example.com", "nobody may act as"},
		{"default, made by a template", Rules{UserName: "de{localpart}", Domains: []string{"example.com"}}, "fault@example.com", "nobody may act as"},
		{"default in full width", unicode, "ｄｅｆａｕｌｔ", "nobody may act as"},
		{"default with a capital of mathematics", unicode, "\U0001D403efault", "nobody may act as"},
		{"default with a long s is not it", unicode, "adminſ", ""},
		{"default with a ligature", unicode, "oﬃce", "nobody may act as"},
		{"the gateway", byAddress, "porterhouse_gw@example.com", "nobody may act as"},
		{"the gateway, in another case", unicode, "pORTERHOUSE_GW", "nobody may act as"},
		{"a denied name", unicode, "Admin", "nobody may act as"},
		{"a denied name in another case", unicode, "aDMIN", "nobody may act as"},
		{"a denied name with dotless i is another", unicode, "admın", ""},
		{"a denied name in full case folding", unicode, "STRASSE", "nobody may act as"},
		{"a denied name in another case beyond ASCII", unicode, "ürün", "nobody may act as"},
		{"a name not in normal form", unicode, "Zoe\u0308", "normal form"},
		{"the Kelvin sign", unicode, "\u212Aate", "normal form"},
		{"letters beyond ASCII", whole, "аlice", "beyond ASCII"}, // a Cyrillic а
		{"a letter that lower case makes ASCII", Rules{LowerCase: true}, "adm\u0130n", "beyond ASCII"},
		{"a zero-width space", unicode, "ali\u200bce", "cannot be seen"},
		{"text that runs backwards", unicode, "ali\u202ece", "cannot be seen"},
		{"a line end", whole, "alice\n", "cannot be seen"},
		{"a NUL", whole, "alice\x00", "cannot be seen"},
		{"a space before", whole, " alice", "space"},
		{"a space after", whole, "alice ", "space"},
		{"a space that a prefix would hide", prefixed, " alice@example.com", "space"},
		{"invalid UTF-8", unicode, "alice\xff", "UTF-8"},
		{"a long name", whole, strings.Repeat("a", 129), "129 bytes"},
		{"a name that a prefix makes long", Rules{UserName: "ph_{user}"}, strings.Repeat("a", 126), "129 bytes"},
		{"another domain", byAddress, "alice@evil.com", "not let in"},
		{"a domain that ends like ours", byAddress, "alice@evil-example.com", "not let in"},
		{"a subdomain", byAddress, "alice@evil.example.com", "not let in"},
		{"a domain that begins like ours", byAddress, "alice@example.com.evil.com", "not let in"},
		{"a domain with a dot at its end", byAddress, "alice@example.com.", "not let in"},
		{"a domain with a long s", Rules{UserName: "{localpart}", Domains: []string{"shop.example"}}, "alice@\u017fhop.example", "not let in"},
		{"a domain with the Kelvin sign", Rules{UserName: "{localpart}", Domains: []string{"kite.example"}}, "alice@\u212Aite.example", "not let in"},
		{"our domain first", byAddress, "alice@example.com@evil.com", "more than one @"},
		{"our domain last", byAddress, "alice@evil.com@example.com", "more than one @"},
		{"our domain in quotes", byAddress, `"alice@evil.com"@example.com`, "more than one @"},
		{"no domain", byAddress, "alice", "no domain"},
		{"nothing before the @", byAddress, "@example.com", "nothing before"},
		{"nothing before the @ of a prefix", prefixed, "@example.com", "nothing before"},
		{"another domain, whole names", Rules{Domains: []string{"example.com"}}, "alice@evil.com", "not let in"},
		{"another domain, one account for all", Rules{UserName: "analyst", Domains: []string{"example.com"}, AllowShared: true}, "alice@evil.com", "not let in"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			attack.rules.LocalUsers = all
			account, err := directory(t, cluster(t, []string{"Admin", "Straße", "Ürün", "office", "ops_*"}, attack.rules)).Account(t.Context(), person(attack.user), porterhouse.Entry{})
			if attack.reason == "" { // the harmless neighbour of an attack
				if err != nil || account.User.String() != attack.user {
					t.Errorf("%q acts as %q, %v", attack.user, account.User, err)
				}
				return
			}
			if err == nil || !account.User.IsZero() {
				t.Fatalf("%q acts as %q", attack.user, account.User)
			}
			if kind, public := porterhouse.Explain(err); kind != porterhouse.Refused || strings.Contains(public, "nobody may act as") {
				t.Errorf("the answer is %s: %s", kind, public)
			}
			if !strings.Contains(err.Error(), attack.reason) {
				t.Errorf("the private reason is %q, want one with %q", err, attack.reason)
			}
		})
	}
}

func TestNobodyHasNoAccount(t *testing.T) {
	for _, who := range []porterhouse.Principal{
		{},
		{User: "alice"},
		{User: "alice", Issuer: "porterhouse"},
		{User: "alice", Subject: "alice"},
	} {
		account, err := directory(t, cluster(t, nil, whole)).Account(t.Context(), who, porterhouse.Entry{})
		if kind, _ := porterhouse.Explain(err); err == nil || kind != porterhouse.Unauthenticated {
			t.Errorf("%+v acts as %q, %v", who, account.User, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		rules  Rules
		reason string
	}{
		{"an unknown placeholder", Rules{UserName: "{usr}"}, "only {user} and {localpart}"},
		{"an empty placeholder", Rules{UserName: "x{}"}, "placeholder {}"},
		{"a placeholder in capitals", Rules{UserName: "{User}"}, "placeholder {User}"},
		{"an open brace", Rules{UserName: "{user"}, "{ without a }"},
		{"a closing brace", Rules{UserName: "user}"}, "} without a {"},
		{"a closing brace after a placeholder", Rules{UserName: "{user}}"}, "} without a {"},
		{"a brace in a brace", Rules{UserName: "{{user}}"}, "placeholder {{user}"},
		{"the local part of any domain", Rules{UserName: "{localpart}"}, "needs the domains"},
		{"the local part of any domain, shared", Rules{UserName: "{localpart}", AllowShared: true}, "needs the domains"},
		{"the local part of two domains", Rules{UserName: "{localpart}", Domains: []string{"a.b", "c.d"}}, "share an account"},
		{"one account for all", Rules{UserName: "analyst"}, "everybody has the same account"},
		{"one account for all, and a denied one", Rules{UserName: "Default", AllowShared: true}, "nobody may act as"},
		{"a template that begins with a space", Rules{UserName: " {user}"}, "space"},
		{"a template with a line end", Rules{UserName: "a\n{user}"}, "cannot be seen"},
		{"a template beyond ASCII", Rules{UserName: "é{user}"}, "beyond ASCII"},
		{"a template not in normal form", Rules{UserName: "e\u0301{user}", AllowUnicodeNames: true}, "normal form"},
		{"an empty domain", Rules{Domains: []string{""}}, "1 to 253"},
		{"a domain with an @", Rules{Domains: []string{"@example.com"}}, "'@'"},
		{"a domain with a star", Rules{Domains: []string{"*.example.com"}}, "'*'"},
		{"a domain beyond ASCII", Rules{Domains: []string{"exämple.com"}}, "xn--"},
		{"a domain with an empty label", Rules{Domains: []string{"example..com"}}, "not a host name"},
		{"a domain with a dot at its end", Rules{Domains: []string{"example.com."}}, "not a host name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(cluster(t, nil, test.rules))
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("%v, want an error with %q", err, test.reason)
			}
		})
	}
}

func TestTheSameDomainTwiceIsOne(t *testing.T) {
	directory(t, cluster(t, nil, Rules{UserName: "{localpart}", Domains: []string{"example.com", "EXAMPLE.com"}}))
}

// Two names lead to one account only where they differ in nothing but the case
// of the domain, and of ASCII letters where the rules say so; and no name leads
// to an account that is denied or cannot be written.
func FuzzAccount(f *testing.F) {
	for _, seed := range [][2]string{{"alice@example.com", "Alice@EXAMPLE.com"}, {"default", "DEFAULT"}, {"a@example.com@example.com", "é"}, {"", "\u212A@example.com"}} {
		f.Add(seed[0], seed[1])
	}
	lower := whole
	lower.LowerCase = true
	rules := []Rules{whole, byAddress, prefixed, unicode, lower}
	var directories []*Directory
	for _, c := range rules {
		directories = append(directories, directory(f, cluster(f, nil, c)))
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		for i, d := range directories {
			first, err := d.place(person(one), nil)
			if err != nil {
				continue
			}
			name := first.user.String()
			if _, err := porterhouse.ParseUserName(name); err != nil || strings.EqualFold(name, "default") || strings.EqualFold(name, "porterhouse_gw") {
				t.Fatalf("rules %d: %q acts as %q, %v", i, one, name, err)
			}
			second, err := d.place(person(other), nil)
			if err == nil && second.user == first.user && essence(rules[i], one) != essence(rules[i], other) {
				t.Fatalf("rules %d: %q and %q both act as %q", i, one, other, name)
			}
		}
	})
}

// essence is what of a name tells people apart under the rules.
func essence(c Rules, name string) string {
	if c.LowerCase {
		name = lowerASCII(name)
	}
	if at := strings.LastIndex(name, "@"); at >= 0 && c.Domains != nil {
		name = name[:at] + lowerASCII(name[at:])
	}
	return name
}

func BenchmarkAccount(b *testing.B) {
	d := directory(b, cluster(b, nil, prefixed))
	who := person("alice@example.com")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Account(b.Context(), who, porterhouse.Entry{}); err != nil {
			b.Fatal(err)
		}
	}
}
