package idp

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Tenant is the directory of the Entra stand-in, and API the application that its
// tokens are for: both GUIDs.
const (
	Tenant = "8a6f3c1e-50a1-4c0e-9f0e-6f4f2f1b7a10"
	API    = "4f2b7c9d-1f6e-4c58-a7d4-2f0d8f3f5b21"
)

// Entra is a stand-in for Microsoft Entra ID (login.microsoftonline.com) with one
// tenant, and for Microsoft Graph (graph.microsoft.com).
type Entra struct {
	*Issuer

	mu    sync.Mutex
	graph map[string]Person // by token for Graph
	onTop map[string]Person // by access token: whom on-behalf-of would be for
}

// Issuers of the two versions of access tokens.
const (
	EntraV1 = "https://sts.windows.net/" + Tenant + "/"
	EntraV2 = "https://login.microsoftonline.com/" + Tenant + "/v2.0"
)

// StartEntra starts the stand-in.
func StartEntra(t testing.TB, o Options) *Entra {
	t.Helper()
	e := &Entra{Issuer: StartIssuer(t, o), graph: map[string]Person{}, onTop: map[string]Person{}}
	e.Name = EntraV2
	keys := func(out http.ResponseWriter, _ *http.Request) { reply(out, http.StatusOK, e.KeySet()) }
	e.Answer("/"+Tenant+"/discovery/v2.0/keys", keys)
	e.Answer("/"+Tenant+"/discovery/keys", keys)
	e.Answer("/common/discovery/v2.0/keys", keys)
	e.Answer("/common/v2.0/.well-known/openid-configuration", e.discovery("common", "https://login.microsoftonline.com/{tenantid}/v2.0", "/discovery/v2.0/keys"))
	e.Answer("/"+Tenant+"/v2.0/.well-known/openid-configuration", e.discovery(Tenant, EntraV2, "/discovery/v2.0/keys"))
	e.Answer("/"+Tenant+"/.well-known/openid-configuration", e.discovery(Tenant, EntraV1, "/discovery/keys"))
	e.Answer("/"+Tenant+"/oauth2/v2.0/authorize", e.authorize)
	e.Answer("/"+Tenant+"/oauth2/v2.0/token", e.tokens)
	e.AccessTokens = func(p Person, client, _ string) string { return e.GraphToken(p, client) }
	e.IDTokens = func(p Person, client string) Claims {
		return e.V2(p, client, "").and(Claims{"azp": nil, "azpacr": nil, "scp": nil})
	}
	e.Answer("/v1.0/me/transitiveMemberOf", e.memberOf)
	e.Answer("/v1.0/me/memberOf", e.memberOf)
	e.Answer("/v1.0/me", e.me)
	e.Answer("/oidc/userinfo", e.me)
	return e
}

// Hosts are the names of Microsoft's that answer here.
func (e *Entra) Hosts() map[string]http.Handler {
	return map[string]http.Handler{"login.microsoftonline.com": e, "graph.microsoft.com": e, "sts.windows.net": e}
}

func (e *Entra) discovery(tenant, issuer, keys string) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		login, graph := e.URL, e.URL
		if r.TLS != nil {
			login, graph = "https://login.microsoftonline.com", "https://graph.microsoft.com"
		}
		reply(out, http.StatusOK, Claims{
			"issuer": issuer, "jwks_uri": login + "/" + tenant + keys, "token_endpoint": login + "/" + tenant + "/oauth2/v2.0/token",
			"authorization_endpoint": login + "/" + tenant + "/oauth2/v2.0/authorize", "userinfo_endpoint": graph + "/oidc/userinfo",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"},
			"subject_types_supported": []string{"pairwise"}, "tenant_region_scope": "EU", "msgraph_host": "graph.microsoft.com",
		})
	}
}

// V2 are the claims of a version 2 access token of a person for an API, by way of a
// client. The subject of Person is the object id; sub is pairwise.
func (e *Entra) V2(p Person, api, client string) Claims {
	claims := e.common(p, api).and(Claims{
		"iss": EntraV2, "azp": client, "azpacr": "1", "preferred_username": p.Email, "ver": "2.0",
	})
	return claims
}

// V1 are the claims of a version 1 access token; api is mostly an App ID URI.
func (e *Entra) V1(p Person, api, client string) Claims {
	return e.common(p, api).and(Claims{
		"iss": EntraV1, "appid": client, "appidacr": "1", "upn": p.Email, "unique_name": p.Email, "amr": []string{"pwd"}, "ver": "1.0",
	})
}

func (e *Entra) common(p Person, api string) Claims {
	now := e.Now()
	return Claims{
		"aud": api, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(e.Options.Lifetime).Unix(),
		"tid": Tenant, "oid": p.Subject, "sub": "pairwise-" + p.Subject, "name": p.Name, "scp": "Query.Run", "groups": p.Groups, "uti": "x", "rh": "0.x",
	}
}

// Overage replaces the groups by the hint that there are too many for a token. The
// endpoint it names has been dead for years.
func Overage(claims Claims) Claims {
	return claims.and(Claims{
		"groups": nil, "_claim_names": Claims{"groups": "src1"},
		"_claim_sources": Claims{"src1": Claims{"endpoint": "https://graph.windows.net/" + Tenant + "/users/x/getMemberObjects"}},
	})
}

