package main

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"porterhouse"
)

// Config is the configuration file, porterhouse.yaml. doc/configuration.md
// tells the meaning and the default of every key, doc/porterhouse.example.yaml
// shows them all, and a test holds both to these types.
//
// A path in it is relative to the directory of the file. A secret is never in
// the file itself, but named there: env:NAME or file:PATH.
//
// A change of a key holds from the next reload on (see changes), unless its tag says
// reload:"restart". Where it says "content", so does a change of the file that the key names.
type Config struct {
	Listen         string                   `yaml:"listen" reload:"restart"` // host:port; loopback unless told otherwise
	PublicURL      string                   `yaml:"public_url"`              // https://host[:port] by which clients come; "": see publicURL
	TLS            *TLSPair                 `yaml:"tls" reload:"restart"`    // nil: plain HTTP
	BehindTLSProxy bool                     `yaml:"behind_tls_proxy"`        // somebody in front of us speaks TLS with the clients
	TrustedProxies []netip.Prefix           `yaml:"trusted_proxies"`         // whose X-Forwarded-For is believed
	Origins        []string                 `yaml:"origins"`                 // further web pages that may call us: https://host[:port]
	Log            LogConfig                `yaml:"log" reload:"restart"`
	HTTP           HTTPConfig               `yaml:"http"`
	ClickHouseHTTP HTTPDoorConfig           `yaml:"clickhouse_http"`
	Metrics        MetricsConfig            `yaml:"metrics"`
	Clusters       map[string]ClusterConfig `yaml:"clusters"`        // by name; at least one
	DefaultCluster string                   `yaml:"default_cluster"` // that is meant without a word about it; "": see usualCluster
	Users          UsersConfig              `yaml:"users"`
	Tokens         TokensConfig             `yaml:"tokens"`

	EnableTokenAuth     yes                        `yaml:"enable_token_auth"` // without it the token processors are not asked
	TokenProcessors     map[string]ProcessorConfig `yaml:"token_processors"`  // by name
	UserDirectories     UserDirectoriesConfig      `yaml:"user_directories"`
	RemoteURLAllowHosts AllowHostsConfig           `yaml:"remote_url_allow_hosts"`
	Identity            IdentityConfig             `yaml:"identity"`
	Resources           ResourcesConfig            `yaml:"resources"`
	KV                  KVConfig                   `yaml:"kv" reload:"restart"`
	SignIn              SignInConfig               `yaml:"sign_in"`
	AuthServer          AuthServerConfig           `yaml:"auth_server"`

	Limits LimitsConfig `yaml:"limits"`
	Allow  AllowConfig  `yaml:"allow"`
	Audit  AuditConfig  `yaml:"audit" reload:"restart"`

	inline   []string          // paths of the secrets that stand in the file itself
	demo     bool              // everybody may be anybody, and that is no mistake
	contents map[string]digest // of files that are read once, by the key that names them; see readContents
}

// TLSPair is a certificate with what issued it, and its key: PEM files.
type TLSPair struct {
	Cert string `yaml:"cert" kind:"path"`
	Key  string `yaml:"key" kind:"path"`
}

// LogConfig says what is logged, and how.
type LogConfig struct {
	Level  string `yaml:"level" oneof:"debug info warn error"`
	Format string `yaml:"format" oneof:"text json"`
}

// HTTPConfig bounds what a client may cost us before it is known.
type HTTPConfig struct {
	MaxBody       size          `yaml:"max_body"`                        // of a request
	MaxHeader     size          `yaml:"max_header" reload:"restart"`     // all of them together
	HeaderTimeout time.Duration `yaml:"header_timeout" reload:"restart"` // from the first byte of a request to the end of its headers
	BodyTimeout   time.Duration `yaml:"body_timeout" reload:"restart"`   // from there to the end of its body
	WriteTimeout  time.Duration `yaml:"write_timeout"`                   // until the client takes what is ready for it; an answer as a whole has no end
	IdleTimeout   time.Duration `yaml:"idle_timeout" reload:"restart"`   // between two requests of one connection
}

// MetricsConfig says where /metrics is answered, without authentication.
type MetricsConfig struct {
	Listen string `yaml:"listen" reload:"restart"` // host:port of its own; "": with the rest, but to this machine only
}

// ClusterConfig says how we reach one ClickHouse cluster.
type ClusterConfig struct {
	URL            string             `yaml:"url"`              // https://host:8443; "": see Hosts
	Hosts          list[HostConfig]   `yaml:"hosts"`            // several servers that are alike, in place of URL and Access.Native
	User           string             `yaml:"user"`             // the gateway's own
	Password       porterhouse.Secret `yaml:"password"`         // of User
	TLS            ClusterTLS         `yaml:"tls"`              // for https
	AllowPlainHTTP bool               `yaml:"allow_plain_http"` // beyond loopback, where everybody on the way reads along
	MaxConnections int                `yaml:"max_connections"`  // at once
	Access         AccessConfig       `yaml:"access"`
	For            ForConfig          `yaml:"for"`          // whose it is; nobody named: everybody's
	PublicHosts    []string           `yaml:"public_hosts"` // by which ClickHouse's clients ask for this cluster

	Provision     *ProvisionConfig     `yaml:"provision"`     // nil: users are made by hand
	Authenticator *AuthenticatorConfig `yaml:"authenticator"` // nil: ClickHouse itself is not asked with tokens
}

