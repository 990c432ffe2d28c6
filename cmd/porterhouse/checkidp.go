package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"porterhouse/doctor"
	"porterhouse/identity"
)

// level says how much a finding matters.
type level int

const (
	fine    level = iota
	careful       // it works, and could be better
	wrong         // tokens will be refused
)

// String names the level as it is printed.
func (l level) String() string { return [...]string{"ok", "careful", "WRONG"}[l] }

// finding is one thing about a provider, in words, with what to do.
type finding struct {
	level level
	text  string
}

// MarshalJSON writes it as the findings of other checks are written.
func (f finding) MarshalJSON() ([]byte, error) {
	severity := map[level]doctor.Severity{fine: doctor.Fine, careful: doctor.Careful, wrong: doctor.Wrong}[f.level]
	return json.Marshal(struct {
		Severity doctor.Severity `json:"severity"`
		Text     string          `json:"text"`
	}{severity, f.text})
}

// visit asks one provider what it says of itself.
//
//	discovery document ─▶ its issuer ─▶ its endpoints ─▶ its keys
//	        └ Date: how far are the clocks apart?
type visit struct {
	outbound *identity.Outbound
	identity.Settings
	arrival *arrival // nil: people do not sign in there
	ours    bool     // clients get themselves tokens here, not there
}

