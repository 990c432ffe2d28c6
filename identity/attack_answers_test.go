package identity_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse"
	"porterhouse/identity"
	"porterhouse/kv"
	"porterhouse/sandbox/idp"
	"porterhouse/ticket"
)

// The attack list: answers. What a provider, or somebody in its place, answers about
// a token: things that must not be believed, and places that must not be asked.

const no503 = porterhouse.Unavailable

// answering replaces an endpoint's answer by JSON.
func answering(path string, body idp.Claims) func(*testing.T, *house) {
	return func(_ *testing.T, h *house) { h.wire.AnswerJSON(path, http.StatusOK, body) }
}

// amended is what introspection says of a sound token, changed.
func amended(name string, value any) func(*testing.T, *house) {
	return func(t *testing.T, h *house) {
		claims := h.claims(h.person).With("active", true).With(name, value)
		h.wire.AnswerJSON("/introspect", http.StatusOK, claims)
	}
}

// tokeninfo is what Google says of a sound token, changed.
func tokeninfo(name string, value any) func(*testing.T, *house) {
	return func(t *testing.T, h *house) {
		h.wire.AnswerJSON("/tokeninfo", http.StatusOK, idp.Claims{
			"azp": client, "aud": client, "sub": idp.Alice.Subject, "scope": "openid " + idp.GoogleEmailScope,
			"exp": fmt.Sprint(h.clock.Now().Add(time.Minute).Unix()), "expires_in": "60", "email": idp.Alice.Email, "email_verified": "true",
		}.With(name, value))
	}
}

// googleUser is what Google's userinfo says of Alice, changed.
func googleUser(name string, value any) func(*testing.T, *house) {
	return answering("/v1/userinfo", idp.Claims{"sub": idp.Alice.Subject, "email": idp.Alice.Email, "email_verified": true}.With(name, value))
}

// gitHubUser is what GitHub says of Octo, changed.
func gitHubUser(name string, value any) func(*testing.T, *house) {
	return answering("/user", idp.Claims{"id": 583231, "login": "octo", "type": "User"}.With(name, value))
}

// metadata is where clouds answer with credentials.
const metadata = "http://169.254.169.254/latest/meta-data/iam"