// ClusterTLS are the certificates of the connection to ClickHouse.
type ClusterTLS struct {
	CA         string `yaml:"ca" kind:"path" reload:"content"` // certificates to trust; "": the system's
	Cert       string `yaml:"cert" kind:"path"`                // our own, for a server that asks
	Key        string `yaml:"key" kind:"path"`                 // of Cert
	ServerName string `yaml:"server_name"`                     // in the server's certificate; "": the host of the URL
}

// TokensConfig says where the API tokens are kept. Without them nobody could be
// known, and we would not start.
type TokensConfig struct {
	File string `yaml:"file" kind:"path"`
}

// LimitsConfig is the widest that one answer of the MCP door can be, how many questions
// one person may ask at once, and further limits for all doors.
type LimitsConfig struct {
	Rows                int64            `yaml:"rows"`
	Bytes               size             `yaml:"bytes"`
	Time                time.Duration    `yaml:"time"`
	Memory              size             `yaml:"memory"` // at ClickHouse
	ConcurrentPerPerson int              `yaml:"concurrent_per_person"`
	Queue               int              `yaml:"queue"`      // of one person, beyond the concurrent ones
	QueueWait           time.Duration    `yaml:"queue_wait"` // in the queue, then refused
	Rules               list[RuleConfig] `yaml:"rules"`      // further ones, each for a part of all questions
}

// AllowConfig names what may pass although the statement check would refuse it.
type AllowConfig struct {
	Settings       []string `yaml:"settings"`
	Functions      []string `yaml:"functions"`
	TableFunctions []string `yaml:"table_functions"`
}

// AuditConfig says where the record is kept.
type AuditConfig struct {
	File     string             `yaml:"file" kind:"path"`
	Key      porterhouse.Secret `yaml:"key"`     // of the chain; at least 32 bytes
	Replica  string             `yaml:"replica"` // "": the host's name
	RotateAt size               `yaml:"rotate_at"`
	Sync     string             `yaml:"sync" oneof:"second each"` // to the disk: within a second, or each question before it is asked
}

const oneDay = 24 * time.Hour

// defaultConfig is what a key that is not in the file stands for. What has no
// value here has none: nothing is opened and nobody let in by default.
func defaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:8080",
		Log:    LogConfig{Level: "info", Format: "text"},
		HTTP: HTTPConfig{
			MaxBody:       4 << 20,
			MaxHeader:     32 << 10,
			HeaderTimeout: 10 * time.Second,
			BodyTimeout:   30 * time.Second,
			WriteTimeout:  time.Minute,
			IdleTimeout:   2 * time.Minute,
		},
		ClickHouseHTTP:  HTTPDoorConfig{Passwords: refusePasswords, MaxHeader: 1 << 20, Limits: HTTPDoorLimits{Time: time.Hour}},
		EnableTokenAuth: true,
		Users:           UsersConfig{Name: "{user}"},
		SignIn: SignInConfig{
			BrowserSession:        12 * time.Hour,
			SessionWithoutRecheck: 12 * time.Hour,
			SessionIdle:           30 * oneDay,
			SessionLongest:        90 * oneDay,
			RecheckGrace:          4 * time.Hour,
		},
		AuthServer: AuthServerConfig{AccessToken: 5 * time.Minute, RotateKeys: 30 * oneDay, DeviceCodes: true},
		Limits: LimitsConfig{
			Rows:                100_000,
			Bytes:               64 << 20,
			Time:                time.Minute,
			Memory:              4 << 30,
			ConcurrentPerPerson: 16,
			Queue:               64,
			QueueWait:           10 * time.Second,
		},
		Audit: AuditConfig{RotateAt: 256 << 20, Sync: "second"},
	}
}

// loadConfig reads the file at path, strictly. The error names every mistake
// with its place, and no secret.
func loadConfig(path string, env func(string) (string, bool)) (Config, error) {
	return loadPart(path, env, nil)
}

// loadPart is loadConfig for a command that needs only some of the secrets: the
// others, by their path in the file, are not looked for and must not be used.
func loadPart(path string, env func(string) (string, bool), needed func(secret string) bool) (Config, error) {
	d := &decoder{file: path, env: env, needed: needed, found: map[string]place{}}
	return loadBy(d)
}

// readConfig is loadConfig for a server, which does what the file says whenever it says
// something else: nobody but its owner may write it. It tells which files the configuration
// is in, with those of its secrets; as far as it came, when it fails.
func readConfig(path string, env func(string) (string, bool)) (c Config, files []string, err error) {
	d := &decoder{file: path, env: env, found: map[string]place{}, unshared: true}
	c, err = loadBy(d)
	files = append(d.files, path)
	if err != nil {
		return c, files, err
	}
	named, err := c.readContents()
	return c, append(files, named...), err
}

// publicURL is by what URL clients come, without a slash at its end. Where it is
// not configured we are on loopback, and it is the address we listen on.
func (c Config) publicURL() string {
	switch {
	case c.PublicURL != "":
		return c.PublicURL
	case c.TLS != nil:
		return "https://" + c.Listen
	}
	return "http://" + c.Listen
}

// clusterNames are the names of all clusters, in alphabetical order.
func (c Config) clusterNames() []string { return slices.Sorted(maps.Keys(c.Clusters)) }

// onLoopback reports whether an address host:port is reached from this machine only.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

// isLoopback reports whether a host, without port or brackets, is this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