// Sign signs claims, and keeps in mind whose the token is, for on-behalf-of.
func (e *Entra) Sign(claims Claims, changes ...Claims) string {
	token := e.Issuer.Sign(claims, changes...)
	if p, ok := e.person(withSubject(str(claims["oid"]))); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.onTop[token] = p
	}
	return token
}

// GraphToken makes a token for Graph. Its signature is over a header with another
// nonce, so that nobody but Graph can verify it.
func (e *Entra) GraphToken(p Person, client string) string {
	header := text(Claims{"typ": "JWT", "nonce": "as it travels", "alg": "RS256", "kid": e.Key().ID, "x5t": e.Key().ID})
	signed := text(Claims{"typ": "JWT", "nonce": "its hash", "alg": "RS256", "kid": e.Key().ID, "x5t": e.Key().ID})
	payload := text(e.V1(p, "00000003-0000-0000-c000-000000000000", client))
	_, signature, _ := strings.Cut(strings.TrimPrefix(e.Key().SignText(signed, payload), Encode([]byte(signed))+"."), ".")
	token := Encode([]byte(header)) + "." + Encode([]byte(payload)) + "." + signature
	e.mu.Lock()
	defer e.mu.Unlock()
	e.graph[token] = p
	return token
}

// tokens is the token endpoint: for those who sign in, and on behalf of them.
func (e *Entra) tokens(out http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("requested_token_use") != "" {
		e.onBehalfOf(out, r)
		return
	}
	e.token(out, r)
}

// onBehalfOf changes an access token of a client for one for Graph, or for the API whose
// scope api://API/.default is asked for.
func (e *Entra) onBehalfOf(out http.ResponseWriter, r *http.Request) {
	client := r.PostFormValue("client_id")
	isClient := false
	for _, c := range e.Options.Clients {
		isClient = isClient || c.ID == client && c.Secret == r.PostFormValue("client_secret")
	}
	e.mu.Lock()
	p, known := e.onTop[r.PostFormValue("assertion")]
	e.mu.Unlock()
	scope := r.PostFormValue("scope")
	api, isAPI := strings.CutPrefix(strings.TrimSuffix(scope, "/.default"), "api://")
	switch {
	case !isClient:
		reply(out, http.StatusUnauthorized, Claims{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
	case r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || r.PostFormValue("requested_token_use") != "on_behalf_of" || !known:
		reply(out, http.StatusBadRequest, Claims{"error": "invalid_grant", "error_description": "AADSTS50013: Assertion failed signature validation."})
	case isAPI:
		reply(out, http.StatusOK, Claims{"token_type": "Bearer", "scope": "api://" + api + "/Query.Run", "expires_in": 3599, "ext_expires_in": 3599, "access_token": e.Sign(e.V2(p, api, client))})
	case !strings.HasPrefix(scope, "https://graph.microsoft.com/"):
		reply(out, http.StatusBadRequest, Claims{"error": "invalid_scope", "error_description": "AADSTS70011: The provided request must include a 'scope' input parameter.", "suberror": "bad_scope"})
	default:
		reply(out, http.StatusOK, Claims{"token_type": "Bearer", "scope": "GroupMember.Read.All", "expires_in": 3599, "access_token": e.GraphToken(p, client)})
	}
}

// whose is the person of a token for Graph.
func (e *Entra) whose(out http.ResponseWriter, r *http.Request) (Person, bool) {
	e.mu.Lock()
	p, ok := e.graph[bearer(r)]
	e.mu.Unlock()
	if !ok {
		reply(out, http.StatusUnauthorized, Claims{"error": Claims{"code": "InvalidAuthenticationToken", "message": "Access token validation failure. Invalid audience."}})
	}
	return p, ok
}

func (e *Entra) me(out http.ResponseWriter, r *http.Request) {
	if p, ok := e.whose(out, r); ok {
		reply(out, http.StatusOK, Claims{
			"id": p.Subject, "userPrincipalName": p.Email, "mail": p.Email, "displayName": p.Name,
			"sub": "pairwise-" + p.Subject, "name": p.Name, "email": p.Email,
		})
	}
}

// memberOf tells the groups two at a time, and among them a role, which is none.
func (e *Entra) memberOf(out http.ResponseWriter, r *http.Request) {
	p, ok := e.whose(out, r)
	if !ok {
		return
	}
	page, next := pageOf(p.Groups, r.FormValue("$skiptoken"), 2)
	value := []Claims{}
	for _, id := range page {
		value = append(value, Claims{"@odata.type": "#microsoft.graph.group", "id": id, "displayName": "group " + id})
	}
	answer := Claims{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#directoryObjects(id)", "value": value}
	if next != nil {
		base := e.URL
		if r.TLS != nil {
			base = "https://" + r.Host
		}
		answer["@odata.nextLink"] = base + r.URL.Path + "?$select=id&$top=100&$skiptoken=" + str(next)
	} else {
		answer["value"] = append(value, Claims{"@odata.type": "#microsoft.graph.directoryRole", "id": "a directory role", "displayName": "Global Reader"})
	}
	reply(out, http.StatusOK, answer)
}

// str is the string in value, or "".
func str(value any) string {
	text, _ := value.(string)
	return text
}
