package main

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"porterhouse"
	"porterhouse/authserver"
	"porterhouse/identity"
	"porterhouse/login"
	"porterhouse/signin"
)

// SignInConfig lets people sign in with a browser, at the providers of token
// processors. Where there are any, we give MCP clients tokens of our own.
type SignInConfig struct {
	MasterKey porterhouse.Secret         `yaml:"master_key" reload:"restart"` // seals what browsers and the store keep; all replicas have the same
	Providers list[SignInProviderConfig] `yaml:"providers"`                   // in the order of their buttons

	BrowserSession        time.Duration `yaml:"browser_session"`         // of a browser, since it signed in
	SessionWithoutRecheck time.Duration `yaml:"session_without_recheck"` // of somebody whose provider cannot be asked again
	SessionIdle           time.Duration `yaml:"session_idle"`            // of a client that asks for nothing
	SessionLongest        time.Duration `yaml:"session_longest"`         // since the sign-in, whatever happens
	RecheckGrace          time.Duration `yaml:"recheck_grace"`           // how old a provider's yes may be while it does not answer
}

// SignInProviderConfig is us as a client of a token processor's provider; see
// identity.ClientSettings.
type SignInProviderConfig struct {
	Processor             string             `yaml:"processor"`
	Label                 string             `yaml:"label"` // on the button; "": the processor's name
	ClientID              string             `yaml:"client_id"`
	ClientSecret          porterhouse.Secret `yaml:"client_secret"`
	Scopes                texts              `yaml:"scopes"` // none: what that kind of provider needs
	AuthorizationEndpoint string             `yaml:"authorization_endpoint"`
	TokenEndpoint         string             `yaml:"token_endpoint"`
}

// AuthServerConfig is what is not usual about our own tokens, and who may have them.
type AuthServerConfig struct {
	AccessToken       time.Duration               `yaml:"access_token"`                              // how long one lives
	SigningKeys       []string                    `yaml:"signing_keys" kind:"path" reload:"restart"` // PEM files; none: made here, and kept in the store
	RotateKeys        time.Duration               `yaml:"rotate_keys" reload:"restart"`              // how long one signs that was made here
	DeviceCodes       bool                        `yaml:"device_codes"`                              // programs without a browser (RFC 8628)
	AllowRegistration bool                        `yaml:"allow_registration"`                        // clients register themselves (RFC 7591)
	AllowClientHosts  texts                       `yaml:"allow_client_hosts"`                        // of client metadata documents; none: any
	Clients           map[string]AuthClientConfig `yaml:"clients"`                                   // that we know, by name
	Assertions        texts                       `yaml:"identity_assertions"`                       // token processors whose providers may sign people in by assertion (ID-JAG)
}

// AuthClientConfig is a client that the operator has registered; see
// authserver.ClientConfig.
type AuthClientConfig struct {
	ClientID     string             `yaml:"client_id"` // "": its name in the file
	Name         string             `yaml:"name"`      // for people; "": the same
	Secret       porterhouse.Secret `yaml:"secret"`
	JWKS         string             `yaml:"jwks"` // its keys themselves, as JSON
	JWKSURI      string             `yaml:"jwks_uri"`
	RedirectURIs texts              `yaml:"redirect_uris"`
	Grants       []string           `yaml:"grants" oneof:"authorization_code refresh_token device_code client_credentials token_exchange jwt_bearer"`
	Scopes       []string           `yaml:"scopes" oneof:"clickhouse:read clickhouse:write offline_access"`
	Resource     string             `yaml:"resource"` // its default; "": the MCP door
	User         string             `yaml:"user"`     // who it is when it asks for itself (client_credentials)
	Groups       texts              `yaml:"groups"`   // of that user
	Exchange     ExchangeConfig     `yaml:"exchange"`
}

// ExchangeConfig says which tokens of providers a client may turn into ours (RFC 8693).
type ExchangeConfig struct {
	Processors texts `yaml:"processors"` // none: any
	Audiences  texts `yaml:"audiences"`  // a token must be for one of them
}

// isOn reports whether people can sign in at all.
func (s SignInConfig) isOn() bool { return len(s.Providers) > 0 }

// ownClients is the processor of clients that ask for themselves, in rules and records.
const ownClients = authserver.ClientsProof

// hasOwnClients reports whether there are any.
func (a AuthServerConfig) hasOwnClients() bool {
	for _, client := range a.Clients {
		if slices.Contains(client.Grants, "client_credentials") {
			return true
		}
	}
	return false
}

// redirectURI is what is registered for us at the provider of a processor.
func redirectURI(c Config, processor string) string {
	return c.publicURL() + signin.CallbackOf(processor)
}

func (p SignInProviderConfig) settings() identity.ClientSettings {
	return identity.ClientSettings{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Scopes: p.Scopes,
		AuthorizationEndpoint: p.AuthorizationEndpoint, TokenEndpoint: p.TokenEndpoint,
	}
}

// urls are the addresses of the provider that the configuration names, by key.
func (p SignInProviderConfig) urls() map[string]string {
	all := map[string]string{"authorization_endpoint": p.AuthorizationEndpoint, "token_endpoint": p.TokenEndpoint}
	maps.DeleteFunc(all, func(_, address string) bool { return address == "" })
	return all
}

func (s SignInConfig) lifetimes() signin.Lifetimes {
	return signin.Lifetimes{
		Browser: s.BrowserSession, WithoutRecheck: s.SessionWithoutRecheck,
		Idle: s.SessionIdle, Longest: s.SessionLongest, Grace: s.RecheckGrace,
	}
}

// grantTypes are the names of grants as clients write them.
func grantTypes(names []string) []string {
	const urn = "urn:ietf:params:oauth:grant-type:"
	types := slices.Clone(names)
	for i, name := range types {
		switch name {
		case "device_code":
			types[i] = urn + name
		case "token_exchange":
			types[i] = urn + "token-exchange"
		case "jwt_bearer":
			types[i] = urn + "jwt-bearer"
		}
	}
	return types
}

// client is a registered client as the room of that trade knows it; who may exchange
// which tokens is added by whoever can verify them.
func (c AuthClientConfig) client(name string) authserver.ClientConfig {
	return authserver.ClientConfig{
		ID: cmp.Or(c.ClientID, name), Name: cmp.Or(c.Name, name),
		Secret: c.Secret, JWKS: c.JWKS, JWKSURI: c.JWKSURI,
		RedirectURIs: c.RedirectURIs, Grants: grantTypes(c.Grants), Scopes: c.Scopes, Resource: c.Resource,
		User: c.User, Groups: c.Groups,
	}
}

// commandLine is the client that "porterhouse login" is, known everywhere.
func (a AuthServerConfig) commandLine() authserver.ClientConfig {
	grants := []string{"authorization_code", "refresh_token"}
	if a.DeviceCodes {
		grants = append(grants, "device_code")
	}
	return authserver.ClientConfig{
		ID: login.ClientID, Name: "Porterhouse on the command line",
		RedirectURIs: []string{"http://127.0.0.1/callback", "http://localhost/callback"},
		Grants:       grantTypes(grants),
		Scopes:       []string{authserver.ScopeRead, authserver.ScopeWrite, authserver.ScopeOffline},
	}
}