var answers = []struct {
	name     string
	kind     func(testing.TB) *house
	do       func(*testing.T, *house)
	settings func(*identity.Settings)
	want     porterhouse.Kind
}{
	{"introspection: not active", introspection, amended("active", false), nil, no401},
	{"introspection: active as a text", introspection, amended("active", "true"), nil, no503},
	{"introspection: active as a number", introspection, amended("active", 1), nil, no503},
	{"introspection: active is null", introspection, amended("active", nil), nil, no503},
	{"introspection: active as a list", introspection, amended("active", []bool{true}), nil, no503},
	{"introspection: active in another case", introspection, answering("/introspect", idp.Claims{"Active": true, "sub": "u-1001"}), nil, no503},
	{"introspection: active twice", introspection, func(_ *testing.T, h *house) {
		h.wire.Answer("/introspect", textual(`{"active":false,"sub":"u-1001","active":true}`))
	}, nil, no503},
	{"introspection: for another door", introspection, amended("aud", "https://elsewhere.example.com"), nil, no401},
	{"introspection: for nobody, by another client", introspection, func(t *testing.T, h *house) {
		h.wire.AnswerJSON("/introspect", http.StatusOK, h.claims(h.person).With("active", true).With("aud", nil).With("client_id", "another").With("azp", nil))
	}, func(s *identity.Settings) { s.ClientIDs = []string{client} }, no401},
	{"introspection: ended", introspection, amended("exp", 1), nil, no401},
	{"introspection: the end is a text", introspection, amended("exp", "4102444800"), nil, no401},
	{"introspection: of another issuer", introspection, amended("iss", "https://evil.example.com"), nil, no401},
	{"introspection: about nobody, and userinfo does not know either", introspection, func(t *testing.T, h *house) {
		amended("sub", nil)(t, h)
		h.wire.AnswerJSON("/userinfo", http.StatusUnauthorized, idp.Claims{"error": "invalid_token"})
	}, nil, no401},
	{"introspection: bound to a key", introspection, amended("cnf", idp.Claims{"x5t#S256": "x"}), nil, no401},
	{"introspection: a page", introspection, func(_ *testing.T, h *house) { h.wire.Answer("/introspect", textual("<html>")) }, nil, no503},
	{"introspection: a list", introspection, func(_ *testing.T, h *house) { h.wire.Answer("/introspect", textual(`[{"active":true,"sub":"u"}]`)) }, nil, no503},
	{"introspection: two answers", introspection, func(_ *testing.T, h *house) {
		h.wire.Answer("/introspect", textual(`{"active":true,"sub":"u-1001"}{"active":false}`))
	}, nil, no503},
	{"introspection: status 500", introspection, func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/introspect", 500, idp.Claims{"active": true, "sub": "u-1001"})
	}, nil, no503},
	{"introspection: status 204", introspection, func(_ *testing.T, h *house) {
		h.wire.Answer("/introspect", func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(204) })
	}, nil, no503},
	{"introspection: our own secret is refused", introspection, func(_ *testing.T, h *house) {}, func(s *identity.Settings) { s.IntrospectionClientSecret = porterhouse.NewSecret("wrong") }, no503},
	{"introspection: without an end", introspection, func(_ *testing.T, h *house) {
		h.wire.Answer("/introspect", func(out http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := out.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return
				}
			}
		})
	}, nil, no503},
	{"introspection: it says the token back", introspection, func(_ *testing.T, h *house) {
		h.wire.Answer("/introspect", func(out http.ResponseWriter, r *http.Request) {
			http.Error(out, "cannot understand "+r.PostFormValue("token"), http.StatusInternalServerError)
		})
	}, nil, no503},
	{"introspection: it says the token back in a redirect", introspection, func(_ *testing.T, h *house) {
		h.wire.Answer("/introspect", func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "/introspect?token="+r.PostFormValue("token"), http.StatusTemporaryRedirect)
		})
	}, nil, no503},
	{"introspection: it says the token back in a broken header", introspection, func(_ *testing.T, h *house) {
		h.wire.Answer("/introspect", func(out http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(out).Hijack()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s OK\r\n\r\n", r.PostFormValue("token"))
			_ = conn.Close()
		})
	}, nil, no503},
	{"introspection: the name is missing, and userinfo is of another", introspection, func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/introspect", http.StatusOK, h.claims(h.person).With("active", true).With("groups", nil))
		h.wire.AnswerJSON("/userinfo", http.StatusOK, idp.Claims{"sub": "victim", "groups": []string{"admins"}})
	}, nil, no401},
	{"introspection: userinfo says nothing of whom it is about", introspection, func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/introspect", http.StatusOK, h.claims(h.person).With("active", true).With("groups", nil))
		h.wire.AnswerJSON("/userinfo", http.StatusOK, idp.Claims{"groups": []string{"admins"}})
	}, nil, no401},

	{"Google: of another client", googleAccess, tokeninfo("azp", "another.apps.googleusercontent.com"), nil, no401},
	{"Google: for another client", googleAccess, tokeninfo("aud", "another.apps.googleusercontent.com"), nil, no401},
	{"Google: of no client", googleAccess, tokeninfo("azp", nil), nil, no401},
	{"Google: the client is a list", googleAccess, tokeninfo("azp", []string{client}), nil, no401},
	{"Google: ended", googleAccess, tokeninfo("exp", "1"), nil, no401},
	{"Google: no end", googleAccess, tokeninfo("exp", nil), nil, no401},
	{"Google: an end that is none", googleAccess, tokeninfo("exp", "soon"), nil, no401},
	{"Google: tokeninfo is of another person", googleAccess, tokeninfo("sub", "victim"), nil, no401},
	{"Google: userinfo is of another person", googleAccess, googleUser("sub", "victim"), nil, no401},
	{"Google: userinfo is of nobody", googleAccess, googleUser("sub", nil), nil, no401},
	{"Google: not verified", googleAccess, func(t *testing.T, h *house) {
		tokeninfo("email_verified", "false")(t, h)
		googleUser("email_verified", false)(t, h)
	}, nil, no403},
	{"Google: of another domain", googleAccess, googleUser("hd", "evil.example"), func(s *identity.Settings) { s.AllowedDomains = []string{"corp.example"} }, no403},
	{"Google: a page in place of tokeninfo", googleAccess, func(_ *testing.T, h *house) { h.wire.Answer("/tokeninfo", textual("<html>")) }, nil, no503},
	{"Google: unknown token", googleAccess, func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/tokeninfo", 400, idp.Claims{"error": "invalid_token", "error_description": "Invalid Value"})
	}, nil, no401},

	{"GitHub: the check is of another application", gitHub, func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/applications/", 200, idp.Claims{"app": idp.Claims{"client_id": "another"}, "user": idp.Claims{"id": 583231}})
	}, nil, no401},
	{"GitHub: the check says nothing", gitHub, answering("/applications/", idp.Claims{}), nil, no401},
	{"GitHub: the check is limited", gitHub, func(_ *testing.T, h *house) {
		h.wire.Answer("/applications/", func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Retry-After", "60")
			out.WriteHeader(http.StatusForbidden)
		})
	}, nil, no503},
	{"GitHub: a program", gitHub, gitHubUser("type", "Bot"), nil, no401},
	{"GitHub: an organization", gitHub, gitHubUser("type", "Organization"), nil, no401},
	{"GitHub: no id", gitHub, gitHubUser("id", nil), nil, no503},
	{"GitHub: the id is a text", gitHub, gitHubUser("id", "583231"), nil, no503},
	{"GitHub: the id is negative", gitHub, gitHubUser("id", -1), nil, no503},
	{"GitHub: no login", gitHub, gitHubUser("login", nil), nil, no401},
	{"GitHub: bad credentials", gitHub, func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/user", 401, idp.Claims{"message": "Bad credentials"})
	}, nil, no401},
	{"GitHub: not in the organization", gitHub, func(*testing.T, *house) {}, func(s *identity.Settings) { s.Organization = "another" }, no403},
	{"GitHub: a team of the same name elsewhere", gitHub, func(_ *testing.T, h *house) {
		h.wire.Answer("/user/teams", textual(`[{"slug":"admins","organization":{"login":"evil"}}]`))
	}, func(s *identity.Settings) {
		s.Organization, s.AllowedGroups = "acme", []string{"evil:admins", "acme:admins"}
	}, no403},
	{"GitHub: the next page is elsewhere", gitHub, func(_ *testing.T, h *house) {
		h.wire.Answer("/user/orgs", func(out http.ResponseWriter, r *http.Request) {
			out.Header().Set("Link", `<https://evil.example.com/user/orgs>; rel="next"`)
			textual(`[{"login":"acme"}]`)(out, r)
		})
	}, nil, no503},
	{"GitHub: the next page is another question", gitHub, func(_ *testing.T, h *house) {
		h.wire.Answer("/user/orgs", func(out http.ResponseWriter, r *http.Request) {
			out.Header().Set("Link", `<https://api.github.com/user/keys?page=2>; rel="next"`)
			textual(`[{"login":"acme"}]`)(out, r)
		})
	}, nil, no503},

	{"GitLab: of another application", gitLab, func(t *testing.T, h *house) {
		h.wire.AnswerJSON("/oauth/token/info", 200, idp.Claims{"resource_owner_id": 4711, "application": idp.Claims{"uid": "another"}, "expires_in": 60})
	}, nil, no401},
	{"GitLab: of no application", gitLab, answering("/oauth/token/info", idp.Claims{"resource_owner_id": 4711, "expires_in": 60}), nil, no401},
	{"GitLab: userinfo is of another person", gitLab, answering("/oauth/userinfo", idp.Claims{"sub": "1", "preferred_username": "root"}), nil, no401},
	{"GitLab: ended", gitLab, answering("/oauth/token/info", idp.Claims{"resource_owner_id": 4711, "application": idp.Claims{"uid": client}, "expires_in": -100}), nil, no401},
	{"GitLab: not in the group", gitLab, func(*testing.T, *house) {}, func(s *identity.Settings) { s.Organization = "acm" }, no403},

	{"discovery: of another issuer", openID, func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/.well-known/openid-configuration", 200, h.signer.Discovery().With("issuer", "https://evil.example.com"))
	}, nil, no503},
	{"discovery: of no issuer", openID, func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/.well-known/openid-configuration", 200, h.signer.Discovery().With("issuer", nil))
	}, nil, no503},
	{"discovery: the key set twice", openID, func(_ *testing.T, h *house) {
		h.wire.Answer("/.well-known/openid-configuration", textual(`{"jwks_uri":"https://evil.example.com",`+asText(h.signer.Discovery())[1:]))
	}, nil, no503},

	{"Entra: another tenant", entraV2, signedAs("tid", "11111111-1111-1111-1111-111111111111"), nil, no401},
	{"Entra: no tenant", entraV2, signedAs("tid", nil), nil, no401},
	{"Entra: another tenant's issuer", entraV2, signedAs("iss", "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0"), nil, no401},
	{"Entra: the issuer of all tenants", entraV2, signedAs("iss", "https://login.microsoftonline.com/common/v2.0"), nil, no401},
	{"Entra: a program", entraV2, signedAs("scp", nil), nil, no401},
	{"Entra: a program, by idtyp", entraV2, signedAs("idtyp", "app"), nil, no401},
	{"Entra: no object id", entraV2, signedAs("oid", nil), nil, no401},
	{"Entra: for Graph", entraV2, signedAs("aud", "00000003-0000-0000-c000-000000000000"), nil, no401},
	{"Entra: for another application", entraV2, signedAs("aud", "22222222-2222-2222-2222-222222222222"), nil, no401},
}