// document is what of a discovery document matters to us.
type document struct {
	Issuer        string `json:"issuer"`
	Keys          string `json:"jwks_uri"`
	Userinfo      string `json:"userinfo_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Authorization string `json:"authorization_endpoint"`
	Registration  string `json:"registration_endpoint"`
	Demo          bool   `json:"porterhouse_demo"`
}

func (v visit) findings(ctx context.Context) []finding {
	found, issuer := v.tokens(ctx)
	if v.arrival != nil {
		found = append(found, v.arrival.findings(ctx, issuer)...)
	}
	return found
}

// tokens says what becomes of the provider's tokens; the issuer is as its document
// has it.
func (v visit) tokens(ctx context.Context) (found []finding, issuer string) {
	if v.AllowAnyAudience {
		found = append(found, finding{careful, "allow_any_audience: any application of this provider can let its users in here, and itself as them; name an expected_audience instead"})
	}
	switch v.Type {
	case "jwt_static_key", "jwt_static_jwks":
		return append(found, finding{fine, "its keys are in the configuration; nobody has to be asked"}), ""
	case "jwt_dynamic_jwks":
		return append(found, v.keys(ctx, v.JWKSURI)...), ""
	case "github":
		return append(found, v.api(ctx)...), ""
	}
	address := v.discovery()
	if address == "" { // openid with endpoints of its own
		return append(found, v.endpoints(ctx, document{Keys: v.JWKSURI, Userinfo: v.UserinfoEndpoint, Introspection: v.TokenIntrospectionEndpoint})...), ""
	}
	said, about := v.discover(ctx, address)
	found = append(found, about...)
	if said == nil {
		return found, ""
	}
	found = append(found, v.issuer(said.Issuer, address))
	if said.Demo {
		found = append(found, finding{wrong, "it is a demo, where anybody can sign in as anybody: only porterhouse demo accepts that"})
	}
	return append(found, v.endpoints(ctx, *said)...), said.Issuer
}

// discovery is where the provider documents itself; "": nowhere that we know of.
func (v visit) discovery() string {
	if v.ConfigurationEndpoint != "" {
		return v.ConfigurationEndpoint
	}
	if issuer := v.Issuer(); issuer != "" && v.UserinfoEndpoint == "" {
		return strings.TrimRight(issuer, "/") + "/.well-known/openid-configuration"
	}
	return ""
}

// get asks for a JSON document, and tells what is the matter when there is none.
func (v visit) get(ctx context.Context, what, address string, into any) (identity.Reply, *finding) {
	reply, err := v.outbound.Get(ctx, address, nil)
	switch {
	case err != nil:
		return reply, &finding{wrong, fmt.Sprintf("%s cannot be had from %s: %s. Check the address, the way there (identity.proxy, identity.ca), and whether the host needs to be in remote_url_allow_hosts", what, address, explained(err).Reason)}
	case reply.Status != http.StatusOK:
		return reply, &finding{wrong, fmt.Sprintf("%s: %s answers with status %d; check the address", what, address, reply.Status)}
	case json.Unmarshal(reply.Body, into) != nil:
		return reply, &finding{wrong, fmt.Sprintf("%s: what %s answers with is not the JSON that it should be; check the address", what, address)}
	}
	return reply, nil
}

func (v visit) discover(ctx context.Context, address string) (*document, []finding) {
	var said document
	reply, problem := v.get(ctx, "the discovery document", address, &said)
	if problem != nil {
		return nil, []finding{*problem}
	}
	return &said, []finding{{fine, "it documents itself at " + address}, v.clock(reply.Header, time.Now())}
}

// clock compares the provider's Date header with our own time.
func (v visit) clock(h http.Header, now time.Time) finding {
	theirs, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return finding{careful, "it does not tell its time (no Date header), so the clocks cannot be compared"}
	}
	leeway := max(v.VerifierLeeway, 0) // less than 0: none
	if v.VerifierLeeway == 0 {
		leeway = time.Minute
	}
	apart := now.Sub(theirs).Round(time.Second)
	switch {
	case apart.Abs() > leeway+time.Second:
		return finding{wrong, fmt.Sprintf("our clock is %v away from the provider's, and verifier_leeway is %v: good tokens are refused; set the clock (NTP)", apart, leeway)}
	case apart.Abs() > 5*time.Second:
		return finding{careful, fmt.Sprintf("our clock is %v away from the provider's: set it (NTP)", apart)}
	}
	return finding{fine, "the clocks agree"}
}

// issuer compares the document's own issuer with the one that is expected.
func (v visit) issuer(said, address string) finding {
	expected := v.Issuer()
	switch {
	case said == "":
		return finding{wrong, "the document names no issuer; is " + address + " a discovery document?"}
	case v.ExpectedIssuer != "" && said != v.ExpectedIssuer:
		return finding{v.otherIssuer(), fmt.Sprintf("the document's issuer is %q and expected_issuer %q: one character more, such as a slash at the end, and all tokens are refused; compare with iss in a token", said, v.ExpectedIssuer)}
	case strings.Contains(said, "{"):
		return finding{wrong, fmt.Sprintf("the issuer is %q, for several tenants at once: configure one tenant", said)}
	case strings.TrimRight(said, "/") != strings.TrimRight(expected, "/") && expected != "":
		return finding{v.otherIssuer(), fmt.Sprintf("the document's issuer is %q, which is not where the document is (%s): name it as expected_issuer if it is yours", said, expected)}
	}
	return finding{fine, fmt.Sprintf("its issuer is %q", said)}
}

// otherIssuer is how much it matters that a document is of another issuer: a
// processor that reads it takes no token by it.
func (v visit) otherIssuer() level {
	switch v.Type {
	case "entra", "azure", "google", "gitlab":
		return careful
	}
	return wrong
}

// endpoints says which tokens can be checked by what the provider has.
func (v visit) endpoints(ctx context.Context, d document) []finding {
	var found []finding
	if d.Keys != "" {
		found = append(found, v.keys(ctx, d.Keys)...)
	} else {
		found = append(found, finding{careful, "it has no keys (jwks_uri), so each token is asked about"})
	}
	found = append(found, v.opaque(d))
	if d.Authorization != "" && d.Registration == "" && !v.ours {
		found = append(found, finding{careful, "clients cannot register themselves (no registration_endpoint): MCP clients need a client id that you made"})
	}
	return found
}

// opaque says what becomes of tokens that are no JWTs.
func (v visit) opaque(d document) finding {
	switch v.Type {
	case "entra", "azure", "cognito":
		return finding{fine, "its tokens for access are JWTs, all of them"}
	case "google", "gitlab":
		return finding{fine, "tokens that are no JWTs are shown to the provider, which says of which client they are"}
	}
	switch {
	case d.Introspection != "" && v.IntrospectionClientID != "":
		return finding{fine, "tokens that are no JWTs are introspected at " + d.Introspection}
	case d.Userinfo != "" && v.AllowAnyAudience:
		return finding{careful, "tokens that are no JWTs are shown to " + d.Userinfo + ", which does not say whom they are for; give introspection_client_id and _secret where the provider introspects"}
	}
	return finding{careful, "tokens that are no JWTs are refused; where the provider introspects, give introspection_client_id and _secret"}
}

// keys looks at a key set.
func (v visit) keys(ctx context.Context, address string) []finding {
	var set struct {
		Keys []struct {
			Kind string `json:"kty"`
			ID   string `json:"kid"`
			Use  string `json:"use"`
		} `json:"keys"`
	}
	if _, problem := v.get(ctx, "the keys", address, &set); problem != nil {
		return []finding{*problem}
	}
	var kinds []string
	for _, k := range set.Keys {
		if k.Use != "enc" && k.Kind != "oct" {
			kinds = append(kinds, k.Kind)
		}
	}
	if len(kinds) == 0 {
		return []finding{{wrong, "there is no key for signatures at " + address}}
	}
	return []finding{{fine, fmt.Sprintf("%d keys for signatures (%s) at %s", len(kinds), strings.Join(kinds, ", "), address)}}
}

// api looks whether GitHub can be reached.
func (v visit) api(ctx context.Context) []finding {
	address := v.GitHubAPI() + "/"
	var any json.RawMessage
	reply, problem := v.get(ctx, "its API", address, &any)
	if problem != nil && reply.Status != http.StatusUnauthorized { // GitHub Enterprise tells strangers nothing
		return []finding{*problem}
	}
	found := []finding{{fine, "its API answers at " + address}, v.clock(reply.Header, time.Now())}
	if len(v.ClientIDs) == 0 || v.ClientSecret.IsZero() {
		found = append(found, finding{careful, "without client_ids and client_secret nobody can tell whose application a token is of"})
	}
	return found
}
