package main

import (
	"slices"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/gate"
	"porterhouse/identity"
	"porterhouse/proxy"
	"porterhouse/statement"
)

// HTTPDoorConfig is the door for clients of ClickHouse's own HTTP interface (package
// proxy). It has addresses of its own, because they ask for "/"; without any it is shut.
type HTTPDoorConfig struct {
	Listen    string             `yaml:"listen" reload:"restart"` // host:port, plain HTTP; "": none
	TLS       *TLSListenerConfig `yaml:"tls" reload:"restart"`    // nil: none
	PublicURL string             `yaml:"public_url"`              // https://host[:port] by which clients come; "": see httpDoor.url
	Audiences texts              `yaml:"audiences"`               // a token must be for one of them; none: the public URL
	ReadOnly  bool               `yaml:"read_only"`
	Passwords string             `yaml:"passwords" oneof:"refuse pass"` // of ClickHouse's own users
	MaxHeader size               `yaml:"max_header" reload:"restart"`   // URL and headers of a request together
	Limits    HTTPDoorLimits     `yaml:"limits"`
	Allow     AllowConfig        `yaml:"allow"`

	AllowPlainHTTP      bool `yaml:"allow_plain_http"`      // beyond loopback, where everybody on the way reads along
	AllowURLCredentials bool `yaml:"allow_url_credentials"` // ?user=&password=, which logs keep
	AllowIDTokens       bool `yaml:"allow_id_tokens"`       // Grafana's X-ID-Token
}

// TLSListenerConfig is an address where TLS is spoken.
type TLSListenerConfig struct {
	Listen string `yaml:"listen"`
	Cert   string `yaml:"cert" kind:"path"` // with Key; neither: those of the server
	Key    string `yaml:"key" kind:"path"`
}

// HTTPDoorLimits are the widest that one answer at the door can be. How many questions
// a person may have at once is the same at all doors, and counted over all of them.
type HTTPDoorLimits struct {
	Time   time.Duration `yaml:"time"`
	Bytes  size          `yaml:"bytes"`  // 0: any number
	Memory size          `yaml:"memory"` // at ClickHouse; 0: what the account may
}

// The words of HTTPDoorConfig.Passwords.
const (
	refusePasswords = "refuse"
	passPasswords   = "pass"
)

// isOpen reports whether the door has an address.
func (h HTTPDoorConfig) isOpen() bool { return h.Listen != "" || h.TLS != nil }

// passesPasswords reports whether people come in with passwords of ClickHouse's users.
func (h HTTPDoorConfig) passesPasswords() bool { return h.isOpen() && h.Passwords == passPasswords }

// httpDoor is what the whole configuration says of the door.
type httpDoor struct{ Config }

// url is by what URL clients come, without a slash at its end. Where it is not
// configured we are on loopback, and it is the address we listen on, with TLS first.
func (c httpDoor) url() string {
	switch h := c.ClickHouseHTTP; {
	case h.PublicURL != "":
		return h.PublicURL
	case h.TLS != nil:
		return "https://" + h.TLS.Listen
	default:
		return "http://" + h.Listen
	}
}

// resource is what a token for the door is for: without a word about it the URL
// by which clients come (RFC 8707).
func (c httpDoor) resource() identity.Resource {
	audiences := c.ClickHouseHTTP.Audiences
	if len(audiences) == 0 {
		audiences = texts{c.url()}
	}
	return identity.Resource{Door: proxy.Door, Audiences: audiences}
}

// pair are the files of the door's certificate.
func (c httpDoor) pair() *TLSPair {
	t := c.ClickHouseHTTP.TLS
	if t.Cert == "" && t.Key == "" && c.TLS != nil {
		return c.TLS
	}
	return &TLSPair{Cert: t.Cert, Key: t.Key}
}

// gate is what passes at the door to a cluster. Where the session is the person's own
// login, its grants and constraints bound everything, so that we refuse only what our
// limits and our record stand on; otherwise also what reaches beyond the cluster.
func (c httpDoor) gate(cluster string) gate.Door {
	h := c.ClickHouseHTTP
	pass := gate.Pass{Writes: !h.ReadOnly, Format: true, Settings: statement.Ordinary}
	if isOwnLogin(c.Clusters[cluster].mode()) {
		pass.Sources, pass.Settings = true, statement.Unknown
	}
	return gate.Door{
		Limits: porterhouse.Limits{Time: h.Limits.Time, Bytes: int64(h.Limits.Bytes), Memory: int64(h.Limits.Memory)},
		Queue:  c.Limits.queue(), Rules: c.Limits.rules(), Allow: h.Allow.gate(), Pass: pass,
	}
}

// weakenings names what makes the door less strict than it is without it.
func (c httpDoor) weakenings() (found []string) {
	h := c.ClickHouseHTTP
	shared := func(audience string) bool { return slices.Contains(mcpResource(c.Config, "").Audiences, audience) }
	for _, weakening := range []struct {
		is   bool
		text string
	}{
		{h.AllowPlainHTTP, "clickhouse_http.allow_plain_http"},
		{h.Passwords == passPasswords, "clickhouse_http.passwords: pass: whoever knows the password of a ClickHouse user is that user, without a token"},
		{h.AllowURLCredentials, "clickhouse_http.allow_url_credentials: URLs, and so tokens, stand in the logs of whatever is on the way"},
		{h.AllowIDTokens, "clickhouse_http.allow_id_tokens"},
		{slices.ContainsFunc(h.Audiences, shared), "clickhouse_http.audiences: tokens for the MCP door are for this one too, so an agent reaches what that door keeps from it"},
		{len(h.Allow.Settings) > 0, "clickhouse_http.allow.settings: " + strings.Join(h.Allow.Settings, ", ")},
		{len(h.Allow.Functions) > 0, "clickhouse_http.allow.functions: " + strings.Join(h.Allow.Functions, ", ")},
		{len(h.Allow.TableFunctions) > 0, "clickhouse_http.allow.table_functions: " + strings.Join(h.Allow.TableFunctions, ", ")},
	} {
		if weakening.is {
			found = append(found, weakening.text)
		}
	}
	return found
}