// leading is a discovery document that names another place.
func leading(name, place string) func(*testing.T, *house) {
	return func(_ *testing.T, h *house) {
		h.wire.AnswerJSON("/.well-known/openid-configuration", http.StatusOK, h.signer.Discovery().With(name, place))
	}
}

// signedAs changes a claim of the sound token that is tried.
func signedAs(name string, value any) func(*testing.T, *house) {
	return func(_ *testing.T, h *house) {
		sound := h.claims
		h.claims = func(p idp.Person) idp.Claims { return sound(p).With(name, value) }
	}
}

// places are those that a discovery document must not lead to, each with a word of
// the reason: nothing is there that could answer in a test, so that an error alone
// would prove nothing.
var places = []struct{ name, place, reason string }{
	{"the cloud's metadata", metadata, "not https"},
	{"the cloud's metadata over TLS", "https://169.254.169.254/keys", "special-use"},
	{"the cloud's metadata in IPv6", "https://[::ffff:169.254.169.254]/keys", "special-use"},
	{"the cloud's metadata in its own IPv6", "https://[fd00:ec2::254]/keys", "special-use"},
	{"a file", "file:///etc/passwd", "https"},
	{"the private network", "https://10.0.0.1/keys", "special-use"},
	{"localhost", "https://localhost:1/keys", "special-use"},
	{"loopback in IPv6", "https://[::1]:1/keys", "special-use"},
	{"this host as zeros", "https://0.0.0.0:1/keys", "special-use"},
	{"a user and a password", "https://user:password@keys.example.com/keys", "without user or password"},
	{"no host", "https:///keys", "https://host/path"},
}

