// Package idp brings up identity providers on loopback for tests:
//
//	StartOIDC      npm's oidc-provider, certified: JWT and opaque tokens, introspection
//	StartDex       dex: JWT tokens, password grant
//	StartIssuer    an issuer with keys of its own, which signs whatever a test says,
//	               also in the shapes of Keycloak, Okta, Auth0 and Cognito
//	StartGoogle, StartGitHub, StartGitLab, StartEntra
//	               stand-ins for what nobody can run, after their documented wire formats
//
// The real ones are programs that somebody else wrote: what they and Porterhouse
// agree on is no agreement of Porterhouse with itself. The stand-ins are [Wire]s:
// a test can take one down, slow it, count what it was asked, or let an endpoint
// answer something else. [Internet] gives them their own names, such as
// accounts.google.com, behind a proxy and with certificates.
//
// At all of them people can sign in: [Visit] is a person with a browser. The stand-ins
// approve at once, for whom SignInAs chose, and lie where a test tampers with them.
//
// Everything ends with its test. Nothing of Porterhouse is imported here.
package idp

import "time"

// Person can sign in at a provider.
type Person struct {
	Subject    string // the provider's id
	Name       string // short, such as alice
	Email      string
	Unverified bool   // nobody checked that the address is the person's
	Password   string // where the provider asks for one
	Groups     []string
}

// Client is a program that people sign in to.
type Client struct{ ID, Secret, Redirect string }

// Exchange lets a client change tokens for one audience, or opaque ones of its own, into
// tokens for another (RFC 8693).
type Exchange struct {
	Client   string // its id
	From, To string // audiences; that of To is a resource
}

// Options say who a provider knows. The zero Options are Alice, Bob and one client.
type Options struct {
	People    []Person
	Clients   []Client
	Exchanges []Exchange    // oidc-provider only
	Lifetime  time.Duration // of a token; 0: ten minutes
	Key       *Key          // a stand-in's first; nil: a new one for RS256, which takes a while to make
}

// The people and the client of zero Options.
var (
	Alice = Person{Subject: "u-1001", Name: "alice", Email: "alice@example.com", Password: "alice's password", Groups: []string{"analysts", "staff"}}
	Bob   = Person{Subject: "u-1002", Name: "bob", Email: "bob@example.com", Password: "bob's password", Groups: []string{"staff"}}
	App   = Client{ID: "porterhouse", Secret: "the client's secret, which is long enough", Redirect: "http://127.0.0.1:1/callback"}
)

func (o Options) withDefaults() Options {
	if o.People == nil {
		o.People = []Person{Alice, Bob}
	}
	if o.Clients == nil {
		o.Clients = []Client{App}
	}
	if o.Lifetime == 0 {
		o.Lifetime = 10 * time.Minute
	}
	return o
}
