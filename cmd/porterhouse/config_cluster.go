package main

import (
	"cmp"
	"fmt"
	"time"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/directory"
)

// ProvisionConfig lets accounts that do not exist be made, by a ClickHouse user
// that may do that and nothing else; see directory.ProvisionerConfig.
type ProvisionConfig struct {
	User     string             `yaml:"user"` // the provisioner's own
	Password porterhouse.Secret `yaml:"password"`
	Prefix   string             `yaml:"prefix"` // of every account that it makes
	Marker   string             `yaml:"marker"` // role that all of them have

	Mode         string   `yaml:"mode" oneof:"execute_as http interserver"` // "": see ClusterConfig.provisionMode
	HTTPServer   string   `yaml:"http_server"`                              // for http: the name of our authenticator in ClickHouse's configuration
	GatewayHosts []string `yaml:"gateway_hosts"`                            // for interserver
	OnCluster    string   `yaml:"on_cluster"`                               // ClickHouse's own name of the cluster; "": one server, or replicated users

	Settings values              `yaml:"settings"` // of every account, CONST
	ReadOnly bool                `yaml:"readonly"` // every account: readonly = 2 CONST
	Limits   AccountLimitsConfig `yaml:"limits"`   // of every account, CONST

	AllowUnboundedProvisioner bool          `yaml:"allow_unbounded_provisioner"` // no prefix
	Lifetime                  time.Duration `yaml:"lifetime"`                    // of what is known of an account

	DisableAfter time.Duration `yaml:"disable_after"` // without a sign of the person; 0: never
	DropAfter    time.Duration `yaml:"drop_after"`    // the same
}

// AuthenticatorConfig is the door that a cluster's own servers knock on:
// http_authentication_servers in their configuration.
type AuthenticatorConfig struct {
	Listen         string             `yaml:"listen" reload:"restart"`
	Path           porterhouse.Secret `yaml:"path"` // that nobody else knows
	Name           string             `yaml:"name"` // in ClickHouse's configuration
	Audiences      texts              `yaml:"audiences"`
	TLS            *TLSPair           `yaml:"tls" reload:"restart"`
	AllowPlainHTTP bool               `yaml:"allow_plain_http"`
	Settings       values             `yaml:"settings"` // of every session that it lets in
}

// authenticatorName is how ClickHouse calls us unless it is told otherwise.
const authenticatorName = "porterhouse"

func (a *AuthenticatorConfig) name() string {
	if a == nil {
		return authenticatorName
	}
	return cmp.Or(a.Name, authenticatorName)
}

// authenticatorAudiences are what a token must be for at the cluster's authenticator:
// without a word about it the URLs of its servers. None: there is no authenticator.
func (c ClusterConfig) authenticatorAudiences() []string {
	switch {
	case c.Authenticator == nil:
		return nil
	case len(c.Authenticator.Audiences) > 0:
		return c.Authenticator.Audiences
	}
	var urls []string
	for _, server := range c.servers() {
		urls = append(urls, server.URL)
	}
	return urls
}

// provisioner makes the provisioner of a cluster; nil where accounts are made by hand.
func (c Config) provisioner(cluster string, p *process) (*directory.Provisioner, error) {
	config := c.Clusters[cluster]
	if config.Provision == nil {
		return nil, nil
	}
	admin, err := config.admin(config.Provision.User, config.Provision.Password, p.log)
	if err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	return directory.NewProvisioner(config.provisioner(cluster, admin, p))
}

// provisioner is what its room is told of it.
func (c ClusterConfig) provisioner(cluster string, admin *clickhouse.Admin, p *process) directory.ProvisionerConfig {
	o := c.Provision
	return directory.ProvisionerConfig{
		Admin: admin, Audit: p.audit, Store: p.store, Cluster: cluster, Log: p.log, Now: p.now,
		Gateway: c.User, Prefix: o.Prefix, AllowUnbounded: o.AllowUnboundedProvisioner, Marker: o.Marker,
		Mode: c.provisionMode(), GatewayHosts: o.GatewayHosts, HTTPServer: cmp.Or(o.HTTPServer, c.Authenticator.name()),
		Settings: o.Settings, Constraints: directory.Constraints{ReadOnly: o.ReadOnly, Limits: o.Limits.limits()},
		OnCluster: o.OnCluster, Lifetime: o.Lifetime,
	}
}