func TestPlacesThatMustNotBeAsked(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			h := openID(t)
			leading("jwks_uri", p.place)(t, h)
			_, err := h.verifier(t).Verify(t.Context(), h.good())
			if kind, _ := porterhouse.Explain(err); kind != porterhouse.Unavailable || !strings.Contains(err.Error(), p.reason) {
				t.Errorf("%s: %v, want a reason with %q", kind, err, p.reason)
			}
		})
	}
}

// Places that would answer with the right keys, and still must not be asked: one of
// ours that is not allowed by name, and one where a redirect leads.
func TestOtherHostsAreNotAsked(t *testing.T) {
	for name, lead := range map[string]func(*house, *idp.Issuer){
		"named in the discovery document": func(h *house, other *idp.Issuer) { leading("jwks_uri", other.URL+"/jwks")(t, h) },
		"by a redirect": func(h *house, other *idp.Issuer) {
			h.outbound.AllowHosts = append(h.outbound.AllowHosts, strings.TrimPrefix(other.URL, "http://"))
			h.wire.Answer("/jwks", func(out http.ResponseWriter, r *http.Request) {
				http.Redirect(out, r, other.URL+"/jwks", http.StatusFound)
			})
		},
		"the discovery document by a redirect": func(h *house, other *idp.Issuer) {
			h.outbound.AllowHosts = append(h.outbound.AllowHosts, strings.TrimPrefix(other.URL, "http://"))
			other.AnswerJSON("/document", 200, h.signer.Discovery())
			h.wire.Answer("/.well-known/openid-configuration", func(out http.ResponseWriter, r *http.Request) {
				http.Redirect(out, r, other.URL+"/document", http.StatusFound)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, other := openID(t), idp.StartIssuer(t, options(t))
			other.AnswerJSON("/jwks", 200, h.signer.KeySet())
			lead(h, other)
			refused(t, h.verifier(t), h.good(), porterhouse.Unavailable)
			if n := other.Asked(""); n != 0 {
				t.Errorf("it was asked %d times", n)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	for _, a := range answers {
		t.Run(a.name, func(t *testing.T) {
			h := a.kind(t)
			mustProve(t, h.verifier(t), h.good())
			a.do(t, h)
			refused(t, h.verifier(t, a.settings), h.good(), a.want)
		})
	}
}

// A provider that does not answer holds up nobody for longer than the time limit,
// and nobody of another provider at all.
func TestSlowProvider(t *testing.T) {
	slow, quick := introspection(t), introspection(t)
	slow.outbound.Timeout = 300 * time.Millisecond
	slow.outbound.AllowHosts = append(slow.outbound.AllowHosts, quick.outbound.AllowHosts...)
	p := slow.providers(t)
	v := slow.verifierOf(t, p, door)
	slow.provesInTime(t, v)
	slow.wire.Hold()
	held := make(chan error, 20)
	for range cap(held) {
		token := slow.good()
		go func() { held <- errorOf(v.Verify(t.Context(), token)) }()
	}
	mustProve(t, quick.verifierOf(t, p, door), quick.good())
	for range cap(held) {
		if kind, _ := porterhouse.Explain(<-held); kind != porterhouse.Unavailable {
			t.Errorf("the provider that does not answer is %s", kind)
		}
	}
	slow.wire.Release()
	slow.provesInTime(t, v)
}

// provesInTime has a token proved, although the provider has so little time for it that
// a busy machine may need some attempts.
func (h *house) provesInTime(t *testing.T, v *identity.Verifier) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		h.clock.pass(11 * time.Second) // a provider that failed is asked again
		if err := errorOf(v.Verify(t.Context(), h.good())); err == nil {
			return
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// Shapes of tokens that no provider is even asked about.
func TestNotEvenAsked(t *testing.T) {
	minted := mintedTicket(t)
	for name, a := range map[string]struct {
		kind  func(testing.TB) *house
		token string
	}{
		"GitHub: of an installation":   {gitHub, "ghs_" + strings.Repeat("x", 36)},
		"GitHub: a refresh token":      {gitHub, "ghr_" + strings.Repeat("x", 36)},
		"GitHub: a personal token":     {gitHub, "ghp_" + strings.Repeat("x", 36)},
		"GitHub: a fine-grained token": {gitHub, "github_pat_" + strings.Repeat("x", 60)},
		"GitHub: a header in it":       {gitHub, "gho_x\r\nX-Evil: 1"},
		"GitLab: a personal token":     {gitLab, "glpat-" + strings.Repeat("x", 20)},
		"GitLab: a line break":         {gitLab, "abc\ndef"},
		"Google: a header in it":       {googleAccess, "ya29.x\r\nHost: evil"},
		"Google: NUL":                  {googleAccess, "ya29.x\x00"},
		"openid: GitHub's":             {introspection, "gho_" + strings.Repeat("x", 36)},
		"openid: Google's":             {introspection, "ya29." + strings.Repeat("x", 36)},
		"openid: our own":              {introspection, "ph_ABCDEFGHIJKL_" + strings.Repeat("A", 59)},
		"openid: a ticket":             {introspection, minted},
		"GitLab: a ticket":             {gitLab, minted},
		"openid: not ASCII":            {introspection, "tökentökentöken"},
		"openid: a space":              {introspection, "token token"},
		"openid: 20 kB":                {introspection, strings.Repeat("t", 20<<10)},
		"openid: empty":                {introspection, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := a.kind(t)
			v := h.verifier(t)
			mustProve(t, v, h.good())
			before := h.wire.Asked("")
			refused(t, v, a.token, porterhouse.Unauthenticated)
			if asked := h.wire.Asked("") - before; asked != 0 {
				t.Errorf("the provider was asked %d times", asked)
			}
		})
	}
}

// mintedTicket is one of our own tickets, which lets its bearer into ClickHouse.
func mintedTicket(t *testing.T) string {
	t.Helper()
	store, err := kv.OpenMemory(kv.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	desk, err := ticket.New(ticket.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	user, err := porterhouse.ParseUserName("alice")
	if err != nil {
		t.Fatal(err)
	}
	minted, err := desk.Mint(t.Context(), ticket.Claim{User: user, QueryID: "q-1", Authenticator: "main"})
	if err != nil {
		t.Fatal(err)
	}
	return minted.Reveal()
}

// Wrong tokens are remembered for a moment, so that they cost the provider little,
// and never in the place of good ones.
func TestRefusalsAreRememberedBriefly(t *testing.T) {
	h := introspection(t)
	v := h.verifier(t)
	good := h.good()
	mustProve(t, v, good)
	before := h.wire.Asked("/introspect")
	for range 10 {
		refused(t, v, "no-such-token", porterhouse.Unauthenticated)
	}
	if asked := h.wire.Asked("/introspect") - before; asked != 1 {
		t.Errorf("a wrong token that came ten times cost %d requests", asked)
	}
	before = h.wire.Asked("/introspect")
	mustProve(t, v, good)
	if asked := h.wire.Asked("/introspect") - before; asked != 0 {
		t.Errorf("the known token was asked about %d times", asked)
	}
	h.clock.pass(10 * time.Second)
	h.wire.AnswerJSON("/introspect", http.StatusOK, h.claims(h.person).With("active", true).With("token_type", "Bearer"))
	mustProve(t, v, "no-such-token") // the provider has come to know it
}

// Graph is asked for groups on behalf of who is proved, and only Graph.
func TestOverage(t *testing.T) {
	h := entraV2(t)
	h.person.Groups = []string{"g1", "g2", "g3", "g4", "g5"}
	token := func() string {
		h.clock.pass(time.Second)
		return h.mint(h.person, idp.Overage(h.claims(h.person)))
	}
	who := mustProve(t, h.verifier(t), token())
	wantGroups("g1", "g2", "g3", "g4", "g5")(t, who)
	refused(t, h.verifier(t, func(s *identity.Settings) {
		s.ClientIDs, s.IntrospectionClientID, s.IntrospectionClientSecret = nil, "", porterhouse.Secret{}
	}), token(), porterhouse.Refused)

	asked := h.wire.Asked("/v1.0/me/transitiveMemberOf")
	refused(t, h.verifier(t), h.mint(h.person, idp.Overage(h.claims(h.person)).With("aud", "for somebody else")), porterhouse.Unauthenticated)
	if n := h.wire.Asked("/v1.0/me/transitiveMemberOf") - asked; n != 0 {
		t.Errorf("Graph was asked %d times about a token that is not for us", n)
	}
	for name, next := range map[string]string{"elsewhere": "https://evil.example.com/v1.0/me/transitiveMemberOf", "another question": "https://graph.microsoft.com/v1.0/me/messages"} {
		t.Run("the next page is "+name, func(t *testing.T) {
			h.wire.AnswerJSON("/v1.0/me/transitiveMemberOf", 200, idp.Claims{"value": []any{}, "@odata.nextLink": next})
			refused(t, h.verifier(t), token(), porterhouse.Unavailable)
		})
	}
	h.wire.AnswerJSON("/v1.0/me/transitiveMemberOf", 200, idp.Claims{"value": "g1"})
	refused(t, h.verifier(t), token(), porterhouse.Unavailable)
	h.wire.Down()
	refused(t, h.verifier(t), token(), porterhouse.Unavailable)
}
