package idp

import "net/url"

// The claims of access tokens as well-known providers shape them, for an Issuer to
// sign. Each is of a person, for an audience, by way of a client.

// Keycloak: groups are paths, roles are nested, and typ is in the payload too.
func (i *Issuer) Keycloak(p Person, audience, client string) Claims {
	groups := []string{}
	for _, name := range p.Groups {
		groups = append(groups, "/"+name)
	}
	return i.Claims(p, audience).and(Claims{
		"typ": "Bearer", "azp": client, "client_id": nil, "nbf": nil, "aud": []string{audience, "account"}, "sid": "3f1c", "acr": "1",
		"realm_access": Claims{"roles": p.Groups}, "resource_access": Claims{client: Claims{"roles": p.Groups}, "account": Claims{"roles": []string{"view-profile"}}},
		"groups": groups,
	})
}

// Okta, of a custom authorization server: scp is an array, sub the login, uid the id.
func (i *Issuer) Okta(p Person, audience, client string) Claims {
	return i.Claims(p, audience).and(Claims{
		"ver": 1, "cid": client, "uid": p.Subject, "sub": p.Email, "scp": []string{"openid", "email", "groups"},
		"azp": nil, "client_id": nil, "scope": nil, "nbf": nil, "preferred_username": nil, "name": nil, "email": nil, "email_verified": nil, "auth_time": i.Now().Unix(),
	})
}

// Auth0, of an API: the claims of one's own have a URL for a name.
func (i *Issuer) Auth0(p Person, audience, client string) Claims {
	return i.Claims(p, audience).and(Claims{
		"aud": []string{audience, i.Name + "/userinfo"}, "azp": client, "sub": "auth0|" + p.Subject, "permissions": []string{"query:run"},
		"https://acme.com/groups": p.Groups, "https://acme.com/email": p.Email, "https://acme.com/email_verified": !p.Unverified,
		"client_id": nil, "nbf": nil, "jti": nil, "groups": nil, "email": nil, "email_verified": nil, "name": nil, "preferred_username": nil,
	})
}

// Cognito: no audience at all, and the groups have a prefix.
func (i *Issuer) Cognito(p Person, client string) Claims {
	return i.Claims(p, "").and(Claims{
		"aud": nil, "azp": nil, "nbf": nil, "client_id": client, "token_use": "access", "version": 2, "username": p.Name, "cognito:groups": p.Groups,
		"groups": nil, "email": nil, "email_verified": nil, "name": nil, "preferred_username": nil, "origin_jti": "x", "event_id": "y",
	})
}

// CognitoID are those of Cognito's ID token, which has an audience.
func (i *Issuer) CognitoID(p Person, client string) Claims {
	return i.Claims(p, client).and(Claims{
		"azp": nil, "client_id": nil, "scope": nil, "nbf": nil, "token_use": "id", "cognito:username": p.Name, "cognito:groups": p.Groups, "groups": nil,
	})
}

// unescape undoes form encoding; text that is none stays as it is.
func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
